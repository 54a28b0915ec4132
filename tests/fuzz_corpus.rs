//! Replays the corpus of every fuzz target through the function that the target runs.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

type Body = fn(&[u8]);

/// Every target, with its function.
const TARGETS: [(&str, Body); 7] = [
    ("checkpoint", bodies::checkpoint),
    ("digest_json", bodies::digest_json),
    ("gzip", bodies::gzip),
    ("key_der", bodies::key_der),
    ("key_file", bodies::key_file),
    ("key_names", bodies::key_names),
    ("records", bodies::records),
];

fn folder(part: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(part)
}

fn names(part: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder(part)).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn every_seed_holds() {
    for (target, body) in TARGETS {
        let mut seeds = 0;
        for entry in fs::read_dir(folder("corpus").join(target)).expect("the corpus is there") {
            body(&fs::read(entry.expect("readable").path()).expect("readable"));
            seeds += 1;
        }
        assert!(seeds >= 5, "{target} has {seeds} seeds");
    }
}

#[test]
fn every_target_has_a_corpus_and_a_replay() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(target, _)| (*target).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), known);
    assert_eq!(names("corpus"), known);
}
