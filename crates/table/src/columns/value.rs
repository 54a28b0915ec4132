//! Whether a column can hold a value so that the value can be had back exactly, and the value it then holds.

use std::borrow::Cow;

use jiff::Timestamp;

use super::schema::RESOURCE;
use crate::event::{Kind, each_member, unescape};

/// The text of a JSON string as spelled, quotes included; `None` for anything that is not Unicode text.
pub(super) fn text(kind: Kind, spelled: &str) -> Option<Cow<'_, str>> {
    match kind {
        Kind::Plain => Some(Cow::Borrowed(&spelled[1..spelled.len() - 1])),
        Kind::Escaped => {
            let mut text = String::with_capacity(spelled.len());
            unescape(&spelled[1..spelled.len() - 1], &mut text).then_some(Cow::Owned(text))
        }
        _ => None,
    }
}

/// A JSON truth value.
pub(super) fn flag(kind: Kind) -> Option<bool> {
    match kind {
        Kind::True => Some(true),
        Kind::False => Some(false),
        _ => None,
    }
}

/// A truth value that CloudTrail writes as a string.
pub(super) fn flag_text(spelled: &str) -> Option<bool> {
    match spelled {
        "\"true\"" => Some(true),
        "\"false\"" => Some(false),
        _ => None,
    }
}

/// A time in milliseconds since 1970, and whether it is spelled as CloudTrail spells times, so that the column alone
/// gives it back.
pub(super) fn time(kind: Kind, spelled: &str) -> Option<(i64, bool)> {
    if kind != Kind::Plain {
        return None;
    }
    let text = &spelled[1..spelled.len() - 1];
    if let Some(seconds) = canonical_seconds(text.as_bytes()) {
        return Some((seconds * 1000, true));
    }
    let time: Timestamp = text.parse().ok()?;
    Some((time.as_millisecond(), false))
}

/// Seconds since 1970 of `YYYY-MM-DDTHH:MM:SSZ`, from year 1 on.
fn canonical_seconds(text: &[u8]) -> Option<i64> {
    let punctuated = text.len() == 20
        && [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')].iter().all(|&(at, b)| text[at] == b);
    if !punctuated {
        return None;
    }
    let number = |at: usize, len: usize| {
        text[at..at + len].iter().try_fold(0_i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if year < 1 || !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The members of a resource, in the order of [`RESOURCE`].
pub(super) type Resource<'a> = [Option<Cow<'a, str>>; RESOURCE.len()];

/// Resources of one record that the column holds; more of them than AWS's limit of 1 MB an event has room for stand in
/// `extra_json`, where each takes no more memory than its text.
const MAX_RESOURCES: usize = 16_384;

/// The resources of a record, when the column can hold them exactly: objects with no other members than these, each a
/// string that is given at most once.
pub(super) fn resources(spelled: &str) -> Option<Vec<Resource<'_>>> {
    let mut resources: Vec<Resource<'_>> = Vec::new();
    let count = each_member(spelled, |number, key, kind, value| {
        let member = RESOURCE.iter().position(|member| member.key == key);
        let Some((member, text)) = member.zip(text(kind, value)).filter(|_| number < MAX_RESOURCES) else {
            return false;
        };
        if resources.len() <= number {
            resources.resize_with(number + 1, Default::default);
        }
        resources[number][member].replace(text).is_none()
    })?;
    if count > MAX_RESOURCES {
        return None;
    }
    resources.resize_with(count, Default::default);
    Some(resources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_times_agree_with_the_calendar_library() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-02-28T23:59:59Z",
            "2024-02-29T12:00:00Z",
            "0001-03-01T00:00:00Z",
            "9999-12-29T23:59:59Z",
        ] {
            let seconds = text.parse::<Timestamp>().expect("time").as_second();
            assert_eq!(canonical_seconds(text.as_bytes()), Some(seconds), "{text}");
        }
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-1-01T00:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01 00:00:00Z",
        ] {
            assert_eq!(canonical_seconds(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn other_spellings_of_a_time_are_read_but_not_canonical() {
        assert_eq!(time(Kind::Plain, "\"2026-01-02T03:04:05.678+01:00\""), Some((1_767_319_445_678, false)));
        assert_eq!(time(Kind::Plain, "\"yesterday\""), None);
        assert_eq!(time(Kind::Number, "5"), None);
    }

    #[test]
    fn more_resources_than_an_event_has_room_for_do_not_fit_the_column() {
        for (element, count, fits) in
            [("{}", MAX_RESOURCES, true), ("{}", MAX_RESOURCES + 1, false), (r#"{"ARN":""}"#, MAX_RESOURCES + 1, false)]
        {
            let list = format!("[{}]", vec![element; count].join(","));
            assert_eq!(resources(&list).map(|resources| resources.len()), fits.then_some(count), "{element} {count}");
        }
    }

    #[test]
    fn only_plain_resources_fit_the_column() {
        assert!(resources(r#"[{"ARN":"a","type":"t"},{"ARNPrefix":"p"}]"#).is_some());
        assert_eq!(
            resources(r#"[{"type":"\u0074"},{}]"#),
            Some(vec![[None, None, None, Some("t".into())], Resource::default()])
        );
        for odd in [
            r#"["arn"]"#,
            r#"[{"ARN":null}]"#,
            r#"[{"ARN":"a","ARN":"b"}]"#,
            r#"[{"arn":"a"}]"#,
            r#"[null]"#,
            r#"[["a","p","1","t"]]"#,
            "{}",
            "null",
        ] {
            assert!(resources(odd).is_none(), "{odd}");
        }
    }
}
