//! What was asked for and is not there: names, accounts and Regions, hours; and the addresses that leave something out.

use super::*;
use crate::support::Answer;
use crate::support::chain::{ACCOUNT, REGION};
use runs::Runs;

const OTHER: &str = "444455556666";

/// Two accounts under one trail, so many hours from 2026-01-02T17:01:31Z on.
fn two_accounts(hours: usize) -> Built {
    let mut built = Chain { hours, ..Chain::new() }.build();
    Chain { account: OTHER.into(), hours, ..Chain::new() }.build_into(&mut built);
    built
}

/// Exit code, ids, and the members of all findings.
fn told(built: &Built, args: &[&str]) -> (i32, Vec<String>, Vec<String>) {
    told_by(&built.verify(args))
}

fn told_by(answer: &Answer) -> (i32, Vec<String>, Vec<String>) {
    let findings = answer.report["findings"].as_array().unwrap_or_else(|| panic!("{}", answer.stderr));
    let members = findings.iter().flat_map(|finding| finding["members"].as_array().into_iter().flatten());
    let members = members.map(|member| member.as_str().unwrap().to_owned()).collect();
    (answer.code, ids(&answer.report), members)
}

fn found(ids: &[&str], members: &[&str]) -> (i32, Vec<String>, Vec<String>) {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    (if ids.is_empty() { 0 } else { 3 }, owned(ids), owned(members))
}

#[test]
fn a_name_of_which_nothing_is_there_is_told_beside_one_that_is_there() {
    let built = two_accounts(12);
    for (option, there, absent) in
        [("--trail", "main", "mian"), ("--account", OTHER, "999922223333"), ("--region", REGION, "eu-west-1")]
    {
        assert_eq!(told(&built, &[option, there]), found(&[], &[]), "{option}");
        assert_eq!(told(&built, &[option, there, option, absent]), found(&["asked-not-found"], &[]), "{option}");
        let alone = told(&built, &[option, absent]);
        assert_eq!(alone, found(&["asked-not-found", "nothing-to-verify"], &[]), "{option}");
    }
    let mut built = built;
    Chain { root: "AWSLogs/o-exampleorgid/".into(), trail: "org".into(), ..Chain::new() }.build_into(&mut built);
    assert_eq!(told(&built, &["--org", "o-exampleorgid"]), found(&[], &[]));
    let both = ["--org", "o-exampleorgid", "--org", "o-anotherorgid"];
    assert_eq!(told(&built, &both), found(&["asked-not-found"], &[]));
    let answer = built.verify(&both);
    assert_eq!(answer.report["findings"][0]["object"], "--org o-anotherorgid");
}

#[test]
fn junk_under_the_name_of_a_trail_does_not_make_it_one_that_is_there() {
    let mut built = two_accounts(12);
    let key = built.digests[5].replace("_main_", "_audit_");
    built.objects.insert(key, (gzip(b"{}"), BTreeMap::new()));
    let both = ["--trail", "main", "--trail", "audit"];
    assert_eq!(told(&built, &both), found(&["asked-not-found", "digest-planted"], &[]));
    assert_eq!(told(&built, &both[2..]).1, ["asked-not-found", "digest-planted", "nothing-to-verify"]);
}

/// The fourth of January, of chains that go on to the fifth.
const DAYS: [&str; 4] = ["--from", "2026-01-04T00:00:00Z", "--to", "2026-01-05T00:00:00Z"];

/// Sixty hours of two accounts, without what of the second lies in these days.
fn without(days: &[&str], part: &str) -> Built {
    let mut built = two_accounts(60);
    built.objects.retain(|key, _| !(key.contains(part) && days.iter().any(|day| key.contains(day))));
    built
}

