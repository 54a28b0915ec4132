//! Reads and checks the digests of one account and Region, following signed pointers wherever they lead.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{self, StreamExt as _};

use super::keys::{self, KeyService, Keys};
use super::memory::Memory;
use super::{Context, discover, spawn};
use crate::metrics::Metrics;
use crate::source::{Body, DigestMetadata, ObjectRef, Source, SourceError};
use trailproof_proof::archive::ids::OrgId;
use trailproof_proof::archive::inventory::{Holdings, Inventory, ListedDigest, Root, RootIndex};
use trailproof_proof::archive::key::{self, AccountRegion, DIGEST_FOLDER, DigestName, ObjectName};
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::finding::{Finding, FindingId};
use trailproof_proof::gunzip::{self, Content};
use trailproof_proof::report::KeyUse;
use trailproof_proof::sha256::Sha256;
use trailproof_proof::verify::chain::{ChainId, Conclusion, Group};
use trailproof_proof::verify::digest::{MAX_CONTENT, Recorded, Relocation};
use trailproof_proof::verify::edges::Period;
use trailproof_proof::verify::keys::KeyRing;
use trailproof_proof::verify::object::DigestObject;
use trailproof_proof::verify::reach::Outside;

/// Stored digests larger than this are not read; a digest takes about 60 bytes a log, compressed.
const MAX_STORED: u64 = 17 << 20;

/// Bytes of a digest, stored or inflated, up to which any worker reads it at any time; larger ones are read one at a time. To
/// parse one takes up to ten times its content.
const ORDINARY: usize = 1 << 20;

/// Rounds of following pointers one by one, where what they lead to cannot be listed.
const MAX_ROUNDS: usize = 10_000;

/// What the digests of one account and Region came to.
pub struct Judged {
    /// Whose they are.
    pub place: AccountRegion,
    /// The place's holdings, with what was found by following pointers into other buckets.
    pub holdings: Holdings,
    /// Where its folders lie that hold any of it.
    pub roots: Vec<Root>,
    /// What lies in other buckets and prefixes besides, counted or known by name only.
    pub aside: Inventory,
    /// Where any folders lie; shared by all.
    pub all_roots: Arc<[Root]>,
    /// What they prove.
    pub conclusion: Conclusion,
    /// The keys that their signatures held by.
    pub keys_used: Vec<KeyUse>,
}

/// What was listed of the archive.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// The bucket (empty for a directory).
    pub bucket: &'a str,
    /// What its keys start with.
    pub prefix: &'a str,
    /// Where accounts' folders were found.
    pub roots: &'a Arc<[Root]>,
}

/// The roots that the holdings of one account and Region lie under, which take their numbers: an organization may have
/// thousands that lie elsewhere.
fn own_roots(all: &[Root], holdings: &mut Holdings) -> Vec<Root> {
    let mut own: Vec<RootIndex> = Vec::new();
    let mut numbers: HashMap<RootIndex, RootIndex> = HashMap::new();
    let logs = holdings.logs.iter_mut().map(|log| &mut log.root);
    let digests = holdings.digests.iter_mut().map(|digest| &mut digest.root);
    for index in logs.chain(digests).chain(holdings.odd.iter_mut().map(|odd| &mut odd.root)) {
        *index = *numbers.entry(*index).or_insert_with(|| {
            own.push(*index);
            (own.len() - 1) as RootIndex
        });
    }
    own.into_iter().map(|index| all[index as usize].clone()).collect()
}

