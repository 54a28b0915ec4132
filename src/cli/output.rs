//! Files that a command writes: found writable before anything is read, and written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::Failure;
use trailproof_table::sink::whole::{self, Readers};

/// A report that was asked for.
#[derive(Debug)]
pub(super) struct ReportFile {
    path: PathBuf,
    /// What is open already, or is opened once and written as it is: a pipe or a device.
    open: Option<File>,
}

impl ReportFile {
    /// Makes sure that a report can be put at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let mut open = own_stream(path);
        if open.is_none() && is_stream(path) {
            let opened = File::options().append(true).open(path);
            open = Some(opened.with_context(|| unwritable(path)).map_err(Failure::Own)?);
        }
        if open.is_none() {
            check(path)?;
        }
        Ok(Self { path: path.to_owned(), open })
    }

    /// Writes the report; answers where.
    pub(super) fn write(self, bytes: &[u8]) -> anyhow::Result<String> {
        let written = match self.open {
            Some(mut stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            None => whole::replace(&self.path, Readers::Umask, bytes),
        };
        written.with_context(|| unwritable(&self.path))?;
        Ok(self.path.display().to_string())
    }
}

/// Makes sure that a file can be put at `path`, and leaves nothing there.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    whole::try_out(path).with_context(|| unwritable(path)).map_err(Failure::Own)
}

/// Makes sure that a report would not be written over a file that the same run reads or writes.
pub(super) fn is_no_other<'a>(report: &Path, mut others: impl Iterator<Item = &'a PathBuf>) -> Result<(), Failure> {
    let place = |path: &Path| {
        let name = path.file_name().map(ToOwned::to_owned);
        fs::canonicalize(path)
            .or_else(|_| fs::canonicalize(whole::folder(path)).map(|folder| folder.join(name.unwrap_or_default())))
    };
    let Ok(wanted) = place(report) else { return Ok(()) };
    match others.find(|other| place(other).is_ok_and(|other| other == wanted)) {
        Some(other) => {
            let (report, other) = (report.display(), other.display());
            Err(Failure::usage(anyhow!("--report {report} would be written over {other}, which this run needs too")))
        }
        None => Ok(()),
    }
}

/// Writes a file whole or not at all, over the one that was there.
pub(super) fn replace(path: &Path, readers: Readers, bytes: &[u8]) -> Result<(), Failure> {
    whole::replace(path, readers, bytes).with_context(|| unwritable(path)).map_err(Failure::Own)
}

/// Writes a file for its owner alone, whole or not at all, and only where there is none.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    whole::put_new(path, Readers::Owner, bytes).with_context(|| unwritable(path)).map_err(Failure::Own)
}

/// Writes a file that follows the umask, whole or not at all, and only where there is none.
pub(super) fn put_beside(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    whole::put_new(path, Readers::Umask, bytes).with_context(|| unwritable(path))
}

/// Opens the file by whose lock writers of a file take turns.
pub(super) fn open_lock(path: &Path) -> Result<File, Failure> {
    whole::open_lock(path).with_context(|| unwritable(path)).map_err(Failure::Own)
}

/// Waits for one's turn, which lasts until the lock is dropped.
pub(super) fn take_turn(lock: &File, path: &Path) -> anyhow::Result<()> {
    lock.lock().with_context(|| format!("{} cannot be locked", path.display()))
}

fn unwritable(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

/// Standard output or error, where a name leads to the same file, pipe or device. It is written through the descriptor that
/// is open, whose place in the file moves on: whoever opened the file anew would write over what is printed, or under it.
#[cfg(unix)]
fn own_stream(path: &Path) -> Option<File> {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;
    let wanted = fs::metadata(path).ok()?;
    let own = [io::stdout().as_fd().try_clone_to_owned(), io::stderr().as_fd().try_clone_to_owned()];
    own.into_iter()
        .filter_map(Result::ok)
        .map(File::from)
        .find(|own| own.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (wanted.dev(), wanted.ino())))
}

#[cfg(not(unix))]
fn own_stream(_: &Path) -> Option<File> {
    None
}

/// Whether a name leads to something that is open already, or is no file of bytes: a pipe, a terminal, a device.
fn is_stream(path: &Path) -> bool {
    let is_descriptor = ["/dev/fd", "/dev/stdout", "/dev/stderr", "/proc"].iter().any(|open| path.starts_with(open));
    fs::metadata(path).is_ok_and(|found| !found.is_dir() && (is_descriptor || !found.is_file()))
}
