//! Groups the digests of one account and Region into chains and judges each digest.
//!
//! ```text
//! digest(t) ── previousDigestS3Object ──▶ digest(t − 1 h) ── … ──▶ starting digest (no predecessor)
//!     └── logFiles[].hashValue ──▶ log files
//! ```
//!
//! A digest counts by its signature alone: every one that CloudTrail signed is visited, whether a pointer leads to it or
//! not. Invariants: what a digest says is used only after its signature holds; an unreadable digest is never called
//! altered, nor are its logs. The links between digests are judged in [`super::edges`].
//! Not here: reading anything. [`Group::wanted`] says which digests signed pointers lead to, the caller looks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compact_str::CompactString;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::digest::{Digest, Malformed, Recorded, Relocation, SIGNATURE_ALGORITHM};
use super::edges;
use super::keys::{Check, KeyRing};
use super::window::Window;
use crate::archive::ids::{OrgId, Region};
use crate::archive::key::{AccountRegion, DigestName};
use crate::finding::{Finding, FindingId};
use crate::gunzip::{self, Damage};
use crate::sha256::{Sha256, decode_hex};
use crate::source::{DigestMetadata, SourceError};

/// The largest digest content that is believed to be one; a digest entry takes about 400 bytes.
const MAX_CONTENT: usize = 64 << 20;

/// One trail's digests for one account and Region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ChainId {
    /// The organization that the trail is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId>,
    /// Whose events.
    #[serde(flatten)]
    pub place: AccountRegion,
    /// Trail name.
    #[serde(serialize_with = "as_text")]
    pub trail: CompactString,
    /// Region in which the trail was created.
    pub home_region: Region,
    /// Whether these are backfill digests, which form chains of their own.
    pub backfill: bool,
}

fn as_text<S: serde::Serializer>(text: &CompactString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl std::fmt::Display for ChainId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.backfill { " (backfill)" } else { "" };
        if let Some(org) = &self.org {
            write!(f, "{org}/")?;
        }
        write!(f, "{} trail {} of {}{kind}", self.place, self.trail, self.home_region)
    }
}

/// What a digest object turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Signed by CloudTrail, at its place.
    Verified,
    /// Not as CloudTrail delivered it.
    Altered,
    /// Not the document that CloudTrail writes.
    Malformed,
    /// Could not be read, or its key or signature could not be had.
    Unreadable,
    /// Poses as a digest, in hours that signed digests cover, and none of them knows it.
    Unlisted,
}

/// One way to read an object's content as a digest.
#[derive(Debug, Clone)]
struct Reading {
    hash: Sha256,
    digest: Result<Digest, Malformed>,
}

/// A digest object, as far as it could be read.
#[derive(Debug, Clone)]
pub struct DigestObject {
    /// What its key says.
    pub name: DigestName,
    /// Where it lies (bucket empty for a directory).
    pub place: Recorded,
    content: Result<Content, SourceError>,
    standing: Option<Standing>,
    problem: Option<Finding>,
    recovered: bool,
}

#[derive(Debug, Clone)]
struct Content {
    metadata: DigestMetadata,
    damage: Vec<Damage>,
    /// The whole content; then, where members follow the first, the first alone.
    readings: Vec<Reading>,
    /// The reading that CloudTrail signed.
    signed: usize,
}

impl DigestObject {
    /// A digest that could not be read.
    pub fn unreadable(name: DigestName, place: Recorded, why: SourceError) -> Self {
        Self { name, place, content: Err(why), standing: None, problem: None, recovered: false }
    }

    /// Inflates, hashes and parses a digest's stored bytes. CPU work.
    pub fn read(
        name: DigestName,
        place: Recorded,
        stored: &[u8],
        metadata: DigestMetadata,
        moves: &[Relocation],
    ) -> Self {
        let mut content = Vec::new();
        let inflated = gunzip::inflate(stored, MAX_CONTENT, &mut content);
        let reading = |bytes: &[u8]| {
            let mut digest = Digest::parse(bytes);
            if let Ok(digest) = &mut digest {
                digest.relocate(moves);
            }
            Reading { hash: Sha256::of(bytes), digest }
        };
        let mut readings = vec![reading(&content)];
        if inflated.has(Damage::SeveralMembers) {
            let first = usize::try_from(inflated.first_member).unwrap_or(content.len()).min(content.len());
            readings.push(reading(&content[..first]));
        }
        let content = Content { metadata, damage: inflated.damage, readings, signed: 0 };
        Self { name, place, content: Ok(content), standing: None, problem: None, recovered: false }
    }