#[test]
fn an_account_of_which_all_is_deleted_in_the_period_is_told_with_when_it_ended() {
    assert_eq!(told(&two_accounts(60), &DAYS), found(&[], &[]));
    let ended = |time: &str| format!("{OTHER}/us-east-1 trail main of us-east-1 ended {time}");
    let (third, second) = (ended("2026-01-03T23:01:31Z"), ended("2026-01-02T23:01:31Z"));
    // The day before the period is listed too; days before that are looked into where nothing else is there.
    let built = without(&["/2026/01/04/", "/2026/01/05/"], OTHER);
    assert_eq!(told(&built, &DAYS), found(&["chain-ended"], &[&third]));
    let built = without(&["/2026/01/03/", "/2026/01/04/", "/2026/01/05/"], OTHER);
    assert_eq!(told(&built, &DAYS), found(&["chain-ended"], &[&second]));
    let alone = [&DAYS[..], &["--account", OTHER]].concat();
    assert_eq!(told(&built, &alone), found(&["chain-ended", "nothing-to-verify"], &[&second]));
    // Neither does another account's folder under the same name of a trail stand for it, nor an object that only poses.
    let mut planted = without(&["/2026/01/03/", "/2026/01/04/", "/2026/01/05/"], OTHER);
    let key = planted.digests[30].replace(ACCOUNT, OTHER).replace("230131Z", "230831Z");
    planted.objects.insert(key, (gzip(b"{}"), BTreeMap::new()));
    assert_ne!(told(&planted, &DAYS).0, 0);
}

/// Two accounts, of which nothing of the second is left since the third of January.
fn without_the_second() -> Built {
    without(&["/2026/01/03/", "/2026/01/04/", "/2026/01/05/"], OTHER)
}

const SECOND_ENDED: &str = "444455556666/us-east-1 trail main of us-east-1 ended 2026-01-02T23:01:31Z";

#[test]
fn no_name_of_a_backfill_or_of_a_trail_that_was_not_asked_for_stands_for_an_account_that_is_gone() {
    let main = [&DAYS[..], &["--trail", "main"]].concat();
    let planted = |from: &str, to: &str, args: &[&str]| {
        let mut built = without_the_second();
        // The day before the period is listed and not read.
        let key = built.digests[20].replace(ACCOUNT, OTHER).replace(from, to);
        assert!(key.contains("/2026/01/03/"), "{key}");
        built.objects.insert(key, (gzip(b"{}"), BTreeMap::new()));
        told(&built, args)
    };
    assert_eq!(planted("Z.json.gz", "Z_backfill.json.gz", &DAYS), found(&["chain-ended"], &[SECOND_ENDED]));
    assert_eq!(planted("_main_", "_audit_", &main), found(&["chain-ended"], &[SECOND_ENDED]));
    let genuine = |chain: Chain, args: &[&str]| {
        let mut built = without_the_second();
        Chain { account: OTHER.into(), ..chain }.build_into(&mut built);
        told(&built, args)
    };
    let first_end = "2026-01-04T02:01:31Z".parse().unwrap();
    let backfill = Chain { backfill: true, first_end, hours: 20, ..Chain::new() };
    assert_eq!(genuine(backfill, &DAYS), found(&["chain-ended"], &[SECOND_ENDED]));
    let audit = || Chain { trail: "audit".into(), hours: 60, ..Chain::new() };
    assert_eq!(genuine(audit(), &main), found(&["chain-ended"], &[SECOND_ENDED]));
    // Where the trail never was, nothing of it is due.
    let mut built = Chain { hours: 60, ..Chain::new() }.build();
    Chain { account: OTHER.into(), ..audit() }.build_into(&mut built);
    Chain { account: "777788889999".into(), hours: 60, ..Chain::new() }.build_into(&mut built);
    assert_eq!(told(&built, &main), found(&[], &[]));
}

#[test]
fn a_copied_log_of_a_backfill_does_not_stand_for_an_account_that_is_gone() {
    let mut built = without_the_second();
    let first_end = "2026-01-04T02:01:31Z".parse().unwrap();
    Chain { account: OTHER.into(), backfill: true, first_end, hours: 20, ..Chain::new() }.build_into(&mut built);
    let log = built.logs.last().unwrap()[0].clone();
    let object = built.objects[&log].clone();
    built.objects.insert(log.replace("AbCdEf", "CopyCopy"), object);
    assert_eq!(told(&built, &DAYS), found(&["chain-ended", "log-copied"], &[SECOND_ENDED]));
}

