//! What was asked for and is not there: names, accounts and Regions, folders of logs.
//!
//! The listing knows more accounts and Regions than it went into: a folder is enough. Each must be covered over the period
//! by a verified chain. Where none of its digests was read, the newest one before the period is looked for, newest folder
//! first, so that what is told is when it ended.
//!
//! ```text
//! known ─┬─ a verified chain, or something told of it already ─▶ judged elsewhere
//!        ├─ digests before the period ──────────────────────────▶ ended, and when
//!        ├─ digests after it only ──────────────────────────────▶ begins after it
//!        ├─ no digest at all, and only new logs ────────────────▶ a new account or Region: nothing is due yet
//!        └─ no digest at all ───────────────────────────────────▶ told as that
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use jiff::civil::Date;

use super::Context;
use super::discover::span_of;
use super::plan::{Listed, LogPlace, PlacePlan};
use crate::archive::ids::OrgId;
use crate::archive::inventory::Inventory;
use crate::archive::key::{self, AccountRegion, DIGEST_FOLDER, LogKind, ObjectName};
use crate::archive::scope::Scope;
use crate::finding::{Finding, FindingId};
use crate::source::{ListRequest, Page, Purpose, Source};
use crate::verify::chain::{ChainId, Conclusion};
use crate::verify::edges::Period;
use crate::verify::reach::{self, Held, Reach};

/// Folders that are listed to find the newest digest of one account and Region: years, months and days that hold none are
/// passed over one by one.
const MOST_FOLDERS: usize = 64;

/// The accounts and Regions that the listing shows, each under one root.
#[derive(Default)]
pub(super) struct Known(BTreeMap<(String, AccountRegion), Seen>);

/// What is known of one of them.
struct Seen {
    bucket: Arc<str>,
    org: Option<OrgId>,
    /// Whether chains or findings of their own say what there is to say.
    told: bool,
    /// Whether logs of it wait for their digest, or lie after the period.
    newer: bool,
    /// Whether digests of it lie after the period, by their names.
    goes_on: bool,
}

impl Known {
    /// Those of a listing that are in scope, before their digests are judged.
    pub(super) fn of(inventory: &Inventory, scope: &Scope) -> Self {
        let mut known = Self::default();
        let mut see = |root: u32, place: &AccountRegion, told: bool, newer: bool, goes_on: bool| {
            let root = &inventory.roots[root as usize];
            if !scope.includes(place) || !scope.includes_organization(root.org.as_ref()) {
                return;
            }
            let seen = known.0.entry((root.prefix.clone(), place.clone())).or_insert_with(|| Seen {
                bucket: root.bucket.clone(),
                org: root.org.clone(),
                told: false,
                newer: false,
                goes_on: false,
            });
            seen.told |= told;
            seen.newer |= newer;
            seen.goes_on |= goes_on;
        };
        for (root, place) in &inventory.known {
            see(*root, place, false, false, false);
        }
        let from = scope.digests_from();
        for (place, holdings) in &inventory.places {
            // By root: whether digests before the period are listed, and whether logs and digests after it are.
            let mut roots: BTreeMap<u32, (bool, bool, bool)> = BTreeMap::new();
            for digest in &holdings.digests {
                let before = from.is_some_and(|from| digest.name.end < from) && digest.name.is_in_its_day();
                let after = scope.to.is_some_and(|to| digest.name.end > to) && digest.name.is_in_its_day();
                let seen = roots.entry(digest.root).or_default();
                seen.0 |= before;
                seen.2 |= after;
            }
            for log in &holdings.logs {
                let after = scope.to.is_some_and(|to| log.name.minute >= to);
                roots.entry(log.root).or_default().1 |= after;
            }
            roots.into_iter().for_each(|(root, (told, newer, goes_on))| see(root, place, told, newer, goes_on));
        }
        known
    }

