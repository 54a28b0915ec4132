//! Where public keys come from in a run: files, or CloudTrail in each digest's own Region.
//!
//! ```text
//! names of digests ─▶ pieces of 90 days, newest first ─▶ CloudTrail, once for each Region and piece ─▶ ring
//!                                                            └─ no answer for that time ─▶ keys kept by earlier runs
//! ```
//!
//! Invariants: which times are asked for follows from the names of the listing; what stands in a digest before its
//! signature holds only says that a key is still wanted. Pieces are bounded by the calendar, not by a count, so no object
//! can displace the question for another; a piece that fails spoils no other. A key is unknown only where CloudTrail
//! itself, at its own endpoint, said which keys there were. Whoever asks first changes nothing: a group has the keys and the
//! failures of the pieces that its own digests want, whatever others asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::Context;
use super::key_archive::KeyArchive;
use crate::fetch::Retry;
use crate::source::aws::endpoint;
use crate::source::aws::{Aws, AwsOnDemand};
use crate::source::{Purpose, SourceError};
use trailproof_proof::archive::ids::Region;
use trailproof_proof::finding::{Finding, FindingId};
use trailproof_proof::report::KeyUse;
use trailproof_proof::verify::chain::{Group, WantedKey};
use trailproof_proof::verify::keys::{GivenKey, KeyRing, Origin, Provenance};
use trailproof_proof::verify::window::Window;

/// The length of a piece, in seconds: some keys long, and few enough questions for all the years that there are.
const PIECE: i64 = 90 * 24 * 3600;

/// How far a question reaches beyond its piece on either side: digests are signed around the time in their names.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// CloudTrail signs digests since 1 October 2015, when AWS announced log file validation; in seconds.
const FIRST: i64 = 1_443_657_600;

/// Questions in a row without an answer after which a Region is left alone.
const SILENCE: u32 = 3;

/// CloudTrail's answer to a question for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAnswer {
    /// The keys.
    pub keys: Vec<GivenKey>,
    /// Who answered, and whom.
    pub from: Provenance,
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
    Service(Service<K>),
}

/// CloudTrail, and what it answered.
pub struct Service<K> {
    service: K,
    archive: Option<KeyArchive>,
    /// CloudTrail's rate is not S3's.
    retry: OnceLock<Retry>,
    /// What time it is: no digest can have been signed much later.
    now: Option<Timestamp>,
    regions: Mutex<BTreeMap<Region, Arc<Mutex<OfRegion>>>>,
}

/// What is known of one Region's keys.
#[derive(Default)]
struct OfRegion {
    /// What came of each piece that was asked for: its keys, or why there are none.
    asked: BTreeMap<i64, Result<KeyRing, Box<Finding>>>,
    /// Questions in a row that got no answer.
    silent: u32,
    /// Why the Region is left alone.
    given_up: Option<Box<Finding>>,
    kept: Option<Vec<GivenKey>>,
}

impl<K: KeyService> Keys<K> {
    /// Keys from CloudTrail.
    pub fn service(service: K) -> Self {
        Self::Service(Service { service, archive: None, retry: OnceLock::new(), now: None, regions: Mutex::default() })
    }

    /// The same, with keys that earlier runs kept and that this one adds to.
    #[must_use]
    pub fn with_archive(self, archive: Option<KeyArchive>) -> Self {
        match self {
            Self::Files(ring) => Self::Files(ring),
            Self::Service(service) => Self::Service(Service { archive, ..service }),
        }
    }

    /// The same, asked at this time, and for none that lies ahead.
    #[must_use]
    pub fn asked_at(self, now: Timestamp) -> Self {
        match self {
            Self::Files(ring) => Self::Files(ring),
            Self::Service(service) => Self::Service(Service { now: Some(now), ..service }),
        }
    }

    /// The keys for the digests of a group, which has these already.
    pub(super) async fn for_group<S>(
        &self,
        context: &Context<S>,
        region: &Region,
        group: &Group,
        ring: KeyRing,
        findings: &mut Vec<Finding>,
    ) -> KeyRing {
        match self {
            Self::Files(ring) => ring.clone(),
            Self::Service(service) => service.for_group(context, region, group, ring, findings).await,
        }
    }
}

