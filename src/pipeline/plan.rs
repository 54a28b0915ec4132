//! What is known of every log before it is read: which digest lists it, or why none does.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use compact_str::CompactString;
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::digests::Judged;
use crate::source::ObjectRef;
use trailproof_proof::archive::folder::{self, Holds};
use trailproof_proof::archive::ids::OrgId;
use trailproof_proof::archive::inventory::{ListedDigest, LogObject, OddObject, Root};
use trailproof_proof::archive::key::{self, AccountRegion, DIGEST_FOLDER, LogKind, LogName, ObjectName};
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::finding::{Finding, FindingId};
use trailproof_proof::report::Findings;
use trailproof_proof::sha256::Sha256;
use trailproof_proof::verify::chain::Listing;
use trailproof_proof::verify::edges::Period;
use trailproof_proof::verify::window::{AHEAD, Coverage, Covered};

/// What the digests say of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// A verified digest records this hash.
    Yes {
        /// SHA-256 of the inflated content.
        hash: Sha256,
        /// Key of that digest.
        digest: Arc<str>,
    },
    /// None names it, although its hour is covered.
    Unlisted,
    /// None names it, and none ever will: its name is ahead of the clock, or its folder is that of another day.
    Impossible,
    /// None covers its hour, or its kind.
    Uncovered,
    /// It is newer than the newest digest.
    Pending,
}

/// Where a log lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPlace {
    /// In the listing.
    Object(LogObject),
    /// In the listing, among logs, under a name that CloudTrail would not give one.
    Odd(Box<OddObject>),
    /// Recorded by a digest, and not in the listing under a name of a log.
    Recorded(Box<ObjectRef>),
    /// The same, and nothing as old is left under its root: if it is gone, it may have expired.
    Expired(Box<ObjectRef>),
}

/// One log to read.
#[derive(Debug, Clone)]
pub struct PlannedLog {
    /// Where it lies.
    pub place: LogPlace,
    /// What the digests say of it.
    pub listed: Listed,
}

impl PlannedLog {
    /// Stored bytes; 0 where they are not known.
    pub fn size(&self) -> u64 {
        match &self.place {
            LogPlace::Object(object) => object.size,
            LogPlace::Odd(object) => object.size,
            LogPlace::Recorded(_) | LogPlace::Expired(_) => 0,
        }
    }

    /// The day in its key, where it is in the listing.
    pub fn day(&self) -> Option<Date> {
        match &self.place {
            LogPlace::Object(object) => Some(object.name.day),
            LogPlace::Odd(object) => object.day,
            LogPlace::Recorded(_) | LogPlace::Expired(_) => None,
        }
    }
}

/// The logs of one account and Region that are to be read.
#[derive(Debug)]
pub struct PlacePlan {
    /// Whose they are.
    pub place: AccountRegion,
    /// Where its folders lie.
    pub roots: Arc<[Root]>,
    /// The logs, by name.
    pub logs: Vec<PlannedLog>,
    /// Keys of misnamed objects that digests list all the same.
    pub listed_misnamed: Vec<String>,
    /// The kinds of log that its digests name.
    pub kinds_named: BTreeSet<LogKind>,
    uncovered: BTreeMap<LogKind, Uncovered>,
    /// What a copy of a listed log is told by; empty where every log is listed.
    listed_content: Vec<u128>,
}

