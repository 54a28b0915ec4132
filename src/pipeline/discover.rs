//! Lists an archive into an [`Inventory`], following the folders that lead to CloudTrail's own.
//!
//! ```text
//! by folder:  AWSLogs/ ─▶ o-x/ ─▶ account/ ─▶ kind/ ─▶ Region/        one request each
//! flat:                                               Region/ ─▶ page ─▶ page ─▶ …   while each page spans long times
//! split:      a full page that fits one day: by folder again, and every later day flat, side by side
//! ```
//!
//! Pages of one listing come one after the other, so a busy Region would take as long as all others together. It is split
//! at the folders (years, months or days) that a page fits in: then each part is worth requests of its own.
//! Invariant: after a split every key is listed at most once and at least once: what comes behind the last key of the page.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::{Context, spawn};
use crate::archive::ids::{AccountId, OrgId, Region};
use crate::archive::inventory::Inventory;
use crate::archive::key::{AccountRegion, DIGEST_FOLDER, LogKind};
use crate::archive::scope::Scope;
use crate::finding::{Finding, FindingId};
use crate::metrics::Metrics;
use crate::source::{ListRequest, Page, Source, SourceError};

/// Folders of a directory that are listed at once.
const LOCAL_AT_ONCE: usize = 3;

/// How much to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thoroughness {
    /// CloudTrail's folders only; folders of other services are named.
    CloudTrailOnly,
    /// Everything, so that it can be counted.
    Everything,
}

/// A folder or flat prefix still to list.
struct Work {
    bucket: Arc<str>,
    prefix: String,
    by_folder: bool,
    continuation: Option<String>,
    split: Option<Split>,
}

/// A listing that goes on in parts.
#[derive(Clone)]
struct Split {
    /// Everything up to this key was listed already.
    after: Arc<str>,
    /// How many folders below the Region the parts lie: 1 for years, 3 for days.
    depth: usize,
}

/// Lists everything in scope below `prefix` of `bucket`.
///
/// # Errors
/// Only when the bucket or directory itself is not there; a folder that cannot be listed becomes a finding.
pub async fn discover<S: Source>(
    context: &Context<S>,
    bucket: &Arc<str>,
    prefix: &str,
    thoroughness: Thoroughness,
) -> Result<(Inventory, Vec<Finding>), SourceError> {
    let mut listing = Listing::new::<S>(&context.scope, thoroughness);
    listing.follow(bucket.clone(), prefix.to_owned(), None);
    let findings = walk(context, &mut listing, |_| false).await?;
    listing.inventory.settle();
    Ok((listing.inventory, findings))
}

/// Whether something is listed below `prefix`, in `scope`, for whose key `is_it` holds: lists until it comes upon one.
///
/// # Errors
/// The first folder that could not be listed, where nothing was found in the others.
pub(super) async fn holds<S: Source>(
    context: &Context<S>,
    bucket: &Arc<str>,
    prefix: &str,
    scope: &Scope,
    is_it: impl Fn(&str) -> bool,
) -> Result<bool, String> {
    let mut listing = Listing::new::<S>(scope, Thoroughness::CloudTrailOnly);
    listing.follow(bucket.clone(), prefix.to_owned(), None);
    let found = std::cell::Cell::new(false);
    let enough = |page: &Page| {
        found.set(found.get() || page.objects.iter().any(|object| is_it(&object.key)));
        found.get()
    };
    let failed = walk(context, &mut listing, enough).await;
    match (found.get(), failed) {
        (true, _) => Ok(true),
        (false, _) if context.is_cancelled() => Err("the run was stopped".to_owned()),
        (false, Ok(failed)) => failed.first().map_or(Ok(false), |failed| Err(failed.sentence.clone())),
        (false, Err(error)) => Err(error.to_string()),
    }
}

