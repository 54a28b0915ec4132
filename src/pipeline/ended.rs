//! What became of an account and Region of which nothing covers the period.
//!
//! ```text
//! digests before the period ─▶ each chain ended, and when
//! digests after it only ─────▶ begins after it
//! logs of the last hours only ▶ a new account or Region: nothing is due yet
//! no digest ─────────────────▶ told as that, with the time of the newest log
//! ```
//!
//! Folders are looked into one by one, the newest or the oldest first. A name alone is believed where it makes a finding, and
//! never where it would leave one out. What is told does not depend on the period, so that it can be acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::keys::{KeyService, Keys};
use super::{Context, digests, discover, plan};
use crate::source::{Page, Source, SourceError};
use trailproof_proof::archive::ids::OrgId;
use trailproof_proof::archive::key::{
    self, AccountRegion, DIGEST_FOLDER, DigestName, LogKind, LogName, ObjectName, day_of,
};
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::finding::Finding;
use trailproof_proof::verify::chain::ChainId;
use trailproof_proof::verify::digest::Recorded;
use trailproof_proof::verify::reach;

/// Folders that are listed to find one day: years, months and days that hold nothing such are passed over one by one.
const MOST_FOLDERS: usize = 64;

/// The same where other trails go on, so that every day holds something: a trail that was asked for may never have been there.
const FOLDERS_BESIDE: usize = 16;

/// What became of an account and Region.
pub(super) enum Ended {
    /// These ended.
    These(Vec<String>),
    /// Its digests lie after the period.
    Begins(String),
    /// Nothing is due: it is new, or what was asked for was never there.
    NotDue,
}

/// A folder that could not be listed.
pub(super) struct NotListed {
    folder: String,
    error: SourceError,
}

impl NotListed {
    /// Whether it may be listed later.
    pub(super) fn is_passing(&self) -> bool {
        self.error.is_transient()
    }

    /// What is said of it.
    pub(super) fn finding(&self) -> Finding {
        discover::not_listed(&self.folder, &self.error)
    }
}

/// An account and Region under one root.
pub(super) struct Whose<'a> {
    pub(super) bucket: &'a Arc<str>,
    pub(super) root: &'a str,
    pub(super) org: Option<&'a OrgId>,
    pub(super) place: &'a AccountRegion,
    /// Whether it is covered by trails that were not asked for.
    pub(super) others: bool,
}

impl Whose<'_> {
    fn folder(&self, kind: &str) -> String {
        format!("{}{}/{kind}/{}/", self.root, self.place.account, self.place.region)
    }

    /// A regular digest of a trail that was asked for, by its name.
    fn asked(&self, key: &str, scope: &Scope) -> Option<DigestName> {
        match key::parse(key).name {
            ObjectName::Digest(of, name) if of == *self.place => {
                let is_asked = !name.backfill && scope.includes_trail(&name.trail);
                (is_asked && name.is_in_its_day()).then_some(name)
            }
            _ => None,
        }
    }

    fn log(&self, key: &str) -> Option<LogName> {
        match key::parse(key).name {
            ObjectName::Log(of, name) if of == *self.place => Some(name),
            _ => None,
        }
    }
}

/// Looks for what is there of an account and Region besides what was listed; `goes_on` says of a chain that it covers the
/// period elsewhere.
///
/// # Errors
/// The folder that could not be listed.
pub(super) async fn what_became<S: Source, K: KeyService>(
    context: &Context<S>,
    keys: &Keys<K>,
    now: Timestamp,
    whose: &Whose<'_>,
    goes_on: impl Fn(&ChainId) -> bool,
) -> Result<Ended, NotListed> {
    let mut newest = BTreeMap::new();
    let found = newest_before(context, whose, &mut newest).await?;
    if found == Found::There {
        return Ok(ended(context, keys, whose, newest, goes_on).await);
    }
    if whose.others {
        return Ok(Ended::NotDue);
    }
    let digests = whose.folder(DIGEST_FOLDER);
    if let Some(first) = first_day_after(context, whose).await? {
        return Ok(Ended::Begins(format!("{digests} has no digest before {first}")));
    }
    // Where not every folder was looked into, an older digest may be there.
    if found == Found::Nothing && has_only_new_logs(context, now, whose).await? {
        return Ok(Ended::NotDue);
    }
    let newest = newest_log(context, now, whose).await?;
    let newest = newest.map_or_else(|| "no log".to_owned(), |newest| format!("its newest log is of {newest}"));
    let among = if found == Found::TooFar { format!(" in its newest {MOST_FOLDERS} folders") } else { String::new() };
    Ok(Ended::These(vec![format!("{digests} has no digest{among}, and {newest}")]))
}

/// The newest digest of each chain in the newest day before the period that has any which was asked for.
async fn newest_before<S: Source>(
    context: &Context<S>,
    whose: &Whose<'_>,
    newest: &mut BTreeMap<ChainId, (Timestamp, String)>,
) -> Result<Found, NotListed> {
    let Some(from) = context.scope.digests_from() else { return Ok(Found::Nothing) };
    let note = |key: &str| {
        let Some(name) = whose.asked(key, &context.scope).filter(|name| name.end < from) else { return false };
        let chain = ChainId::named(whose.org.cloned(), whose.place, &name);
        let known = newest.entry(chain).or_insert_with(|| (name.end, key.to_owned()));
        if known.0 < name.end {
            *known = (name.end, key.to_owned());
        }
        true
    };
    let most = if whose.others { FOLDERS_BESIDE } else { MOST_FOLDERS };
    look(context, whose.bucket, &whose.folder(DIGEST_FOLDER), (Days::UpTo(day_of(from)), most), note).await
}

