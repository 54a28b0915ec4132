//! Runs over any source in the test's own process: for thousands of archives, and for limits that no argument sets.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Semaphore;
use trailproof::fetch::{Patience, Retry};
use trailproof::metrics::Metrics;
use trailproof::pipeline::Context;
use trailproof::pipeline::keys::{KeyAnswer, KeyService, Keys};
use trailproof::pipeline::logs::{LogContent, LogSink};
use trailproof::pipeline::run::{self, Archive, RunError};
use trailproof::source::{Body, DigestMetadata, ListRequest, Listed, ObjectRef, Page, Source, SourceError};
use trailproof_proof::acknowledge::Acknowledgements;
use trailproof_proof::archive::ids::Region;
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::checkpoint::Checkpoint;
use trailproof_proof::report::{Clock, Records, Report, Tool};
use trailproof_proof::verify::digest::Relocation;
use trailproof_proof::verify::key_file;
use trailproof_proof::verify::keys::{GivenKey, KeyRing, Origin, Provenance};
use trailproof_proof::verify::window::Window;

use super::chain::{BUCKET, Built};

/// How a run is made.
pub struct Setup {
    pub scope: Scope,
    pub checkpoint: Checkpoint,
    pub moves: Vec<Relocation>,
    pub retry: Retry,
    pub threads: usize,
    pub concurrency: usize,
    pub now: Timestamp,
    /// Only keys that start with this.
    pub prefix: String,
    pub acknowledgements: Acknowledgements,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            scope: Scope::default(),
            checkpoint: Checkpoint::default(),
            moves: Vec::new(),
            retry: Retry::new(impatient()),
            threads: 1,
            concurrency: 8,
            now: "2026-03-02T00:00:00Z".parse().unwrap(),
            prefix: String::new(),
            acknowledgements: Acknowledgements::default(),
        }
    }
}

/// Two attempts, and hardly a pause between them.
pub fn impatient() -> Patience {
    let pause = Duration::from_millis(1);
    Patience { attempts: 2, first_pause: pause, longest_pause: pause, refusal: Duration::ZERO, ..Patience::default() }
}

/// Nobody to ask for keys.
pub struct NoService;

impl KeyService for NoService {
    async fn list(&self, _: &Region, _: Window) -> Result<KeyAnswer, SourceError> {
        Err(SourceError::Missing)
    }
}

/// A table that nobody wants.
pub struct NoTable;

impl LogSink for NoTable {
    type Error = Infallible;
    type Batch = ();

    fn begin(&self) {}

    fn take(&self, (): &mut (), _: &LogContent<'_>) -> Result<Records, Infallible> {
        Ok(Records::default())
    }

    fn end(&self, (): &mut ()) -> Result<(), Infallible> {
        Ok(())
    }

    fn put(&self, (): ()) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Keys as a file holds them.
pub fn keys<K>(listed: &[Value]) -> Keys<K> {
    let mut ring = KeyRing::default();
    for key in given(listed) {
        ring.add(&key, Origin::File("keys.json".to_owned())).unwrap();
    }
    Keys::Files(ring)
}

fn given(listed: &[Value]) -> Vec<GivenKey> {
    let file = serde_json::json!({ "PublicKeyList": listed }).to_string();
    key_file::parse(file.as_bytes()).unwrap()
}

/// CloudTrail itself, which signs with these keys at all times, and says so of any Region.
pub struct CloudTrail {
    keys: Vec<GivenKey>,
    /// Who answers in its place.
    pub endpoint: Option<String>,
}

impl CloudTrail {
    pub fn of(listed: &[Value]) -> Self {
        let always = Window { from: Timestamp::MIN, to: Timestamp::MAX };
        let keys = given(listed).into_iter().map(|key| GivenKey { validity: Some(always), ..key }).collect();
        Self { keys, endpoint: None }
    }
}

impl KeyService for CloudTrail {
    async fn list(&self, region: &Region, _: Window) -> Result<KeyAnswer, SourceError> {
        let own = || format!("https://cloudtrail.{region}.amazonaws.com");
        let endpoint = self.endpoint.clone().unwrap_or_else(own);
        Ok(KeyAnswer { keys: self.keys.clone(), from: Provenance { endpoint, caller: None } })
    }
}

static POOLS: LazyLock<[Arc<rayon::ThreadPool>; 3]> = LazyLock::new(|| {
    [1, 2, 5].map(|threads| Arc::new(rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()))
});

/// Runs to the report.
pub async fn report<S: Source, K: KeyService>(source: S, bucket: &str, keys: &Keys<K>, setup: Setup) -> Report {
    report_to(source, bucket, keys, setup, None::<Arc<NoTable>>).await.unwrap()
}

/// The same, with the content of every log handed to `sink`.
pub async fn report_to<S: Source, K: KeyService, W: LogSink>(
    source: S,
    bucket: &str,
    keys: &Keys<K>,
    setup: Setup,
    sink: Option<Arc<W>>,
) -> Result<Report, RunError> {
    let pool = POOLS.iter().find(|pool| pool.current_num_threads() >= setup.threads).unwrap();
    let mut scope = setup.scope;
    scope.heads_from = setup.checkpoint.earliest_open(&scope, &setup.prefix);
    let context = Context {
        source: Arc::new(source),
        scope,
        moves: setup.moves.into(),
        checkpoint: Arc::new(setup.checkpoint),
        retry: setup.retry,
        concurrency: setup.concurrency,
        max_memory: 64 << 20,
        memory: Arc::new(trailproof::pipeline::memory::Memory::of(64 << 20, setup.threads)),
        workers: pool.clone(),
        requests: Arc::new(Semaphore::new(setup.concurrency)),
        metrics: Arc::new(Metrics::default()),
        cancelled: Arc::default(),
    };
    let tool =
        Tool { name: "trailproof", version: "", command: "verify", archive: String::new(), arguments: Vec::new() };
    let archive = Archive {
        bucket: bucket.into(),
        prefix: setup.prefix,
        clock: Clock::of(Some(setup.now), None, setup.now),
        max_age: None,
        acknowledgements: setup.acknowledgements,
        tool,
    };
    let report = run::run(&context, archive, keys, Vec::new(), sink, |_| None).await?;
    report.check_counts().unwrap();
    Ok(report)
}

/// A runtime for a test's own thread.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Stored bytes and metadata by key.
pub type Objects = BTreeMap<String, (Bytes, DigestMetadata)>;

/// Buckets in memory. With a seed, every answer comes after a pause of its own.
#[derive(Clone)]
pub struct Memory {
    /// In [`BUCKET`].
    pub objects: Objects,
    /// In other buckets.
    pub elsewhere: BTreeMap<String, Objects>,
    pub seed: Option<u64>,
    pub asked: Arc<AtomicU64>,
    /// Objects that are listed and cannot be read.
    pub refused: BTreeMap<String, SourceError>,
    /// Objects that fail so many times more before they are served.
    pub passing: Arc<Mutex<BTreeMap<String, u32>>>,
    /// Folders that cannot be listed, with all that is below them.
    pub not_listed: Vec<String>,
    /// Keys and folders that a page of a listing holds.
    pub page_size: usize,
}

impl Memory {
    pub fn empty() -> Self {
        Self {
            objects: Objects::new(),
            elsewhere: BTreeMap::new(),
            seed: None,
            asked: Arc::default(),
            refused: BTreeMap::new(),
            passing: Arc::default(),
            not_listed: Vec::new(),
            page_size: 1000,
        }
    }