/// Lists what is queued and what that leads to, until `enough` says so of a page.
async fn walk<S: Source>(
    context: &Context<S>,
    listing: &mut Listing<'_>,
    enough: impl Fn(&Page) -> bool,
) -> Result<Vec<Finding>, SourceError> {
    let mut findings = Vec::new();
    let mut running = FuturesUnordered::new();
    // Pages of a directory hold whole Regions and come faster than they are filed.
    let at_once = if S::IS_LOCAL { LOCAL_AT_ONCE } else { context.concurrency };
    loop {
        while running.len() < at_once && !context.is_cancelled() {
            let Some(work) = listing.queue.pop_front() else { break };
            running.push(list_page(context, work));
        }
        let Some((work, outcome)) = running.next().await else { break };
        match outcome {
            Ok(page) => {
                Metrics::add(&context.metrics.listed, page.objects.len() as u64);
                if enough(&page) {
                    break;
                }
                listing.take(work, page);
            }
            Err(error @ SourceError::NoSuchPlace { .. }) => return Err(error),
            Err(error) => {
                let folder = if work.prefix.is_empty() { "the archive" } else { work.prefix.as_str() };
                let sentence = format!("the folder cannot be listed, so what it holds is unknown: {error}");
                let finding = Finding::new(FindingId::ListingFailed, folder, sentence);
                findings.push(match error.hint() {
                    Some(hint) => finding.with_hint(hint),
                    None => finding,
                });
            }
        }
    }
    Ok(findings)
}

async fn list_page<S: Source>(context: &Context<S>, work: Work) -> (Work, Result<Page, SourceError>) {
    let (source, retry) = (context.source.clone(), context.retry);
    spawn(async move {
        let page = retry
            .run(|| {
                source.list(ListRequest {
                    bucket: &work.bucket,
                    prefix: &work.prefix,
                    by_folder: work.by_folder,
                    continuation: work.continuation.as_deref(),
                    after: work.flat_after(),
                })
            })
            .await;
        (work, page)
    })
    .await
}

struct Listing<'a> {
    scope: &'a Scope,
    is_local: bool,
    thoroughness: Thoroughness,
    queue: VecDeque<Work>,
    inventory: Inventory,
}

impl Work {
    /// Where a flat listing starts. By folder, what was listed already is left out here, because stores differ in whether
    /// a folder that holds the key counts as behind it.
    fn flat_after(&self) -> Option<&str> {
        self.split.as_ref().filter(|_| !self.by_folder && self.continuation.is_none()).map(|split| &*split.after)
    }
}

impl<'a> Listing<'a> {
    fn new<S: Source>(scope: &'a Scope, thoroughness: Thoroughness) -> Self {
        let (queue, inventory) = (VecDeque::new(), Inventory::default());
        Self { scope, is_local: S::IS_LOCAL, thoroughness, queue, inventory }
    }

    /// Files a page, and queues what it leads to.
    fn take(&mut self, work: Work, page: Page) {
        let after = work.split.as_ref().map(|split| split.after.clone());
        let is_new = |key: &str| after.as_deref().is_none_or(|after| key > after);
        for object in page.objects.iter().filter(|object| is_new(&object.key)) {
            self.inventory.add(&work.bucket, &object.key, object.size);
        }
        for folder in page.folders {
            let holds_last = after.as_deref().is_some_and(|after| after.starts_with(&folder));
            if is_new(&folder) || holds_last {
                self.follow(work.bucket.clone(), folder, work.split.clone());
            }
        }
        if page.next.is_none() {
            return;
        }
        let ends = page.objects.first().zip(page.objects.last()).filter(|_| !work.by_folder);
        match ends.and_then(|(first, last)| split_at(&work.prefix, &first.key, &last.key)) {
            Some(split) => {
                let work = Work { by_folder: true, continuation: None, split: Some(split), ..work };
                self.queue.push_front(work);
            }
            None => self.queue.push_front(Work { continuation: page.next, ..work }),
        }
    }

    /// Queues a folder, unless it is out of scope.
    fn follow(&mut self, bucket: Arc<str>, prefix: String, split: Option<Split>) {
        let by_folder = match role(&prefix) {
            Role::Above => true,
            Role::Organization(org) => {
                if !self.scope.includes_organization(Some(&org)) {
                    return;
                }
                true
            }
            Role::Account(org, account) => {
                if !self.scope.includes_organization(org.as_ref()) || !self.scope.includes_account(account) {
                    return;
                }
                true
            }
            Role::OtherService => {
                if self.thoroughness == Thoroughness::CloudTrailOnly {
                    self.inventory.left_alone.insert(prefix);
                    return;
                }
                false
            }
            Role::Kind(kind) => {
                if kind.is_some_and(|kind| !self.scope.includes_kind(kind)) {
                    return;
                }
                true
            }
            Role::Region(place) => {
                if !self.scope.includes(&place) {
                    return;
                }
                self.is_local || self.scope.from.is_some() || self.scope.to.is_some()
            }
            Role::Dates(dates) => {
                if !self.may_hold(&dates) {
                    return;
                }
                dates.matches('/').count() < split.as_ref().map_or(3, |split| split.depth)
            }
        };
        self.queue.push_back(Work { bucket, prefix, by_folder, continuation: None, split });
    }

