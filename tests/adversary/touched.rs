//! What must be told of things that CloudTrail put there and somebody touched.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::exemptions::Exemption;
use super::judge::{Fate, Judge, Standing, Touch};
use super::model::{Kind, Owner, Thing, minutes};
use super::planted::start_of_day;

impl Judge<'_> {
    /// Everything of CloudTrail's that is not as it was. Digests come first: logs are judged with them.
    pub fn things_touched(&self) -> Vec<Touch> {
        let things = || self.world.things.iter().zip(&self.fates);
        let (mut digests, mut touches) = (BTreeMap::new(), Vec::new());
        for (thing, &fate) in things().filter(|(thing, _)| thing.nth().is_some()) {
            let standing = self.digest_standing(thing, fate);
            digests.insert(thing.nth(), standing);
            // What is taken for no digest of the chain must not be passed over.
            let is_named = fate == Fate::Changed && matches!(standing, Standing::Exempt(_));
            touches.push((fate, touch(thing, fate, standing, is_named)));
        }
        for (thing, &fate) in things().filter(|(thing, _)| thing.nth().is_none()) {
            let Kind::Log { listed_by, .. } = thing.kind else { continue };
            let digest = listed_by.and_then(|listed_by| digests.get(&Some(listed_by)).copied());
            let standing = self.log_standing(thing, fate, digest);
            let is_named = standing == Standing::Exempt(Exemption::CopiesOfLogs);
            touches.push((fate, touch(thing, fate, standing, is_named)));
        }
        let is_touched = |(fate, touch): &(Fate, Touch)| *fate != Fate::Untouched || touch.standing == Standing::Told;
        touches.into_iter().filter(is_touched).map(|(_, touch)| touch).collect()
    }

    fn digest_standing(&self, digest: &Thing, fate: Fate) -> Standing {
        let Kind::Digest { segment, nth, .. } = digest.kind else { unreachable!("not a digest") };
        let remembered = self.is_remembered(digest) && self.options.asks_remembered(self.world, digest);
        if remembered && matches!(fate, Fate::Changed | Fate::Deleted) {
            // What lies above a narrower address may be as old.
            let is_part = !digest.owner.root.starts_with(self.options.prefix.as_str());
            let expired = fate == Fate::Deleted && (is_part || self.may_have_expired(digest));
            return if expired || !self.sees_all() { Standing::Told } else { Standing::Altered };
        }
        if !self.asks(digest) {
            return Standing::NotAsked;
        }
        match fate {
            Fate::Untouched | Fate::Repacked => Standing::Harmless,
            Fate::SignatureLost if self.proven[segment][nth] => Standing::Harmless,
            Fate::SignatureLost | Fate::Metadata | Fate::Unreadable => Standing::Told,
            Fate::Changed | Fate::Deleted => self.lost_digest_standing(segment, nth, fate),
        }
    }

    /// Whether a digest is gone as lifecycle rules take digests away: with everything of its time, or all but the rest of
    /// its day while that is being taken away, while its root goes on, or its chain elsewhere.
    fn may_have_expired(&self, digest: &Thing) -> bool {
        let (root, owner) = (&digest.owner.root, &digest.owner);
        let goes_on = self.world.things.iter().any(|thing| {
            let is_same = |other: &Owner| other.account == owner.account && other.region == owner.region;
            let is_near = thing.owner.root == *root || is_same(&thing.owner);
            thing.nth().is_some() && is_near && self.state.objects.contains_key(&thing.place)
        });
        let is_open = self.options.checkpoint.made();
        let is_open = is_open.is_some_and(|made| self.options.is_open_head(self.world, digest, made));
        let is_old = self.nothing_older(root, digest.time()) || self.may_day_be_expiring(root, digest.time());
        is_old && (goes_on || !is_open || self.options.is_narrowed())
    }

    /// Whether a lifecycle rule may be partway through a day: from the second midnight on after the day began, while
    /// nothing of the days before is left.
    fn may_day_be_expiring(&self, root: &str, time: Timestamp) -> bool {
        let midnight = start_of_day(time);
        self.options.now(self.world) >= midnight + minutes(2 * 24 * 60)
            && self.nothing_older(root, midnight - minutes(1))
    }

    /// Whether nothing is left that was surely delivered up to the end of a day.
    fn nothing_of_its_day(&self, root: &str, time: Timestamp) -> bool {
        !self.is_any_left(root, |delivered| start_of_day(delivered) <= start_of_day(time))
    }

    /// What must be told of a digest that is no more, and that no checkpoint remembers.
    fn lost_digest_standing(&self, segment: usize, nth: usize, fate: Fate) -> Standing {
        let world = self.world;
        let last = world.segments[segment].digests.len();
        if let Some(later) = (nth + 1..last).find(|&later| self.counts(segment, later)) {
            // Nothing leads to what lies in another bucket when the one in between is gone.
            let same_bucket =
                |other: usize| world.digest(segment, other).place.0 == world.digest(segment, later).place.0;
            let older_left = (0..nth).any(|other| self.counts(segment, other) && same_bucket(other));
            let is_altered = later == nth + 1 && (fate == Fate::Changed || older_left) && self.sees_all();
            return if is_altered { Standing::Altered } else { Standing::Told };
        }
        if fate == Fate::Changed && nth > 0 && self.counts(segment, nth - 1) {
            return Standing::Told;
        }
        self.end_standing(segment)
    }

    fn log_standing(&self, log: &Thing, fate: Fate, digest_standing: Option<Standing>) -> Standing {
        let Kind::Log { minute, listed_by, insight } = log.kind else { unreachable!("not a log") };
        if !self.asks(log) {
            return Standing::NotAsked;
        }
        let object = self.state.objects.get(&log.place);
        let is_empty = object.is_none_or(|object| object.stored.is_empty());
        let Some((segment, nth)) = listed_by else {
            return match fate {
                Fate::Unreadable => Standing::Told,
                _ if fate.is_content_same() => Standing::Harmless,
                _ if object.is_some_and(|object| self.is_copy(&log.owner, true, object)) => {
                    Standing::Exempt(Exemption::CopiesOfLogs)
                }
                _ if insight => Standing::Exempt(Exemption::UncoveredKinds),
                Fate::Changed if !is_empty && !self.may_be_pending(&log.owner, minute, 0) => Standing::Told,
                _ => Standing::Exempt(Exemption::Pending),
            };
        };
        let digest = self.world.digest(segment, nth);
        if self.counts(segment, nth) {
            let is_old =
                self.nothing_older(&log.owner.root, minute) || self.nothing_of_its_day(&log.owner.root, minute);
            let expired = fate == Fate::Deleted && is_old;
            return match fate {
                _ if fate.is_content_same() => Standing::Harmless,
                Fate::Unreadable => Standing::Told,
                _ if self.sees_all() && !expired => Standing::Altered,
                _ => Standing::Told,
            };
        }
        // Nothing vouches for a log without its digest, once that could have arrived.
        let digest_is_gone = matches!(self.fate(digest), Fate::Deleted | Fate::Changed);
        let is_old = !self.may_be_pending(&log.owner, minute, 0);
        match fate {
            Fate::Unreadable => Standing::Told,
            _ if digest_is_gone && is_old && !is_empty && self.asks(digest) => Standing::Told,
            _ if fate.is_content_same() => Standing::Harmless,
            // It is judged with its digest.
            _ => match digest_standing {
                Some(Standing::Harmless) | None => Standing::Told,
                Some(Standing::Altered) => Standing::Told,
                Some(standing) => standing,
            },
        }
    }
}

fn touch(thing: &Thing, fate: Fate, standing: Standing, is_named: bool) -> Touch {
    let key = thing.place.1.clone();
    let (what, owner) = (format!("{} ({key}) {fate:?}", thing.name), thing.owner.clone());
    Touch { what, key, owner, standing, is_named }
}
