//! What a checkpoint remembers, against one who may write to the bucket and knows the checkpoint, and for an operator
//! whose chains begin anew, end and expire, and who asks for parts.

use std::fs;

use super::runs::{Runs, expected};
use super::*;
use support::s3::Fault;
use support::{Answer, Archive};

/// A day after the first chain of an archive ended, and before its last digest.
const LATE: [&str; 4] = ["--from", "2026-01-04T00:00:00Z", "--as-of", "2026-01-04T18:00:00Z"];

/// The last day of a chain of sixty hours.
pub(super) const LATER: [&str; 4] = ["--from", "2026-01-04T12:00:00Z", "--as-of", "2026-01-05T06:00:00Z"];

/// The night after a chain of twelve hours, before a lifecycle rule can be at its first day.
const NIGHT: [&str; 2] = ["--as-of", "2026-01-03T06:00:00Z"];

/// The exit code, and the ids of all but warnings.
pub(super) fn told(answer: &Answer) -> (i32, Vec<String>) {
    let findings = answer.report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let counting = findings.iter().filter(|finding| finding["severity"] != "warning");
    let mut ids: Vec<String> = counting.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    (answer.code, ids)
}

/// The plain chain with so many hours.
pub(super) fn hours(hours: usize) -> Built {
    Chain { hours, ..Chain::new() }.build()
}

/// A trail that ended after twelve hours, and one that went on for 48.
fn with_an_ended_trail() -> Built {
    let mut built = Chain { trail: "other".into(), ..Chain::new() }.build();
    Chain { hours: 48, ..Chain::new() }.build_into(&mut built);
    built
}

/// A chain that begins anew with its seventh digest, an hour after the sixth.
fn restarted() -> Built {
    Chain::with(|number, draft| {
        if number == 6 {
            draft.previous = None;
            draft.start += SignedDuration::from_mins(30);
        }
    })
    .build()
}

/// Without these hours' digests and logs.
fn cut(built: &mut Built, hours: std::ops::Range<usize>) {
    for number in hours {
        let keys = [vec![built.digests[number].clone()], built.logs[number].clone()].concat();
        keys.iter().for_each(|key| built.remove(key));
    }
}

/// Without anything that is dated in the first hours.
pub(super) fn expire(built: &mut Built, before: &str) {
    built.objects.retain(|key, _| {
        let time = key.rsplit_once("_2026").map_or("", |(_, rest)| rest);
        time.is_empty() || format!("2026{time}").as_str() >= before
    });
}

