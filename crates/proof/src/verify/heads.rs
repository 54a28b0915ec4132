//! What lies where an earlier run verified a digest: the same content, other content, or nothing.
//!
//! What was verified once is known: its content is recognised by its hash, without its key or signature, and any other
//! content in its place is not what CloudTrail delivered there. Not here: what is said of it (the program's `pipeline`), and what
//! is remembered ([`crate::checkpoint`]).

use jiff::Timestamp;

use super::digest::Recorded;
use super::object::DigestObject;
use crate::finding::{Finding, FindingId, Severity};
use crate::sha256::Sha256;

/// What is found where a digest and everything of its time expired.
pub const EXPIRED: &str = "no such digest, and nothing dated up to its end";

/// A verified digest that no verified digest of its chain points to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tip {
    /// Where it lies.
    pub place: Recorded,
    /// SHA-256 of its content.
    pub hash: Sha256,
    /// The end of the time it covers.
    pub end: Timestamp,
}

/// What lies where a remembered digest was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtHead {
    /// Its content.
    Same,
    /// Its content, and a verified digest of its chain points to it.
    Passed,
    /// Other content.
    Other {
        /// Whether CloudTrail signed that too.
        signed: bool,
    },
    /// Other content, and the object has a finding of its own that says so.
    Told,
    /// Something that could not be read, or it is not known what became of it.
    Unclear,
    /// Nothing.
    Nothing,
    /// Nothing, and nothing else of its time.
    Expired,
}

impl DigestObject {
    /// Which reading of the content is the remembered one, and a digest.
    pub(super) fn reading_of(&self, hash: Sha256) -> Option<usize> {
        let readings = self.content.as_ref().map(|content| content.readings.as_slice()).unwrap_or_default();
        readings.iter().position(|reading| reading.hash == hash && reading.digest.is_ok())
    }

    /// What the object, judged already, is to a digest that was remembered in its place.
    pub(super) fn at_head(&self, hash: Sha256, passed: bool) -> AtHead {
        let Ok(content) = &self.content else { return AtHead::Unclear };
        if content.readings.iter().any(|reading| reading.hash == hash) {
            return if passed { AtHead::Passed } else { AtHead::Same };
        }
        let told = self.told().1.iter().any(|finding| finding.severity >= Severity::Malformed);
        if told { AtHead::Told } else { AtHead::Other { signed: self.verified().is_some() } }
    }

    /// Settles an object that was read for nothing but what is remembered of it, and what is to be told of it alone.
    pub fn recognise(&mut self, hash: Sha256) -> (AtHead, Vec<Finding>) {
        let key = self.place.key.clone();
        match &self.content {
            Err(_) if self.is_missing() => (AtHead::Nothing, Vec::new()),
            Err(error) => {
                let sentence = format!("a digest that an earlier run verified cannot be read: {error}");
                let finding = Finding::new(FindingId::DigestUnreadable, key, sentence);
                (AtHead::Unclear, vec![finding.with_optional_hint(error.hint())])
            }
            Ok(_) => {
                if let Some(reading) = self.reading_of(hash) {
                    self.settle_signed(reading, false);
                }
                let told = self.told().1;
                let worse = told.into_iter().filter(|finding| finding.severity >= Severity::Malformed);
                (self.at_head(hash, false), worse.collect())
            }
        }
    }
}
