//! A table in a bucket: each file is an upload of its own, fed by the worker that writes it.
//!
//! ```text
//! worker: write ─▶ buffer ─ full ─▶ room for a part ─▶ bounded queue ─▶ task: upload parts, a few at once
//!         seal    ─ waits until every part has arrived
//!         publish ─ waits until the object is made of them
//!         dropped before that ─▶ the task aborts the upload
//! ```
//!
//! Objects are made only where none of their name is, the claim on the prefix first. A bucket has no locks: whether the run
//! that a claim is of still goes on cannot be told.

use std::io::{self, Write};
use std::sync::mpsc as answers;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::fetch::{Patience, Retry, Stop};
use crate::source::SourceError;
use crate::source::s3::destination::{Destination, Part, Upload};
use trailproof_table::sink::{CLAIM, Claim, REPORT, SinkError, Standing, Store, StoredFile};

/// Bytes of a part: S3's least is 5 MiB, and a file of the table has far fewer than its most, 10,000.
const PART_BYTES: usize = 5 << 20;

/// How long parts may still take that are under way when the run is stopped.
const LAST_PARTS: Duration = Duration::from_secs(30);

/// Parts of one file under way at once.
const PARTS_AT_ONCE: usize = 4;

/// A prefix of a bucket, as a place for the table. Its calls wait, and so must not be made on the async runtime's threads.
#[derive(Debug, Clone)]
pub struct Bucket {
    destination: Patient,
    runtime: Handle,
    uploads: Arc<Mutex<Vec<JoinHandle<()>>>>,
    /// For so many parts of all files together: whoever waits for it holds nothing that an upload needs.
    room: Arc<Semaphore>,
}

/// A destination that is asked again for what may pass.
#[derive(Debug, Clone)]
struct Patient {
    destination: Destination,
    /// For files, until the run is stopped.
    retry: Retry,
    stop: Arc<Stop>,
    /// For what comes before the run, and for what is tidied up behind it.
    brief: Retry,
}

impl Patient {
    async fn begin(&self, path: &str) -> Result<Upload, SourceError> {
        self.retry.run_until(&self.stop, || self.destination.begin(path)).await
    }

    async fn part(&self, upload: &Upload, number: i32, bytes: Bytes) -> Result<Part, SourceError> {
        let stopped = async {
            self.stop.wait().await;
            tokio::time::sleep(LAST_PARTS).await;
        };
        tokio::select! {
            arrived = self.retry.run_until(&self.stop, || self.destination.part(upload, number, bytes.clone())) => arrived,
            () = stopped => Err(SourceError::Other { detail: "the run was stopped".to_owned() }),
        }
    }

    async fn complete(&self, upload: &Upload, parts: Vec<Part>) -> Result<bool, SourceError> {
        self.retry.run_until(&self.stop, || self.destination.complete(upload, parts.clone())).await
    }

    async fn abort(&self, upload: &Upload) -> Result<(), SourceError> {
        self.brief.run(|| self.destination.abort(upload)).await
    }

    async fn delete(&self, upload: &Upload) -> Result<(), SourceError> {
        self.brief.run(|| self.destination.delete(upload)).await
    }
}

/// What a worker asks of a file's task.
enum Ask {
    /// A part, and the room that it takes until it has arrived.
    Part(Bytes, OwnedSemaphorePermit),
    Seal(Answer),
    Publish(Answer),
    Discard,
}

type Answer = answers::Sender<Result<(), SourceError>>;

impl Bucket {
    /// A place for files, whose requests are made on a runtime, with room for parts of so many bytes.
    pub fn new(destination: Destination, patience: Patience, runtime: Handle, room: usize) -> Self {
        let (retry, brief) = (Retry::new(patience), Retry::new(patience.brief()));
        let destination = Patient { destination, retry, stop: Arc::default(), brief };
        let room = Arc::new(Semaphore::new((room / PART_BYTES).max(1)));
        Self { destination, runtime, uploads: Arc::default(), room }
    }

