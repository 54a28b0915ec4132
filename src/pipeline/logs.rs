//! Reads planned logs: each object once, inflated, hashed, judged and, when a table is written, parsed, all from the
//! same bytes on the same worker.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use futures_util::future;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::plan::{Listed, LogPlace, PlacePlan, PlannedLog};
use super::trail_events::{self, TrailEvent};
use super::{Context, spawn};
use crate::archive::ids::OrgId;
use crate::archive::key::AccountRegion;
use crate::finding::{Finding, FindingId};
use crate::gunzip::{self, Damage, Inflated};
use crate::metrics::Metrics;
use crate::report::{Findings, Outcomes, Records};
use crate::sha256::Sha256;
use crate::source::{Body, ObjectRef, Source, SourceError, directory};
use crate::verify::log::{self, Hashes, Verdict};

/// Content up to this size is inflated by any worker at any time; larger content one log at a time.
const ORDINARY: usize = 32 << 20;

/// A log whose content exceeds this cannot be CloudTrail's: its limit is 50 MB, of content or (formerly) of gzip.
const IMPOSSIBLE: u64 = 4 << 30;

/// Logs and stored bytes that one local job takes, so that tiny logs do not each pay for a job.
const JOB_LOGS: usize = 64;
const JOB_BYTES: u64 = 4 << 20;

/// Fetched bodies that one job takes: as many as have arrived, up to this.
const JOB_BODIES: usize = 16;

/// What became of a log, for counting and for its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// Its content is what a signed digest records.
    Verified,
    /// It is not.
    Altered,
    /// No digest names it, although its hour is covered.
    Unlisted,
    /// No digest covers its hour.
    Uncovered,
    /// Its digest may still come.
    Pending,
}

impl Integrity {
    /// The word that the table's rows carry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Altered => "altered",
            Self::Unlisted => "unlisted",
            Self::Uncovered => "uncovered",
            Self::Pending => "pending",
        }
    }
}

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

/// Takes the content of logs, on CPU workers.
pub trait LogSink: Send + Sync + 'static {
    /// Why the program's own output failed.
    type Error: std::error::Error + Send + 'static;

    /// Takes one log's content.
    ///
    /// # Errors
    /// A fault of the program's own output, which ends the run.
    fn take(&self, log: &LogContent<'_>) -> Result<Records, Self::Error>;
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

/// Reads every planned log, oldest day first.
///
/// # Errors
/// Only a fault of the sink; a log that cannot be read becomes a finding.
pub async fn read_all<S: Source, K: LogSink>(
    context: &Context<S>,
    plans: Arc<Vec<PlacePlan>>,
    sink: Option<Arc<K>>,
    watch_trails: bool,
    findings: &mut Findings,
) -> Result<Tally, K::Error> {
    let order = in_day_order(&plans);
    Metrics::add(&context.metrics.logs_total, order.len() as u64);
    let stored: u64 = order.iter().map(|&(p, l)| size_of(&plans[p as usize].logs[l as usize])).sum();
    Metrics::add(&context.metrics.stored_bytes_total, stored);
    let worker = Arc::new(Worker {
        plans: plans.clone(),
        sink,
        watch_trails,
        metrics: context.metrics.clone(),
        large: Mutex::new(()),
        max_content: context.max_memory / 2,
        max_stored: (context.max_memory / 4) as u64,
        stored_room: Arc::new(Semaphore::new(kibibytes((context.max_memory / 4) as u64) as usize)),
    });
    let fetched = if S::IS_LOCAL {
        let jobs = stream::iter(into_jobs(&plans, order));
        jobs.then(|job| future::join_all(job.into_iter().map(|log| fetch(context, &worker, log)))).left_stream()
    } else {
        let fetches = stream::iter(order).map(|log| fetch(context, &worker, log));
        fetches.buffer_unordered(context.concurrency).ready_chunks(JOB_BODIES).right_stream()
    };
    let in_flight = context.workers.current_num_threads() * 2;
    let mut tally = Tally::default();
    let done = fetched.map(|fetched| process(context, worker.clone(), fetched)).buffer_unordered(in_flight);
    let mut done = std::pin::pin!(done);
    while let Some(outcomes) = done.next().await {
        for outcome in outcomes? {
            tally.add(outcome, findings, &context.metrics);
        }
    }
    Ok(tally)
}

/// Plan and log numbers, by day, then account and Region, then name.
fn in_day_order(plans: &[PlacePlan]) -> Vec<(u32, u32)> {
    let mut order = Vec::with_capacity(plans.iter().map(|plan| plan.logs.len()).sum());
    for (p, plan) in (0_u32..).zip(plans) {
        order.extend((0_u32..).zip(&plan.logs).map(|(l, _)| (p, l)));
    }
    order.sort_by_key(|&(p, l)| {
        let log = &plans[p as usize].logs[l as usize];
        let day = match &log.place {
            LogPlace::Object(object) => Some(object.name.day),
            LogPlace::Recorded(_) => None,
        };
        (day, p, l)
    });
    order
}

fn size_of(log: &PlannedLog) -> u64 {
    match &log.place {
        LogPlace::Object(object) => object.size,
        LogPlace::Recorded(_) => 0,
    }
}

fn into_jobs(plans: &[PlacePlan], order: Vec<(u32, u32)>) -> Vec<Vec<(u32, u32)>> {
    let mut jobs: Vec<Vec<(u32, u32)>> = Vec::new();
    let mut bytes = JOB_BYTES;
    for (p, l) in order {
        let size = size_of(&plans[p as usize].logs[l as usize]);
        match jobs.last_mut() {
            Some(job) if job.len() < JOB_LOGS && bytes + size <= JOB_BYTES => job.push((p, l)),
            _ => {
                jobs.push(vec![(p, l)]);
                bytes = 0;
            }
        }
        bytes += size;
    }
    jobs
}

/// A log that was fetched, or could not be.
struct Fetched {
    p: usize,
    l: usize,
    object: ObjectRef,
    body: Result<Body, SourceError>,
    /// The room that a fetched body takes, until it is processed.
    _room: Option<OwnedSemaphorePermit>,
}

/// Kibibytes that so many bytes take; no more than `u32` can say.
fn kibibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).max(1)
}

