//! The table: which file rows go to, when files are closed, and how they get their names all at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use jiff::SignedDuration;
use jiff::civil::Date;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;

use super::SinkError;
use super::file::{self, Encoding, Finished, PartialFile};

/// A file is closed when it has grown past this: AWS's advice for Athena is 128 MB or more.
const FILE_BYTES: u64 = 192 << 20;

/// Files open at once. Records may claim any day, so their number must not follow from the records.
const MAX_OPEN: usize = 64;

/// Which part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Rows of logs that are not known to be altered.
    Events,
    /// Rows that nobody should take for evidence.
    Quarantine,
}

impl Area {
    fn folder(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Quarantine => "quarantine",
        }
    }
}

/// A file of the finished table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileWritten {
    /// Path below the destination, with `/`.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A table in the making.
pub struct Table {
    dest: PathBuf,
    open: Mutex<Open>,
    numbers: AtomicU64,
}

#[derive(Default)]
struct Open {
    files: BTreeMap<(Area, i32), Slot>,
    finished: Vec<Finished>,
    /// Folders that rows were put in, for taking them away again with the table.
    folders: BTreeSet<PathBuf>,
    clock: u64,
}

struct Slot {
    file: PartialFile,
    factory: Arc<ArrowRowGroupWriterFactory>,
    last_used: u64,
}

impl Table {
    /// Claims a destination.
    ///
    /// # Errors
    /// [`SinkError::DestinationTaken`] when a table stands there; [`SinkError::File`] when it cannot be made.
    pub fn create(dest: &Path) -> Result<Self, SinkError> {
        for name in ["events", "quarantine"] {
            let path = dest.join(name);
            if path.exists() {
                return Err(SinkError::DestinationTaken { path });
            }
        }
        std::fs::create_dir_all(dest).map_err(|source| SinkError::File { path: dest.to_owned(), source })?;
        Ok(Self { dest: dest.to_owned(), open: Mutex::default(), numbers: AtomicU64::new(0) })
    }

    /// Writes rows of one day as one row group.
    ///
    /// # Errors
    /// [`SinkError`] when they cannot be encoded or written.
    pub fn write(&self, area: Area, day: i32, rows: &RecordBatch, encoding: Encoding) -> Result<(), SinkError> {
        let factory = self.factory(area, day)?;
        let path = self.dest.join(area.folder());
        let group = file::encode(&factory, rows, encoding).map_err(|source| SinkError::Encode { path, source })?;
        let mut open = self.lock();
        // Another thread may have closed the file meanwhile; the row group fits any file of the table.
        if !open.files.contains_key(&(area, day)) {
            drop(open);
            self.factory(area, day)?;
            open = self.lock();
        }
        let Some(slot) = open.files.get_mut(&(area, day)) else {
            drop(open);
            return self.write(area, day, rows, encoding);
        };
        slot.file.append(group)?;
        if slot.file.bytes() >= FILE_BYTES {
            open.close((area, day))?;
        }
        Ok(())
    }

    /// The row group writers of the open file of a day, which is opened if need be.
    fn factory(&self, area: Area, day: i32) -> Result<Arc<ArrowRowGroupWriterFactory>, SinkError> {
        let mut open = self.lock();
        open.clock += 1;
        let now = open.clock;
        if let Some(slot) = open.files.get_mut(&(area, day)) {
            slot.last_used = now;
            return Ok(slot.factory.clone());
        }
        if open.files.len() >= MAX_OPEN {
            let oldest = open.files.iter().min_by_key(|(_, slot)| slot.last_used).map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                open.close(oldest)?;
            }
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let folder = self.dest.join(area.folder());
        let name = folder.join(partition(day)).join(format!("part-{number:05}.parquet"));
        open.folders.extend([folder.join(partition(day)), folder]);
        let (file, factory) = PartialFile::create(name)?;
        let factory = Arc::new(factory);
        open.files.insert((area, day), Slot { file, factory: factory.clone(), last_used: now });
        Ok(factory)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // A panic elsewhere ends the run; what the lock guards is then only removed.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finishes every file, then gives all of them their names.
    ///
    /// # Errors
    /// [`SinkError`] when any file cannot be finished; then none is left.
    pub fn finish(self) -> Result<Vec<FileWritten>, SinkError> {
        let mut open = self.lock();
        while let Some(&key) = open.files.keys().next() {
            open.close(key)?;
        }
        let mut written = Vec::with_capacity(open.finished.len());
        for file in &open.finished {
            let path = file.publish()?;
            let below = path.strip_prefix(&self.dest).unwrap_or(path);
            let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            written.push(FileWritten { path: parts.join("/"), rows: file.rows, bytes: file.bytes });
        }
        open.finished.clear();
        open.folders.clear();
        Ok(written)
    }
}

impl Open {
    fn close(&mut self, key: (Area, i32)) -> Result<(), SinkError> {
        if let Some(slot) = self.files.remove(&key) {
            self.finished.push(slot.file.finish()?);
        }
        Ok(())
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let mut open = self.lock();
        for (_, slot) in std::mem::take(&mut open.files) {
            slot.file.remove();
        }
        for file in open.finished.drain(..) {
            file.remove();
        }
        for folder in std::mem::take(&mut open.folders).iter().rev() {
            // Only an empty folder can be removed, and only that is meant.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// `event_date=2026-03-01`.
fn partition(day: i32) -> String {
    let since = SignedDuration::from_hours(i64::from(day) * 24);
    let date = Date::constant(1970, 1, 1).checked_add(since).expect("times have years of four digits, as dates have");
    format!("event_date={date}")
}