    /// Lets nobody wait any longer for what may pass: the run is to stop.
    pub fn stop(&self) {
        self.destination.stop.ask();
    }

    /// Waits until every upload was completed or aborted.
    pub async fn settle(&self) {
        let uploads = std::mem::take(&mut *self.uploads.lock().unwrap_or_else(PoisonError::into_inner));
        for upload in uploads {
            if let Err(error) = upload.await {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }

    /// Claims the prefix, unless another run has; answers what to delete afterwards.
    async fn put_claim(&self) -> Result<Option<Upload>, SourceError> {
        let Patient { destination, brief, .. } = &self.destination;
        let upload = brief.run(|| destination.begin(CLAIM)).await?;
        let put = async {
            let part = brief.run(|| destination.part(&upload, 1, Claim::text().into())).await?;
            brief.run(|| destination.complete(&upload, vec![part.clone()])).await
        };
        match put.await {
            Ok(true) => Ok(Some(upload)),
            refused => {
                // As for any other upload.
                let _ = self.destination.abort(&upload).await;
                refused.map(|_| None)
            }
        }
    }

    /// What of a table stands there.
    async fn table_there(&self) -> Result<Vec<&'static str>, SourceError> {
        let mut there = Vec::new();
        for path in ["events/", "quarantine/", REPORT] {
            let Patient { destination, brief, .. } = &self.destination;
            if brief.run(|| destination.holds(path)).await? {
                there.push(path);
            }
        }
        Ok(there)
    }
}

impl Store for Bucket {
    fn name(&self) -> String {
        self.destination.destination.address("").trim_end_matches('/').to_owned()
    }

    fn claim(&self) -> Result<Claim, SinkError> {
        let failed = |source| SinkError::File { place: self.name(), source: io::Error::other(source) };
        let place = |path: &str| self.destination.destination.address(path).trim_end_matches('/').to_owned();
        let held = self.runtime.block_on(self.put_claim()).map_err(failed)?;
        let claim = held.map(|upload| {
            let (runtime, destination) = (self.runtime.clone(), self.destination.clone());
            Claim::new(move || {
                // A claim that cannot be deleted is told by the next run, which says what to remove.
                let _ = runtime.block_on(destination.delete(&upload));
            })
        });
        // Only now, because another run may have ended before the claim was made.
        let there = self.runtime.block_on(self.table_there()).map_err(failed)?;
        let (path, standing) = match (claim, there.first()) {
            (Some(claim), None) => return Ok(claim),
            (Some(_), Some(&REPORT)) => (REPORT, Standing::Occupied),
            (Some(_), Some(folder)) => (*folder, Standing::Table),
            (None, _) if there.contains(&REPORT) => ("", Standing::Table),
            (None, _) => {
                let remove =
                    there.iter().chain([&CLAIM]).map(|path| self.destination.destination.address(path)).collect();
                ("", Standing::Claimed { remove })
            }
        };
        Err(SinkError::DestinationTaken { place: place(path), standing })
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StoredFile>> {
        let (asks, asked) = mpsc::channel(1);
        let upload = self.runtime.block_on(self.destination.begin(path)).map_err(io::Error::other)?;
        let task = self.runtime.spawn(serve(self.destination.clone(), upload, asked));
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        let (runtime, room) = (self.runtime.clone(), self.room.clone());
        Ok(Box::new(UploadedFile { asks, runtime, room, buffer: Vec::new(), length: 0 }))
    }
}

struct UploadedFile {
    asks: mpsc::Sender<Ask>,
    runtime: Handle,
    room: Arc<Semaphore>,
    buffer: Vec<u8>,
    length: u64,
}

impl UploadedFile {
    fn ask(&self, ask: Ask) -> io::Result<()> {
        self.asks.blocking_send(ask).map_err(|_| io::Error::other("the upload has ended already"))
    }