impl<K: KeyService> Service<K> {
    async fn for_group<S>(
        &self,
        context: &Context<S>,
        region: &Region,
        group: &Group,
        mut ring: KeyRing,
        findings: &mut Vec<Finding>,
    ) -> KeyRing {
        let of_region = self.regions.lock().await.entry(region.clone()).or_default().clone();
        let mut known = of_region.lock().await;
        let missing = group.missing_keys(&ring);
        let mut by_piece: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
        for WantedKey { fingerprint, window } in &missing {
            by_piece.entry(window.from.as_second().div_euclid(PIECE)).or_default().insert(fingerprint);
        }
        let mut failures = Vec::new();
        for (piece, fingerprints) in by_piece.into_iter().rev() {
            let lacks_one = |ring: &KeyRing| fingerprints.iter().any(|one| ring.find(one).is_none());
            if !lacks_one(&ring) {
                continue;
            }
            let Some(window) = self.window(piece) else { continue };
            match self.ask(context, region, piece, window, &mut known, findings).await {
                Ok(answer) => ring.absorb(answer),
                Err(failure) => failures.push((fingerprints, failure.clone())),
            }
        }
        self.take_kept(region, &missing, &mut ring, &mut known.kept, findings);
        for (fingerprints, failure) in failures {
            let is_told = findings.contains(&failure);
            findings
                .extend(Some(failure).filter(|_| !is_told && fingerprints.iter().any(|one| ring.find(one).is_none())));
        }
        ring
    }

    /// What came of a piece, which is asked for once.
    async fn ask<'k, S>(
        &self,
        context: &Context<S>,
        region: &Region,
        piece: i64,
        window: Window,
        known: &'k mut OfRegion,
        findings: &mut Vec<Finding>,
    ) -> Result<&'k KeyRing, &'k Finding> {
        if !known.asked.contains_key(&piece) {
            let outcome = match &known.given_up {
                Some(failure) => Err(failure.clone()),
                None => {
                    let retry = self.retry.get_or_init(|| context.retry.apart());
                    let listing = retry.run(|| self.service.list(region, window));
                    let answer = context.unless_stopped(listing).await;
                    self.note(region, window, answer, &mut known.silent, findings)
                }
            };
            known.given_up = outcome.as_ref().err().filter(|_| known.silent >= SILENCE).cloned();
            known.asked.insert(piece, outcome);
        }
        known.asked[&piece].as_ref().map_err(AsRef::as_ref)
    }

    /// The time to ask for a piece; none where no digest can be of it.
    fn window(&self, piece: i64) -> Option<Window> {
        let bound = |piece: i64| Timestamp::from_second(piece.checked_mul(PIECE)?).ok();
        let (from, end) = (bound(piece)?, bound(piece + 1)?);
        let last = self.now.and_then(|now| now.checked_add(MARGIN).ok()).unwrap_or(Timestamp::MAX);
        if end.as_second() <= FIRST || from > last {
            return None;
        }
        let to = end.checked_add(MARGIN).unwrap_or(end).min(last);
        Some(Window { from: from.checked_sub(MARGIN).unwrap_or(from), to })
    }

    /// Notes what a question came to.
    fn note(
        &self,
        region: &Region,
        window: Window,
        answer: Result<KeyAnswer, SourceError>,
        silent: &mut u32,
        findings: &mut Vec<Finding>,
    ) -> Result<KeyRing, Box<Finding>> {
        let error = match answer {
            Ok(answer) => {
                *silent = 0;
                return Ok(self.take(region, window, answer, findings));
            }
            Err(error) => error,
        };
        let (silence, of) = match &error {
            // Who is not let in now will not be let in for another time.
            SourceError::Denied { .. } | SourceError::Configuration { .. } => (SILENCE, String::new()),
            error if error.is_transient() => (1, String::new()),
            // An answer all the same: this time it would not speak of.
            _ => (0, format!(" for {window}")),
        };
        *silent += silence;
        let sentence = format!("CloudTrail's public keys{of} could not be had: {error}");
        let finding = Finding::new(FindingId::KeyUnavailable, region.as_str(), sentence);
        Err(Box::new(finding.with_optional_hint(error.hint_for(Purpose::Keys))))
    }

    /// Takes CloudTrail's keys in, and keeps them where they are CloudTrail's own word.
    fn take(&self, region: &Region, window: Window, answer: KeyAnswer, findings: &mut Vec<Finding>) -> KeyRing {
        let KeyAnswer { keys, from } = answer;
        let mut ring = KeyRing::default();
        let is_own = endpoint::is_cloudtrails_own(&from.endpoint, region);
        if is_own {
            ring.note_answer(window, &keys);
        }
        let keys = keys.into_iter().map(|key| {
            let provenance = Some(from.clone());
            GivenKey { region: Some(region.clone()), fetched: self.now, provenance, ..key }
        });
        let keys: Vec<GivenKey> = keys.collect();
        for key in &keys {
            let origin = if is_own { Origin::CloudTrail(from.clone()) } else { Origin::Endpoint(from.clone()) };
            if let Err(error) = ring.add(key, origin) {
                let sentence = format!("CloudTrail's key {} cannot be used: {error}", key.fingerprint);
                findings.push(Finding::new(FindingId::KeyFileCorrupt, region.as_str(), sentence));
            }
        }
        if keys.is_empty() {
            return ring;
        }
        if !is_own {
            let sentence =
                "public keys came from this endpoint, which is not CloudTrail's own; they serve this run only";
            let finding = Finding::new(FindingId::KeysFromEndpoint, &from.endpoint, sentence);
            findings.push(finding.with_hint("without --endpoint-url and AWS_ENDPOINT_URL, CloudTrail itself is asked"));
        } else if let Some(Err(error)) = self.archive.as_ref().map(|archive| archive.save(region, &keys)) {
            let sentence = format!("CloudTrail's keys could not be kept for later runs: {error}");
            let finding = Finding::new(FindingId::KeysNotKept, region.as_str(), sentence);
            findings.push(finding.with_hint("name a folder that can be written with --key-archive"));
        }
        ring
    }

    /// Takes kept keys in for what is still missing. One of unknown origin never stands against CloudTrail's own word.
    fn take_kept(
        &self,
        region: &Region,
        missing: &[WantedKey],
        ring: &mut KeyRing,
        kept: &mut Option<Vec<GivenKey>>,
        findings: &mut Vec<Finding>,
    ) {
        let Some(archive) = &self.archive else { return };
        let missing: Vec<&WantedKey> =
            missing.iter().filter(|wanted| ring.find(&wanted.fingerprint).is_none()).collect();
        if missing.is_empty() {
            return;
        }
        let kept = kept.get_or_insert_with(|| match archive.load(region) {
            Ok(keys) => keys,
            Err(error) => {
                let sentence = format!("the kept keys of {region} cannot be read: {error}");
                findings.push(Finding::new(FindingId::KeyUnavailable, region.as_str(), sentence));
                Vec::new()
            }
        });
        for WantedKey { fingerprint, window } in missing {
            let Some(key) = kept.iter().find(|key| key.fingerprint.eq_ignore_ascii_case(fingerprint)) else { continue };
            let Some(origin) = KeyArchive::origin(key, region) else { continue };
            if origin == Origin::KeptUnknown && ring.answered(*window) {
                continue;
            }
            if let Err(error) = ring.add(key, origin) {
                let sentence = format!("the kept key {} cannot be used: {error}", key.fingerprint);
                findings.push(Finding::new(FindingId::KeyFileCorrupt, region.as_str(), sentence));
            }
        }
    }
}

