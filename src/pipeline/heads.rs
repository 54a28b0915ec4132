//! Compares what a checkpoint remembers with what lies there now.
//!
//! ```text
//! head in what was read:   judged with the other digests ([`trailproof_proof::verify::heads`])
//! head anywhere else:      one read of its own ─▶ the same · other content · unreadable · nothing there
//! nothing there:           what is left under its root that is as old?
//!                            anything of an earlier day   ─▶ deleted
//!                            something of its own day     ─▶ unknown while a lifecycle rule may be at that day, else deleted
//!                            nothing                      ─▶ expired
//! ```
//!
//! Invariants: every head that was asked for is compared, or the run is one that was stopped; what could not be read is
//! never called deleted; whoever deletes a head and leaves anything of an earlier day is told of as having deleted it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use futures_util::stream::{self, StreamExt as _};
use jiff::{SignedDuration, Timestamp};

use super::newer::{GoesOn, Newest};
use super::oldest::{Look, Oldest, end_of_day_before};
use super::{Context, digests};
use crate::source::Source;
use trailproof_proof::archive::inventory::{Holdings, Inventory};
use trailproof_proof::archive::key::{self, AccountRegion, ObjectName, day_of};
use trailproof_proof::checkpoint::Head;
use trailproof_proof::finding::{Finding, FindingId};
use trailproof_proof::report::Heads;
use trailproof_proof::verify::chain::{ChainId, ChainSummary};
use trailproof_proof::verify::digest::Recorded;
use trailproof_proof::verify::heads::{AtHead, EXPIRED};

/// What a listing says that is needed to compare heads, taken before the inventory is used up.
pub(super) struct Listed {
    /// The oldest under each root.
    pub(super) oldest: Oldest,
    /// Whether the checkpoint remembers organizations and accounts here, and none of them is in the listing.
    pub(super) is_elsewhere: bool,
}

impl Listed {
    /// What the listing says.
    pub(super) fn of<S>(context: &Context<S>, prefix: &str, inventory: &Inventory) -> Self {
        let asked = context.checkpoint.asked_for(&context.scope, prefix);
        let owners: BTreeSet<_> = asked.map(|head| (&head.chain.org, head.chain.place.account)).collect();
        let is_owners = |(place, holdings): (&AccountRegion, &Holdings)| {
            let roots =
                holdings.logs.iter().map(|log| log.root).chain(holdings.digests.iter().map(|digest| digest.root));
            roots.map(|root| &inventory.roots[root as usize].org).any(|org| owners.contains(&(org, place.account)))
        };
        let is_elsewhere = !owners.is_empty() && !inventory.places.iter().any(is_owners);
        Self { oldest: Oldest::of(inventory), is_elsewhere }
    }
}

/// The soonest that S3 begins to take away what a lifecycle rule expires: at the second midnight after it was put there.
const SOONEST: SignedDuration = SignedDuration::from_hours(48);

/// Why it is not known of a head whether it expired, where what may be left beside it lies above the address.
const PART: &str = "the archive was given as a part of the folder that all accounts share";

/// The same, where something of its time is left.
const REST: &str =
    "of all that is as old, only the rest of its own day is left, as while a lifecycle rule takes that away";

/// What is known of heads that are gone, in the order of their ends.
struct Left {
    /// Up to here, nothing as old is left.
    expired: usize,
    /// From here on, something is left that did not expire with them.
    deleted: usize,
    /// Why it is not known of those between.
    why: String,
}

/// Where the run looked, and what it found there.
pub(super) struct Comparison<'a, S> {
    pub(super) look: &'a Look<'a, S>,
    pub(super) listed: Listed,
    /// Whether every folder could be listed.
    pub(super) listed_whole: bool,
    /// Whether no digest lies where it says, so that nothing else is said of each.
    pub(super) in_question: bool,
    pub(super) now: Timestamp,
    pub(super) chains: &'a [ChainSummary],
}

