//! Joins the stages with bounded queues; the only place that spawns.
//!
//! ```text
//! discover ─▶ inventory ─▶ digests (one account and Region at a time, several at once)
//!                              └─▶ plan: what is known of every log ─▶ logs, by day ─▶ rows ─▶ files
//! ```
//!
//! Reading waits on the async runtime; inflating, hashing, RSA, JSON and encoding run on a rayon pool.

mod address;
mod asked;
mod batches;
pub mod digests;
pub mod discover;
pub mod duplicates;
mod ended;
pub mod heads;
pub mod key_archive;
pub mod keys;
pub mod logs;
pub mod memory;
mod newer;
mod oldest;
mod outcome;
pub mod plan;
pub mod rows;
pub mod run;
pub mod trail_events;
pub mod upload;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use crate::archive::scope::Scope;
use crate::checkpoint::Checkpoint;
use crate::fetch::{Retry, Stop};
use crate::metrics::Metrics;
use crate::source::SourceError;
use crate::verify::digest::Relocation;

/// What every stage of a run shares.
pub struct Context<S> {
    /// Where the bytes live.
    pub source: Arc<S>,
    /// What was asked for.
    pub scope: Scope,
    /// Where the archive was when it was written, if it was copied.
    pub moves: Arc<[Relocation]>,
    /// What earlier runs remembered.
    pub checkpoint: Arc<Checkpoint>,
    /// What is tried again, and how fast requests follow each other.
    pub retry: Retry,
    /// Requests in flight.
    pub concurrency: usize,
    /// Bytes that may be held at once.
    pub max_memory: usize,
    /// The shares of them.
    pub memory: Arc<memory::Memory>,
    /// The CPU workers.
    pub workers: Arc<rayon::ThreadPool>,
    /// Bounds requests in flight over all stages.
    pub requests: Arc<Semaphore>,
    /// Counters for progress.
    pub metrics: Arc<Metrics>,
    /// Asked to stop the run cleanly.
    pub cancelled: Arc<Stop>,
}

impl<S> Context<S> {
    /// Whether the run was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_asked()
    }

    /// Waits for what the network owes, unless the run is stopped: then no wait is worth its while.
    async fn unless_stopped<T>(&self, waiting: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
        tokio::select! {
            biased;
            outcome = waiting => outcome,
            () = self.cancelled.wait() => Err(SourceError::Other { detail: "the run was stopped".into() }),
        }
    }

    /// Bytes of source that the rows of one batch may hold: 32 MiB, less only where memory is short, so that the table does
    /// not depend on how many workers there are.
    pub fn batch_bytes(&self) -> usize {
        (self.max_memory / 16).clamp(1 << 20, 32 << 20)
    }

    /// Runs CPU work on a worker and waits for it.
    pub async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = oneshot::channel();
        self.workers.spawn(move || {
            // The receiver is gone only when the whole run is being dropped.
            let _ = done.send(work());
        });
        result.await.expect("a worker answers unless it panicked, and panics end the run")
    }
}

/// Starts a future on the runtime's own threads; what is returned waits for it, is small whatever the future holds, and
/// ends it when dropped.
fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Spawned<T> {
    Spawned(tokio::spawn(future))
}

struct Spawned<T>(JoinHandle<T>);

impl<T> Future for Spawned<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(context).map(|ended| match ended {
            Ok(value) => value,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        })
    }
}

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a future beside everything else, for as long as the runtime lasts.
pub fn beside(runtime: &Handle, future: impl Future<Output = ()> + Send + 'static) {
    drop(runtime.spawn(future));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_for_a_future_is_small_whatever_it_holds() {
        let held = [7_u8; 16 << 10];
        let waiting = spawn(async move {
            tokio::task::yield_now().await;
            held.len()
        });
        assert!(size_of_val(&waiting) <= 64, "{}", size_of_val(&waiting));
        assert_eq!(waiting.await, held.len());
    }
}