#[test]
fn a_chain_that_moved_is_known_under_its_old_prefix_by_what_cloudtrail_signed() {
    let old = |key: &str| key.replacen("AWSLogs/", "old/AWSLogs/", 1);
    let moved = Chain {
        hours: 60,
        ..Chain::with(move |number, draft| {
            if number < 20 {
                draft.key = old(&draft.key);
                draft.logs.iter_mut().for_each(|(key, _)| *key = old(key));
            }
        })
    };
    let last = ["--from", "2026-01-05T00:00:00Z", "--to", "2026-01-05T05:00:00Z"];
    assert_eq!(told(&moved.build(), &last), found(&[], &[]));
    // A name alone does not stand for a trail under that prefix.
    let mut built = Chain { hours: 60, ..Chain::new() }.build();
    let audit = Chain { root: "old/AWSLogs/".into(), trail: "audit".into(), hours: 12, ..Chain::new() };
    audit.build_into(&mut built);
    let member = "111122223333/us-east-1 trail audit of us-east-1 ended 2026-01-03T05:01:31Z";
    assert_eq!(told(&built, &last), found(&["chain-ended"], &[member]));
    let key = old(&built.digests[40]);
    built.objects.insert(key, (gzip(b"{}"), BTreeMap::new()));
    let member = "111122223333/us-east-1 trail main of us-east-1 under old/AWSLogs/ ended 2026-01-04T10:01:31Z";
    assert_eq!(told(&built, &last), found(&["chain-ended"], &[member]));
}

#[test]
fn a_trail_that_ended_beside_one_that_goes_on_is_known_by_the_checkpoint() {
    let mut built = Chain { hours: 60, ..Chain::new() }.build();
    Chain { trail: "audit".into(), ..Chain::new() }.build_into(&mut built);
    let runs = Runs::after(&built);
    let member = "111122223333/us-east-1 trail audit of us-east-1 ended 2026-01-03T05:01:31Z";
    let later = ["--from", "2026-01-05T00:00:00Z", "--to", "2026-01-05T05:00:00Z"];
    assert_eq!(told(&built, &later), found(&[], &[]));
    assert_eq!(told_by(&runs.run(&built, &later)), found(&["chain-ended"], &[member]));
}

#[test]
fn an_end_is_found_page_by_page_or_the_folder_that_cannot_be_listed_is_told() {
    use crate::support::inprocess::{Memory, NoService, Setup, keys, report, runtime};

    let built = without_the_second();
    let day = format!("AWSLogs/{OTHER}/CloudTrail-Digest/us-east-1/2026/01/02/");
    let run = |not_listed: &[&str]| {
        let not_listed = not_listed.iter().map(|folder| (*folder).to_owned()).collect();
        let memory = Memory { page_size: 2, not_listed, ..Memory::of(&built) };
        let [from, to] = [DAYS[1], DAYS[3]].map(|time| time.parse().ok());
        let scope = trailproof_proof::archive::scope::Scope { from, to, ..Default::default() };
        let setup = Setup { scope, ..Setup::default() };
        let report = runtime().block_on(report(memory, BUCKET, &keys::<NoService>(&built.public_keys), setup));
        let told = report.findings.iter().map(|told| (told.id.as_str(), told.object.clone(), told.members.clone()));
        told.collect::<Vec<_>>()
    };
    assert_eq!(run(&[]), [("chain-ended", "the archive".to_owned(), vec![SECOND_ENDED.to_owned()])]);
    assert_eq!(run(&[&day]), [("listing-failed", day.clone(), vec![])]);
}

