//! The grammar of object keys: which log file, digest or other object a key names.
//!
//! ```text
//! key  := root account "/" kind "/" region "/" YYYY "/" MM "/" DD "/" file
//! root := [ prefix "/" ] "AWSLogs/" [ org "/" ]
//! log  := account "_" kind "_" region "_" YYYYMMDD "T" HHMM "Z" unique ".json.gz"
//! digest := account "_CloudTrail-Digest_" region "_" trail "_" home "_" YYYYMMDD "T" HHMMSS "Z" [ "_backfill" ] ".json.gz"
//! ```
//!
//! The `AWSLogs/` element is the one nearest the right-hand end that a folder of CloudTrail's follows ([`super::folder`]),
//! because Control Tower puts the organization id in front of the whole (`o-x/AWSLogs/o-x/…`). Digest names are parsed
//! from both ends: a trail name may itself contain `_` and pieces that look like Regions.
//!
//! Invariant: a parsed name renders to exactly the key it was parsed from; a key that would not is not parsed.
//! Spec: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html>

use std::fmt;

use compact_str::CompactString;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::folder::{self, Holds, Step, Within};
use super::ids::{AccountId, OrgId, Region};

/// What a log file holds, by the folder that CloudTrail puts it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum LogKind {
    /// Management and data events.
    CloudTrail,
    /// Insights events.
    #[serde(rename = "CloudTrail-Insight")]
    Insight,
    /// Network activity events of VPC endpoints.
    #[serde(rename = "CloudTrail-NetworkActivity")]
    NetworkActivity,
    /// Five-minute summaries of data events.
    #[serde(rename = "CloudTrail-Aggregated")]
    Aggregated,
}

/// The folder that holds digests.
pub const DIGEST_FOLDER: &str = "CloudTrail-Digest";

const LOG_SUFFIX: &str = ".json.gz";
const BACKFILL: &str = "_backfill";

impl LogKind {
    /// Every kind, in the order that reports use.
    pub const ALL: [Self; 4] = [Self::CloudTrail, Self::Insight, Self::NetworkActivity, Self::Aggregated];

    /// The folder name, which file names repeat.
    pub fn folder(self) -> &'static str {
        match self {
            Self::CloudTrail => "CloudTrail",
            Self::Insight => "CloudTrail-Insight",
            Self::NetworkActivity => "CloudTrail-NetworkActivity",
            Self::Aggregated => "CloudTrail-Aggregated",
        }
    }

    pub(super) fn from_folder(folder: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folder() == folder)
    }
}

impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.folder())
    }
}

/// The account and Region that a folder belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct AccountRegion {
    /// The account whose events these are (the folder's; records carry their own).
    pub account: AccountId,
    /// The Region whose events these are.
    pub region: Region,
}

impl fmt::Display for AccountRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

/// The name of one log file within its account and Region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogName {
    /// Date folder.
    pub day: Date,
    /// The minute in the file name: about when the file was delivered, not when its events happened.
    pub minute: Timestamp,
    /// What the log holds.
    pub kind: LogKind,
    /// Everything between the `Z` of the time and `.json.gz`.
    pub unique: CompactString,
}

/// The name of one digest within its account and Region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DigestName {
    /// Trail name.
    pub trail: CompactString,
    /// Region in which the trail was created.
    pub home: Region,
    /// Whether CloudTrail made it later, for logs that the regular digest left out.
    pub backfill: bool,
    /// The end of the time the digest covers.
    pub end: Timestamp,
    /// Date folder.
    pub day: Date,
}

/// What a key names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectName {
    /// A log file.
    Log(AccountRegion, LogName),
    /// A digest.
    Digest(AccountRegion, DigestName),
    /// An object in a CloudTrail folder whose name CloudTrail would not give it.
    Misnamed {
        /// Whose folder it lies in.
        account: AccountId,
        /// The Region whose folder it lies in, however that is written; absent where it lies in none.
        region: Option<Region>,
        /// What that folder holds.
        holds: Holds,
        /// The folder of a day that it lies in.
        day: Option<Date>,
    },
    /// Not CloudTrail's.
    Foreign,
}

/// The root of an organization's folders, or of a single account's, in a bucket without prefix.
pub fn root(org: Option<&OrgId>) -> String {
    org.map_or_else(|| "AWSLogs/".to_owned(), |org| format!("AWSLogs/{org}/"))
}

/// A key, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedKey<'a> {
    /// Everything before the account: `AWSLogs/`, `audit/AWSLogs/o-exampleorgid/`; empty when nothing of CloudTrail's.
    pub root: &'a str,
    /// The organization that the root is of.
    pub org: Option<OrgId>,
    /// What is named below it.
    pub name: ObjectName,
    /// The folder of CloudTrail's that the whole of this root lies in.
    pub outer: Option<Within<'a>>,
}

