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
use crate::archive::folder::{self, Step, Within};
use crate::archive::inventory::{Inventory, is_left_out};
use crate::archive::key::{self, AccountRegion, DIGEST_FOLDER, LogKind};
use crate::archive::scope::Scope;
use crate::finding::{Finding, FindingId};
use crate::metrics::Metrics;
use crate::source::{ListRequest, NotFollowed, Page, Purpose, Refused, Source, SourceError};

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
#[derive(Clone)]
struct Work {
    bucket: Arc<str>,
    prefix: String,
    by_folder: bool,
    continuation: Option<String>,
    split: Option<Split>,
    /// Whether it failed in passing before.
    is_again: bool,
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
    list_all(context, bucket, vec![prefix.to_owned()], &context.scope, thoroughness).await
}

/// Lists everything in scope of one account and Region below `root` of `bucket`, which need not be the archive's.
///
/// # Errors
/// As [`discover`].
pub async fn discover_place<S: Source>(
    context: &Context<S>,
    bucket: &Arc<str>,
    root: &str,
    place: &AccountRegion,
) -> Result<(Inventory, Vec<Finding>), SourceError> {
    let folders = LogKind::ALL.into_iter().map(LogKind::folder).chain([DIGEST_FOLDER]);
    let folders = folders.map(|folder| format!("{root}{}/{folder}/{}/", place.account, place.region));
    // The chain is followed under whatever organization it was; what lies there of other places is not theirs.
    let scope = Scope {
        accounts: vec![place.account],
        regions: vec![place.region.clone()],
        organizations: Vec::new(),
        ..context.scope.clone()
    };
    let (inventory, mut findings) =
        list_all(context, bucket, folders.collect(), &scope, Thoroughness::CloudTrailOnly).await?;
    if !bucket.is_empty() {
        for finding in findings.iter_mut().filter(|finding| finding.id == FindingId::ListingFailed) {
            finding.object = format!("s3://{bucket}/{}", finding.object);
        }
    }
    Ok((inventory, findings))
}

async fn list_all<S: Source>(
    context: &Context<S>,
    bucket: &Arc<str>,
    prefixes: Vec<String>,
    scope: &Scope,
    thoroughness: Thoroughness,
) -> Result<(Inventory, Vec<Finding>), SourceError> {
    let mut listing = Listing::new::<S>(scope, thoroughness);
    for prefix in prefixes {
        listing.follow(bucket.clone(), prefix, None);
    }
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
    let (mut findings, mut again) = (Vec::new(), Vec::new());
    let mut running = FuturesUnordered::new();
    // Pages of a directory hold whole Regions and come faster than they are filed.
    let at_once = if S::IS_LOCAL { LOCAL_AT_ONCE } else { context.concurrency };
    loop {
        while running.len() < at_once && !context.is_cancelled() {
            let Some(work) = listing.queue.pop_front() else { break };
            running.push(list_page(context, work));
        }
        let Some((work, outcome)) = running.next().await else {
            if again.is_empty() {
                break;
            }
            listing.queue.extend(again.drain(..));
            continue;
        };
        match outcome {
            Ok(page) => {
                Metrics::add(&context.metrics.listed, page.objects.len() as u64);
                findings.extend(page.refused.iter().filter_map(|refused| listing.not_followed(refused)));
                if enough(&page) {
                    break;
                }
                listing.take(work, page);
            }
            Err(error @ SourceError::NoSuchPlace { .. }) => return Err(error),
            // What passes may have passed when everything else is listed.
            Err(error) if error.is_transient() && !work.is_again && !context.is_cancelled() => {
                again.push(Work { is_again: true, ..work });
            }
            Err(error) => findings.push(not_listed(&work.prefix, &error)),
        }
    }
    Ok(findings)
}

/// Hands every page of one folder to `take`.
///
/// # Errors
/// Why a page could not be had; those before it were taken.
pub(super) async fn each_page<S: Source>(
    context: &Context<S>,
    bucket: &Arc<str>,
    folder: &str,
    mut take: impl FnMut(Page),
) -> Result<(), SourceError> {
    let (bucket, prefix) = (bucket.clone(), folder.to_owned());
    let mut work = Work { bucket, prefix, by_folder: true, continuation: None, split: None, is_again: false };
    loop {
        let (asked, page) = list_page(context, work).await;
        let mut page = page?;
        let continuation = page.next.take();
        take(page);
        if continuation.is_none() {
            return Ok(());
        }
        work = Work { continuation, ..asked };
    }
}

