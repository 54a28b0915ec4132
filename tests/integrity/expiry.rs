//! What lifecycle rules take away, and what only looks as if they had.

use super::heads::{LATER, expire, hours, told};
use super::runs::{Runs, expected};
use super::*;

/// The plain chain of sixty hours, of which nothing up to the head of its first twelve is left but one log.
fn but_for(log: &str) -> Built {
    let mut built = hours(60);
    expire(&mut built, "20260103T0502");
    built.add_log(log, "StillThereStillT", b"{}");
    built
}

/// What a run tells of a head at 2026-01-03T05:01:31Z that is gone, and whether it still counts as one that goes on.
fn of_a_head(built: &Built, more: &[&str]) -> (i32, Vec<String>, bool) {
    let runs = Runs::after(&hours(12));
    let (code, found) = told(&runs.run(built, more));
    let about_it =
        |id: &String| ["head-expired", "head-went-back", "chain-vanished", "digest-unreadable"].contains(&id.as_str());
    let key = &hours(12).digests[11];
    let heads = runs.remembered()["heads"].as_array().unwrap().clone();
    let is_open = heads.iter().any(|head| head["key"] == **key && head["state"] != "expired");
    (code, found.into_iter().filter(about_it).collect(), is_open)
}

fn one(code: i32, id: &str, is_open: bool) -> (i32, Vec<String>, bool) {
    (code, vec![id.to_owned()], is_open)
}

#[test]
fn while_only_the_rest_of_its_own_day_is_left_a_head_may_be_expiring() {
    let unclear = one(3, "digest-unreadable", true);
    for more in [&[][..], &LATER] {
        assert_eq!(of_a_head(&but_for("2026-01-03T05:00:00Z"), more), unclear, "{more:?}");
        assert_eq!(of_a_head(&but_for("2026-01-03T00:01:00Z"), more), unclear, "{more:?}");
        // It may have been put there after midnight.
        assert_eq!(of_a_head(&but_for("2026-01-02T23:50:00Z"), more), unclear, "{more:?}");
        assert_eq!(of_a_head(&but_for("2026-01-02T23:49:00Z"), more), one(1, "head-went-back", true), "{more:?}");
    }
    // S3 takes away nothing before the second midnight after.
    let later = |now| ["--from", "2026-01-04T12:00:00Z", "--as-of", now];
    let built = but_for("2026-01-03T05:00:00Z");
    assert_eq!(of_a_head(&built, &later("2026-01-05T00:00:00Z")), unclear);
    assert_eq!(of_a_head(&built, &later("2026-01-04T23:59:59Z")), one(1, "head-went-back", true));
}

#[test]
fn what_may_have_come_after_midnight_says_nothing_of_a_head_of_the_evening_before() {
    let rest = |first_end: &str| {
        let mut built = hours(60);
        expire(&mut built, "20260103T0000");
        let other = Chain { account: "444455556666".into(), ..Chain::new() };
        Chain { first_end: first_end.parse().unwrap(), ..other }.build_into(&mut built);
        built.objects.retain(|key, _| !key.contains("_CloudTrail_us-east-1_20260102"));
        let runs = Runs::after(&hours(6));
        ["head-expired", "digest-unreadable"].map(|id| told(&runs.run(&built, &[])).1.contains(&id.to_owned()))
    };
    assert_eq!(rest("2026-01-02T22:30:00Z"), [true, false]);
    assert_eq!(rest("2026-01-02T21:30:00Z"), [false, true]);
}

#[test]
fn a_part_that_shows_nothing_newer_does_not_tell_whether_the_archive_goes_on() {
    let mut wiped = hours(12);
    wiped.objects.clear();
    assert_eq!(of_a_head(&wiped, &[]), one(1, "chain-vanished", true));
    for part in [
        ["--account", "111122223333"],
        ["--region", "us-east-1"],
        ["--trail", "main"],
        ["--to", "2026-01-03T06:00:00Z"],
    ] {
        assert_eq!(of_a_head(&wiped, &part), one(3, "digest-unreadable", true), "{part:?}");
    }
    let whole = ["--to", "2026-01-03T08:00:00Z", "--as-of", "2026-01-03T08:00:00Z"];
    assert_eq!(of_a_head(&wiped, &whole), one(1, "chain-vanished", true));
    // Nor does a digest that cannot be checked, or an older one.
    let last = hours(60).digests[59].clone();
    wiped.objects.insert(last.clone(), (hours(60).objects[&last].0.clone(), BTreeMap::new()));
    assert_eq!(of_a_head(&wiped, &[]), one(3, "digest-unreadable", true));
    let mut older = hours(12);
    older.objects.retain(|key, _| key.contains("/2026/01/03/") && !key.contains("20260103T0501"));
    assert_eq!(of_a_head(&older, &[]), one(1, "head-went-back", true));
}