/// The day of a time, as CloudTrail writes days: in UTC.
pub fn day_of(time: Timestamp) -> Date {
    Offset::UTC.to_datetime(time).date()
}

/// Takes a key apart.
pub fn parse(key: &str) -> ParsedKey<'_> {
    let located = folder::locate(key);
    let (within, outer) = match (located.step, located.outer) {
        (Step::Within(within), outer) => (within, outer),
        (_, Some(outer)) => (outer, None),
        (_, None) => return ParsedKey { root: "", org: None, name: ObjectName::Foreign, outer: None },
    };
    let name = name_in(&within).unwrap_or_else(|| misnamed(&within));
    ParsedKey { root: within.root, org: within.org, name, outer }
}

/// Whether the last part of a path looks like the name of a log or digest, wherever it lies.
pub fn is_named_like_cloudtrails(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.split_once('_')
        .is_some_and(|(account, rest)| account.parse::<AccountId>().is_ok() && rest.starts_with("CloudTrail"))
}

/// What a key names below its folder, if it is what CloudTrail would put there.
fn name_in(within: &Within<'_>) -> Option<ObjectName> {
    let (region, rest) = within.region()?;
    let place = AccountRegion { account: within.account, region };
    let (day, file) = parse_dated(rest)?;
    let named = match within.holds {
        Holds::Logs(kind) => parse_log(&place, kind, day, file),
        Holds::Digests => parse_digest(&place, day, file),
        Holds::OtherLogs => None,
    };
    Some(match named? {
        Named::Log(name) => ObjectName::Log(place, name),
        Named::Digest(name) => ObjectName::Digest(place, name),
    })
}

/// What a key in a folder of CloudTrail's says that names nothing of CloudTrail's.
pub(super) fn misnamed(within: &Within<'_>) -> ObjectName {
    let region = within.region_in_any_case();
    let day = within.rest.split_once('/').and_then(|(_, rest)| parse_day_folders(rest.get(..11)?));
    ObjectName::Misnamed { account: within.account, region, holds: within.holds, day }
}

enum Named {
    Log(LogName),
    Digest(DigestName),
}

fn parse_dated(rest: &str) -> Option<(Date, &str)> {
    let day = parse_day_folders(rest.get(..11)?)?;
    let file = &rest[11..];
    (!file.is_empty() && !file.contains('/')).then_some((day, file))
}

/// `YYYY/MM/DD/` to a date.
fn parse_day_folders(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let slashes = bytes.len() == 11 && bytes[4] == b'/' && bytes[7] == b'/' && bytes[10] == b'/';
    if !slashes {
        return None;
    }
    date(digits(&bytes[0..4])?, digits(&bytes[5..7])?, digits(&bytes[8..10])?)
}

fn parse_log(place: &AccountRegion, kind: LogKind, day: Date, file: &str) -> Option<Named> {
    let rest = strip_field(file, place.account.as_str())?;
    let rest = strip_field(rest, kind.folder())?;
    let rest = strip_field(rest, place.region.as_str())?;
    let stem = rest.strip_suffix(LOG_SUFFIX)?;
    let (time, unique) = (stem.get(..14)?, &stem[14..]);
    let bytes = time.as_bytes();
    if bytes[13] != b'Z' {
        return None;
    }
    let minute = timestamp(&bytes[..13])?;
    let plain = !unique.is_empty()
        && unique.len() <= 64
        && unique.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    plain.then(|| Named::Log(LogName { day, minute, kind, unique: unique.into() }))
}

fn parse_digest(place: &AccountRegion, day: Date, file: &str) -> Option<Named> {
    let rest = strip_field(file, place.account.as_str())?;
    let rest = strip_field(rest, DIGEST_FOLDER)?;
    let rest = strip_field(rest, place.region.as_str())?;
    let stem = rest.strip_suffix(LOG_SUFFIX)?;
    let (stem, backfill) = match stem.strip_suffix(BACKFILL) {
        Some(stem) => (stem, true),
        None => (stem, false),
    };
    let (rest, time) = stem.rsplit_once('_')?;
    let (trail, home) = rest.rsplit_once('_')?;
    let time = time.strip_suffix('Z').filter(|t| t.len() == 15)?;
    let end = timestamp(time.as_bytes())?;
    let trail_ok = !trail.is_empty()
        && trail.len() <= 128
        && trail.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if !trail_ok {
        return None;
    }
    Some(Named::Digest(DigestName { trail: trail.into(), home: home.parse().ok()?, backfill, end, day }))
}

fn strip_field<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    text.strip_prefix(field)?.strip_prefix('_')
}

