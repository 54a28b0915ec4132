//! What a run found, as data that is written as `report.json`. The shape is `trailproof.report/1`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::acknowledge::{Acknowledgement, Acknowledgements};
use crate::archive::ids::{AccountId, OrgId, Region};
use crate::archive::inventory::Tally;
use crate::archive::scope::Scope;
use crate::finding::{Finding, FindingId, Severity};
use crate::verify::chain::{ChainSummary, DigestOutcomes};
use crate::verify::heads::AtHead;

/// The name and version of the report's shape.
pub const SCHEMA: &str = "trailproof.report/1";

/// The run's answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything asked for was covered, read and is as CloudTrail delivered it.
    Verified,
    /// Something is not.
    Altered,
    /// Nothing is known to be altered, but something was not covered or not read.
    Incomplete,
}

impl Verdict {
    /// The process's exit code for this answer.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Altered => 1,
            Self::Incomplete => 3,
        }
    }
}

/// Objects by outcome. `listed` is the sum of all others but `missing`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// Objects that the archive holds and that were asked for.
    pub listed: u64,
    /// As CloudTrail delivered them.
    pub verified: u64,
    /// Not as delivered.
    pub altered: u64,
    /// Recorded by a signed digest and gone.
    pub missing: u64,
    /// Not read, or not checkable.
    pub unreadable: u64,
    /// Not understandable.
    pub malformed: u64,
    /// Not named by any digest although their hour is covered.
    pub unlisted: u64,
    /// In hours that no digest covers.
    pub uncovered: u64,
    /// Newer than the newest digest, which may still come.
    pub pending: u64,
    /// Not named by any digest, with the content of a log that one names.
    pub copied: u64,
}

impl Outcomes {
    /// Adds other counts.
    pub fn add(&mut self, other: Self) {
        let Self { listed, verified, altered, missing, unreadable, malformed, unlisted, uncovered, pending, copied } =
            other;
        self.listed += listed;
        self.verified += verified;
        self.altered += altered;
        self.missing += missing;
        self.unreadable += unreadable;
        self.malformed += malformed;
        self.unlisted += unlisted;
        self.uncovered += uncovered;
        self.pending += pending;
        self.copied += copied;
    }

    fn adds_up(&self) -> bool {
        let sum = self.verified + self.altered + self.unreadable + self.malformed;
        self.listed == sum + self.unlisted + self.uncovered + self.pending + self.copied
    }
}

impl From<DigestOutcomes> for Outcomes {
    fn from(digests: DigestOutcomes) -> Self {
        let DigestOutcomes { verified, altered, missing, unreadable, malformed, unlisted } = digests;
        Self {
            listed: verified + altered + unreadable + malformed + unlisted,
            verified,
            altered,
            missing,
            unreadable,
            malformed,
            unlisted,
            ..Self::default()
        }
    }
}

/// Where records went. `read` is the sum of the others. All zero when no table is written: records are then not parsed, or,
/// when the run was stopped or the table failed, not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Records {
    /// Records met.
    pub read: u64,
    /// Rows in `events`.
    pub written: u64,
    /// Rows in `quarantine`.
    pub quarantined: u64,
    /// Not records; kept raw in `quarantine`.
    pub malformed: u64,
    /// Left out with `--dedupe exact`: a row of `events` holds the same bytes.
    pub deduplicated: u64,
    /// Of the rows, those whose time strays from the day of their log's folder by more than 31 days back or one ahead: they
    /// lie under the folder's day. Not part of the sum.
    pub strayed: u64,
}

impl Records {
    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.written += other.written;
        self.quarantined += other.quarantined;
        self.malformed += other.malformed;
        self.deduplicated += other.deduplicated;
        self.strayed += other.strayed;
    }
}

/// What the archive turned out to hold within what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ScopeFound {
    /// Organizations.
    pub organizations: Vec<OrgId>,
    /// Accounts.
    pub accounts: Vec<AccountId>,
    /// Regions.
    pub regions: Vec<Region>,
    /// Trails, by the names in digests.
    pub trails: Vec<String>,
    /// Objects and stored bytes by kind.
    pub kinds: BTreeMap<&'static str, Tally>,
    /// Objects in CloudTrail folders with unexpected names.
    pub misnamed: Tally,
    /// Objects that are not CloudTrail's.
    pub foreign: Tally,
    /// Folders of other services, not looked into: the first 10,000.
    pub left_alone: Vec<String>,
    /// Whether there are more of them.
    pub left_alone_more: bool,
}

