//! The claim on a table's destination: one run at a time writes there, and only where nothing stands.
//!
//! ```text
//! DEST/.trailproof-claim    made and locked first, taken away last: when the report lies beside the table, or nothing is left
//!   locked                   another run is writing
//!   not locked, with text    its run was killed: what lies in the table's folders is that run's own, and is taken away
//!   not locked, empty        its run was killed before it wrote anything else
//! ```
//!
//! Invariants: the text is written only after the destination was found free, so a claim that has it owns whatever has the
//! name of a table's file there; anything else is never removed, and never replaced.
//! Not here: buckets, which have no locks (`pipeline::upload`).

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::SinkError;
use super::table::Area;

/// The name of a claim below the destination. Engines leave names with a dot in front out.
pub const CLAIM: &str = ".trailproof-claim";

/// The report's name beside the table.
pub const REPORT: &str = "report.json";

/// Holds a destination for one table. Dropping it gives the destination free.
pub struct Claim {
    /// What was found and taken away, for whoever may wonder where it went.
    pub recovered: Option<String>,
    release: Option<Box<dyn FnOnce() + Send>>,
}

/// How a destination is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// A table stands there.
    Table,
    /// A file stands where one is to be put.
    Occupied,
    /// Another run writes there.
    Busy,
    /// Another run writes there, or was killed while it did: nothing tells which.
    Claimed {
        /// What to remove where no run is.
        remove: Vec<String>,
    },
    /// A run that was killed left a part of a table.
    Left {
        /// What to remove.
        remove: Vec<String>,
    },
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table => f.write_str("holds a table already; choose another --out, or move it away"),
            Self::Occupied => {
                f.write_str("is there already, and nothing is ever replaced; choose another --out, or move it away")
            }
            Self::Busy => f.write_str("another run is writing a table here; choose another --out"),
            Self::Claimed { remove } => {
                let remove = remove.join(", ");
                write!(
                    f,
                    "another run is writing a table here, or was killed while it did; if none is, remove {remove}"
                )
            }
            Self::Left { remove } => {
                let remove = remove.join(", ");
                write!(f, "a run that was killed left a part of a table here; remove {remove}, or choose another --out")
            }
        }
    }
}

impl Claim {
    /// A claim that is given up by `release`.
    pub fn new(release: impl FnOnce() + Send + 'static) -> Self {
        Self { recovered: None, release: Some(Box::new(release)) }
    }

    /// What a claim holds: whose it is, for whoever finds it.
    pub fn text() -> String {
        let process = std::process::id();
        format!("trailproof.claim/1\nprocess {process} is writing a table here; this goes when the table is whole\n")
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("recovered", &self.recovered).finish_non_exhaustive()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            release();
        }
    }
}

