//! Judges the links between the digests of a group, and what they cover together.
//!
//! Only what verified digests say is followed. A link is judged once, at its newer end: hash and signature of the
//! predecessor, its absence, digests that the link passes over, and the time between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::chain::{Break, ChainId, ChainSummary, Conclusion, Group, Head, Listing};
use super::digest::{Digest, Previous, Recorded};
use super::heads::Tip;
use super::object::{DigestObject, Standing};
use super::reach::{Outside, Reach};
use super::window::{ARRIVAL, Coverage, EDGE, Window};
use crate::archive::folder::Holds;
use crate::archive::key::{self, AccountRegion, ObjectName};
use crate::finding::{Finding, FindingId};
use crate::sha256::Sha256;

/// The time that was asked for, and what time it is.
#[derive(Debug, Clone)]
pub struct Period {
    /// First moment asked for.
    pub from: Option<Timestamp>,
    /// The moment after the last.
    pub to: Option<Timestamp>,
    /// What time it is, for this run.
    pub now: Timestamp,
    /// How old a chain's newest digest may be.
    pub max_age: Option<SignedDuration>,
    /// The first moment from which digests are read: `from`, or before it where a checkpoint lies.
    pub digests_from: Option<Timestamp>,
}

impl Period {
    /// The moment up to which digests can be expected.
    pub(super) fn latest(&self) -> Timestamp {
        self.to.map_or(self.now, |to| to.min(self.now))
    }

    /// The moment up to which a chain must be covered by now, where the end of a period was asked for; `--from` alone asks
    /// up to the clock. Digests of the last hours may still be on their way, and a chain that ends may end a little before
    /// the period does; one that `goes_on` after it covers all of it.
    pub(super) fn due(&self, goes_on: bool) -> Option<Timestamp> {
        let before = |time: Timestamp, span| time.checked_sub(span).unwrap_or(Timestamp::MIN);
        let arrived = before(self.now, ARRIVAL);
        match self.to {
            Some(to) if goes_on => Some(to.min(arrived)),
            Some(to) => Some(before(to, EDGE).min(arrived)),
            None => self.from.map(|_| arrived),
        }
    }
}

pub(super) fn conclude(group: Group, place: &AccountRegion, period: &Period) -> Conclusion {
    let mut conclusion = Conclusion::default();
    for digest in &group.digests {
        let (standing, findings) = digest.told();
        conclusion.findings.extend(findings);
        if standing == Standing::Unreadable {
            conclusion.unknown.push(Window { from: hour_before(digest.name.end), to: digest.name.end });
        }
        let outcomes = &mut conclusion.outcomes;
        *match standing {
            Standing::Verified => &mut outcomes.verified,
            Standing::Altered => &mut outcomes.altered,
            Standing::Malformed => &mut outcomes.malformed,
            Standing::Unreadable => &mut outcomes.unreadable,
            Standing::Unlisted => &mut outcomes.unlisted,
        } += 1;
    }
    let by_place: BTreeMap<&Recorded, &DigestObject> =
        group.digests.iter().map(|digest| (&digest.place, digest)).collect();
    let mut chains: BTreeMap<ChainId, Vec<&DigestObject>> = BTreeMap::new();
    for digest in &group.digests {
        chains.entry(ChainId::of(digest, place)).or_default().push(digest);
    }
    for (id, mut digests) in chains {
        digests.sort_by(|a, b| (a.name.end, &a.place).cmp(&(b.name.end, &b.place)));
        let (spans, ends) = (Spans::of(&digests), ends_of(&digests));
        let (by_place, group, conclusion) = (&by_place, &group, &mut conclusion);
        let mut chain = Chain { id, digests, spans, ends, by_place, group, period, conclusion };
        chain.judge_links();
        chain.collect_listings();
        let pointed = chain.pointed();
        chain.look_at_heads(&pointed);
        chain.summarise(&pointed);
        chain.note_reach();
    }
    note_unread(&group.outside, &mut conclusion.reaches);
    conclusion
}