#[test]
fn under_a_narrower_address_a_wiped_account_is_unclear() {
    let runs = Runs::new();
    assert_eq!(told(&runs.over_s3(&hours(12).serve(), BUCKET, &[])), expected(0, &[]));
    let other = Chain { account: "444455556666".into(), ..Chain::new() };
    let other = Chain { first_end: "2026-01-04T18:01:31Z".parse().unwrap(), ..other }.build().serve();
    let (code, found) = told(&runs.over_s3(&other, "trail-bucket/AWSLogs/111122223333/", &[]));
    assert_eq!((code, found.contains(&"digest-unreadable".to_owned()), runs.states("open")), (3, true, 1), "{found:?}");
    // The whole of it shows that the archive goes on.
    assert_eq!(told(&runs.over_s3(&other, BUCKET, &[])), expected(3, &["head-expired"]));
}

#[test]
fn what_is_left_of_an_organization_says_nothing_of_an_account_beside_it() {
    let beside = |mut built: Built| {
        let org = Chain { root: "AWSLogs/o-exampleorgid/".into(), account: "444455556666".into(), ..Chain::new() };
        Chain { hours: 60, ..org }.build_into(&mut built);
        built
    };
    let runs = Runs::after(&beside(hours(12)));
    let mut alone = hours(60);
    expire(&mut alone, "20260103T0502");
    assert_eq!(told(&runs.run(&beside(alone), &LATER)), expected(3, &["head-expired"]));
}

#[test]
fn digests_of_an_organization_before_the_period_are_none_of_an_account_beside_it() {
    let mut built = Chain { root: "AWSLogs/o-exampleorgid/".into(), ..Chain::new() }.build();
    let late = Chain { first_end: "2026-01-04T18:01:31Z".parse().unwrap(), ..Chain::new() };
    late.build_into(&mut built);
    let gone = [vec![built.digests[12].clone()], built.logs[12].clone()].concat();
    gone.iter().for_each(|key| built.remove(key));
    let answer = built.verify(&["--from", "2026-01-04T17:30:00Z", "--as-of", "2026-01-05T06:00:00Z"]);
    assert_eq!(told(&answer), expected(3, &["chain-ended", "chain-start-missing"]));
}

/// When something was put there: a digest twenty minutes after its end, a log five minutes after its name.
fn is_put_before(key: &str, day: &str) -> bool {
    let name = key.rsplit('/').next().unwrap();
    let written = name.split('_').find(|part| part.len() >= 14 && part.as_bytes()[8] == b'T').unwrap();
    let minute: jiff::civil::DateTime = format!("{}00", &written[..13]).parse().unwrap();
    let late = SignedDuration::from_mins(if key.contains("Digest") { 20 } else { 5 });
    (minute + late).date() < day.parse().unwrap()
}

#[test]
fn what_is_named_before_midnight_may_have_been_put_there_after_it_and_outlive_its_day() {
    let expired = |left: Option<&str>| {
        let mut built = Chain { first_end: "2026-01-02T18:50:00Z".parse().unwrap(), ..Chain::new() }.build();
        let other = Chain { account: "444455556666".into(), ..Chain::new() };
        let other = Chain { first_end: "2026-01-02T18:10:00Z".parse().unwrap(), ..other };
        other.build_into(&mut built);
        built.objects.retain(|key, _| !is_put_before(key, "2026-01-03") || left.is_some_and(|left| key.contains(left)));
        built
    };
    let kept = expired(None).objects;
    for outlives in ["20260102T235000Z", "20260102T2358Z"] {
        assert!(kept.keys().any(|key| key.contains(outlives)), "{outlives}");
    }
    for more in [&[][..], &["--from", "2026-01-02T23:00:00Z", "--as-of", "2026-01-03T07:00:00Z"]] {
        let run = |left| told(&expired(left).verify(more));
        assert_eq!(run(None), expected(3, &["chain-start-missing", "log-expired"]), "{more:?}");
        assert_eq!(run(Some("20260102T225000Z")), run(None), "two hours before midnight a digest may come after it");
        for left in ["20260102T215000Z", "20260102T2338Z"] {
            let (code, found) = run(Some(left));
            assert_eq!((code, found.contains(&"log-missing".to_owned())), (1, true), "{more:?} {left} {found:?}");
        }
    }
}

#[test]
fn under_a_narrower_address_what_lies_above_it_may_be_as_old_as_a_head_that_is_gone() {
    let mut built = Chain { account: "444455556666".into(), hours: 60, ..Chain::new() }.build();
    let mut own = hours(60);
    expire(&mut own, "20260103T0502");
    built.objects.extend(own.objects);
    let server = built.serve();
    for more in [&[][..], &LATER] {
        let runs = Runs::new();
        assert_eq!(told(&runs.over_s3(&hours(12).serve(), BUCKET, &[])), expected(0, &[]));
        let (code, found) = told(&runs.over_s3(&server, "trail-bucket/AWSLogs/111122223333/", more));
        assert_eq!((code, found.contains(&"digest-unreadable".to_owned())), (3, true), "{more:?} {found:?}");
        assert_eq!((found.contains(&"head-expired".to_owned()), runs.states("open")), (false, 1), "{more:?} {found:?}");
        // The whole of it shows that what is as old is there.
        let (code, found) = told(&runs.over_s3(&server, BUCKET, more));
        assert_eq!((code, found.contains(&"head-went-back".to_owned())), (1, true), "{more:?} {found:?}");
    }
}