#[test]
fn a_deleted_tail_is_told_whatever_lies_at_the_heads_key() {
    let plain = hours(12);
    let head = plain.digests[11].clone();
    let genuine = plain.objects[&plain.digests[8]].clone();
    let own = plain.objects[&head].clone();
    let bare = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, object, ids) in [
        ("an empty document", (gzip(b"{}"), bare.clone()), &["head-went-back"][..]),
        ("an empty object", (Vec::new(), bare.clone()), &["head-went-back"]),
        ("no gzip at all", (b"lost".to_vec(), bare.clone()), &["head-went-back"]),
        ("another digest of the chain", genuine.clone(), &["head-went-back"]),
        ("another without its signature", (genuine.0.clone(), bare.clone()), &["head-went-back"]),
        ("half of it", (own.0[..own.0.len() / 2].to_vec(), own.1.clone()), &["head-went-back"]),
        ("a digest's look", (gzip(&support::chain::gunzip(&own.0).repeat(2)), own.1.clone()), &["head-went-back"]),
    ] {
        let mut built = hours(12);
        cut(&mut built, 7..12);
        built.objects.insert(head.clone(), object);
        let found = told(&Runs::after(&plain).run(&built, &[]));
        if found != expected(1, ids) {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_head_in_place_is_told_as_what_it_is_and_once() {
    let runs = Runs::after(&hours(12));
    let mut unsigned = hours(12);
    let head = unsigned.digests[11].clone();
    unsigned.rewrite(&head, |content| String::from_utf8(content).unwrap().replace("lg0011", "lg0009").into_bytes());
    assert_eq!(told(&runs.run(&unsigned, &[])).0, 1);
    let altered = told(&runs.run(&unsigned, &[]));
    assert_eq!(altered.0, 1);
    assert!(altered.1.contains(&"digest-altered".to_owned()) && !altered.1.contains(&"head-went-back".to_owned()));
    let mut followed = hours(12);
    followed.body(&head).extend(gzip(b"more"));
    assert_eq!(told(&runs.run(&followed, &[])), expected(1, &["digest-trailing-data"]));
    let mut recompressed = hours(12);
    recompressed.rewrite(&head, |content| content);
    recompressed.metadata(&head).clear();
    assert_eq!(told(&runs.run(&recompressed, &[])), expected(0, &[]), "its signature is not needed again");
}

#[test]
fn a_chain_is_there_only_if_a_verified_digest_of_it_is() {
    let built = || {
        let mut built = hours(12);
        Chain { trail: "other".into(), ..Chain::new() }.build_into(&mut built);
        built
    };
    let runs = Runs::after(&built());
    for (name, body) in [("nothing", None), ("junk", Some(gzip(b"{}"))), ("emptiness", Some(Vec::new()))] {
        let mut gone = built();
        let head = gone.digests[23].clone();
        gone.objects.retain(|key, _| !key.contains("_other_") && !key.contains("_ot0"));
        if let Some(body) = body {
            gone.objects.insert(head.clone(), (body, BTreeMap::new()));
        }
        let answer = runs.run(&gone, &[]);
        assert_eq!(told(&answer), expected(1, &["chain-vanished"]), "{name} is left of it");
        let finding =
            answer.report["findings"].as_array().unwrap().iter().find(|f| f["id"] == "chain-vanished").unwrap();
        assert_eq!(finding["object"], head);
    }
    // Each chain that is gone is one finding, however many parts it had.
    let mut parts = restarted();
    let several = Runs::after(&parts);
    assert_eq!(several.remembered()["heads"].as_array().unwrap().len(), 2);
    parts.objects.retain(|key, _| !key.contains("Digest"));
    let answer = several.run(&parts, &NIGHT);
    assert_eq!(answer.code, 1);
    assert_eq!(ids(&answer.report).iter().filter(|id| *id == "chain-vanished").count(), 1);
    assert!(!ids(&answer.report).contains(&"head-went-back".to_owned()));
}

#[test]
fn after_a_restart_the_end_of_the_older_part_is_remembered_too() {
    let runs = Runs::after(&restarted());
    assert_eq!((runs.states("ended"), runs.states("open")), (1, 1));
    assert_eq!(told(&runs.run(&restarted(), &[])), expected(3, &["chain-restart"]));
    let mut cut_short = restarted();
    cut(&mut cut_short, 4..6);
    assert_eq!(told(&runs.run(&cut_short, &NIGHT)), expected(1, &["chain-restart", "head-went-back"]));
    assert_eq!(told(&runs.run(&cut_short, &NIGHT)).0, 1, "it is remembered beyond a run that lacked it");
    assert_eq!(told(&runs.run(&restarted(), &[])), expected(3, &["chain-restart"]));
}

#[test]
fn backfill_digests_are_remembered_too() {
    let built = || {
        let mut built = hours(12);
        let backfill = Chain::with(|_, draft| draft.previous = None);
        Chain { backfill: true, hours: 3, ..backfill }.build_into(&mut built);
        built
    };
    let runs = Runs::after(&built());
    assert_eq!(runs.remembered()["heads"].as_array().unwrap().len(), 4);
    assert_eq!(told(&runs.run(&built(), &[])), expected(0, &[]));
    let mut gone = built();
    cut(&mut gone, 13..14);
    assert_eq!(told(&runs.run(&gone, &NIGHT)), expected(1, &["head-went-back"]));
}

#[test]
fn a_head_needs_no_key_again() {
    let built = hours(12);
    let runs = Runs::after(&built);
    let head_only = ["--from", "2026-01-03T05:00:00Z", "--as-of", "2026-01-03T06:00:00Z"];
    let mut keyless = hours(12);
    keyless.public_keys = vec![OTHER_KEY.listed()];
    let answer = runs.run(&keyless, &head_only);
    assert_eq!(told(&answer), expected(0, &[]), "{}", answer.stderr);
    assert_eq!(answer.report["digests"]["verified"], 1);
    let mut without = keyless;
    fs::remove_file(runs.file()).unwrap();
    assert_eq!(told(&runs.run(&without, &head_only)), expected(3, &["key-unavailable"]));
    // Over S3 nobody is asked for it.
    let runs = Runs::after(&built);
    fs::remove_file(runs.file()).unwrap();
    assert_eq!(told(&runs.over_s3(&built.serve(), BUCKET, &[])), expected(0, &[]));
    without.public_keys = Vec::new();
    let server = without.serve();
    assert_eq!(told(&runs.over_s3(&server, BUCKET, &head_only)), expected(0, &[]));
    assert!(!server.store.seen().iter().any(|request| request.starts_with("POST")), "{:?}", server.store.seen());
}

#[test]
fn an_ended_chain_is_looked_at_with_one_read_and_not_from_its_year_on() {
    let runs = Runs::after(&with_an_ended_trail());
    assert_eq!((runs.states("ended"), runs.states("open")), (1, 1));
    let answer = runs.run(&with_an_ended_trail(), &LATE);
    assert_eq!(told(&answer), expected(3, &["chain-ended"]));
    let read = answer.report["digests"]["listed"].as_u64().unwrap();
    assert!(read < 20, "{read} digests were read");
    assert_eq!(answer.report["checkpoint"]["compared"], 2);
    let head = with_an_ended_trail().digests[11].clone();
    let changed = |change: &dyn Fn(&mut Built)| {
        let mut built = with_an_ended_trail();
        change(&mut built);
        told(&runs.run(&built, &LATE))
    };
    let gone = expected(1, &["chain-ended", "chain-vanished"]);
    assert_eq!(changed(&|built| built.remove(&head)), gone);
    assert_eq!(changed(&|built| *built.body(&head) = gzip(b"{}")), gone);
    let followed = expected(1, &["chain-ended", "digest-trailing-data"]);
    assert_eq!(changed(&|built| built.body(&head).extend(gzip(b"{}"))), followed);
    assert_eq!(changed(&|built| built.metadata(&head).clear()), expected(3, &["chain-ended"]));
}

#[test]
fn over_s3_a_head_that_cannot_be_read_is_inconclusive_and_one_that_is_gone_is_not() {
    let built = with_an_ended_trail();
    let runs = Runs { archive: Archive::new() };
    let server = built.serve();
    assert_eq!(told(&runs.over_s3(&server, BUCKET, &[])), expected(0, &[]));
    let (ended, open) = (&built.digests[11], &built.digests[59]);
    assert_eq!(told(&runs.over_s3(&server, BUCKET, &LATE)), expected(3, &["chain-ended"]));
    server.store.fail(ended, Fault::Code("AccessDenied"), u32::MAX);
    let refused = expected(3, &["chain-ended", "digest-unreadable"]);
    assert_eq!(told(&runs.over_s3(&server, BUCKET, &LATE)), refused);
    server.store.fail(ended, Fault::Code("SlowDown"), 1);
    let again = told(&runs.over_s3(&server, BUCKET, &LATE));
    assert_eq!(again, expected(3, &["chain-ended"]), "it is asked for again");
    let without = |key: &str| {
        let mut built = with_an_ended_trail();
        built.remove(key);
        let server = built.serve();
        [told(&runs.over_s3(&server, BUCKET, &LATE)), told(&runs.over_s3(&server, BUCKET, &[]))]
    };
    assert_eq!(without(ended)[0], expected(1, &["chain-ended", "chain-vanished"]));
    assert_eq!(without(ended)[1], expected(1, &["head-went-back", "log-unlisted"]));
    assert_eq!(without(open)[0], expected(1, &["chain-ended", "head-went-back"]));
}

#[test]
fn what_was_not_asked_for_is_counted_and_not_missed() {
    let mut built = with_an_ended_trail();
    Chain { account: "444455556666".into(), hours: 48, ..Chain::new() }.build_into(&mut built);
    let server = built.serve();
    let runs = Runs { archive: Archive::new() };
    assert_eq!(told(&runs.over_s3(&server, BUCKET, &[])), expected(0, &[]));
    let whole = runs.remembered();
    for (address, more, compared, not_asked_for) in [
        ("trail-bucket", &[][..], 3, 0),
        ("trail-bucket/AWSLogs/", &[], 3, 0),
        ("trail-bucket/AWSLogs/444455556666/", &[], 1, 2),
        ("trail-bucket/AWSLogs/111122223333/", &[], 2, 1),
        ("trail-bucket", &["--account", "111122223333"], 2, 1),
        ("trail-bucket", &["--trail", "main"], 2, 1),
        ("trail-bucket", &["--to", "2026-01-03T06:00:00Z"], 1, 2),
    ] {
        let answer = runs.over_s3(&server, address, more);
        assert_eq!(answer.code, 0, "{address} {more:?}: {:?} {}", ids(&answer.report), answer.stderr);
        let checkpoint = &answer.report["checkpoint"];
        let numbers = [&checkpoint["remembered"], &checkpoint["compared"], &checkpoint["not_asked_for"]];
        assert_eq!(numbers[1..], [&json!(compared), &json!(not_asked_for)], "{address} {more:?}");
        for head in whole["heads"].as_array().unwrap() {
            assert!(runs.remembered()["heads"].as_array().unwrap().contains(head), "{address} {more:?}: {head}");
        }
        // The digest up to which `--to` had asked is of no use to a run that sees the next.
        runs.over_s3(&server, BUCKET, &[]);
        assert_eq!(runs.remembered()["heads"], whole["heads"], "{address} {more:?}");
    }
    assert_eq!(runs.remembered()["archive"], json!({ "bucket": BUCKET, "prefix": "" }));
}

#[test]
fn another_archives_checkpoint_is_refused() {
    let server = hours(12).serve();
    for (key, (body, metadata)) in &hours(12).objects {
        server.store.put("other-bucket", key, body.clone(), metadata.clone());
    }
    let runs = Runs { archive: Archive::new() };
    assert_eq!(told(&runs.over_s3(&server, BUCKET, &[])).0, 0);
    let whole = fs::read(runs.file()).unwrap();
    let requests = server.store.seen().len();
    let answer = runs.over_s3(&server, "other-bucket", &[]);
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("s3://trail-bucket"), "{}", answer.stderr);
    assert_eq!(server.store.seen().len(), requests, "nothing was asked");
    assert_eq!(runs.run(&hours(12), &[]).code, 2, "a directory is not the bucket");
    let runs = Runs::after(&hours(12));
    let other = Chain { account: "444455556666".into(), ..Chain::new() }.build();
    let answer = runs.run(&other, &[]);
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("another archive's"), "{}", answer.stderr);
    // Who asks for an account that is new was not asked for the others.
    let mut both = hours(12);
    Chain { account: "444455556666".into(), ..Chain::new() }.build_into(&mut both);
    assert_eq!(told(&runs.run(&both, &["--account", "444455556666"])), expected(0, &[]));
    let old = String::from_utf8(whole).unwrap().replace("checkpoint/2", "checkpoint/1");
    fs::write(runs.file(), old).unwrap();
    let answer = runs.run(&hours(12), &[]);
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("trailproof.checkpoint/1") && answer.stderr.contains("begin a new one"));
}