/// Claims a directory, which is made where there is none.
pub(super) fn of_directory(root: &Path) -> Result<Claim, SinkError> {
    let path = root.join(CLAIM);
    let failed = |source| SinkError::File { place: root.display().to_string(), source };
    fs::create_dir_all(root).map_err(failed)?;
    let mut file = match lock(&path).map_err(failed)? {
        Locked::Ours(file) => file,
        Locked::Busy => return Err(taken(root, Standing::Busy)),
        Locked::Unknown => return Err(taken(root, Standing::Claimed { remove: vec![path.display().to_string()] })),
    };
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    let found = if text.is_empty() { look(root).map(|()| None) } else { recover(root, &path) };
    let recovered = match found {
        Ok(recovered) => recovered,
        Err(refused) => {
            // A claim that still owns something stays until that is removed.
            if text.is_empty() || matches!(&refused, SinkError::DestinationTaken { standing: Standing::Table, .. }) {
                let _ = fs::remove_file(&path);
            }
            return Err(refused);
        }
    };
    if text.is_empty() {
        file.write_all(Claim::text().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    let release = move || {
        // A claim that cannot be removed is told by the next run, which finds it beside a whole table or alone.
        let _ = fs::remove_file(&path);
        drop(file);
    };
    let mut claim = Claim::new(release);
    claim.recovered = recovered;
    Ok(claim)
}

fn taken(place: impl AsRef<Path>, standing: Standing) -> SinkError {
    SinkError::DestinationTaken { place: place.as_ref().display().to_string(), standing }
}

/// Whose a claim is.
enum Locked {
    Ours(File),
    Busy,
    /// The file system knows no locks, and the claim was there already.
    Unknown,
}

/// Makes the claim, or takes over one that nobody holds.
fn lock(path: &Path) -> io::Result<Locked> {
    loop {
        let (file, is_new) = match File::options().read(true).write(true).create_new(true).open(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match File::options().read(true).write(true).open(path) {
                    Ok(file) => (file, false),
                    Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => continue,
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            // Whoever held it may have taken it away between the opening and the lock.
            Ok(()) if !is_named(path, &file)? => {}
            Ok(()) => return Ok(Locked::Ours(file)),
            Err(TryLockError::WouldBlock) => return Ok(Locked::Busy),
            Err(TryLockError::Error(_)) if is_new => return Ok(Locked::Ours(file)),
            Err(TryLockError::Error(_)) => return Ok(Locked::Unknown),
        }
    }
}

/// Whether a path still names an open file.
#[cfg(unix)]
fn is_named(path: &Path, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) if !named.is_file() => Err(io::Error::other(format!("{CLAIM} there is no file"))),
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A file that is open keeps its name there.
#[cfg(not(unix))]
fn is_named(_: &Path, _: &File) -> io::Result<bool> {
    Ok(true)
}

/// Whether a destination that no run owns is free.
fn look(root: &Path) -> Result<(), SinkError> {
    let mut left = Vec::new();
    for folder in Area::ALL.map(|area| root.join(area.folder())) {
        let found = Found::below(&folder).map_err(|source| file_error(&folder, source))?;
        match found {
            Found { foreign: None, parts: 0, partial, .. } if !partial.is_empty() => {
                left.push(folder.display().to_string());
            }
            Found { foreign: None, parts: 0, .. } => {}
            _ => return Err(taken(folder, Standing::Table)),
        }
    }
    if !left.is_empty() {
        return Err(taken(root, Standing::Left { remove: left }));
    }
    match fs::symlink_metadata(root.join(REPORT)) {
        Ok(_) => Err(taken(root.join(REPORT), Standing::Occupied)),
        Err(_) => Ok(()),
    }
}

fn file_error(place: &Path, source: io::Error) -> SinkError {
    SinkError::File { place: place.display().to_string(), source }
}

/// Takes away what the run that owned a claim left.
fn recover(root: &Path, claim: &Path) -> Result<Option<String>, SinkError> {
    if root.join(REPORT).exists() {
        // It was killed between its report and its end: the table is whole.
        return Err(taken(root, Standing::Table));
    }
    let mut left = Found::default();
    for folder in Area::ALL.map(|area| root.join(area.folder())) {
        let found = Found::below(&folder).map_err(|source| file_error(&folder, source))?;
        if found.foreign.is_some() {
            let folders = Area::ALL.map(|area| root.join(area.folder())).into_iter().filter(|folder| folder.exists());
            let remove = folders.chain([claim.to_owned()]).map(|path| path.display().to_string()).collect();
            return Err(taken(root, Standing::Left { remove }));
        }
        left.files.extend(found.files);
        left.folders.extend(found.folders);
    }
    for file in &left.files {
        fs::remove_file(file).map_err(|source| file_error(file, source))?;
    }
    // The innermost come last.
    for folder in left.folders.iter().rev() {
        fs::remove_dir(folder).map_err(|source| file_error(folder, source))?;
    }
    let number = left.files.len();
    Ok((number > 0).then(|| format!("{}: took away {number} files that a run left when it was killed", root.display())))
}

/// What lies in a folder of the table.
#[derive(Debug, Default)]
struct Found {
    /// Files under the names that a table gives, whole or partial.
    files: Vec<PathBuf>,
    /// Folders, the outer before the inner.
    folders: Vec<PathBuf>,
    /// How many files have their last name.
    parts: usize,
    partial: Vec<PathBuf>,
    /// Something that no table has.
    foreign: Option<PathBuf>,
}

impl Found {
    fn below(folder: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        match fs::symlink_metadata(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(error),
            Ok(entry) if !entry.is_dir() => found.foreign = Some(folder.to_owned()),
            Ok(_) => found.folders.push(folder.to_owned()),
        }
        let mut next = 0;
        while next < found.folders.len() && found.foreign.is_none() {
            for entry in fs::read_dir(&found.folders[next])? {
                let entry = entry?;
                found.take(&entry.path(), entry.file_type()?, &entry.file_name().to_string_lossy());
            }
            next += 1;
        }
        Ok(found)
    }

    fn take(&mut self, path: &Path, kind: fs::FileType, name: &str) {
        let is_partition = ["event_date=", "account=", "region="].iter().any(|key| name.starts_with(key));
        let partial = name.strip_prefix('.').and_then(|name| name.strip_suffix(".partial"));
        if kind.is_dir() && is_partition {
            self.folders.push(path.to_owned());
        } else if kind.is_file() && partial.is_some_and(is_part) {
            self.partial.push(path.to_owned());
            self.files.push(path.to_owned());
        } else if kind.is_file() && is_part(name) {
            self.parts += 1;
            self.files.push(path.to_owned());
        } else {
            self.foreign.get_or_insert_with(|| path.to_owned());
        }
    }
}

/// Whether a file of a table has this name: `part-00000.parquet`.
fn is_part(name: &str) -> bool {
    let number = name.strip_prefix("part-").and_then(|rest| rest.strip_suffix(".parquet"));
    number.is_some_and(|number| number.len() >= 5 && number.bytes().all(|digit| digit.is_ascii_digit()))
}
