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
//! itself said which keys there were.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::Context;
use super::key_archive::KeyArchive;
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

/// How often a piece is asked for that got no answer: by other accounts, as passing faults pass.
const ATTEMPTS: u32 = 2;

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
    /// What time it is: no digest can have been signed much later.
    now: Option<Timestamp>,
    regions: Mutex<BTreeMap<Region, Arc<Mutex<OfRegion>>>>,
}

/// What is known of one Region's keys.
#[derive(Default)]
struct OfRegion {
    ring: KeyRing,
    /// How often pieces were asked for that got no answer; those that got one are not asked for again.
    asked: BTreeMap<i64, u32>,
    /// Questions in a row that got no answer.
    silent: u32,
    /// Why questions got no answer, for whoever then lacks a key.
    failures: Vec<Finding>,
    kept: Option<Vec<GivenKey>>,
}

impl<K: KeyService> Keys<K> {
    /// Keys from CloudTrail.
    pub fn service(service: K) -> Self {
        Self::Service(Service { service, archive: None, now: None, regions: Mutex::default() })
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

    /// The keys for the digests of a group.
    pub(super) async fn for_group<S>(
        &self,
        context: &Context<S>,
        region: &Region,
        group: &Group,
        findings: &mut Vec<Finding>,
    ) -> KeyRing {
        match self {
            Self::Files(ring) => ring.clone(),
            Self::Service(service) => service.for_group(context, region, group, findings).await,
        }
    }
}

impl<K: KeyService> Service<K> {
    async fn for_group<S>(
        &self,
        context: &Context<S>,
        region: &Region,
        group: &Group,
        findings: &mut Vec<Finding>,
    ) -> KeyRing {
        let of_region = self.regions.lock().await.entry(region.clone()).or_default().clone();
        let mut known = of_region.lock().await;
        let missing = group.missing_keys(&known.ring);
        let mut by_piece: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
        for WantedKey { fingerprint, window } in &missing {
            by_piece.entry(window.from.as_second().div_euclid(PIECE)).or_default().insert(fingerprint);
        }
        for (piece, fingerprints) in by_piece.into_iter().rev() {
            let is_wanted = fingerprints.iter().any(|fingerprint| known.ring.find(fingerprint).is_none());
            let was_asked = known.asked.get(&piece).is_some_and(|&times| times >= ATTEMPTS);
            if is_wanted
                && !was_asked
                && known.silent < SILENCE
                && let Some(window) = self.window(piece)
            {
                let answer = context.unless_stopped(self.service.list(region, window)).await;
                self.note(region, piece, window, answer, &mut known, findings);
            }
        }
        self.take_kept(region, &missing, &mut known, findings);
        if missing.iter().any(|wanted| known.ring.find(&wanted.fingerprint).is_none()) {
            findings.extend(known.failures.iter().cloned());
        }
        known.ring.clone()
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
        piece: i64,
        window: Window,
        answer: Result<KeyAnswer, SourceError>,
        known: &mut OfRegion,
        findings: &mut Vec<Finding>,
    ) {
        match answer {
            Ok(answer) => {
                known.silent = 0;
                known.asked.insert(piece, ATTEMPTS);
                self.take(region, window, answer, known, findings);
            }
            Err(error) => {
                known.silent += match error {
                    // Who is not let in now will not be let in for another time.
                    SourceError::Denied { .. } | SourceError::Configuration { .. } => SILENCE,
                    SourceError::Broken { .. } | SourceError::Unavailable { .. } => 1,
                    // An answer all the same: this time it would not speak of.
                    _ => 0,
                };
                *known.asked.entry(piece).or_default() += 1;
                let sentence = format!("CloudTrail's public keys for {window} could not be had: {error}");
                let finding = Finding::new(FindingId::KeyUnavailable, region.as_str(), sentence);
                known.failures.push(finding.with_optional_hint(error.hint_for(Purpose::Keys)));
            }
        }
    }

    /// Takes CloudTrail's keys in, and keeps them where they are CloudTrail's own word.
    fn take(
        &self,
        region: &Region,
        window: Window,
        answer: KeyAnswer,
        known: &mut OfRegion,
        findings: &mut Vec<Finding>,
    ) {
        let KeyAnswer { keys, from } = answer;
        known.ring.note_answer(window, &keys);
        let is_own = endpoint::is_cloudtrails_own(&from.endpoint, region);
        let keys = keys.into_iter().map(|key| {
            let provenance = Some(from.clone());
            GivenKey { region: Some(region.clone()), fetched: self.now, provenance, ..key }
        });
        let keys: Vec<GivenKey> = keys.collect();
        for key in &keys {
            let origin = if is_own { Origin::CloudTrail(from.clone()) } else { Origin::Endpoint(from.clone()) };
            if let Err(error) = known.ring.add(key, origin) {
                let sentence = format!("CloudTrail's key {} cannot be used: {error}", key.fingerprint);
                findings.push(Finding::new(FindingId::KeyFileCorrupt, region.as_str(), sentence));
            }
        }
        if keys.is_empty() {
            return;
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
    }

    /// Takes kept keys in for what is still missing. One of unknown origin never stands against CloudTrail's own word.
    fn take_kept(&self, region: &Region, missing: &[WantedKey], known: &mut OfRegion, findings: &mut Vec<Finding>) {
        let Some(archive) = &self.archive else { return };
        let missing: Vec<&WantedKey> =
            missing.iter().filter(|wanted| known.ring.find(&wanted.fingerprint).is_none()).collect();
        if missing.is_empty() {
            return;
        }
        let OfRegion { ring, kept, .. } = known;
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
