//! Judges one log file against what the digests say of it.

use crate::finding::{Finding, FindingId};
use crate::gunzip::{Damage, Inflated};
use crate::sha256::Sha256;

/// What a log's content proves to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The content is what the digest records.
    Verified,
    /// It is not.
    Altered,
}

/// Hashes of what was inflated.
#[derive(Debug, Clone, Copy)]
pub struct Hashes {
    /// Of the whole content.
    pub whole: Sha256,
    /// Of what the first member with content gave, where members follow it.
    pub first_member: Option<Sha256>,
}

/// Judges the content of the log `key` against the hash that `digest` records.
pub fn judge(
    key: &str,
    recorded: Sha256,
    digest: &str,
    inflated: &Inflated,
    hashes: Hashes,
) -> (Verdict, Vec<Finding>) {
    let trailing = hashes.whole == recorded && inflated.has(Damage::TrailingBytes);
    if trailing || (hashes.whole != recorded && hashes.first_member == Some(recorded)) {
        let sentence = "the log's recorded content is followed by bytes that other readers would read";
        let finding = Finding::new(FindingId::LogTrailingData, key, sentence)
            .by_digest(digest)
            .compared(recorded, hashes.whole)
            .with_hint("compare with the object's earlier versions");
        return (Verdict::Altered, vec![finding]);
    }
    if hashes.whole != recorded {
        let cause = inflated.damage.first().map(|damage| format!(" (its gzip container {})", damage.describe()));
        let sentence = format!("the log's content is not what its digest records{}", cause.unwrap_or_default());
        let finding = Finding::new(FindingId::LogAltered, key, sentence)
            .by_digest(digest)
            .compared(recorded, hashes.whole)
            .with_hint("compare with the object's earlier versions");
        return (Verdict::Altered, vec![finding]);
    }
    (Verdict::Verified, damage(key, inflated, "its content is as delivered"))
}

/// The container's damage as warnings, with what is true of the content.
pub fn damage(key: &str, inflated: &Inflated, content: &str) -> Vec<Finding> {
    let told = inflated.damage.iter().map(|damage| {
        let sentence = format!("the log's gzip container {}; {content}", damage.describe());
        Finding::new(FindingId::ContainerDamaged, key, sentence)
    });
    told.collect()
}
