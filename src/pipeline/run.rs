//! One run from listing to report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::{self, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use super::Context;
use super::asked::{self, Known};
use super::digests;
use super::discover::{self, Thoroughness};
use super::heads::{Comparison, Listed};
use super::keys::{self, KeyService, Keys};
use super::logs::{self, LogSink};
use super::oldest::Look;
use super::plan::{self, PlacePlan};
use super::{address, trail_events};
use crate::acknowledge::{Acknowledgement, Acknowledgements};
use crate::archive::inventory::{Inventory, Root, Tally};
use crate::archive::key::LogKind;
use crate::archive::scope::Scope;
use crate::finding::{Finding, FindingId};
use crate::metrics::Phase;
use crate::report::{Clock, Findings, KeyUse, Outcomes, Output, Records, Report, SCHEMA, ScopeFound, Timings, Tool};
use crate::source::{Source, SourceError};
use crate::verify::address::Addresses;
use crate::verify::chain::{Break, ChainSummary, Conclusion};
use crate::verify::edges::Period;
use crate::verify::heads::{AtHead, Tip};
use crate::verify::reach::{self, Reach};

/// Why a run came to no report.
#[derive(Debug, thiserror::Error)]
pub enum RunError<E: std::error::Error + 'static> {
    /// The archive itself is not there.
    #[error("the archive cannot be read")]
    Archive(#[source] SourceError),
    /// The archive is not the one that the checkpoint is of.
    #[error("the checkpoint is another archive's: of the organizations and accounts that it remembers, none is here")]
    AnotherArchive,
    /// The table could not be written.
    #[error("the table cannot be written")]
    Sink(#[source] E),
}

/// How a run ended, for whoever owns the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It looked at everything: the table may be put in place.
    Whole,
    /// It was stopped: a table would be a part that looks like the whole.
    Interrupted,
}

/// What to look at.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Bucket name, empty for a directory.
    pub bucket: Arc<str>,
    /// Only keys that start with this.
    pub prefix: String,
    /// What time it is, for the whole run.
    pub clock: Clock,
    /// How old a chain's newest digest may be.
    pub max_age: Option<SignedDuration>,
    /// What operators accept.
    pub acknowledgements: Acknowledgements,
    /// What is running, for the report.
    pub tool: Tool,
}