    pub fn of(built: &Built) -> Self {
        let objects = built.objects.iter().map(|(key, (body, metadata))| {
            let pairs = metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            (key.clone(), (Bytes::from(body.clone()), DigestMetadata::from_pairs(pairs)))
        });
        Self { objects: objects.collect(), ..Self::empty() }
    }

    fn bucket(&self, name: &str) -> Result<&Objects, SourceError> {
        let bucket = if name == BUCKET { Some(&self.objects) } else { self.elsewhere.get(name) };
        bucket.ok_or_else(|| SourceError::NoSuchPlace { what: name.to_owned() })
    }

    async fn pause(&self) {
        if let Some(seed) = self.seed {
            let nth = self.asked.fetch_add(1, Ordering::Relaxed);
            let mixed = (seed ^ nth).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
            tokio::time::sleep(Duration::from_micros(mixed * 3)).await;
        }
    }

    fn get(&self, object: &ObjectRef) -> Result<&(Bytes, DigestMetadata), SourceError> {
        let found = self.bucket(&object.bucket)?.get(&object.key).ok_or(SourceError::Missing)?;
        if let Some(error) = self.refused.get(&object.key) {
            return Err(error.clone());
        }
        if let Some(left) = self.passing.lock().unwrap().get_mut(&object.key).filter(|left| **left > 0) {
            *left -= 1;
            return Err(SourceError::Unavailable { detail: "SlowDown".into() });
        }
        Ok(found)
    }
}

impl Source for Memory {
    const IS_LOCAL: bool = false;

    async fn list(&self, request: ListRequest<'_>) -> Result<Page, SourceError> {
        self.pause().await;
        let mut page = Page::default();
        let is_in = |folder: &String| {
            request.prefix.starts_with(folder) || (!request.by_folder && folder.starts_with(request.prefix))
        };
        if self.not_listed.iter().any(is_in) {
            return Err(SourceError::Denied { detail: "AccessDenied".into() });
        }
        let behind = request.continuation.or(request.after).unwrap_or_default();
        let mut last = String::new();
        for (key, (body, _)) in self.bucket(request.bucket)?.range(request.prefix.to_owned()..) {
            let Some(rest) = key.strip_prefix(request.prefix) else { break };
            let folder = rest.find('/').filter(|_| request.by_folder);
            let folder = folder.map(|at| format!("{}{}", request.prefix, &rest[..=at]));
            let entry = folder.as_ref().unwrap_or(key);
            if entry.as_str() <= behind || page.folders.last() == Some(entry) {
                continue;
            }
            if page.objects.len() + page.folders.len() == self.page_size {
                page.next = Some(last);
                break;
            }
            last.clone_from(entry);
            match folder {
                Some(folder) => page.folders.push(folder),
                None => page.objects.push(Listed { key: key.clone(), size: body.len() as u64 }),
            }
        }
        Ok(page)
    }

    async fn read(&self, object: &ObjectRef, limit: u64) -> Result<Body, SourceError> {
        self.read_digest(object, limit).await.map(|(body, _)| body)
    }

    async fn read_digest(&self, object: &ObjectRef, limit: u64) -> Result<(Body, DigestMetadata), SourceError> {
        self.pause().await;
        let (body, metadata) = self.get(object)?;
        match body.len() as u64 {
            size if size > limit => Err(SourceError::TooLarge { size, limit }),
            _ => Ok((Body::Bytes(body.clone()), metadata.clone())),
        }
    }
}