/// The windows of a chain's verified digests, for finding those near a time without looking at all of them.
struct Spans<'a> {
    /// By their ends.
    spans: Vec<(Window, &'a DigestObject)>,
    longest: SignedDuration,
}

impl<'a> Spans<'a> {
    fn of(digests: &[&'a DigestObject]) -> Self {
        let windows = digests.iter().filter_map(|object| object.window().map(|window| (window, *object)));
        let mut spans: Vec<(Window, &DigestObject)> = windows.collect();
        spans.sort_by_key(|(window, object)| (window.to, window.from, &object.place));
        let longest = spans.iter().map(|(window, _)| window.to.duration_since(window.from)).max();
        Self { spans, longest: longest.unwrap_or(SignedDuration::ZERO) }
    }

    /// Those that end after `from` and start before `to`.
    fn overlapping(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Window, &'a DigestObject)> {
        let first = self.spans.partition_point(|(window, _)| window.to <= from);
        // A span that starts before `to` ends within the longest span after it.
        let last_end = to.checked_add(self.longest).unwrap_or(Timestamp::MAX);
        let near = self.spans[first..].iter().take_while(move |(window, _)| window.to <= last_end);
        near.filter(move |(window, _)| window.from < to).copied()
    }
}

/// The ends of digest objects, in order, but for those that were planted.
fn ends_of<'a>(digests: &[&'a DigestObject]) -> Vec<(Timestamp, &'a Recorded)> {
    let real = digests.iter().filter(|digest| digest.standing() != Standing::Unlisted);
    let ends = real.map(|digest| (digest.window().map_or(digest.name.end, |window| window.to), &digest.place));
    let mut ends: Vec<_> = ends.collect();
    ends.sort_unstable();
    ends
}

struct Chain<'a> {
    id: ChainId,
    /// In the order of the times in their names.
    digests: Vec<&'a DigestObject>,
    spans: Spans<'a>,
    /// Their ends, in order.
    ends: Vec<(Timestamp, &'a Recorded)>,
    by_place: &'a BTreeMap<&'a Recorded, &'a DigestObject>,
    group: &'a Group,
    period: &'a Period,
    conclusion: &'a mut Conclusion,
}

impl<'a> Chain<'a> {
    /// The verified digests, oldest first.
    fn verified(&self) -> Vec<(&'a DigestObject, &'a Digest)> {
        let pairs = self.digests.iter().filter_map(|object| object.verified().map(|digest| (*object, digest)));
        let mut verified: Vec<_> = pairs.collect();
        verified.sort_by_key(|(object, digest)| (object.window().map(|window| window.to), digest.start));
        verified
    }

    fn find(&mut self, finding: Finding) {
        self.conclusion.findings.push(finding);
    }

    /// Where the chain's verified digests point to, with the hash that they record.
    fn pointed(&self) -> BTreeSet<(Recorded, Sha256)> {
        let pointers = self.verified().into_iter().filter_map(|(object, digest)| {
            digest.previous.as_ref().map(|previous| (object.found_at(&previous.digest), previous.hash))
        });
        pointers.collect()
    }

    /// What lies now where an earlier run verified digests.
    fn look_at_heads(&mut self, pointed: &BTreeSet<(Recorded, Sha256)>) {
        if self.group.remembered.is_empty() {
            return;
        }
        for object in &self.digests {
            let Some(&hash) = self.group.remembered.get(&object.place) else { continue };
            let passed = pointed.contains(&(object.place.clone(), hash));
            self.conclusion.at_heads.push((object.place.key.clone(), object.at_head(hash, passed)));
        }
    }

    fn break_off(&mut self, finding: Finding, window: Window) {
        self.conclusion.breaks.push(Break { finding, chain: self.id.clone(), window });
    }

    fn judge_links(&mut self) {
        for (object, digest) in self.verified() {
            match &digest.previous {
                None => self.judge_start(object, digest),
                Some(previous) => self.judge_link(object, digest, previous),
            }
            self.judge_window(object, digest);
        }
    }