    /// Takes in what the digests and the plan of one account and Region came to.
    pub(super) fn note(&mut self, plan: &PlacePlan, conclusion: &Conclusion) {
        let outcomes = conclusion.outcomes;
        let is_told = outcomes.altered + outcomes.malformed + outcomes.unreadable > 0;
        let mut logs = vec![(false, false); plan.roots.len()];
        for log in &plan.logs {
            let LogPlace::Object(object) = &log.place else { continue };
            let (told, waits) = &mut logs[object.root as usize];
            match log.listed {
                Listed::Pending => *waits = true,
                Listed::Yes { .. } => {}
                // Kinds that no digest names are told for the kind, which says nothing of the account.
                Listed::Unlisted | Listed::Impossible | Listed::Uncovered => {
                    *told |= object.name.kind == LogKind::CloudTrail;
                }
            }
        }
        for (root, (told, waits)) in plan.roots.iter().zip(logs) {
            if let Some(seen) = self.0.get_mut(&(root.prefix.clone(), plan.place.clone())) {
                seen.told |= is_told || told || conclusion.windows.contains_key(&root.prefix);
                seen.newer |= waits;
            }
        }
    }

    /// Leaves out what lies in folders that could not be listed: that is told already.
    fn forget(&mut self, not_listed: &[String]) {
        let is_whole = |folder: &str| !folder.contains('/');
        self.0.retain(|(root, place), _| {
            let account = format!("{root}{}/", place.account);
            !not_listed
                .iter()
                .any(|folder| is_whole(folder) || folder.starts_with(&account) || account.starts_with(folder.as_str()))
        });
    }

    /// Says of those of which nothing covers the period when each ended, and which folders could not be looked into.
    async fn tell<S: Source>(&self, context: &Context<S>, reaches: &[Reach], held: &mut Held) {
        let judged = reaches.iter().filter(|reach| reach.known.is_some() || reach.outside.before.is_some());
        let judged: BTreeSet<&ChainId> = judged.map(|reach| &reach.chain).collect();
        let open = self.0.iter().filter(|(_, seen)| !seen.told);
        let look = open.map(|((root, place), seen)| when_ended(context, root, place, seen));
        let told: Vec<_> = stream::iter(look).buffered(context.concurrency).collect().await;
        for ended in told {
            match ended {
                Ended::Chains(chains) => {
                    let asked = |chain: &ChainId| !chain.backfill && context.scope.includes_trail(&chain.trail);
                    let new = chains.into_iter().filter(|(chain, _)| asked(chain) && !judged.contains(chain));
                    held.ended.extend(new.map(|(chain, end)| reach::ended(chain, end)));
                }
                Ended::Said(member) => held.ended.push(member),
                Ended::Begins(member) => held.begin.push(member),
                Ended::NotDue => {}
                Ended::NotKnown(finding) => held.alone.push(finding),
            }
        }
    }

    fn places(&self) -> impl Iterator<Item = (&AccountRegion, Option<&OrgId>)> {
        self.0.iter().map(|((_, place), seen)| (place, seen.org.as_ref()))
    }
}

/// What became of an account and Region of which nothing covers the period.
enum Ended {
    /// Its newest chains, each with its end.
    Chains(BTreeMap<ChainId, Timestamp>),
    /// There is no chain to name.
    Said(String),
    /// Its digests lie after the period.
    Begins(String),
    /// It is new.
    NotDue,
    /// A folder could not be listed.
    NotKnown(Finding),
}

async fn when_ended<S: Source>(context: &Context<S>, root: &str, place: &AccountRegion, seen: &Seen) -> Ended {
    let folder = |kind: &str| format!("{root}{}/{kind}/{}/", place.account, place.region);
    let digests = folder(DIGEST_FOLDER);
    let from = context.scope.digests_from();
    let chain_of = |key: &str| match key::parse(key).name {
        ObjectName::Digest(of, name) if of == *place && from.is_some_and(|from| name.end < from) => {
            name.is_in_its_day().then(|| (ChainId::named(seen.org.clone(), place, &name), name.end))
        }
        _ => None,
    };
    let mut chains: BTreeMap<ChainId, Timestamp> = BTreeMap::new();
    if let Some(from) = from {
        let last = key::day_of(from);
        match newest(context, &seen.bucket, &digests, last, |key| chain_of(key).is_some()).await {
            Newest::There(keys) => {
                for (chain, end) in keys.iter().filter_map(|key| chain_of(key)) {
                    let known = chains.entry(chain).or_insert(end);
                    *known = end.max(*known);
                }
                return Ended::Chains(chains);
            }
            Newest::TooFar => return Ended::Said(format!("{digests} ended before {from}")),
            Newest::NotListed(finding) => return Ended::NotKnown(finding),
            Newest::Later => {
                let until = context.scope.to.unwrap_or(from);
                return Ended::Begins(format!("{digests} has no digest before {until}"));
            }
            Newest::None => {}
        }
        if seen.newer {
            let logs = folder(LogKind::CloudTrail.folder());
            let first_day = last.yesterday().unwrap_or(last);
            match newest(context, &seen.bucket, &logs, first_day, |_| true).await {
                Newest::None | Newest::Later => return Ended::NotDue,
                Newest::NotListed(finding) => return Ended::NotKnown(finding),
                Newest::There(_) | Newest::TooFar => {}
            }
        }
    } else if let Some(to) = context.scope.to.filter(|_| seen.goes_on) {
        return Ended::Begins(format!("{digests} has no digest before {to}"));
    } else if seen.newer {
        return Ended::NotDue;
    }
    Ended::Said(format!("{digests} has no digest"))
}