/// The keys that signatures of a group held by, for the report.
pub(super) fn used(region: &Region, group: &Group, ring: &KeyRing) -> Vec<KeyUse> {
    let used = group.keys_used().into_iter().filter_map(|(fingerprint, used)| {
        let key = ring.find(&fingerprint)?;
        let provenance = key.origin.provenance();
        let from = match &key.origin {
            Origin::File(path) => Some(path.clone()),
            _ => provenance.map(|provenance| provenance.endpoint.clone()),
        };
        Some(KeyUse {
            fingerprint,
            region: region.clone(),
            partition: region.partition(),
            origin: key.origin.word(),
            from,
            caller: provenance.and_then(|provenance| provenance.caller.clone()),
            fetched: key.fetched,
            used,
        })
    });
    used.collect()
}

/// Adds up what several accounts used, and says what is to be said of it.
pub(super) fn tell_used(used: Vec<KeyUse>) -> (Vec<KeyUse>, Vec<Finding>) {
    let mut sums: BTreeMap<KeyUse, u64> = BTreeMap::new();
    for one in used {
        let times = one.used;
        *sums.entry(KeyUse { used: 0, ..one }).or_default() += times;
    }
    let used: Vec<KeyUse> = sums.into_iter().map(|(one, used)| KeyUse { used, ..one }).collect();
    let unknown = used.iter().filter(|one| one.origin == Origin::KeptUnknown.word()).map(|one| {
        let sentence = format!("the kept key {} served, and nothing says who gave it", one.fingerprint);
        let hint = "fetch the key again while CloudTrail gives it; an earlier version kept keys without their origin";
        Finding::new(FindingId::KeyOriginUnknown, one.region.as_str(), sentence).with_hint(hint)
    });
    let findings = unknown.collect();
    (used, findings)
}