impl PlacePlan {
    /// Joins what was listed with what the digests say, and takes it out of `judged`.
    ///
    /// `not_listed` are the folders that could not be listed. The plan holds when [`settle`](Self::settle) was told what
    /// the digests of all places name.
    pub fn new(
        judged: &mut Judged,
        not_listed: &[String],
        scope: &Scope,
        period: &Period,
        findings: &mut Findings,
    ) -> Self {
        let Judged { place, holdings, roots, all_roots, conclusion, .. } = judged;
        let (place, roots) = (place.clone(), std::mem::take(roots));
        let (logs_found, listings) = (std::mem::take(&mut holdings.logs), std::mem::take(&mut conclusion.listings));
        let coverage: Vec<Coverage> = roots
            .iter()
            .map(|root| Coverage::of(conclusion.windows.get(&root.prefix).cloned().unwrap_or_default()))
            .collect();
        let unknown = Coverage::of(conclusion.unknown.clone());
        let every_root = || all_roots.iter().chain(&roots);
        let is_blind = !not_listed.is_empty()
            && every_root().any(|root| {
                let digests = format!("{}{}/{DIGEST_FOLDER}/{}/", root.prefix, place.account, place.region);
                not_listed.iter().any(|folder| digests.starts_with(folder) || folder.starts_with(&digests))
            });
        let is_directory = every_root().all(|root| root.bucket.is_empty());
        let mut listings = Listings::of(listings, is_directory, findings);
        let (mut uncovered, mut before) = (BTreeMap::<_, Uncovered>::new(), BeforeFirst::default());
        let mut logs = Vec::with_capacity(logs_found.len());
        // CloudTrail's main kind they always may name.
        let mut kinds_named = BTreeSet::from([LogKind::CloudTrail]);
        for object in logs_found {
            let root = &roots[object.root as usize];
            let listing = listings.take(&root.bucket, object.name.key(&root.prefix, &place));
            let (minute, kind) = (object.name.minute, object.name.kind);
            if listing.is_some() {
                kinds_named.insert(kind);
            }
            let coverage = &coverage[object.root as usize];
            // What a digest that was asked for lists is its own, wherever its chain lay then.
            let is_asked = listing.is_some() || scope.includes_organization(root.org.as_ref());
            if !is_asked || !scope.includes_kind(kind) {
                continue;
            }
            if !scope.includes_log(minute) && !is_misdated(&object.name, scope) {
                if listing.is_none() && kind == LogKind::CloudTrail {
                    before.note(minute, coverage, scope);
                }
                continue;
            }
            let listed = match listing {
                Some(listing) if !scope.includes_trail(&listing.trail) => continue,
                Some(listing) => Listed::Yes { hash: listing.hash, digest: listing.digest },
                None if !can_be_there(&object.name, period.now) => Listed::Impossible,
                None => match coverage.of_log(minute, period.now) {
                    Covered::NotYet => Listed::Pending,
                    Covered::Yes => Listed::Unlisted,
                    // What could not be read or listed is told of; whether a digest in it lists this log is not known. It
                    // excuses nothing in hours that signed digests cover: anyone can put an unreadable object there.
                    Covered::No if is_blind || unknown.touches_log(minute) => Listed::Uncovered,
                    Covered::No => {
                        uncovered.entry(kind).or_default().note(minute);
                        Listed::Uncovered
                    }
                },
            };
            logs.push(PlannedLog { place: LogPlace::Object(object), listed });
        }
        findings.extend(before.finding(&place));
        let mut odd = std::mem::take(&mut holdings.odd);
        odd.extend(planted_among_logs(&place, &roots, &holdings.digests, &conclusion.findings));
        let (odd, listed_misnamed) = odd_ones(odd, &roots, scope, &mut listings);
        logs.extend(odd);
        let roots = roots.into();
        let listed_content = Vec::new();
        let mut plan = Self { place, roots, logs, listed_misnamed, kinds_named, uncovered, listed_content };
        for ((bucket, key), listing) in listings.left() {
            plan.add_recorded(&bucket, key, listing, scope);
        }
        if plan.logs.iter().any(|log| !matches!(log.listed, Listed::Yes { .. })) {
            plan.listed_content = in_order(plan.content_of_listed());
        }
        plan
    }

    /// Takes in the kinds of log that any digest of the run names: of others, no log was ever covered.
    pub fn settle(&mut self, kinds_named: &BTreeSet<LogKind>, findings: &mut Findings) {
        for log in &mut self.logs {
            if let LogPlace::Object(object) = &log.place
                && !kinds_named.contains(&object.name.kind)
                && log.listed != Listed::Impossible
            {
                log.listed = Listed::Uncovered;
            }
        }
        let of_named = std::mem::take(&mut self.uncovered).into_iter().filter(|(kind, _)| kinds_named.contains(kind));
        let uncovered = of_named.map(|(_, uncovered)| uncovered).reduce(Uncovered::join).unwrap_or_default();
        findings.extend(uncovered.finding(&self.place));
    }

    /// A plan of objects that lie among an account's logs in no Region's folder; `others` are the plans of its Regions.
    pub fn regionless(
        place: AccountRegion,
        odd: Vec<OddObject>,
        roots: Arc<[Root]>,
        scope: &Scope,
        others: &[Self],
    ) -> Self {
        let others = || others.iter().filter(|plan| plan.place.account == place.account);
        let listed: BTreeSet<&String> = others().flat_map(|plan| &plan.listed_misnamed).collect();
        let odd = odd.into_iter().filter(|object| !listed.contains(&object.key.to_string())).collect();
        let (logs, listed_misnamed) = odd_ones(odd, &roots, scope, &mut Listings::default());
        let listed_content = in_order(others().flat_map(Self::content_of_listed));
        let (kinds_named, uncovered) = (BTreeSet::new(), BTreeMap::new());
        Self { place, roots, logs, listed_misnamed, kinds_named, uncovered, listed_content }
    }

