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
use crate::fetch::{Patience, Retry, Stop};
use crate::metrics::Metrics;
use crate::pipeline::key_archive::KeyArchive;
use crate::pipeline::{self, memory::Memory};
use crate::source::aws::{AwsOnDemand, AwsOptions, endpoint};
use crate::source::s3::S3Source;
use crate::source::{Purpose, SourceError};
use trailproof_proof::acknowledge::Acknowledgements;
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::checkpoint::Checkpoint;
use trailproof_proof::finding::{Finding, FindingId};
use trailproof_proof::verify::digest::{Recorded, Relocation};
use trailproof_proof::verify::key_file;
use trailproof_proof::verify::keys::{GivenKey, KeyRing, Origin};

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
    let mut ring = KeyRing::default();
    let mut findings = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let bytes = std::fs::read(file).with_context(|| file.display().to_string()).map_err(Failure::Usage)?;
        let given = key_file::parse(&bytes).with_context(|| file.display().to_string()).map_err(Failure::Usage)?;
        if let Some(giver) = given.iter().find_map(other_giver) {
            let sentence = format!("the saved keys came from {giver}, which is not CloudTrail's own endpoint");
            let finding = Finding::new(FindingId::KeysFromEndpoint, &name, sentence);
            findings.push(finding.with_hint("fetch them again without --endpoint-url and AWS_ENDPOINT_URL"));
        }
        for key in given {
            if let Err(error) = ring.add(&key, Origin::File(name.clone())) {
                let sentence = format!("the saved key {} cannot be used: {error}", key.fingerprint);
                let finding = Finding::new(FindingId::KeyFileCorrupt, &name, sentence);
                findings.push(finding.with_hint("fetch the keys again with `trailproof keys fetch`"));
            }
        }
    }
    Ok((ring, findings))
}

/// Who gave a saved key, where the file says so and it was not CloudTrail itself.
pub(super) fn other_giver(key: &GivenKey) -> Option<&str> {
    let (from, region) = key.provenance.as_ref().zip(key.region.as_ref())?;
    (!endpoint::is_cloudtrails_own(&from.endpoint, region)).then_some(from.endpoint.as_str())
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

/// Where keys are kept: as asked, or in the user's data directory. Without one nothing is kept: a relative path would lead
/// to wherever the command is run, which may be the very archive that is to be verified.
pub(super) fn key_archive(asked: Option<&Path>, archive: &ArchiveAddress) -> Result<Option<KeyArchive>, Failure> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = || variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")));
    let own = || data().map(|data| data.join("trailproof/keys"));
    let Some(folder) = asked.map(Path::to_owned).or_else(own) else { return Ok(None) };
    if !lies_within(&folder, archive) {
        return Ok(Some(KeyArchive::new(folder)));
    }
    match asked {
        None => Ok(None),
        Some(folder) => {
            let folder = folder.display();
            Err(Failure::usage(anyhow::anyhow!(
                "--key-archive {folder} lies in the archive; who wrote that could have written the keys"
            )))
        }
    }
}

/// Whether a folder, which need not exist, lies in the archive.
fn lies_within(folder: &Path, archive: &ArchiveAddress) -> bool {
    let ArchiveAddress::Directory(archive) = archive else { return false };
    let Ok(archive) = archive.canonicalize() else { return false };
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let known = absolute.ancestors().find_map(|above| above.canonicalize().ok());
    known.is_some_and(|known| known.starts_with(&archive))
}

/// Memory to stay under when nothing is asked for, in bytes.
const LEAST_MEMORY: usize = 512 << 20;
const MEMORY_PER_WORKER: usize = 128 << 20;

/// How many CPU workers to use.
fn threads(limits: &LimitArgs) -> usize {
    limits.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Memory to stay under, in bytes.
pub(super) fn max_memory(limits: &LimitArgs) -> usize {
    limits.max_memory.map_or_else(|| LEAST_MEMORY.max(threads(limits) * MEMORY_PER_WORKER), |memory| memory.0)
}

/// A source for a bucket. Where S3 does not answer, it is asked all the same: what cannot be listed is then told as that.
pub(super) async fn bucket(aws: &AwsOnDemand, bucket: &str, patience: Duration) -> Result<S3Source, SourceError> {
    let aws = aws.get().await?;
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
    let max_memory = max_memory(limits);
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
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            profile: args.profile.clone(),
            ambient_profile: variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE")),
            ca_bundle: variable("AWS_CA_BUNDLE").map(PathBuf::from),
            role_arn: args.role_arn.clone(),
            endpoint_url: args.endpoint_url.clone(),
            expected_bucket_owner: args.expected_bucket_owner.map(|account| account.to_string()),
        }
    }
}

/// A failure to reach AWS, with what would mend it.
pub(super) fn unreachable(what: &str, error: &SourceError, purpose: Purpose) -> Failure {
    let hint = error.hint_for(purpose).map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    Failure::usage(anyhow::anyhow!("{what}: {error}{hint}"))
}
