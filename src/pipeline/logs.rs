//! Reads planned logs: each object once, inflated, hashed, judged and, when a table is written, parsed, all from the
//! same bytes on the same worker.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, MutexGuard};

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::batches::{in_day_order, into_batches};
use super::memory::Memory;
use super::outcome::{Kind, LogOutcome, copied, judge_pieces, judged, unread};
use super::outlet::Outlet;
use super::plan::{PlacePlan, PlannedLog};
use super::trail_events::{self, TrailEvent, Watched};
use super::{Context, spawn};
use crate::metrics::Metrics;
use crate::source::{Body, ObjectRef, Source, SourceError};
use trailproof_proof::archive::ids::OrgId;
use trailproof_proof::archive::key::AccountRegion;
use trailproof_proof::finding::{Finding, FindingId};
use trailproof_proof::gunzip::{self, Content, Damage, Inflated};
use trailproof_proof::report::{Findings, Outcomes, Records};
use trailproof_proof::sha256::Sha256;
use trailproof_proof::verify::log::Hashes;

pub use super::outcome::Integrity;

/// Files that a worker takes at once, so that tiny logs do not each pay for a job.
const JOB_FILES: usize = 512;

/// The same for logs that are fetched: as many as have arrived, up to this.
const JOB_BODIES: usize = 16;

/// A log's content, with everything known of it.
pub struct LogContent<'a> {
    /// The organization in its key.
    pub org: Option<&'a OrgId>,
    /// Whose folder it lay in.
    pub place: &'a AccountRegion,
    /// The planned log.
    pub log: &'a PlannedLog,
    /// Object key.
    pub key: &'a str,
    /// Inflated bytes: those that were hashed.
    pub content: &'a [u8],
    /// SHA-256 of them.
    pub hash: Sha256,
    /// What the digests make of it.
    pub integrity: Integrity,
}

/// Takes the content of logs, batch by batch, on CPU workers.
///
/// Which logs make a batch, and their order in it, follows from the plan alone; so does the order of
/// [`put`](Self::put). A sink that looks at nothing else makes the same of the same archive.
pub trait LogSink: Send + Sync + 'static {
    /// Why the program's own output failed.
    type Error: std::error::Error + Send + 'static;
    /// What a batch of logs came to.
    type Batch: Send + 'static;

    /// Starts a batch.
    fn begin(&self) -> Self::Batch;

    /// Takes one log's content.
    ///
    /// # Errors
    /// A fault of the program's own output. Nothing is given to the sink after it, and the run goes on to its verdict.
    fn take(&self, batch: &mut Self::Batch, log: &LogContent<'_>) -> Result<Records, Self::Error>;

    /// Does what is left to compute for a batch.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    fn end(&self, batch: &mut Self::Batch) -> Result<(), Self::Error>;

    /// Puts a batch behind those before it.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    fn put(&self, batch: Self::Batch) -> Result<(), Self::Error>;

    /// Whether a batch holds so much that it has to be put in part before it takes more: a log inflates to what its writer
    /// likes, and the plan cannot know.
    fn is_full(&self, _batch: &Self::Batch) -> bool {
        false
    }

    /// Puts what a batch holds behind the batches before it, all of which were put.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    fn put_part(&self, _batch: &mut Self::Batch) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// What the logs came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Logs by outcome.
    pub outcomes: Outcomes,
    /// Records by where they went.
    pub records: Records,
    /// Inflated bytes.
    pub inflated_bytes: u64,
    /// Stored bytes.
    pub stored_bytes: u64,
    /// Calls that turn a trail off or change it; looked for only where a chain breaks off.
    pub trail_events: Vec<TrailEvent>,
}

/// Reads every planned log, oldest day first. A log that cannot be read becomes a finding; a fault of the sink is answered
/// beside the tally, which is whole all the same.
pub async fn read_all<S: Source, K: LogSink>(
    context: &Context<S>,
    plans: Arc<Vec<PlacePlan>>,
    sink: Option<Arc<K>>,
    watched: Watched,
    findings: &mut Findings,
) -> (Tally, Option<K::Error>) {
    let sink = sink.map(|sink| Arc::new(Outlet::to(sink)));
    let order = in_day_order(&plans);
    let mut tally = Tally::default();
    Metrics::add(&context.metrics.logs_total, order.len() as u64);
    let sizes = order.iter().map(|&(p, l)| plans[p as usize].logs[l as usize].size());
    Metrics::add(&context.metrics.stored_bytes_total, sizes.fold(0, u64::saturating_add));
    let round = Round {
        plans: plans.clone(),
        order,
        larger: BTreeSet::new(),
        sink: sink.clone(),
        watched: watched.clone(),
        is_last: false,
    };
    let Later { mut logs, larger } = read_round(context, round, &mut tally, findings).await;
    if !logs.is_empty() {
        // Faults may have passed since. In the order of the plan, because the batches are.
        logs.sort_unstable();
        let round = Round { plans, order: logs, larger, sink: sink.clone(), watched, is_last: true };
        read_round(context, round, &mut tally, findings).await;
    }
    (tally, sink.and_then(|sink| sink.fault()))
}

