//! What is left of the oldest time under a root, to tell what was deleted from what expired.
//!
//! Lifecycle rules take everything away that was put there on one day (UTC), within hours after a midnight. A digest of
//! 23:50 may have been put there after midnight, and outlives the logs that it lists: what may have come after midnight is
//! dated midnight. So what is gone may have expired only if nothing dated on an earlier day is left under its root, in any
//! account; nor, for a log, anything of its own day. Whoever deletes an object and leaves such a thing is told of as having
//! deleted it. Logs that may have expired are [`LogPlace::Expired`](super::plan::LogPlace::Expired).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::plan::PlacePlan;
use super::{Context, discover};
use crate::source::Source;
use trailproof_proof::archive::inventory::Inventory;
use trailproof_proof::archive::key::{self, DigestName, LogName, ObjectName, day_of};
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::verify::window::{DIGEST_ARRIVAL, NAME_SLACK};

/// The time of the oldest log or digest that the listing shows under each root.
#[derive(Debug, Default)]
pub(super) struct Oldest(HashMap<String, Timestamp>);

impl Oldest {
    /// Takes it from a listing.
    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut oldest: Vec<Option<Timestamp>> = vec![None; inventory.roots.len()];
        let mut note = |root: u32, time: Option<Timestamp>| {
            let known = &mut oldest[root as usize];
            *known = known.iter().copied().chain(time).min();
        };
        for holdings in inventory.places.values() {
            holdings.digests.iter().for_each(|digest| note(digest.root, dated_digest(&digest.name)));
            // Logs are in the order of their days: under a single root the first that is dated is the oldest.
            let mut logs = holdings.logs.iter();
            match inventory.roots.as_slice() {
                [_] => note(0, logs.find_map(|log| dated_log(&log.name))),
                _ => logs.for_each(|log| note(log.root, dated_log(&log.name))),
            }
        }
        let oldest = inventory.roots.iter().zip(oldest);
        Self(oldest.filter_map(|(root, time)| Some((root.prefix.clone(), time?))).collect())
    }

    /// The oldest under a root, by its prefix.
    pub(super) fn under(&self, root: &str) -> Option<Timestamp> {
        self.0.get(root).copied()
    }
}

/// Where the archive is, for looking into what the listing left out.
pub(super) struct Look<'a, S> {
    pub(super) context: &'a Context<S>,
    pub(super) bucket: &'a Arc<str>,
    pub(super) prefix: &'a str,
}

impl<S: Source> Look<'_, S> {
    /// Whether the listing shows everything of the oldest time: no part of it was left out.
    pub(super) fn listed_all(&self) -> bool {
        let Scope { accounts, regions, organizations, kinds, .. } = &self.context.scope;
        let all = accounts.is_empty() && regions.is_empty() && organizations.is_empty() && kinds.is_empty();
        all && self.context.scope.digests_from().is_none()
    }

    /// Whether all that lies under a root lies below the address.
    pub(super) fn shows_all_of(&self, root: &str) -> bool {
        root.starts_with(self.prefix)
    }

    /// Whether anything dated up to `end` is left under a root, of any account, whatever was asked for.
    ///
    /// # Errors
    /// Why that could not be found out.
    pub(super) async fn is_left(&self, root: &str, end: Timestamp) -> Result<bool, String> {
        let scope = Scope { to: Some(end), ..Scope::default() };
        let below = if self.shows_all_of(root) { root } else { self.prefix };
        let is_it = |key: &str| {
            let parsed = key::parse(key);
            parsed.root == root && dated(&parsed.name).is_some_and(|time| time <= end)
        };
        discover::holds(self.context, self.bucket, below, &scope, is_it).await
    }

    /// Marks logs that digests list in the archive's own bucket, that the listing does not show, and that may have expired.
    pub(super) async fn mark_expired(&self, oldest: &Oldest, plans: &mut [PlacePlan]) {
        let mut latest: BTreeMap<String, Timestamp> = BTreeMap::new();
        for (root, minute) in plans.iter().flat_map(|plan| plan.gone(self.bucket)) {
            if oldest.under(&root).is_some_and(|oldest| day_of(minute) < day_of(oldest)) {
                let known = latest.entry(root).or_insert(minute);
                *known = minute.max(*known);
            }
        }
        let mut expired = BTreeMap::new();
        for (root, minute) in latest {
            // What cannot be looked into is not known to have been deleted.
            if self.listed_all() || self.is_left(&root, end_of_day(minute)).await != Ok(true) {
                expired.insert(root, minute);
            }
        }
        if !expired.is_empty() {
            plans.iter_mut().for_each(|plan| plan.expire(self.bucket, &expired));
        }
    }
}

/// The time that a log or digest stands for, by its name.
fn dated(name: &ObjectName) -> Option<Timestamp> {
    match name {
        ObjectName::Log(_, name) => dated_log(name),
        ObjectName::Digest(_, name) => dated_digest(name),
        _ => None,
    }
}

/// What lies in another day's folder than its name says is not CloudTrail's, and says nothing of what expired.
fn dated_log(name: &LogName) -> Option<Timestamp> {
    name.is_in_its_day().then(|| put_there(name.minute, NAME_SLACK))
}

/// Backfill digests are made later than their names say, so they outlive what has the same time in its name.
fn dated_digest(name: &DigestName) -> Option<Timestamp> {
    (!name.backfill && name.is_in_its_day()).then(|| put_there(name.end, DIGEST_ARRIVAL))
}

/// The time in a name, or the midnight after which it may have been put there.
fn put_there(time: Timestamp, slack: SignedDuration) -> Timestamp {
    let latest = time.checked_add(slack).unwrap_or(time);
    if day_of(latest) == day_of(time) { time } else { start_of_day(latest) }
}

fn start_of_day(time: Timestamp) -> Timestamp {
    Offset::UTC.to_timestamp(day_of(time).at(0, 0, 0, 0)).unwrap_or(time)
}

/// The last second of a time's day: what was put there on one day goes together.
fn end_of_day(time: Timestamp) -> Timestamp {
    Offset::UTC.to_timestamp(day_of(time).at(23, 59, 59, 0)).unwrap_or(time)
}

/// The last second of the day before a time's.
pub(super) fn end_of_day_before(time: Timestamp) -> Timestamp {
    start_of_day(time).checked_sub(SignedDuration::from_secs(1)).unwrap_or(time)
}