/// Reads and verifies an archive, handing the content of every log to `sink`.
///
/// The report's output is filled in by the caller, who owns the table.
///
/// # Errors
/// [`RunError`] when the archive is not there, or `sink` fails.
pub async fn run<S: Source, K: KeyService, W: LogSink>(
    context: &Context<S>,
    archive: Archive,
    keys: &Keys<K>,
    key_findings: Vec<Finding>,
    sink: Option<Arc<W>>,
    finish: impl FnOnce(Ending) -> Result<Option<Output>, W::Error> + Send + 'static,
) -> Result<Report, RunError<W::Error>> {
    let started = Instant::now();
    let mut findings = Findings::default();
    findings.extend(key_findings);
    context.metrics.enter(Phase::Listing);
    let (mut inventory, listing_findings) =
        discover::discover(context, &archive.bucket, &archive.prefix, Thoroughness::CloudTrailOnly)
            .await
            .map_err(RunError::Archive)?;
    let not_listed: Arc<[String]> = discover::folders_not_listed(&listing_findings).into();
    findings.extend(listing_findings);
    let listed = Instant::now();

    context.metrics.enter(Phase::Digests);
    let period = Period {
        from: context.scope.from,
        to: context.scope.to,
        now: archive.clock.now,
        max_age: archive.max_age,
        digests_from: context.scope.digests_from(),
    };
    let mut found = scope_found(&inventory);
    let remembered = Listed::of(context, &archive.prefix, &inventory);
    let mut known = Known::of(&inventory, &context.scope);
    let (places, told) = judge_places(context, keys, &archive, &mut inventory, &not_listed, &period).await;
    findings.merge(told);
    let mut totals = Totals::default();
    let mut plans = Vec::with_capacity(places.len());
    let mut keys_used = Vec::new();
    for Planned { plan, conclusion, keys, .. } in places {
        known.note(&plan, &conclusion, &context.scope);
        totals.take(conclusion, context);
        keys_used.extend(keys);
        plans.push(plan);
    }
    let (keys_used, told) = keys::tell_used(keys_used);
    findings.extend(told);
    let kinds: BTreeSet<LogKind> = plans.iter().flat_map(|plan| &plan.kinds_named).copied().collect();
    plans.iter_mut().for_each(|plan| plan.settle(&kinds, &mut findings));
    if archive.bucket.is_empty() && remembered.is_elsewhere && totals.digests.verified > 0 {
        return Err(RunError::AnotherArchive);
    }
    let look = Look { context, bucket: &archive.bucket, prefix: &archive.prefix };
    look.mark_expired(&remembered.oldest, &mut plans).await;
    let comparison = Comparison {
        look: &look,
        listed: remembered,
        listed_whole: not_listed.is_empty(),
        in_question: totals.addresses.in_question().is_some(),
        now: period.now,
        chains: &totals.chains,
    };
    let (heads, told_of_heads) = comparison.compare(std::mem::take(&mut totals.at_heads)).await;
    let is_here = |tip: &Tip| *tip.place.bucket == *archive.bucket && tip.place.key.starts_with(&archive.prefix);
    totals.chains.iter_mut().for_each(|chain| chain.tips.retain(is_here));
    let absent =
        asked::judge(context, keys, &archive.prefix, known, (&totals.reaches, &heads), &period, &not_listed).await;
    findings.extend(absent);
    found.misnamed = inventory.misnamed.tally.and(inventory.odd_tally());
    found.trails =
        totals.chains.iter().map(|chain| chain.chain.trail.to_string()).collect::<BTreeSet<_>>().into_iter().collect();
    tell_misnamed(&inventory, &plans, &mut findings);
    let roots: Arc<[Root]> = inventory.roots.as_slice().into();
    let regionless = std::mem::take(&mut inventory.regionless).into_iter();
    let regionless: Vec<PlacePlan> = regionless
        .map(|(place, odd)| PlacePlan::regionless(place, odd, roots.clone(), &context.scope, &plans))
        .collect();
    plans.extend(regionless);
    tell_uncovered_kinds(&plans, &kinds, &mut findings);
    let checked = Instant::now();

    context.metrics.enter(Phase::Logs);
    let watched = trail_events::Watched::of(&totals.breaks);
    let tally = logs::read_all(context, Arc::new(plans), sink, watched, &mut findings).await.map_err(RunError::Sink)?;
    findings.extend(totals.breaks.drain(..).map(|gap| trail_events::name_cause(gap, &tally.trail_events)));
    context.metrics.enter(Phase::Finishing);
    let interrupted = context.is_cancelled();
    if interrupted {
        let sentence = "the run was stopped before it had looked at everything";
        findings.add(Finding::new(FindingId::RunInterrupted, "the run", sentence).with_hint("run again"));
    }
    if totals.nothing_to_verify(&context.scope) {
        let sentence = "nothing was found that could be verified: no digest in what was asked for";
        let hint = address::nothing_found(&inventory, &archive.tool.archive);
        findings.add(Finding::new(FindingId::NothingToVerify, "the archive", sentence).with_hint(hint));
    }
    if let Some(question) = totals.addresses.in_question() {
        address::ask(question, &archive.tool.archive, &mut findings);
        totals.digests.unreadable += std::mem::take(&mut totals.digests.altered);
    }
    findings.extend(told_of_heads);
    let ending = if interrupted { Ending::Interrupted } else { Ending::Whole };
    let output = context.compute(move || finish(ending)).await.map_err(RunError::Sink)?;
    let ended = Instant::now();
    let acknowledged = findings.acknowledge(&archive.acknowledgements);
    let verdict = findings.verdict();
    let severities = findings.severities();
    let (findings, findings_omitted) = findings.into_parts();
    Ok(Report {
        schema: SCHEMA,
        tool: archive.tool,
        verdict,
        exit_code: verdict.exit_code(),
        interrupted,
        clock: archive.clock,
        verified_through: totals.verified_through(&acknowledged),
        scope_asked: context.scope.clone(),
        scope_found: found,
        digests: totals.digests,
        logs: tally.outcomes,
        records: if interrupted { Records::default() } else { tally.records },
        severities,
        findings,
        findings_omitted,
        acknowledged,
        chains: totals.chains,
        keys: keys_used,
        checkpoint: None,
        heads,
        output,
        timings: Timings {
            started: archive.clock.started(),
            listing_seconds: (listed - started).as_secs_f64(),
            digests_seconds: (checked - listed).as_secs_f64(),
            logs_seconds: (ended - checked).as_secs_f64(),
            total_seconds: (ended - started).as_secs_f64(),
            inflated_bytes: tally.inflated_bytes,
            stored_bytes: tally.stored_bytes,
        },
    })
}

