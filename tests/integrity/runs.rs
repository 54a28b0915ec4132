//! Runs in turn under one checkpoint.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::support::s3::Server;
use crate::support::{Answer, Archive};

/// One checkpoint, and archives that are verified under it in turn, in a directory or in a bucket.
pub(crate) struct Runs {
    pub(crate) archive: Archive,
}

impl Runs {
    pub(crate) fn new() -> Self {
        Self { archive: Archive::new() }
    }

    /// After a run over `built`, whatever that came to.
    pub(crate) fn after(built: &Built) -> Self {
        let runs = Self::new();
        runs.run(built, &[]);
        runs
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.archive.path("heads.json")
    }

    pub(crate) fn remembered(&self) -> Value {
        serde_json::from_slice(&fs::read(self.file()).unwrap()).unwrap()
    }

    /// How many are remembered in a state.
    pub(crate) fn states(&self, state: &str) -> usize {
        self.remembered()["heads"].as_array().unwrap().iter().filter(|head| head["state"] == state).count()
    }

    /// Puts an archive in place of the one before, and verifies it.
    pub(crate) fn run(&self, built: &Built, more: &[&str]) -> Answer {
        let _ = fs::remove_dir_all(self.archive.bucket());
        for (key, (body, metadata)) in &built.objects {
            self.archive.put(key, body, metadata);
        }
        self.archive.put_keys(&json!({ "PublicKeyList": built.public_keys }));
        let file = self.file().display().to_string();
        self.archive.verify(&[&["--checkpoint", &file], more].concat())
    }

    /// Over S3: everything below an address, such as `trail-bucket/AWSLogs/`.
    pub(crate) fn over_s3(&self, server: &Server, address: &str, more: &[&str]) -> Answer {
        let file = self.file().display().to_string();
        server.run("verify", address, &[&["--checkpoint", &file], more].concat())
    }
}

/// An exit code and ids of findings, as a run gives them.
pub(crate) fn expected(code: i32, ids: &[&str]) -> (i32, Vec<String>) {
    (code, ids.iter().map(|id| (*id).to_owned()).collect())
}
