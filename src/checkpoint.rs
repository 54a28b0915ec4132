//! What one run remembers for the next: the newest verified digest of every chain.
//!
//! The signature of a later digest covers its predecessor, so a chain that still holds this head and goes on from it is
//! the same chain, untruncated. Without a checkpoint, a deleted tail cannot be told from a trail that ended.
//! The file carries the SHA-256 of its own heads: damage is an error, never a pass.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, FindingId};
use crate::sha256::Sha256;
use crate::verify::chain::{ChainId, ChainSummary, Head};
use crate::verify::edges::Heads;

/// The name and version of the file's shape.
pub const SCHEMA: &str = "trailproof.checkpoint/1";

/// Heads by chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    heads: BTreeMap<String, Head>,
}

/// A file that is not a whole checkpoint of this version.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not JSON, or not in the shape of a checkpoint.
    #[error("not a checkpoint ({0})")]
    Shape(#[from] serde_json::Error),
    /// Another version's.
    #[error("its shape is {0:?}, not {SCHEMA}")]
    Schema(String),
    /// Its heads are not those it was written with.
    #[error("it is damaged: its heads do not fit its own SHA-256")]
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: String,
    made: Timestamp,
    sha256: String,
    heads: BTreeMap<String, Head>,
}

fn seal(made: Timestamp, heads: &BTreeMap<String, Head>) -> String {
    let text = serde_json::to_string(&(made, heads)).expect("texts always serialise");
    Sha256::of(text.as_bytes()).to_string()
}

impl Checkpoint {
    /// Reads a checkpoint file.
    ///
    /// # Errors
    /// [`CheckpointError`] when it is not exactly what [`Checkpoint::write`] wrote.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let file: File = serde_json::from_slice(bytes)?;
        if file.schema != SCHEMA {
            return Err(CheckpointError::Schema(file.schema));
        }
        if seal(file.made, &file.heads) != file.sha256 {
            return Err(CheckpointError::Damaged);
        }
        Ok(Self { heads: file.heads })
    }

    /// The file's content.
    pub fn write(&self, made: Timestamp) -> String {
        let sha256 = seal(made, &self.heads);
        let file = File { schema: SCHEMA.to_owned(), made, sha256, heads: self.heads.clone() };
        serde_json::to_string_pretty(&file).expect("texts always serialise") + "\n"
    }

    /// The earliest end of any head: digests from then on must be read to prove that chains go on.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.heads.values().map(|head| head.end).min()
    }

    /// Chains whose heads `were_asked_for` and that are no longer there at all.
    pub fn vanished(&self, chains: &[ChainSummary], were_asked_for: impl Fn(&str) -> bool) -> Vec<Finding> {
        let there: std::collections::BTreeSet<String> = chains.iter().map(|chain| chain.chain.to_string()).collect();
        let gone = self.heads.iter().filter(|(chain, head)| !there.contains(*chain) && were_asked_for(&head.key));
        gone.map(|(chain, head)| {
            let sentence =
                format!("the chain {chain} was there at the checkpoint and is gone, with all of its digests");
            let finding = Finding::new(FindingId::ChainVanished, &head.key, sentence);
            finding.compared(format!("the digest that ended at {}", head.end), "no digest of the chain")
        })
        .collect()
    }

    /// Moves every chain on to its present head; a chain that went back or vanished keeps the one it had.
    pub fn advance(&mut self, chains: &[ChainSummary]) {
        for chain in chains {
            let Some(head) = &chain.head else { continue };
            let kept = self.heads.entry(chain.chain.to_string()).or_insert_with(|| head.clone());
            if head.end > kept.end {
                *kept = head.clone();
            }
        }
    }
}

impl Heads for Checkpoint {
    fn head(&self, chain: &ChainId) -> Option<&Head> {
        self.heads.get(&chain.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let head = Head {
            key: "AWSLogs/111122223333/CloudTrail-Digest/…".into(),
            hash: Sha256::of(b"digest").to_string(),
            end: "2026-01-02T04:01:31Z".parse().expect("time"),
        };
        Checkpoint { heads: BTreeMap::from([("111122223333/us-east-1 trail main of us-east-1".to_owned(), head)]) }
    }

    #[test]
    fn a_checkpoint_is_read_back_whole() {
        let written = checkpoint().write(Timestamp::UNIX_EPOCH);
        assert_eq!(Checkpoint::parse(written.as_bytes()).expect("whole"), checkpoint());
    }

    #[test]
    fn a_damaged_or_foreign_checkpoint_is_an_error() {
        let written = checkpoint().write(Timestamp::UNIX_EPOCH);
        let older = written.replace("checkpoint/1", "checkpoint/0");
        assert!(matches!(Checkpoint::parse(older.as_bytes()), Err(CheckpointError::Schema(_))));
        let moved = written.replace("04:01:31", "03:01:31");
        assert!(matches!(Checkpoint::parse(moved.as_bytes()), Err(CheckpointError::Damaged)));
        assert!(matches!(Checkpoint::parse(&written.as_bytes()[..written.len() / 2]), Err(CheckpointError::Shape(_))));
        assert!(matches!(Checkpoint::parse(b""), Err(CheckpointError::Shape(_))));
    }
}
