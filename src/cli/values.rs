//! Values of options: times, sizes, addresses.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TryMapValueParser, TypedValueParser as _, ValueParserFactory};
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use trailproof_proof::archive::key::LogKind;

/// A moment as it was typed; `7d` means nothing before it is known what time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A point in time.
    At(Timestamp),
    /// So long before now.
    Before(SignedDuration),
}

impl Moment {
    /// The point in time, given what time it is.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Before(span) => now.checked_sub(span).unwrap_or(Timestamp::MIN),
        }
    }
}

/// Parses RFC 3339 with any offset, a date, or a span back from now.
///
/// # Errors
/// A text for the usage message.
pub fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Moment::At(time));
    }
    if let Ok(date) = text.parse::<Date>()
        && text.len() == 10
        && let Ok(time) = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0))
    {
        return Ok(Moment::At(time));
    }
    span(text).map(Moment::Before).map_err(|_| {
        "expected RFC 3339 (2026-03-01T00:00:00Z), a date (2026-03-01), or a span back from now (7d, 12h, 30m)".into()
    })
}

/// Parses a span of minutes, hours, days or weeks.
///
/// # Errors
/// A text for the usage message.
pub fn span(text: &str) -> Result<SignedDuration, String> {
    let expected = "expected a span such as 3h, 30m, 7d or 2w";
    let unit = text.chars().next_back().ok_or(expected)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(expected.into()),
    };
    let digits = &text[..text.len() - 1];
    let count: i64 = digits.parse().ok().filter(|n| (1..=100_000).contains(n)).ok_or(expected)?;
    Ok(SignedDuration::from_secs(count * seconds))
}

/// Parses a wait of seconds, minutes or hours; none is one too.
///
/// # Errors
/// A text for the usage message.
pub fn wait(text: &str) -> Result<Duration, String> {
    let expected = "expected a wait such as 90s, 2m or 1h";
    let unit = match text.chars().next_back().ok_or(expected)? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(expected.into()),
    };
    let count: u64 = text[..text.len() - 1].parse().ok().filter(|n| *n <= 100_000).ok_or(expected)?;
    Ok(Duration::from_secs(count * unit))
}

/// Parses the place that digests record: always a bucket.
///
/// # Errors
/// A text for the usage message.
pub fn recorded_place(text: &str) -> Result<ArchiveAddress, String> {
    match text.parse()? {
        ArchiveAddress::Directory(_) => Err("expected s3://BUCKET[/PREFIX]".into()),
        bucket => Ok(bucket),
    }
}

/// Parses a kind of log, by its folder or the folder's last part.
///
/// # Errors
/// A text for the usage message.
pub fn kind(text: &str) -> Result<LogKind, String> {
    let short = |kind: &LogKind| kind.folder().rsplit_once('-').map_or_else(|| kind.folder(), |(_, last)| last);
    LogKind::ALL
        .into_iter()
        .find(|kind| text.eq_ignore_ascii_case(short(kind)) || text.eq_ignore_ascii_case(kind.folder()))
        .ok_or_else(|| "expected CloudTrail, Insight, NetworkActivity or Aggregated".into())
}

/// Where an archive lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveAddress {
    /// A bucket, and what its keys start with.
    S3 {
        /// Bucket name.
        bucket: String,
        /// Empty or ends in `/`.
        prefix: String,
    },
    /// A directory that mirrors a bucket.
    Directory(PathBuf),
}

impl FromStr for ArchiveAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            if text.contains("://") {
                return Err("expected s3://BUCKET[/PREFIX] or a directory".into());
            }
            return Ok(Self::Directory(text.into()));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(allowed) {
            return Err(format!("{bucket:?} is not a bucket name"));
        }
        let separator = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Ok(Self::S3 { bucket: bucket.into(), prefix: format!("{prefix}{separator}") })
    }
}

impl TryFrom<OsString> for ArchiveAddress {
    type Error = String;

    /// A path need not be text; a bucket and its keys are.
    fn try_from(typed: OsString) -> Result<Self, String> {
        match typed.into_string() {
            Ok(text) => text.parse(),
            Err(path) if path.as_encoded_bytes().starts_with(b"s3://") => Err("a bucket's keys are UTF-8".into()),
            Err(path) => Ok(Self::Directory(path.into())),
        }
    }
}

impl ValueParserFactory for ArchiveAddress {
    type Parser = TryMapValueParser<OsStringValueParser, fn(OsString) -> Result<Self, String>>;

    fn value_parser() -> Self::Parser {
        OsStringValueParser::new().try_map(Self::try_from)
    }
}

impl std::fmt::Display for ArchiveAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Directory(path) => write!(f, "{}", path.display()),
        }
    }
}

/// An amount of memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory(pub usize);

/// Less than this cannot hold the largest ordinary log beside the table's buffers.
const LEAST: usize = 128 << 20;

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected a size such as 512MiB or 2GiB, at least 128MiB";
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let unit = match text[digits..].to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            _ => return Err(expected.into()),
        };
        let count: usize = text[..digits].parse().map_err(|_| expected)?;
        count.checked_mul(unit).filter(|bytes| *bytes >= LEAST).map(Self).ok_or_else(|| expected.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_understood_and_nonsense_is_not() {
        let at = |text: &str| Ok(Moment::At(text.parse().expect("time")));
        assert_eq!(moment("2026-03-01T00:30:00-08:00"), at("2026-03-01T08:30:00Z"));
        assert_eq!(moment("2026-03-01"), at("2026-03-01T00:00:00Z"));
        assert_eq!(moment("7d"), Ok(Moment::Before(SignedDuration::from_hours(168))));
        for text in ["", "yesterday", "7", "-7d", "2026-13-01", "2026-03-01T25:00:00Z", "7é"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn waits_are_short_or_none() {
        let seconds = |n| Ok(Duration::from_secs(n));
        assert_eq!((wait("0s"), wait("90s"), wait("2m")), (seconds(0), seconds(90), seconds(120)));
        for text in ["", "2", "-1s", "1d", "m", "é", "999999999h"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_buckets_or_directories() {
        let s3 = |bucket: &str, prefix: &str| Ok(ArchiveAddress::S3 { bucket: bucket.into(), prefix: prefix.into() });
        assert_eq!("s3://logs-bucket".parse(), s3("logs-bucket", ""));
        assert_eq!("s3://logs-bucket/a/b".parse(), s3("logs-bucket", "a/b/"));
        assert_eq!("./x".parse(), Ok(ArchiveAddress::Directory("./x".into())));
        assert!("gs://bucket".parse::<ArchiveAddress>().is_err());
        assert!("s3://".parse::<ArchiveAddress>().is_err());
    }

    #[test]
    fn memory_takes_units() {
        assert_eq!("512MiB".parse(), Ok(Memory(512 << 20)));
        assert_eq!("1gb".parse(), Ok(Memory(1_000_000_000)));
        assert!("12".parse::<Memory>().is_err());
        assert!("MiB".parse::<Memory>().is_err());
    }
}