impl<S: Source> Comparison<'_, S> {
    /// Compares every head that was asked for; `at` has those that were read with the other digests.
    pub(super) async fn compare(self, at: Vec<(String, AtHead)>) -> (Heads, Vec<Finding>) {
        let checkpoint = &self.look.context.checkpoint;
        let all = checkpoint.heads().count();
        if all == 0 || self.look.context.is_cancelled() {
            return (Heads { found: Vec::new(), not_asked_for: all as u64 }, Vec::new());
        }
        let mut at: HashMap<String, AtHead> = at.into_iter().collect();
        if self.in_question {
            let told = at.values_mut().filter(|found| **found == AtHead::Told);
            told.for_each(|found| *found = AtHead::Other { signed: false });
        }
        // A directory may be a folder of the archive that the checkpoint is of; a bucket is the one that it names.
        let is_elsewhere = self.in_question && self.look.bucket.is_empty();
        let asked = checkpoint.asked_for(&self.look.context.scope, self.look.prefix);
        let asked: Vec<&Head> = asked.filter(|head| !is_elsewhere || at.contains_key(&head.key)).collect();
        let unread: Vec<&Head> = asked.iter().copied().filter(|head| !at.contains_key(&head.key)).collect();
        let mut findings = Vec::new();
        for (key, found, told) in self.read(unread).await {
            at.insert(key, found);
            findings.extend(told);
        }
        let gone: Vec<&Head> =
            asked.iter().copied().filter(|head| at.get(&head.key) == Some(&AtHead::Nothing)).collect();
        self.tell_expired(gone, &mut at, &mut findings).await;
        self.tell_changed(&asked, &at, &mut findings);
        let found: Vec<(String, AtHead)> = asked.iter().filter_map(|head| at.remove_entry(&head.key)).collect();
        let not_asked_for = (all - found.len()) as u64;
        (Heads { found, not_asked_for }, findings)
    }

    /// Reads heads that lie outside what was read, or that the listing did not show.
    async fn read(&self, heads: Vec<&Head>) -> Vec<(String, AtHead, Vec<Finding>)> {
        let reads = heads.into_iter().filter_map(|head| {
            let ObjectName::Digest(_, name) = key::parse(&head.key).name else { return None };
            let place = Recorded { bucket: self.look.bucket.to_string(), key: head.key.clone() };
            Some(async move {
                let mut object = digests::read_one(self.look.context, name, place, 0).await;
                let (found, told) = object.recognise(head.hash);
                (head.key.clone(), found, told)
            })
        });
        stream::iter(reads).buffered(self.look.context.concurrency).collect().await
    }

    /// Tells apart what was deleted and what expired with everything of its time.
    async fn tell_expired(&self, gone: Vec<&Head>, at: &mut HashMap<String, AtHead>, findings: &mut Vec<Finding>) {
        let mut by_root: BTreeMap<&str, Vec<&Head>> = BTreeMap::new();
        for head in gone {
            by_root.entry(key::parse(&head.key).root).or_default().push(head);
        }
        let newest = Newest::of(self.chains, &self.look.context.scope, self.listed_whole, self.now);
        for (root, mut heads) in by_root {
            heads.sort_by_key(|head| head.end);
            // What expired before stays so, whatever is put there since.
            let (before, since): (Vec<&Head>, Vec<&Head>) = heads.into_iter().partition(|head| head.state.is_expired());
            let goes_on = |head: &Head| newest.goes_on(self.look.prefix, root, head);
            let since: Vec<(&Head, GoesOn)> = since.into_iter().map(|head| (head, goes_on(head))).collect();
            let since: Vec<_> = since.into_iter().filter(|(_, goes_on)| *goes_on != GoesOn::No).collect();
            let left = self.left_of(root, &since.iter().map(|(head, _)| head.end).collect::<Vec<_>>()).await;
            let before = before.into_iter().map(|head| (head, None));
            let since = since.into_iter().enumerate().take(left.deleted).map(|(at, (head, goes_on))| match goes_on {
                _ if at >= left.expired => (head, Some(left.why.as_str())),
                GoesOn::Unknown(why) => (head, Some(why)),
                GoesOn::Yes | GoesOn::No => (head, None),
            });
            for (head, unclear) in before.chain(since) {
                at.insert(head.key.clone(), if unclear.is_some() { AtHead::Unclear } else { AtHead::Expired });
                findings.push(unclear.map_or_else(|| expired_finding(head), |why| unclear_finding(head, why)));
            }
        }
    }

    /// Of heads that are gone, by their ends in order: up to where nothing as old is left under the root, and from where on
    /// something is left that did not expire with them.
    async fn left_of(&self, root: &str, ends: &[Timestamp]) -> Left {
        let days_before: Vec<Timestamp> = ends.iter().map(|&end| end_of_day_before(end)).collect();
        let oldest = self.listed.oldest.under(root);
        let upto = |ends: &[Timestamp]| oldest.map_or(ends.len(), |oldest| ends.partition_point(|&end| end < oldest));
        // Nothing as old is left of those before the first; nothing of an earlier day, of those before the second.
        let (mut as_old, older) = (0..upto(ends), upto(&days_before));
        let older = older.min(ends.partition_point(|&end| self.may_be_expiring(end)));
        let deleted = older.max(as_old.end);
        if !self.listed_whole {
            return Left { expired: 0, deleted, why: "a folder could not be listed".to_owned() };
        }
        if !self.look.shows_all_of(root) {
            return Left { expired: 0, deleted, why: PART.to_owned() };
        }
        if self.look.listed_all() {
            return Left { expired: as_old.end, deleted, why: REST.to_owned() };
        }
        // What was not asked for was not listed: it is looked into.
        let mut why = self.narrow(root, ends, &mut as_old).await.err();
        let mut older = as_old.end..older.max(as_old.end);
        if why.is_none() {
            why = self.narrow(root, &days_before, &mut older).await.err();
        }
        Left { expired: as_old.start, deleted: older.end, why: why.unwrap_or_else(|| REST.to_owned()) }
    }

    /// Narrows down from which end on something dated up to it is left: by the newest, and then by halves.
    ///
    /// # Errors
    /// Why it cannot be narrowed further.
    async fn narrow(&self, root: &str, ends: &[Timestamp], open: &mut Range<usize>) -> Result<(), String> {
        let mut middle = open.end.saturating_sub(1);
        while open.start < open.end {
            match self.look.is_left(root, ends[middle]).await? {
                true => open.end = middle,
                false => open.start = middle + 1,
            }
            middle = open.start + open.len() / 2;
        }
        Ok(())
    }

    /// Whether a lifecycle rule may be at the day of this time.
    fn may_be_expiring(&self, time: Timestamp) -> bool {
        time.checked_add(SOONEST).is_ok_and(|soonest| day_of(soonest) <= day_of(self.now))
    }

    /// Heads that are gone or changed, and chains of which no verified digest is there any more.
    fn tell_changed(&self, asked: &[&Head], at: &HashMap<String, AtHead>, findings: &mut Vec<Finding>) {
        let mut chains: BTreeMap<&ChainId, Vec<&Head>> = BTreeMap::new();
        for head in asked {
            chains.entry(&head.chain).or_default().push(head);
        }
        let summaries: HashMap<&ChainId, &ChainSummary> =
            self.chains.iter().map(|chain| (&chain.chain, chain)).collect();
        for (id, heads) in chains {
            let is = |head: &&&Head, any: &[AtHead]| at.get(&head.key).is_some_and(|found| any.contains(found));
            let summary = summaries.get(id).copied();
            // A chain is there if a verified digest of it is; what could not be read or checked might be one.
            let may_be_there = summary.is_some_and(|chain| chain.digests + chain.unreadable > 0)
                || heads.iter().any(|head| is(&head, &[AtHead::Same, AtHead::Passed, AtHead::Unclear]));
            let (unsigned, signed) = (AtHead::Other { signed: false }, AtHead::Other { signed: true });
            let changed = heads.iter().filter(|head| is(head, &[AtHead::Nothing, unsigned.clone(), signed.clone()]));
            if may_be_there {
                findings.extend(changed.map(|head| changed_finding(head, &at[&head.key], summary)));
            } else if let Some(newest) = changed.max_by_key(|head| head.end) {
                findings.push(vanished_finding(newest));
            }
        }
    }
}