/// Logs to read, and what for.
struct Round<K: LogSink> {
    plans: Arc<Vec<PlacePlan>>,
    /// Plan and log numbers, in the order in which logs are read.
    order: Vec<(u32, u32)>,
    /// Those of them that are larger than was known.
    larger: BTreeSet<(u32, u32)>,
    sink: Option<Arc<Outlet<K>>>,
    watched: Watched,
    /// Whether what fails in passing has to be told as unreadable now.
    is_last: bool,
}

/// Logs to read later, by plan and log numbers.
#[derive(Default)]
struct Later {
    logs: Vec<(u32, u32)>,
    /// Those of them that are larger than was known.
    larger: BTreeSet<(u32, u32)>,
}

/// Reads logs; answers which may be read later.
async fn read_round<S: Source, K: LogSink>(
    context: &Context<S>,
    round: Round<K>,
    tally: &mut Tally,
    findings: &mut Findings,
) -> Later {
    let Round { plans, order, larger, sink, watched, is_last } = round;
    let batches = into_batches(&plans, &order, sink.is_some());
    let memory = context.memory.clone();
    let metrics = context.metrics.clone();
    let worker = Arc::new(Worker { plans, order, larger, sink, watched, is_last, metrics, memory });
    let slots = batches_at_once(context, worker.sink.is_some());
    let mut later = Later::default();
    // How many batches were put.
    let (put, turn) = watch::channel(0);
    let mut done = stream::iter(batches)
        .enumerate()
        .map(|(number, logs)| run_batch(context, worker.clone(), logs, Turn { number, put: turn.clone() }))
        .buffered(slots);
    while let Some((part, rows)) = done.next().await {
        later.logs.extend(part.later.iter().map(|&at| worker.order[at]));
        later.larger.extend(part.larger.iter().map(|&at| worker.order[at]));
        tally.merge(part, findings);
        if let Some(rows) = rows {
            let worker = worker.clone();
            context.compute(move || worker.put(rows)).await;
        }
        put.send_modify(|put| *put += 1);
    }
    later
}

/// How many batches are worked on at once: one more than there are workers, so that one waiting for its turn leaves none
/// idle. Rows of so many batches fit into a quarter of the memory, and take about as much again while they are encoded.
fn batches_at_once<S>(context: &Context<S>, keeps_rows: bool) -> usize {
    let slots = context.workers.current_num_threads() + 1;
    match keeps_rows {
        true => slots.min(context.max_memory / 4 / context.batch_bytes()).max(1),
        false => slots,
    }
}

/// A log that was fetched, or could not be.
struct Fetched {
    /// Its place in the order of all logs.
    at: usize,
    object: ObjectRef,
    body: Result<Body, SourceError>,
    /// Gives back its share of the bytes in flight.
    permit: Option<OwnedSemaphorePermit>,
}

/// When a batch may be put in part, and take a large log: when those before it were put whole.
struct Turn {
    number: usize,
    put: watch::Receiver<usize>,
}

/// Reads and judges the logs of one batch, in order.
async fn run_batch<S: Source, K: LogSink>(
    context: &Context<S>,
    worker: Arc<Worker<K>>,
    logs: Range<usize>,
    mut turn: Turn,
) -> (Part, Option<K::Batch>) {
    let rows = worker.sink.as_ref().and_then(|sink| sink.begin());
    let mut work = Work { next: logs.start, part: Part::default(), rows, at_turn: false, awaits_turn: false };
    loop {
        work = run_until_full(context, &worker, work, logs.end).await;
        if work.next == logs.end {
            break;
        }
        // What was fetched ahead was given back: whoever waits here holds nothing that the batches before may need.
        if turn.put.wait_for(|put| *put == turn.number).await.is_err() {
            break;
        }
        (work.at_turn, work.awaits_turn) = (true, false);
        let worker = worker.clone();
        work = context.compute(move || worker.put_part(work)).await;
    }
    let Work { part, mut rows, .. } = work;
    if rows.is_some() {
        let worker = worker.clone();
        let end = move || {
            worker.give(&mut rows, |sink, batch| sink.end(batch));
            rows
        };
        rows = context.compute(end).await;
    }
    (part, rows)
}