/// What is said of a folder that could not be listed.
pub(super) fn not_listed(prefix: &str, error: &SourceError) -> Finding {
    let folder = if prefix.is_empty() { "the archive" } else { prefix };
    let sentence = format!("the folder cannot be listed, so what it holds is unknown: {error}");
    Finding::new(FindingId::ListingFailed, folder, sentence).with_optional_hint(error.hint_for(Purpose::Listing))
}

/// The folders that were not looked into, by what the listing found; where one lies behind a link, that is told with a `/`
/// at its end.
pub(super) fn folders_not_listed(findings: &[Finding]) -> Vec<String> {
    let is_folder = |finding: &&Finding| finding.id == FindingId::ListingFailed || finding.object.ends_with('/');
    findings.iter().filter(is_folder).map(|finding| finding.object.clone()).collect()
}

async fn list_page<S: Source>(context: &Context<S>, work: Work) -> (Work, Result<Page, SourceError>) {
    let (source, retry, requests) = (context.source.clone(), context.retry.clone(), context.requests.clone());
    let asked = work.clone();
    let page = spawn(async move {
        let ask = || async {
            let _permit = requests.acquire().await;
            let request = ListRequest {
                bucket: &asked.bucket,
                prefix: &asked.prefix,
                by_folder: asked.by_folder,
                continuation: asked.continuation.as_deref(),
                after: asked.flat_after(),
            };
            source.list(request).await
        };
        retry.run(ask).await
    });
    let page = context.unless_stopped(page).await;
    (work, page)
}

