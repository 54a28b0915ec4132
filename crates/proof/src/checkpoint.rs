//! What one run remembers for the next: of every chain, the digests that no later one vouches for.
//!
//! ```text
//! … ◀── digest ◀── digest        first part of the chain; its end is a head, of state `ended`
//!       (restart)
//!                  digest ◀── … ◀── digest        its end is a head, of state `open` while digests keep coming
//! ```
//!
//! The signature of a later digest covers its predecessor, so a digest that one of its chain points to need not be
//! remembered: if it goes, the pointer tells. A head has no such witness, so without a checkpoint its deletion cannot be
//! told from a trail that ended. What is remembered was verified: at its key that content is expected, and nothing else.
//! A head leaves the checkpoint only when a verified digest of its chain points to it.
//! The file names the archive that it is of and carries the SHA-256 of its own content: damage is an error, never a pass.
//! Not here: looking at what lies there now (the program's `pipeline`), the file and its lock (the program's `cli`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::archive::key::{self, AccountRegion, ObjectName};
use crate::archive::scope::{DIGEST_SLACK, Scope};
use crate::finding::FindingId;
use crate::report::{CheckpointFile, Report};
use crate::sha256::Sha256;
use crate::verify::chain::ChainId;
use crate::verify::heads::{AtHead, EXPIRED};

/// The name and version of the file's shape.
pub const SCHEMA: &str = "trailproof.checkpoint/2";

/// How far a chain's newest digest may lie behind the archive's newest and still count as one that goes on.
const BEHIND: SignedDuration = SignedDuration::from_hours(24);

/// What became of a remembered digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The newest of a chain that goes on: later runs read from here on, to prove it.
    Open,
    /// The end of a chain, or of a part of one.
    Ended,
    /// It is gone together with everything of its time, as lifecycle rules do it.
    Expired,
    /// The operator acknowledged that.
    Retired,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ended => "ended",
            Self::Expired => "expired",
            Self::Retired => "retired",
        }
    }

    /// Whether it was told of as expired before.
    pub fn is_expired(self) -> bool {
        matches!(self, Self::Expired | Self::Retired)
    }
}

/// A remembered digest. Its key says of which chain it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its key.
    pub key: String,
    /// The chain it is of.
    pub chain: ChainId,
    /// SHA-256 of its content.
    pub hash: Sha256,
    /// The end of the time it covers.
    pub end: Timestamp,
    /// What became of it.
    pub state: State,
}

/// The archive that a checkpoint is of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its bucket, empty for a directory.
    pub bucket: String,
    /// The longest prefix that everything was asked for under.
    pub prefix: String,
}

/// Heads by account and Region, then by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The archive that it is of.
    pub place: Place,
    made: Option<Timestamp>,
    heads: BTreeMap<AccountRegion, BTreeMap<String, Head>>,
}

/// A file that is not a whole checkpoint of this version.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not JSON, or not in the shape of a checkpoint.
    #[error("not a checkpoint ({0})")]
    Shape(#[from] serde_json::Error),
    /// Another version's.
    #[error("its shape is {0:?}, and this version reads {SCHEMA} alone; put it aside and let a run begin a new one")]
    Schema(String),
    /// Its heads are not those it was written with.
    #[error("it is damaged: its content does not fit its own SHA-256")]
    Damaged,
}

#[derive(Deserialize)]
struct Version {
    schema: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    made: Timestamp,
    sha256: String,
    archive: Place,
    heads: Vec<Written>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    key: String,
    hash: String,
    end: Timestamp,
    state: State,
}

impl Written {
    fn read(self) -> Option<Head> {
        let (chain, hash) = (ChainId::of_key(&self.key)?, Sha256::from_hex(&self.hash)?);
        Some(Head { key: self.key, chain, hash, end: self.end, state: self.state })
    }
}

fn seal(made: Timestamp, archive: &Place, heads: &[Written]) -> String {
    let text = serde_json::to_string(&(made, archive, heads)).expect("texts always serialise");
    Sha256::of(text.as_bytes()).to_string()
}

