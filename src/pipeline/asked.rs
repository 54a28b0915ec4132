//! What was asked for and is not there: names, accounts and Regions, folders of logs.
//!
//! The listing knows more accounts and Regions than it went into: a folder is enough. Each must be covered over the period
//! by a verified chain that was asked for, or something must be told of it. Of the others it is looked up what became of them
//! ([`super::ended`]). A checkpoint knows chains besides, which may lie beside others that go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compact_str::CompactString;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;

use super::Context;
use super::ended::{self, Ended, Whose};
use super::keys::{KeyService, Keys};
use super::plan::{Listed, LogPlace, PlacePlan};
use crate::source::Source;
use trailproof_proof::archive::ids::OrgId;
use trailproof_proof::archive::inventory::{Inventory, Root};
use trailproof_proof::archive::key::{self, AccountRegion, DIGEST_FOLDER, LogKind, ObjectName};
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::checkpoint::Head;
use trailproof_proof::finding::{Finding, FindingId};
use trailproof_proof::report::Heads;
use trailproof_proof::verify::chain::{ChainId, ChainSummary, Conclusion};
use trailproof_proof::verify::edges::Period;
use trailproof_proof::verify::heads::AtHead;
use trailproof_proof::verify::reach::{self, Held, Reach};

/// The accounts and Regions that the listing shows, each under one root.
#[derive(Default)]
pub(super) struct Known(BTreeMap<(String, AccountRegion), Seen>);

/// What is known of one of them.
struct Seen {
    bucket: Arc<str>,
    org: Option<OrgId>,
    /// Whether chains that were asked for, or findings of their own, say what there is to say.
    told: bool,
    /// Whether chains of trails that were not asked for cover it.
    others: bool,
}

impl Known {
    /// Those of a listing that are in scope, before their digests are judged.
    pub(super) fn of(inventory: &Inventory, scope: &Scope) -> Self {
        let mut known = Self::default();
        let mut see = |root: u32, place: &AccountRegion| {
            let root = &inventory.roots[root as usize];
            if scope.includes(place) && scope.includes_organization(root.org.as_ref()) {
                let (bucket, org) = (root.bucket.clone(), root.org.clone());
                let seen = Seen { bucket, org, told: false, others: false };
                known.0.entry((root.prefix.clone(), place.clone())).or_insert(seen);
            }
        };
        inventory.known.iter().for_each(|(root, place)| see(*root, place));
        for (place, holdings) in &inventory.places {
            let roots = holdings.digests.iter().map(|digest| digest.root);
            let roots: BTreeSet<u32> = roots.chain(holdings.logs.iter().map(|log| log.root)).collect();
            roots.into_iter().for_each(|root| see(root, place));
        }
        known
    }

    /// Takes in what the digests and the plan of one account and Region came to.
    ///
    /// Only what makes a finding counts, and digests that were verified: of regular chains, because backfill digests list
    /// what these left out.
    pub(super) fn note(&mut self, plan: &PlacePlan, conclusion: &Conclusion, scope: &Scope) {
        let outcomes = conclusion.outcomes;
        let is_told = outcomes.altered + outcomes.malformed + outcomes.unreadable > 0;
        let uncovered = plan.logs.iter().filter_map(|log| match &log.place {
            // Kinds that no digest names are told for the kind, which says nothing of the account.
            LogPlace::Object(object) if object.name.kind == LogKind::CloudTrail && log.listed == Listed::Uncovered => {
                Some(object.root)
            }
            _ => None,
        });
        let uncovered: BTreeSet<u32> = uncovered.collect();
        // Digests that end after the period are read too. Where it has a start, a chain that begins after it is told.
        let begins_after = |chain: &ChainSummary| {
            scope.from.is_none() && scope.to.is_some_and(|to| chain.first.is_some_and(|first| first >= to))
        };
        let chains = || conclusion.chains.iter().filter(|chain| !chain.chain.backfill && !begins_after(chain));
        let mut trails: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (chain, root) in chains().flat_map(|chain| chain.roots.iter().map(move |root| (chain, root))) {
            trails.entry(root).or_default().insert(&chain.chain.trail);
        }
        let beside = trails_beside(plan, &trails);
        for (at, root) in (0..).zip(plan.roots.iter()) {
            if let Some(seen) = self.0.get_mut(&(root.prefix.clone(), plan.place.clone())) {
                let own = trails.get(root.prefix.as_str()).into_iter().flatten().copied();
                let mut here = own.chain(beside.get(&at).into_iter().flatten().map(CompactString::as_str));
                seen.others = here.clone().next().is_some();
                seen.told |= is_told || uncovered.contains(&at) || here.any(|trail| scope.includes_trail(trail));
            }
        }
    }

