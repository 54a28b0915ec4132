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

use jiff::tz::Offset;
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
                chain.ends.insert(digest.name.end);
                pointed.extend(digest.pointed());
                chain.windows.push(window);
            }
        }
        let mut oldest_first: Vec<usize> = (0..self.digests.len()).collect();
        oldest_first.sort_by_key(|&at| self.digests[at].name.end);
        let mut planted = Vec::new();
        for at in oldest_first {
            let digest = &self.digests[at];
            let Some(chain) = chains.get_mut(&id_of(digest)) else { continue };
            let end = digest.name.end;
            let cannot_be = is_misdated(digest)
                || chain.covers(end)
                || (!digest.claims_its_place() && !chain.may_end_at(end, any_signed));
            if is_none(digest) && cannot_be && !pointed.contains(&digest.place) {
                planted.push(at);
            } else {
                chain.reached = chain.reached.max(Some(end));
            }
        }
        planted
    }
}

/// What is known of a chain by its signed digests, and how far it was followed.
#[derive(Default)]
struct Signed {
    windows: Vec<Window>,
    /// The times in their names.
    ends: BTreeSet<Timestamp>,
    /// The end of the newest object so far that may be one of its digests.
    reached: Option<Timestamp>,
}

impl Signed {
    fn covers(&self, end: Timestamp) -> bool {
        self.windows.iter().any(|window| window.from < end && end < window.to)
    }

    /// Whether another digest of the chain may have ended then.
    fn may_end_at(&self, end: Timestamp, any_signed: bool) -> bool {
        let Some(newest) = self.windows.iter().map(|window| window.to).max() else { return !any_signed };
        let in_step = self.windows.iter().any(|window| second_of_hour(window.to) == second_of_hour(end));
        let follows = self.reached.is_none_or(|reached| end.duration_since(reached) <= NEXT);
        in_step && !self.ends.contains(&end) && (end <= newest || follows)
    }
}

/// Whether what was read is no digest, or could not be told to be one.
fn is_none(digest: &DigestObject) -> bool {
    matches!(digest.standing(), Standing::Altered | Standing::Malformed) || digest.has_problem(FindingId::SignatureLost)
}

fn is_misdated(digest: &DigestObject) -> bool {
    Offset::UTC.to_datetime(digest.name.end).date() != digest.name.day
}

fn second_of_hour(time: Timestamp) -> i64 {
    time.as_second().rem_euclid(3600)
}
