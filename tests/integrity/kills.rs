//! Runs that are killed while they work and while they write a checkpoint: the next run is right.
//!
//! The program is killed for good: at moments spread over a whole run, when a step of the writing is seen from outside, and
//! by the system in the middle of the write, where a file may grow no further.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::support::{Answer, Archive};
use trailproof_proof::checkpoint::Checkpoint;

/// Enough chains that a checkpoint of them takes several pieces of 512 bytes.
const ACCOUNTS: u64 = 12;

/// One archive in three states, and a checkpoint made of the second.
struct Killed {
    /// What the archive held before the checkpoint in place was made.
    short: Archive,
    /// What it held at the checkpoint.
    then: Archive,
    /// What it holds now.
    now: Archive,
    file: PathBuf,
    before: Vec<u8>,
    /// The heads of a checkpoint made of `now`.
    after: Value,
    started: usize,
}

/// What a killed run left in place of a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Left {
    Old,
    New,
}

fn archive(hours: usize) -> Archive {
    let mut built = Built::default();
    for account in 0..ACCOUNTS {
        let account = (111_122_223_333 + account).to_string();
        Chain { hours, account, ..Chain::new() }.build_into(&mut built);
    }
    let archive = Archive::new();
    for (key, (body, metadata)) in &built.objects {
        archive.put(key, body, metadata);
    }
    archive.put_keys(&json!({ "PublicKeyList": built.public_keys }));
    archive
}

fn heads(file: &[u8]) -> Value {
    serde_json::from_slice::<Value>(file).unwrap()["heads"].take()
}

impl Killed {
    fn new() -> Self {
        let (short, then, now) = (archive(1), archive(2), archive(3));
        let file = now.path("heads.json");
        let mut killed = Self { short, then, now, file, before: Vec::new(), after: Value::Null, started: 0 };
        assert_eq!(killed.verify(&killed.now).code, 0);
        killed.after = heads(&fs::read(&killed.file).unwrap());
        fs::remove_file(&killed.file).unwrap();
        assert_eq!(killed.verify(&killed.then).code, 0);
        killed.before = fs::read(&killed.file).unwrap();
        assert_eq!(killed.after.as_array().unwrap().len() as u64, ACCOUNTS);
        killed
    }

    fn verify(&self, archive: &Archive) -> Answer {
        archive.verify(&["--checkpoint", &self.file.display().to_string()])
    }

    /// What runs are writing, or were when they were killed.
    fn partial(&self) -> Option<PathBuf> {
        let names = fs::read_dir(self.file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
        // Before anything is read, a file is made and taken away again, to see whether one can be.
        names.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "partial") && len(path) > 0)
    }

    fn clear(&self) {
        while let Some(partial) = self.partial() {
            fs::remove_file(partial).unwrap();
        }
    }

    /// A run over the archive as it is now, with the old checkpoint in place.
    fn start(&mut self, mut command: Command) -> Child {
        fs::write(&self.file, &self.before).unwrap();
        self.clear();
        self.started += 1;
        command.arg("verify").arg(self.now.bucket()).arg("--public-keys").arg(self.now.path("keys.json"));
        command.arg("--checkpoint").arg(&self.file);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Kills a run as soon as `seen` holds, or lets it end.
    fn kill_when(&mut self, seen: impl Fn(&Self) -> bool) -> ExitStatus {
        let mut child = self.start(Command::new(env!("CARGO_BIN_EXE_trailproof")));
        while child.try_wait().unwrap().is_none() && !seen(self) {}
        child.kill().unwrap();
        child.wait().unwrap()
    }

    /// The checkpoint is the old one or the new one, whole, and the next runs are right, whichever comes first.
    fn next_runs_are_right(&self) -> Left {
        let bytes = fs::read(&self.file).unwrap();
        Checkpoint::parse(&bytes).unwrap();
        let left = if bytes == self.before { Left::Old } else { Left::New };
        if left == Left::New {
            assert_eq!(heads(&bytes), self.after);
        }
        if self.started.is_multiple_of(2) {
            self.truncation_is_told(&self.short);
        }
        let answer = self.verify(&self.now);
        assert_eq!((answer.code, ids(&answer.report)), (0, Vec::new()), "{left:?} was left: {}", answer.stderr);
        assert_eq!(heads(&fs::read(&self.file).unwrap()), self.after);
        // Now the older state of the archive is a truncated one.
        self.truncation_is_told(&self.then);
        left
    }

    fn truncation_is_told(&self, archive: &Archive) {
        let answer = self.verify(archive);
        assert_eq!((answer.code, ids(&answer.report)), (1, vec!["head-went-back".to_owned()]), "{}", answer.stderr);
    }
}

fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[test]
fn after_a_kill_at_any_moment_of_a_run_the_next_run_is_right() {
    const MOMENTS: u32 = 36;
    let mut killed = Killed::new();
    let whole = Instant::now();
    assert!(killed.kill_when(|_| false).success());
    // A little more, so that some runs are killed just after their end.
    let whole = whole.elapsed() * 11 / 10;
    for moment in 0..MOMENTS {
        let mut child = killed.start(Command::new(env!("CARGO_BIN_EXE_trailproof")));
        std::thread::sleep(Duration::from_nanos(whole.as_nanos() as u64 * u64::from(moment) / u64::from(MOMENTS)));
        child.kill().unwrap();
        child.wait().unwrap();
        killed.next_runs_are_right();
    }
}

#[test]
fn after_a_kill_at_any_step_of_a_checkpoints_writing_the_next_run_is_right() {
    let mut killed = Killed::new();
    let whole = killed.before.len() as u64;
    for _ in 0..4 {
        killed.kill_when(|killed| killed.partial().is_some());
        killed.next_runs_are_right();
        killed.kill_when(|killed| killed.partial().is_some_and(|partial| len(&partial) >= whole));
        killed.next_runs_are_right();
        killed.kill_when(|killed| fs::read(&killed.file).unwrap() != killed.before);
        assert_eq!(killed.next_runs_are_right(), Left::New);
    }
}

/// A file that may not grow beyond a limit: the write ends there, and the system kills the program at the next one.
#[test]
fn after_a_kill_in_the_middle_of_a_checkpoints_writing_the_next_run_is_right() {
    let mut killed = Killed::new();
    let whole = killed.before.len() as u64;
    let mut cut = Vec::new();
    for blocks in 0.. {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -c 0; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
        shell.arg(env!("CARGO_BIN_EXE_trailproof"));
        let status = killed.start(shell).wait().unwrap();
        if status.success() {
            break;
        }
        // Where the signal is ignored, the write fails and the program says so.
        assert!(status.signal().is_some() || status.code() == Some(4), "{status}");
        cut.push(killed.partial().map_or(0, |partial| len(&partial)));
        assert_eq!(killed.next_runs_are_right(), Left::Old, "cut at {cut:?} of {whole} bytes");
    }
    assert!(cut.len() >= 4 && cut.iter().all(|&len| len < whole), "{cut:?} of {whole} bytes");
}
