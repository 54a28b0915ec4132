//! The table as a whole: the same for the same archive, wherever it is put, and whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::support::s3::{Fault, Server};
use crate::support::{Answer, ids, run, unpacked};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;
use trailproof_synth::{Sizes, SynthOptions};
use trailproof_table::columns::RowBuilder;
use trailproof_table::sink::{Area, Directory, Encoder, Partition, Store as _, Table};

fn testdata(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/clean").join(part)
}

/// An archive of about 10 MB of JSON: several batches of logs, and several row groups.
fn made(folder: &Path) -> PathBuf {
    let archive = folder.join("archive");
    trailproof_synth::write(SynthOptions {
        accounts: 3,
        regions: 2,
        hours: 5,
        logs_per_hour: 8,
        records_per_log: 100,
        sizes: Sizes::Mixed,
        ..SynthOptions::new(&archive)
    })
    .unwrap();
    archive
}

fn scan(archive: &Path, out: &str, more: &[&str]) -> Answer {
    run(&scan_of(archive, out, more))
}

fn scan_of(archive: &Path, out: &str, more: &[&str]) -> Vec<String> {
    let mut args = vec!["scan".to_owned(), archive.join("bucket").display().to_string()];
    let keys = archive.join("public-keys.json");
    if keys.exists() {
        args.extend(["--public-keys".to_owned(), keys.display().to_string()]);
    }
    args.extend(["--format", "json", "--out", out].map(str::to_owned));
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    args
}

/// Every Parquet file below a folder, by its path.
fn files(folder: &Path) -> BTreeMap<String, Bytes> {
    fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Bytes>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, files);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                files.insert(name, fs::read(&path).unwrap().into());
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(folder, folder, &mut found);
    found
}

/// A report without what depends on when and how it was made.
fn timeless(mut report: Value) -> Value {
    report["tool"] = Value::Null;
    report["clock"] = Value::Null;
    report["timings"] = Value::Null;
    report["output"]["destination"] = Value::Null;
    report
}

#[test]
fn the_same_archive_makes_the_same_table_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let archive = made(folder.path());
    let table = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let answer = scan(&archive, out.to_str().unwrap(), more);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        (files(&out), timeless(answer.report))
    };
    let (one, report) = table("one", &["--threads", "1"]);
    assert!(!one.is_empty());
    for (name, more) in [("two", ["--threads", "2"]), ("five", ["--threads", "5"])] {
        let (other, of_other) = table(name, &more);
        assert!(one == other, "the files differ: {:?} {:?}", one.keys(), other.keys());
        assert_eq!(report, of_other);
    }
}

#[test]
fn a_table_by_account_and_region_holds_the_same_rows_in_folders_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let archive = made(folder.path());
    let out = folder.path().join("table");
    let answer = scan(&archive, out.to_str().unwrap(), &["--partition-by", "event_date,account,region"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let mut rows = 0;
    for (name, file) in files(&out) {
        let parts: Vec<&str> = name.split('/').collect();
        assert_eq!(parts.len(), 5, "{name}");
        let (account, region) = (parts[2].strip_prefix("account=").unwrap(), parts[3].strip_prefix("region=").unwrap());
        let reader = SerializedFileReader::new(file).unwrap();
        for group in reader.metadata().row_groups() {
            rows += group.num_rows();
            for (column, value) in [("source_account_id", account), ("source_region", region)] {
                let chunk = group.columns().iter().find(|chunk| chunk.column_path().string() == column).unwrap();
                let statistics = chunk.statistics().unwrap();
                let bounds = [statistics.min_bytes_opt(), statistics.max_bytes_opt()];
                assert_eq!(bounds, [Some(value.as_bytes()); 2], "{name}");
            }
        }
    }
    assert_eq!(rows, answer.report["records"]["written"].as_i64().unwrap());
}

#[test]
fn a_file_says_what_engines_need_to_skip_most_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let archive = made(folder.path());
    let out = folder.path().join("table");
    assert_eq!(scan(&archive, out.to_str().unwrap(), &[]).code, 0);
    for (name, file) in files(&out) {
        let reader = SerializedFileReader::new(file).unwrap();
        // In a few rows nothing repeats.
        for group in reader.metadata().row_groups().iter().filter(|group| group.num_rows() > 500) {
            let chunk = |column: &str| -> &ColumnChunkMetaData {
                group.columns().iter().find(|chunk| chunk.column_path().string() == column).unwrap()
            };
            let is_empty = |chunk: &ColumnChunkMetaData| chunk.statistics().unwrap().min_bytes_opt().is_none();
            for column in ["event_id", "request_id", "user_arn", "user_access_key_id", "source_ip_address"] {
                assert!(is_empty(chunk(column)) || chunk(column).bloom_filter_offset().is_some(), "{name}: {column}");
            }
            for column in ["event_name", "event_source", "source_account_id", "user_agent", "integrity"] {
                assert!(chunk(column).dictionary_page_offset().is_some(), "{name}: {column} has no dictionary");
            }
            for column in ["event_id", "request_parameters"] {
                assert!(chunk(column).dictionary_page_offset().is_none(), "{name}: {column} has a dictionary");
            }
            assert!(group.columns().iter().all(|chunk| chunk.offset_index_offset().is_some()), "{name}");
            assert!(chunk("event_time").column_index_offset().is_some(), "{name}");
        }
    }
}

