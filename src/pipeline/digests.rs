//! Reads and checks the digests of one account and Region, following signed pointers wherever they lead.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Mutex;

use super::{Context, spawn};
use crate::archive::ids::Region;
use crate::archive::inventory::{Holdings, Inventory, Root};
use crate::archive::key::{self, AccountRegion, DIGEST_FOLDER, DigestName, LogKind, ObjectName};
use crate::finding::{Finding, FindingId};
use crate::metrics::Metrics;
use crate::sha256::Sha256;
use crate::source::aws::{Aws, AwsOnDemand};
use crate::source::{Body, ListRequest, ObjectRef, Source, SourceError, directory};
use crate::verify::chain::{Conclusion, Group};
use crate::verify::digest::Recorded;
use crate::verify::edges::Period;
use crate::verify::keys::{GivenKey, KeyRing};
use crate::verify::object::DigestObject;
use crate::verify::window::{Coverage, Window};

/// Stored digests larger than this are not read; a digest takes about 60 bytes a log, compressed.
const MAX_STORED: u64 = 64 << 20;

/// Rounds of following pointers into places that the listing did not show.
const MAX_ROUNDS: usize = 10_000;

/// Times for which CloudTrail is asked for keys, at most, for one account and Region.
const MAX_KEY_QUERIES: usize = 32;

/// CloudTrail's answer to a question for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAnswer {
    /// The keys.
    pub keys: Vec<GivenKey>,
    /// Whether CloudTrail itself answered, so that a key it does not name does not exist.
    pub complete: bool,
    /// Why the keys could not be kept for later runs.
    pub not_kept: Option<String>,
}

/// Asks CloudTrail for public keys.
pub trait KeyService: Send + Sync + 'static {
    /// The keys that CloudTrail signed with in a Region in this time.
    ///
    /// # Errors
    /// [`SourceError`] when CloudTrail could not be asked.
    fn list(&self, region: &Region, window: Window) -> impl Future<Output = Result<KeyAnswer, SourceError>> + Send;
}

/// Where keys come from.
pub enum Keys<K> {
    /// Files, read beforehand.
    Files(KeyRing),
    /// CloudTrail, in each digest's own Region; answers are kept by Region.
    Service {
        /// Whom to ask.
        service: K,
        /// What was answered.
        cache: Mutex<BTreeMap<Region, Arc<Mutex<KeyRing>>>>,
    },
}

impl<K: KeyService> Keys<K> {
    /// Keys from CloudTrail.
    pub fn service(service: K) -> Self {
        Self::Service { service, cache: Mutex::default() }
    }

    /// The keys for the digests of a group.
    async fn for_group(&self, region: &Region, group: &Group, findings: &mut Vec<Finding>) -> KeyRing {
        let (service, cache) = match self {
            Self::Files(ring) => return ring.clone(),
            Self::Service { service, cache } => (service, cache),
        };
        let of_region = cache.lock().await.entry(region.clone()).or_default().clone();
        let mut ring = of_region.lock().await;
        let asked = Coverage::of(group.missing_keys(&ring));
        for &window in asked.windows().iter().filter(|w| !ring.answered(**w)).take(MAX_KEY_QUERIES).collect::<Vec<_>>()
        {
            match service.list(region, window).await {
                Ok(answer) => {
                    if answer.complete && !answer.keys.is_empty() {
                        ring.note_answer(window);
                    }
                    if let Some(why) = answer.not_kept {
                        let sentence = format!("CloudTrail's keys could not be kept for later runs: {why}");
                        let finding = Finding::new(FindingId::KeysNotKept, region.as_str(), sentence);
                        findings.push(finding.with_hint("name a folder that can be written with --key-archive"));
                    }
                    for key in &answer.keys {
                        if let Err(error) = ring.add(key) {
                            let sentence = format!("CloudTrail's key {} cannot be used: {error}", key.fingerprint);
                            findings.push(Finding::new(FindingId::KeyFileCorrupt, region.as_str(), sentence));
                        }
                    }
                }
                Err(error) => {
                    let sentence = format!("CloudTrail's public keys for {window} could not be had: {error}");
                    let finding = Finding::new(FindingId::KeyUnavailable, region.as_str(), sentence);
                    let hint = "grant cloudtrail:ListPublicKeys, or pass saved keys with --public-keys";
                    findings.push(finding.with_hint(hint));
                }
            }
        }
        ring.clone()
    }
}