/// How far a batch has come.
struct Work<B> {
    next: usize,
    part: Part,
    rows: Option<B>,
    /// Whether all batches before were put.
    at_turn: bool,
    /// Whether the next log is too large for any other time.
    awaits_turn: bool,
}

/// Goes on with a batch until it is done or full, or has to wait for its turn.
async fn run_until_full<S: Source, K: LogSink>(
    context: &Context<S>,
    worker: &Arc<Worker<K>>,
    mut work: Work<K::Batch>,
    end: usize,
) -> Work<K::Batch> {
    let fetch = |at, permit: Option<OwnedSemaphorePermit>| {
        let (object, room, limit) = (worker.object(at), worker.room(at), worker.memory.max_stored());
        async move {
            let body = if context.is_cancelled() {
                None
            } else if room > limit {
                Some(Err(SourceError::TooLarge { size: room, limit }))
            } else {
                // A wait that the stop cut short is no fault of the log's.
                Some(fetch(context, &object, room).await).filter(|body| body.is_ok() || !context.is_cancelled())
            };
            body.map(|body| Fetched {
                at,
                object,
                permit: permit.and_then(|permit| kept(context, permit, &body)),
                body,
            })
        }
    };
    let logs = stream::iter(work.next..end);
    let fetching = if S::IS_LOCAL {
        // A file is read where it is used, one at a time.
        logs.then(|at| fetch(at, None)).ready_chunks(JOB_FILES).left_stream()
    } else {
        let admitted = logs.then(|at| {
            let permit = worker.memory.admit(worker.room(at));
            async move { (at, permit.await) }
        });
        let fetched = admitted.map(|(at, permit)| fetch(at, permit));
        // All batches share the requests; one that is alone may have them all.
        fetched.buffered(context.concurrency).ready_chunks(JOB_BODIES).right_stream()
    };
    tokio::pin!(fetching);
    while let Some(fetched) = fetching.next().await {
        let at_work = worker.clone();
        work = context.compute(move || at_work.process_all(fetched, work)).await;
        if work.awaits_turn || worker.is_full(&work) {
            break;
        }
    }
    work
}

/// What is kept of the room that a body was given.
fn kept<S>(
    context: &Context<S>,
    mut permit: OwnedSemaphorePermit,
    body: &Result<Body, SourceError>,
) -> Option<OwnedSemaphorePermit> {
    let Ok(Body::Bytes(bytes)) = body else { return None };
    context.memory.shrink(&mut permit, bytes.len() as u64);
    Some(permit)
}

async fn fetch<S: Source>(context: &Context<S>, object: &ObjectRef, limit: u64) -> Result<Body, SourceError> {
    if S::IS_LOCAL {
        return context.source.read(object, limit).await;
    }
    let (source, retry, requests) = (context.source.clone(), context.retry.clone(), context.requests.clone());
    let object = object.clone();
    let read = spawn(async move {
        // Whoever pauses leaves its turn to others.
        let attempt = || async {
            let _permit = requests.acquire().await;
            source.read(&object, limit).await
        };
        retry.run(attempt).await
    });
    context.unless_stopped(read).await
}

/// What one batch came to.
#[derive(Debug, Default)]
struct Part {
    tally: Tally,
    findings: Findings,
    /// Logs to read later, by their places in the order.
    later: Vec<usize>,
    /// Those of them that are larger than was known.
    larger: Vec<usize>,
}

impl Part {
    fn add(&mut self, outcome: LogOutcome, metrics: &Metrics) {
        if let Kind::Later { at, is_larger } = outcome.kind {
            self.later.push(at);
            self.larger.extend(is_larger.then_some(at));
            return;
        }
        let outcomes = &mut self.tally.outcomes;
        if outcome.kind != Kind::Missing {
            outcomes.listed += 1;
        }
        *match outcome.kind {
            Kind::Missing => &mut outcomes.missing,
            Kind::NotReached | Kind::Unreadable | Kind::AwaitsTurn | Kind::Later { .. } => &mut outcomes.unreadable,
            Kind::Malformed => &mut outcomes.malformed,
            Kind::Copied => &mut outcomes.copied,
            Kind::Judged(Integrity::Verified) => &mut outcomes.verified,
            Kind::Judged(Integrity::Altered) => &mut outcomes.altered,
            Kind::Judged(Integrity::Unlisted) => &mut outcomes.unlisted,
            Kind::Judged(Integrity::Uncovered) => &mut outcomes.uncovered,
            Kind::Judged(Integrity::Pending) => &mut outcomes.pending,
        } += 1;
        self.tally.records.add(outcome.records);
        self.tally.inflated_bytes += outcome.inflated_bytes;
        self.tally.stored_bytes += outcome.stored_bytes;
        self.tally.trail_events.extend(outcome.trail_events);
        Metrics::add(&metrics.findings, outcome.findings.len() as u64);
        self.findings.extend(outcome.findings);
    }
}

