//! `--max-memory` is a promise: whatever lies in the bucket, the program's peak stays within it and 128 MiB more.
//!
//! Each row of the table is an archive that is made on the fly, small where it is stored and large where it is read, and a
//! run of the real command over it. `cargo test --test all memory:: -- --nocapture` prints the table.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::chain::{ACCOUNT, Chain};
use crate::support::inprocess::{self, Memory, NoService, Setup};
use crate::support::s3::{BUCKET, Server};
use crate::support::{Archive, ids};
use serde_json::Value;
use trailproof::pipeline::logs::{LogContent, LogSink};
use trailproof::source::DigestMetadata;
use trailproof_proof::report::Records;

const MIB: usize = 1 << 20;

/// What a run may take beside `--max-memory`.
const BESIDE: usize = 128;

/// One at a time: what is measured is one process, and there are few cores.
static ALONE: Mutex<()> = Mutex::new(());

/// What a run took and came to.
struct Run {
    code: i32,
    peak_mib: usize,
    /// What was printed, and the report.
    printed: u64,
    report: Value,
    seconds: f64,
}

/// Runs the command and watches its memory; a shell keeps it from taking the machine down where the promise is broken.
fn measure(args: &[String], variables: &[(&str, &str)]) -> Run {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let (out, err, report) = (folder.path().join("out"), folder.path().join("err"), folder.path().join("report.json"));
    let script = "ulimit -v 8000000; exec \"$0\" \"$@\"";
    let started = Instant::now();
    let mut child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_trailproof")])
        .args(args)
        .args(["--threads", "2", "--report", report.to_str().unwrap()])
        .envs(variables.iter().copied())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdout(Stdio::from(File::create(&out).unwrap()))
        .stderr(Stdio::from(File::create(&err).unwrap()))
        .spawn()
        .unwrap();
    let (mut peak_kib, status) = (0, format!("/proc/{}/status", child.id()));
    let ended = loop {
        if let Some(status) = fs::read_to_string(&status).ok().and_then(|text| peak(&text)) {
            peak_kib = peak_kib.max(status);
        }
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let size = |path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let printed = size(&out) + size(&err) + size(&report);
    let told = fs::read_to_string(&err).unwrap_or_default();
    let report = fs::read(&report).unwrap_or_default();
    let report: Value = serde_json::from_slice(&report).unwrap_or_default();
    assert!(report.is_object(), "no report: {}", told.chars().take(2000).collect::<String>());
    Run {
        code: ended.code().unwrap_or(-1),
        peak_mib: peak_kib / 1024,
        printed,
        report,
        seconds: started.elapsed().as_secs_f64(),
    }
}

/// The most resident memory that a process had, from its status.
fn peak(status: &str) -> Option<usize> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// Compresses content that is made as it is needed.
struct Bomb(flate2::write::GzEncoder<Vec<u8>>);

impl Bomb {
    fn new() -> Self {
        Self(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()))
    }

    fn text(mut self, text: &str) -> Self {
        self.0.write_all(text.as_bytes()).unwrap();
        self
    }

    /// A piece, over and over, for `bytes` or a little more.
    fn fill(mut self, piece: &str, bytes: usize) -> Self {
        let block = piece.repeat((256 << 10) / piece.len() + 1);
        for _ in 0..bytes.div_ceil(block.len()) {
            self.0.write_all(block.as_bytes()).unwrap();
        }
        self
    }

    /// `count` pieces that are made from their numbers.
    fn each(mut self, count: usize, piece: impl Fn(usize) -> String) -> Self {
        for number in 0..count {
            self.0.write_all(piece(number).as_bytes()).unwrap();
        }
        self
    }

    fn end(self) -> Vec<u8> {
        self.0.finish().unwrap()
    }
}

/// Bytes that no compression makes smaller.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(bytes / 8).flatten().collect()
}

/// Logs of one hour, which no digest covers.
fn logs(bodies: impl IntoIterator<Item = Vec<u8>>) -> Archive {
    let archive = Archive::new();
    for (number, body) in bodies.into_iter().enumerate() {
        let key = Chain::new().log_key("2026-01-02T18:01:00Z".parse().unwrap(), &format!("bomb{number:012}"));
        archive.put(&key, &body, &BTreeMap::new());
    }
    archive.put_keys(&serde_json::json!({"PublicKeyList": [crate::support::chain::KEY.listed()]}));
    archive
}