#[test]
fn expired_is_what_leaves_nothing_as_old_behind() {
    // The head of a run long ago ended at 18:01:31 + 11 h; then lifecycle took everything up to it.
    let old_head = hours(12);
    let after = |change: &dyn Fn(&mut Built), more: &[&str]| {
        let runs = Runs::after(&old_head);
        let mut built = hours(60);
        expire(&mut built, "20260103T0502");
        change(&mut built);
        let first = told(&runs.run(&built, more));
        (first, told(&runs.run(&built, more)), runs)
    };
    let (first, again, runs) = after(&|_| {}, &[]);
    assert_eq!(first, expected(3, &["chain-start-missing", "head-expired"]));
    assert_eq!((again, runs.states("expired"), runs.states("open")), (first, 1, 1));
    // No later run reads from there on, nor is what expired once called deleted when something old is put there.
    let mut planted = hours(60);
    expire(&mut planted, "20260103T0502");
    planted.add_log("2026-01-02T20:15:00Z", "OlderOlderOlderO", b"{}");
    let answer = runs.run(&planted, &LATER);
    assert_eq!(told(&answer), expected(3, &["head-expired"]));
    assert!(answer.report["digests"]["listed"].as_u64().unwrap() < 40);
    // With a period, what lies before it is looked for.
    let (first, _, _) = after(&|_| {}, &LATER);
    assert_eq!(first, expected(3, &["head-expired"]));
    let still_there = |built: &mut Built| built.add_log("2026-01-02T23:40:00Z", "StillThereStillT", b"{}");
    let (first, _, runs) = after(&still_there, &LATER);
    assert_eq!((first, runs.states("expired")), (expected(1, &["head-went-back"]), 0));
}

