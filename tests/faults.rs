//! Nothing that cannot be read is ever told as altered, and nothing else in the report changes for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::chain::Chain;
use crate::support::inprocess::{self, Setup, impatient};
use crate::support::s3::{BUCKET, Fault, Server, TokioSleep};
use crate::support::weather::Weather;
use crate::support::{Answer, ids, run, worst};
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{Credentials, Region, SharedAsyncSleep, SharedCredentialsProvider};
use serde_json::Value;
use trailproof::fetch::{Patience, Retry};
use trailproof::pipeline::keys::Keys;
use trailproof::source::Source as _;
use trailproof::source::aws::Aws;
use trailproof::source::s3::S3Source;
use trailproof::source::s3::destination::Destination;

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

/// Everything in a report that does not depend on when, how and at which address it was made. That keys came from a test
/// server is told by every run.
fn timeless(mut report: Value) -> Value {
    if let Some(findings) = report["findings"].as_array_mut() {
        findings.retain(|one| one["id"] != "keys-from-endpoint");
    }
    for key in report["keys"].as_array_mut().into_iter().flatten() {
        key["from"] = Value::Null;
    }
    for part in ["clock", "tool", "timings"] {
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

pub fn aws(server: &Server, no_progress: Duration) -> Aws {
    let limits = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(no_progress)
        .operation_attempt_timeout(no_progress)
        .build();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(server.url())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep))
        .timeout_config(limits)
        .build();
    Aws::from_config(config, true)
}

async fn source(aws: &Aws) -> S3Source {
    match S3Source::connect(aws, RECORDED).await {
        Ok(source) => source,
        Err(_) => S3Source::in_configured_region(aws, RECORDED).await.unwrap(),
    }
}

/// The report of a run in this process, which takes an answer for stalled after so long without a byte.
fn report_of(server: &Server, no_progress: Duration) -> Value {
    report_with(server, no_progress, Patience { attempts: 2, ..impatient() })
}

fn report_with(server: &Server, no_progress: Duration, patience: Patience) -> Value {
    inprocess::runtime().block_on(async move {
        let aws = aws(server, no_progress);
        let source = source(&aws).await.with_no_progress_limit(no_progress);
        let setup = Setup { retry: Retry::new(patience), ..Setup::default() };
        let report = inprocess::report(source, RECORDED, &Keys::service(aws), setup).await;
        timeless(serde_json::to_value(report).unwrap())
    })
}

/// Longer than any answer takes on a busy machine, and short enough to wait for what never comes.
const IMPATIENT: Duration = Duration::from_millis(1500);
pub const PATIENT: Duration = Duration::from_secs(30);

/// Most of the time goes by waiting.
const THREADS: usize = 16;

/// The keys of `testdata`, from the server.
fn server_with_keys() -> Server {
    let server = server();
    let file: Value = serde_json::from_slice(&std::fs::read(testdata("public-keys.json")).unwrap()).unwrap();
    let seconds = |time: &Value| time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    let keys = file["PublicKeyList"].as_array().unwrap().iter().map(|key| {
        let mut key = key.clone();
        for bound in ["ValidityStartTime", "ValidityEndTime"] {
            key[bound] = seconds(&key[bound]).into();
        }
        key
    });
    server.store.set_keys(keys.collect());
    server
}

/// What a request is for.
fn kind_of(request: &str) -> &'static str {
    match request {
        _ if request.starts_with("HEAD ") => "the bucket's Region",
        _ if request.starts_with("POST ") => "public keys",
        _ if request.contains("list-type=2") => "a listing",
        _ if request.contains("CloudTrail-Digest") => "a digest",
        _ => "a log",
    }
}