/// Digests of as many hours, which nobody signed.
fn digests(bodies: impl IntoIterator<Item = Vec<u8>>) -> Archive {
    let archive = Archive::new();
    let metadata = BTreeMap::from([("signature".to_owned(), "ab".repeat(256))]);
    for (number, body) in bodies.into_iter().enumerate() {
        archive.put(&digest_key(number), &body, &metadata);
    }
    archive.put_keys(&serde_json::json!({"PublicKeyList": [crate::support::chain::KEY.listed()]}));
    archive
}

fn digest_key(number: usize) -> String {
    let hour = jiff::SignedDuration::from_hours(i64::try_from(number).unwrap());
    Chain::new().digest_key("2026-01-02T18:01:31Z".parse::<jiff::Timestamp>().unwrap() + hour)
}

/// A digest whose fields are as they should be but for the one that is named, up to and with the list's bracket.
fn digest_head(number: usize, field: &str, value: &str) -> String {
    let key = digest_key(number);
    let fields = [
        ("awsAccountId", format!("\"{ACCOUNT}\"")),
        ("digestStartTime", "\"2026-01-02T17:01:31Z\"".to_owned()),
        ("digestEndTime", "\"2026-01-02T18:01:31Z\"".to_owned()),
        ("digestS3Bucket", format!("\"{BUCKET}\"")),
        ("digestS3Object", format!("\"{key}\"")),
        ("digestPublicKeyFingerprint", format!("\"{}\"", crate::support::chain::KEY.fingerprint())),
        ("digestSignatureAlgorithm", "\"SHA256withRSA\"".to_owned()),
        ("newestEventTime", "null".to_owned()),
        ("oldestEventTime", "null".to_owned()),
        ("previousDigestS3Bucket", "null".to_owned()),
        ("previousDigestS3Object", "null".to_owned()),
        ("previousDigestHashValue", "null".to_owned()),
        ("previousDigestHashAlgorithm", "null".to_owned()),
        ("previousDigestSignature", "null".to_owned()),
    ];
    let members = fields.map(|(name, as_it_is)| {
        let value = if name == field { value } else { as_it_is.as_str() };
        format!("\"{name}\":{value},")
    });
    format!("{{{}\"logFiles\":[", members.concat())
}

/// An entry of a digest's list.
fn entry(number: usize) -> String {
    let hash = "0".repeat(64);
    format!(
        "{{\"s3Bucket\":\"{BUCKET}\",\"s3Object\":\"AWSLogs/{number}\",\"hashValue\":\"{hash}\",\"hashAlgorithm\":\"SHA-256\"}}"
    )
}

/// The table, as rows are measured.
struct Table {
    most: usize,
}

impl Table {
    fn new(most: usize) -> Self {
        println!("{:<58} {:>9} {:>9} {:>4} {:>11} {:>7}", "archive", "peak MiB", "promised", "exit", "told bytes", "s");
        Self { most }
    }

    fn row(&self, name: &str, archive: &Archive, command: &str, more: &[&str]) -> Value {
        let mut args = vec![command.to_owned(), archive.bucket().display().to_string()];
        args.extend(["--public-keys".to_owned(), archive.path("keys.json").display().to_string()]);
        args.extend(["--max-memory".to_owned(), format!("{}MiB", self.most)]);
        if command == "scan" {
            args.extend(["--out".to_owned(), archive.path("table").display().to_string()]);
        }
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        self.judge(&format!("{command}: {name}"), measure(&args, &[]))
    }

    fn judge(&self, name: &str, run: Run) -> Value {
        let Run { code, peak_mib, printed, report, seconds } = run;
        let promised = self.most + BESIDE;
        println!("{name:<58} {peak_mib:>9} {promised:>9} {code:>4} {printed:>11} {seconds:>7.1}");
        assert!(peak_mib <= promised, "{name}: {peak_mib} MiB");
        assert!(printed < 64 << 20, "{name}: {printed} bytes were printed");
        // What was made to be a burden is not passed over in silence.
        assert!([1, 3].contains(&code), "{name}: exit {code}, {:?}", ids(&report));
        report
    }
}