/// What became of the digests of one account and Region, and what is to be read there.
struct Planned {
    plan: PlacePlan,
    conclusion: Conclusion,
    told: Findings,
    keys: Vec<KeyUse>,
    aside: Inventory,
}

/// Judges the digests of every account and Region and plans its logs, several at once; the result is in order.
///
/// A digest takes about 300 bytes of memory for each log it lists, a plan half of that: so only as many places are begun
/// as keep the requests busy.
async fn judge_places<S: Source, K: KeyService>(
    context: &Context<S>,
    keys: &Keys<K>,
    archive: &Archive,
    inventory: &mut Inventory,
    not_listed: &Arc<[String]>,
    period: &Period,
) -> (Vec<Planned>, Findings) {
    let places = std::mem::take(&mut inventory.places);
    let roots: Arc<[Root]> = inventory.roots.as_slice().into();
    let listed = digests::Listed { bucket: &archive.bucket, prefix: &archive.prefix, roots: &roots };
    let digests_begun = context.concurrency.saturating_mul(2).min(Semaphore::MAX_PERMITS);
    let room = &Semaphore::new(digests_begun);
    let judging =
        places.into_iter().filter(|(place, _)| context.scope.includes(place)).map(|(place, holdings)| async {
            let digests = holdings.digests.len().min(digests_begun);
            let _room = room.acquire_many(u32::try_from(digests).unwrap_or(u32::MAX)).await;
            let mut judged = digests::judge(context, keys, listed, place, holdings, period.clone()).await;
            let (not_listed, scope, period) = (not_listed.clone(), context.scope.clone(), period.clone());
            let plan = move || {
                let mut told = Findings::default();
                let plan = PlacePlan::new(&mut judged, &not_listed, &scope, &period, &mut told);
                told.extend(std::mem::take(&mut judged.conclusion.findings));
                Planned { plan, conclusion: judged.conclusion, told, keys: judged.keys_used, aside: judged.aside }
            };
            context.compute(plan).await
        });
    let (mut planned, mut findings) = (Vec::<Planned>::new(), Findings::default());
    let mut judged = std::pin::pin!(stream::iter(judging).buffer_unordered(context.concurrency));
    while let Some(mut place) = judged.next().await {
        findings.merge(std::mem::take(&mut place.told));
        inventory.absorb(std::mem::take(&mut place.aside));
        planned.push(place);
    }
    planned.sort_by(|a, b| a.plan.place.cmp(&b.plan.place));
    (planned, findings)
}

#[derive(Default)]
struct Totals {
    addresses: Addresses,
    digests: Outcomes,
    breaks: Vec<Break>,
    chains: Vec<ChainSummary>,
    at_heads: Vec<(String, AtHead)>,
    reaches: Vec<Reach>,
}

impl Totals {
    fn take<S>(&mut self, conclusion: Conclusion, context: &Context<S>) {
        self.digests.add(Outcomes::from(conclusion.outcomes));
        self.addresses.join(conclusion.addresses);
        self.breaks.extend(conclusion.breaks);
        self.at_heads.extend(conclusion.at_heads);
        self.reaches.extend(conclusion.reaches);
        self.chains
            .extend(conclusion.chains.into_iter().filter(|chain| context.scope.includes_trail(&chain.chain.trail)));
    }

