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
use jiff::Timestamp;
use serde::Serialize;

use super::address::Addresses;
use super::check::Checker;
use super::digest::Recorded;
use super::edges;
use super::heads::{AtHead, Tip};
use super::keys::KeyRing;
use super::object::DigestObject;
use super::reach::{Outside, Reach};
use super::window::Window;
use crate::archive::ids::{OrgId, Region};
use crate::archive::key::{self, AccountRegion, DigestName, ObjectName};
use crate::finding::{Finding, FindingId};
use crate::sha256::Sha256;

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

impl ChainId {
    /// The chain that a digest of this name belongs to, under a root of this organization or of none.
    pub fn named(org: Option<OrgId>, place: &AccountRegion, name: &DigestName) -> Self {
        let DigestName { trail, home, backfill, .. } = name;
        Self { org, place: place.clone(), trail: trail.clone(), home_region: home.clone(), backfill: *backfill }
    }

    /// The chain that a digest of this account and Region belongs to, by its name.
    pub(super) fn of(digest: &DigestObject, place: &AccountRegion) -> Self {
        Self::named(key::parse(&digest.place.key).org, place, &digest.name)
    }

    /// The chain that a digest belongs to, by its key; none where the key is not a digest's.
    pub fn of_key(key: &str) -> Option<Self> {
        let parsed = key::parse(key);
        match parsed.name {
            ObjectName::Digest(place, name) => Some(Self::named(parsed.org, &place, &name)),
            _ => None,
        }
    }
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

/// The digests of one account and Region, all trails.
#[derive(Debug, Default)]
pub struct Group {
    /// Every digest object found.
    pub digests: Vec<DigestObject>,
    /// Where signed pointers lead to and nothing is; the bucket is empty in a directory.
    pub absent: BTreeSet<Recorded>,
    /// Where an earlier run verified digests, and the hash of their content.
    pub remembered: Arc<BTreeMap<Recorded, Sha256>>,
    /// Chains with digests before or after what was asked for; not read, but there.
    pub outside: BTreeMap<ChainId, Outside>,
}

impl Group {
    /// The keys that digests name and `keys` does not hold.
    pub fn missing_keys(&self, keys: &KeyRing) -> Vec<WantedKey> {
        let is_known =
            |d: &DigestObject| self.remembered.get(&d.place).is_some_and(|&hash| d.reading_of(hash).is_some());
        let wanted = self.digests.iter().filter_map(|digest| {
            let fingerprint = digest.fingerprint().filter(|fingerprint| keys.find(fingerprint).is_none())?;
            let window = digest.key_window().filter(|_| !is_known(digest))?;
            Some(WantedKey { fingerprint: fingerprint.to_owned(), window })
        });
        wanted.collect()
    }

    /// The keys that signatures held by, by fingerprint, with how many.
    pub fn keys_used(&self) -> BTreeMap<String, u64> {
        let mut used = BTreeMap::new();
        for digest in self.digests.iter().filter_map(DigestObject::verified) {
            *used.entry(digest.fingerprint.to_ascii_lowercase()).or_default() += 1;
        }
        used
    }

    /// Settles the standing of every digest that has none yet.
    ///
    /// Run again after digests were added; digests without a signature of their own are checked against the one that
    /// a signed successor records.
    pub fn check(&mut self, place: &AccountRegion, keys: &KeyRing) {
        let checker = Checker { place, keys, remembered: self.remembered.clone() };
        for digest in self.digests.iter_mut().filter(|digest| !digest.is_settled()) {
            checker.check(digest, None);
        }
        self.recover(&checker);
    }

    /// Tries the signatures that verified digests record for predecessors whose own was lost, newest first: one pass
    /// recovers a chain of any length.
    fn recover(&mut self, checker: &Checker<'_>) {
        if !self.digests.iter().any(|digest| digest.has_problem(FindingId::SignatureLost)) {
            return;
        }
        let mut newest_first: Vec<usize> = (0..self.digests.len()).collect();
        newest_first.sort_by_key(|&at| std::cmp::Reverse(self.digests[at].name.end));
        let mut recorded: BTreeMap<Recorded, String> = self.digests.iter().filter_map(DigestObject::pointer).collect();
        for at in newest_first {
            let digest = &mut self.digests[at];
            if digest.has_problem(FindingId::SignatureLost)
                && let Some(signature) = recorded.get(&digest.place)
            {
                checker.check(digest, Some(signature));
                recorded.extend(digest.pointer());
            }
        }
    }

    /// Where signed pointers lead to that was neither found nor known to be absent.
    pub fn wanted(&self, not_before: Option<Timestamp>) -> Vec<Recorded> {
        let known: BTreeSet<&Recorded> = self.digests.iter().map(|digest| &digest.place).collect();
        let pointers = self.digests.iter().filter(|digest| {
            digest.verified().is_some_and(|verified| not_before.is_none_or(|from| verified.start > from))
        });
        let mut wanted: Vec<Recorded> = pointers
            .filter_map(DigestObject::pointed)
            .filter(|place| !known.contains(place) && !self.absent.contains(place))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Judges the group as a whole.
    pub fn conclude(mut self, place: &AccountRegion, period: &edges::Period) -> Conclusion {
        self.find_planted(place);
        let addresses = Addresses::of(&self);
        Conclusion { addresses, ..edges::conclude(self, place, period) }
    }
}

/// A key that a digest names, before anything is believed of the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedKey {
    /// What it is called.
    pub fingerprint: String,
    /// The time for which to ask for it.
    pub window: Window,
}

/// What a group came to.
#[derive(Debug, Default)]
pub struct Conclusion {
    /// Everything worth saying of its digests.
    pub findings: Vec<Finding>,
    /// One summary a chain.
    pub chains: Vec<ChainSummary>,
    /// How far each chain reaches.
    pub reaches: Vec<Reach>,
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
    /// What the digests say of where the archive lies.
    pub addresses: Addresses,
    /// What lies at the keys of remembered digests, where anything was read there.
    pub at_heads: Vec<(String, AtHead)>,
}

/// A span in which a chain proves nothing, between two parts in which it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// What is said of it.
    pub finding: Finding,
    /// The chain, whose trail's logging or validation may have been off.
    pub chain: ChainId,
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    /// The time in the name of the newest of them, which is what an end is known by.
    #[serde(skip)]
    pub newest: Option<Timestamp>,
    /// Verified digests.
    pub digests: u64,
    /// Logs that they list.
    pub logs: u64,
    /// Spans between the first and the last that no verified digest of the chain covers.
    pub gaps: Vec<Window>,
    /// Its verified digests that none of them points to.
    #[serde(skip)]
    pub tips: Vec<Tip>,
    /// The roots that its verified digests lie under.
    #[serde(skip)]
    pub roots: BTreeSet<String>,
    /// Its digests that could not be read or checked.
    #[serde(skip)]
    pub unreadable: u64,
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
