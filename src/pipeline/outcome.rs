//! What becomes of one log: judged by what the digests say of it, or not read, each with what is said of it.
//!
//! Invariant: a log is *missing* only where a signed digest records it and nothing is there; any other fault of reading is
//! inconclusive. Not here: reading ([`super::logs`]), the hash itself ([`trailproof_proof::verify::log`]).

use super::plan::{Listed, LogPlace, PlacePlan, PlannedLog};
use super::trail_events::TrailEvent;
use crate::source::SourceError;
use trailproof_proof::archive::key;
use trailproof_proof::finding::{Finding, FindingId};
use trailproof_proof::gunzip::{self, Damage, Inflated};
use trailproof_proof::report::Records;
use trailproof_proof::sha256::Sha256;
use trailproof_proof::verify::log::{self, Hashes, Verdict};

/// A log whose content exceeds this cannot be CloudTrail's: its limit is 50 MB, of content or (formerly) of gzip.
const IMPOSSIBLE: u64 = 4 << 30;

/// What is said of a log that CloudTrail cannot have put there.
const IMPOSSIBLE_NAME: &str = "no digest names the log, and none will: its name is ahead of the clock, or its folder is \
     that of another day";

/// What became of a log, for counting and for its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// Its content is what a signed digest records.
    Verified,
    /// It is not.
    Altered,
    /// No digest names it, although its hour is covered.
    Unlisted,
    /// No digest covers its hour.
    Uncovered,
    /// Its digest may still come.
    Pending,
}

impl Integrity {
    /// The word that the table's rows carry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Altered => "altered",
            Self::Unlisted => "unlisted",
            Self::Uncovered => "uncovered",
            Self::Pending => "pending",
        }
    }
}

/// What became of one log. The default is one that the stopped run did not come to.
#[derive(Debug, Default)]
pub(super) struct LogOutcome {
    pub(super) kind: Kind,
    pub(super) findings: Vec<Finding>,
    pub(super) records: Records,
    pub(super) inflated_bytes: u64,
    pub(super) stored_bytes: u64,
    pub(super) trail_events: Vec<TrailEvent>,
}

/// What a log counts as.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    NotReached,
    Missing,
    Unreadable,
    Malformed,
    /// No digest names it, and its content is that of a log that one names.
    Copied,
    Judged(Integrity),
    /// To be read once the batches before were put: its rows may take more than a batch's share.
    AwaitsTurn,
    /// To be read later: what stands at this place in the order failed in passing, or is larger than was known.
    Later {
        at: usize,
        is_larger: bool,
    },
}

/// Judges a log's content by what the digests say of it.
pub(super) fn judged(log: &PlannedLog, key: &str, inflated: &Inflated, hashes: Hashes) -> (Integrity, Vec<Finding>) {
    let mut findings;
    let integrity = match &log.listed {
        Listed::Yes { hash, digest } => {
            let (verdict, told) = log::judge(key, *hash, digest, inflated, hashes);
            findings = told;
            match verdict {
                Verdict::Verified => Integrity::Verified,
                Verdict::Altered => Integrity::Altered,
            }
        }
        Listed::Unlisted if is_odd(log) => {
            findings = vec![odd(key)];
            Integrity::Unlisted
        }
        Listed::Unlisted | Listed::Impossible => {
            let sentence = match log.listed {
                Listed::Impossible => IMPOSSIBLE_NAME,
                _ => "no digest names the log, although signed digests cover its hour",
            };
            let finding = Finding::new(FindingId::LogUnlisted, key, sentence)
                .with_hint("find out who wrote the object; its rows are under quarantine/");
            findings = vec![finding];
            findings.extend(log::damage(key, inflated, "nothing vouches for its content"));
            Integrity::Unlisted
        }
        Listed::Uncovered | Listed::Pending => {
            findings = log::damage(key, inflated, "nothing vouches for its content");
            if log.listed == Listed::Pending { Integrity::Pending } else { Integrity::Uncovered }
        }
    };
    (integrity, findings)
}

/// Whether it is no log by its name.
fn is_odd(log: &PlannedLog) -> bool {
    matches!(log.place, LogPlace::Odd(_)) && log.listed == Listed::Unlisted
}