    /// Whether the object turned out not to be there.
    pub fn is_missing(&self) -> bool {
        matches!(self.content, Err(SourceError::Missing | SourceError::NoSuchPlace { .. }))
    }

    /// The digest, once its signature holds.
    pub fn verified(&self) -> Option<&Digest> {
        if self.standing != Some(Standing::Verified) {
            return None;
        }
        self.content.as_ref().ok().and_then(|content| content.readings[content.signed].digest.as_ref().ok())
    }

    /// The key and signature that the digest records for its predecessor, once its own signature holds.
    fn pointer(&self) -> Option<(String, String)> {
        let previous = self.verified()?.previous.as_ref()?;
        Some((previous.digest.key.clone(), previous.signature.clone()))
    }

    /// SHA-256 of the content that CloudTrail signed.
    pub(super) fn hash(&self) -> Option<Sha256> {
        self.content.as_ref().ok().map(|content| content.readings[content.signed].hash)
    }

    /// The signature in the object's metadata.
    pub(super) fn signature(&self) -> Option<&str> {
        self.content.as_ref().ok().and_then(|content| content.metadata.signature.as_deref())
    }

    /// How far the digest covers. A recorded end before the time in the name does not shorten it.
    pub(super) fn window(&self) -> Option<Window> {
        self.verified().map(|digest| Window { from: digest.start, to: digest.end.max(self.name.end) })
    }

    fn fingerprint(&self) -> Option<&str> {
        let readings = &self.content.as_ref().ok()?.readings;
        readings[0].digest.as_ref().ok().map(|digest| digest.fingerprint.as_str())
    }

    /// When CloudTrail signed it, as far as can be told before the signature holds: what keys to ask for.
    pub fn signing_window(&self) -> Option<Window> {
        let content = self.content.as_ref().ok()?;
        let hour = SignedDuration::from_hours(1);
        if self.name.backfill {
            let made: Timestamp = content.metadata.backfill_generation.as_deref()?.parse().ok()?;
            return Some(Window { from: made.checked_sub(hour).ok()?, to: made.checked_add(hour).ok()? });
        }
        let digest = content.readings[0].digest.as_ref().ok()?;
        let to = digest.end.max(self.name.end).checked_add(2 * hour).ok()?;
        Some(Window { from: digest.start.min(self.name.end), to })
    }

    /// Whether the content is a digest that says it belongs where the object lies.
    fn claims_its_place(&self) -> bool {
        let readings = self.content.as_ref().map(|content| content.readings.as_slice()).unwrap_or_default();
        readings.iter().any(|reading| reading.digest.as_ref().is_ok_and(|digest| digest.place.key == self.place.key))
    }

    fn settle(&mut self, standing: Standing, problem: Option<Finding>) {
        self.standing = Some(standing);
        self.problem = problem;
    }
}

/// The digests of one account and Region, all trails.
#[derive(Debug, Default)]
pub struct Group {
    /// Every digest object found.
    pub digests: Vec<DigestObject>,
    /// Places that signed pointers lead to and where nothing is.
    pub absent: BTreeSet<Recorded>,
    /// Names of digests before the period asked for; not read, but there.
    pub earlier: Vec<DigestName>,
}

impl Group {
    /// Fingerprints that digests name and `keys` does not hold, with when to ask CloudTrail for them.
    pub fn missing_keys(&self, keys: &KeyRing) -> Vec<Window> {
        let unknown = self.digests.iter().filter(|d| d.fingerprint().is_some_and(|f| keys.find(f).is_none()));
        unknown.filter_map(DigestObject::signing_window).collect()
    }