impl Checkpoint {
    /// One of this archive that remembers nothing yet.
    pub fn new(bucket: &str, prefix: &str) -> Self {
        let place = Place { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        Self { place, ..Self::default() }
    }

    /// Reads a checkpoint file.
    ///
    /// # Errors
    /// [`CheckpointError`] when it is not exactly what [`Checkpoint::write`] wrote.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let version: Version = serde_json::from_slice(bytes)?;
        if version.schema != SCHEMA {
            return Err(CheckpointError::Schema(version.schema));
        }
        let file: File = serde_json::from_slice(bytes)?;
        if seal(file.made, &file.archive, &file.heads) != file.sha256 {
            return Err(CheckpointError::Damaged);
        }
        let mut read = Self { place: file.archive, made: Some(file.made), heads: BTreeMap::new() };
        for written in file.heads {
            read.add(written.read().ok_or(CheckpointError::Damaged)?);
        }
        Ok(read)
    }

    /// The file's content.
    pub fn write(&self, made: Timestamp) -> String {
        let heads = self.heads().map(|head| Written {
            key: head.key.clone(),
            hash: head.hash.to_string(),
            end: head.end,
            state: head.state,
        });
        let heads: Vec<Written> = heads.collect();
        let sha256 = seal(made, &self.place, &heads);
        let file = File { schema: SCHEMA.to_owned(), made, sha256, archive: self.place.clone(), heads };
        serde_json::to_string_pretty(&file).expect("texts always serialise") + "\n"
    }

    /// When it was written; absent for one that no run wrote yet.
    pub fn made(&self) -> Option<Timestamp> {
        self.made
    }

    /// Every remembered digest, in order.
    pub fn heads(&self) -> impl Iterator<Item = &Head> {
        self.heads.values().flat_map(BTreeMap::values)
    }

    /// What is remembered of one account and Region: keys and the hash of the content.
    pub fn hashes(&self, place: &AccountRegion) -> impl Iterator<Item = (&str, Sha256)> {
        self.heads.get(place).into_iter().flatten().map(|(key, head)| (key.as_str(), head.hash))
    }