async fn fetch<S: Source, K>(context: &Context<S>, worker: &Worker<K>, (p, l): (u32, u32)) -> Fetched {
    let (p, l) = (p as usize, l as usize);
    let plan = &worker.plans[p];
    let (object, size) = (plan.object(&plan.logs[l]), size_of(&plan.logs[l]));
    let fetched = |object, body| Fetched { p, l, object, body, _room: None };
    if context.is_cancelled() {
        return fetched(object, Err(SourceError::Other { detail: "the run was stopped".into() }));
    }
    if size > worker.max_stored {
        return fetched(object, Err(SourceError::TooLarge { size, limit: worker.max_stored }));
    }
    if S::IS_LOCAL {
        let body = context.source.read(&object).await;
        return fetched(object, body);
    }
    // Never more than there is in all, and the semaphore is never closed.
    let room = worker.stored_room.clone().acquire_many_owned(kibibytes(size.min(worker.max_stored))).await.ok();
    let permit = context.requests.clone().acquire_owned().await;
    let (source, retry) = (context.source.clone(), context.retry);
    let (object, body) = spawn(async move {
        let body = retry.run(|| source.read(&object)).await;
        (object, body)
    })
    .await;
    drop(permit);
    Fetched { _room: room, ..fetched(object, body) }
}

/// Has a worker process what was fetched; a stopped run has not come to it.
async fn process<S: Source, K: LogSink>(
    context: &Context<S>,
    worker: Arc<Worker<K>>,
    fetched: Vec<Fetched>,
) -> Result<Vec<LogOutcome>, K::Error> {
    if context.is_cancelled() {
        return Ok(fetched.into_iter().map(|_| LogOutcome::default()).collect());
    }
    context.compute(move || fetched.into_iter().map(|fetched| worker.process(fetched)).collect()).await
}

/// What became of one log. The default is one that the stopped run did not come to.
#[derive(Debug, Default)]
struct LogOutcome {
    kind: Kind,
    findings: Vec<Finding>,
    records: Records,
    inflated_bytes: u64,
    stored_bytes: u64,
    trail_events: Vec<TrailEvent>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    NotReached,
    Missing,
    Unreadable,
    Malformed,
    Judged(Integrity),
}