/// What was found below a Region's folder.
enum Newest {
    /// The keys of the newest day with such an object.
    There(Vec<String>),
    /// Nothing such is there up to that day, but folders of later days are.
    Later,
    /// Nothing is there.
    None,
    /// Too many folders hold nothing such.
    TooFar,
    /// A folder could not be listed.
    NotListed(Finding),
}

/// Looks for the newest day up to `last` that holds such an object, newest folder first.
async fn newest<S: Source>(
    context: &Context<S>,
    bucket: &Arc<str>,
    region: &str,
    last: Date,
    is_such: impl Fn(&str) -> bool,
) -> Newest {
    let (mut open, mut is_later) = (vec![region.to_owned()], false);
    for _ in 0..MOST_FOLDERS {
        let Some(folder) = open.pop() else { return if is_later { Newest::Later } else { Newest::None } };
        let page = match list(context, bucket, &folder).await {
            Ok(page) => page,
            Err(finding) => return Newest::NotListed(finding),
        };
        let such: Vec<String> = page.objects.into_iter().map(|object| object.key).filter(|key| is_such(key)).collect();
        if !such.is_empty() {
            return Newest::There(such);
        }
        let (mut below, later): (Vec<String>, Vec<String>) =
            page.folders.into_iter().partition(|below| may_hold(&below[region.len()..], last));
        is_later |= !later.is_empty();
        below.sort_unstable();
        open.extend(below);
    }
    Newest::TooFar
}

/// Whether `2026/`, `2026/01/` or `2026/01/02/` begins by that day.
fn may_hold(dates: &str, last: Date) -> bool {
    dates.matches('/').count() <= 3 && span_of(dates).is_some_and(|(first, _)| first <= last)
}

async fn list<S: Source>(context: &Context<S>, bucket: &str, folder: &str) -> Result<Page, Finding> {
    let mut whole = Page::default();
    loop {
        let continuation = whole.next.take();
        let request =
            ListRequest { bucket, prefix: folder, by_folder: true, continuation: continuation.as_deref(), after: None };
        match context.retry.run(|| context.source.list(request)).await {
            Ok(page) => {
                whole.objects.extend(page.objects);
                whole.folders.extend(page.folders);
                whole.next = page.next;
            }
            Err(error) => {
                let sentence = format!("the folder cannot be listed, so what it holds is unknown: {error}");
                let finding = Finding::new(FindingId::ListingFailed, folder, sentence);
                return Err(finding.with_optional_hint(error.hint_for(Purpose::Listing)));
            }
        }
        if whole.next.is_none() || context.is_cancelled() {
            return Ok(whole);
        }
    }
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
pub(super) async fn judge<S: Source>(
    context: &Context<S>,
    prefix: &str,
    mut known: Known,
    reaches: &[Reach],
    period: &Period,
    not_listed: &[String],
) -> Vec<Finding> {
    let scope = &context.scope;
    let mut held = reach::hold(reaches.iter().filter(|reach| scope.includes_trail(&reach.chain.trail)), period);
    held.alone.extend(logs_not_listed(prefix));
    if not_listed.is_empty() {
        let there = reaches.iter().filter(|reach| reach.known.is_some() || reach.outside.before.is_some());
        held.alone.extend(not_found(scope, &known, &there.map(|reach| reach.chain.trail.as_str()).collect()));
    }
    known.forget(not_listed);
    known.tell(context, reaches, &mut held).await;
    held.into_findings()
}