/// Reads, checks and judges every digest of one account and Region.
pub async fn judge<S: Source, K: KeyService>(
    context: &Context<S>,
    keys: &Keys<K>,
    listed: Listed<'_>,
    place: AccountRegion,
    mut holdings: Holdings,
    period: Period,
) -> Judged {
    let mut inventory = Inventory::with_roots(own_roots(listed.roots, &mut holdings));
    let roots = &inventory.roots;
    let unsigned = Unsigned { memory: &context.memory, taken: AtomicUsize::new(0) };
    let mut old_places = OldPlaces { listed, listed_since: BTreeSet::new(), unsigned };
    let mut findings = Vec::new();
    let in_scope = |digest: &ListedDigest| {
        let org = roots[digest.root as usize].org.as_ref();
        context.scope.includes_digest(digest.name.end) && context.scope.includes_organization(org)
    };
    let named = holdings.digests.iter().filter(|digest| in_scope(digest)).map(|digest| {
        let root = &roots[digest.root as usize];
        let key = digest.name.key(&root.prefix, &place);
        (digest.name.clone(), Recorded { bucket: root.bucket.to_string(), key }, digest.size)
    });
    let named: Vec<_> = named.collect();
    let outside = outside(&context.scope, roots, &place, &holdings.digests);
    inventory.places.insert(place.clone(), holdings);
    let remembered = Arc::new(remembered(context, listed.roots, &place));
    let digests = read_all(context, &old_places.unsigned, named).await;
    let mut group = Group { digests, outside, remembered, ..Group::default() };
    let mut ring = Arc::new(KeyRing::default());
    for round in 0..=MAX_ROUNDS {
        let at_hand = Arc::unwrap_or_clone(ring);
        ring = Arc::new(keys.for_group(context, &place.region, &group, at_hand, &mut findings).await);
        let (of_place, at_hand) = (place.clone(), ring.clone());
        group = context
            .compute(move || {
                group.check(&of_place, &at_hand);
                group.digests.iter_mut().filter(|digest| digest.verified().is_none()).for_each(DigestObject::let_go);
                group
            })
            .await;
        old_places.unsigned.give_back();
        read_again(context, &mut group).await;
        let wanted = group.wanted(context.scope.digests_from());
        if wanted.is_empty() || context.is_cancelled() {
            break;
        }
        if round == MAX_ROUNDS {
            let sentence = format!("only {MAX_ROUNDS} digests were followed one by one; older ones were not looked at");
            let finding = Finding::new(FindingId::CapReached, place.to_string(), sentence);
            findings.push(finding.with_hint("let what the pointers lead to be listed, or verify it by itself"));
            break;
        }
        old_places.follow(context, &place, wanted, &mut group, &mut inventory, &mut findings).await;
    }
    let of_place = place.clone();
    let conclude = move || {
        let used = keys::used(&of_place.region, &group, &ring);
        (group.conclude(&of_place, &period), used)
    };
    let (mut conclusion, keys_used) = context.compute(conclude).await;
    conclusion.findings.extend(findings);
    inventory.settle();
    let holdings = inventory.places.remove(&place).unwrap_or_default();
    let (roots, all_roots) = (std::mem::take(&mut inventory.roots), listed.roots.clone());
    Judged { place, holdings, roots, aside: inventory.aside(), all_roots, conclusion, keys_used }
}

/// Where earlier runs verified digests of this account and Region, and the hash of their content.
fn remembered<S>(context: &Context<S>, roots: &[Root], place: &AccountRegion) -> BTreeMap<Recorded, Sha256> {
    let Some(root) = roots.first() else { return BTreeMap::new() };
    let of = |key: &str| Recorded { bucket: root.bucket.to_string(), key: key.to_owned() };
    context.checkpoint.hashes(place).map(|(key, hash)| (of(key), hash)).collect()
}

/// Which chains have digests before or after what is read, by names that fit their folders.
fn outside(
    scope: &Scope,
    roots: &[Root],
    place: &AccountRegion,
    digests: &[ListedDigest],
) -> BTreeMap<ChainId, Outside> {
    let mut outside: BTreeMap<ChainId, Outside> = BTreeMap::new();
    let is_outside = |name: &DigestName| !scope.includes_digest(name.end) && name.is_in_its_day();
    for digest in digests.iter().filter(|digest| is_outside(&digest.name)) {
        let org = roots[digest.root as usize].org.clone();
        if !scope.includes_organization(org.as_ref()) {
            continue;
        }
        let known = outside.entry(ChainId::named(org, place, &digest.name)).or_default();
        if scope.digests_from().is_some_and(|from| digest.name.end < from) {
            known.before = known.before.max(Some(digest.name.end));
        } else {
            known.after = true;
        }
    }
    outside
}

/// The share of what digests list that were read and not checked yet.
struct Unsigned<'m> {
    memory: &'m Memory,
    taken: AtomicUsize,
}

impl Unsigned<'_> {
    /// Has a digest let go of what it lists, where there is no room for it.
    fn admit(&self, mut digest: DigestObject) -> DigestObject {
        let bytes = digest.listed_bytes();
        if self.memory.take_unsigned(bytes) {
            self.taken.fetch_add(bytes, Ordering::Relaxed);
        } else {
            digest.let_go();
        }
        digest
    }

    fn give_back(&self) {
        self.memory.give_unsigned(self.taken.swap(0, Ordering::Relaxed));
    }
}

