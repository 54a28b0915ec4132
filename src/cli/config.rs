//! From what was typed to what a run needs: defaults, keys, workers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::Failure;
use super::args::{AwsArgs, LimitArgs, ScopeArgs};
use super::values::ArchiveAddress;
use crate::acknowledge::Acknowledgements;
use crate::archive::scope::Scope;
use crate::checkpoint::Checkpoint;
use crate::fetch::{Patience, Retry, Stop};
use crate::finding::{Finding, FindingId};
use crate::metrics::Metrics;
use crate::pipeline::{self, memory::Memory};
use crate::source::SourceError;
use crate::source::aws::{Aws, AwsOptions};
use crate::source::s3::S3Source;
use crate::verify::digest::{Recorded, Relocation};
use crate::verify::key_file;
use crate::verify::keys::KeyRing;

/// What was asked for, given what time it is.
pub(super) fn scope(args: &ScopeArgs, now: Timestamp) -> Result<Scope, Failure> {
    let scope = Scope {
        from: args.from.map(|moment| moment.resolve(now)),
        to: args.to.map(|moment| moment.resolve(now)),
        accounts: args.account.clone(),
        regions: args.region.clone(),
        organizations: args.org.clone(),
        trails: args.trail.clone(),
        kinds: args.kind.clone(),
        heads_from: None,
    };
    if let (Some(from), Some(to)) = (scope.from, scope.to)
        && from >= to
    {
        return Err(Failure::usage(anyhow::anyhow!("--from {from} is not before --to {to}")));
    }
    Ok(scope)
}

/// Reads key files. A key that does not fit its fingerprint becomes a finding, not an error.
pub(super) fn keys(files: &[PathBuf]) -> Result<(KeyRing, Vec<Finding>), Failure> {
    let mut ring = KeyRing::from_files();
    let mut findings = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).with_context(|| file.display().to_string()).map_err(Failure::Usage)?;
        let given = key_file::parse(&bytes).with_context(|| file.display().to_string()).map_err(Failure::Usage)?;
        for key in given {
            if let Err(error) = ring.add(&key) {
                let sentence = format!("the saved key {} cannot be used: {error}", key.fingerprint);
                let finding = Finding::new(FindingId::KeyFileCorrupt, file.display().to_string(), sentence);
                findings.push(finding.with_hint("fetch the keys again with `trailproof keys fetch`"));
            }
        }
    }
    Ok((ring, findings))
}

/// Reads what operators accept.
pub(super) fn acknowledgements(file: Option<&Path>) -> Result<Acknowledgements, Failure> {
    let Some(file) = file else { return Ok(Acknowledgements::default()) };
    let bytes = std::fs::read(file).with_context(|| file.display().to_string()).map_err(Failure::Usage)?;
    Acknowledgements::parse(&bytes).with_context(|| file.display().to_string()).map_err(Failure::Usage)
}

/// The moves of an archive that was copied here.
pub(super) fn moves(from: &[ArchiveAddress], to: &ArchiveAddress) -> Vec<Relocation> {
    let place = |address: &ArchiveAddress| match address {
        ArchiveAddress::S3 { bucket, prefix } => Recorded { bucket: bucket.clone(), key: prefix.clone() },
        ArchiveAddress::Directory(_) => Recorded { bucket: String::new(), key: String::new() },
    };
    from.iter().map(|from| Relocation { from: place(from), to: place(to) }).collect()
}

/// Where keys are kept: as asked, or in the user's data directory.
pub(super) fn key_archive(asked: Option<&Path>) -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = || variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")));
    asked.map_or_else(|| data().unwrap_or_default().join("trailproof/keys"), Path::to_owned)
}

/// Memory to stay under when nothing is asked for, in bytes.
const LEAST_MEMORY: usize = 512 << 20;
const MEMORY_PER_WORKER: usize = 128 << 20;

/// How many CPU workers to use.
fn threads(limits: &LimitArgs) -> usize {
    limits.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// A source for a bucket. Where S3 does not answer, it is asked all the same: what cannot be listed is then told as that.
pub(super) async fn bucket(aws: &Aws, bucket: &str, patience: Duration) -> Result<S3Source, SourceError> {
    let retry = Retry::new(Patience::of(patience).brief());
    match retry.run(|| S3Source::connect(aws, bucket)).await {
        Err(error) if error.is_transient() => S3Source::in_configured_region(aws, bucket).await,
        settled => settled,
    }
}

/// What every stage of a run shares.
pub(super) fn context<S>(
    source: S,
    scope: Scope,
    moves: Vec<Relocation>,
    checkpoint: Arc<Checkpoint>,
    limits: &LimitArgs,
) -> Result<pipeline::Context<S>, Failure> {
    let threads = threads(limits);
    let workers = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|n| format!("worker-{n}"))
        .build()
        .map_err(Failure::own)?;
    let max_memory = limits.max_memory.map_or_else(|| LEAST_MEMORY.max(threads * MEMORY_PER_WORKER), |memory| memory.0);
    Ok(pipeline::Context {
        source: Arc::new(source),
        scope,
        moves: moves.into(),
        checkpoint,
        retry: Retry::new(Patience::of(limits.patience)),
        concurrency: usize::from(limits.concurrency),
        max_memory,
        memory: Arc::new(Memory::of(max_memory, threads)),
        workers: Arc::new(workers),
        requests: Arc::new(Semaphore::new(usize::from(limits.concurrency))),
        metrics: Arc::new(Metrics::default()),
        cancelled: Arc::new(Stop::default()),
    })
}

/// The async runtime, for waiting only.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(Failure::own)
}

impl From<&AwsArgs> for AwsOptions {
    fn from(args: &AwsArgs) -> Self {
        Self {
            profile: args.profile.clone(),
            role_arn: args.role_arn.clone(),
            endpoint_url: args.endpoint_url.clone(),
            has_s3_endpoint: std::env::var_os("AWS_ENDPOINT_URL_S3").is_some_and(|url| !url.is_empty()),
            expected_bucket_owner: args.expected_bucket_owner.map(|account| account.to_string()),
        }
    }
}
