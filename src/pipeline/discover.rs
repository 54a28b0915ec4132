//! Lists an archive into an [`Inventory`], following the folders that lead to CloudTrail's own.

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
use crate::source::{ListRequest, Source, SourceError};

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
    let mut listing =
        Listing { scope: &context.scope, thoroughness, queue: VecDeque::new(), inventory: Inventory::default() };
    listing.follow(bucket.clone(), prefix.to_owned());
    let mut findings = Vec::new();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < context.concurrency && !context.is_cancelled() {
            let Some(work) = listing.queue.pop_front() else { break };
            running.push(list_page(context, work));
        }
        let Some((work, outcome)) = running.next().await else { break };
        match outcome {
            Ok(page) => {
                Metrics::add(&context.metrics.listed, page.objects.len() as u64);
                for object in &page.objects {
                    listing.inventory.add(&work.bucket, &object.key, object.size);
                }
                for folder in page.folders {
                    listing.follow(work.bucket.clone(), folder);
                }
                if page.next.is_some() {
                    listing.queue.push_front(Work { continuation: page.next, ..work });
                }
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
    listing.inventory.settle();
    Ok((listing.inventory, findings))
}

async fn list_page<S: Source>(context: &Context<S>, work: Work) -> (Work, Result<crate::source::Page, SourceError>) {
    let (source, retry) = (context.source.clone(), context.retry);
    spawn(async move {
        let page = retry
            .run(|| {
                source.list(ListRequest {
                    bucket: &work.bucket,
                    prefix: &work.prefix,
                    by_folder: work.by_folder,
                    continuation: work.continuation.as_deref(),
                })
            })
            .await;
        (work, page)
    })
    .await
}

struct Listing<'a> {
    scope: &'a Scope,
    thoroughness: Thoroughness,
    queue: VecDeque<Work>,
    inventory: Inventory,
}

impl Listing<'_> {
    /// Queues a folder, unless it is out of scope.
    fn follow(&mut self, bucket: Arc<str>, prefix: String) {
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
                self.scope.from.is_some() || self.scope.to.is_some()
            }
            Role::Dates(dates) => {
                if !self.may_hold(&dates) {
                    return;
                }
                dates.matches('/').count() < 3
            }
        };
        self.queue.push_back(Work { bucket, prefix, by_folder, continuation: None });
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
