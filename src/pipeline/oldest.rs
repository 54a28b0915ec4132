//! What is left of the oldest time under a root, to tell what was deleted from what expired.
//!
//! Lifecycle rules take everything away that was put there on one day (UTC), within hours after a midnight. A name says
//! when that was only as far as [`Dated::put`] goes: a digest of 23:50 may have come after midnight, and outlives the logs
//! that it lists. So what is gone may have expired only if nothing that was surely put there on an earlier day is left under
//! its root, in any account; nor, for a log, anything of its own day. Whoever deletes an object and leaves such a thing is
//! told of as having deleted it. Logs that may have expired are [`LogPlace::Expired`](super::plan::LogPlace::Expired).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::plan::PlacePlan;
use super::{Context, discover};
use crate::archive::inventory::Inventory;
use crate::archive::key::{self, DigestName, LogName, ObjectName, day_of};
use crate::archive::scope::Scope;
use crate::source::Source;
use crate::verify::window::{DIGEST_SLACK, NAME_SLACK};

/// What the name of a log or digest says of when it was put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dated {
    /// The time in its name: it was not there before.
    time: Timestamp,
    /// The latest day on which it may have been put there.
    put: Date,
}

impl Dated {
    fn of(time: Timestamp, slack: SignedDuration) -> Self {
        Self { time, put: day_of(time.checked_add(slack).unwrap_or(time)) }
    }

    /// What lies in another day's folder than its name says is not CloudTrail's, and says nothing of what expired.
    fn log(name: &LogName) -> Option<Self> {
        name.is_in_its_day().then(|| Self::of(name.minute, NAME_SLACK))
    }

    /// Backfill digests are made later than their names say, so they outlive what has the same time in its name.
    fn digest(name: &DigestName) -> Option<Self> {
        (!name.backfill && name.is_in_its_day()).then(|| Self::of(name.end, DIGEST_SLACK))
    }

    /// The root that a key lies under, and what its name says.
    fn key(key: &str) -> Option<(&str, Self)> {
        let parsed = key::parse(key);
        let dated = match &parsed.name {
            ObjectName::Log(_, name) => Self::log(name),
            ObjectName::Digest(_, name) => Self::digest(name),
            _ => None,
        };
        Some((parsed.root, dated?))
    }

    /// Whether it is dated as early as `end`.
    pub(super) fn is_as_old_as(self, end: Timestamp) -> bool {
        self.time <= end
    }

    /// Whether it was put there by the day of `time`.
    pub(super) fn is_put_by_the_day_of(self, time: Timestamp) -> bool {
        self.put <= day_of(time)
    }

    /// Whether it was put there before the day of `time`.
    pub(super) fn is_put_before_the_day_of(self, time: Timestamp) -> bool {
        self.put < day_of(time)
    }

    fn oldest(self, other: Self) -> Self {
        Self { time: self.time.min(other.time), put: self.put.min(other.put) }
    }
}

/// The time and the day of the oldest logs and digests that the listing shows under each root.
#[derive(Debug, Default)]
pub(super) struct Oldest(HashMap<String, Dated>);

impl Oldest {
    /// Takes it from a listing.
    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut oldest: Vec<Option<Dated>> = vec![None; inventory.roots.len()];
        let mut note = |root: u32, dated: Option<Dated>| {
            let known = &mut oldest[root as usize];
            *known = known.iter().copied().chain(dated).reduce(Dated::oldest);
        };
        for holdings in inventory.places.values() {
            holdings.digests.iter().for_each(|digest| note(digest.root, Dated::digest(&digest.name)));
            // Logs are in the order of their days: under a single root the first that is dated is the oldest.
            let mut logs = holdings.logs.iter();
            match inventory.roots.as_slice() {
                [_] => note(0, logs.find_map(|log| Dated::log(&log.name))),
                _ => logs.for_each(|log| note(log.root, Dated::log(&log.name))),
            }
        }
        let oldest = inventory.roots.iter().zip(oldest);
        Self(oldest.filter_map(|(root, dated)| Some((root.prefix.clone(), dated?))).collect())
    }

    /// The oldest under a root, by its prefix.
    pub(super) fn under(&self, root: &str) -> Option<Dated> {
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

    /// Whether anything is left under a root that is `old`, of any account, whatever was asked for; it is not looked for
    /// among what is dated after `until`.
    ///
    /// # Errors
    /// Why that could not be found out.
    pub(super) async fn is_left(
        &self,
        root: &str,
        until: Timestamp,
        old: impl Fn(Dated) -> bool,
    ) -> Result<bool, String> {
        let scope = Scope { to: Some(until), ..Scope::default() };
        let below = if root.starts_with(self.prefix) { root } else { self.prefix };
        let is_it = |key: &str| Dated::key(key).is_some_and(|(its_root, dated)| its_root == root && old(dated));
        discover::holds(self.context, self.bucket, below, &scope, is_it).await
    }

    /// Marks logs that digests list in the archive's own bucket, that the listing does not show, and that may have expired.
    pub(super) async fn mark_expired(&self, oldest: &Oldest, plans: &mut [PlacePlan]) {
        let mut latest: BTreeMap<String, Timestamp> = BTreeMap::new();
        for (root, minute) in plans.iter().flat_map(|plan| plan.gone(self.bucket)) {
            if oldest.under(&root).is_some_and(|oldest| !oldest.is_put_by_the_day_of(minute)) {
                let known = latest.entry(root).or_insert(minute);
                *known = minute.max(*known);
            }
        }
        let mut expired = BTreeMap::new();
        for (root, minute) in latest {
            let is_old = |dated: Dated| dated.is_put_by_the_day_of(minute);
            // What cannot be looked into is not known to have been deleted.
            if self.listed_all() || self.is_left(&root, end_of_day(minute), is_old).await != Ok(true) {
                expired.insert(root, minute);
            }
        }
        if !expired.is_empty() {
            plans.iter_mut().for_each(|plan| plan.expire(self.bucket, &expired));
        }
    }
}

/// The last second of a time's day.
fn end_of_day(time: Timestamp) -> Timestamp {
    Offset::UTC.to_timestamp(day_of(time).at(23, 59, 59, 0)).unwrap_or(time)
}
