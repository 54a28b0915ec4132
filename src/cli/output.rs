//! Files that a command writes: found writable before anything is read, and written whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use tempfile::{Builder, NamedTempFile};

use super::Failure;

/// Whether a file may be read by others than its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    /// As the umask has it: tables and reports.
    Umask,
    /// Its owner alone: keys and checkpoints, which later verdicts are built on.
    Owner,
}

/// A report that was asked for.
#[derive(Debug)]
pub(super) struct ReportFile {
    path: PathBuf,
    /// A pipe or a device, which is opened once and written as it is.
    open: Option<File>,
}

impl ReportFile {
    /// Makes sure that a report can be put at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if is_stream(path) {
            let open =
                File::options().append(true).open(path).with_context(|| unwritable(path)).map_err(Failure::Own)?;
            return Ok(Self { path: path.to_owned(), open: Some(open) });
        }
        check(path)?;
        Ok(Self { path: path.to_owned(), open: None })
    }

    /// Writes the report; answers where.
    pub(super) fn write(self, bytes: &[u8]) -> anyhow::Result<String> {
        let written = match self.open {
            Some(mut stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            None => replace(&self.path, bytes),
        };
        written.with_context(|| unwritable(&self.path))?;
        Ok(self.path.display().to_string())
    }
}

/// Makes sure that a file can be put at `path`, and leaves nothing there.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    let found = if path.is_dir() {
        Err(io::Error::from(io::ErrorKind::IsADirectory))
    } else {
        temporary(&resolved(path), Readers::Owner).map(drop)
    };
    found.with_context(|| unwritable(path)).map_err(Failure::Own)
}

/// Makes sure that a report would not be written over a file that the same run reads or writes.
pub(super) fn is_no_other<'a>(report: &Path, mut others: impl Iterator<Item = &'a PathBuf>) -> Result<(), Failure> {
    let place = |path: &Path| {
        let name = path.file_name().map(ToOwned::to_owned);
        fs::canonicalize(path)
            .or_else(|_| fs::canonicalize(folder(path)).map(|folder| folder.join(name.unwrap_or_default())))
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

/// Writes a file for its owner alone, whole or not at all, over the one that was there.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let partial = beside(path, ".partial");
    let written = create_private(&partial)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&partial, path))
        .and_then(|()| sync_folder(path));
    written.with_context(|| unwritable(path)).map_err(Failure::Own)
}

/// Writes a file for its owner alone, whole or not at all, and only where there is none.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    put_new(path, Readers::Owner, bytes).with_context(|| unwritable(path)).map_err(Failure::Own)
}

/// Writes a file that follows the umask, whole or not at all, and only where there is none.
pub(super) fn put_beside(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    put_new(path, Readers::Umask, bytes).with_context(|| unwritable(path))
}

fn put_new(path: &Path, readers: Readers, bytes: &[u8]) -> io::Result<()> {
    filled(path, readers, bytes)?.persist_noclobber(path)?;
    sync_folder(path)
}

/// Writes a file that follows the umask, whole or not at all, over the one that was there.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = resolved(path);
    filled(&path, Readers::Umask, bytes)?.persist(&path)?;
    sync_folder(&path)
}

fn unwritable(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

/// Whether a name leads to something that is open already, or is no file of bytes: a pipe, a terminal, a device.
fn is_stream(path: &Path) -> bool {
    let is_descriptor = ["/dev/fd", "/dev/stdout", "/dev/stderr", "/proc"].iter().any(|open| path.starts_with(open));
    fs::metadata(path).is_ok_and(|found| !found.is_dir() && (is_descriptor || !found.is_file()))
}

/// Where a link leads, so that the file is replaced and not the link.
fn resolved(path: &Path) -> PathBuf {
    if path.is_symlink() { fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() }
}

/// The folder that holds a name.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// A file beside the one that is wanted; it goes when it is dropped.
fn temporary(path: &Path, readers: Readers) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".trailproof-").suffix(".partial");
    if let Some(permissions) = (readers == Readers::Umask).then(under_the_umask).flatten() {
        builder.permissions(permissions);
    }
    builder.tempfile_in(folder(path))
}

fn filled(path: &Path, readers: Readers, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = temporary(path, readers)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// What a file is made with when nothing is said; the system takes the umask off.
#[cfg(unix)]
fn under_the_umask() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn under_the_umask() -> Option<Permissions> {
    None
}

/// A new file in place of one that a killed run left.
fn create_private(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    private().create_new(true).open(path)
}

/// How a file is opened for writing that its owner alone may read.
pub(super) fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The file of the same name with this at its end.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    path.with_file_name(name)
}

/// Makes a name last: the folder that holds it is synced too.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}
