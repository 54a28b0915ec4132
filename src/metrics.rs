//! Counters that a run keeps while it goes, for progress displays. Units are in the names.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a run is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Listing names.
    Listing,
    /// Reading and checking digests.
    Digests,
    /// Reading logs.
    Logs,
    /// Finishing files.
    Finishing,
}

/// Counters of a run, updated by its workers.
#[derive(Debug, Default)]
pub struct Metrics {
    phase: AtomicU64,
    /// Objects listed.
    pub listed: AtomicU64,
    /// Digests read.
    pub digests: AtomicU64,
    /// Digests to read, as far as known.
    pub digests_total: AtomicU64,
    /// Logs read.
    pub logs: AtomicU64,
    /// Logs to read.
    pub logs_total: AtomicU64,
    /// Stored bytes of logs read.
    pub stored_bytes: AtomicU64,
    /// Stored bytes of logs to read.
    pub stored_bytes_total: AtomicU64,
    /// Inflated bytes of logs read.
    pub inflated_bytes: AtomicU64,
    /// Records read.
    pub records: AtomicU64,
    /// Findings other than warnings so far.
    pub findings: AtomicU64,
}

impl Metrics {
    /// Adds to a counter.
    pub fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    /// Reads a counter.
    pub fn value(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Moves on to a phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u64, Ordering::Relaxed);
    }

    /// What the run is busy with.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Listing,
            1 => Phase::Digests,
            2 => Phase::Logs,
            _ => Phase::Finishing,
        }
    }
}
