//! What a run may hold at once: shares of `--max-memory`.
//!
//! | share | of the whole | what takes it |
//! |---|---|---|
//! | fetched | a quarter | stored bytes that were fetched and are not used yet |
//! | large | an eighth and a quarter | the bytes and the content of one object at a time that is not ordinary |
//! | ordinary | a quarter, at most | content that each worker inflates at any time |
//! | rows | a quarter, twice | rows of the batches at hand, and what they are encoded to |
//! | unsigned | an eighth | what digests list whose signatures were not checked yet |
//! | parts | an eighth | parts of files that are on their way to a bucket |
//!
//! They are not all full at once: rows are made, and parts sent, when digests are done with.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use trailproof_table::event::MAX_CONTENT;

/// Fetched bytes are counted in units of this.
const UNIT: u64 = 1 << 10;

/// Room for a body whose size nothing tells. One that is larger is asked for again, with as much room as there is for one.
pub const UNKNOWN: u64 = 1 << 20;

/// Content up to this size is inflated by any worker at any time; CloudTrail's logs inflate to 50 MB at most.
const MAX_ORDINARY: usize = 32 << 20;

/// Bytes of files that may be on their way to a bucket.
pub fn parts(most: usize) -> usize {
    most / 8
}

/// The shares of a run.
#[derive(Debug)]
pub struct Memory {
    most: usize,
    fetched: Arc<Semaphore>,
    large: Mutex<()>,
    unsigned: AtomicUsize,
    workers: usize,
}

impl Memory {
    /// The shares of `most` bytes, for this many workers.
    pub fn of(most: usize, workers: usize) -> Self {
        Self {
            most,
            fetched: Arc::new(Semaphore::new((most / 4) / UNIT as usize)),
            large: Mutex::new(()),
            unsigned: AtomicUsize::new(most / 8),
            workers: workers.max(1),
        }
    }

    /// The largest body that is fetched or read, in bytes.
    pub fn max_stored(&self) -> u64 {
        (self.most / 8) as u64
    }

    /// The largest content that is held whole, in bytes.
    pub fn max_content(&self) -> usize {
        (self.most / 4).min(MAX_CONTENT)
    }

    /// Bytes, stored or inflated, that every worker may hold of the object at hand at any time.
    pub fn ordinary(&self) -> usize {
        (self.most / 4 / self.workers).clamp(1 << 20, MAX_ORDINARY)
    }

    /// Room for a body of this size as listed; 0 where nothing tells it.
    pub fn room(&self, size: u64) -> u64 {
        if size == 0 { UNKNOWN.min(self.max_stored()) } else { size }
    }

    /// Waits until a body that takes so much room may be held that is fetched, which it may as long as the answer is kept.
    /// Calls are answered in their order.
    pub fn admit(&self, room: u64) -> impl Future<Output = Option<OwnedSemaphorePermit>> + use<> {
        let admitted = self.fetched.clone().acquire_many_owned(self.units(room) as u32);
        async move { admitted.await.ok() }
    }

    /// Gives back what a body of this size does not take of its room.
    pub fn shrink(&self, permit: &mut OwnedSemaphorePermit, size: u64) {
        drop(permit.split(permit.num_permits().saturating_sub(self.units(size))));
    }

    fn units(&self, size: u64) -> usize {
        // A u32 holds them: that many units are 4 TiB.
        (size.min(self.max_stored()) / UNIT).clamp(1, u64::from(u32::MAX)) as usize
    }

    /// Waits until no other large object is in memory. Only for CPU workers, which wait for nothing while they hold this.
    pub fn alone(&self) -> MutexGuard<'_, ()> {
        // A poisoned lock only means that another such object ended in a panic.
        self.large.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room for what unsigned digests list; false if there is not as much.
    pub fn take_unsigned(&self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        self.unsigned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Gives it back.
    pub fn give_unsigned(&self, bytes: usize) {
        self.unsigned.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unsigned_digests_list_takes_no_more_than_its_share() {
        let memory = Memory::of(64 << 20, 2);
        assert!(memory.take_unsigned(5 << 20));
        assert!(!memory.take_unsigned(4 << 20));
        memory.give_unsigned(5 << 20);
        assert!(memory.take_unsigned(8 << 20));
    }

    #[test]
    fn many_workers_hold_no_more_than_few() {
        for (workers, ordinary) in [(1, 32 << 20), (4, 32 << 20), (16, 8 << 20), (64, 2 << 20), (1024, 1 << 20)] {
            assert_eq!(Memory::of(512 << 20, workers).ordinary(), ordinary);
        }
    }

    #[tokio::test]
    async fn bodies_wait_for_their_turn() {
        let memory = Memory::of(4 << 20, 1);
        let held = (memory.admit(u64::MAX).await, memory.admit(u64::MAX).await);
        let next = memory.admit(1);
        tokio::pin!(next);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), &mut next).await.is_err());
        drop(held);
        assert!(next.await.is_some());
    }

    #[tokio::test]
    async fn a_body_gives_back_what_it_does_not_take_of_its_room() {
        let memory = Memory::of(64 << 20, 1);
        let mut permit = memory.admit(memory.max_stored()).await.expect("room");
        memory.shrink(&mut permit, 100 * UNIT);
        assert_eq!(permit.num_permits(), 100);
        memory.shrink(&mut permit, memory.max_stored());
        assert_eq!(permit.num_permits(), 100);
        assert_eq!(memory.fetched.available_permits() as u64, 2 * memory.max_stored() / UNIT - 100);
    }

    #[test]
    fn what_nothing_tells_the_size_of_takes_a_little_room_at_first() {
        assert_eq!(Memory::of(512 << 20, 1).room(0), UNKNOWN);
        assert_eq!(Memory::of(4 << 20, 1).room(0), 512 << 10);
        assert_eq!(Memory::of(512 << 20, 1).room(7), 7);
    }
}