/// What a file's footer will say is held in memory until the file is closed.
#[test]
fn open_files_hold_64_row_groups_and_the_one_used_least_lately_is_closed() {
    let rows = RowBuilder::new(false);
    let files_of = |days: &mut dyn Iterator<Item = i32>| {
        let mut table = Table::new(Box::new(crate::support::table::Memory::default()));
        for day in days {
            let group = Encoder::default().encode(&rows.rows(), &[]).unwrap();
            table.append(Partition { area: Area::Events, day, place: None }, group).unwrap();
        }
        table.finish().unwrap().into_iter().map(|file| file.path).collect::<Vec<_>>()
    };
    let passed_by = |others| files_of(&mut std::iter::once(1).chain(std::iter::repeat_n(2, others)).chain([1]));
    let (first, second, third) = (
        "events/event_date=1970-01-02/part-00000.parquet",
        "events/event_date=1970-01-03/part-00001.parquet",
        "events/event_date=1970-01-02/part-00002.parquet",
    );
    assert_eq!(passed_by(62), [first, second]);
    assert_eq!(passed_by(64), [first, second, third]);
    assert_eq!(files_of(&mut (0..1000)).len(), 1000);
}

#[test]
fn a_file_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::at(folder.path());
    let mut given_up = store.create("events/event_date=1970-01-02/part-00000.parquet").unwrap();
    given_up.write_all(b"PAR1").unwrap();
    drop(given_up);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The last bytes of the larger file find no room: those that are written when everything else is.
#[test]
#[cfg(unix)]
fn a_table_that_finds_no_room_at_its_end_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/clean");
    let out = folder.path().join("table").display().to_string();
    assert_eq!(scan(&archive, &out, &[]).code, 0);
    let largest = files(Path::new(&out)).values().map(Bytes::len).max().unwrap();
    fs::remove_dir_all(&out).unwrap();
    let limits = format!("trap '' XFSZ; ulimit -f {}", (largest - 1) / 512);
    let answer = crate::support::run_limited(&limits, &scan_of(&archive, &out, &[]));
    assert_eq!(answer.code, 4, "{}", answer.stderr);
    assert!(answer.stderr.contains("cannot be written"), "{}", answer.stderr);
    let left: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A system lets a program hold some hundreds of files; a table has as many as it has days, accounts and Regions.