    /// A starting digest in mid-chain: everything between it and the one before is unproven.
    fn judge_start(&mut self, object: &DigestObject, digest: &Digest) {
        if self.id.backfill {
            return;
        }
        let older = self.older_than(digest.start, object);
        let Some(older_end) = older else { return };
        let sentence = format!(
            "the chain of {} begins anew at {}: nothing links it to the digests up to {older_end}",
            self.id, digest.start
        );
        let window = Window { from: older_end, to: digest.start.max(older_end) };
        let finding = Finding::new(FindingId::ChainRestart, &object.place.key, sentence)
            .compared("a predecessor", window)
            .with_hint("look for StopLogging, UpdateTrail or DeleteTrail in that time");
        self.break_off(finding, window);
    }

    /// The end of the newest digest object of this chain that ends by `time`, whatever its standing, be it read or not.
    fn older_than(&self, time: Timestamp, object: &DigestObject) -> Option<Timestamp> {
        let by_then = self.ends.partition_point(|(end, _)| *end <= time);
        let other = self.ends[..by_then].iter().rev().find(|(_, place)| **place != object.place);
        let unread = self.group.outside.get(&self.id).and_then(|outside| outside.before);
        other.map(|(end, _)| *end).max(unread.filter(|end| *end <= time))
    }

    fn judge_link(&mut self, object: &DigestObject, digest: &Digest, previous: &Previous) {
        let key = object.place.key.as_str();
        let pointed = previous.digest.key.as_str();
        let Some(found) = self.by_place.get(&object.found_at(&previous.digest)).copied() else {
            self.judge_absent(object, digest, previous);
            return;
        };
        let Some(predecessor) = found.verified() else {
            // What cannot be checked itself, for want of its key or signature, can be held against this hash.
            if let Some(hash) = found.unchecked_hash_unlike(previous.hash) {
                self.find(link_hash_differs(object, previous, hash));
            }
            return;
        };
        let own = (&self.id.trail, &self.id.home_region);
        if predecessor.place != previous.digest || (&found.name.trail, &found.name.home) != own {
            let sentence = "the digest points to one that is not of its chain";
            let finding = Finding::new(FindingId::LinkSkipsDigest, key, sentence);
            self.find(finding.compared(format!("a digest of {}", self.id), &previous.digest));
            return;
        }
        if let Some(hash) = found.hash().filter(|hash| *hash != previous.hash) {
            self.find(link_hash_differs(object, previous, hash));
        }
        if let Some(signature) = found.signature().filter(|s| !s.eq_ignore_ascii_case(&previous.signature)) {
            let sentence = "the digest records another signature than its predecessor carries";
            let finding = Finding::new(FindingId::LinkSignatureDiffers, pointed, sentence);
            self.find(finding.by_digest(key).compared(&previous.signature, signature));
        }
        if self.id.backfill || found.name.backfill {
            return;
        }
        let Some(window) = found.window() else { return };
        let own_end = digest.end.max(object.name.end);
        if predecessor.start > digest.start && window.to >= own_end {
            let sentence = "the digest points to one that is not older than itself";
            let finding = Finding::new(FindingId::LinkSkipsDigest, key, sentence);
            self.find(finding.compared(format!("one that starts before {}", digest.start), predecessor.start));
            return;
        }
        if let Some(skipped) = self.between(window.to, digest.start) {
            let finding = Finding::new(
                FindingId::LinkSkipsDigest,
                skipped.place.key.as_str(),
                "the next digest points past this one, to an older one",
            );
            let expected = skipped.place.to_string();
            self.find(finding.by_digest(key).compared(expected, &previous.digest));
        } else if window.to < digest.start {
            let gap = Window { from: window.to, to: digest.start };
            let sentence = format!("no digest of {} covers {gap}, although the two around it are linked", self.id);
            self.break_off(Finding::new(FindingId::ChainGap, key, sentence).compared(gap.from, gap.to), gap);
        } else if window.to > digest.start && window.from <= digest.start {
            self.find(overlap(key, &found.place.key, window.to, digest.start));
        }
    }

