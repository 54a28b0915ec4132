//! `scan` as its users run it: what the table holds, what it refuses, and that large archives are written as they are read.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::support::chain::Chain;
use crate::support::{Answer, ids, run};
use arrow::array::{Array as _, AsArray as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use trailproof_synth::{Sizes, SynthOptions};

fn testdata(archive: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(archive)
}

fn scan(archive: &Path, out: &Path, more: &[&str]) -> Answer {
    let text = |path: PathBuf| path.display().to_string();
    let mut args = vec!["scan".to_owned(), text(archive.join("bucket")), "--out".to_owned(), text(out.to_owned())];
    args.extend(["--public-keys".to_owned(), text(archive.join("public-keys.json"))]);
    args.extend(["--format", "json"].map(str::to_owned));
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    run(&args)
}

/// One text column of every row below a folder, with the number of row groups read.
fn column(folder: &Path, name: &str) -> (Vec<Option<String>>, usize) {
    let (mut values, mut row_groups) = (Vec::new(), 0);
    let Ok(entries) = fs::read_dir(folder) else { return (values, 0) };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let (more, groups) = column(&path, name);
            values.extend(more);
            row_groups += groups;
            continue;
        }
        assert!(path.extension().is_some_and(|extension| extension == "parquet"), "{} is left", path.display());
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        row_groups += reader.metadata().num_row_groups();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let texts = batch.column_by_name(name).unwrap().as_string::<i32>();
            values.extend((0..texts.len()).map(|row| texts.is_valid(row).then(|| texts.value(row).to_owned())));
        }
    }
    (values, row_groups)
}

fn number(report: &Value, path: &str) -> u64 {
    report.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} in {report}"))
}

#[test]
fn an_archive_larger_than_the_buffers_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    let options = SynthOptions {
        accounts: 2,
        regions: 2,
        hours: 6,
        logs_per_hour: 12,
        records_per_log: 250,
        sizes: Sizes::Even,
        ..SynthOptions::new(&archive)
    };
    let truth = trailproof_synth::write(options).unwrap().totals;
    let out = folder.path().join("table");
    let answer = scan(&archive, &out, &["--max-memory", "128MiB", "--threads", "3"]);
    assert_eq!(answer.code, 0, "{} {:?}", answer.stderr, ids(&answer.report));
    let (event_ids, row_groups) = column(&out.join("events"), "event_id");
    assert_eq!(event_ids.len() as u64, truth.records);
    assert!(row_groups > 6, "only {row_groups} row groups: the buffers never filled");
    let mut distinct: Vec<_> = event_ids.into_iter().map(Option::unwrap).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len() as u64, truth.records);
}

#[test]
fn rows_of_an_altered_log_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("table");
    let answer = scan(&testdata("changed-log"), &out, &[]);
    assert_eq!((answer.code, ids(&answer.report)), (1, vec!["log-altered".to_owned()]));
    let (quarantined, _) = column(&out.join("quarantine"), "integrity");
    assert!(!quarantined.is_empty() && quarantined.iter().all(|integrity| integrity.as_deref() == Some("altered")));
    let (events, _) = column(&out.join("events"), "integrity");
    assert!(events.iter().all(|integrity| integrity.as_deref() == Some("verified")));
    assert_eq!((events.len() + quarantined.len()) as u64, number(&answer.report, "/records/read"));
}

#[test]
fn rows_of_an_injected_log_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("table");
    let answer = scan(&testdata("injected-log"), &out, &[]);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["log-unlisted".to_owned()]));
    let (quarantined, _) = column(&out.join("quarantine"), "integrity");
    assert_eq!(quarantined, vec![Some("unlisted".to_owned()); 2]);
    assert_eq!(number(&answer.report, "/logs/unlisted"), 1);
}

