//! What the integration tests share: archives in temporary directories, and runs of the real command over them.

pub mod case;
pub mod chain;
pub mod inprocess;
pub mod s3;
pub mod table;
pub mod weather;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A part of the material that lies beside a checkout, for the tests that say they need it.
pub fn shared(part: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    std::env::var_os("TRAILPROOF_SHARED").map_or(beside, PathBuf::from).join(part)
}

/// One of the real archives, unpacked; its objects lie below `bucket`.
pub fn unpacked(archive: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tar = shared("real").join(format!("{archive}.tar.gz"));
    assert!(Command::new("tar").arg("xzf").arg(tar).arg("-C").arg(folder.path()).status().unwrap().success());
    folder
}

/// An archive in a directory of its own, with keys.
pub struct Archive {
    folder: tempfile::TempDir,
}

/// What a run of the command came to.
pub struct Answer {
    pub code: i32,
    pub report: Value,
    pub stderr: String,
}

impl Archive {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join("bucket")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn put(&self, key: &str, body: &[u8], metadata: &BTreeMap<String, String>) {
        let path = self.bucket().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, body).unwrap();
        if !metadata.is_empty() {
            let beside = format!("{}.metadata.json", path.display());
            fs::write(beside, serde_json::to_vec(metadata).unwrap()).unwrap();
        }
    }

    pub fn put_keys(&self, keys: &Value) {
        fs::write(self.path("keys.json"), keys.to_string()).unwrap();
    }

    /// Runs `verify` over the archive with its keys.
    pub fn verify(&self, more: &[&str]) -> Answer {
        fs::create_dir_all(self.bucket()).unwrap();
        let mut args = vec!["verify".to_owned(), self.bucket().display().to_string()];
        args.extend(["--public-keys".to_owned(), self.path("keys.json").display().to_string()]);
        args.extend(["--format".to_owned(), "json".to_owned()]);
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        run(&args)
    }
}

/// Runs the command; its report is what it printed.
pub fn run(args: &[String]) -> Answer {
    run_with(args, &[])
}

/// Runs the command in an environment with these variables.
pub fn run_with(args: &[String], variables: &[(&str, &str)]) -> Answer {
    answer(Command::new(env!("CARGO_BIN_EXE_trailproof")).args(args).envs(variables.iter().copied()))
}

/// Runs the command where a shell has set limits first, such as `ulimit -n 100`.
pub fn run_limited(limits: &str, args: &[String]) -> Answer {
    let script = format!("{limits}; exec \"$0\" \"$@\"");
    answer(Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_trailproof")]).args(args))
}

fn answer(command: &mut Command) -> Answer {
    let output = command.env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    Answer { code: output.status.code().unwrap_or(-1), report, stderr }
}

/// The worst severity of a report's findings, `ok` when there is none.
pub fn worst(report: &Value) -> &'static str {
    const ORDER: [&str; 5] = ["tamper", "malformed", "coverage", "inconclusive", "warning"];
    let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    ORDER.into_iter().find(|severity| findings.iter().any(|finding| finding["severity"] == *severity)).unwrap_or("ok")
}

/// The ids of a report's findings, sorted, each once.
pub fn ids(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut ids: Vec<String> = findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