impl Drop for Unsigned<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Reads digests, several at once. Each takes its share of the memory when it is read, not when those before it are.
async fn read_all<S: Source>(
    context: &Context<S>,
    unsigned: &Unsigned<'_>,
    named: Vec<(DigestName, Recorded, u64)>,
) -> Vec<DigestObject> {
    Metrics::add(&context.metrics.digests_total, named.len() as u64);
    let reads = named.into_iter().map(|(name, place, size)| async move {
        let digest = read_one(context, name, place, size).await;
        Metrics::add(&context.metrics.digests, 1);
        unsigned.admit(digest)
    });
    let mut read: Vec<DigestObject> = stream::iter(reads).buffered(context.concurrency).collect().await;
    read_passing_again(context, unsigned, &mut read).await;
    // What vanished since it was listed is looked for again where a signed pointer leads to it, and else was never known.
    read.retain(|digest| !digest.is_missing());
    read
}

/// Reads those digests once more that could not be read for a fault that passes: it may have, since.
async fn read_passing_again<S: Source>(context: &Context<S>, unsigned: &Unsigned<'_>, digests: &mut [DigestObject]) {
    let again = digests.iter_mut().filter(|digest| digest.failed_in_passing()).map(|digest| async {
        let read = read_one(context, digest.name.clone(), digest.place.clone(), digest.listed_size).await;
        *digest = unsigned.admit(read);
    });
    stream::iter(again).buffer_unordered(context.concurrency).for_each(|()| std::future::ready(())).await;
}

/// Reads those digests again that turned out to be signed and for which there was no room before.
async fn read_again<S: Source>(context: &Context<S>, group: &mut Group) {
    let wanted = group.digests.iter_mut().filter(|digest| digest.is_wanted_again());
    let reads = wanted.map(|digest| async move {
        let again = read_one(context, digest.name.clone(), digest.place.clone(), digest.listed_size).await;
        digest.take_listed(again);
    });
    stream::iter(reads).buffer_unordered(context.concurrency).for_each(|()| std::future::ready(())).await;
}

/// Whether CloudTrail signed what lies there, as a digest of that place.
pub(super) async fn is_signed<S: Source, K: KeyService>(
    context: &Context<S>,
    keys: &Keys<K>,
    place: &AccountRegion,
    name: DigestName,
    recorded: Recorded,
) -> bool {
    let digest = read_one(context, name, recorded, 0).await;
    let mut group = Group { digests: vec![digest], ..Group::default() };
    let ring = keys.for_group(context, &place.region, &group, KeyRing::default(), &mut Vec::new()).await;
    let place = place.clone();
    let check = move || {
        group.check(&place, &ring);
        group.digests.iter().any(|digest| digest.verified().is_some())
    };
    context.compute(check).await
}

/// Reads a digest of this size as listed; 0 where nothing lists it.
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
    let mut room = context.memory.room(size);
    let mut digest = loop {
        let _share = if S::IS_LOCAL { None } else { context.memory.admit(room).await };
        match fetch(context, &place, room).await {
            // Larger than was known: once more, with all the room that there is for a digest.
            Err(SourceError::TooLarge { .. }) if room < MAX_STORED => room = MAX_STORED,
            Err(error) => break DigestObject::unreadable(name, place, error),
            Ok((body, metadata)) => {
                let (moves, memory) = (context.moves.clone(), context.memory.clone());
                let read = move || inflate_and_parse(name, place, &body, metadata, &moves, &memory);
                break context.compute(read).await;
            }
        }
    };
    digest.listed_size = size;
    digest
}

async fn fetch<S: Source>(
    context: &Context<S>,
    place: &Recorded,
    limit: u64,
) -> Result<(Body, DigestMetadata), SourceError> {
    let object = ObjectRef { bucket: place.bucket.as_str().into(), key: place.key.clone() };
    let (source, retry, requests) = (context.source.clone(), context.retry.clone(), context.requests.clone());
    let read = spawn(async move {
        let attempt = || async {
            let _permit = requests.acquire().await;
            source.read_digest(&object, limit).await
        };
        retry.run(attempt).await
    });
    context.unless_stopped(read).await
}

