//! A sink for as long as it takes what it is given.
//!
//! Invariant: after its first fault a sink is given nothing more, the rows at hand are let go, and the logs are read on for
//! their verdict, as they are without a sink.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::logs::LogSink;

/// A sink until its first fault.
pub(super) struct Outlet<K: LogSink> {
    sink: Arc<K>,
    is_closed: AtomicBool,
    fault: Mutex<Option<K::Error>>,
}

impl<K: LogSink> Outlet<K> {
    /// The way to a sink that nothing was given to yet.
    pub(super) fn to(sink: Arc<K>) -> Self {
        Self { sink, is_closed: AtomicBool::new(false), fault: Mutex::default() }
    }

    fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Relaxed)
    }

    /// Starts a batch, unless there was a fault.
    pub(super) fn begin(&self) -> Option<K::Batch> {
        self.is_open().then(|| self.sink.begin())
    }

    /// Has the sink do something with a batch, which is let go once there was a fault.
    pub(super) fn give<T: Default>(
        &self,
        batch: &mut Option<K::Batch>,
        give: impl FnOnce(&K, &mut K::Batch) -> Result<T, K::Error>,
    ) -> T {
        let given = batch.as_mut().filter(|_| self.is_open()).map(|batch| give(&self.sink, batch));
        match given {
            Some(Ok(answer)) => answer,
            Some(Err(fault)) => {
                self.close(fault);
                *batch = None;
                T::default()
            }
            None => {
                *batch = None;
                T::default()
            }
        }
    }

    /// Puts a batch behind those before it.
    pub(super) fn put(&self, batch: K::Batch) {
        if self.is_open()
            && let Err(fault) = self.sink.put(batch)
        {
            self.close(fault);
        }
    }

    /// Whether a batch has to be put in part before it takes more.
    pub(super) fn is_full(&self, batch: &K::Batch) -> bool {
        self.is_open() && self.sink.is_full(batch)
    }

    fn close(&self, fault: K::Error) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
    }

    /// The first fault.
    pub(super) fn fault(&self) -> Option<K::Error> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