    /// Those that are asked for: below the prefix, of the scope, and not after its end.
    pub fn asked_for<'a>(&'a self, scope: &'a Scope, prefix: &'a str) -> impl Iterator<Item = &'a Head> {
        let until = scope.to.map(|to| to.checked_add(DIGEST_SLACK).unwrap_or(Timestamp::MAX));
        self.heads().filter(move |head| {
            head.key.starts_with(prefix)
                && scope.includes_organization(head.chain.org.as_ref())
                && scope.includes(&head.chain.place)
                && scope.includes_trail(&head.chain.trail)
                && until.is_none_or(|until| head.end <= until)
        })
    }

    /// From when on digests must be read to prove that chains go on: the earliest end of an open head that is asked for.
    pub fn earliest_open(&self, scope: &Scope, prefix: &str) -> Option<Timestamp> {
        self.asked_for(scope, prefix).filter(|head| head.state == State::Open).map(|head| head.end).min()
    }

    /// Takes in what a run found: heads that the chain went on from leave, new ones come, states follow.
    ///
    /// What the run was not asked for stays as it is. A head that is gone or changed stays too: what was verified is
    /// remembered until a verified digest vouches for it.
    pub fn advance(&mut self, report: &Report) {
        let (mut touched, accepted) = (BTreeSet::new(), accepted(report));
        for (key, found) in &report.heads.found {
            let Some(place) = place_of(key) else { continue };
            let Some(heads) = self.heads.get_mut(&place) else { continue };
            match found {
                AtHead::Passed => {
                    heads.remove(key);
                }
                found => {
                    let Some(head) = heads.get_mut(key) else { continue };
                    match found {
                        AtHead::Expired if accepted.contains(key.as_str()) => head.state = State::Retired,
                        AtHead::Expired => head.state = State::Expired,
                        AtHead::Same => head.state = State::Ended,
                        _ => {}
                    }
                    touched.insert(key.as_str());
                }
            }
        }
        for tip in report.chains.iter().flat_map(|chain| &chain.tips) {
            let Some(chain) = ChainId::of_key(&tip.place.key) else { continue };
            let key = tip.place.key.clone();
            let is_known = self.heads.get(&chain.place).is_some_and(|heads| heads.contains_key(&key));
            if !is_known {
                self.add(Head { key, chain, hash: tip.hash, end: tip.end, state: State::Ended });
            }
            touched.insert(tip.place.key.as_str());
        }
        self.heads.retain(|_, heads| !heads.is_empty());
        self.settle(&touched);
    }

    /// Widens the archive to one of which both this prefix and the one so far are parts.
    pub fn widen(&mut self, prefix: &str) {
        let shared = self.place.prefix.bytes().zip(prefix.bytes()).take_while(|(a, b)| a == b).count();
        if shared < self.place.prefix.len() {
            let upto = self.place.prefix.get(..shared).and_then(|text| text.rfind('/')).map_or(0, |at| at + 1);
            self.place.prefix.truncate(if shared == prefix.len() { shared } else { upto });
        }
    }

    /// What a report says of the file.
    pub fn summary(&self, file: String, report: &Report) -> CheckpointFile {
        let mut next = self.clone();
        next.advance(report);
        let mut states: BTreeMap<&'static str, u64> = BTreeMap::new();
        for head in next.heads() {
            *states.entry(head.state.as_str()).or_default() += 1;
        }
        let remembered = self.heads().count() as u64;
        let compared = report.heads.found.len() as u64;
        let not_asked_for = report.heads.not_asked_for;
        CheckpointFile { file, made: self.made, remembered, compared, not_asked_for, states }
    }

    fn add(&mut self, head: Head) {
        self.heads.entry(head.chain.place.clone()).or_default().insert(head.key.clone(), head);
    }

    /// Which of the heads that a run looked at are open: the newest of a chain, not long before the archive's newest.
    fn settle(&mut self, touched: &BTreeSet<&str>) {
        let Some(newest) = self.heads().map(|head| head.end).max() else { return };
        for heads in self.heads.values_mut() {
            let mut ends: BTreeMap<ChainId, Timestamp> = BTreeMap::new();
            for head in heads.values() {
                let end = ends.entry(head.chain.clone()).or_insert(head.end);
                *end = head.end.max(*end);
            }
            let looked_at = heads.values_mut().filter(|head| touched.contains(head.key.as_str()));
            for head in looked_at.filter(|head| !head.state.is_expired()) {
                let is_open = ends[&head.chain] == head.end && newest.duration_since(head.end) <= BEHIND;
                head.state = if is_open { State::Open } else { State::Ended };
            }
        }
    }
}

/// Keys of expired digests that an operator acknowledged.
fn accepted(report: &Report) -> BTreeSet<&str> {
    let of_heads = report.acknowledged.iter().filter(|known| known.id == FindingId::HeadExpired.as_str());
    of_heads.filter_map(|known| known.member.strip_suffix(EXPIRED)?.strip_suffix(": ")).collect()
}