impl Tally {
    fn merge(&mut self, part: Part, findings: &mut Findings) {
        let Self { outcomes, records, inflated_bytes, stored_bytes, trail_events } = part.tally;
        self.outcomes.add(outcomes);
        self.records.add(records);
        self.inflated_bytes += inflated_bytes;
        self.stored_bytes += stored_bytes;
        self.trail_events.extend(trail_events);
        findings.merge(part.findings);
    }
}

/// What the CPU workers share.
struct Worker<K: LogSink> {
    plans: Arc<Vec<PlacePlan>>,
    /// Plan and log numbers, in the order in which logs are read.
    order: Vec<(u32, u32)>,
    larger: BTreeSet<(u32, u32)>,
    sink: Option<Arc<Outlet<K>>>,
    watched: Watched,
    is_last: bool,
    metrics: Arc<Metrics>,
    memory: Arc<Memory>,
}

/// The log that a worker is busy with.
#[derive(Clone, Copy)]
struct AtHand<'a> {
    plan: &'a PlacePlan,
    log: &'a PlannedLog,
    key: &'a str,
    stored: &'a [u8],
    /// Whether all batches before its own were put.
    at_turn: bool,
}

thread_local! {
    /// Stored and inflated bytes of the log at hand; kept from log to log so that no memory is touched for the first time.
    static BUFFERS: RefCell<(Vec<u8>, Content)> = RefCell::default();
}

impl<K: LogSink> Worker<K> {
    /// The log at a place in the order.
    fn log(&self, at: usize) -> (&PlacePlan, &PlannedLog) {
        let (p, l) = self.order[at];
        let plan = &self.plans[p as usize];
        (plan, &plan.logs[l as usize])
    }

    fn object(&self, at: usize) -> ObjectRef {
        let (plan, log) = self.log(at);
        plan.object(log)
    }

    /// How much room a log is given: its size as listed, a little where nothing lists it, and all that there is for one where
    /// that was too little, or that is not asked for again.
    fn room(&self, at: usize) -> u64 {
        let size = self.log(at).1.size();
        match self.larger.contains(&self.order[at]) || (self.is_last && size == 0) {
            true => self.memory.max_stored(),
            false => self.memory.room(size),
        }
    }

    fn is_full(&self, work: &Work<K::Batch>) -> bool {
        self.sink.as_ref().zip(work.rows.as_ref()).is_some_and(|(sink, rows)| sink.is_full(rows))
    }

    /// Has the sink do something with a batch; nothing comes of it without a sink, or after its first fault.
    fn give<T: Default>(
        &self,
        rows: &mut Option<K::Batch>,
        give: impl FnOnce(&K, &mut K::Batch) -> Result<T, K::Error>,
    ) -> T {
        self.sink.as_ref().map(|sink| sink.give(rows, give)).unwrap_or_default()
    }

    fn put(&self, rows: K::Batch) {
        if let Some(sink) = &self.sink {
            sink.put(rows);
        }
    }

    /// Takes fetched logs in, in order, until there is no more room for what they come to.
    fn process_all(&self, fetched: Vec<Option<Fetched>>, mut work: Work<K::Batch>) -> Work<K::Batch> {
        for log in fetched {
            let outcome = match log {
                Some(log) => self.process(log, &mut work.rows, work.at_turn),
                // The default is a log that the stopped run did not come to.
                None => LogOutcome::default(),
            };
            work.awaits_turn = outcome.kind == Kind::AwaitsTurn;
            if work.awaits_turn {
                break;
            }
            work.part.add(outcome, &self.metrics);
            work.next += 1;
            if self.is_full(&work) {
                break;
            }
        }
        work
    }

    fn put_part(&self, mut work: Work<K::Batch>) -> Work<K::Batch> {
        self.give(&mut work.rows, |sink, rows| sink.put_part(rows));
        work
    }