/// What the digests of one account and Region came to.
pub struct Judged {
    /// Whose they are.
    pub place: AccountRegion,
    /// The place's holdings, with what was found by following pointers into other buckets.
    pub holdings: Holdings,
    /// Where its folders lie.
    pub roots: Vec<Root>,
    /// What they prove.
    pub conclusion: Conclusion,
}

/// Reads, checks and judges every digest of one account and Region.
pub async fn judge<S: Source, K: KeyService>(
    context: &Context<S>,
    keys: &Keys<K>,
    roots: &[Root],
    place: AccountRegion,
    holdings: Holdings,
    period: Period,
) -> Judged {
    let mut inventory = Inventory { roots: roots.to_vec(), ..Inventory::default() };
    let mut findings = Vec::new();
    let in_scope = |name: &DigestName| context.scope.includes_digest(name.end);
    let named = holdings.digests.iter().filter(|digest| in_scope(&digest.name)).map(|digest| {
        let root = &roots[digest.root as usize];
        let key = digest.name.key(&root.prefix, &place);
        (digest.name.clone(), Recorded { bucket: root.bucket.to_string(), key }, digest.size)
    });
    let named: Vec<_> = named.collect();
    let from = context.scope.digests_from();
    let earlier =
        holdings.digests.iter().map(|digest| &digest.name).filter(|name| from.is_some_and(|from| name.end < from));
    let earlier: Vec<DigestName> = earlier.cloned().collect();
    inventory.places.insert(place.clone(), holdings);
    let remembered = Arc::new(remembered(context, roots, &place));
    let mut group = Group { digests: read_all(context, named).await, earlier, remembered, ..Group::default() };
    for _ in 0..MAX_ROUNDS {
        let ring = keys.for_group(&place.region, &group, &mut findings).await;
        let of_place = place.clone();
        group = context
            .compute(move || {
                group.check(&of_place, &ring);
                group
            })
            .await;
        let wanted = group.wanted(context.scope.digests_from());
        if wanted.is_empty() || context.is_cancelled() {
            break;
        }
        follow(context, &place, wanted, &mut group, &mut inventory, &mut findings).await;
    }
    let of_place = place.clone();
    let mut conclusion = context.compute(move || group.conclude(&of_place, &period)).await;
    conclusion.findings.extend(findings);
    inventory.settle();
    let holdings = inventory.places.remove(&place).unwrap_or_default();
    Judged { place, holdings, roots: inventory.roots, conclusion }
}

/// Where earlier runs verified digests of this account and Region, and the hash of their content.
fn remembered<S>(context: &Context<S>, roots: &[Root], place: &AccountRegion) -> BTreeMap<Recorded, Sha256> {
    let Some(root) = roots.first() else { return BTreeMap::new() };
    let of = |key: &str| Recorded { bucket: root.bucket.to_string(), key: key.to_owned() };
    context.checkpoint.hashes(place).map(|(key, hash)| (of(key), hash)).collect()
}

/// Reads digests, several at once.
async fn read_all<S: Source>(context: &Context<S>, named: Vec<(DigestName, Recorded, u64)>) -> Vec<DigestObject> {
    Metrics::add(&context.metrics.digests_total, named.len() as u64);
    let reads = named.into_iter().map(|(name, place, size)| async move {
        let digest = read_one(context, name, place, size).await;
        Metrics::add(&context.metrics.digests, 1);
        digest
    });
    // What vanished since it was listed is looked for again where a signed pointer leads to it, and else was never known.
    let read: Vec<DigestObject> = stream::iter(reads).buffered(context.concurrency).collect().await;
    read.into_iter().filter(|digest| !digest.is_missing()).collect()
}

pub(super) async fn read_one<S: Source>(
    context: &Context<S>,
    name: DigestName,
    place: Recorded,
    size: u64,
) -> DigestObject {
    if size > MAX_STORED {
        return DigestObject::unreadable(name, place, SourceError::TooLarge { size, limit: MAX_STORED });
    }
    if context.is_cancelled() {
        return DigestObject::unreadable(name, place, SourceError::Other { detail: "the run was stopped".into() });
    }
    let permit = context.requests.clone().acquire_owned().await;
    let object = ObjectRef { bucket: place.bucket.as_str().into(), key: place.key.clone() };
    let (source, retry) = (context.source.clone(), context.retry);
    let outcome = spawn(async move { retry.run(|| source.read_digest(&object)).await }).await;
    drop(permit);
    match outcome {
        Err(error) => DigestObject::unreadable(name, place, error),
        Ok((body, metadata)) => {
            let moves = context.moves.clone();
            context
                .compute(move || {
                    let mut buffer = Vec::new();
                    let stored = match &body {
                        Body::Bytes(bytes) => Ok(bytes.as_ref()),
                        Body::File(path) => {
                            directory::read_file(path, &mut buffer, MAX_STORED).map(|()| buffer.as_slice())
                        }
                    };
                    match stored {
                        Ok(stored) => DigestObject::read(name, place, stored, metadata, &moves),
                        Err(error) => DigestObject::unreadable(name, place, error),
                    }
                })
                .await
        }
    }
}