#[test]
fn each_tampering_of_testdata_is_found_and_named() {
    for (archive, code, expected) in [
        ("deleted-log", 1, vec!["log-missing"]),
        ("deleted-digest", 1, vec!["digest-missing", "log-uncovered"]),
        ("forged-digest", 1, vec!["digest-altered", "log-uncovered"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let answer = scan(&testdata(archive), &folder.path().join("table"), &[]);
        assert_eq!(
            (answer.code, ids(&answer.report)),
            (code, expected.into_iter().map(str::to_owned).collect()),
            "{archive}"
        );
    }
}

#[test]
fn a_destination_that_holds_a_table_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("table");
    assert_eq!(scan(&testdata("clean"), &out, &[]).code, 0);
    let before = column(&out.join("events"), "event_id");
    let again = scan(&testdata("clean"), &out, &[]);
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("holds a table already; choose another --out"), "{}", again.stderr);
    assert_eq!(column(&out.join("events"), "event_id"), before);
}

#[test]
fn the_report_beside_the_table_is_the_one_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (out, report) = (folder.path().join("table"), folder.path().join("asked.json"));
    let answer = scan(&testdata("clean"), &out, &["--report", report.to_str().unwrap()]);
    let beside: Value = serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    let asked: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!((&beside, &beside), (&asked, &answer.report));
    assert_eq!(beside["schema"], "trailproof.report/1");
    let files = beside["output"]["files"].as_array().unwrap();
    let rows: u64 = files.iter().map(|file| file["rows"].as_u64().unwrap()).sum();
    assert_eq!((rows, number(&beside, "/records/written")), (276, 276));
}

#[test]
fn every_usage_error_ends_in_exit_code_2_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("table");
    for (more, said) in [
        (vec!["--from", "yesterday"], "expected RFC 3339"),
        (vec!["--from", "2026-03-02", "--to", "2026-03-01"], "is not before --to"),
        (vec!["--account", "12"], "an account id of 12 digits"),
        (vec!["--region", "mars"], "a Region name"),
        (vec!["--max-memory", "3"], "at least 128MiB"),
        (vec!["--public-keys", "no-such-file.json"], "no-such-file.json"),
    ] {
        let answer = scan(&testdata("clean"), &out, &more);
        assert_eq!(answer.code, 2, "{more:?}");
        assert!(answer.stderr.contains(said), "{more:?}: {}", answer.stderr);
    }
    assert!(!out.exists(), "a usage error leaves nothing behind");
}

#[test]
fn a_table_that_cannot_be_written_is_the_programs_own_failure() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let answer = scan(&testdata("clean"), &file.join("table"), &[]);
    assert_eq!(answer.code, 4, "{}", answer.stderr);
    assert!(answer.stderr.contains("cannot be written"), "{}", answer.stderr);
    assert_eq!(fs::read(&file).unwrap(), b"not a folder");
}

#[test]
fn nothing_to_verify_is_not_success() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("bucket")).unwrap();
    fs::copy(testdata("clean").join("public-keys.json"), folder.path().join("public-keys.json")).unwrap();
    let answer = scan(folder.path(), &folder.path().join("table"), &[]);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["nothing-to-verify".to_owned()]));
}

/// A digest vouches for bytes, whatever they are.
#[test]
fn what_is_no_record_in_a_log_that_a_digest_lists_is_told_and_kept_raw() {
    let chain = Chain::with(|number, draft| {
        if number == 3 {
            draft.logs[0].1 = br#"{"Records":[7,{"eventName":"GetObject"}]}"#.to_vec();
        }
    });
    let (archive, folder) = (chain.build().archive(), tempfile::tempdir().unwrap());
    let out = folder.path().join("table");
    let text = |path: &Path| path.display().to_string();
    let mut args = vec!["scan".to_owned(), text(&archive.bucket()), "--out".to_owned(), text(&out)];
    args.extend(["--public-keys".to_owned(), text(&archive.path("keys.json"))]);
    args.extend(["--format", "json"].map(str::to_owned));
    let answer = run(&args);
    assert!(ids(&answer.report).contains(&"records-malformed".to_owned()), "{}", answer.stderr);
    assert_eq!(number(&answer.report, "/records/malformed"), 1);
    let (reasons, _) = column(&out.join("quarantine"), "malformed_reason");
    assert_eq!(reasons.len(), 1);
}