    /// Whether no digest of what was asked for, trails and time included, is one that proves anything or should.
    fn nothing_to_verify(&self, scope: &Scope) -> bool {
        let Outcomes { altered, missing, unreadable, malformed, .. } = self.digests;
        // Digests that arrive after the period are read too, because they may list logs of it.
        let is_after = |chain: &ChainSummary| scope.to.is_some_and(|to| chain.first.is_some_and(|first| first >= to));
        let proves = |chain: &ChainSummary| chain.digests > 0 && !is_after(chain);
        altered + missing + unreadable + malformed == 0 && !self.chains.iter().any(proves)
    }

    /// The earliest end of any regular chain that is not known to have ended.
    fn verified_through(&self, acknowledged: &[Acknowledgement]) -> Option<Timestamp> {
        let has_ended = |chain: &ChainSummary| {
            let fact = chain.newest.map(|end| reach::ended(&chain.chain, end));
            fact.is_some_and(|fact| acknowledged.iter().any(|known| known.id == "chain-ended" && known.member == fact))
        };
        let regular = self.chains.iter().filter(|chain| !chain.chain.backfill && !has_ended(chain));
        regular.filter_map(|chain| chain.last).min()
    }
}

fn scope_found(inventory: &Inventory) -> ScopeFound {
    let places = || inventory.places.keys();
    let sorted = |texts: BTreeSet<_>| texts.into_iter().collect();
    ScopeFound {
        organizations: inventory
            .roots
            .iter()
            .filter_map(|root| root.org.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        accounts: places().map(|place| place.account).collect::<BTreeSet<_>>().into_iter().collect(),
        regions: sorted(places().map(|place| place.region.clone()).collect()),
        trails: Vec::new(),
        kinds: inventory.by_kind(),
        misnamed: Tally::default(),
        foreign: inventory.foreign.tally,
        left_alone: inventory.left_alone.iter().cloned().collect(),
    }
}

/// Objects in CloudTrail folders under names that CloudTrail would not give, and that no digest lists. Those with content
/// among logs are read and told of then, as far as they are known by name.
fn tell_misnamed(inventory: &Inventory, plans: &[PlacePlan], findings: &mut Findings) {
    let listed: BTreeSet<&str> = plans.iter().flat_map(|plan| &plan.listed_misnamed).map(String::as_str).collect();
    for name in inventory.misnamed.names.iter().filter(|name| !listed.contains(name.as_str())) {
        let sentence = "the object lies in a CloudTrail folder under a name that CloudTrail would not give it";
        let finding = Finding::new(FindingId::NameUnexpected, name, sentence);
        findings.add(finding.with_hint("it was not read; find out who wrote it"));
    }
    findings.add_omitted(FindingId::NameUnexpected, inventory.misnamed.omitted());
    let unread = inventory.odd_omitted();
    if unread > 0 {
        let sentence = format!(
            "{unread} more objects lie among logs under names that CloudTrail would not give them; they were not read"
        );
        let finding = Finding::new(FindingId::CapReached, "the archive", sentence);
        findings.add(finding.with_hint("find out who wrote them, or look at fewer accounts at a time"));
    }
}

/// Kinds of log that no digest ever names are told once for the kind.
fn tell_uncovered_kinds(plans: &[PlacePlan], kinds: &BTreeSet<LogKind>, findings: &mut Findings) {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for log in plans.iter().flat_map(|plan| &plan.logs) {
        if let plan::LogPlace::Object(object) = &log.place
            && !kinds.contains(&object.name.kind)
        {
            *counts.entry(object.name.kind.folder()).or_default() += 1;
        }
    }
    for (kind, count) in counts {
        let sentence = format!("no digest ever names a log of kind {kind}, so nothing vouches for its {count} logs");
        findings.add(Finding::new(FindingId::KindNeverCovered, kind, sentence));
    }
}
