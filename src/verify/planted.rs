//! Tells objects that pose as digests from digests that were altered.
//!
//! Anyone who may write to the bucket can put an object under a name that looks like a digest's. Such an object must change
//! nothing, while a digest that was replaced must be told. An object that is no digest counts as planted only when no
//! signed digest points to it and its name cannot be that of a digest that was there:
//!
//! - its day folder is not the day of its time, or
//! - its time lies inside the hours of a signed digest of its chain, or
//! - its content does not claim the place, and its time is none at which another digest of its chain ends: that of a signed
//!   one, one in another minute and second of the hour, or hours after the newest one with nothing between.
//!
//! Where no digest of the chain is signed but others of the account and Region are, a content that does not claim its name
//! counts as planted too: a chain of which nothing was ever signed proves nothing either way.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::chain::{ChainId, Group};
use super::digest::Recorded;
use super::object::{DigestObject, Standing};
use super::window::Window;
use crate::archive::key::AccountRegion;
use crate::finding::{Finding, FindingId};

/// How much later than its predecessor a digest may end and still be the next one.
const NEXT: SignedDuration = SignedDuration::from_mins(90);

impl Group {
    /// Settles planted objects as such.
    pub(super) fn find_planted(&mut self, place: &AccountRegion) {
        for at in self.planted(place) {
            let digest = &mut self.digests[at];
            let sentence = format!("{} poses as a digest, and no signed digest knows it", digest.place.key);
            let finding = Finding::new(FindingId::DigestPlanted, &digest.place.key, sentence)
                .with_hint("find out who wrote it; it changes nothing that was proven");
            digest.settle(Standing::Unlisted, Some(finding));
        }
    }

    fn planted(&self, place: &AccountRegion) -> Vec<usize> {
        let mut pointed: BTreeSet<Recorded> = BTreeSet::new();
        let mut chains: BTreeMap<ChainId, Signed> = BTreeMap::new();
        let mut any_signed = false;
        let id_of = |digest: &DigestObject| ChainId::of(digest, place);
        for digest in &self.digests {
            let chain = chains.entry(id_of(digest)).or_default();
            if let Some(window) = digest.window() {
                any_signed = true;
                chain.add(window, digest.name.end);
                pointed.extend(digest.pointed());
            }
        }
        chains.values_mut().for_each(Signed::settle);
        let mut oldest_first: Vec<usize> = (0..self.digests.len()).collect();
        oldest_first.sort_by_key(|&at| self.digests[at].name.end);
        let mut planted = Vec::new();
        for at in oldest_first {
            let digest = &self.digests[at];
            let Some(chain) = chains.get_mut(&id_of(digest)) else { continue };
            let end = digest.name.end;
            let cannot_be = || {
                !digest.name.is_in_its_day()
                    || chain.covers(end)
                    || (!digest.claims_its_place() && !chain.may_end_at(end, any_signed))
            };
            if is_none(digest) && !pointed.contains(&digest.place) && cannot_be() {
                planted.push(at);
            } else {
                chain.reached = chain.reached.max(Some(end));
            }
        }
        planted
    }
}

/// What is known of a chain by its signed digests, and how far it was followed. An object is held against it without
/// looking at all of them: there may be as many of both.
#[derive(Default)]
struct Signed {
    /// In the order of their starts; once settled, each with the latest end of those up to it.
    windows: Vec<Window>,
    /// The times in their names.
    ends: BTreeSet<Timestamp>,
    /// The seconds of the hour at which they end.
    steps: BTreeSet<i64>,
    /// The end of the newest.
    newest: Option<Timestamp>,
    /// The end of the newest object so far that may be one of its digests.
    reached: Option<Timestamp>,
}

impl Signed {
    fn add(&mut self, window: Window, named: Timestamp) {
        self.windows.push(window);
        self.ends.insert(named);
        self.steps.insert(second_of_hour(window.to));
        self.newest = self.newest.max(Some(window.to));
    }

