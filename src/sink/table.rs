//! The table: which file rows go to, when files are closed, and how they get their names all at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::Date;

use super::SinkError;
use super::encode::RowGroup;
use super::file::{Finished, OpenFile};
use super::store::{self, Store};

/// A file is closed when it has grown past this: AWS's advice for Athena is 128 MB or more, and the footer of a larger
/// one would have to be held longer.
const FILE_BYTES: u64 = 128 << 20;

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
    const ALL: [Self; 2] = [Self::Events, Self::Quarantine];

    fn folder(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Quarantine => "quarantine",
        }
    }
}

/// A file that this many row groups have passed by is closed: logs come day by day, and what a file's footer will say is
/// held in memory until it is written, about 100 KB a row group.
const IDLE_ROW_GROUPS: u64 = 32;

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
    /// Claims a destination.
    ///
    /// # Errors
    /// [`SinkError::DestinationTaken`] when a table stands there; [`SinkError::File`] when that cannot be found out.
    pub fn create(store: Box<dyn Store>) -> Result<Self, SinkError> {
        let taken = store.taken(&Area::ALL.map(Area::folder));
        match taken.map_err(|source| SinkError::File { place: store.name(), source })? {
            Some(path) => Err(SinkError::DestinationTaken { place: store::place(store.as_ref(), &path) }),
            None => Ok(Self { store, open: BTreeMap::new(), finished: Vec::new(), number: 0, clock: 0 }),
        }
    }

    /// Appends a row group to a partition.
    ///
    /// # Errors
    /// [`SinkError`] when it cannot be written.
    pub fn append(&mut self, partition: Partition, group: RowGroup) -> Result<(), SinkError> {
        self.clock += 1;
        if !self.open.contains_key(&partition) && self.open.len() >= MAX_OPEN {
            let oldest =
                self.open.iter().min_by_key(|(_, slot)| slot.last_used).map(|(partition, _)| partition.clone());
            if let Some(oldest) = oldest {
                self.close(&oldest)?;
            }
        }
        let slot = match self.open.entry(partition.clone()) {
            std::collections::btree_map::Entry::Occupied(slot) => slot.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let path = format!("{}/part-{:05}.parquet", partition.folder(), self.number);
                self.number += 1;
                place.insert(Slot { file: OpenFile::create(self.store.as_ref(), path)?, last_used: 0 })
            }
        };
        slot.last_used = self.clock;
        slot.file.append(group)?;
        if slot.file.bytes() >= FILE_BYTES {
            self.close(&partition)?;
        }
        let is_idle = |slot: &Slot| self.clock - slot.last_used > IDLE_ROW_GROUPS;
        let idle: Vec<Partition> =
            self.open.iter().filter(|(_, slot)| is_idle(slot)).map(|(partition, _)| partition.clone()).collect();
        idle.iter().try_for_each(|partition| self.close(partition))
    }

    fn close(&mut self, partition: &Partition) -> Result<(), SinkError> {
        if let Some(slot) = self.open.remove(partition) {
            self.finished.push(slot.file.finish()?);
        }
        Ok(())
    }

    /// Finishes every file, then gives all of them their names.
    ///
    /// # Errors
    /// [`SinkError`] when any file cannot be finished; then none is left.
    pub fn finish(mut self) -> Result<Vec<FileWritten>, SinkError> {
        while let Some(partition) = self.open.keys().next().cloned() {
            self.close(&partition)?;
        }
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
        for (_, slot) in std::mem::take(&mut self.open) {
            slot.file.discard();
        }
        for file in self.finished.drain(..) {
            file.discard();
        }
    }
}