/// A record with one text in each of the fields, for columns that repeat and columns that do not.
fn filling(field: &str, bytes: usize) -> Vec<u8> {
    Bomb::new().text(&format!("[{{\"{field}\":\"")).fill("x", bytes).text("\"}]").end()
}

#[test]
fn one_log_whatever_it_holds() {
    let table = Table::new(512);
    let content = 120 * MIB;
    let whole =
        |open: &str, piece: &str, close: &str| logs([Bomb::new().text(open).fill(piece, content).text(close).end()]);
    let one = |name: &str, archive: Archive| table.row(name, &archive, "scan", &[]);
    one(
        "80 million empty resources",
        logs([Bomb::new().text("[{\"resources\":[{}").fill(",{}", 240 * MIB).text("]}]").end()]),
    );
    one("40 million empty resources", whole("[{\"resources\":[{}", ",{}", "]}]"));
    let list = |element: &str| format!("{{\"resources\":[{}]}}", vec![element; 16_384].join(","));
    one("records of empty resources", whole("[1", &format!(",{}", list("{}")), "]"));
    one("records of short resources", whole("[1", &format!(",{}", list("{\"ARN\":\"\"}")), "]"));
    one(
        "records of too many resources",
        whole("[1", &format!(",{{\"resources\":[{{}}{}]}}", ",{}".repeat(100_000)), "]"),
    );
    one("one text", whole("[{\"eventName\":\"", "x", "\"}]"));
    one("one escaped text", whole("[{\"eventName\":\"", "\\u00e9", "\"}]"));
    one("one key", whole("[{\"", "k", "\":1}]"));
    one("one escaped key beside Records", whole("{\"", "\\u0041", "\":1,\"Records\":[]}"));
    one("one list", whole("[{\"requestParameters\":[1", ",1", "]}]"));
    one("nesting", whole("[{\"requestParameters\":", "[", ""));
    one("members", whole("[{\"a\":1", ",\"a\":1", "}]"));
    one("members of an identity", whole("[{\"userIdentity\":{\"a\":1", ",\"a\":1", "}}]"));
    one("no JSON", whole("", "<x>", ""));
    one("blanks", whole("", " ", ""));
}

#[test]
fn one_log_of_many_entries() {
    let table = Table::new(512);
    let of = |piece: &str, bytes: usize| logs([Bomb::new().text("[1").fill(piece, bytes).text("]").end()]);
    let one = |name: &str, archive: Archive| table.row(name, &archive, "scan", &[]);
    one("half a million numbers", of(",1", MIB));
    one("400,000 empty records", of(",{}", MIB));
    one("250,000 events", of(",{\"eventID\":\"\",\"sourceIPAddress\":\"\"}", 9 * MIB));
    let objects =
        (0..40_000).map(|n| format!(",{{\"userIdentity\":{{\"arn\":\"{n}\",\"x\":\"{}\"}}}}", "y".repeat(3000)));
    let different = logs([Bomb::new().text("[1").text(&objects.collect::<String>()).text("]").end()]);
    one("identities that differ", different);
    let days = Bomb::new().text("[1").each(20_000, |n| {
        let time = "1970-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap()
            + jiff::SignedDuration::from_hours(24 * (10_000 + n as i64));
        format!(",{{\"eventTime\":\"{time}\"}}")
    });
    let report = one("20,000 days", logs([days.text("]").end()]));
    let files = report["output"]["files"].as_array().unwrap();
    assert!(files.len() <= 34, "{}", files.len());
    assert_eq!(report["records"]["strayed"], 20_000 - 33);
    let again = of(
        ",{\"eventTime\":\"2026-01-02T18:01:00Z\",\"eventName\":\"n\",\"requestParameters\":{\"a\":\"b\"}}",
        100 * MIB,
    );
    table.row("records, kept raw too", &again, "scan", &["--raw"]);
}

/// Every file of a table, by its path below the table's folder.
fn files(folder: &Path, below: &str, all: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}/{}", entry.file_name().to_string_lossy());
        match entry.path() {
            path if path.is_dir() => files(&path, &name, all),
            path if name.ends_with(".parquet") => drop(all.insert(name, fs::read(path).unwrap())),
            _ => {}
        }
    }
}