/// The first day with a digest after the period.
async fn first_day_after<S: Source>(context: &Context<S>, whose: &Whose<'_>) -> Result<Option<Date>, NotListed> {
    let Some(to) = context.scope.to else { return Ok(None) };
    let mut first = None;
    let note = |key: &str| {
        let day = whose.asked(key, &context.scope).filter(|name| name.end > to).map(|name| name.day);
        first = first.or(day);
        day.is_some()
    };
    look(context, whose.bucket, &whose.folder(DIGEST_FOLDER), (Days::From(day_of(to)), MOST_FOLDERS), note).await?;
    Ok(first)
}

/// Whether there are logs, and none for which a digest is due.
async fn has_only_new_logs<S: Source>(
    context: &Context<S>,
    now: Timestamp,
    whose: &Whose<'_>,
) -> Result<bool, NotListed> {
    let mut are_new = true;
    let note = |key: &str| {
        let log = whose.log(key);
        are_new &= log.as_ref().is_none_or(|name| plan::is_new(name, now));
        log.is_some()
    };
    let logs = whose.folder(LogKind::CloudTrail.folder());
    let found = look(context, whose.bucket, &logs, (Days::From(Date::MIN), MOST_FOLDERS), note).await?;
    Ok(found == Found::There && are_new)
}

/// The time of the newest log.
async fn newest_log<S: Source>(
    context: &Context<S>,
    now: Timestamp,
    whose: &Whose<'_>,
) -> Result<Option<Timestamp>, NotListed> {
    let mut newest = None;
    let note = |key: &str| {
        let minute = whose.log(key).filter(|name| plan::can_be_there(name, now)).map(|name| name.minute);
        newest = newest.max(minute);
        minute.is_some()
    };
    let logs = whose.folder(LogKind::CloudTrail.folder());
    look(context, whose.bucket, &logs, (Days::UpTo(Date::MAX), MOST_FOLDERS), note).await?;
    Ok(newest)
}

/// What the newest digests before the period, by chain, come to.
///
/// A chain that goes on elsewhere may have lain here before. That is believed of a digest that CloudTrail signed.
async fn ended<S: Source, K: KeyService>(
    context: &Context<S>,
    keys: &Keys<K>,
    whose: &Whose<'_>,
    newest: BTreeMap<ChainId, (Timestamp, String)>,
    goes_on: impl Fn(&ChainId) -> bool,
) -> Ended {
    let told = newest.iter().filter(|(chain, _)| !goes_on(chain)).map(|(chain, (end, _))| reach::ended(chain, *end));
    let told: Vec<String> = told.collect();
    if !told.is_empty() {
        return Ended::These(told);
    }
    for (chain, (end, key)) in newest {
        let ObjectName::Digest(_, name) = key::parse(&key).name else { continue };
        let recorded = Recorded { bucket: whose.bucket.to_string(), key };
        if !digests::is_signed(context, keys, whose.place, name, recorded).await {
            return Ended::These(vec![reach::ended(format!("{chain} under {}", whose.root), end)]);
        }
    }
    Ended::NotDue
}

/// Which days are looked into.
#[derive(Clone, Copy)]
enum Days {
    /// Up to this one, the newest first.
    UpTo(Date),
    /// From this one on, the oldest first.
    From(Date),
}

impl Days {
    /// Whether the folder `2026/`, `2026/01/` or `2026/01/02/` may hold such a day.
    fn may_lie_in(self, dates: &str) -> bool {
        let span = discover::span_of(dates).filter(|_| dates.matches('/').count() <= 3);
        span.is_some_and(|(first, last)| match self {
            Self::UpTo(day) => first <= day,
            Self::From(day) => last >= day,
        })
    }
}

/// What was found below a Region's folder.
#[derive(PartialEq, Eq)]
enum Found {
    There,
    Nothing,
    /// Too many folders hold nothing such.
    TooFar,
}

/// Looks for the first folder of such days that holds such an object, among so many at most; all objects of that folder are
/// looked at.
async fn look<S: Source>(
    context: &Context<S>,
    bucket: &Arc<str>,
    region: &str,
    (days, most): (Days, usize),
    mut is_such: impl FnMut(&str) -> bool,
) -> Result<Found, NotListed> {
    let mut open = vec![region.to_owned()];
    for _ in 0..most {
        let Some(folder) = open.pop() else { break };
        let (mut is_there, mut below) = (false, Vec::new());
        let take = |page: Page| {
            page.objects.iter().for_each(|object| is_there |= is_such(&object.key));
            below.extend(page.folders.into_iter().filter(|folder| days.may_lie_in(&folder[region.len()..])));
        };
        if let Err(error) = discover::each_page(context, bucket, &folder, take).await {
            return Err(NotListed { folder, error });
        }
        if is_there {
            return Ok(Found::There);
        }
        below.sort_unstable();
        if matches!(days, Days::From(_)) {
            below.reverse();
        }
        open.extend(below);
    }
    Ok(if open.is_empty() { Found::Nothing } else { Found::TooFar })
}
