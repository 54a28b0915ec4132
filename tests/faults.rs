//! Nothing that cannot be read is ever told as altered, and nothing else in the report changes for it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::s3::{Fault, Server};
use support::{Answer, ids, run, worst};

fn testdata(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/clean").join(part)
}

/// The digests of `testdata` record this bucket.
const RECORDED: &str = "example-org-trail";

fn server() -> Server {
    let server = Server::start(100);
    let bucket = testdata("bucket");
    server.store.put_directory(RECORDED, &bucket, &bucket);
    server
}

fn verify(server: &Server) -> Answer {
    let keys = testdata("public-keys.json").display().to_string();
    server.run("verify", RECORDED, &["--public-keys", &keys])
}

/// Everything in a report that does not depend on when and how it was made.
fn timeless(mut report: Value) -> Value {
    for part in ["tool", "timings"] {
        report[part] = Value::Null;
    }
    report
}

#[test]
fn a_directory_and_s3_give_the_same_report() {
    let (bucket, keys) = (testdata("bucket").display().to_string(), testdata("public-keys.json").display().to_string());
    let args = ["verify", &bucket, "--public-keys", &keys, "--format", "json"].map(str::to_owned);
    let (local, remote) = (run(&args), verify(&server()));
    assert_eq!((local.code, remote.code), (0, 0), "{}", remote.stderr);
    assert_eq!(timeless(local.report), timeless(remote.report));
}

#[test]
fn a_read_that_fails_for_good_makes_one_object_unreadable_and_nothing_altered() {
    let clean = verify(&server()).report;
    let objects = clean["digests"]["listed"].as_u64().unwrap() + clean["logs"]["listed"].as_u64().unwrap();
    assert_eq!(objects, 46);
    let faults = [Fault::Code("AccessDenied"), Fault::Code("SlowDown"), Fault::Reset, Fault::Cut];
    // The retries of a transient fault take seconds, so several run at once.
    let checks: Vec<(usize, Fault)> = (0..46)
        .flat_map(|n| faults.iter().map(move |fault| (n, fault.clone())))
        .filter(|(n, fault)| *fault == Fault::Code("AccessDenied") || n % 5 == 0)
        .collect();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let share = checks.len().div_ceil(8);
        let threads: Vec<_> = checks
            .chunks(share)
            .map(|chunk| {
                scope.spawn(move || {
                    chunk.iter().filter_map(|(n, fault)| unlike_one_unreadable(*n, fault)).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a run with a fault at the `n`th read tells besides that one object is unreadable.
fn unlike_one_unreadable(n: usize, fault: &Fault) -> Option<String> {
    let server = server();
    server.store.fail_nth(n, fault.clone());
    let answer = verify(&server);
    let report = &answer.report;
    let count = |part: &str, outcome: &str| report[part][outcome].as_u64().unwrap_or(u64::MAX);
    let unreadable = count("digests", "unreadable") + count("logs", "unreadable");
    let altered: u64 = ["altered", "missing", "malformed", "unlisted"]
        .iter()
        .map(|outcome| count("digests", outcome) + count("logs", outcome))
        .sum();
    let rest = count("digests", "verified") + count("logs", "verified") + count("logs", "uncovered");
    let fine = answer.code == 3 && worst(report) == "inconclusive" && unreadable == 1 && altered == 0 && rest == 45;
    (!fine).then(|| format!("{fault:?} at {n}: exit {} {:?} {}", answer.code, ids(report), answer.stderr))
}

#[test]
fn a_read_that_fails_once_changes_nothing() {
    let clean = timeless(verify(&server()).report);
    for fault in [Fault::Code("SlowDown"), Fault::Cut, Fault::Reset] {
        let server = server();
        for key in clean["chains"].as_array().unwrap().iter().map(|chain| chain["head"]["key"].as_str().unwrap()) {
            server.store.fail(key, fault.clone(), 1);
        }
        let answer = verify(&server);
        assert_eq!((answer.code, timeless(answer.report)), (0, clean.clone()), "{fault:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_listed_is_told_and_the_rest_verified() {
    let server = server();
    server.store.refuse_listing("AWSLogs/o-exampleorgid/100000000007/CloudTrail/");
    let answer = verify(&server);
    assert_eq!((answer.code, worst(&answer.report)), (3, "inconclusive"), "{:?}", ids(&answer.report));
    assert_eq!(ids(&answer.report), ["listing-failed"]);
    assert_eq!(answer.report["logs"]["verified"], 30);
}

#[test]
fn a_bucket_that_is_not_there_is_a_usage_error() {
    let server = server();
    let answer = server.run("verify", "no-such-bucket", &[]);
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("bucket no-such-bucket does not exist"), "{}", answer.stderr);
}