impl Tally {
    fn add(&mut self, outcome: LogOutcome, findings: &mut Findings, metrics: &Metrics) {
        let outcomes = &mut self.outcomes;
        if outcome.kind != Kind::Missing {
            outcomes.listed += 1;
        }
        *match outcome.kind {
            Kind::Missing => &mut outcomes.missing,
            Kind::NotReached | Kind::Unreadable => &mut outcomes.unreadable,
            Kind::Malformed => &mut outcomes.malformed,
            Kind::Judged(Integrity::Verified) => &mut outcomes.verified,
            Kind::Judged(Integrity::Altered) => &mut outcomes.altered,
            Kind::Judged(Integrity::Unlisted) => &mut outcomes.unlisted,
            Kind::Judged(Integrity::Uncovered) => &mut outcomes.uncovered,
            Kind::Judged(Integrity::Pending) => &mut outcomes.pending,
        } += 1;
        self.records.add(outcome.records);
        self.inflated_bytes += outcome.inflated_bytes;
        self.stored_bytes += outcome.stored_bytes;
        self.trail_events.extend(outcome.trail_events);
        Metrics::add(&metrics.findings, outcome.findings.len() as u64);
        findings.extend(outcome.findings);
    }
}

/// What the CPU workers share.
struct Worker<K> {
    plans: Arc<Vec<PlacePlan>>,
    sink: Option<Arc<K>>,
    watch_trails: bool,
    metrics: Arc<Metrics>,
    /// Held while content larger than [`ORDINARY`] is in memory.
    large: Mutex<()>,
    max_content: usize,
    max_stored: u64,
    /// Kibibytes of stored bodies that may still be fetched before others are processed.
    stored_room: Arc<Semaphore>,
}

thread_local! {
    /// Stored and inflated bytes of the log at hand; kept from log to log so that no memory is touched for the first time.
    static BUFFERS: RefCell<(Vec<u8>, Vec<u8>)> = RefCell::default();
}

impl<K: LogSink> Worker<K> {
    fn process(&self, fetched: Fetched) -> Result<LogOutcome, K::Error> {
        let Fetched { p, l, object, body, _room } = fetched;
        let plan = &self.plans[p];
        let log = &plan.logs[l];
        let outcome = BUFFERS.with_borrow_mut(|(stored, content)| {
            let bytes = match &body {
                Ok(Body::Bytes(bytes)) => Ok(bytes.as_ref()),
                Ok(Body::File(path)) => directory::read_file(path, stored, self.max_stored).map(|()| stored.as_slice()),
                Err(error) => Err(error.clone()),
            };
            match bytes {
                Ok(bytes) => self.judge(plan, log, &object.key, bytes, content),
                Err(error) => Ok(unread(log, &object.key, &error)),
            }
        });
        let outcome = outcome?;
        Metrics::add(&self.metrics.logs, 1);
        Metrics::add(&self.metrics.stored_bytes, outcome.stored_bytes);
        Metrics::add(&self.metrics.inflated_bytes, outcome.inflated_bytes);
        Metrics::add(&self.metrics.records, outcome.records.read);
        Ok(outcome)
    }

    fn judge(
        &self,
        plan: &PlacePlan,
        log: &PlannedLog,
        key: &str,
        stored: &[u8],
        content: &mut Vec<u8>,
    ) -> Result<LogOutcome, K::Error> {
        let inflated = gunzip::inflate(stored, ORDINARY.min(self.max_content), content);
        if !inflated.over_cap {
            return self.judge_content(plan, log, key, stored, &inflated, content);
        }
        // One at a time: a poisoned lock only means that another such log ended in a panic.
        let alone = self.large.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut large = std::mem::take(content);
        let inflated = gunzip::inflate(stored, self.max_content, &mut large);
        let outcome = if inflated.over_cap {
            drop(large);
            Ok(judge_pieces(log, key, stored, self.sink.is_some()))
        } else {
            self.judge_content(plan, log, key, stored, &inflated, &large)
        };
        drop(alone);
        outcome
    }