/// Makes a digest of its stored bytes. CPU work.
fn inflate_and_parse(
    name: DigestName,
    place: Recorded,
    body: &Body,
    metadata: DigestMetadata,
    moves: &[Relocation],
    memory: &Memory,
) -> DigestObject {
    let mut alone = None;
    let mut buffer = Vec::new();
    let read = |buffer: &mut Vec<u8>, limit| match body {
        Body::Bytes(_) => Ok(()),
        Body::File(file) => file.read(buffer, limit),
    };
    let mut outcome = read(&mut buffer, ORDINARY as u64);
    if let Err(SourceError::TooLarge { .. }) = outcome {
        alone = Some(memory.alone());
        outcome = read(&mut buffer, MAX_STORED);
    }
    if let Err(error) = outcome {
        return DigestObject::unreadable(name, place, error);
    }
    let stored = match body {
        Body::Bytes(bytes) => bytes.as_ref(),
        Body::File(_) => buffer.as_slice(),
    };
    let mut content = Content::default();
    let mut inflated = gunzip::inflate(stored, ORDINARY, &mut content);
    if inflated.over_cap {
        let _alone = alone.unwrap_or_else(|| memory.alone());
        // One byte more tells that it is too long.
        inflated = gunzip::inflate(stored, MAX_CONTENT + 1, &mut content);
        return DigestObject::of(name, place, (&content, inflated), metadata, moves);
    }
    DigestObject::of(name, place, (&content, inflated), metadata, moves)
}

/// Where digests lay before, as signed pointers say: each is listed once, for this account and Region, and becomes part of
/// it.
struct OldPlaces<'a> {
    listed: Listed<'a>,
    listed_since: BTreeSet<(Arc<str>, String)>,
    unsigned: Unsigned<'a>,
}

impl OldPlaces<'_> {
    /// Looks where signed pointers lead.
    async fn follow<S: Source>(
        &mut self,
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
            if self.is_new(&context.scope, place, &bucket, (parsed.root, parsed.org.as_ref())) {
                let found = list_place(context, place, &bucket, parsed.root, findings).await;
                let named = take_in(found, place, group, inventory);
                let named = named.into_iter().filter(|(name, _, _)| context.scope.includes_digest(name.end));
                group.digests.extend(read_all(context, &self.unsigned, named.collect()).await);
            }
            if group.digests.iter().any(|digest| digest.place == recorded) {
                continue;
            }
            let digest = read_one(context, name, recorded.clone(), 0).await;
            if digest.is_missing() {
                group.absent.insert(recorded);
            } else {
                group.digests.push(self.unsigned.admit(digest));
            }
        }
    }

    /// Whether a root was not listed yet for this account and Region.
    fn is_new(
        &mut self,
        scope: &Scope,
        place: &AccountRegion,
        bucket: &Arc<str>,
        (root, org): (&str, Option<&OrgId>),
    ) -> bool {
        let digests = format!("{root}{}/{DIGEST_FOLDER}/{}/", place.account, place.region);
        let was_asked = scope.includes_organization(org);
        let was_listed = was_asked && **bucket == *self.listed.bucket && digests.starts_with(self.listed.prefix);
        !was_listed && self.listed_since.insert((bucket.clone(), root.to_owned()))
    }
}

/// Adds what was found in an old place to the rest, and names the digests in it that are new.
fn take_in(
    found: Inventory,
    place: &AccountRegion,
    group: &Group,
    inventory: &mut Inventory,
) -> Vec<(DigestName, Recorded, u64)> {
    let known: BTreeSet<&Recorded> = group.digests.iter().map(|digest| &digest.place).collect();
    let digests = found.places.get(place).map(|holdings| holdings.digests.as_slice()).unwrap_or_default();
    let named = digests.iter().map(|digest| {
        let root = &found.roots[digest.root as usize];
        let key = digest.name.key(&root.prefix, place);
        (digest.name.clone(), Recorded { bucket: root.bucket.to_string(), key }, digest.size)
    });
    let named = named.filter(|(_, place, _)| !known.contains(place)).collect();
    inventory.absorb(found);
    named
}

/// Lists one account and Region where the archive lay before.
async fn list_place<S: Source>(
    context: &Context<S>,
    place: &AccountRegion,
    bucket: &Arc<str>,
    root: &str,
    findings: &mut Vec<Finding>,
) -> Inventory {
    match discover::discover_place(context, bucket, root, place).await {
        Ok((inventory, told)) => {
            findings.extend(told);
            inventory
        }
        Err(error) => {
            let folder = format!("s3://{bucket}/{root}{}", place.account);
            let sentence = format!("the chain came from this folder, which cannot be listed: {error}");
            findings.push(Finding::new(FindingId::ListingFailed, folder, sentence));
            Inventory::default()
        }
    }
}
