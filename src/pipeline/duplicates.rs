//! Events that stand in the archive more than once, counted exactly in bounded memory.
//!
//! CloudTrail delivers some events twice, and two trails deliver every event twice. Two records are of one event when
//! `eventID` and `recipientAccountId` are the same (AWS: "find your CloudTrail log files"); they need not be the same bytes.
//!
//! ```text
//! record ─▶ 64-bit hash of both ─▶ one of 256 lists by its first byte ─▶ full lists go to one temporary file
//! at the end: list by list, sorted, equal neighbours counted
//! ```
//!
//! The hash has a key of its own in every run, so nobody can make records that collide.

use std::collections::HashSet;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Mutex, PoisonError};

use hashbrown::DefaultHashBuilder;
use sha2::{Digest as _, Sha256};

/// Lists that hashes are spread over.
const LISTS: usize = 256;

/// Hashes that a list holds in memory: 4 MiB for all lists.
const HELD: usize = 2048;

/// Counts records of events that were seen before.
#[derive(Debug)]
pub struct DuplicateCounter {
    key: DefaultHashBuilder,
    lists: Mutex<Lists>,
}

#[derive(Debug)]
struct Lists {
    held: Vec<Vec<u64>>,
    /// Where in the file each list's full parts start.
    parts: Vec<Vec<u64>>,
    file: Option<File>,
    length: u64,
}

impl Default for DuplicateCounter {
    fn default() -> Self {
        let lists = Lists { held: vec![Vec::new(); LISTS], parts: vec![Vec::new(); LISTS], file: None, length: 0 };
        Self { key: DefaultHashBuilder::default(), lists: Mutex::new(lists) }
    }
}

impl DuplicateCounter {
    /// The hash that stands for an event.
    pub fn hash(&self, event_id: &str, recipient_account: &str) -> u64 {
        self.key.hash_one((event_id, recipient_account))
    }

    /// Takes the events of a batch in.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn add(&self, hashes: &[u64]) -> io::Result<()> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        for &hash in hashes {
            let list = hash.to_be_bytes()[0] as usize;
            lists.held[list].push(hash);
            if lists.held[list].len() == HELD {
                lists.write_out(list)?;
            }
        }
        Ok(())
    }

    /// How many records are of an event that another record is of too, the first of each not counted.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn count(&self) -> io::Result<u64> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = 0;
        for list in 0..LISTS {
            let mut hashes = lists.take(list)?;
            hashes.sort_unstable();
            count += hashes.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        }
        Ok(count)
    }
}

impl Lists {
    fn write_out(&mut self, list: usize) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        let bytes: Vec<u8> = self.held[list].drain(..).flat_map(u64::to_le_bytes).collect();
        file.write_all(&bytes)?;
        self.parts[list].push(self.length);
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn take(&mut self, list: usize) -> io::Result<Vec<u64>> {
        let mut hashes = std::mem::take(&mut self.held[list]);
        let mut bytes = vec![0; HELD * size_of::<u64>()];
        for start in std::mem::take(&mut self.parts[list]) {
            let Some(file) = &mut self.file else { continue };
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut bytes)?;
            hashes.extend(bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)));
        }
        Ok(hashes)
    }
}

/// Tells records that were seen before, byte for byte and with the same standing. Holds about 32 bytes for each record.
#[derive(Debug)]
pub struct SeenRecords(Vec<Mutex<HashSet<[u8; 16]>>>);

impl Default for SeenRecords {
    fn default() -> Self {
        Self((0..LISTS).map(|_| Mutex::default()).collect())
    }
}

impl SeenRecords {
    /// Whether a record is the first of its bytes and standing.
    ///
    /// Records are told apart by 128 bits of SHA-256: what is left out must be the same, whoever wrote it.
    pub fn is_first(&self, record: &str, integrity: &str) -> bool {
        let digest: [u8; 32] = Sha256::new().chain_update(integrity).chain_update(record).finalize().into();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        self.0[usize::from(short[0])].lock().unwrap_or_else(PoisonError::into_inner).insert(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_counted_whether_they_were_written_out_or_not() {
        for events in [10, 3_000_000_u64] {
            let counter = DuplicateCounter::default();
            let hashes: Vec<u64> = (0..events).map(|n| counter.hash(&(n % (events - 7)).to_string(), "1")).collect();
            hashes.chunks(1000).for_each(|batch| counter.add(batch).unwrap());
            assert_eq!(counter.count().unwrap(), 7, "{events}");
        }
    }

    #[test]
    fn an_event_of_another_account_is_another_event() {
        let counter = DuplicateCounter::default();
        counter
            .add(&[counter.hash("a", "1"), counter.hash("a", "2"), counter.hash("a1", ""), counter.hash("a", "1")])
            .unwrap();
        assert_eq!(counter.count().unwrap(), 1);
    }

    #[test]
    fn a_record_of_another_standing_is_not_the_same() {
        let seen = SeenRecords::default();
        assert!(seen.is_first("{}", "verified"));
        assert!(seen.is_first("{}", "uncovered"));
        assert!(!seen.is_first("{}", "verified"));
    }
}