    fn content_of_listed(&self) -> impl Iterator<Item = u128> {
        self.logs.iter().filter_map(|log| match &log.listed {
            Listed::Yes { hash, .. } => Some(half(hash)),
            _ => None,
        })
    }

    /// Whether a log that no digest names has the content of one that a digest names.
    pub fn is_copy(&self, log: &PlannedLog, hash: &Sha256) -> bool {
        !matches!(log.listed, Listed::Yes { .. }) && self.listed_content.binary_search(&half(hash)).is_ok()
    }

    /// A plan of listed logs of one place that no digest covers, from their keys and stored bytes.
    #[cfg(test)]
    pub(super) fn uncovered(logs: impl Iterator<Item = (String, u64)>) -> Self {
        let mut place = None;
        let logs = logs.map(|(key, size)| {
            let ObjectName::Log(its_place, name) = key::parse(&key).name else { panic!("{key} is not a log's") };
            place = Some(its_place);
            PlannedLog { place: LogPlace::Object(LogObject { name, root: 0, size }), listed: Listed::Uncovered }
        });
        let logs = logs.collect();
        Self {
            place: place.expect("a log"),
            roots: Arc::default(),
            logs,
            listed_misnamed: Vec::new(),
            kinds_named: BTreeSet::new(),
            uncovered: BTreeMap::new(),
            listed_content: Vec::new(),
        }
    }

    /// Plans to look for a log that a digest records and the listing does not show.
    fn add_recorded(&mut self, bucket: &str, key: String, listing: Standing, scope: &Scope) {
        let asked = match key::parse(&key).name {
            ObjectName::Log(_, name) => {
                self.kinds_named.insert(name.kind);
                scope.includes_log(name.minute) && scope.includes_kind(name.kind)
            }
            _ => {
                self.listed_misnamed.push(key.clone());
                true
            }
        };
        if asked && scope.includes_trail(&listing.trail) {
            let place = LogPlace::Recorded(Box::new(ObjectRef { bucket: bucket.into(), key }));
            self.logs.push(PlannedLog { place, listed: Listed::Yes { hash: listing.hash, digest: listing.digest } });
        }
    }

    /// Logs that digests list in a bucket and the listing does not show: the prefix of their root, and the time in their
    /// names.
    pub(super) fn gone(&self, bucket: &str) -> impl Iterator<Item = (String, Timestamp)> {
        self.logs.iter().filter_map(move |log| match &log.place {
            LogPlace::Recorded(object) if *object.bucket == *bucket => named(&object.key),
            _ => None,
        })
    }

    /// Takes such logs to have expired, by root up to a time.
    pub(super) fn expire(&mut self, bucket: &str, upto: &BTreeMap<String, Timestamp>) {
        for log in &mut self.logs {
            if let LogPlace::Recorded(object) = &mut log.place
                && *object.bucket == *bucket
                && named(&object.key).is_some_and(|(root, minute)| upto.get(&root).is_some_and(|upto| minute <= *upto))
            {
                log.place = LogPlace::Expired(object.clone());
            }
        }
    }

    /// The organization in a log's key.
    pub fn org(&self, log: &PlannedLog) -> Option<&OrgId> {
        match &log.place {
            LogPlace::Object(object) => self.roots[object.root as usize].org.as_ref(),
            LogPlace::Odd(object) => self.roots[object.root as usize].org.as_ref(),
            LogPlace::Recorded(_) | LogPlace::Expired(_) => None,
        }
    }

    /// The bucket and key of a planned log.
    pub fn object(&self, log: &PlannedLog) -> ObjectRef {
        match &log.place {
            LogPlace::Object(object) => {
                let root = &self.roots[object.root as usize];
                ObjectRef { bucket: root.bucket.clone(), key: object.name.key(&root.prefix, &self.place) }
            }
            LogPlace::Odd(object) => {
                let bucket = self.roots[object.root as usize].bucket.clone();
                ObjectRef { bucket, key: object.key.to_string() }
            }
            LogPlace::Recorded(object) | LogPlace::Expired(object) => (**object).clone(),
        }
    }
}

/// The prefix of a log's root and the time in its name.
fn named(key: &str) -> Option<(String, Timestamp)> {
    let parsed = key::parse(key);
    match parsed.name {
        ObjectName::Log(_, name) => Some((parsed.root.to_owned(), name.minute)),
        _ => None,
    }
}

/// How far from midnight a name may be for its log to lie in the folder of the day on the other side.
const MIDNIGHT: SignedDuration = SignedDuration::from_mins(15);