/// `YYYYMMDDTHHMM` or `YYYYMMDDTHHMMSS` to a time.
fn timestamp(text: &[u8]) -> Option<Timestamp> {
    if text[8] != b'T' {
        return None;
    }
    let day = date(digits(&text[0..4])?, digits(&text[4..6])?, digits(&text[6..8])?)?;
    let second = if text.len() == 15 { digits(&text[13..15])? } else { 0 };
    let time = Time::new(
        i8::try_from(digits(&text[9..11])?).ok()?,
        i8::try_from(digits(&text[11..13])?).ok()?,
        second as i8,
        0,
    )
    .ok()?;
    if second > 59 {
        return None;
    }
    Offset::UTC.to_timestamp(DateTime::from_parts(day, time)).ok()
}

fn date(year: i16, month: i16, day: i16) -> Option<Date> {
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn digits(text: &[u8]) -> Option<i16> {
    text.iter().try_fold(0_i16, |value, b| b.is_ascii_digit().then(|| value * 10 + i16::from(b - b'0')))
}

/// Writes a key up to what its file name says besides account, kind and Region.
fn write_folder(key: &mut String, root: &str, place: &AccountRegion, folder: &str, day: Date) {
    let (account, region) = (place.account.as_str(), place.region.as_str());
    for part in [root, account, "/", folder, "/", region, "/"] {
        key.push_str(part);
    }
    push_numbers(key, [(day.year(), 4), (day.month().into(), 2), (day.day().into(), 2)], "/");
    for part in ["/", account, "_", folder, "_", region, "_"] {
        key.push_str(part);
    }
}

/// Writes numbers, each with so many digits, with `between` between them. Keys are written several times for each of
/// millions of logs, so this does without the formatter.
fn push_numbers<const N: usize>(key: &mut String, numbers: [(i16, u32); N], between: &str) {
    for (at, (number, digits)) in numbers.into_iter().enumerate() {
        if at > 0 {
            key.push_str(between);
        }
        for digit in (0..digits).rev() {
            key.push(char::from(b'0' + (number / 10_i16.pow(digit) % 10) as u8));
        }
    }
}

impl LogName {
    /// Whether it lies in the folder of the day in its name.
    pub fn is_in_its_day(&self) -> bool {
        day_of(self.minute) == self.day
    }

    /// The object key of this log.
    pub fn key(&self, root: &str, place: &AccountRegion) -> String {
        let mut key = String::with_capacity(root.len() + 190);
        write_folder(&mut key, root, place, self.kind.folder(), self.day);
        push_minute(&mut key, Offset::UTC.to_datetime(self.minute));
        key.push('Z');
        key.push_str(&self.unique);
        key.push_str(LOG_SUFFIX);
        key
    }
}

impl DigestName {
    /// Whether it lies in the folder of the day in its name.
    pub fn is_in_its_day(&self) -> bool {
        day_of(self.end) == self.day
    }

    /// The object key of this digest.
    pub fn key(&self, root: &str, place: &AccountRegion) -> String {
        let mut key = String::with_capacity(root.len() + 220);
        write_folder(&mut key, root, place, DIGEST_FOLDER, self.day);
        for part in [self.trail.as_str(), "_", self.home.as_str(), "_"] {
            key.push_str(part);
        }
        let end = Offset::UTC.to_datetime(self.end);
        push_minute(&mut key, end);
        push_numbers(&mut key, [(end.second().into(), 2)], "");
        key.push('Z');
        if self.backfill {
            key.push_str(BACKFILL);
        }
        key.push_str(LOG_SUFFIX);
        key
    }
}

/// `YYYYMMDDTHHMM`.
fn push_minute(key: &mut String, time: DateTime) {
    push_numbers(key, [(time.year(), 4), (time.month().into(), 2), (time.day().into(), 2)], "");
    key.push('T');
    push_numbers(key, [(time.hour().into(), 2), (time.minute().into(), 2)], "");
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "AWSLogs/111122223333/CloudTrail/us-east-2/2026/01/02/111122223333_CloudTrail_us-east-2_20260102T0305Z_AbCdEfGhIjKlMnOp.json.gz";
    const DIGEST: &str = "AWSLogs/o-exampleorgid/444455556666/CloudTrail-Digest/eu-west-1/2026/01/02/444455556666_CloudTrail-Digest_eu-west-1_us-east-1_my_us-west-2_trail_us-east-2_20260102T040131Z_backfill.json.gz";

    fn rendered(key: &str) -> Option<String> {
        let parsed = parse(key);
        match parsed.name {
            ObjectName::Log(place, name) => Some(name.key(parsed.root, &place)),
            ObjectName::Digest(place, name) => Some(name.key(parsed.root, &place)),
            ObjectName::Misnamed { .. } | ObjectName::Foreign => None,
        }
    }

    #[test]
    fn parsed_names_render_to_the_same_key() {
        for key in [
            LOG.to_owned(),
            DIGEST.to_owned(),
            format!("audit/ct/{LOG}"),
            format!("o-exampleorgid/{DIGEST}"),
            format!("AWSLogs/{LOG}"),
            LOG.replace("Z_AbCd", "ZAbCd"),
            LOG.replace("CloudTrail/", "CloudTrail-Insight/").replace("_CloudTrail_", "_CloudTrail-Insight_"),
        ] {
            assert_eq!(rendered(&key).as_deref(), Some(key.as_str()));
        }
    }

    #[test]
    fn trail_names_may_look_like_regions() {
        let ObjectName::Digest(_, name) = parse(DIGEST).name else { panic!("not a digest") };
        assert_eq!(
            (name.trail.as_str(), name.home.as_str(), name.backfill),
            ("us-east-1_my_us-west-2_trail", "us-east-2", true)
        );
    }

    #[test]
    fn control_tower_prefix_is_part_of_the_root() {
        let key = format!("o-exampleorgid/{DIGEST}");
        let parsed = parse(&key);
        assert_eq!(
            (parsed.root, parsed.org.map(|org| org.to_string())),
            ("o-exampleorgid/AWSLogs/o-exampleorgid/", Some("o-exampleorgid".into()))
        );
    }

    #[test]
    fn impossible_dates_are_misnamed_not_parsed() {
        for key in [
            LOG.replace("2026/01/02", "2026/13/02"),
            LOG.replace("T0305Z", "T2505Z"),
            LOG.replace("20260102T", "20261302T"),
            DIGEST.replace("T040131Z", "T040161Z"),
            LOG.replace("111122223333_", "111122223334_"),
            LOG.replace(".json.gz", ".json"),
        ] {
            assert!(matches!(parse(&key).name, ObjectName::Misnamed { .. }), "{key}: {:?}", parse(&key));
        }
    }

    #[test]
    fn whatever_lies_below_a_folder_of_cloudtrails_is_in_it() {
        for (below, region, day) in [
            ("CloudTrail/evil.json.gz", None, None),
            ("CloudTrail/", None, None),
            ("CloudTrail/US-EAST-1/2026/01/02/x.json.gz", Some("us-east-1"), Some(Date::constant(2026, 1, 2))),
            ("CloudTrail/us-east-1/2026/01/02/evil/", Some("us-east-1"), Some(Date::constant(2026, 1, 2))),
            ("CloudTrail/us-east-1/2026/13/02/x", Some("us-east-1"), None),
            ("CloudTrail-Unheard-Of/us-east-1/x", Some("us-east-1"), None),
        ] {
            let key = format!("AWSLogs/111122223333/{below}");
            let ObjectName::Misnamed { region: its_region, day: its_day, .. } = parse(&key).name else {
                panic!("{key}: {:?}", parse(&key));
            };
            assert_eq!((its_region.as_ref().map(Region::as_str), its_day), (region, day), "{key}");
        }
    }

    #[test]
    fn other_services_are_foreign() {
        for key in [
            "AWSLogs/111122223333/Config/us-east-1/2026/1/2/x.json.gz",
            "readme.txt",
            "AWSLogs/x",
            "",
            "ÄWSLogs/AWSLogs/ü/CloudTrail/",
        ] {
            assert!(matches!(parse(key).name, ObjectName::Foreign), "{key}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_key_panics_and_every_parsed_key_round_trips(key in "(AWSLogs/)?[o0-9A-Za-z_/.Z-]{0,40}\\PC{0,10}(/CloudTrail/us-east-1/2026/01/02/)?\\PC{0,60}") {
            if let Some(again) = rendered(&key) {
                proptest::prop_assert_eq!(again, key);
            }
        }

        #[test]
        fn every_log_name_round_trips(seconds in 0_i64..4_000_000_000, unique in "_?[A-Za-z0-9]{1,16}", kind in 0_usize..4) {
            let minute = Timestamp::from_second(seconds / 60 * 60).expect("in range");
            let place = AccountRegion { account: "000011112222".parse().expect("account"), region: "us-gov-west-1".parse().expect("Region") };
            let name = LogName { day: Date::constant(2026, 2, 28), minute, kind: LogKind::ALL[kind], unique: unique.into() };
            let key = name.key("p/q/AWSLogs/", &place);
            let expected = ParsedKey { root: "p/q/AWSLogs/", org: None, name: ObjectName::Log(place, name), outer: None };
            proptest::prop_assert_eq!(parse(&key), expected);
        }
    }
}
