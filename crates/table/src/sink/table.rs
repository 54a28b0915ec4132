//! The table: which file rows go to, when files are closed, and how they get their names all at once.

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::Date;
use rayon::prelude::*;

use super::SinkError;
use super::encode::RowGroup;
use super::file::{Finished, OpenFile};
use super::store::Store;

/// A file is closed when it has grown past this, which is AWS's advice for Athena.
const FILE_BYTES: u64 = 128 << 20;

/// Row groups of open files. What a file's footer will say of them is held in memory until it is written, about 100 KB a row
/// group; and records may claim any day, so how many files are open must not follow from the records.
const OPEN_ROW_GROUPS: usize = 64;

/// Which part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Rows of logs that are not known to be altered.
    Events,
    /// Rows that nobody should take for evidence.
    Quarantine,
}

impl Area {
    pub(super) const ALL: [Self; 2] = [Self::Events, Self::Quarantine];

    /// Its folder, below the table's.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Quarantine => "quarantine",
        }
    }
}

/// What the table is partitioned by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Partitioning {
    /// `event_date`.
    #[default]
    Date,
    /// `event_date`, then the account and the Region of the folder that the log lay in.
    DateAccountRegion,
}

impl Partitioning {
    /// What folders are named by, from the outermost in.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Date => &["event_date"],
            Self::DateAccountRegion => &["event_date", "account", "region"],
        }
    }
}

/// Rows that lie in one folder of the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partition {
    /// Which part of the table.
    pub area: Area,
    /// Days since 1970.
    pub day: i32,
    /// Account and Region, where the table is partitioned by them.
    pub place: Option<(Arc<str>, Arc<str>)>,
}

impl Partition {
    /// `events/event_date=2026-03-01`, and so on.
    fn folder(&self) -> String {
        let since = SignedDuration::from_hours(i64::from(self.day) * 24);
        let date =
            Date::constant(1970, 1, 1).checked_add(since).expect("times have years of four digits, as dates have");
        let area = self.area.folder();
        match &self.place {
            None => format!("{area}/event_date={date}"),
            Some((account, region)) => format!("{area}/event_date={date}/account={account}/region={region}"),
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

/// A table in the making. The same row groups in the same order make the same files, byte for byte.
pub struct Table {
    store: Box<dyn Store>,
    open: BTreeMap<Partition, Slot>,
    finished: Vec<Finished>,
    /// Files so far.
    number: u32,
    /// Row groups so far.
    clock: u64,
}

struct Slot {
    file: OpenFile,
    last_used: u64,
}

impl Table {
    /// A table in a place that was claimed for it.
    pub fn new(store: Box<dyn Store>) -> Self {
        Self { store, open: BTreeMap::new(), finished: Vec::new(), number: 0, clock: 0 }
    }

    /// Appends a row group to a partition.
    ///
    /// # Errors
    /// [`SinkError`] when it cannot be written.
    pub fn append(&mut self, partition: Partition, group: RowGroup) -> Result<(), SinkError> {
        self.clock += 1;
        let slot = match self.open.entry(partition.clone()) {
            btree_map::Entry::Occupied(slot) => slot.into_mut(),
            btree_map::Entry::Vacant(place) => {
                let path = format!("{}/part-{:05}.parquet", partition.folder(), self.number);
                self.number += 1;
                place.insert(Slot { file: OpenFile::create(self.store.as_ref(), path)?, last_used: 0 })
            }
        };
        slot.last_used = self.clock;
        slot.file.append(group)?;
        if slot.file.bytes() >= FILE_BYTES {
            return self.close(&partition);
        }
        // The file that was used least lately is likely to be whole: logs come day by day.
        if self.open.values().map(|slot| slot.file.row_groups()).sum::<usize>() > OPEN_ROW_GROUPS
            && let Some((oldest, _)) = self.open.iter().min_by_key(|(_, slot)| slot.last_used)
        {
            let oldest = oldest.clone();
            return self.close(&oldest);
        }
        Ok(())
    }

    fn close(&mut self, partition: &Partition) -> Result<(), SinkError> {
        if let Some(slot) = self.open.remove(partition) {
            self.finished.push(slot.file.finish()?);
        }
        Ok(())
    }

    /// Finishes every file, those that are still open side by side, then gives all of them their names.
    ///
    /// # Errors
    /// [`SinkError`] when any file cannot be finished; then none is left.
    pub fn finish(mut self) -> Result<Vec<FileWritten>, SinkError> {
        let open = std::mem::take(&mut self.open).into_par_iter();
        let last: Vec<Finished> = open.map(|(_, slot)| slot.file.finish()).collect::<Result<_, _>>()?;
        self.finished.extend(last);
        for file in &mut self.finished {
            file.publish()?;
        }
        let written = std::mem::take(&mut self.finished);
        Ok(written
            .into_iter()
            .map(|file| FileWritten { path: file.path, rows: file.rows, bytes: file.bytes })
            .collect())
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // Some may have their names already; those that are still open go by being dropped.
        for file in self.finished.drain(..) {
            file.discard();
        }
    }
}