/// Whether the digest that lists a log may still be on its way, by its name and the clock alone.
pub(super) fn is_new(name: &LogName, now: Timestamp) -> bool {
    can_be_there(name, now) && Coverage::default().of_log(name.minute, now) == Covered::NotYet
}

/// Whether CloudTrail can have put a log there by now.
pub(super) fn can_be_there(name: &LogName, now: Timestamp) -> bool {
    let fits = |slack| name.minute.checked_add(slack).is_ok_and(|time| key::day_of(time) == name.day);
    name.minute.duration_since(now) <= AHEAD && [SignedDuration::ZERO, -MIDNIGHT, MIDNIGHT].into_iter().any(fits)
}

/// Half of a hash: nobody makes content whose hash has another's 128 first bits.
fn half(hash: &Sha256) -> u128 {
    hash.0.iter().take(16).fold(0, |number, &byte| number << 8 | u128::from(byte))
}

fn in_order(hashes: impl Iterator<Item = u128>) -> Vec<u128> {
    let mut hashes: Vec<u128> = hashes.collect();
    hashes.sort_unstable();
    hashes
}

/// Objects that only pose as digests, where they lie below a folder of logs: whoever reads that folder reads them.
fn planted_among_logs(
    place: &AccountRegion,
    roots: &[Root],
    digests: &[ListedDigest],
    findings: &[Finding],
) -> Vec<OddObject> {
    let planted = findings.iter().filter(|finding| finding.id == FindingId::DigestPlanted);
    let planted: BTreeSet<&str> = planted.map(|finding| finding.object.as_str()).collect();
    if planted.is_empty() {
        return Vec::new();
    }
    let among_logs = digests.iter().filter_map(|digest| {
        let key = digest.name.key(&roots[digest.root as usize].prefix, place);
        let is_read = planted.contains(key.as_str()) && folder::outers(&key).any(|outer| outer.holds != Holds::Digests);
        is_read.then(|| OddObject { key: key.into(), root: digest.root, size: digest.size, day: None })
    });
    among_logs.collect()
}

/// Plans objects among the logs that are no logs by their names, with the keys of those that a digest lists all the same.
fn odd_ones(
    odd: Vec<OddObject>,
    roots: &[Root],
    scope: &Scope,
    listings: &mut Listings,
) -> (Vec<PlannedLog>, Vec<String>) {
    let (mut logs, mut listed_misnamed) = (Vec::with_capacity(odd.len()), Vec::new());
    for object in odd {
        let root = &roots[object.root as usize];
        if !scope.includes_organization(root.org.as_ref()) || !object.day.is_none_or(|day| touches(day, scope)) {
            continue;
        }
        let listed = match listings.take(&root.bucket, object.key.to_string()) {
            Some(listing) => {
                listed_misnamed.push(object.key.to_string());
                Listed::Yes { hash: listing.hash, digest: listing.digest }
            }
            None => Listed::Unlisted,
        };
        logs.push(PlannedLog { place: LogPlace::Odd(Box::new(object)), listed });
    }
    (logs, listed_misnamed)
}

/// Whether a log lies in the folder of a day that was asked for under a name of another time: readers that go by folders
/// read it.
fn is_misdated(name: &LogName, scope: &Scope) -> bool {
    !name.is_in_its_day() && touches(name.day, scope)
}

/// Whether any of a day was asked for.
fn touches(day: Date, scope: &Scope) -> bool {
    let ends = || {
        let first = Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
        Some((first, first.checked_add(SignedDuration::from_hours(24)).ok()?))
    };
    ends().is_some_and(|(first, end)| scope.from.is_none_or(|from| from < end) && scope.to.is_none_or(|to| first < to))
}

/// Listings by bucket and key; the bucket is empty in a directory, which mirrors buckets without naming them.
#[derive(Default)]
struct Listings(HashMap<(String, String), Standing>);

/// What a digest says of a log.
struct Standing {
    hash: Sha256,
    digest: Arc<str>,
    trail: CompactString,
}

