//! Logs that may wait for their digest, and those that only look as if they did.

use super::*;
use crate::support::{Answer, Archive, run};

/// The chain ends at 2026-01-03T05:01:31Z.
const SOON: &str = "2026-01-03T06:45:00Z";

/// The plain chain with a log that no digest names: the minute in its name, and the day of its folder.
fn with_log(minute: &str, folder: &str) -> Built {
    let mut built = Chain::new().build();
    let minute = minute.parse().unwrap();
    let key = Chain::new().log_key(minute, "ForgedForgedForg").replace(&crate::support::chain::day(minute), folder);
    built.objects.insert(key, (gzip(b"{\"Records\":[{\"eventID\":\"e-1\"}]}"), BTreeMap::new()));
    built
}

/// Exit code, findings, and how many logs wait.
fn told(built: &Built, args: &[&str]) -> (i32, Vec<String>, u64) {
    let answer = built.verify(args);
    (answer.code, ids(&answer.report), answer.report["logs"]["pending"].as_u64().unwrap())
}

fn waits(pending: u64) -> (i32, Vec<String>, u64) {
    (0, vec![], pending)
}

fn found(id: &str) -> (i32, Vec<String>, u64) {
    (3, vec![id.to_owned()], 0)
}

#[test]
fn a_new_log_waits_three_hours_for_its_digest_whatever_period_was_asked_for() {
    let built = with_log("2026-01-03T06:10:00Z", "2026/01/03");
    assert_eq!(told(&built, &["--as-of", SOON]), waits(1));
    assert_eq!(told(&built, &[&PERIOD[..], &["--as-of", SOON]].concat()), waits(1));
    assert_eq!(told(&built, &["--as-of", "2026-01-03T09:09:59Z"]), waits(1));
    assert_eq!(told(&built, &["--as-of", "2026-01-03T09:10:00Z"]), found("log-uncovered"));
    // A period in the past makes nothing new again.
    assert_eq!(told(&built, &PERIOD), found("log-uncovered"));
    let ends_then = ["--from", "2026-01-02T17:01:31Z", "--to", "2026-01-03T06:11:00Z"];
    assert_eq!(told(&built, &ends_then), found("log-uncovered"));
}

#[test]
fn nothing_waits_that_is_named_ahead_of_the_clock() {
    for folder in ["2099/01/01", "2026/01/02", "2026/01/03"] {
        let built = with_log("2099-01-01T00:00:00Z", folder);
        assert_eq!(told(&built, &[]), found("log-unlisted"), "{folder}");
        assert_eq!(told(&built, &["--as-of", SOON]), found("log-unlisted"), "{folder}");
        assert_eq!(
            told(&built, &["--from", "2026-01-02T17:00:00Z", "--as-of", SOON]),
            found("log-unlisted"),
            "{folder}"
        );
    }
    let ahead = with_log("2026-01-03T07:00:00Z", "2026/01/03");
    assert_eq!(told(&ahead, &["--as-of", "2026-01-03T06:45:00Z"]), waits(1));
    assert_eq!(told(&ahead, &["--as-of", "2026-01-03T06:44:59Z"]), found("log-unlisted"));
}

#[test]
fn nothing_waits_in_the_folder_of_another_day_but_across_midnight() {
    for (minute, folder, expected) in [
        ("2026-01-03T06:10:00Z", "2026/01/02", found("log-unlisted")),
        ("2026-01-03T06:10:00Z", "2026/01/04", found("log-unlisted")),
        ("2026-01-03T05:10:00Z", "2025/01/03", found("log-unlisted")),
        // Neither does it matter whether a digest covers the hour.
        ("2026-01-02T12:10:00Z", "2026/01/03", found("log-unlisted")),
        ("2026-01-02T20:10:00Z", "2026/01/03", found("log-unlisted")),
    ] {
        assert_eq!(told(&with_log(minute, folder), &["--as-of", SOON]), expected, "{minute} in {folder}");
    }
    // The chain ends at 23:01:31.
    let across = |minute: &str, folder: &str| {
        let chain = Chain { hours: 6, ..Chain::new() };
        let mut built = chain.build();
        let forged = with_log(minute, folder);
        built.objects.extend(forged.objects.into_iter().filter(|(key, _)| key.contains("Forged")));
        told(&built, &["--as-of", "2026-01-03T00:30:00Z"])
    };
    assert_eq!(across("2026-01-02T23:50:00Z", "2026/01/03"), waits(1));
    assert_eq!(across("2026-01-03T00:10:00Z", "2026/01/02"), waits(1));
    assert_eq!(across("2026-01-02T23:40:00Z", "2026/01/03"), found("log-unlisted"));
    assert_eq!(across("2026-01-03T00:20:00Z", "2026/01/02"), found("log-unlisted"));
}

/// The rows of a scan with one log that no digest names, by where they are: in `events`, in `quarantine`.
fn rows(minute: &str, folder: &str) -> (u64, u64) {
    let archive = Archive::new();
    let built = with_log(minute, folder);
    for (key, (body, metadata)) in &built.objects {
        archive.put(key, body, metadata);
    }
    archive.put_keys(&json!({ "PublicKeyList": built.public_keys }));
    let path = |name| archive.path(name).display().to_string();
    let mut args = vec!["scan".to_owned(), archive.bucket().display().to_string()];
    args.extend(["--public-keys".to_owned(), path("keys.json"), "--out".to_owned(), path("table")]);
    args.extend(["--as-of", SOON, "--format", "json"].map(str::to_owned));
    let Answer { report, .. } = run(&args);
    let number = |name: &str| report["records"][name].as_u64().unwrap();
    (number("written"), number("quarantined"))
}

#[test]
fn what_waits_is_in_events_and_what_only_looks_like_it_is_not() {
    assert_eq!(rows("2026-01-03T06:10:00Z", "2026/01/03"), (25, 0));
    assert_eq!(rows("2099-01-01T00:00:00Z", "2026/01/03"), (24, 1));
    assert_eq!(rows("2026-01-03T06:10:00Z", "2026/01/02"), (24, 1));
}

#[test]
fn the_report_says_what_time_it_was_and_who_said_so() {
    let built = Chain::new().build();
    let clock = built.verify(&["--as-of", SOON]).report["clock"].clone();
    assert_eq!((clock["now"].as_str(), clock["source"].as_str()), (Some(SOON), Some("as-of")));
    assert!(clock["local_offset_seconds"].is_i64(), "{clock}");
    let clock = built.verify(&[]).report["clock"].clone();
    assert_eq!((clock["source"].as_str(), clock["local_offset_seconds"].as_i64()), (Some("local"), Some(0)));
}