/// One file of the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OutputFile {
    /// Path below the table's folder, with `/`.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The table that was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Where the table lies.
    pub destination: String,
    /// Rows in all files.
    pub rows: u64,
    /// Records outside quarantine whose event (`eventID`, `recipientAccountId`) another is of too, the first of each event
    /// not counted; those that were left out are.
    pub duplicates: u64,
    /// Its files.
    pub files: Vec<OutputFile>,
}

/// Who said what time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockSource {
    /// The operator, with `--as-of`.
    AsOf,
    /// S3, in the answer that found the bucket.
    S3,
    /// The clock of the machine that the program ran on.
    Local,
}

/// What time it is: one value for the whole run, so that everything is judged as of the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Clock {
    /// The time.
    pub now: Timestamp,
    /// Who said so.
    pub source: ClockSource,
    /// How far the local clock was ahead of it, in seconds.
    pub local_offset_seconds: i64,
}

impl Clock {
    /// The time that the operator named, or else that S3 told, or else that of the local clock.
    ///
    /// `server_ahead` is how far S3's clock is ahead of the local one, where S3 told its time.
    pub fn of(as_of: Option<Timestamp>, server_ahead: Option<SignedDuration>, local: Timestamp) -> Self {
        let by_server = || local.checked_add(server_ahead?).ok();
        let (now, source) = match (as_of, by_server()) {
            (Some(time), _) => (time, ClockSource::AsOf),
            (None, Some(time)) => (time, ClockSource::S3),
            (None, None) => (local, ClockSource::Local),
        };
        Self { now, source, local_offset_seconds: local.duration_since(now).as_secs() }
    }

    /// When the run started, by the local clock.
    pub fn started(&self) -> Timestamp {
        let offset = SignedDuration::from_secs(self.local_offset_seconds);
        self.now.checked_add(offset).unwrap_or(self.now)
    }
}

/// What lies where the checkpoint's digests were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heads {
    /// By key, those that were asked for.
    pub found: Vec<(String, AtHead)>,
    /// How many more are remembered.
    pub not_asked_for: u64,
}

/// What the checkpoint was, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckpointFile {
    /// The file.
    pub file: String,
    /// When it was written; absent for a new one.
    pub made: Option<Timestamp>,
    /// Digests that it remembers.
    pub remembered: u64,
    /// Those that were compared with what lies in their places now.
    pub compared: u64,
    /// Those outside what was asked for, or that a stopped run did not come to.
    pub not_asked_for: u64,
    /// How many digests it remembers from this run on, by state.
    pub states: BTreeMap<&'static str, u64>,
}

/// When, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Timings {
    /// When the run started.
    pub started: Timestamp,
    /// Listing, in seconds.
    pub listing_seconds: f64,
    /// Digests, in seconds.
    pub digests_seconds: f64,
    /// Logs, in seconds.
    pub logs_seconds: f64,
    /// Everything, in seconds.
    pub total_seconds: f64,
    /// Inflated bytes of logs.
    pub inflated_bytes: u64,
    /// Stored bytes of logs.
    pub stored_bytes: u64,
}

/// A public key that signatures held by, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct KeyUse {
    /// The Region whose digests it signs.
    pub region: Region,
    /// Its fingerprint, as digests name it.
    pub fingerprint: String,
    /// The Region's partition.
    pub partition: &'static str,
    /// `cloudtrail` and `endpoint` (in this run), `kept` and `kept-unknown` (by an earlier one), or `file`.
    pub origin: &'static str,
    /// The endpoint or the file, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The access key id that it was given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// When CloudTrail gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Timestamp>,
    /// How many digests are signed with it.
    pub used: u64,
}

/// The program that made the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// `trailproof`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The subcommand.
    pub command: &'static str,
    /// The archive, as it was named.
    pub archive: String,
    /// The other arguments, as they were given.
    pub arguments: Vec<String>,
}

/// Everything a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// What made it.
    pub tool: Tool,
    /// The answer.
    pub verdict: Verdict,
    /// The process's exit code.
    pub exit_code: u8,
    /// Whether the run was stopped before it had looked at everything.
    pub interrupted: bool,
    /// What time it was, for the whole run.
    pub clock: Clock,
    /// Up to when every chain is verified without a break, the earliest of them; absent without verified digests.
    pub verified_through: Option<Timestamp>,
    /// What was asked for.
    pub scope_asked: Scope,
    /// What was there.
    pub scope_found: ScopeFound,
    /// Digest objects by outcome.
    pub digests: Outcomes,
    /// Log objects by outcome.
    pub logs: Outcomes,
    /// Records by where they went.
    pub records: Records,
    /// How many findings there are of each severity.
    pub severities: BTreeMap<Severity, u64>,
    /// The findings, worst first.
    pub findings: Vec<Finding>,
    /// How many more there are of an id than are kept here.
    pub findings_omitted: BTreeMap<FindingId, u64>,
    /// What would be findings, but for operators who accepted it: who, when and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acknowledged: Vec<Acknowledgement>,
    /// Every chain.
    pub chains: Vec<ChainSummary>,
    /// Every public key that served.
    pub keys: Vec<KeyUse>,
    /// The checkpoint, when one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointFile>,
    /// What lies where its digests were.
    #[serde(skip)]
    pub heads: Heads,
    /// The table, when one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// Why there is no table, although one was asked for, or no report beside it: it could not be written, which is the
    /// program's own failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_failed: Option<String>,
    /// When, and how long.
    pub timings: Timings,
}

