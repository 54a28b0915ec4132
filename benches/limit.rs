//! The limit that `verify` and `scan` are measured against: reads the same logs, inflates them and hashes them, nothing else.
//!
//! `cargo bench --bench limit -- DIRECTORY THREADS` prints one line of JSON: logs, bytes of JSON, seconds. The inflater
//! and the hash are the fastest at hand (libdeflate, and SHA-256 by the processor's own instructions), the buffers are used
//! again, and finding the files is not counted.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may panic, and prints its result")]

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sha2::Digest as _;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [folder, threads] = arguments.as_slice() else {
        println!("usage: cargo bench --bench limit -- DIRECTORY THREADS");
        return;
    };
    let mut files = Vec::new();
    logs_below(Path::new(folder), &mut files);
    files.sort();
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let bytes: usize = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.parse().unwrap()).map(|_| scope.spawn(|| inflate_and_hash(&files, &next))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    let seconds = started.elapsed().as_secs_f64();
    println!(r#"{{"logs": {}, "json_bytes": {bytes}, "seconds": {seconds}}}"#, files.len());
}

/// Takes one file after another until none is left; the bytes of JSON in them.
fn inflate_and_hash(files: &[PathBuf], next: &AtomicUsize) -> usize {
    let mut inflater = libdeflater::Decompressor::new();
    let (mut stored, mut content, mut bytes) = (Vec::new(), Vec::new(), 0);
    while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
        stored.clear();
        File::open(file).unwrap().read_to_end(&mut stored).unwrap();
        let length = stored.last_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length) as usize);
        if content.len() < length {
            content.resize(length, 0);
        }
        let length = inflater.gzip_decompress(&stored, &mut content[..length]).unwrap();
        std::hint::black_box(sha2::Sha256::digest(&content[..length]));
        bytes += length;
    }
    bytes
}

fn logs_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_log = || path.to_string_lossy().contains("/CloudTrail/") && path.extension().is_some_and(|e| e == "gz");
        if path.is_dir() {
            logs_below(&path, files);
        } else if is_log() {
            files.push(path);
        }
    }
}