#[test]
fn what_lies_after_the_period_makes_no_account_new() {
    let mut built = two_accounts(60);
    let late = |first_end: &str| Chain {
        account: "777788889999".into(),
        first_end: first_end.parse().unwrap(),
        hours: 3,
        ..Chain::new()
    };
    late("2026-01-10T00:01:31Z").build_into(&mut built);
    let folder = "AWSLogs/777788889999/CloudTrail-Digest/us-east-1/";
    let member = format!("{folder} has no digest before 2026-01-10");
    for to in ["2026-01-04T12:00:00Z", "2026-01-05T00:00:00Z"] {
        assert_eq!(told(&built, &["--to", to]), found(&["chain-begins"], &[&member]), "{to}");
        let from = ["--from", "2026-01-03T00:00:00Z", "--to", to];
        assert_eq!(told(&built, &from), found(&["chain-begins"], &[&member]), "{to}");
    }
    // On the day on which the period ends.
    let mut same_day = two_accounts(60);
    late("2026-01-04T20:01:31Z").build_into(&mut same_day);
    let member = format!("{folder} has no digest before 2026-01-04");
    assert_eq!(told(&same_day, &["--to", "2026-01-04T12:00:00Z"]), found(&["chain-begins"], &[&member]));
    // Logs after the period, of which only the clock says that they are new.
    let mut logs = two_accounts(60);
    let log = late("2026-01-10T00:01:31Z").log_key("2026-01-05T04:00:00Z".parse().unwrap(), "NewNewNewNewNewN");
    logs.objects.insert(log, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
    let member = format!("{folder} has no digest, and its newest log is of 2026-01-05T04:00:00Z");
    for from in [&[][..], &["--from", "2026-01-03T00:00:00Z"]] {
        let to = [from, &["--to", "2026-01-05T00:00:00Z"]].concat();
        assert_eq!(told(&logs, &to), found(&["chain-ended"], &[&member]));
        assert_eq!(told(&logs, &[&to[..], &["--as-of", "2026-01-05T06:00:00Z"]].concat()), found(&[], &[]));
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_is_not_followed_takes_no_other_folder_out_of_what_is_judged() {
    let built = without_the_second();
    let archive = crate::support::Archive::new();
    for (key, (body, metadata)) in &built.objects {
        archive.put(key, body, metadata);
    }
    archive.put_keys(&json!({ "PublicKeyList": built.public_keys }));
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), archive.bucket().join("_elsewhere")).unwrap();
    let answer = archive.verify(&DAYS);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["chain-ended".into(), "link-not-followed".into()]));
}

#[test]
fn an_account_of_which_only_logs_of_other_days_are_left_is_told() {
    let folder = format!("AWSLogs/{OTHER}/CloudTrail-Digest/us-east-1/");
    let mut built = without(&["/2026/01/04/", "/2026/01/05/"], OTHER);
    built.objects.retain(|key, _| !key.starts_with(&folder));
    assert_eq!(
        told(&built, &DAYS),
        found(&["chain-ended"], &[&format!("{folder} has no digest, and its newest log is of 2026-01-03T23:49:00Z")])
    );
    // As good as gone: a log of the second day alone.
    let last: Vec<String> = built.objects.keys().filter(|key| key.contains(&format!("/{OTHER}/"))).cloned().collect();
    last[1..].iter().for_each(|key| built.remove(key));
    let member = format!("{folder} has no digest, and its newest log is of 2026-01-02T17:44:00Z");
    assert_eq!(told(&built, &DAYS), found(&["chain-ended"], &[&member]));
}

#[test]
fn a_region_and_a_root_that_end_are_told_each() {
    let ended = |chain: Chain| {
        let mut built = Chain { hours: 60, ..Chain::new() }.build();
        let part = format!("{}{}/CloudTrail", chain.root, chain.account);
        let region = chain.region.clone();
        Chain { hours: 60, ..chain }.build_into(&mut built);
        built.objects.retain(|key, _| {
            let late = ["/2026/01/03/", "/2026/01/04/", "/2026/01/05/"].iter().any(|day| key.contains(day));
            !(late && key.starts_with(&part) && key.contains(&format!("/{region}/")))
        });
        told(&built, &DAYS)
    };
    let member = "111122223333/eu-west-1 trail main of us-east-1 ended 2026-01-02T23:01:31Z";
    assert_eq!(ended(Chain { region: "eu-west-1".into(), ..Chain::new() }), found(&["chain-ended"], &[member]));
    let member = "o-exampleorgid/111122223333/us-east-1 trail org of us-east-1 ended 2026-01-02T23:01:31Z";
    let org = Chain { root: "AWSLogs/o-exampleorgid/".into(), trail: "org".into(), ..Chain::new() };
    assert_eq!(ended(org), found(&["chain-ended"], &[member]));
}

#[test]
fn hours_of_one_account_that_are_deleted_are_told_by_its_siblings() {
    let lacking = |hours: usize| {
        let mut built = two_accounts(12);
        for number in 24 - hours..24 {
            let keys = [vec![built.digests[number].clone()], built.logs[number].clone()].concat();
            keys.iter().for_each(|key| built.remove(key));
        }
        built
    };
    let member = "444455556666/us-east-1 trail main of us-east-1 ended 2026-01-03T01:01:31Z";
    for args in [
        &[][..],
        &["--as-of", "2026-01-03T06:30:00Z"],
        &["--from", "2026-01-02T17:01:31Z", "--as-of", "2026-01-03T06:30:00Z"],
        &PERIOD,
    ] {
        assert_eq!(told(&lacking(0), args), found(&[], &[]), "{args:?}");
        assert_eq!(told(&lacking(4), args), found(&["chain-behind"], &[member]), "{args:?}");
    }
    // Three hours may be on their way.
    assert_eq!(told(&lacking(3), &[]), found(&[], &[]));
}