impl KeyService for Aws {
    async fn list(&self, region: &Region, window: Window) -> Result<KeyAnswer, SourceError> {
        let fetched = self.public_keys(region, window.from, window.to).await?;
        let from = Provenance { endpoint: fetched.endpoint, caller: fetched.caller };
        let given = fetched.keys.into_iter().map(|key| GivenKey {
            fingerprint: key.fingerprint,
            der: key.der,
            region: Some(region.clone()),
            validity: Some(Window { from: key.valid_from, to: key.valid_to }),
            fetched: None,
            provenance: Some(from.clone()),
        });
        Ok(KeyAnswer { keys: given.collect(), from: from.clone() })
    }
}

impl KeyService for Arc<AwsOnDemand> {
    async fn list(&self, region: &Region, window: Window) -> Result<KeyAnswer, SourceError> {
        self.get().await?.list(region, window).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fetch::Patience;
    use crate::pipeline::memory::Memory;
    use crate::source::DigestMetadata;
    use trailproof_proof::archive::key::{self, ObjectName};
    use trailproof_proof::archive::scope::Scope;
    use trailproof_proof::verify::digest::Recorded;
    use trailproof_proof::verify::object::DigestObject;

    fn context() -> Context<()> {
        Context {
            source: Arc::new(()),
            scope: Scope::default(),
            moves: Arc::new([]),
            checkpoint: Arc::default(),
            retry: Retry::new(Patience::of(Duration::ZERO)),
            concurrency: 1,
            max_memory: 64 << 20,
            memory: Arc::new(Memory::of(64 << 20, 1)),
            workers: Arc::new(rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread")),
            requests: Arc::new(tokio::sync::Semaphore::new(1)),
            metrics: Arc::default(),
            cancelled: Arc::default(),
        }
    }

    /// A digest of this year that names a key.
    fn naming(year: u16, fingerprint: &str) -> Group {
        let key = format!(
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/{year}/01/02/111122223333_CloudTrail-Digest_us-east-1_main_us-east-1_{year}0102T180131Z.json.gz"
        );
        let ObjectName::Digest(_, name) = key::parse(&key).name else { panic!("a digest's name") };
        let content = format!(
            r#"{{"awsAccountId":"111122223333","digestStartTime":"{year}-01-02T17:01:31Z","digestEndTime":"{year}-01-02T18:01:31Z",
            "digestS3Bucket":"b","digestS3Object":"{key}","digestPublicKeyFingerprint":"{fingerprint}","digestSignatureAlgorithm":"SHA256withRSA",
            "newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":null,"previousDigestS3Object":null,
            "previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null,"logFiles":[]}}"#
        );
        let place = Recorded { bucket: "b".into(), key };
        let digest = DigestObject::read(name, place, content.as_bytes(), DigestMetadata::default(), &[]);
        Group { digests: vec![digest], ..Group::default() }
    }

    /// CloudTrail, which gives one key, a damaged one, of 2026; of 2020 it does not speak, and nobody is heard of 2023.
    struct Scripted;

    impl KeyService for Scripted {
        async fn list(&self, region: &Region, window: Window) -> Result<KeyAnswer, SourceError> {
            let year = window.to.to_string()[..4].parse::<u16>().expect("a year");
            match year {
                2020 => return Err(SourceError::Other { detail: "no".into() }),
                2023 => return Err(SourceError::Broken { detail: "reset".into() }),
                _ => {}
            }
            let endpoint = format!("https://cloudtrail.{region}.amazonaws.com");
            let from = Provenance { endpoint, caller: None };
            let validity = Some(window);
            let (region, fetched) = (Some(region.clone()), None);
            let key = GivenKey { fingerprint: "cd".into(), der: vec![1], region, validity, fetched, provenance: None };
            Ok(KeyAnswer { keys: vec![key], from })
        }
    }

    #[tokio::test]
    async fn keys_and_failures_are_the_same_whoever_asks_first() {
        let (context, region): (_, Region) = (context(), "us-east-1".parse().expect("Region"));
        let years = [2020, 2023, 2026];
        let told_in = async |order: [usize; 3]| {
            let keys = Keys::service(Scripted);
            let mut told = [const { None }; 3];
            for at in order {
                let (group, mut findings) = (naming(years[at], "ab"), Vec::new());
                let ring = keys.for_group(&context, &region, &group, KeyRing::default(), &mut findings).await;
                let wanted = &group.missing_keys(&ring)[0];
                told[at] = Some((ring.answered(wanted.window), ring.is_corrupt("cd"), findings));
            }
            told.map(|told| told.expect("every group asked"))
        };
        let first = told_in([0, 1, 2]).await;
        assert_eq!(
            first.each_ref().map(|(answered, corrupt, _)| (*answered, *corrupt)),
            [(false, false), (false, false), (true, true)]
        );
        assert_eq!(first.each_ref().map(|(.., findings)| findings.len()), [1, 1, 1]);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(told_in(order).await, first, "{order:?}");
        }
    }
}