fn changed_finding(head: &Head, found: &AtHead, chain: Option<&ChainSummary>) -> Finding {
    let found = match (found, chain.and_then(|chain| chain.last)) {
        (AtHead::Other { signed: true }, _) => "a signed digest with other content".to_owned(),
        (AtHead::Other { .. }, _) => "an object with other content".to_owned(),
        (_, Some(last)) => format!("no such digest; the chain now ends at {last}"),
        (_, None) => "no such digest".to_owned(),
    };
    let sentence = format!("{} no longer holds a digest that an earlier run verified", head.chain);
    let finding = Finding::new(FindingId::HeadWentBack, &head.key, sentence);
    let expected = format!("the digest that ended at {} with SHA-256 {}", head.end, head.hash);
    finding.compared(expected, found).with_hint("look for DeleteObject and PutObject in the bucket's own log")
}

fn vanished_finding(head: &Head) -> Finding {
    let sentence =
        format!("the chain {} was there at the checkpoint and is gone: no digest of it was verified", head.chain);
    let finding = Finding::new(FindingId::ChainVanished, &head.key, sentence);
    finding.compared(format!("the digest that ended at {}", head.end), "no digest of the chain that was verified")
}

fn expired_finding(head: &Head) -> Finding {
    let sentence = format!(
        "the digest of {} that ended at {} is gone, and nothing as old is left beside it: expired, or deleted with all else",
        head.chain, head.end
    );
    let finding = Finding::new(FindingId::HeadExpired, &head.key, sentence);
    let expected = format!("the digest that ended at {} with SHA-256 {}", head.end, head.hash);
    finding.compared(expected, EXPIRED).with_hint("compare with the bucket's lifecycle rules")
}

fn unclear_finding(head: &Head, why: &str) -> Finding {
    let sentence = format!(
        "a digest that an earlier run verified is gone, and whether it was deleted or expired is unknown: {why}"
    );
    Finding::new(FindingId::DigestUnreadable, &head.key, sentence)
}