#[test]
fn the_end_of_a_period_is_covered_to_the_second_where_the_chain_goes_on() {
    let lacking = |numbers: std::ops::Range<usize>| {
        let mut built = Chain { hours: 30, ..Chain::new() }.build();
        for number in numbers {
            let keys = [vec![built.digests[number].clone()], built.logs[number].clone()].concat();
            keys.iter().for_each(|key| built.remove(key));
        }
        built
    };
    let asked = ["--from", "2026-01-02T17:01:31Z", "--to", "2026-01-03T06:31:31Z"];
    assert_eq!(told(&lacking(0..0), &asked), found(&[], &[]));
    // All that would be read after 05:01:31; the chain goes on after that.
    assert_eq!(told(&lacking(12..15), &asked), found(&["period-not-covered"], &[]));
}

#[test]
fn a_start_alone_asks_up_to_the_clock() {
    let built = Chain::new().build();
    let from = ["--from", "2026-01-02T17:01:31Z", "--as-of"];
    let as_of = |time| told(&built, &[&from[..], &[time]].concat());
    assert_eq!(as_of("2026-01-03T08:01:31Z"), found(&[], &[]));
    assert_eq!(as_of("2026-01-03T08:01:32Z"), found(&["period-not-covered"], &[]));
    assert_eq!(told(&built, &from[..2]), found(&["period-not-covered"], &[]));
    // Days later the chain has ended before what is asked for.
    let member = "111122223333/us-east-1 trail main of us-east-1 ended 2026-01-03T05:01:31Z";
    let later = ["--from", "2026-01-08", "--as-of", "2026-01-09"];
    assert_eq!(told(&built, &later), found(&["chain-ended", "nothing-to-verify"], &[member]));
}

#[test]
fn a_chain_that_begins_in_the_period_is_told_once_for_all() {
    let mut built = two_accounts(40);
    for account in ["777788889999", "888899990000"] {
        let chain = Chain {
            account: account.into(),
            first_end: "2026-01-03T12:01:31Z".parse().unwrap(),
            hours: 22,
            ..Chain::new()
        };
        chain.build_into(&mut built);
    }
    let asked = ["--from", "2026-01-03T00:00:00Z", "--to", "2026-01-04T09:00:00Z"];
    let members = ["777788889999", "888899990000"]
        .map(|account| format!("{account}/us-east-1 trail main of us-east-1 begins 2026-01-03T11:01:31Z"));
    assert_eq!(told(&built, &asked), found(&["chain-begins"], &members.each_ref().map(String::as_str)));
    assert_eq!(told(&built, &[]), found(&[], &[]));
    // Its first digests deleted, it is no chain that begins.
    let first = built.digests[80].clone();
    built.remove(&first);
    assert_eq!(told(&built, &asked).1, ["chain-begins", "chain-start-missing", "log-uncovered", "period-not-covered"]);
}