fn odd(key: &str) -> Finding {
    let sentence =
        "the object lies among logs under a name that CloudTrail would not give it, and no digest vouches for it";
    Finding::new(FindingId::ObjectUnlisted, key, sentence)
        .with_hint("find out who wrote the object; what could be read of it is under quarantine/")
}

/// What became of a copy of a listed log; `None` for anything else.
pub(super) fn copied(
    plan: &PlacePlan,
    log: &PlannedLog,
    key: &str,
    inflated: &Inflated,
    hash: &Sha256,
) -> Option<LogOutcome> {
    if !plan.is_copy(log, hash) || inflated.has(Damage::TrailingBytes) || !inflated.is_whole() {
        return None;
    }
    let sentence = "no digest names the object, whose content is that of a log that one names: a copy";
    let finding = Finding::new(FindingId::LogCopied, key, sentence);
    let findings = vec![finding.with_hint("its records are not written again; remove the copy")];
    Some(LogOutcome { kind: Kind::Copied, findings, inflated_bytes: inflated.total, ..LogOutcome::default() })
}

/// Judges content that is too large to hold by its hash alone.
pub(super) fn judge_pieces(
    plan: &PlacePlan,
    log: &PlannedLog,
    key: &str,
    stored: &[u8],
    wants_records: bool,
) -> LogOutcome {
    use sha2::Digest as _;
    let (mut hasher, mut seen) = (sha2::Sha256::new(), 0_u64);
    let inflated = gunzip::inflate_pieces(stored, |piece| {
        hasher.update(piece);
        seen += piece.len() as u64;
        seen <= IMPOSSIBLE
    });
    let hash = Sha256(hasher.finalize().into());
    let stored_bytes = stored.len() as u64;
    if let Some(copied) = copied(plan, log, key, &inflated, &hash) {
        return LogOutcome { stored_bytes, ..copied };
    }
    let (integrity, mut findings) = judged(log, key, &inflated, Hashes { whole: hash, first_member: None });
    let kind = match integrity {
        Integrity::Verified if wants_records => Kind::Unreadable,
        Integrity::Verified | Integrity::Altered => Kind::Judged(integrity),
        Integrity::Unlisted | Integrity::Uncovered | Integrity::Pending => Kind::Unreadable,
    };
    if kind == Kind::Unreadable {
        let sentence = format!("the log's content is too large for this run: {seen} bytes");
        let finding = Finding::new(FindingId::LogUnreadable, key, sentence);
        findings.push(finding.with_hint("run again with a larger --max-memory"));
    }
    LogOutcome { kind, findings, inflated_bytes: seen, stored_bytes, ..LogOutcome::default() }
}

/// A log that could not be read; gone, when a digest records it and nothing is there.
pub(super) fn unread(log: &PlannedLog, key: &str, error: &SourceError) -> LogOutcome {
    let recorded = match &log.listed {
        Listed::Yes { hash, digest } => Some((hash, digest)),
        Listed::Unlisted | Listed::Impossible | Listed::Uncovered | Listed::Pending => None,
    };
    if let (SourceError::Missing, LogPlace::Expired(object)) = (error, &log.place) {
        let folder = key::parse(&object.key).root.to_owned();
        let sentence =
            "logs that the oldest digests list are gone, with everything as old as they are: expired, or all deleted";
        let finding = Finding::new(FindingId::LogExpired, folder, sentence)
            .with_hint("compare with the bucket's lifecycle rules; --from leaves the oldest days out");
        return LogOutcome { kind: Kind::Missing, findings: vec![finding], ..LogOutcome::default() };
    }
    if let (SourceError::Missing, Some((hash, digest))) = (error, recorded) {
        let sentence = "a log that a signed digest lists is gone";
        let finding = Finding::new(FindingId::LogMissing, key, sentence)
            .by_digest(&**digest)
            .compared(hash, "no such object")
            .with_hint("look for the object's earlier versions and for DeleteObject in the bucket's own log");
        return LogOutcome { kind: Kind::Missing, findings: vec![finding], ..LogOutcome::default() };
    }
    let sentence = format!("the log cannot be read: {error}");
    let finding = Finding::new(FindingId::LogUnreadable, key, sentence);
    let finding = finding.with_optional_hint(error.hint());
    let findings = is_odd(log).then(|| odd(key)).into_iter().chain([finding]).collect();
    LogOutcome { kind: Kind::Unreadable, findings, ..LogOutcome::default() }
}