    /// Leaves out what lies in folders that could not be listed: that is told already.
    fn forget(&mut self, not_listed: &[String]) {
        self.0.retain(|(root, place), _| !is_in(not_listed, &account_folder(root, place)));
    }

    /// Says of those of which nothing covers the period what became of each, and which folders could not be looked into.
    async fn tell<S: Source, K: KeyService>(
        &self,
        context: &Context<S>,
        keys: &Keys<K>,
        goes_on: &BTreeSet<&ChainId>,
        now: Timestamp,
        held: &mut Held,
    ) {
        let mut open: Vec<(&(String, AccountRegion), &Seen)> = self.0.iter().filter(|(_, seen)| !seen.told).collect();
        for is_last in [false, true] {
            let look = open.iter().map(|&((root, place), seen)| async move {
                let Seen { bucket, org, others, told: _ } = seen;
                let whose = Whose { bucket, root, org: org.as_ref(), place, others: *others };
                ended::what_became(context, keys, now, &whose, |chain| goes_on.contains(chain)).await
            });
            let became: Vec<_> = stream::iter(look).buffered(context.concurrency).collect().await;
            let mut again = Vec::new();
            for (whose, became) in open.into_iter().zip(became) {
                match became {
                    Ok(Ended::These(members)) => held.ended.extend(members),
                    Ok(Ended::Begins(member)) => held.begin.push(member),
                    Ok(Ended::NotDue) => {}
                    // What passes may have passed when everything else was looked into.
                    Err(failed) if failed.is_passing() && !is_last && !context.is_cancelled() => again.push(whose),
                    Err(failed) => held.alone.push(failed.finding()),
                }
            }
            open = again;
        }
    }

    fn places(&self) -> impl Iterator<Item = (&AccountRegion, Option<&OrgId>)> {
        self.0.iter().map(|((_, place), seen)| (place, seen.org.as_ref()))
    }
}

/// The trails whose verified regular digests list logs under roots that hold none of their digests: an organization trail may
/// deliver logs beside its organization's folder.
fn trails_beside(plan: &PlacePlan, own: &BTreeMap<&str, BTreeSet<&str>>) -> BTreeMap<u32, BTreeSet<CompactString>> {
    let has_own = |root: &Root| own.contains_key(root.prefix.as_str());
    let mut beside: BTreeMap<u32, BTreeSet<CompactString>> = BTreeMap::new();
    if plan.roots.iter().all(has_own) {
        return beside;
    }
    for log in &plan.logs {
        let (LogPlace::Object(object), Listed::Yes { digest, .. }) = (&log.place, &log.listed) else { continue };
        if has_own(&plan.roots[object.root as usize]) {
            continue;
        }
        match key::parse(digest).name {
            ObjectName::Digest(_, name) if !name.backfill => {
                beside.entry(object.root).or_default().insert(name.trail);
            }
            _ => {}
        }
    }
    beside
}

fn account_folder(root: &str, place: &AccountRegion) -> String {
    format!("{root}{}/", place.account)
}

/// Whether a folder, or any below it, is one of those that could not be listed.
fn is_in(not_listed: &[String], folder: &str) -> bool {
    let is_whole = |not_listed: &str| !not_listed.contains('/');
    not_listed.iter().any(|other| is_whole(other) || other.starts_with(folder) || folder.starts_with(other.as_str()))
}