    /// Settles the standing of every digest that has none yet.
    ///
    /// Run again after digests were added; digests without a signature of their own are checked against the one that
    /// a signed successor records.
    pub fn check(&mut self, place: &AccountRegion, keys: &KeyRing) {
        let some_key_fits = self.digests.iter().any(|d| d.fingerprint().is_some_and(|f| keys.find(f).is_some()));
        let checker = Checker { place, keys, some_key_fits };
        for digest in self.digests.iter_mut().filter(|digest| digest.standing.is_none()) {
            checker.check(digest, None);
        }
        self.recover(&checker);
    }

    /// Tries the signatures that verified digests record for predecessors whose own was lost, newest first: one pass
    /// recovers a chain of any length.
    fn recover(&mut self, checker: &Checker<'_>) {
        let mut newest_first: Vec<usize> = (0..self.digests.len()).collect();
        newest_first.sort_by_key(|&at| std::cmp::Reverse(self.digests[at].name.end));
        let mut recorded: BTreeMap<String, String> = self.digests.iter().filter_map(DigestObject::pointer).collect();
        for at in newest_first {
            let digest = &mut self.digests[at];
            let lost = digest.problem.as_ref().is_some_and(|problem| problem.id == FindingId::SignatureLost);
            if lost && let Some(signature) = recorded.get(&digest.place.key) {
                checker.check(digest, Some(signature));
                recorded.extend(digest.pointer());
            }
        }
    }

    /// Digests that signed pointers lead to and that were neither found nor known to be absent.
    pub fn wanted(&self, not_before: Option<Timestamp>) -> Vec<Recorded> {
        let known: BTreeSet<&str> = self.digests.iter().map(|digest| digest.place.key.as_str()).collect();
        let pointers = self.digests.iter().filter_map(|digest| {
            let verified = digest.verified()?;
            let asked = not_before.is_none_or(|from| verified.start > from);
            verified.previous.as_ref().filter(|_| asked).map(|previous| &previous.digest)
        });
        let mut wanted: Vec<Recorded> = pointers
            .filter(|place| !known.contains(place.key.as_str()) && !self.absent.contains(*place))
            .cloned()
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Judges the group as a whole.
    pub fn conclude(mut self, place: &AccountRegion, period: &edges::Period, heads: &dyn edges::Heads) -> Conclusion {
        self.find_planted();
        edges::conclude(self, place, period, heads)
    }

    /// Tells objects that pose as digests from digests that were altered: no signed digest knows the former, and they
    /// lie in hours that signed digests of the same chain cover, or their content is no digest of that name and their
    /// time is none at which the chain's digests end.
    fn find_planted(&mut self) {
        const HOUR: i64 = 3600;
        let mut pointed: BTreeSet<&str> = BTreeSet::new();
        let mut windows: BTreeMap<(&str, &Region, bool), Vec<Window>> = BTreeMap::new();
        let mut any_verified = false;
        for digest in &self.digests {
            if let (Some(verified), Some(window)) = (digest.verified(), digest.window()) {
                pointed.extend(verified.previous.as_ref().map(|previous| previous.digest.key.as_str()));
                windows.entry((&digest.name.trail, &digest.name.home, digest.name.backfill)).or_default().push(window);
                any_verified = true;
            }
        }
        let mut planted = Vec::new();
        for (at, digest) in self.digests.iter().enumerate() {
            let bad = matches!(digest.standing, Some(Standing::Altered | Standing::Malformed))
                || digest.problem.as_ref().is_some_and(|problem| problem.id == FindingId::SignatureLost);
            let chain = windows.get(&(digest.name.trail.as_str(), &digest.name.home, digest.name.backfill));
            let inside = chain.is_some_and(|windows| {
                windows.iter().any(|window| window.from < digest.name.end && digest.name.end < window.to)
            });
            let second = |time: Timestamp| time.as_second().rem_euclid(HOUR);
            let out_of_step = match chain {
                Some(windows) => windows.iter().all(|window| second(window.to) != second(digest.name.end)),
                None => any_verified,
            };
            if bad
                && (inside || (out_of_step && !digest.claims_its_place()))
                && !pointed.contains(digest.place.key.as_str())
            {
                planted.push(at);
            }
        }
        for at in planted {
            let digest = &mut self.digests[at];
            let sentence = format!("{} poses as a digest, and no signed digest knows it", digest.place.key);
            let finding = Finding::new(FindingId::DigestPlanted, &digest.place.key, sentence)
                .with_hint("find out who wrote it; it changes nothing that was proven");
            digest.settle(Standing::Unlisted, Some(finding));
        }
    }
}

/// What a group came to.
#[derive(Debug, Default)]
pub struct Conclusion {
    /// Everything worth saying of its digests.
    pub findings: Vec<Finding>,
    /// One summary a chain.
    pub chains: Vec<ChainSummary>,
    /// Where a chain breaks off and begins again, each with the span, for naming what caused it.
    pub breaks: Vec<Break>,
    /// What verified digests say of logs.
    pub listings: Vec<Listing>,
    /// The time that verified digests cover, by the roots that each vouches for.
    pub windows: BTreeMap<String, Vec<Window>>,
    /// The hours of digests that could not be read or checked: whether a log in them is listed is not known.
    pub unknown: Vec<Window>,
    /// How many digest objects came to what, and how many are gone.
    pub outcomes: DigestOutcomes,
}

/// A span in which a chain proves nothing, between two parts in which it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// What is said of it.
    pub finding: Finding,
    /// The trail whose logging or validation may have been off.
    pub trail: CompactString,
    /// The span.
    pub window: Window,
}

