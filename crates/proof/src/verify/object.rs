//! One digest object: what was read of it, what it turned out to be, and what is to be said of it alone.
//!
//! Not here: how its signature is judged (`check`), and its links (`edges`).

use jiff::{SignedDuration, Timestamp};

use super::digest::{Digest, Entry, MAX_CONTENT, Malformed, Recorded, Relocation, is_alias};
use super::window::Window;
use crate::archive::key::DigestName;
use crate::finding::{Finding, FindingId};
use crate::gunzip::{self, Damage, Inflated};
use crate::read::{DigestMetadata, SourceError};
use crate::sha256::Sha256;

/// Bytes that a text takes in memory beside its own, at most.
const ALLOCATION: usize = 32;

/// Digests are made by the hour.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

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
pub(super) struct Reading {
    pub(super) hash: Sha256,
    pub(super) digest: Result<Digest, Malformed>,
}

/// A digest object, as far as it could be read.
#[derive(Debug, Clone)]
pub struct DigestObject {
    /// What its key says.
    pub name: DigestName,
    /// Where it lies (bucket empty for a directory).
    pub place: Recorded,
    /// Its stored bytes as listed; 0 where nothing lists it.
    pub listed_size: u64,
    pub(super) content: Result<Content, SourceError>,
    standing: Option<Standing>,
    problem: Option<Finding>,
    recovered: bool,
    /// What it lists was let go, to be read again once its signature holds.
    let_go: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) metadata: DigestMetadata,
    damage: Vec<Damage>,
    /// The whole content; then, where members follow the first, the first alone.
    pub(super) readings: Vec<Reading>,
    /// The reading that CloudTrail signed.
    pub(super) signed: usize,
}

impl DigestObject {
    /// A digest that could not be read.
    pub fn unreadable(name: DigestName, place: Recorded, why: SourceError) -> Self {
        Self::new(name, place, Err(why))
    }

    /// Inflates, hashes and parses a digest's stored bytes. CPU work.
    pub fn read(
        name: DigestName,
        place: Recorded,
        stored: &[u8],
        metadata: DigestMetadata,
        moves: &[Relocation],
    ) -> Self {
        let mut content = gunzip::Content::default();
        // One byte more tells that it is too long.
        let inflated = gunzip::inflate(stored, MAX_CONTENT + 1, &mut content);
        Self::of(name, place, (&content, inflated), metadata, moves)
    }

    /// Hashes and parses a digest's content. CPU work.
    pub fn of(
        name: DigestName,
        place: Recorded,
        (content, inflated): (&[u8], Inflated),
        metadata: DigestMetadata,
        moves: &[Relocation],
    ) -> Self {
        let reading = |bytes: &[u8]| {
            let mut digest = Digest::parse(bytes);
            if let Ok(digest) = &mut digest {
                digest.relocate(moves);
                if is_alias(&place.bucket) {
                    digest.take_bucket_as(&place.bucket);
                }
            }
            Reading { hash: Sha256::of(bytes), digest }
        };
        let mut readings = vec![reading(content)];
        if inflated.has(Damage::SeveralMembers) {
            let first = usize::try_from(inflated.first_member).unwrap_or(content.len()).min(content.len());
            readings.push(reading(&content[..first]));
        }
        let content = Content { metadata, damage: inflated.damage, readings, signed: 0 };
        Self::new(name, place, Ok(content))
    }

    fn new(name: DigestName, place: Recorded, content: Result<Content, SourceError>) -> Self {
        let (standing, problem) = (None, None);
        Self { name, place, listed_size: 0, content, standing, problem, recovered: false, let_go: false }
    }

    /// Bytes that what it lists takes in memory.
    pub fn listed_bytes(&self) -> usize {
        // Two texts, each in memory of its own.
        let texts = |entry: &Entry| size_of::<Entry>() + entry.log.bucket.len() + entry.log.key.len() + 2 * ALLOCATION;
        self.readings().iter().flat_map(|reading| &reading.digest).flat_map(|digest| &digest.entries).map(texts).sum()
    }

    /// Lets go of what it lists.
    pub fn let_go(&mut self) {
        let Ok(content) = &mut self.content else { return };
        for digest in content.readings.iter_mut().flat_map(|reading| &mut reading.digest) {
            self.let_go |= !digest.entries.is_empty();
            digest.entries = Vec::new();
        }
    }

    /// Whether its signature holds and what it lists was let go.
    pub fn is_wanted_again(&self) -> bool {
        self.let_go && self.verified().is_some()
    }

    /// Takes over what it lists from the same object that was read again; it must have the content that was signed.
    pub fn take_listed(&mut self, again: Self) {
        self.let_go = false;
        let hash = self.hash();
        let why = match again.content {
            Ok(again) => {
                let same = again.readings.into_iter().find(|reading| Some(reading.hash) == hash);
                if let (Some(Reading { digest: Ok(same), .. }), Ok(content)) = (same, &mut self.content)
                    && let Ok(digest) = &mut content.readings[content.signed].digest
                {
                    digest.entries = same.entries;
                    return;
                }
                "its content changed during the run".to_owned()
            }
            Err(error) => error.to_string(),
        };
        let sentence = format!("the digest cannot be read again: {why}");
        let finding = Finding::new(FindingId::DigestUnreadable, &self.place.key, sentence);
        self.settle(
            Standing::Unreadable,
            Some(finding.with_hint("run again; a larger --max-memory spares reading it twice")),
        );
    }