    fn judge_content(
        &self,
        plan: &PlacePlan,
        log: &PlannedLog,
        key: &str,
        stored: &[u8],
        inflated: &Inflated,
        content: &[u8],
    ) -> Result<LogOutcome, K::Error> {
        let hash = Sha256::of(content);
        let first_member = inflated
            .has(Damage::SeveralMembers)
            .then(|| Sha256::of(&content[..usize::try_from(inflated.first_member).unwrap_or(content.len())]));
        let (integrity, mut findings) = judged(log, key, inflated, Hashes { whole: hash, first_member });
        let records = match &self.sink {
            Some(sink) => {
                sink.take(&LogContent { org: plan.org(log), place: &plan.place, log, key, content, hash, integrity })?
            }
            None => Records::default(),
        };
        if records.malformed > 0 {
            let sentence = format!("{} parts of the log are not records; they are kept raw", records.malformed);
            findings.push(Finding::new(FindingId::RecordsMalformed, key, sentence));
        }
        let readable = inflated.is_whole() || integrity == Integrity::Altered || integrity == Integrity::Verified;
        Ok(LogOutcome {
            kind: if readable { Kind::Judged(integrity) } else { Kind::Malformed },
            findings,
            records,
            inflated_bytes: content.len() as u64,
            stored_bytes: stored.len() as u64,
            trail_events: if self.watch_trails { trail_events::in_content(content) } else { Vec::new() },
        })
    }
}

fn judged(log: &PlannedLog, key: &str, inflated: &Inflated, hashes: Hashes) -> (Integrity, Vec<Finding>) {
    let mut findings;
    let integrity = match &log.listed {
        Listed::Yes { hash, digest } => {
            let (verdict, told) = log::judge(key, *hash, digest, inflated, hashes);
            findings = told;
            match verdict {
                Verdict::Verified => Integrity::Verified,
                Verdict::Altered => Integrity::Altered,
            }
        }
        Listed::Unlisted => {
            let sentence = "no digest names the log, although signed digests cover its hour";
            let finding = Finding::new(FindingId::LogUnlisted, key, sentence)
                .with_hint("find out who wrote the object; its rows are under quarantine/");
            findings = vec![finding];
            findings.extend(log::damage(key, inflated, "nothing vouches for its content"));
            Integrity::Unlisted
        }
        Listed::Uncovered | Listed::Pending => {
            findings = log::damage(key, inflated, "nothing vouches for its content");
            if log.listed == Listed::Pending { Integrity::Pending } else { Integrity::Uncovered }
        }
    };
    (integrity, findings)
}

/// Judges content that is too large to hold by its hash alone.
fn judge_pieces(log: &PlannedLog, key: &str, stored: &[u8], wants_records: bool) -> LogOutcome {
    use sha2::Digest as _;
    let (mut hasher, mut seen) = (sha2::Sha256::new(), 0_u64);
    let inflated = gunzip::inflate_pieces(stored, |piece| {
        hasher.update(piece);
        seen += piece.len() as u64;
        seen <= IMPOSSIBLE
    });
    let hash = Sha256(hasher.finalize().into());
    let stored_bytes = stored.len() as u64;
    let (integrity, mut findings) = judged(log, key, &inflated, Hashes { whole: hash, first_member: None });
    let kind = match integrity {
        Integrity::Verified if wants_records => Kind::Unreadable,
        Integrity::Verified | Integrity::Altered => Kind::Judged(integrity),
        Integrity::Unlisted | Integrity::Uncovered | Integrity::Pending => Kind::Unreadable,
    };
    if kind == Kind::Unreadable {
        let sentence = format!("the log's content is too large for this run: {seen} bytes");
        let finding = Finding::new(FindingId::LogUnreadable, key, sentence);
        findings.push(finding.with_hint("run again with a larger --max-memory"));
    }
    LogOutcome { kind, findings, inflated_bytes: seen, stored_bytes, ..LogOutcome::default() }
}

/// A log that could not be read; gone, when a digest records it and nothing is there.
fn unread(log: &PlannedLog, key: &str, error: &SourceError) -> LogOutcome {
    let recorded = match &log.listed {
        Listed::Yes { hash, digest } => Some((hash, digest)),
        Listed::Unlisted | Listed::Uncovered | Listed::Pending => None,
    };
    if let (SourceError::Missing, Some((hash, digest))) = (error, recorded) {
        let sentence = "a log that a signed digest lists is gone";
        let finding = Finding::new(FindingId::LogMissing, key, sentence)
            .by_digest(&**digest)
            .compared(hash, "no such object")
            .with_hint("look for the object's earlier versions and for DeleteObject in the bucket's own log");
        return LogOutcome { kind: Kind::Missing, findings: vec![finding], ..LogOutcome::default() };
    }
    let sentence = format!("the log cannot be read: {error}");
    let finding = Finding::new(FindingId::LogUnreadable, key, sentence);
    let finding = match error.hint() {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    };
    LogOutcome { kind: Kind::Unreadable, findings: vec![finding], ..LogOutcome::default() }
}