    fn settle(&mut self) {
        self.windows.sort_unstable();
        let mut latest = Timestamp::MIN;
        for window in &mut self.windows {
            latest = latest.max(window.to);
            window.to = latest;
        }
    }

    fn covers(&self, end: Timestamp) -> bool {
        let started = self.windows.partition_point(|window| window.from < end);
        self.windows[..started].last().is_some_and(|window| end < window.to)
    }

    /// Whether another digest of the chain may have ended then.
    fn may_end_at(&self, end: Timestamp, any_signed: bool) -> bool {
        let Some(newest) = self.newest else { return !any_signed };
        let in_step = self.steps.contains(&second_of_hour(end));
        let follows = self.reached.is_none_or(|reached| end.duration_since(reached) <= NEXT);
        in_step && !self.ends.contains(&end) && (end <= newest || follows)
    }
}

/// Whether what was read is no digest, or could not be told to be one.
fn is_none(digest: &DigestObject) -> bool {
    matches!(digest.standing(), Standing::Altered | Standing::Malformed) || digest.has_problem(FindingId::SignatureLost)
}

fn second_of_hour(time: Timestamp) -> i64 {
    time.as_second().rem_euclid(3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `2026-01-02T00:01:31Z` and so many seconds.
    fn at(second: i64) -> Timestamp {
        let start: Timestamp = "2026-01-02T00:01:31Z".parse().expect("time");
        start + SignedDuration::from_secs(second)
    }

    const HOUR: i64 = 3600;

    /// Two signed digests with an hour between them, and how far the chain was followed.
    fn chain(reached: i64) -> Signed {
        let mut chain = Signed { reached: Some(at(reached)), ..Signed::default() };
        for hour in [2, 0] {
            let window = Window { from: at(hour * HOUR), to: at((hour + 1) * HOUR) };
            chain.add(window, window.to);
        }
        chain.settle();
        chain
    }

    #[test]
    fn the_hours_of_a_signed_digest_hold_no_other_end_between_theirs() {
        for (second, covers) in [
            (0, false),
            (1, true),
            (HOUR - 1, true),
            (HOUR, false),
            (2 * HOUR, false),
            (2 * HOUR + 1, true),
            (3 * HOUR - 1, true),
            (3 * HOUR, false),
        ] {
            assert_eq!(chain(0).covers(at(second)), covers, "{second}");
        }
    }

    #[test]
    fn long_hours_cover_what_lies_behind_shorter_ones_that_start_in_them() {
        let mut chain = chain(0);
        let long = Window { from: at(0), to: at(9 * HOUR) };
        chain.add(long, long.to);
        chain.settle();
        for (hour, covers) in [(1, true), (3, true), (8, true), (9, false)] {
            assert_eq!(chain.covers(at(hour * HOUR)), covers, "{hour}");
        }
    }

    #[test]
    fn another_digest_may_end_in_step_where_none_is_signed_and_not_long_after_the_newest() {
        for (second, reached, may_end) in [
            (2 * HOUR, HOUR, true),
            (2 * HOUR + 1, HOUR, false),
            (2 * HOUR - 1, HOUR, false),
            (2 * HOUR + 1800, HOUR, false),
            (HOUR, 0, false),
            (3 * HOUR, 2 * HOUR, false),
            (4 * HOUR, 3 * HOUR, true),
            (4 * HOUR, 3 * HOUR - 1800, true),
            (4 * HOUR, 3 * HOUR - 1801, false),
            (5 * HOUR, 3 * HOUR, false),
            (5 * HOUR, 4 * HOUR, true),
        ] {
            assert_eq!(chain(reached).may_end_at(at(second), true), may_end, "{second} after {reached}");
        }
    }

    #[test]
    fn of_a_chain_without_signed_digests_any_end_may_be_unless_others_are_signed() {
        assert!(Signed::default().may_end_at(at(0), false));
        assert!(!Signed::default().may_end_at(at(0), true));
    }
}