    fn process(&self, fetched: Fetched, rows: &mut Option<K::Batch>, at_turn: bool) -> LogOutcome {
        let Fetched { at, object, body, permit: _permit } = fetched;
        let (plan, log) = self.log(at);
        if let Some(error) = body.as_ref().err().filter(|_| !self.is_last) {
            let is_larger = matches!(error, SourceError::TooLarge { limit, .. } if *limit < self.memory.max_stored());
            if is_larger || error.is_transient() {
                return LogOutcome { kind: Kind::Later { at, is_larger }, ..LogOutcome::default() };
            }
        }
        let outcome = BUFFERS.with_borrow_mut(|(stored, content)| {
            let (mut alone, mut large) = (None, Vec::new());
            let bytes = match &body {
                Ok(Body::Bytes(bytes)) => Ok(bytes.as_ref()),
                Ok(Body::File(file)) => match file.read(stored, self.memory.ordinary() as u64 / 4) {
                    Err(SourceError::TooLarge { .. }) => {
                        alone = Some(self.memory.alone());
                        let read = file.read(&mut large, self.memory.max_stored());
                        read.map(|()| large.as_slice())
                    }
                    read => read.map(|()| stored.as_slice()),
                },
                Err(error) => Err(error.clone()),
            };
            match bytes {
                Ok(stored) => {
                    let at_hand = AtHand { plan, log, key: &object.key, stored, at_turn };
                    self.judge(at_hand, alone, content, rows)
                }
                Err(error) => unread(log, &object.key, &error),
            }
        });
        if outcome.kind == Kind::AwaitsTurn {
            return outcome;
        }
        Metrics::add(&self.metrics.logs, 1);
        Metrics::add(&self.metrics.stored_bytes, outcome.stored_bytes);
        Metrics::add(&self.metrics.inflated_bytes, outcome.inflated_bytes);
        Metrics::add(&self.metrics.records, outcome.records.read);
        outcome
    }

    /// Judges a log's stored bytes; `alone` is held for those that are large.
    fn judge(
        &self,
        at_hand: AtHand<'_>,
        alone: Option<MutexGuard<'_, ()>>,
        content: &mut Content,
        rows: &mut Option<K::Batch>,
    ) -> LogOutcome {
        let AtHand { plan, log, key, stored, at_turn } = at_hand;
        let inflated = gunzip::inflate(stored, self.memory.ordinary(), content);
        if !inflated.over_cap {
            return self.judge_content(at_hand, &inflated, content, rows);
        }
        if rows.is_some() && !at_turn {
            // Its rows can be put at once then, and those of others like it do not pile up beside them.
            return LogOutcome { kind: Kind::AwaitsTurn, ..LogOutcome::default() };
        }
        let _alone = alone.unwrap_or_else(|| self.memory.alone());
        let mut large = std::mem::take(content);
        let inflated = gunzip::inflate(stored, self.memory.max_content(), &mut large);
        if inflated.over_cap {
            drop(large);
            return judge_pieces(plan, log, key, stored, rows.is_some());
        }
        self.judge_content(at_hand, &inflated, &large, rows)
    }

    fn judge_content(
        &self,
        AtHand { plan, log, key, stored, .. }: AtHand<'_>,
        inflated: &Inflated,
        content: &[u8],
        rows: &mut Option<K::Batch>,
    ) -> LogOutcome {
        let hash = Sha256::of(content);
        let first_member = inflated
            .has(Damage::SeveralMembers)
            .then(|| Sha256::of(&content[..usize::try_from(inflated.first_member).unwrap_or(content.len())]));
        if let Some(copied) = copied(plan, log, key, inflated, &hash) {
            return LogOutcome { stored_bytes: stored.len() as u64, ..copied };
        }
        let (integrity, mut findings) = judged(log, key, inflated, Hashes { whole: hash, first_member });
        let taken = LogContent { org: plan.org(log), place: &plan.place, log, key, content, hash, integrity };
        let records = self.give(rows, |sink, rows| sink.take(rows, &taken));
        if records.malformed > 0 {
            let sentence = format!("{} parts of the log are not records; they are kept raw", records.malformed);
            findings.push(Finding::new(FindingId::RecordsMalformed, key, sentence));
        }
        let readable = inflated.is_whole() || integrity == Integrity::Altered || integrity == Integrity::Verified;
        LogOutcome {
            kind: if readable { Kind::Judged(integrity) } else { Kind::Malformed },
            findings,
            records,
            inflated_bytes: content.len() as u64,
            stored_bytes: stored.len() as u64,
            trail_events: match integrity {
                Integrity::Verified => {
                    trail_events::in_content(content, plan.place.account, plan.org(log), &self.watched)
                }
                // What nothing vouches for explains nothing.
                _ => Vec::new(),
            },
        }
    }
}