    /// Whether a folder of a year, month or day (`2026/`, `2026/01/`, …) may hold what is asked for.
    ///
    /// A day of slack on either side: digests end later than their logs, and names are UTC.
    fn may_hold(&self, dates: &str) -> bool {
        let numbers: Option<Vec<i16>> =
            dates.split('/').filter(|part| !part.is_empty()).map(|n| n.parse().ok()).collect();
        let Some((first, last)) = numbers.as_deref().and_then(span_of) else { return true };
        let day = SignedDuration::from_hours(24);
        let bound = |time: Timestamp, slack| {
            time.checked_add(slack)
                .map_or_else(|_| Offset::UTC.to_datetime(time), |t| Offset::UTC.to_datetime(t))
                .date()
        };
        self.scope.digests_from().is_none_or(|from| last >= bound(from, -day))
            && self.scope.to.is_none_or(|to| first <= bound(to, day))
    }
}

/// Where a flat listing of `prefix` is better split, whose page goes from key `first` to key `last`.
fn split_at(prefix: &str, first: &str, last: &str) -> Option<Split> {
    let above = match role(prefix) {
        Role::Region(_) => 0,
        Role::Dates(dates) => dates.matches('/').count(),
        _ => return None,
    };
    let shared = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    let depth = above + last.get(prefix.len()..shared)?.matches('/').count();
    (depth > above && depth <= 3).then(|| Split { after: last.into(), depth })
}

/// First and last day of a year, month or day.
fn span_of(numbers: &[i16]) -> Option<(Date, Date)> {
    let part = |at: usize| numbers.get(at).map(|&n| i8::try_from(n).ok());
    match (numbers.first()?, part(1), part(2)) {
        (&year, None, None) => Some((Date::new(year, 1, 1).ok()?, Date::new(year, 12, 31).ok()?)),
        (&year, Some(month), None) => {
            let first = Date::new(year, month?, 1).ok()?;
            Some((first, first.last_of_month()))
        }
        (&year, Some(month), Some(day)) => {
            let day = Date::new(year, month?, day?).ok()?;
            Some((day, day))
        }
        _ => None,
    }
}

/// What a folder is, by its path.
enum Role {
    Above,
    Organization(OrgId),
    Account(Option<OrgId>, AccountId),
    OtherService,
    /// The folder of a kind of log, or of digests.
    Kind(Option<LogKind>),
    Region(AccountRegion),
    /// Below a Region: `2026/`, `2026/01/`, `2026/01/02/`, or anything else that someone put there.
    Dates(String),
}

fn role(prefix: &str) -> Role {
    let Some(at) = prefix.rfind("AWSLogs/").filter(|&at| at == 0 || prefix.as_bytes()[at - 1] == b'/') else {
        return Role::Above;
    };
    let tail = &prefix[at + "AWSLogs/".len()..];
    let mut parts = tail.split_terminator('/');
    let Some(first) = parts.next() else { return Role::Above };
    let (org, account) = match first.parse::<OrgId>() {
        Ok(org) => match parts.next() {
            None => return Role::Organization(org),
            Some(account) => (Some(org), account),
        },
        Err(_) => (None, first),
    };
    let Ok(account) = account.parse::<AccountId>() else { return Role::OtherService };
    let Some(folder) = parts.next() else { return Role::Account(org, account) };
    let kind = LogKind::ALL.into_iter().find(|kind| kind.folder() == folder);
    if kind.is_none() && folder != DIGEST_FOLDER {
        return Role::OtherService;
    }
    let Some(region) = parts.next() else { return Role::Kind(kind) };
    let Ok(region) = region.parse::<Region>() else { return Role::OtherService };
    let rest: Vec<&str> = parts.collect();
    if rest.is_empty() {
        return Role::Region(AccountRegion { account, region });
    }
    Role::Dates(rest.join("/") + "/")
}