    /// Hands what was written to the task, when there is room for it.
    fn send_part(&mut self) -> io::Result<()> {
        let room = self.runtime.block_on(self.room.clone().acquire_owned()).map_err(io::Error::other)?;
        let part = std::mem::take(&mut self.buffer);
        self.ask(Ask::Part(part.into(), room))
    }

    fn wait_for(&self, ask: impl FnOnce(Answer) -> Ask) -> io::Result<()> {
        let (sender, answer) = answers::channel();
        self.ask(ask(sender))?;
        match answer.recv() {
            Ok(outcome) => outcome.map_err(io::Error::other),
            Err(_) => Err(io::Error::other("the upload has ended already")),
        }
    }
}

impl Write for UploadedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        self.length += taken as u64;
        if self.buffer.len() == PART_BYTES {
            self.send_part()?;
        }
        Ok(taken)
    }

    /// Nothing: only whole parts can be sent before the last.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StoredFile for UploadedFile {
    fn seal(&mut self) -> io::Result<u64> {
        if !self.buffer.is_empty() {
            self.send_part()?;
        }
        self.wait_for(Ask::Seal)?;
        Ok(self.length)
    }

    fn publish(&mut self) -> io::Result<()> {
        self.wait_for(Ask::Publish)
    }

    fn discard(&mut self) {
        // A task that has no room for this, or is gone, ends when the sender does, and aborts then as well; one that has
        // published has been idle since.
        let _ = self.asks.try_send(Ask::Discard);
    }
}

/// Serves one file until its writer is done with it.
async fn serve(destination: Patient, upload: Upload, mut asked: mpsc::Receiver<Ask>) {
    let mut arriving = FuturesUnordered::new();
    let (mut number, mut parts, mut failed): (i32, Vec<Part>, Option<SourceError>) = (0, Vec::new(), None);
    let mut is_published = false;
    loop {
        let ask = tokio::select! {
            Some(arrived) = arriving.next() => {
                note(Some(arrived), &mut parts, &mut failed);
                continue;
            }
            ask = asked.recv(), if arriving.len() < PARTS_AT_ONCE => ask,
        };
        let Some(ask) = ask else { break };
        match ask {
            Ask::Part(bytes, room) => {
                number += 1;
                let part = destination.part(&upload, number, bytes);
                arriving.push(async move {
                    let arrived = part.await;
                    drop(room);
                    arrived
                });
            }
            Ask::Seal(answer) => {
                while !arriving.is_empty() {
                    note(arriving.next().await, &mut parts, &mut failed);
                }
                // A writer that is gone asks for nothing more.
                let _ = answer.send(failed.clone().map_or(Ok(()), Err));
            }
            Ask::Publish(answer) => {
                let completed = match failed.clone() {
                    Some(error) => Err(error),
                    None => destination.complete(&upload, std::mem::take(&mut parts)).await.and_then(|is_new| {
                        let detail = "an object of that name is there already, and nothing is replaced".to_owned();
                        is_new.then_some(()).ok_or(SourceError::Other { detail })
                    }),
                };
                is_published = completed.is_ok();
                // As above.
                let _ = answer.send(completed);
            }
            Ask::Discard => {
                if is_published {
                    // The table is being given up; a file that cannot be deleted is told by its missing report.
                    let _ = destination.delete(&upload).await;
                    return;
                }
                break;
            }
        }
    }
    if !is_published {
        drop(arriving);
        // Parts that cannot be removed are no object; the bucket's lifecycle rule for incomplete uploads removes them.
        let _ = destination.abort(&upload).await;
    }
}

fn note(arrived: Option<Result<Part, SourceError>>, parts: &mut Vec<Part>, failed: &mut Option<SourceError>) {
    match arrived {
        Some(Ok(part)) => parts.push(part),
        Some(Err(error)) => *failed = Some(error),
        None => {}
    }
}