/// Looks where signed pointers lead. Another bucket is listed for this account and Region, and becomes part of it.
async fn follow<S: Source>(
    context: &Context<S>,
    place: &AccountRegion,
    wanted: Vec<Recorded>,
    group: &mut Group,
    inventory: &mut Inventory,
    findings: &mut Vec<Finding>,
) {
    for recorded in wanted {
        let parsed = key::parse(&recorded.key);
        let name = match parsed.name {
            ObjectName::Digest(of, name) if of == *place => name,
            _ => {
                group.absent.insert(recorded);
                continue;
            }
        };
        let bucket: Arc<str> = recorded.bucket.as_str().into();
        let known = inventory.roots.iter().any(|root| root.bucket == bucket);
        if !known {
            let before: Vec<_> = inventory.places.get(place).map(|h| h.digests.clone()).unwrap_or_default();
            inventory.root(&bucket, parsed.root, parsed.org.as_ref());
            list_place(context, place, &bucket, parsed.root, inventory, findings).await;
            let added = inventory.places.get(place).map(|h| h.digests.clone()).unwrap_or_default();
            let named = added.into_iter().filter(|digest| !before.contains(digest)).map(|digest| {
                let root = &inventory.roots[digest.root as usize];
                let key = digest.name.key(&root.prefix, place);
                (digest.name, Recorded { bucket: root.bucket.to_string(), key }, digest.size)
            });
            let named: Vec<_> = named.filter(|(name, _, _)| context.scope.includes_digest(name.end)).collect();
            group.digests.extend(read_all(context, named).await);
        }
        if group.digests.iter().any(|digest| digest.place == recorded) {
            continue;
        }
        let digest = read_one(context, name, recorded.clone(), 0).await;
        if digest.is_missing() {
            group.absent.insert(recorded);
        } else {
            group.digests.push(digest);
        }
    }
}

/// Lists one account and Region in a bucket that the archive moved from.
async fn list_place<S: Source>(
    context: &Context<S>,
    place: &AccountRegion,
    bucket: &Arc<str>,
    root: &str,
    inventory: &mut Inventory,
    findings: &mut Vec<Finding>,
) {
    let folders = LogKind::ALL.into_iter().map(LogKind::folder).chain([DIGEST_FOLDER]);
    for folder in folders {
        let path = format!("{root}{}/{folder}/{}/", place.account, place.region);
        let mut continuation: Option<String> = None;
        loop {
            let request = ListRequest {
                bucket,
                prefix: &path,
                by_folder: false,
                continuation: continuation.as_deref(),
                after: None,
            };
            match context.retry.run(|| context.source.list(request)).await {
                Ok(page) => {
                    for object in &page.objects {
                        inventory.add(bucket, &object.key, object.size);
                    }
                    continuation = page.next;
                }
                Err(error) => {
                    let folder = format!("s3://{bucket}/{path}");
                    let sentence = format!("the chain came from this folder, which cannot be listed: {error}");
                    findings.push(Finding::new(FindingId::ListingFailed, folder, sentence));
                    return;
                }
            }
            if continuation.is_none() {
                break;
            }
        }
    }
}

impl KeyService for Aws {
    async fn list(&self, region: &Region, window: Window) -> Result<KeyAnswer, SourceError> {
        let fetched = self.public_keys(region, window.from, window.to).await?;
        let given = fetched.into_iter().map(|key| GivenKey {
            fingerprint: key.fingerprint,
            der: key.der,
            region: Some(region.clone()),
            validity: Some(Window { from: key.valid_from, to: key.valid_to }),
            fetched: None,
        });
        Ok(KeyAnswer { keys: given.collect(), complete: true, not_kept: None })
    }
}

impl KeyService for Arc<AwsOnDemand> {
    async fn list(&self, region: &Region, window: Window) -> Result<KeyAnswer, SourceError> {
        self.get().await.list(region, window).await
    }
}