/// How many digest objects came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DigestOutcomes {
    /// Signed and in place.
    pub verified: u64,
    /// Not as delivered.
    pub altered: u64,
    /// Gone: one for each hour lost before a digest that a signed one points to.
    pub missing: u64,
    /// Not read or not checkable.
    pub unreadable: u64,
    /// Not the document that CloudTrail writes.
    pub malformed: u64,
    /// Planted among signed ones.
    pub unlisted: u64,
}

/// A chain's newest verified digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head {
    /// Its key.
    pub key: String,
    /// SHA-256 of its content, hex.
    pub hash: String,
    /// The end of the time it covers.
    pub end: Timestamp,
}

/// One chain, for the report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ChainSummary {
    /// Which chain.
    #[serde(flatten)]
    pub chain: ChainId,
    /// Start of the first verified digest.
    pub first: Option<Timestamp>,
    /// End of the last verified digest.
    pub last: Option<Timestamp>,
    /// The last verified digest.
    pub head: Option<Head>,
    /// Verified digests.
    pub digests: u64,
    /// Logs that they list.
    pub logs: u64,
    /// Spans between the first and the last that no verified digest of the chain covers.
    pub gaps: Vec<Window>,
}

/// What a verified digest says of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Where CloudTrail put the log.
    pub log: Recorded,
    /// SHA-256 of its inflated content.
    pub hash: Sha256,
    /// Key of the digest that lists it.
    pub digest: Arc<str>,
    /// The digest's trail.
    pub trail: CompactString,
}

/// For a digest whose key is the same but for what stands before it.
const COPIED: &str = "if the archive was copied, name where it was with --moved-from s3://BUCKET[/PREFIX]";

/// What an object is instead of a digest that CloudTrail signed, and what is said of it.
type Rejection = Box<(Standing, Finding)>;

struct Checker<'a> {
    place: &'a AccountRegion,
    keys: &'a KeyRing,
    some_key_fits: bool,
}