/// The Nth request fails for good, for every N and every fault: nothing is ever told as altered, the run ends with a
/// report and exit code 3, and whatever does not hang on the lost answer is told as without the fault.
#[test]
fn a_request_that_fails_for_good_is_never_told_as_alteration() {
    let whole = server_with_keys();
    let clean = report_of(&whole, PATIENT);
    assert_eq!(clean["exit_code"], 0, "{}", clean["findings"]);
    let requests = whole.store.seen();
    let faults = [
        ("301", Fault::Code("PermanentRedirect")),
        ("400", Fault::Code("InvalidRequest")),
        ("expired", Fault::Code("ExpiredToken")),
        ("skewed", Fault::Code("RequestTimeTooSkewed")),
        ("403", Fault::Code("AccessDenied")),
        ("403 of KMS", Fault::KmsDenied),
        ("KMS throttled", Fault::Code("KMS.ThrottlingException")),
        ("404 of a proxy", Fault::Html(404)),
        ("200 of a portal", Fault::Html(200)),
        ("503", Fault::Code("SlowDown")),
        ("archived", Fault::Code("InvalidObjectState")),
        ("reset", Fault::Reset),
        ("stall", Fault::Stall),
        ("404, stalled", Fault::StalledWords(404, "NoSuchKey")),
        ("short body", Fault::Cut),
    ];
    let checks: Vec<(usize, &str, Fault)> =
        (0..requests.len()).flat_map(|n| faults.iter().map(move |(name, fault)| (n, *name, fault.clone()))).collect();
    let (clean, checks) = (&clean, &checks);
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        // Dealt out in turn, because only stalls take long.
        let threads: Vec<_> = (0..THREADS)
            .map(|at| {
                let mine = checks.iter().skip(at).step_by(THREADS);
                scope.spawn(move || mine.map(|(n, name, fault)| with_fault(*n, name, fault, clean)).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    print_table(&outcomes);
    let wrong: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.wrong).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{wrong:#?}", wrong.len());
}

/// What a run with one failing request came to.
struct Outcome {
    of: &'static str,
    fault: String,
    exit: i64,
    wrong: Vec<String>,
}

fn with_fault(n: usize, name: &str, fault: &Fault, clean: &Value) -> Outcome {
    let server = server_with_keys();
    server.store.fail_request(n, fault.clone());
    let report = match fault {
        Fault::Stall | Fault::StalledWords(..) => {
            report_with(&server, IMPATIENT, Patience { attempts: 1, ..impatient() })
        }
        _ => report_of(&server, PATIENT),
    };
    let request = server.store.seen().get(n).cloned().unwrap_or_default();
    let of = kind_of(&request);
    let count = |part: &str, outcome: &str| report[part][outcome].as_u64().unwrap_or(u64::MAX);
    let altered: u64 = ["altered", "missing", "malformed", "unlisted"]
        .iter()
        .map(|outcome| count("digests", outcome) + count("logs", outcome))
        .sum();
    let unread = count("digests", "unreadable") + count("logs", "unreadable");
    let exit = report["exit_code"].as_i64().unwrap_or(-1);
    // Where a bucket's Region is not told, the configured one serves; a client asks anew for keys with another token.
    let may_pass = of == "the bucket's Region" && exit == 0 && report == *clean;
    let as_clean = |parts: &[&str]| parts.iter().all(|part| report[*part] == clean[*part]);
    let fine = match of {
        "a log" => ids(&report) == ["log-unreadable"] && unread == 1 && as_clean(&["digests", "chains", "scope_found"]),
        "a digest" => unread == 1 && count("digests", "verified") == 15 && as_clean(&["scope_found"]),
        _ => true,
    };
    let mut wrong = Vec::new();
    if !may_pass && (exit != 3 || altered != 0 || !fine || !matches!(worst(&report), "inconclusive" | "coverage")) {
        wrong.push(format!("{name} at {n} ({request}): exit {exit}, {:?} {}", ids(&report), report["findings"]));
    }
    Outcome { of, fault: name.to_owned(), exit, wrong }
}

/// The table of what failed and how the runs ended; shown with `--nocapture`.
fn print_table(outcomes: &[Outcome]) {
    let mut table: BTreeMap<(&str, &str), BTreeMap<i64, u32>> = Default::default();
    for outcome in outcomes {
        *table.entry((outcome.of, &outcome.fault)).or_default().entry(outcome.exit).or_default() += 1;
    }
    println!("{:<20} {:<16} {:>5}  exit codes", "request for", "fault", "runs");
    for ((of, fault), exits) in table {
        let runs: u32 = exits.values().sum();
        let exits: Vec<String> = exits.iter().map(|(exit, runs)| format!("{exit} × {runs}")).collect();
        println!("{of:<20} {fault:<16} {runs:>5}  {}", exits.join(", "));
    }
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

/// The report of a run of the command against a server in this weather, and of one in fair weather.
fn in_weather(set: impl FnOnce(&Weather)) -> (Server, Answer, Answer) {
    let server = server();
    set(&server.store.weather);
    let answer = verify(&server);
    (server, answer, verify(&self::server()))
}

#[test]
fn a_service_that_refuses_everyone_for_a_while_leaves_nothing_unread() {
    for set in [|weather: &Weather| weather.refuse(12), |weather: &Weather| weather.refuse_for(Duration::from_secs(3))]
    {
        let (server, answer, clean) = in_weather(set);
        assert!(server.store.weather.refused() > 0);
        assert_eq!((answer.code, timeless(answer.report)), (0, timeless(clean.report)), "{}", answer.stderr);
    }
}

#[test]
fn a_service_that_serves_few_requests_a_second_leaves_nothing_unread() {
    let (server, answer, clean) = in_weather(|weather| weather.limit(20));
    assert!(server.store.weather.refused() > 0);
    assert_eq!((answer.code, timeless(answer.report)), (0, timeless(clean.report)), "{}", answer.stderr);
}

#[test]
fn a_clock_that_is_wrong_is_corrected_by_the_answers_date() {
    for ahead in [-7200, 7200] {
        let (_, answer, clean) = in_weather(|weather| weather.set_clock_ahead(ahead));
        assert_eq!((answer.code, timeless(answer.report)), (0, timeless(clean.report)), "{}", answer.stderr);
    }
}

#[test]
fn the_clock_of_the_service_is_known_once_it_has_answered() {
    for ahead in [-7200, 0, 7200] {
        let server = server();
        server.store.weather.set_clock_ahead(ahead);
        let offset = inprocess::runtime().block_on(async {
            let source = source(&aws(&server, PATIENT)).await;
            source.server_time_offset().unwrap()
        });
        assert!((offset.as_secs() - ahead).abs() < 60, "{offset}");
    }
}

#[test]
fn a_bucket_that_moved_is_followed_to_its_region() {
    for is_hidden in [false, true] {
        let (_, answer, clean) = in_weather(|weather| weather.move_to("eu-west-1", is_hidden));
        assert_eq!((answer.code, timeless(answer.report)), (0, timeless(clean.report)), "{}", answer.stderr);
    }
}

/// Everything that fails in passing gets two attempts, twice: while its neighbours are read, and when they have been.
#[test]
fn what_outlasts_its_attempts_is_tried_again_at_the_end() {
    let clean = report_of(&server_with_keys(), PATIENT);
    let requests = {
        let server = server_with_keys();
        report_of(&server, PATIENT);
        server.store.seen()
    };
    let ofs = ["a listing", "a digest", "a log"];
    for of in ofs {
        let is_such = |request: &String| kind_of(request) == of;
        // Requests for keys come between those for digests, in any order; the first is always for a digest.
        let n = if of == "a digest" { requests.iter().position(is_such) } else { requests.iter().rposition(is_such) };
        let n = n.unwrap();
        for (times, exit) in [(3, 0), (4, 3)] {
            let server = server_with_keys();
            server.store.fail_request_at_first(n, Fault::Code("SlowDown"), times);
            let report = report_of(&server, PATIENT);
            assert_eq!(report["exit_code"], exit, "{of}, {times} times: {}", report["findings"]);
            assert_eq!(report == clean, exit == 0, "{of}, {times} times");
        }
    }
}

#[test]
fn a_part_may_take_longer_than_any_other_answer() {
    let server = Server::start(100);
    server.store.make_bucket(BUCKET);
    inprocess::runtime().block_on(async {
        let destination = Destination::connect(&aws(&server, IMPATIENT), BUCKET, "", None).await.unwrap();
        let upload = destination.begin("file").await.unwrap();
        server.store.slow_down_parts(IMPATIENT * 2);
        let part = destination.part(&upload, 1, vec![0; 5 << 20].into()).await.unwrap();
        assert!(destination.complete(&upload, vec![part]).await.unwrap());
    });
    assert_eq!(server.store.objects(BUCKET)["file"].len(), 5 << 20);
}

/// What nothing tells the size of gets little room at first. When it failed in passing then, its last attempt gets enough.
#[test]
fn a_log_of_unknown_size_that_failed_in_passing_is_read_whole_at_the_end() {
    let log = Chain::new().log_key("2026-01-02T17:50:00Z".parse().unwrap(), "n000000000000000");
    let named = log.clone();
    let chain = Chain::with(move |_, draft| {
        let entry = serde_json::json!({"s3Bucket": BUCKET, "s3Object": named, "hashValue": "0".repeat(64),
                                       "hashAlgorithm": "SHA-256", "newestEventTime": null, "oldestEventTime": null});
        draft.logs.clear();
        draft.fields.insert("logFiles".into(), vec![entry].into());
    });
    let server = Chain { hours: 1, ..chain }.build().serve();
    server.store.hide("_n0");
    server.store.put(BUCKET, &log, vec![0; 2 << 20], BTreeMap::new());
    // The two attempts of the first round.
    server.store.fail(&log, Fault::Code("SlowDown"), 2);
    let report = inprocess::runtime().block_on(async {
        let aws = aws(&server, PATIENT);
        let source = S3Source::connect(&aws, BUCKET).await.unwrap();
        inprocess::report(source, BUCKET, &Keys::service(aws), Setup::default()).await
    });
    let logs = report.logs;
    assert_eq!((logs.altered, logs.unreadable), (1, 0), "{:?}", report.findings);
}

#[test]
fn whoever_interrupts_is_heard_whatever_is_waited_for() {
    let stalled = server();
    stalled.store.fail_request(1, Fault::Stall);
    let refusing = server();
    refusing.store.weather.refuse(u64::MAX);
    // Behind the requests that look for the bucket's Region, which are given up without a report.
    for (server, requests) in [(stalled, 2), (refusing, 8)] {
        let mut running = server.start_run("verify", RECORDED, &["--patience", "1h"]);
        while server.store.requests.load(Ordering::Relaxed) < requests {
            std::thread::sleep(Duration::from_millis(10));
        }
        let interrupt = std::process::Command::new("kill").args(["-TERM", &running.id().to_string()]).status();
        assert!(interrupt.unwrap().success());
        let status = running.wait().unwrap();
        assert_eq!(status.code(), Some(3), "{status}");
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