/// How a folder is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// What lies directly in it, and the folders in it.
    ByFolder,
    /// Everything below it.
    Flat,
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
        let work = Work { is_again: false, ..work };
        let after = work.split.as_ref().map(|split| split.after.clone());
        let is_new = |key: &str| after.as_deref().is_none_or(|after| key > after);
        for object in page.objects.iter().filter(|object| is_new(&object.key)) {
            self.inventory.add(&work.bucket, &object.key, object.size, self.scope);
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

    /// What is said of something in a directory that was passed over, if it may be or hold what was asked for.
    fn not_followed(&self, refused: &Refused) -> Option<Finding> {
        let Refused { key, why } = refused;
        let as_folder = format!("{key}/");
        let step = folder::locate(&as_folder).step;
        let may_lead_to_cloudtrails = match step {
            Step::Above => *why == NotFollowed::FolderOutside || as_folder.ends_with("AWSLogs/"),
            _ => true,
        };
        // Readers leave files out by their names; a folder may hold files of any name.
        let (is_folder, is_known) = match why {
            NotFollowed::FolderOutside | NotFollowed::Circle | NotFollowed::TooManyLinks => (true, true),
            NotFollowed::Outside | NotFollowed::NoFile => (false, true),
            NotFollowed::Nowhere { .. } => (!key::is_named_like_cloudtrails(key), false),
        };
        let is_passed_over = is_left_out(key) && !(is_folder && is_known);
        if !may_lead_to_cloudtrails || is_passed_over || self.asked(&step, None).is_none() {
            return None;
        }
        let (id, hint) = match why {
            NotFollowed::NoFile => (FindingId::NotAFile, "it was not opened; find out who made it"),
            _ => (FindingId::LinkNotFollowed, "copy what it leads to into the directory, or mount it there"),
        };
        let object = if is_folder { &as_folder } else { key };
        Some(Finding::new(id, object, format!("what stands here was not looked at: {why}")).with_hint(hint))
    }

    /// Queues a folder, unless it is out of scope.
    fn follow(&mut self, bucket: Arc<str>, prefix: String, split: Option<Split>) {
        let located = folder::locate(&prefix);
        let asked = self.asked(&located.step, split.as_ref());
        // What readers of a folder read that was asked for is listed, whatever lies between.
        let in_outer = || located.outer.as_ref().filter(|outer| self.scope.includes_folder(outer)).map(|_| How::Flat);
        let by_folder = match asked.or_else(in_outer) {
            Some(how) => how == How::ByFolder,
            None => {
                if located.step == Step::OtherService {
                    self.inventory.left_alone.insert(prefix);
                }
                return;
            }
        };
        if let Step::Within(within) = &located.step {
            self.inventory.know(&bucket, within);
        }
        self.queue.push_back(Work { bucket, prefix, by_folder, continuation: None, split, is_again: false });
    }

    /// How a folder is listed; `None` where it was not asked for.
    fn asked(&self, step: &Step<'_>, split: Option<&Split>) -> Option<How> {
        match step {
            Step::Above => Some(How::ByFolder),
            Step::Organization(org) => self.scope.includes_organization(Some(org)).then_some(How::ByFolder),
            Step::Account(org, account) => {
                let asked = self.scope.includes_organization(org.as_ref()) && self.scope.includes_account(*account);
                asked.then_some(How::ByFolder)
            }
            Step::OtherService => (self.thoroughness == Thoroughness::Everything).then_some(How::Flat),
            Step::Within(within) if !self.scope.includes_folder(within) => None,
            Step::Within(within) => match below(within) {
                Below::Nothing => Some(How::ByFolder),
                Below::Region if self.is_local || self.scope.from.is_some() || self.scope.to.is_some() => {
                    Some(How::ByFolder)
                }
                Below::Region | Below::Odd => Some(How::Flat),
                Below::Dates(dates) if !self.may_hold(dates) => None,
                Below::Dates(dates) => {
                    let depth = split.map_or(3, |split| split.depth);
                    Some(if dates.matches('/').count() < depth { How::ByFolder } else { How::Flat })
                }
            },
        }
    }

    /// Whether a folder of a year, month or day (`2026/`, `2026/01/`, …) may hold what is asked for.
    ///
    /// A day of slack on either side: digests end later than their logs, and names are UTC.
    fn may_hold(&self, dates: &str) -> bool {
        let Some((first, last)) = span_of(dates) else { return true };
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
    let Step::Within(within) = folder::locate(prefix).step else { return None };
    let above = match below(&within) {
        Below::Region => 0,
        Below::Dates(dates) => dates.matches('/').count(),
        Below::Nothing | Below::Odd => return None,
    };
    let shared = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    let depth = above + last.get(prefix.len()..shared)?.matches('/').count();
    (depth > above && depth <= 3).then(|| Split { after: last.into(), depth })
}

/// First and last day of the folder of a year, month or day, written as CloudTrail writes them.
pub(super) fn span_of(dates: &str) -> Option<(Date, Date)> {
    let parts: Vec<&str> = dates.split_terminator('/').collect();
    let number = |at: usize, digits: usize| {
        let text: &&str = parts.get(at)?;
        let written = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
        written.then(|| text.parse::<i16>().ok()).flatten()
    };
    let (year, month, day) = (number(0, 4)?, number(1, 2), number(2, 2));
    let small = |number: Option<i16>| i8::try_from(number?).ok();
    match parts.len() {
        1 => Some((Date::new(year, 1, 1).ok()?, Date::new(year, 12, 31).ok()?)),
        2 => {
            let first = Date::new(year, small(month)?, 1).ok()?;
            Some((first, first.last_of_month()))
        }
        _ => {
            let day = Date::new(year, small(month)?, small(day)?).ok()?;
            Some((day, day))
        }
    }
}

/// What stands in a folder of logs or digests above a listing.
enum Below<'a> {
    /// The folder itself.
    Nothing,
    /// A Region's folder.
    Region,
    /// Below a Region: `2026/`, `2026/01/`, `2026/01/02/`, or anything else that someone put there.
    Dates(&'a str),
    /// What CloudTrail would not make there.
    Odd,
}

fn below<'a>(within: &Within<'a>) -> Below<'a> {
    match within.region() {
        _ if within.rest.is_empty() => Below::Nothing,
        Some((_, "")) => Below::Region,
        Some((_, dates)) => Below::Dates(dates),
        None => Below::Odd,
    }
}