/// The counts of a report contradict each other: a defect of this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the counts of {what} do not add up ({counts}); this is a defect of trailproof")]
pub struct CountsDiffer {
    what: &'static str,
    counts: String,
}

impl Report {
    /// Checks that every object and record is accounted for exactly once.
    ///
    /// # Errors
    /// [`CountsDiffer`] names the counts that contradict each other.
    pub fn check_counts(&self) -> Result<(), CountsDiffer> {
        for (what, outcomes) in [("digests", self.digests), ("logs", self.logs)] {
            if !outcomes.adds_up() {
                return Err(CountsDiffer { what, counts: format!("{outcomes:?}") });
            }
        }
        let Records { read, written, quarantined, malformed, deduplicated, strayed: _ } = self.records;
        let rows: u64 = self.output.as_ref().map_or(0, |output| output.rows);
        let rows_fit = self.output.is_none() || rows == written + quarantined + malformed;
        if read != written + quarantined + malformed + deduplicated || !rows_fit {
            return Err(CountsDiffer { what: "records", counts: format!("{:?}, {rows} rows", self.records) });
        }
        Ok(())
    }
}

/// How many findings of one id a report keeps: the first in order. The rest are counted.
const KEPT: usize = 10_000;

/// Bytes that the findings of one id may take: those that honest archives give rise to have a tenth of this, or less.
const KEPT_BYTES: usize = 8 << 20;

/// Findings as they come in, bounded however many there are and however much they say.
#[derive(Debug, Default)]
pub struct Findings {
    by_id: BTreeMap<FindingId, OfOneId>,
}

/// The first findings of an id in order, as many as may be kept: the same ones in whatever order they come.
#[derive(Debug, Default)]
struct OfOneId {
    kept: BTreeSet<Finding>,
    bytes: usize,
    /// The first that was not kept; none behind it is.
    first_omitted: Option<Finding>,
    count: u64,
}

impl OfOneId {
    fn add(&mut self, finding: Finding) {
        if self.first_omitted.as_ref().is_some_and(|omitted| finding >= *omitted) {
            self.count += 1;
            return;
        }
        let bytes = held(&finding);
        if !self.kept.insert(finding) {
            return;
        }
        self.count += 1;
        self.bytes += bytes;
        while self.kept.len() > KEPT || self.bytes > KEPT_BYTES {
            self.first_omitted = self.kept.pop_last();
            self.bytes -= self.first_omitted.as_ref().map_or(0, held);
        }
    }
}

/// Bytes that a finding takes, but for its members: of all findings together there are a few for each account, Region and
/// chain, as what is held of the listing has anyway.
fn held(finding: &Finding) -> usize {
    let Finding { object, digest, expected, found, sentence, hint, .. } = finding;
    let optional: usize = [digest, expected, found, hint].into_iter().flatten().map(String::len).sum();
    size_of::<Finding>() + object.len() + sentence.len() + optional
}

impl Findings {
    /// Takes one in.
    pub fn add(&mut self, finding: Finding) {
        self.by_id.entry(finding.id).or_default().add(finding);
    }

    /// Counts findings that are not kept.
    pub fn add_omitted(&mut self, id: FindingId, count: u64) {
        if count > 0 {
            self.by_id.entry(id).or_default().count += count;
        }
    }

    /// Drops those of some ids.
    pub fn retain(&mut self, keeps: impl Fn(FindingId) -> bool) {
        self.by_id.retain(|id, _| keeps(*id));
    }

    /// Takes several in.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Takes in what was told elsewhere.
    pub fn merge(&mut self, other: Self) {
        for (id, OfOneId { kept, first_omitted, count, .. }) in other.by_id {
            let told = kept.len() + usize::from(first_omitted.is_some());
            self.by_id.entry(id).or_default().count += count - told as u64;
            self.extend(kept.into_iter().chain(first_omitted));
        }
    }