/// What is remembered of an object, and batches that are put in part, leave no trace of who did what first.
#[test]
fn the_table_is_the_same_with_any_number_of_threads() {
    let log = |number: usize| {
        let (first, second) =
            if number.is_multiple_of(2) { ("userIdentity", "tlsDetails") } else { ("tlsDetails", "userIdentity") };
        let record = |key: &str| format!(",{{\"{key}\":{{\"type\":\"Root\",\"tlsVersion\":\"1\"}}}}");
        Bomb::new().text("[1").fill(&record(first), MIB / 2).fill(&record(second), MIB / 2).text("]").end()
    };
    let archive = logs((0..12).map(log));
    let scanned = |threads: &str| {
        let out = tempfile::tempdir().unwrap();
        let table = out.path().join("table");
        let (bucket, table_text) = (archive.bucket().display().to_string(), table.display().to_string());
        let args = ["scan", &bucket, "--out", &table_text, "--threads", threads, "--max-memory", "128MiB"];
        assert_eq!(crate::support::run(&args.map(str::to_owned)).code, 3);
        let mut all = BTreeMap::new();
        files(&table, "", &mut all);
        all
    };
    let one = scanned("1");
    assert!(!one.is_empty());
    for threads in ["2", "4", "4"] {
        assert!(scanned(threads) == one, "{threads} threads");
    }
}

#[test]
fn many_logs() {
    let table = Table::new(512);
    let fields =
        ["eventName", "userAgent", "errorMessage", "requestID", "eventID", "errorCode", "apiVersion", "awsRegion"];
    let one_by_one = fields.iter().map(|field| {
        let record = format!(",{{\"{field}\":\"{}\"}}", "x".repeat(7 * MIB));
        Bomb::new().text("[1").fill(&record, 28 * MIB).text("]").end()
    });
    table.row("each fills another column", &logs(one_by_one), "scan", &[]);
    let many = || Bomb::new().text("[1").fill(",{}", MIB / 2).text("]").end();
    Table::new(128).row("small rows that are put in part", &logs([many(), many(), many(), many()]), "scan", &[]);
    table.row("each one long text", &logs(fields.map(|field| filling(field, 30 * MIB))), "scan", &[]);
    let record = ",{\"eventTime\":\"2026-01-02T18:01:00Z\",\"eventName\":\"n\",\"requestParameters\":{\"a\":\"0123456789abcdef0123456789\"}}";
    let bomb = Bomb::new().text("[1").fill(record, 30 * MIB).text("]").end();
    table.row("a day of 4 that inflate a thousandfold", &logs(vec![bomb.clone(); 4]), "scan", &[]);
    table.row("the same", &logs(vec![bomb; 4]), "verify", &[]);
    table.row("stored large", &logs(vec![noise(63 * MIB); 3]), "scan", &[]);
    table.row("stored large", &logs(vec![noise(63 * MIB); 3]), "verify", &[]);
    let content = || Bomb::new().fill("[", 500 * MIB).end();
    table.row("content of 500 MiB", &logs([content(), content()]), "verify", &[]);
}

#[test]
fn digests_whatever_they_hold() {
    let table = Table::new(512);
    let four = |name: &str, open: &str, piece: &str, close: &str| {
        let body = Bomb::new().text(open).fill(piece, 15 * MIB).text(close).end();
        table.row(name, &digests(vec![body; 4]), "verify", &[])
    };
    four("list of numbers", "{\"logFiles\":[1", ",1", "]}");
    four("list of empty objects", "{\"logFiles\":[{}", ",{}", "]}");
    four("list of empty lists", "{\"logFiles\":[[]", ",[]", "]}");
    four("members", "{\"a\":1", ",\"a\":1", "}");
    four("members as sparse as they may be", "{\"aaaaaaaaaaaaaaa\":1", ",\"aaaaaaaaaaaaaaa\":1", "}");
    four("one text", "{\"digestEndTime\":\"", "x", "\"}");
    four("one escaped text", "{\"digestEndTime\":\"", "\\u0041", "\"}");
    four("one key", "{\"", "x", "\":1}");
    four("one number", "{\"a\":1e1", "9", "}");
    four("nesting", "", "[", "");
    four("commas", "[", ",", "]");
    four("blanks", "", " ", "");
    let sixty = Bomb::new().text("{\"logFiles\":[1").fill(",1", 60 * MIB).text("]}").end();
    table.row("content of 60 MiB", &digests(vec![sixty; 8]), "verify", &[]);
    let listing = |number: usize| {
        let head = digest_head(number, "", "");
        Bomb::new().text(&head).text(&entry(0)).each(95_000, |n| format!(",{}", entry(n))).text("]}").end()
    };
    table.row("entries that nobody signed", &digests((0..8).map(listing)), "verify", &[]);
    let small = |number: usize| {
        let head = digest_head(number, "", "");
        Bomb::new().text(&head).text(&entry(0)).each(4_000, |n| format!(",{}", entry(n))).text("]}").end()
    };
    table.row("many with entries that nobody signed", &digests((0..300).map(small)), "verify", &[]);
}

