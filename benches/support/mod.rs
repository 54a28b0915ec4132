//! The corpus of the stage benches: an archive of seed 1, made by `synth` and held in memory.

pub(crate) mod writers;

use std::fs;
use std::path::Path;

use trailproof_proof::gunzip;
use trailproof_synth::{Sizes, SynthOptions};

/// Mean JSON of a corpus, in records; about 9 MB.
const RECORDS: u32 = 6_000;

/// Everything that the stages take, in the order of keys.
pub(crate) struct Corpus {
    /// Keys of logs and digests.
    pub(crate) keys: Vec<String>,
    /// Keys of logs.
    pub(crate) log_keys: Vec<String>,
    /// Logs as stored.
    pub(crate) stored: Vec<Vec<u8>>,
    /// Logs, inflated.
    pub(crate) contents: Vec<Vec<u8>>,
    /// Bytes of the logs, inflated.
    pub(crate) json_bytes: usize,
    /// Records in the logs.
    pub(crate) records: usize,
    /// Digests, inflated, each with its signature in hex.
    pub(crate) digests: Vec<(Vec<u8>, String)>,
    /// What `aws cloudtrail list-public-keys` prints.
    pub(crate) public_keys: Vec<u8>,
}

impl Corpus {
    /// A corpus whose logs hold about this many records each.
    pub(crate) fn of(records_per_log: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (accounts, regions, hours) = (2, 2, 6);
        let dest = folder.path().join("archive");
        let summary = trailproof_synth::write(SynthOptions {
            accounts,
            regions,
            hours,
            logs_per_hour: (RECORDS / records_per_log).div_ceil(accounts * regions * hours),
            records_per_log,
            sizes: Sizes::Even,
            ..SynthOptions::new(&dest)
        })
        .unwrap();
        let mut corpus = Self {
            keys: Vec::new(),
            log_keys: Vec::new(),
            stored: Vec::new(),
            contents: Vec::new(),
            json_bytes: 0,
            records: usize::try_from(summary.totals.records).unwrap(),
            digests: Vec::new(),
            public_keys: fs::read(dest.join("public-keys.json")).unwrap(),
        };
        let bucket = dest.join("bucket");
        let mut files = Vec::new();
        files_below(&bucket, &mut files);
        files.sort();
        for file in files {
            let key = file.strip_prefix(bucket.to_str().unwrap()).unwrap().trim_start_matches('/').to_owned();
            if !key.ends_with(".json.gz") {
                continue;
            }
            let stored = fs::read(&file).unwrap();
            let mut content = gunzip::Content::default();
            gunzip::inflate(&stored, 1 << 30, &mut content);
            let content = content.to_vec();
            if key.contains("/CloudTrail-Digest/") {
                let metadata = fs::read(format!("{file}.metadata.json")).unwrap();
                let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap();
                corpus.digests.push((content, metadata["signature"].as_str().unwrap().to_owned()));
            } else {
                corpus.json_bytes += content.len();
                corpus.log_keys.push(key.clone());
                corpus.stored.push(stored);
                corpus.contents.push(content);
            }
            corpus.keys.push(key);
        }
        corpus
    }
}

fn files_below(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, files) } else { files.push(path.to_str().unwrap().to_owned()) }
    }
}