    fn readings(&self) -> &[Reading] {
        self.content.as_ref().map_or(&[], |content| &content.readings)
    }

    /// Whether what was read is a digest, whatever it is worth.
    pub(super) fn is_digest(&self) -> bool {
        self.says_it_lies().is_some()
    }

    /// Where what was read says that it lies, as CloudTrail wrote it.
    pub(super) fn says_it_lies(&self) -> Option<&Recorded> {
        let reading = self.content.as_ref().ok()?.readings.first()?;
        reading.digest.as_ref().ok().map(|digest| &digest.signed_place)
    }

    /// Whether it could not be read for a fault that may pass.
    pub fn failed_in_passing(&self) -> bool {
        self.content.as_ref().is_err_and(SourceError::is_transient)
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

    /// Where in this archive something lies that the digest records; a directory mirrors buckets without naming them.
    pub(super) fn found_at(&self, recorded: &Recorded) -> Recorded {
        let bucket = if self.place.bucket.is_empty() { String::new() } else { recorded.bucket.clone() };
        Recorded { bucket, key: recorded.key.clone() }
    }

    /// Where the predecessor lies that the digest records, once its own signature holds.
    pub(super) fn pointed(&self) -> Option<Recorded> {
        self.verified()?.previous.as_ref().map(|previous| self.found_at(&previous.digest))
    }

    /// The same, with the signature that it records.
    pub(super) fn pointer(&self) -> Option<(Recorded, String)> {
        let signature = self.verified()?.previous.as_ref()?.signature.clone();
        self.pointed().map(|place| (place, signature))
    }

    /// SHA-256 of the content that CloudTrail signed.
    pub(super) fn hash(&self) -> Option<Sha256> {
        self.content.as_ref().ok().map(|content| content.readings[content.signed].hash)
    }

    /// SHA-256 of content that was read and could not be checked, where no reading of it has this hash.
    pub(super) fn unchecked_hash_unlike(&self, hash: Sha256) -> Option<Sha256> {
        let is_it = self.readings().iter().any(|reading| reading.hash == hash);
        self.hash().filter(|_| self.standing == Some(Standing::Unreadable) && !is_it)
    }

    /// The signature in the object's metadata.
    pub(super) fn signature(&self) -> Option<&str> {
        self.content.as_ref().ok().and_then(|content| content.metadata.signature.as_deref())
    }

    /// How far the digest covers. A recorded end before the time in the name does not shorten it.
    pub(super) fn window(&self) -> Option<Window> {
        self.verified().map(|digest| Window { from: digest.start, to: digest.end.max(self.name.end) })
    }

    pub(super) fn fingerprint(&self) -> Option<&str> {
        let readings = &self.content.as_ref().ok()?.readings;
        readings[0].digest.as_ref().ok().map(|digest| digest.fingerprint.as_str())
    }

    /// When CloudTrail signed it: by its own word, so only once its signature holds.
    pub(super) fn signing_window(&self) -> Option<Window> {
        let content = self.content.as_ref().ok()?;
        if self.name.backfill {
            return self.key_window();
        }
        let digest = content.readings[content.signed].digest.as_ref().ok()?;
        let to = digest.end.max(self.name.end).checked_add(2 * HOUR).ok()?;
        Some(Window { from: digest.start.min(self.name.end), to })
    }

    /// The time for which to ask for its key: by the name in the listing, because nothing of the content is believed yet.
    /// A backfill digest was made at another time than its name has, which only its metadata says.
    pub(super) fn key_window(&self) -> Option<Window> {
        let span = |from: Timestamp, before: SignedDuration, after: SignedDuration| {
            Some(Window { from: from.checked_sub(before).ok()?, to: from.checked_add(after).ok()? })
        };
        if self.name.backfill {
            let made = self.content.as_ref().ok()?.metadata.backfill_generation.as_deref()?.parse().ok()?;
            return span(made, HOUR, HOUR);
        }
        span(self.name.end, HOUR, 2 * HOUR)
    }

    /// Whether the content is a digest that says it belongs where the object lies.
    pub(super) fn claims_its_place(&self) -> bool {
        let claims = |digest: &Digest| self.found_at(&digest.place) == self.place;
        self.readings().iter().any(|reading| reading.digest.as_ref().is_ok_and(claims))
    }

    pub(super) fn settle(&mut self, standing: Standing, problem: Option<Finding>) {
        self.standing = Some(standing);
        self.problem = problem;
    }

    /// Settles it as signed: in this reading, and by its own signature or a recovered one.
    pub(super) fn settle_signed(&mut self, reading: usize, recovered: bool) {
        if let Ok(content) = &mut self.content {
            content.signed = reading;
        }
        self.recovered = recovered;
        self.settle(Standing::Verified, None);
    }

    /// Whether it was judged.
    pub(super) fn is_settled(&self) -> bool {
        self.standing.is_some()
    }

    /// What it turned out to be.
    pub(super) fn standing(&self) -> Standing {
        self.standing.unwrap_or(Standing::Unreadable)
    }

    /// Whether this is what is wrong with it.
    pub(super) fn has_problem(&self, id: FindingId) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.id == id)
    }
}

impl DigestObject {
    /// What is to be said of the object besides its links, and its standing.
    pub(super) fn told(&self) -> (Standing, Vec<Finding>) {
        let standing = self.standing();
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
            || self.signature().is_some_and(has_upper)
            || has_upper(&digest.fingerprint);
        if upper {
            let sentence = "the digest writes a hash, signature or fingerprint in upper case";
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