#[test]
fn texts_of_digests_do_not_fill_the_report() {
    let table = Table::new(512);
    let long = format!("\"{}\"", "é\\u0041".repeat(2 * MIB));
    let fields = [
        "awsAccountId",
        "digestEndTime",
        "digestStartTime",
        "digestS3Object",
        "digestS3Bucket",
        "digestPublicKeyFingerprint",
        "digestSignatureAlgorithm",
        "previousDigestS3Object",
    ];
    let bodies =
        fields.iter().enumerate().map(|(at, field)| Bomb::new().text(&digest_head(at, field, &long)).text("]}").end());
    table.row("each field 16 MiB long", &digests(bodies), "verify", &[]);
    let just = format!("\"{}\"", "é".repeat(512));
    let bodies = (0..2_000).map(|at| Bomb::new().text(&digest_head(at, fields[at % 8], &just)).text("]}").end());
    table.row("2,000 with each field as long as it may be", &digests(bodies), "verify", &["--format", "json"]);
}

/// Verifies what lies in a server.
fn over_s3(table: &Table, name: &str, server: &Server) -> Value {
    let kept = tempfile::tempdir().unwrap();
    let (address, url) = (format!("s3://{BUCKET}"), server.url());
    let args = ["verify", &address, "--endpoint-url", &url, "--max-memory", "512MiB"];
    let variables = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("XDG_DATA_HOME", kept.path().to_str().unwrap()),
    ];
    table.judge(&format!("verify: {name} over S3"), measure(&args.map(str::to_owned), &variables))
}

/// Digests of 16 MiB, stored as they are, without gzip: what is fetched is what is held.
fn server_of_digests(count: usize) -> Server {
    let server = Server::start(1000);
    let mut body = digest_head(0, "", "").into_bytes();
    body.resize(16 * MIB, b' ');
    let body = bytes::Bytes::from(body);
    for number in 0..count {
        server.store.put(BUCKET, &digest_key(number), body.clone(), BTreeMap::new());
    }
    server
}

#[test]
fn bodies_over_s3_take_their_share() {
    over_s3(&Table::new(512), "32 digests of 16 MiB", &server_of_digests(32));
}

#[test]
fn digests_that_are_larger_than_listed_take_their_share() {
    let server = server_of_digests(64);
    server.store.list_as(100);
    let report = over_s3(&Table::new(512), "64 digests of 16 MiB, listed as small", &server);
    // Read all the same.
    assert_eq!((&report["digests"]["malformed"], &report["digests"]["unreadable"]), (&64.into(), &0.into()));
}

#[test]
fn logs_whose_size_nothing_tells_take_their_share() {
    let (count, body) = (24, bytes::Bytes::from(noise(48 * MIB)));
    let key = |number: usize| Chain::new().log_key("2026-01-02T17:50:00Z".parse().unwrap(), &format!("n{number:015}"));
    let chain = Chain::with(move |_, draft| {
        let entries = (0..count).map(|number| {
            serde_json::json!({"s3Bucket": BUCKET, "s3Object": key(number), "hashValue": "0".repeat(64),
                               "hashAlgorithm": "SHA-256", "newestEventTime": null, "oldestEventTime": null})
        });
        draft.logs.clear();
        draft.fields.insert("logFiles".into(), entries.collect());
    });
    let server = Chain { hours: 1, ..chain }.build().serve();
    server.store.hide("_n0");
    for number in 0..count {
        server.store.put(BUCKET, &key(number), body.clone(), BTreeMap::new());
    }
    let report = over_s3(&Table::new(512), "24 logs of 48 MiB that are not listed", &server);
    // Read all the same.
    let logs = &report["logs"];
    assert_eq!((&logs["altered"], &logs["unreadable"]), (&count.into(), &0.into()), "{}", report["findings"][0]);
}