/// Chains of which the checkpoint remembers the newest digest and this run saw no other: they ended before the period, also
/// where other trails cover their account and Region.
fn remembered_ends<S>(
    context: &Context<S>,
    heads: &Heads,
    judged: &BTreeSet<&ChainId>,
    not_listed: &[String],
) -> Vec<String> {
    let Some(from) = context.scope.digests_from() else { return Vec::new() };
    let mut newest: BTreeMap<&ChainId, &Head> = BTreeMap::new();
    for head in context.checkpoint.heads().filter(|head| !head.chain.backfill && !judged.contains(&head.chain)) {
        let known = newest.entry(&head.chain).or_insert(head);
        if known.end < head.end {
            *known = head;
        }
    }
    let same: BTreeSet<&str> =
        heads.found.iter().filter(|(_, found)| *found == AtHead::Same).map(|(key, _)| key.as_str()).collect();
    let ended = newest.into_iter().filter_map(|(chain, head)| {
        let parsed = key::parse(&head.key);
        let ObjectName::Digest(place, name) = parsed.name else { return None };
        let is_listed = !is_in(not_listed, &account_folder(parsed.root, &place));
        let is_it = name.end < from && same.contains(head.key.as_str()) && is_listed;
        is_it.then(|| reach::ended(chain, name.end))
    });
    ended.collect()
}

/// Names that were asked for and of which nothing is there.
fn not_found(scope: &Scope, known: &Known, trails: &BTreeSet<&str>) -> Vec<Finding> {
    let there =
        |asked: &dyn Fn(&AccountRegion, Option<&OrgId>) -> bool| known.places().any(|(place, org)| asked(place, org));
    let mut absent: Vec<(String, String)> = Vec::new();
    let mut tell = |option: &str, name: String| absent.push((format!("--{option} {name}"), name));
    for account in scope.accounts.iter().filter(|asked| !there(&|place, _| place.account == **asked)) {
        tell("account", account.to_string());
    }
    for region in scope.regions.iter().filter(|asked| !there(&|place, _| place.region == **asked)) {
        tell("region", region.to_string());
    }
    for org in scope.organizations.iter().filter(|asked| !there(&|_, org| org == Some(*asked))) {
        tell("org", org.to_string());
    }
    for trail in scope.trails.iter().filter(|asked| !trails.contains(asked.as_str())) {
        tell("trail", trail.clone());
    }
    let finding = |(object, name): (String, String)| {
        let sentence = format!("{name} was asked for, and nothing of it is there in what was asked for");
        let hint = "check how it is spelt; `trailproof ls` shows what is there";
        Finding::new(FindingId::AskedNotFound, object, sentence).with_hint(hint)
    };
    absent.into_iter().map(finding).collect()
}

/// An address inside a digest folder: the logs that no digest names are not looked for.
fn logs_not_listed(prefix: &str) -> Option<Finding> {
    let (_, tail) = prefix.rsplit_once("AWSLogs/")?;
    tail.split('/').any(|part| part == DIGEST_FOLDER).then(|| {
        let sentence = "the address is a folder of digests alone: logs that no digest names were not looked for";
        let hint = "point at the folder that holds AWSLogs/, and narrow with --account and --region";
        Finding::new(FindingId::LogsNotListed, prefix, sentence).with_hint(hint)
    })
}

/// Everything above: what was asked for is held against what is there.
pub(super) async fn judge<S: Source, K: KeyService>(
    context: &Context<S>,
    keys: &Keys<K>,
    prefix: &str,
    mut known: Known,
    (reaches, heads): (&[Reach], &Heads),
    period: &Period,
    not_listed: &[String],
) -> Vec<Finding> {
    let scope = &context.scope;
    let asked = reaches.iter().filter(|reach| scope.includes_trail(&reach.chain.trail));
    let mut held = reach::hold(asked.clone(), period);
    held.alone.extend(logs_not_listed(prefix));
    let there = asked.filter(|reach| reach.known.is_some() || reach.outside.before.is_some());
    let judged: BTreeSet<&ChainId> = there.map(|reach| &reach.chain).collect();
    if not_listed.is_empty() {
        held.alone.extend(not_found(scope, &known, &judged.iter().map(|chain| chain.trail.as_str()).collect()));
    }
    held.ended.extend(remembered_ends(context, heads, &judged, not_listed));
    known.forget(not_listed);
    let goes_on = reaches.iter().filter(|reach| reach.known.is_some()).map(|reach| &reach.chain).collect();
    known.tell(context, keys, &goes_on, period.now, &mut held).await;
    held.into_findings()
}