impl Listings {
    fn of(listings: Vec<Listing>, is_directory: bool, findings: &mut Findings) -> Self {
        let mut by_place: HashMap<(String, String), Standing> = HashMap::with_capacity(listings.len());
        for Listing { log, hash, digest, trail } in listings {
            let bucket = if is_directory { String::new() } else { log.bucket };
            let listing = Standing { hash, digest, trail };
            let first = match by_place.entry((bucket, log.key)) {
                Entry::Vacant(place) => {
                    place.insert(listing);
                    continue;
                }
                Entry::Occupied(first) => first,
            };
            let (key, first) = (&first.key().1, first.get());
            let sentence = "the log is listed more than once";
            let finding = Finding::new(FindingId::LogListedTwice, key, sentence).by_digest(&*listing.digest);
            findings.add(finding.compared(first.hash, listing.hash));
            if first.hash != listing.hash {
                let sentence = "two signed digests record different content for the log, and it can have only one";
                let finding = Finding::new(FindingId::LogAltered, key, sentence).by_digest(&*listing.digest);
                findings.add(finding.compared(first.hash, listing.hash));
            }
        }
        Self(by_place)
    }

    fn take(&mut self, bucket: &str, key: String) -> Option<Standing> {
        self.0.remove(&(bucket.to_owned(), key))
    }

    /// Those that were not taken, by place.
    fn left(self) -> Vec<((String, String), Standing)> {
        let mut left: Vec<_> = self.0.into_iter().collect();
        left.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        left
    }
}

/// Logs before the period asked for, where that period starts before the first digest: they show that there was
/// something to cover then, so that the uncovered start is no mere matter of when digests arrive.
#[derive(Default)]
struct BeforeFirst {
    asked: Option<(Timestamp, Timestamp)>,
    newest: Option<Timestamp>,
}

impl BeforeFirst {
    fn note(&mut self, minute: Timestamp, coverage: &Coverage, scope: &Scope) {
        let (Some(from), Some(first)) = (scope.from, coverage.windows().first()) else { return };
        if minute < from && from < first.from {
            self.asked = Some((from, first.from));
            self.newest = self.newest.max(Some(minute));
        }
    }

    fn finding(&self, place: &AccountRegion) -> Option<Finding> {
        let ((from, first), newest) = self.asked.zip(self.newest)?;
        let sentence = format!(
            "{place} was already logging before the first digest (newest such log {newest}), and nothing covers {from} to {first}"
        );
        let hint = "widen --from to see those logs; look for digests of that time";
        Some(Finding::new(FindingId::PeriodNotCovered, place.to_string(), sentence).with_hint(hint))
    }
}

/// Logs in hours that no digest covers; told together, because there may be millions.
#[derive(Debug, Default)]
struct Uncovered {
    count: u64,
    span: Option<(Timestamp, Timestamp)>,
}

impl Uncovered {
    fn note(&mut self, minute: Timestamp) {
        self.count += 1;
        let (first, last) = self.span.unwrap_or((minute, minute));
        self.span = Some((first.min(minute), last.max(minute)));
    }

    fn join(self, other: Self) -> Self {
        let span = [self.span, other.span].into_iter().flatten();
        let span = span.reduce(|(first, last), (from, to)| (first.min(from), last.max(to)));
        Self { count: self.count + other.count, span }
    }

    fn finding(&self, place: &AccountRegion) -> Option<Finding> {
        let (first, last) = self.span?;
        let sentence = format!(
            "{} logs of {place} delivered between {first} and {last} lie in hours that no signed digest covers",
            self.count
        );
        let hint = "look for digests of that time: never made (validation off), not copied, or deleted";
        Some(Finding::new(FindingId::LogUncovered, place.to_string(), sentence).with_hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_lies_in_the_folder_of_its_day_or_of_the_one_across_midnight_and_not_ahead_of_the_clock() {
        let time = |text: &str| -> Timestamp { text.parse().expect("time") };
        let now = time("2026-01-03T06:00:00Z");
        for (minute, day, can) in [
            ("2026-01-02T12:00:00Z", 2, true),
            ("2026-01-02T12:00:00Z", 1, false),
            ("2026-01-02T12:00:00Z", 3, false),
            ("2026-01-02T23:45:00Z", 3, true),
            ("2026-01-02T23:44:00Z", 3, false),
            ("2026-01-02T00:14:00Z", 1, true),
            ("2026-01-02T00:15:00Z", 1, false),
            ("2026-01-03T06:15:00Z", 3, true),
            ("2026-01-03T06:16:00Z", 3, false),
            ("2025-01-02T12:00:00Z", 2, false),
        ] {
            let day = jiff::civil::date(2026, 1, day);
            let name = LogName { day, minute: time(minute), kind: LogKind::CloudTrail, unique: "x".into() };
            assert_eq!(can_be_there(&name, now), can, "{minute} in {day}");
        }
        let last = key::day_of(Timestamp::MAX);
        let name = LogName { day: last, minute: Timestamp::MAX, kind: LogKind::CloudTrail, unique: "x".into() };
        assert!(!can_be_there(&name, now));
    }
}