impl Checker<'_> {
    fn check(&self, object: &mut DigestObject, recovered: Option<&str>) {
        let (standing, problem) = match self.judge(object, recovered) {
            Ok(signed) => {
                if let Ok(content) = &mut object.content {
                    content.signed = signed;
                }
                (Standing::Verified, None)
            }
            Err(rejection) => (rejection.0, Some(rejection.1)),
        };
        object.recovered = recovered.is_some();
        object.settle(standing, problem);
    }

    /// Which reading CloudTrail signed, or what the object is instead.
    fn judge(&self, object: &DigestObject, recovered: Option<&str>) -> Result<usize, Rejection> {
        let key = object.place.key.as_str();
        let content = object.content.as_ref().map_err(|error| {
            let finding = Finding::new(FindingId::DigestUnreadable, key, format!("the digest cannot be read: {error}"));
            Box::new((Standing::Unreadable, with_optional_hint(finding, error.hint())))
        })?;
        let empty = Finding::new(FindingId::DigestMalformed, key, "the digest has no content");
        let mut outcome = Err(Box::new((Standing::Malformed, empty)));
        for (at, reading) in content.readings.iter().enumerate() {
            match self.judge_reading(object, content, reading, recovered) {
                Ok(()) => return Ok(at),
                Err(problem) if at == 0 => outcome = Err(problem),
                Err(_) => {}
            }
        }
        outcome
    }

    fn judge_reading(
        &self,
        object: &DigestObject,
        content: &Content,
        reading: &Reading,
        recovered: Option<&str>,
    ) -> Result<(), Rejection> {
        let key = object.place.key.as_str();
        let altered = |id, sentence: String| (Standing::Altered, Finding::new(id, key, sentence));
        let digest = reading.digest.as_ref().map_err(|malformed| {
            let sentence = format!("the digest is not what CloudTrail writes: {malformed}");
            Box::new((Standing::Malformed, Finding::new(FindingId::DigestMalformed, key, sentence)))
        })?;
        let elsewhere = !object.place.bucket.is_empty() && digest.place.bucket != object.place.bucket;
        if digest.place.key != key || elsewhere {
            let (standing, finding) =
                altered(FindingId::DigestMoved, "the digest lies elsewhere than where CloudTrail put it".into());
            let finding = finding.compared(&digest.place, &object.place);
            let copied = object.place.key.ends_with(&digest.place.key) || digest.place.key.ends_with(key);
            return Err(Box::new((standing, if copied { finding.with_hint(COPIED) } else { finding })));
        }
        let named = content.metadata.signature_algorithm.as_deref().unwrap_or(SIGNATURE_ALGORITHM);
        for algorithm in [named, digest.signature_algorithm.as_str()] {
            if algorithm != SIGNATURE_ALGORITHM {
                let (standing, finding) =
                    altered(FindingId::DigestAlgorithm, "the digest names another signature algorithm".into());
                return Err(Box::new((standing, finding.compared(SIGNATURE_ALGORITHM, algorithm))));
            }
        }
        let Some(signature) = recovered.or(content.metadata.signature.as_deref()) else {
            let sentence = "the digest's signature was lost (object metadata) and no signed successor records it";
            let finding = Finding::new(FindingId::SignatureLost, key, sentence)
                .with_hint("copy the object again with its metadata, or wait for the next digest");
            return Err(Box::new((Standing::Unreadable, finding)));
        };
        let Some(found) = self.keys.find(&digest.fingerprint) else { return Err(self.unknown_key(object, digest)) };
        let bytes = decode_hex(signature).unwrap_or_default();
        match found.check(&Sha256::of(digest.string_to_sign(&reading.hash).as_bytes()), &bytes) {
            Check::Weak(why) => {
                let sentence = format!("the digest is signed with a key that proves nothing: {why}");
                return Err(Box::new((Standing::Malformed, Finding::new(FindingId::KeyWeak, key, sentence))));
            }
            Check::Fails => {
                let sentence = "the digest's signature does not hold over its content".to_owned();
                return Err(Box::new(altered(FindingId::DigestAltered, sentence)));
            }
            Check::Holds => {}
        }
        if let Some(region) = found.region.as_ref().filter(|region| **region != self.place.region) {
            let (standing, finding) =
                altered(FindingId::DigestForeignKey, "the digest is signed with another Region's key".into());
            return Err(Box::new((standing, finding.compared(&self.place.region, region))));
        }
        // A backfill digest's signing time is only as good as its metadata; the key that was found anyway is enough.
        let signed = object.signing_window().filter(|_| !object.name.backfill);
        if signed.is_some_and(|signed| !found.was_used_in(signed)) {
            let sentence = format!("the digest is signed with key {}, which was not in use then", digest.fingerprint);
            let finding = Finding::new(FindingId::KeyOutOfValidity, key, sentence);
            return Err(Box::new((Standing::Unreadable, finding)));
        }
        if digest.account != self.place.account.as_str() {
            let (standing, finding) =
                altered(FindingId::DigestForeignAccount, "the digest is signed for another account".into());
            return Err(Box::new((standing, finding.compared(self.place.account, &digest.account))));
        }
        Ok(())
    }

    fn unknown_key(&self, object: &DigestObject, digest: &Digest) -> Rejection {
        let key = object.place.key.as_str();
        let undated = object.name.backfill && object.signing_window().is_none();
        if undated {
            let sentence = "the backfill digest does not say when it was made, so its key is not known".to_owned();
            return Box::new((Standing::Unreadable, Finding::new(FindingId::BackfillUndated, key, sentence)));
        }
        let answered = object.signing_window().is_some_and(|window| self.keys.answered(window));
        // Files may hold another Region's keys; that one of them fits a digest here shows that these are not.
        let from_files = self.keys.is_from_files()
            && self.some_key_fits
            && self.keys.iter().any(|(_, known)| known.was_used_in(Window { from: digest.end, to: digest.end }));
        let complete = (answered || from_files) && !self.keys.is_corrupt(&digest.fingerprint);
        if complete {
            let sentence = format!("the digest names key {}, which CloudTrail does not know", digest.fingerprint);
            return Box::new((Standing::Altered, Finding::new(FindingId::DigestUnknownKey, key, sentence)));
        }
        let sentence = format!("the key {} that the digest names could not be had", digest.fingerprint);
        let finding = Finding::new(FindingId::KeyUnavailable, key, sentence).with_hint(
            "save the keys with `trailproof keys fetch` for this Region and time and pass them with --public-keys",
        );
        Box::new((Standing::Unreadable, finding))
    }
}