    /// Takes out what is acknowledged, and answers what that was. What is only counted is not known by its facts, and stays.
    pub fn acknowledge(&mut self, all: &Acknowledgements) -> Vec<Acknowledgement> {
        let mut acknowledged = Vec::new();
        let told = std::mem::take(&mut self.by_id);
        for (id, OfOneId { kept, first_omitted, count, .. }) in told {
            let mut left = OfOneId { first_omitted, count: count - kept.len() as u64, ..OfOneId::default() };
            for finding in kept {
                let (open, taken) = all.take_from(finding);
                open.into_iter().for_each(|finding| left.add(finding));
                acknowledged.extend(taken);
            }
            if left.count > 0 {
                self.by_id.insert(id, left);
            }
        }
        acknowledged.sort_unstable();
        acknowledged
    }

    /// How many there are of each severity.
    pub fn severities(&self) -> BTreeMap<Severity, u64> {
        let mut severities = BTreeMap::new();
        for (id, of_id) in &self.by_id {
            *severities.entry(id.severity()).or_default() += of_id.count;
        }
        severities
    }

    /// What they come to.
    pub fn verdict(&self) -> Verdict {
        match self.by_id.keys().map(|id| id.severity()).max() {
            Some(Severity::Tamper | Severity::Malformed) => Verdict::Altered,
            Some(Severity::Coverage | Severity::Inconclusive) => Verdict::Incomplete,
            Some(Severity::Warning) | None => Verdict::Verified,
        }
    }

    /// The kept findings, worst first, and how many of each id are only counted.
    pub fn into_parts(self) -> (Vec<Finding>, BTreeMap<FindingId, u64>) {
        let mut omitted = BTreeMap::new();
        let mut kept = Vec::new();
        for (id, OfOneId { kept: of_id, count, .. }) in self.by_id {
            if count > of_id.len() as u64 {
                omitted.insert(id, count - of_id.len() as u64);
            }
            kept.extend(of_id.into_iter().map(Finding::cut));
        }
        kept.sort_by(|a: &Finding, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
        (kept, omitted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_time_goes_before_the_servers_and_that_before_the_local_clocks() {
        let time = |text: &str| -> Timestamp { text.parse().expect("time") };
        let (local, asked) = (time("2026-01-03T06:00:00.5Z"), time("2026-01-01T00:00:00Z"));
        let ahead = SignedDuration::from_mins(-7);
        let told = |as_of, server| {
            let clock = Clock::of(as_of, server, local);
            assert_eq!(clock.started().as_second(), local.as_second());
            (clock.now, clock.source, clock.local_offset_seconds)
        };
        assert_eq!(told(None, None), (local, ClockSource::Local, 0));
        assert_eq!(told(None, Some(ahead)), (time("2026-01-03T05:53:00.5Z"), ClockSource::S3, 420));
        assert_eq!(told(Some(asked), Some(ahead)), (asked, ClockSource::AsOf, 194_400));
    }

    #[test]
    fn what_is_told_apart_counts_as_what_is_told_together() {
        let told = |numbers: std::ops::Range<usize>| {
            let mut findings = Findings::default();
            findings.extend(numbers.map(|n| Finding::new(FindingId::LogAltered, format!("log {n:06}"), "altered")));
            findings
        };
        let mut apart = told(0..KEPT + 5);
        apart.merge(told(KEPT..2 * KEPT + 9));
        apart.merge(Findings::default());
        assert_eq!(apart.severities()[&Severity::Tamper], 2 * KEPT as u64 + 14);
        let (kept, omitted) = apart.into_parts();
        assert_eq!((kept.len(), omitted[&FindingId::LogAltered]), (KEPT, KEPT as u64 + 14));
        assert_eq!(kept, told(0..2 * KEPT).into_parts().0);
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes_and_the_same_in_any_order() {
        let told = |n: usize| Finding::new(FindingId::LogAltered, format!("log {n:06}"), "x".repeat(n * 7919 % 2000));
        let mut forwards = Findings::default();
        forwards.extend((0..KEPT).map(told));
        let mut backwards = Findings::default();
        backwards.extend((0..KEPT).rev().map(told));
        let mut merged = Findings::default();
        for part in 0..10 {
            let mut apart = Findings::default();
            apart.extend((0..KEPT).filter(|n| n % 10 == part).map(told));
            merged.merge(apart);
        }
        let (kept, omitted) = forwards.into_parts();
        let bytes: usize = kept.iter().map(held).sum();
        assert!(bytes <= KEPT_BYTES && bytes + 3000 > KEPT_BYTES, "{bytes}");
        assert_eq!(omitted[&FindingId::LogAltered], (KEPT - kept.len()) as u64);
        assert_eq!(kept, (0..kept.len()).map(told).collect::<Vec<_>>());
        let parts = (kept, omitted);
        assert_eq!((backwards.into_parts(), merged.into_parts()), (parts.clone(), parts));
    }
}
