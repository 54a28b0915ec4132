//! Small files that are written whole or not at all: reports, keys, checkpoints, acknowledgements.
//!
//! Invariants: a file appears under its name when it is whole and on the disk; where a name is a link, what it leads to is
//! written and the link stays; a run that is killed leaves at most a hidden `.trailproof-….partial` beside it, which has a
//! name of its own, so that two writers never write to one.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Whom the umask lets: tables and reports. One that is replaced stays as readable as it was.
    Umask,
    /// Its owner alone: keys and checkpoints, which later verdicts are built on.
    Owner,
    /// Its owner alone, until somebody lets others: acknowledgements, which people may keep together.
    OwnerAtFirst,
}

/// Links that are followed to a file, as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Writes a file over the one that was there.
///
/// # Errors
/// Those of the file system; the file is then as it was.
pub fn replace(path: &Path, readers: Readers, bytes: &[u8]) -> io::Result<()> {
    let path = resolved(path);
    let before = fs::metadata(&path).ok().map(|before| before.permissions());
    let at_first = if before.is_some() { Readers::Owner } else { readers };
    let file = filled(&path, at_first, bytes)?;
    if let Some(before) = before {
        // Some file systems refuse; the file is its owner's alone then, which is no reason to lose it.
        let _ = file.as_file().set_permissions(instead_of(before, readers));
    }
    file.persist(&path)?;
    sync_folder(&path)
}

/// Writes a file where there is none.
///
/// # Errors
/// Those of the file system; a name that something has is one.
pub fn put_new(path: &Path, readers: Readers, bytes: &[u8]) -> io::Result<()> {
    filled(path, readers, bytes)?.persist_noclobber(path)?;
    sync_folder(path)
}

/// Makes sure that a file can be put at a path, and leaves nothing there.
///
/// # Errors
/// What writing it would meet.
pub fn try_out(path: &Path) -> io::Result<()> {
    match path.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => temporary(&resolved(path), Readers::Owner).map(drop),
    }
}

/// Opens the file by whose lock (`FILE.lock`) writers of a file take turns; it is made when it is not there, and stays.
///
/// # Errors
/// Those of opening it.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let path = resolved(path);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".lock");
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path.with_file_name(name))
}

/// Where a name leads, whether or not anything is there.
fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = folder(&path).join(target),
            Err(_) => break,
        }
    }
    path
}

/// The folder that holds a name.
pub fn folder(path: &Path) -> &Path {
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

/// What a file is given that replaces one with these permissions.
#[cfg(unix)]
fn instead_of(before: Permissions, readers: Readers) -> Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    match readers {
        Readers::Umask | Readers::OwnerAtFirst => before,
        Readers::Owner => Permissions::from_mode(before.mode() & 0o600),
    }
}

#[cfg(not(unix))]
fn instead_of(before: Permissions, _: Readers) -> Permissions {
    before
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

/// Makes a name last: the folder that holds it is synced too.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_written() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("far")).expect("a folder");
        fs::write(path("far/old"), "old").expect("a file");
        for (link, target) in [("there", "far/old"), ("nowhere", "far/new")] {
            symlink(target, path(link)).expect("a link");
            symlink(path(link), path("far").join(link)).expect("a link to the link");
            for readers in [Readers::Owner, Readers::Umask] {
                replace(&path("far").join(link), readers, b"new").expect("can be written");
                assert!(path(link).is_symlink() && path("far").join(link).is_symlink());
                assert_eq!(fs::read(path(target)).expect("is there"), b"new", "{link}");
            }
        }
        let names = fs::read_dir(path("far")).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        assert_eq!(names.count(), 4, "nothing else is left");
        symlink("round", path("round")).expect("a link");
        assert!(
            replace(&path("round"), Readers::Owner, b"new").is_ok(),
            "a link that leads nowhere is a name like others"
        );
    }

    #[test]
    fn a_file_is_its_owners_alone_where_that_is_wanted_and_any_other_as_readable_as_it_was() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("file");
        for (before, readers, after) in [
            (0o664, Readers::Owner, 0o600),
            (0o600, Readers::Owner, 0o600),
            (0o444, Readers::Owner, 0o400),
            (0o664, Readers::OwnerAtFirst, 0o664),
            (0o664, Readers::Umask, 0o664),
            (0o640, Readers::Umask, 0o640),
            (0o600, Readers::Umask, 0o600),
        ] {
            // One that nobody may write to is not written to, but replaced.
            fs::remove_file(&path).or_else(|_| fs::write(&path, "")).expect("can be made anew");
            fs::write(&path, "old").expect("can be written");
            fs::set_permissions(&path, Permissions::from_mode(before)).expect("can be set");
            replace(&path, readers, b"new").expect("can be written");
            assert_eq!(mode(&path), after, "{before:o} {readers:?}");
        }
        replace(&folder.path().join("heads"), Readers::Owner, b"new").expect("can be written");
        replace(&folder.path().join("accepted"), Readers::OwnerAtFirst, b"new").expect("can be written");
        put_new(&folder.path().join("keys"), Readers::Owner, b"new").expect("can be written");
        assert_eq!(["heads", "accepted", "keys"].map(|name| mode(&folder.path().join(name))), [0o600; 3]);
        assert!(put_new(&path, Readers::Owner, b"newer").is_err());
        assert_eq!(fs::read(&path).expect("is there"), b"new");
    }
}
