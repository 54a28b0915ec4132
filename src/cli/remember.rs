//! The checkpoint's file: read before the run, written last, after the report.
//!
//! Two runs may use one file. Each takes the lock (`FILE.lock`) only to write: it reads what is there by then and adds what
//! it found, so that neither loses what the other remembered.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};

use super::values::ArchiveAddress;
use super::{Failure, output};
use trailproof_proof::checkpoint::Checkpoint;
use trailproof_proof::finding::{Finding, FindingId};
use trailproof_proof::report::{CheckpointFile, Report};
use trailproof_table::sink::whole::Readers;

/// What earlier runs remembered, and where.
pub(super) struct Remembered {
    file: Option<(PathBuf, File)>,
    checkpoint: Arc<Checkpoint>,
    bucket: String,
    prefix: String,
}

impl Remembered {
    /// Reads the checkpoint, if one was asked for, and makes sure that the next can be written.
    pub(super) fn open(file: Option<&Path>, archive: &ArchiveAddress) -> Result<Self, Failure> {
        let (bucket, prefix) = match archive {
            ArchiveAddress::Directory(_) => (String::new(), String::new()),
            ArchiveAddress::S3 { bucket, prefix } => (bucket.clone(), prefix.clone()),
        };
        let mut remembered =
            Self { file: None, checkpoint: Arc::new(Checkpoint::new(&bucket, &prefix)), bucket, prefix };
        if let Some(file) = file {
            if let Some(checkpoint) = remembered.read(file)? {
                remembered.checkpoint = Arc::new(checkpoint);
            }
            remembered.file = Some((file.to_owned(), output::open_lock(file)?));
        }
        Ok(remembered)
    }

    /// The file as it is now; none where there is none.
    fn read(&self, file: &Path) -> Result<Option<Checkpoint>, Failure> {
        let bytes = match std::fs::read(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => bytes.with_context(|| file.display().to_string()).map_err(Failure::Usage)?,
        };
        let checkpoint = Checkpoint::parse(&bytes).with_context(|| file.display().to_string());
        let checkpoint = checkpoint.map_err(Failure::Usage)?;
        if checkpoint.place.bucket != self.bucket {
            let named = |bucket: &str| match bucket {
                "" => "a directory".to_owned(),
                bucket => format!("s3://{bucket}"),
            };
            let (theirs, ours) = (named(&checkpoint.place.bucket), named(&self.bucket));
            let file = file.display();
            return Err(Failure::usage(anyhow!("{file} is another archive's checkpoint: of {theirs}, not of {ours}")));
        }
        Ok(Some(checkpoint))
    }

    /// What is remembered.
    pub(super) fn checkpoint(&self) -> Arc<Checkpoint> {
        self.checkpoint.clone()
    }

    /// The prefix that everything is asked for under.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What is to be said of a checkpoint that is a new one.
    pub(super) fn finding(&self) -> Option<Finding> {
        let (file, _) = self.file.as_ref().filter(|_| self.checkpoint.heads().next().is_none())?;
        let sentence = match self.checkpoint.made() {
            None => "there is no such checkpoint yet: nothing was compared with an earlier run",
            Some(_) => "the checkpoint remembers nothing: nothing was compared with an earlier run",
        };
        let finding = Finding::new(FindingId::CheckpointNew, file.display().to_string(), sentence);
        Some(finding.with_hint("if an earlier run wrote it, find out where it went, and put it back"))
    }

    /// What the report says of the file.
    pub(super) fn summary(&self, report: &Report) -> Option<CheckpointFile> {
        let (file, _) = self.file.as_ref()?;
        Some(self.checkpoint.summary(file.display().to_string(), report))
    }

    /// Adds what the run found to what the file holds by now. A run that was stopped adds nothing.
    ///
    /// # Errors
    /// When the file cannot be locked, read or written; it is then as it was.
    pub(super) fn advance(&self, report: &Report) -> anyhow::Result<()> {
        let Some((file, lock)) = self.file.as_ref().filter(|_| !report.interrupted) else { return Ok(()) };
        output::take_turn(lock, file)?;
        let mut next = self.read(file)?.unwrap_or_else(|| (*self.checkpoint).clone());
        next.advance(report);
        next.widen(&self.prefix);
        output::replace(file, Readers::Owner, next.write(report.clock.now).as_bytes())?;
        // The lock goes with the file that holds it.
        Ok(())
    }
}