    /// A verified digest that lies wholly between two times.
    fn between(&self, from: Timestamp, to: Timestamp) -> Option<&'a DigestObject> {
        let mut near = self.spans.overlapping(from, to);
        near.find(|(w, _)| from <= w.from && w.to <= to && w.from < w.to).map(|(_, object)| object)
    }

    fn judge_absent(&mut self, object: &DigestObject, digest: &Digest, previous: &Previous) {
        let outside_period = self.period.digests_from.is_some_and(|from| digest.start <= from);
        if outside_period || !self.group.absent.contains(&object.found_at(&previous.digest)) {
            return;
        }
        let key = object.place.key.as_str();
        let pointed = previous.digest.key.as_str();
        let Some(older_end) = self.older_than(digest.start, object) else {
            let sentence = format!(
                "the digest before the oldest one of {} is gone, and nothing older is there: expired or deleted before {}",
                self.id, digest.start
            );
            let finding = Finding::new(FindingId::ChainStartMissing, pointed, sentence).by_digest(key);
            self.find(finding.with_hint("compare with the bucket's lifecycle rules and when the trail was created"));
            return;
        };
        let lost = digest.start.duration_since(older_end);
        // Digests are hourly, so the hours lost say how many are gone.
        let hours = lost.as_secs().div_euclid(3600).max(1);
        self.conclusion.outcomes.missing += u64::try_from(hours).unwrap_or(1);
        let sentence = format!(
            "a digest that its signed successor points to is gone, and with it what covered {older_end} to {} ({hours} h)",
            digest.start
        );
        let finding = Finding::new(FindingId::DigestMissing, pointed, sentence)
            .by_digest(key)
            .compared("the digest, as its successor records it", "no such object")
            .with_hint("look for the object's earlier versions and for DeleteObject in the bucket's own log");
        self.find(finding);
    }

    /// Whether the digest's hours reach over those of others.
    fn judge_window(&mut self, object: &DigestObject, digest: &Digest) {
        if self.id.backfill {
            return;
        }
        let Some(window) = object.window() else { return };
        let pointed = object.pointed();
        let near = self.spans.overlapping(window.from, window.to);
        let others: Vec<(&DigestObject, Window)> = near
            .filter(|(theirs, other)| theirs.from < theirs.to && other.place != object.place)
            .map(|(theirs, other)| (other, theirs))
            .collect();
        let swallowed = others.iter().find(|(_, other)| {
            window.from <= other.from && other.to <= window.to && (window.from < other.from || other.to < window.to)
        });
        if let Some((other, theirs)) = swallowed {
            let sentence = "the digest's hours reach back over those of another digest";
            let finding = Finding::new(FindingId::WindowReachesBack, &object.place.key, sentence);
            let found = format!("{window}, over {theirs} of {}", other.place.key);
            self.find(finding.compared("hours that no other digest of the chain covers", found));
            return;
        }
        let later = others.iter().find(|(other, theirs)| {
            Some(&other.place) != pointed.as_ref()
                && (theirs.from, theirs.to, &other.place.key) < (window.from, window.to, &object.place.key)
        });
        if let Some((other, theirs)) = later {
            self.find(overlap(&object.place.key, &other.place.key, theirs.to, window.from));
        }
        if window.from == window.to || digest.start == digest.end {
            let sentence = "the digest covers no time: it starts and ends at the same moment";
            self.find(Finding::new(FindingId::WindowsOverlap, &object.place.key, sentence));
        }
    }

    /// What verified digests say of logs, with entries that are not for them to make told.
    fn collect_listings(&mut self) {
        let verified = self.verified();
        // A chain that moved says so in a signed pointer.
        let places = verified.iter().flat_map(|(_, digest)| {
            [Some(&digest.place), digest.previous.as_ref().map(|previous| &previous.digest)].into_iter().flatten()
        });
        let (mut buckets, mut orgs) = (BTreeSet::new(), BTreeSet::new());
        for place in places {
            buckets.insert(place.bucket.as_str());
            orgs.extend(key::parse(&place.key).org);
        }
        for (object, digest) in verified {
            let own: Arc<str> = object.place.key.as_str().into();
            for entry in &digest.entries {
                let parsed = key::parse(&entry.log.key);
                let is_foreign = !buckets.contains(entry.log.bucket.as_str())
                    || parsed.org.as_ref().is_some_and(|org| !orgs.contains(org));
                let problem = match parsed.name {
                    _ if is_foreign => Some(FindingId::EntryOutOfScope),
                    _ if entry.log.key.ends_with('/') => Some(FindingId::EntryNotALog),
                    ObjectName::Log(place, _) => (place != self.id.place).then_some(FindingId::EntryOutOfScope),
                    ObjectName::Misnamed { holds: Holds::Digests, .. }
                    | ObjectName::Digest(..)
                    | ObjectName::Foreign => Some(FindingId::EntryNotALog),
                    ObjectName::Misnamed { account, region, .. } => {
                        let own = account == self.id.place.account && region.as_ref() == Some(&self.id.place.region);
                        (!own).then_some(FindingId::EntryOutOfScope)
                    }
                };
                if let Some(id) = problem {
                    let sentence = match id {
                        FindingId::EntryNotALog => "the digest lists an object that is not a log",
                        _ => "the digest lists an object outside its own account, Region and bucket",
                    };
                    let finding = Finding::new(id, &entry.log.key, sentence).by_digest(&*own);
                    self.find(finding.compared(&self.id.place, &entry.log));
                    continue;
                }
                self.conclusion.listings.push(Listing {
                    log: entry.log.clone(),
                    hash: entry.hash,
                    digest: own.clone(),
                    trail: self.id.trail.clone(),
                });
            }
        }
    }

    fn summarise(&mut self, pointed: &BTreeSet<(Recorded, Sha256)>) {
        let verified = self.verified();
        let windows: Vec<Window> = verified.iter().filter_map(|(object, _)| object.window()).collect();
        let coverage = Coverage::of(windows.clone());
        let (first, last) = (coverage.windows().first().map(|w| w.from), coverage.windows().last().map(|w| w.to));
        if let (Some(first), Some(last), false) = (first, last, self.id.backfill) {
            self.judge_age(self.known(Window { from: first, to: last }));
        }
        for root in self.roots(&verified) {
            self.conclusion.windows.entry(root.to_owned()).or_default().extend(&windows);
        }
        let head = verified.last().and_then(|(object, digest)| {
            let hash = object.hash()?.to_string();
            Some(Head { key: object.place.key.clone(), hash, end: digest.end })
        });
        let ends = verified.iter().filter_map(|(object, digest)| {
            let tip = (object.place.clone(), object.hash()?);
            let is_tip = !pointed.contains(&tip);
            is_tip.then_some(Tip { place: tip.0, hash: tip.1, end: digest.end })
        });
        let unreadable = self.digests.iter().filter(|digest| digest.standing() == Standing::Unreadable).count();
        self.conclusion.chains.push(ChainSummary {
            tips: ends.collect(),
            roots: verified.iter().map(|(object, _)| key::parse(&object.place.key).root.to_owned()).collect(),
            unreadable: unreadable as u64,
            first,
            last,
            head,
            newest: verified.iter().map(|(object, _)| object.name.end).max(),
            digests: verified.len() as u64,
            logs: verified.iter().map(|(_, digest)| digest.entries.len() as u64).sum(),
            gaps: coverage.windows().windows(2).map(|pair| Window { from: pair[0].to, to: pair[1].from }).collect(),
            chain: self.id.clone(),
        });
    }

    /// The roots that the chain vouches for: those it lies under and those of the logs it lists.
    fn roots(&self, verified: &[(&'a DigestObject, &'a Digest)]) -> BTreeSet<&'a str> {
        let keys = verified.iter().flat_map(|(object, digest)| {
            let logs = digest.entries.iter().map(|entry| entry.log.key.as_str());
            logs.chain([object.place.key.as_str()])
        });
        keys.map(|key| key::parse(key).root).collect()
    }

    /// What the chain covers, with the hours of its digests that could not be read: these are told of already.
    fn known(&self, covered: Window) -> Window {
        let unread = self.digests.iter().filter(|digest| digest.standing() == Standing::Unreadable);
        unread.fold(covered, |known, digest| Window {
            from: known.from.min(hour_before(digest.name.end)),
            to: known.to.max(digest.name.end),
        })
    }

    /// The newest digest must not be older than was allowed.
    fn judge_age(&mut self, covered: Window) {
        if let Some(max_age) = self.period.max_age.filter(|age| self.period.now.duration_since(covered.to) > *age) {
            let sentence =
                format!("the newest digest of {} ends at {}, more than {max_age:#} ago", self.id, covered.to);
            let finding = Finding::new(FindingId::HeadStale, self.id.to_string(), sentence);
            self.find(finding.with_hint("check that the trail is logging (GetTrailStatus: LatestDigestDeliveryError)"));
        }
    }

    /// How far the chain reaches; what that comes to is judged with all others of the archive.
    fn note_reach(&mut self) {
        if self.id.backfill {
            return;
        }
        let verified = self.verified();
        let windows = verified.iter().filter_map(|(object, _)| object.window());
        let span = windows.reduce(|a, b| Window { from: a.from.min(b.from), to: a.to.max(b.to) });
        let unread = || self.digests.iter().filter(|digest| digest.standing() == Standing::Unreadable);
        let first_unread = unread().next().map(|digest| Window { from: digest.name.end, to: digest.name.end });
        let known = unread().copied().chain(verified.iter().map(|(object, _)| *object));
        let reach = Reach {
            chain: self.id.clone(),
            verified: span,
            known: span.or(first_unread).map(|span| self.known(span)),
            newest: known.map(|digest| digest.name.end).max(),
            begins: verified.first().is_some_and(|(object, digest)| {
                digest.previous.is_none() && self.older_than(digest.start, object).is_none()
            }),
            outside: self.group.outside.get(&self.id).cloned().unwrap_or_default(),
        };
        self.conclusion.reaches.push(reach);
    }
}

