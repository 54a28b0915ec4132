//! Compares what a checkpoint remembers with what lies there now.
//!
//! ```text
//! head in what was read:   judged with the other digests ([`trailproof_proof::verify::heads`])
//! head anywhere else:      one read of its own ─▶ the same · other content · unreadable · nothing there
//! nothing there:           is anything as old left under its root?  yes ─▶ deleted   no ─▶ expired
//! ```
//!
//! Invariants: every head that was asked for is compared, or the run is one that was stopped; what could not be read is
//! never called deleted; whoever deletes a head and leaves anything of its time or before is told of as having deleted it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::stream::{self, StreamExt as _};

use super::oldest::{Look, Oldest};
use super::{Context, digests};
use crate::source::Source;
use trailproof_proof::archive::inventory::{Holdings, Inventory};
use trailproof_proof::archive::key::{self, AccountRegion, ObjectName};
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::checkpoint::{Head, State};
use trailproof_proof::finding::{Finding, FindingId};
use trailproof_proof::report::Heads;
use trailproof_proof::verify::chain::{self, ChainId, ChainSummary};
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

/// What is known of heads that are gone, in the order of their ends.
struct Left {
    /// Up to here, nothing as old is left.
    expired: usize,
    /// From here on, something as old is left.
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
    pub(super) chains: &'a [ChainSummary],
}

impl<S: Source> Comparison<'_, S> {
    /// Compares every head that was asked for; `at` has those that were read with the other digests.
    pub(super) async fn compare(self, at: Vec<(String, AtHead)>) -> (Heads, Vec<Finding>) {
        let all = self.look.context.checkpoint.heads().count();
        if all == 0 || self.look.context.is_cancelled() {
            return self.leave();
        }
        let asked: Vec<&Head> =
            self.look.context.checkpoint.asked_for(&self.look.context.scope, self.look.prefix).collect();
        let mut at: HashMap<String, AtHead> = at.into_iter().collect();
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

    /// Compares nothing.
    pub(super) fn leave(self) -> (Heads, Vec<Finding>) {
        let not_asked_for = self.look.context.checkpoint.heads().count() as u64;
        (Heads { found: Vec::new(), not_asked_for }, Vec::new())
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
        for (root, mut heads) in by_root {
            heads.sort_by_key(|head| head.end);
            // What expired before stays so, whatever is put there since.
            heads.retain(|head| head.state != State::Open || !self.is_wiped(root, &head.chain));
            let (before, since): (Vec<&Head>, Vec<&Head>) = heads.into_iter().partition(|head| head.state.is_expired());
            let left = self.left_of(root, &since).await;
            for head in before.iter().chain(&since[..left.expired]) {
                at.insert(head.key.clone(), AtHead::Expired);
                findings.push(expired_finding(head));
            }
            for head in &since[left.expired..left.deleted] {
                at.insert(head.key.clone(), AtHead::Unclear);
                findings.push(unclear_finding(head, &left.why));
            }
        }
    }

    /// Whether nothing of an archive is left under a root, where everything was looked at: lifecycle rules leave what is new.
    ///
    /// An archive that goes on shows new digests, here or where the chain moved to; one that could not be read or checked may
    /// be such a digest.
    fn is_wiped(&self, root: &str, chain: &ChainId) -> bool {
        let Scope { to, accounts, regions, organizations, trails, .. } = &self.look.context.scope;
        let asks_for_all =
            to.is_none() && accounts.is_empty() && regions.is_empty() && organizations.is_empty() && trails.is_empty();
        let is_here = |head: &chain::Head| key::parse(&head.key).root == root;
        let goes_on = |shown: &ChainSummary| {
            let is_it = shown.chain == *chain || shown.head.as_ref().is_some_and(is_here);
            shown.unreadable > 0 || (shown.digests > 0 && is_it)
        };
        asks_for_all && self.listed_whole && !self.chains.iter().any(goes_on)
    }

    /// Of heads that are gone, in the order of their ends: up to where nothing as old is left under the root.
    async fn left_of(&self, root: &str, heads: &[&Head]) -> Left {
        let oldest = self.listed.oldest.under(root);
        let deleted = oldest.map_or(heads.len(), |oldest| heads.partition_point(|head| head.end < oldest));
        let mut left = Left { expired: 0, deleted, why: String::new() };
        if !self.listed_whole {
            "a folder could not be listed".clone_into(&mut left.why);
            return left;
        }
        if self.look.listed_all() {
            left.expired = deleted;
            return left;
        }
        // What was not asked for was not listed: it is looked into for the newest of them, and then by halves.
        let mut middle = left.deleted.saturating_sub(1);
        while left.expired < left.deleted {
            match self.look.is_left(root, heads[middle].end).await {
                Ok(true) => left.deleted = middle,
                Ok(false) => left.expired = middle + 1,
                Err(why) => {
                    left.why = why;
                    break;
                }
            }
            middle = left.expired + (left.deleted - left.expired) / 2;
        }
        left
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
        "a digest that an earlier run verified is gone, deleted or expired: what else is left is unknown, because {why}"
    );
    Finding::new(FindingId::DigestUnreadable, &head.key, sentence)
}