#[test]
fn a_new_account_whose_first_digest_is_not_due_yet_is_no_finding() {
    let mut built = two_accounts(12);
    let new = Chain { account: "777788889999".into(), ..Chain::new() };
    let log = new.log_key("2026-01-03T05:40:00Z".parse().unwrap(), "NewNewNewNewNewN");
    built.objects.insert(log, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
    let asked = ["--from", "2026-01-03T01:00:00Z", "--as-of", "2026-01-03T06:30:00Z"];
    assert_eq!(told(&built, &asked), found(&[], &[]));
    assert_eq!(told(&built, &asked[2..]), found(&[], &[]));
    // An older log shows that it is not new.
    let old = new.log_key("2025-12-03T05:40:00Z".parse().unwrap(), "OldOldOldOldOldO");
    built.objects.insert(old, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
    let member = "AWSLogs/777788889999/CloudTrail-Digest/us-east-1/ has no digest, and its newest log is of 2026-01-03T05:40:00Z";
    assert_eq!(told(&built, &asked), found(&["chain-ended"], &[member]));
    assert_eq!(told(&built, &asked[2..]), found(&["log-uncovered"], &[]));
}

#[test]
fn an_address_that_leaves_out_the_folders_of_logs_is_not_verified() {
    let server = two_accounts(12).serve();
    let run = |prefix: &str| {
        let answer = server.run("verify", &format!("{BUCKET}/{prefix}"), &PERIOD);
        (answer.code, ids(&answer.report))
    };
    let clean = (0, Vec::<String>::new());
    let left_out = (3, vec!["logs-not-listed".to_owned()]);
    for prefix in ["", "AWSLogs", "AWSLogs/111122223333/"] {
        assert_eq!(run(prefix), clean, "{prefix}");
    }
    for below in ["", "/us-east-1"] {
        assert_eq!(run(&format!("AWSLogs/111122223333/CloudTrail-Digest{below}")), left_out, "{below}");
    }
    assert_eq!(run("AWSLogs/111122223333/CloudTrail").0, 3);
}

#[test]
fn an_organization_that_was_not_asked_for_is_not_judged_under_a_narrow_address() {
    let mut built = Built::default();
    Chain { root: "AWSLogs/o-exampleorgid/".into(), ..Chain::new() }.build_into(&mut built);
    let server = built.serve();
    let narrow = format!("{BUCKET}/AWSLogs/o-exampleorgid/111122223333/CloudTrail-Digest/us-east-1");
    let answer = server.run("verify", &narrow, &["--org", "o-anotherorgid"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(ids(&answer.report).contains(&"nothing-to-verify".to_owned()), "{:?}", ids(&answer.report));
}

#[test]
fn an_older_digest_behind_many_folders_without_any_makes_no_account_new() {
    let account = "777788889999";
    let folder = format!("AWSLogs/{account}/CloudTrail-Digest/us-east-1/");
    let chain = |first_end: &str| Chain {
        account: account.into(),
        first_end: first_end.parse().unwrap(),
        hours: 3,
        ..Chain::new()
    };
    let mut built = two_accounts(60);
    let log = chain("2026-01-10T00:01:31Z").log_key("2026-01-05T04:00:00Z".parse().unwrap(), "NewNewNewNewNewN");
    built.objects.insert(log, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
    let period = ["--from", "2026-01-03T00:00:00Z", "--to", "2026-01-05T00:00:00Z", "--as-of", "2026-01-05T06:00:00Z"];
    assert_eq!(told(&built, &period), found(&[], &[]), "it is new");
    chain("2025-10-01T01:01:31Z").build_into(&mut built);
    let member = format!("{account}/us-east-1 trail main of us-east-1 ended 2025-10-01T03:01:31Z");
    assert_eq!(told(&built, &period), found(&["chain-ended"], &[&member]));
    for day in 1..=28 {
        for month in ["10", "11", "12"] {
            built.objects.insert(format!("{folder}2025/{month}/{day:02}/_"), (vec![0], BTreeMap::new()));
        }
    }
    let member =
        format!("{folder} has no digest in its newest 64 folders, and its newest log is of 2026-01-05T04:00:00Z");
    assert_eq!(told(&built, &period), found(&["chain-ended"], &[&member]));
}

/// An organization trail that was made of a trail of one account goes on delivering into the account's own folder.
#[test]
fn logs_beside_an_organizations_folder_show_no_account_of_their_own() {
    let chain = Chain::with(|_, draft| {
        draft.logs.iter_mut().for_each(|(key, _)| *key = key.replacen("o-exampleorgid/", "", 1));
    });
    let mut built = Chain { root: "AWSLogs/o-exampleorgid/".into(), hours: 60, ..chain }.build();
    assert_eq!(told(&built, &DAYS), found(&[], &[]));
    // They stand for no chain that is gone: neither for their own nor for another trail's.
    assert_eq!(told(&built, &[&DAYS[..], &["--trail", "other"]].concat()).0, 3);
    built
        .objects
        .retain(|key, _| !(key.contains("Digest") && ["/01/04/", "/01/05/"].iter().any(|day| key.contains(day))));
    assert_eq!(told(&built, &DAYS).0, 3);
}