/// Chains of which nothing was read, because all of it lies before or after what was asked for.
fn note_unread(outside: &BTreeMap<ChainId, Outside>, reaches: &mut Vec<Reach>) {
    let read: BTreeSet<&ChainId> = reaches.iter().map(|reach| &reach.chain).collect();
    let unread = outside.iter().filter(|(id, _)| !id.backfill && !read.contains(id));
    let unread = unread.map(|(id, outside)| Reach {
        chain: id.clone(),
        verified: None,
        known: None,
        newest: None,
        begins: false,
        outside: outside.clone(),
    });
    let unread: Vec<Reach> = unread.collect();
    reaches.extend(unread);
}

fn hour_before(time: Timestamp) -> Timestamp {
    time.checked_sub(SignedDuration::from_hours(1)).unwrap_or(time)
}

fn link_hash_differs(object: &DigestObject, previous: &Previous, hash: Sha256) -> Finding {
    let sentence = "the digest records another hash than its predecessor has";
    Finding::new(FindingId::LinkHashDiffers, &previous.digest.key, sentence)
        .by_digest(&object.place.key)
        .compared(previous.hash, hash)
}

fn overlap(newer: &str, older: &str, older_end: Timestamp, newer_start: Timestamp) -> Finding {
    let by = older_end.duration_since(newer_start).max(SignedDuration::ZERO);
    let sentence = format!("the digest covers {by:#} that another digest of the chain covers too");
    Finding::new(FindingId::WindowsOverlap, newer, sentence).by_digest(older)
}

#[cfg(test)]
#[path = "edges_tests.rs"]
mod tests;