#[test]
#[cfg(unix)]
fn a_table_may_have_more_files_than_a_program_may_hold() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    let options = SynthOptions {
        accounts: 60,
        regions: 4,
        hours: 1,
        logs_per_hour: 1,
        records_per_log: 1,
        ..SynthOptions::new(&archive)
    };
    trailproof_synth::write(options).unwrap();
    let out = folder.path().join("table").display().to_string();
    let args = scan_of(&archive, &out, &["--partition-by", "event_date,account,region", "--threads", "2"]);
    let answer = crate::support::run_limited("ulimit -n 100", &args);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let written = files(Path::new(&out)).len();
    assert!(written > 100, "{written} files");
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn duplicates_are_counted_and_left_out_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("bucket/AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02");
    fs::create_dir_all(&logs).unwrap();
    let event = |id: &str, name: &str| {
        format!(
            r#"{{"eventTime":"2026-01-02T03:04:05Z","eventName":"{name}","eventID":"{id}","recipientAccountId":"1"}}"#
        )
    };
    // Of event a there are two copies and a third that differs; b and c stand alone.
    let first = format!(r#"{{"Records":[{},{}]}}"#, event("a", "x"), event("b", "x"));
    let second = format!(r#"{{"Records":[{},{},{}]}}"#, event("a", "x"), event("a", "y"), event("c", "x"));
    for (part, content) in [("A", first), ("B", second)] {
        let name = format!("111122223333_CloudTrail_us-east-1_20260102T0305Z_{}.json.gz", part.repeat(16));
        fs::write(logs.join(name), gzip(&content)).unwrap();
    }
    for (dedupe, written, left_out) in [("none", 5, 0), ("exact", 4, 1)] {
        let out = folder.path().join(dedupe);
        let answer = scan(folder.path(), out.to_str().unwrap(), &["--dedupe", dedupe]);
        assert_eq!(answer.report["records"]["read"], 5, "{}", answer.stderr);
        assert_eq!(answer.report["records"]["written"], written);
        assert_eq!(answer.report["records"]["deduplicated"], left_out);
        assert_eq!(answer.report["output"]["duplicates"], 2, "{dedupe}");
    }
}

mod needs_shared {
    use super::*;

    #[test]
    #[ignore = "needs ../shared"]
    fn the_duplicates_of_the_real_archive_are_counted() {
        let folder = unpacked("sans-504");
        let out = folder.path().join("table");
        let answer = scan(folder.path(), out.to_str().unwrap(), &["--dedupe", "exact"]);
        assert_eq!(answer.report["output"]["duplicates"], 6496, "{}", answer.stderr);
    }
}

/// Where tables go in the tests of S3.
const TABLES: &str = "tables-bucket";

fn scan_to_s3(server: &Server, more: &[&str]) -> Answer {
    server.store.make_bucket(TABLES);
    let (bucket, keys) = (testdata("bucket"), testdata("public-keys.json"));
    server.store.put_directory("example-org-trail", &bucket, &bucket);
    let out = format!("s3://{TABLES}/some/where");
    let mut args = vec!["--public-keys", keys.to_str().unwrap(), "--out", &out];
    args.extend(more);
    server.run("scan", "example-org-trail", &args)
}

#[test]
fn a_table_in_s3_is_the_one_that_a_directory_holds() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("table");
    let local = scan(&testdata(""), out.to_str().unwrap(), &[]);
    let server = Server::start(100);
    let remote = scan_to_s3(&server, &["--kms-key", "alias/tables"]);
    assert_eq!((local.code, remote.code), (0, 0), "{}", remote.stderr);
    let below = |(key, body): (String, Bytes)| Some((key.strip_prefix("some/where/")?.to_owned(), body));
    let mut objects: BTreeMap<String, Bytes> = server.store.objects(TABLES).into_iter().filter_map(below).collect();
    let beside: Value = serde_json::from_slice(&objects.remove("report.json").unwrap()).unwrap();
    assert_eq!(beside, remote.report);
    assert!(objects == files(&out), "{:?}", objects.keys());
    assert_eq!(timeless(local.report), timeless(remote.report));
    assert_eq!(server.store.kms_keys.lock().unwrap().iter().collect::<Vec<_>>(), ["alias/tables"]);
    let again = scan_to_s3(&server, &[]);
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(again.stderr.contains("s3://tables-bucket/some/where/events: holds a table already"), "{}", again.stderr);
}

#[test]
fn a_table_that_cannot_be_completed_in_s3_leaves_no_object_and_no_upload() {
    let parts = [
        "some/where/events/event_date=2026-02-28/part-00000.parquet",
        "some/where/events/event_date=2026-03-01/part-00001.parquet",
    ];
    for at in [parts[0].to_owned(), parts[1].to_owned(), format!("{}?complete", parts[1])] {
        let server = Server::start(100);
        server.store.fail(&at, Fault::Code("AccessDenied"), u32::MAX);
        let answer = scan_to_s3(&server, &[]);
        assert_eq!(answer.code, 4, "{at}: {} {:?}", answer.stderr, ids(&answer.report));
        assert!(answer.stderr.contains("access denied"), "{}", answer.stderr);
        assert_eq!(server.store.objects(TABLES).keys().collect::<Vec<_>>(), Vec::<&String>::new(), "{at}");
        assert_eq!(server.store.open_uploads(), 0, "{at}");
    }
}

#[test]
fn an_object_whose_answer_was_lost_is_known_again() {
    let part = "some/where/events/event_date=2026-02-28/part-00000.parquet";
    for at in [part, "some/where/report.json", "some/where/.trailproof-claim"] {
        for lost in [1, 2] {
            let server = Server::start(100);
            server.store.fail(&format!("{at}?answered"), Fault::Reset, lost);
            let answer = scan_to_s3(&server, &[]);
            assert_eq!(answer.code, 0, "{at}, {lost}: {}", answer.stderr);
            let objects = server.store.objects(TABLES);
            assert_eq!(objects.len(), 3, "{at}, {lost}: {:?}", objects.keys());
        }
    }
}

#[test]
fn a_table_waits_for_a_service_that_refuses_it_for_a_while() {
    let part = "some/where/events/event_date=2026-02-28/part-00000.parquet";
    for at in [part.to_owned(), format!("{part}?complete")] {
        let server = Server::start(100);
        server.store.fail(&at, Fault::Code("SlowDown"), 10);
        let answer = scan_to_s3(&server, &[]);
        assert_eq!(answer.code, 0, "{at}: {}", answer.stderr);
    }
}
