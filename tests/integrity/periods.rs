//! What was asked for, and archives that were copied.

use super::*;

#[test]
fn periods_scopes_and_moves() {
    let with_args = |name, args: &[&'static str], code, findings: &[&'static str]| Case {
        args: args.to_vec(),
        ..case(name, Chain::new().build(), code, findings)
    };
    let moved = Chain { bucket: "where-it-was".into(), root: "old/AWSLogs/".into(), ..Chain::new() }.build();
    let mut copied = Built { public_keys: moved.public_keys.clone(), ..Built::default() };
    for (key, object) in &moved.objects {
        copied.objects.insert(key.replace("old/", ""), object.clone());
    }
    let mut unmapped = Built { public_keys: moved.public_keys, ..Built::default() };
    unmapped.objects.clone_from(&copied.objects);
    check(vec![
        with_args("no period", &[], 0, &[]),
        with_args(
            "outside the archive",
            &["--from", "2026-02-01", "--to", "2026-02-02"],
            3,
            &["chain-ended", "nothing-to-verify"],
        ),
        with_args(
            "ends long after the newest digest",
            &["--from", "2026-01-02T16:01:31Z", "--to", "2026-01-03T12:00:00Z"],
            3,
            &["period-not-covered"],
        ),
        with_args(
            "starts long before the first",
            &["--from", "2026-01-02T10:00:00Z", "--to", "2026-01-03T06:31:31Z"],
            3,
            &["chain-begins"],
        ),
        with_args("a part of it", &["--from", "2026-01-02T20:00:00Z", "--to", "2026-01-03T01:00:00Z"], 0, &[]),
        with_args(
            "ends where the first digest starts",
            &["--to", "2026-01-02T17:01:31Z"],
            3,
            &["chain-begins", "nothing-to-verify"],
        ),
        with_args("a stale head", &["--max-age", "3h"], 3, &["head-stale"]),
        with_args("another account", &["--account", "999922223333"], 3, &["asked-not-found", "nothing-to-verify"]),
        with_args("this trail", &["--trail", "main"], 0, &[]),
        Case { args: vec!["--moved-from", "s3://where-it-was/old"], ..case("moved, and said so", copied, 0, &[]) },
    ]);
    check(vec![Case { args: vec![], ..case("moved, and not said", unmapped, 3, &["archive-address"]) }]);
}

#[test]
fn of_a_copied_archive_both_places_are_told_and_what_to_say() {
    let shorter = Chain { root: "old/AWSLogs/".into(), ..Chain::new() }.build();
    let longer = Chain::new().build();
    let moved = |built: Built, from: &str, to: &str| {
        let mut copied = Built { public_keys: built.public_keys, ..Built::default() };
        copied.objects.extend(built.objects.into_iter().map(|(key, object)| (key.replacen(from, to, 1), object)));
        let answer = copied.verify(&[]);
        let findings = answer.report["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["id"] == "archive-address").unwrap().clone()
    };
    for (told, from, to, mends) in [
        (moved(shorter, "old/", ""), "old/", "", "with --moved-from s3://trail-bucket/old/"),
        (moved(longer, "", "new/"), "", "new/", "/bucket/new"),
    ] {
        assert_eq!(told["expected"], format!("s3://{BUCKET}/{from}"));
        assert_eq!(told["found"], format!("s3:///{to}"));
        assert!(told["hint"].as_str().unwrap().ends_with(mends), "{told}");
    }
}

#[test]
fn both_ends_of_the_period_are_held_to_two_hours() {
    // The chain covers 2026-01-02T17:01:31Z to 2026-01-03T05:01:31Z.
    let asked = |name, finding: &[&'static str], from: &'static str, to: &'static str| Case {
        args: vec!["--from", from, "--to", to],
        ..case(name, Chain::new().build(), if finding.is_empty() { 0 } else { 3 }, finding)
    };
    check(vec![
        asked("two hours at both ends", &[], "2026-01-02T15:01:31Z", "2026-01-03T07:01:31Z"),
        asked("a second more at the start", &["chain-begins"], "2026-01-02T15:01:30Z", "2026-01-03T07:01:31Z"),
        asked("a second more at the end", &["period-not-covered"], "2026-01-02T15:01:31Z", "2026-01-03T07:01:32Z"),
        asked("with offsets", &[], "2026-01-02T16:01:31+01:00", "2026-01-02T23:01:31-08:00"),
        asked("an hour inside", &[], "2026-01-02T20:10:00Z", "2026-01-02T20:20:00Z"),
        asked("before it", &["chain-begins", "nothing-to-verify"], "2025-12-01", "2025-12-02"),
        asked("after it", &["chain-ended", "nothing-to-verify"], "2026-02-01", "2026-02-02"),
    ]);
}

#[test]
fn nothing_at_all_is_no_pass() {
    check(vec![Case {
        args: vec![],
        ..case(
            "an empty archive",
            Built { public_keys: vec![KEY.listed()], ..Built::default() },
            3,
            &["nothing-to-verify"],
        )
    }]);
    let mut foreign = Built { public_keys: vec![KEY.listed()], ..Built::default() };
    foreign.objects.insert("readme.txt".into(), (b"hello".to_vec(), BTreeMap::new()));
    check(vec![Case { args: vec![], ..case("nothing of CloudTrail's", foreign, 3, &["nothing-to-verify"]) }]);
}

#[test]
fn a_period_the_wrong_way_round_is_a_usage_error() {
    let answer = Chain::new().build().verify(&["--from", "2026-01-03", "--to", "2026-01-02"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
}