fn with_optional_hint(finding: Finding, hint: Option<&str>) -> Finding {
    match hint {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

impl DigestObject {
    /// What is to be said of the object besides its links, and its standing.
    pub(super) fn told(&self) -> (Standing, Vec<Finding>) {
        let standing = self.standing.unwrap_or(Standing::Unreadable);
        let mut findings: Vec<Finding> = self.problem.iter().cloned().collect();
        let key = self.place.key.as_str();
        let (Some(digest), Ok(content)) = (self.verified(), &self.content) else { return (standing, findings) };
        if self.recovered {
            let sentence = "the digest's signature was lost (object metadata) and recovered from the next digest";
            findings.push(Finding::new(FindingId::SignatureRecovered, key, sentence));
        }
        let followed = content.damage.contains(&Damage::TrailingBytes) || content.signed > 0;
        if followed {
            let sentence = "the signed digest is followed by bytes that other readers would read";
            findings.push(Finding::new(FindingId::DigestTrailingData, key, sentence));
        }
        for damage in content.damage.iter().filter(|&&damage| damage != Damage::TrailingBytes && !followed) {
            let sentence = format!("the digest's gzip container {}; its content is as signed", damage.describe());
            findings.push(Finding::new(FindingId::ContainerDamaged, key, sentence));
        }
        let upper = digest.entries.iter().any(|entry| entry.upper_case)
            || digest.previous.as_ref().is_some_and(|previous| previous.upper_case || has_upper(&previous.signature))
            || self.signature().is_some_and(has_upper);
        if upper {
            let sentence = "the digest writes a hash or signature in upper case";
            findings.push(Finding::new(FindingId::HexUpperCase, key, sentence));
        }
        if digest.end != self.name.end {
            let sentence = "the end that the digest records is not the time in its name";
            findings.push(Finding::new(FindingId::EndUnlikeName, key, sentence).compared(self.name.end, digest.end));
        }
        (if followed { Standing::Altered } else { standing }, findings)
    }
}

fn has_upper(hex: &str) -> bool {
    hex.bytes().any(|b| b.is_ascii_uppercase())
}