#[test]
fn an_expired_head_that_is_acknowledged_is_retired_and_told_again_without_the_file() {
    let runs = Runs::after(&hours(12));
    let mut built = hours(60);
    expire(&mut built, "20260103T0502");
    let file = runs.archive.path("acknowledged.json");
    let found = runs.run(&built, &[]);
    let facts = found.report["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "coverage");
    let known: Vec<Value> = facts
        .flat_map(|finding| {
            let fact = format!("{}: {}", finding["object"].as_str().unwrap(), finding["found"].as_str().unwrap_or(""));
            let fact = if finding["found"].is_null() { finding["object"].clone() } else { json!(fact) };
            let facts = finding["members"].as_array().cloned().unwrap_or_else(|| vec![fact]);
            let id = finding["id"].clone();
            facts.into_iter().map(move |fact| {
                json!({"id": id, "member": fact, "who": "ops", "when": "2026-02-01T00:00:00Z", "why": "lifecycle"})
            })
        })
        .collect();
    let text = json!({"schema": "trailproof.acknowledgements/1", "acknowledgements": known}).to_string();
    fs::write(&file, text).unwrap();
    let with_file = ["--acknowledgements", file.to_str().unwrap()];
    for _ in 0..2 {
        let answer = runs.run(&built, &with_file);
        assert_eq!(told(&answer), expected(0, &[]), "{}", answer.stderr);
        assert_eq!((runs.states("retired"), runs.states("expired"), runs.states("open")), (1, 0, 1));
        let acknowledged = answer.report["acknowledged"].as_array().unwrap();
        assert!(acknowledged.iter().any(|one| one["id"] == "head-expired"), "it is repeated in every report");
    }
    assert_eq!(told(&runs.run(&built, &[])), expected(3, &["chain-start-missing", "head-expired"]));
    assert_eq!((runs.states("retired"), runs.states("expired")), (0, 1));
}

#[test]
fn deleted_is_what_leaves_something_as_old_behind() {
    let ended = with_an_ended_trail();
    for more in [&[][..], &LATE] {
        let mut built = with_an_ended_trail();
        built.objects.retain(|key, _| !key.contains("_other_") && !key.contains("_ot0"));
        let runs = Runs::after(&ended);
        assert_eq!(told(&runs.run(&built, more)), expected(1, &["chain-vanished"]), "{more:?}");
        // A single log of the day before suffices, in any account of the root.
        expire(&mut built, "20260103T0502");
        let stranger = Chain { account: "444455556666".into(), ..Chain::new() };
        let key = stranger.log_key("2026-01-02T23:40:00Z".parse().unwrap(), "StillThereStillT");
        built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
        let runs = Runs::after(&ended);
        let found = told(&runs.run(&built, more));
        assert!(found.0 == 1 && found.1.contains(&"chain-vanished".to_owned()), "{more:?}: {found:?}");
        // Without it, all of its time expired.
        expire(&mut built, "20260103T0502");
        let runs = Runs::after(&ended);
        let found = told(&runs.run(&built, more));
        assert!(found.0 == 3 && found.1.contains(&"head-expired".to_owned()), "{more:?}: {found:?}");
    }
}

#[test]
fn over_s3_expired_and_deleted_are_told_apart_behind_the_period() {
    let runs = Runs { archive: Archive::new() };
    let built = with_an_ended_trail();
    assert_eq!(told(&runs.over_s3(&built.serve(), BUCKET, &[])), expected(0, &[]));
    let before = fs::read(runs.file()).unwrap();
    let mut gone = with_an_ended_trail();
    gone.objects.retain(|key, _| !key.contains("_other_") && !key.contains("_ot0"));
    assert_eq!(told(&runs.over_s3(&gone.serve(), BUCKET, &LATE)), expected(1, &["chain-vanished"]));
    expire(&mut gone, "20260103T0502");
    fs::write(runs.file(), &before).unwrap();
    let server = gone.serve();
    server.store.refuse_listing("AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/03/");
    assert_eq!(told(&runs.over_s3(&server, BUCKET, &LATE)).0, 3, "what is left is not known");
    assert_eq!(runs.states("expired"), 0);
    assert_eq!(told(&runs.over_s3(&gone.serve(), BUCKET, &LATE)), expected(3, &["head-expired"]));
    assert_eq!(runs.states("expired"), 1);
}

#[test]
fn an_archive_of_which_nothing_is_left_did_not_expire() {
    let runs = Runs::after(&hours(12));
    let mut nothing = hours(12);
    nothing.objects.clear();
    assert_eq!(told(&runs.run(&nothing, &[])), expected(1, &["chain-vanished", "nothing-to-verify"]));
    // Nor does a forged log of today make it a living one.
    nothing.add_log("2026-02-02T20:15:00Z", "ForgedForgedForg", b"{}");
    let found = told(&runs.run(&nothing, &[]));
    assert!(found.0 == 1 && found.1.contains(&"chain-vanished".to_owned()), "{found:?}");
}

#[test]
fn an_archive_that_was_named_wrongly_is_asked_about_and_not_called_deleted() {
    let runs = Runs::after(&hours(12));
    let built = hours(12);
    let mut copied = hours(12);
    copied.objects = built.objects.iter().map(|(key, object)| (format!("copy/{key}"), object.clone())).collect();
    assert_eq!(told(&runs.run(&copied, &[])), expected(3, &["archive-address"]));
    assert_eq!(runs.states("open"), 1);
    // A bucket is the one that the checkpoint names: there the digests lay where they are no more.
    let runs = Runs { archive: Archive::new() };
    assert_eq!(told(&runs.over_s3(&built.serve(), BUCKET, &[])), expected(0, &[]));
    let found = told(&runs.over_s3(&copied.serve(), BUCKET, &[]));
    assert_eq!(found, expected(1, &["archive-address", "chain-vanished"]));
}

#[test]
fn a_question_about_the_address_hides_no_head_that_holds_other_content() {
    let mut moved = hours(12);
    for digest in moved.digests.clone() {
        let claim =
            |content| String::from_utf8(content).unwrap().replace(r#"Object":"AWSLogs/"#, r#"Object":"x/AWSLogs/"#);
        moved.rewrite(&digest, |content| claim(content).into_bytes());
    }
    let told_of_both = expected(1, &["archive-address", "chain-vanished"]);
    assert_eq!(told(&Runs::after(&hours(12)).run(&moved, &[])), told_of_both);
    let runs = Runs::new();
    assert_eq!(told(&runs.over_s3(&hours(12).serve(), BUCKET, &[])), expected(0, &[]));
    assert_eq!(told(&runs.over_s3(&moved.serve(), BUCKET, &[])), told_of_both);
    assert_eq!(runs.states("open"), 1);
}

#[test]
fn a_missing_or_empty_checkpoint_is_no_silent_first_run() {
    let runs = Runs::after(&hours(12));
    fs::remove_file(runs.file()).unwrap();
    let answer = runs.run(&hours(12), &[]);
    assert_eq!((answer.code, ids(&answer.report)), (0, vec!["checkpoint-new".to_owned()]));
    assert_eq!(answer.report["checkpoint"]["made"], Value::Null);
    let answer = runs.run(&hours(12), &[]);
    assert_eq!((answer.code, ids(&answer.report)), (0, Vec::new()));
    let checkpoint = &answer.report["checkpoint"];
    assert!(checkpoint["made"].is_string() && checkpoint["file"].as_str().unwrap().ends_with("heads.json"));
    assert_eq!(checkpoint["states"], json!({ "open": 1 }));
    // A run that could verify nothing remembers nothing.
    fs::remove_file(runs.file()).unwrap();
    let mut keyless = hours(12);
    keyless.public_keys = vec![OTHER_KEY.listed()];
    runs.run(&keyless, &[]);
    let answer = runs.run(&hours(12), &["--format", "human"]);
    assert_eq!(answer.code, 2, "the format is given twice");
    let answer = runs.run(&hours(12), &[]);
    assert_eq!(ids(&answer.report), ["checkpoint-new"]);
}

#[test]
fn the_headline_says_when_nothing_was_compared() {
    let runs = Runs::after(&hours(12));
    let said = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_trailproof"));
        command.arg("verify").arg(runs.archive.bucket()).arg("--public-keys").arg(runs.archive.path("keys.json"));
        let output = command.arg("--checkpoint").arg(runs.file()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = said();
    assert!(!text.contains("nothing was compared") && text.contains("compared  1 of 1 digest in "), "{text}");
    fs::remove_file(runs.file()).unwrap();
    let text = said();
    assert!(text.lines().next().unwrap().ends_with("(nothing was compared with an earlier run)"), "{text}");
}

#[test]
fn two_runs_with_one_file_lose_nothing() {
    let accounts: Vec<String> = (0..6).map(|n| (111_122_223_333_u64 + n).to_string()).collect();
    let mut built = Built::default();
    for account in &accounts {
        Chain { account: account.clone(), hours: 2, ..Chain::new() }.build_into(&mut built);
    }
    let runs = Runs::after(&built);
    let file = runs.file().display().to_string();
    for _ in 0..4 {
        fs::remove_file(runs.file()).unwrap();
        std::thread::scope(|scope| {
            for account in &accounts {
                scope.spawn(|| assert_eq!(runs.archive.verify(&["--checkpoint", &file, "--account", account]).code, 0));
            }
        });
        assert_eq!(runs.states("open"), accounts.len());
    }
    #[cfg(unix)]
    for name in ["heads.json", "heads.json.lock"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(runs.archive.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn nothing_is_remembered_that_no_report_told() {
    let runs = Runs::after(&hours(6));
    let before = fs::read(runs.file()).unwrap();
    let answer = runs.run(&hours(12), &["--report", "/proc/no/such/folder/report.json"]);
    assert!(![0, 1, 3].contains(&answer.code), "{}", answer.stderr);
    assert_eq!(fs::read(runs.file()).unwrap(), before);
}