#[test]
fn a_prefix_for_each_account_takes_memory_once() {
    let table = Table::new(128);
    let archive = Archive::new();
    let regions =
        ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-north-1", "sa-east-1"];
    for account in 0..400 {
        for region in regions {
            let chain = Chain {
                root: format!("trails-of-the-whole-company/a-long-prefix-of-account-{account}/AWSLogs/"),
                account: format!("{:012}", 111_122_223_333_u64 + account),
                region: region.to_owned(),
                ..Chain::new()
            };
            let key = chain.log_key("2026-01-02T18:01:00Z".parse().unwrap(), "AbCdEfGhIjKlMnOp");
            archive.put(&key, &crate::support::chain::gzip(b"{\"Records\":[]}"), &BTreeMap::new());
        }
    }
    archive.put_keys(&serde_json::json!({"PublicKeyList": [crate::support::chain::KEY.listed()]}));
    table.row("400 prefixes, 3,200 accounts and Regions", &archive, "verify", &[]);
}

#[test]
fn names_take_no_more_than_they_are_long() {
    let table = Table::new(128);
    let archive = Archive::new();
    let long = |number: usize| format!("{number:06}{}", "n".repeat(240));
    for number in 0..20_000 {
        let key = format!("AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/01/02/{}", long(number));
        archive.put(&key, b"x", &BTreeMap::new());
    }
    for number in 0..2_000 {
        archive.put(&format!("AWSLogs/{ACCOUNT}/{}/x", long(number)), b"x", &BTreeMap::new());
    }
    archive.put_keys(&serde_json::json!({"PublicKeyList": [crate::support::chain::KEY.listed()]}));
    table.row("20,000 long names, 2,000 folders of others", &archive, "verify", &[]);
}

/// A table that counts large logs whose rows are held at once.
#[derive(Default)]
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
    taken: AtomicUsize,
}

/// Content that no worker holds at any time.
const LARGE: usize = 6 * MIB;

impl LogSink for Held {
    type Error = Infallible;
    type Batch = usize;

    fn begin(&self) -> usize {
        0
    }

    fn take(&self, batch: &mut usize, log: &LogContent<'_>) -> Result<Records, Infallible> {
        if log.content.len() >= LARGE {
            *batch += 1;
            self.taken.fetch_add(1, Ordering::Relaxed);
            self.most.fetch_max(self.now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        Ok(Records::default())
    }

    fn end(&self, _: &mut usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn put(&self, mut batch: usize) -> Result<(), Infallible> {
        self.put_part(&mut batch)
    }

    fn is_full(&self, batch: &usize) -> bool {
        *batch > 0
    }

    fn put_part(&self, batch: &mut usize) -> Result<(), Infallible> {
        self.now.fetch_sub(std::mem::take(batch), Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn rows_of_large_logs_do_not_pile_up_however_many_workers_there_are() {
    let mut source = Memory::empty();
    for day in 1..=8 {
        for name in ["small", "large", "later"] {
            let minute = format!("2026-01-{day:02}T18:01:00Z").parse().unwrap();
            let key = Chain::new().log_key(minute, &format!("{name}{day:011}"));
            let body = Bomb::new().fill(" ", if name == "large" { LARGE } else { 1 }).end();
            source.objects.insert(key, (body.into(), DigestMetadata::default()));
        }
    }
    let (held, setup) = (Arc::new(Held::default()), Setup { threads: 5, ..Setup::default() });
    let keys = inprocess::keys::<NoService>(&[]);
    let report = inprocess::report_to(source, BUCKET, &keys, setup, Some(held.clone()));
    let report = inprocess::runtime().block_on(report).unwrap();
    assert_eq!(report.logs.listed, 24);
    assert_eq!((held.taken.load(Ordering::Relaxed), held.most.load(Ordering::Relaxed)), (8, 1));
}