fn place_of(key: &str) -> Option<AccountRegion> {
    match key::parse(key).name {
        ObjectName::Digest(place, _) => Some(place),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(hour: i64, state: State) -> Head {
        let end: Timestamp = "2026-01-02T04:01:31Z".parse().expect("time");
        let end = end + SignedDuration::from_hours(hour);
        let (day, time) = (end.to_string()[..10].to_owned(), end.to_string().replace(['-', ':'], ""));
        let key = format!(
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/{}/111122223333_CloudTrail-Digest_us-east-1_main_us-east-1_{time}.json.gz",
            day.replace('-', "/")
        );
        let chain = ChainId::of_key(&key).expect("a digest's key");
        Head { key, chain, hash: Sha256::of(b"digest"), end, state }
    }

    fn checkpoint(heads: &[Head]) -> Checkpoint {
        let mut checkpoint = Checkpoint::new("trail-bucket", "");
        heads.iter().for_each(|head| checkpoint.add(head.clone()));
        checkpoint.made = Some(Timestamp::UNIX_EPOCH);
        checkpoint
    }

    fn states(checkpoint: &Checkpoint) -> Vec<State> {
        checkpoint.heads().map(|head| head.state).collect()
    }

    #[test]
    fn a_checkpoint_is_read_back_whole() {
        let states = [State::Open, State::Ended, State::Expired, State::Retired];
        let heads: Vec<Head> = (0..).zip(states).map(|(hour, state)| head(hour, state)).collect();
        let written = checkpoint(&heads).write(Timestamp::UNIX_EPOCH);
        assert_eq!(Checkpoint::parse(written.as_bytes()).expect("whole"), checkpoint(&heads));
    }

    #[test]
    fn a_damaged_or_foreign_checkpoint_is_an_error() {
        let written = checkpoint(&[head(0, State::Open)]).write(Timestamp::UNIX_EPOCH);
        let error = |text: &str| Checkpoint::parse(text.as_bytes()).expect_err("not whole");
        let older = error(&written.replace("checkpoint/2", "checkpoint/1"));
        assert!(matches!(older, CheckpointError::Schema(_)));
        assert!(older.to_string().contains("put it aside"), "{older}");
        for (from, to) in [("04:01:31", "03:01:31"), ("\"open\"", "\"retired\""), ("trail-bucket", "trail-basket")] {
            assert!(matches!(error(&written.replace(from, to)), CheckpointError::Damaged), "{from}");
        }
        assert!(matches!(error(&written[..written.len() / 2]), CheckpointError::Shape(_)));
        assert!(matches!(error(&written.replace("\"made\"", "\"more\": 1, \"made\"")), CheckpointError::Shape(_)));
        assert!(matches!(error(""), CheckpointError::Shape(_)));
        let mut stranger = checkpoint(&[head(0, State::Open)]);
        stranger.heads.values_mut().flat_map(BTreeMap::values_mut).for_each(|head| head.key = "x".into());
        assert!(matches!(error(&stranger.write(Timestamp::UNIX_EPOCH)), CheckpointError::Damaged), "no digest's key");
    }

    #[test]
    fn only_the_newest_of_a_chain_that_goes_on_is_open() {
        let heads: Vec<Head> = [0, 24, 49].map(|hour| head(hour, State::Ended)).to_vec();
        let all: BTreeSet<&str> = heads.iter().map(|head| head.key.as_str()).collect();
        let mut settled = checkpoint(&heads);
        settled.settle(&all);
        assert_eq!(states(&settled), [State::Ended, State::Ended, State::Open]);
        let mut other = head(25, State::Ended);
        other.key = other.key.replace("_main_", "_other_");
        other.chain = ChainId::of_key(&other.key).expect("a digest's key");
        let mut with_other = checkpoint(&[heads[2].clone(), other.clone()]);
        with_other.settle(&BTreeSet::from([other.key.as_str()]));
        assert_eq!(states(&with_other), [State::Open, State::Ended], "what was not looked at stays");
        let later = head(50, State::Ended);
        let mut behind = checkpoint(&[later, other.clone()]);
        behind.settle(&BTreeSet::from([other.key.as_str()]));
        assert_eq!(states(&behind), [State::Ended, State::Ended], "its siblings went on for a day without it");
    }

    #[test]
    fn a_prefix_widens_at_folders_and_never_narrows() {
        for (first, then, both) in [
            ("", "a/", ""),
            ("a/b/", "", ""),
            ("a/b/", "a/", "a/"),
            ("a/", "a/b/", "a/"),
            ("a/bc/", "a/bd/", "a/"),
            ("a/b", "a/bc", "a/b"),
            ("x", "y", ""),
        ] {
            let mut widened = Checkpoint::new("", first);
            widened.widen(then);
            assert_eq!(widened.place.prefix, both, "{first} and {then}");
        }
    }
}
