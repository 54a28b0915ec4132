//! What must be told of chains of which the newest digests are gone, or all.

use jiff::Timestamp;

use super::exemptions::Exemption;
use super::judge::{Judge, Standing, is_in_place};
use super::model::{Kind, Owner, Place, Thing, minutes};
use super::objects::Object;
use super::spots::Spot;
use crate::support::chain::BUCKET;

impl Judge<'_> {
    /// What must be told of the end of a segment of which the newest digests are gone.
    pub fn end_standing(&self, segment: usize) -> Standing {
        if self.is_end_told(segment) { Standing::Told } else { Standing::Exempt(Exemption::NewestDigests) }
    }

    fn is_end_told(&self, segment: usize) -> bool {
        let of_chain = || self.chain_of(segment);
        let before = of_chain().filter(|&other| other <= segment).filter_map(|other| self.newest(other)).max();
        let after = of_chain().filter(|&other| other > segment).find_map(|other| self.oldest(other));
        match (before, after) {
            (Some(_), Some(_)) => true,
            (None, Some(begin)) => self.is_start_asked(begin),
            _ if self.world.segments[segment].backfill => false,
            (Some(end), None) => self.is_behind(segment, end),
            (None, None) => self.is_missed(segment),
        }
    }

    fn chain_of(&self, segment: usize) -> impl Iterator<Item = usize> {
        let segments = &self.world.segments;
        let this = &segments[segment];
        let is_same = move |other: &usize| {
            let other = &segments[*other];
            other.owner == this.owner && other.trail == this.trail && other.backfill == this.backfill
        };
        (0..segments.len()).filter(is_same)
    }

    /// Whether a chain that begins here does not cover the start of the period.
    fn is_start_asked(&self, begin: Timestamp) -> bool {
        self.options.from().is_some_and(|from| begin > from + minutes(2 * 60))
    }

    /// Whether a chain that now ends here ends too early.
    fn is_behind(&self, segment: usize, end: Timestamp) -> bool {
        let (world, options) = (self.world, self.options);
        let this = &world.segments[segment];
        let of_trail = |other: &usize| {
            let other = &world.segments[*other];
            other.trail == this.trail && other.owner.org == this.owner.org && !other.backfill
        };
        let siblings = (0..world.segments.len()).filter(of_trail).filter_map(|other| self.newest(other));
        if siblings.max().is_some_and(|newest| newest.duration_since(end) > minutes(3 * 60)) {
            return true;
        }
        let due = options.now(world) - minutes(3 * 60);
        match (options.from(), options.to()) {
            (_, Some(to)) if self.is_left(segment, |thing| thing.time() > to) => end < to.min(due),
            (_, Some(to)) => end < due.min(to - minutes(2 * 60)),
            (Some(_), None) => end < due,
            (None, None) => false,
        }
    }

    /// Whether a chain of which nothing is left in what was asked for is missed.
    fn is_missed(&self, segment: usize) -> bool {
        let (world, options) = (self.world, self.options);
        let this = &world.segments[segment];
        let due = options.now(world) - minutes(3 * 60);
        let is_due = options.from().is_none_or(|from| from < due);
        let is_outside = |thing: &Thing| !self.asks(thing);
        if is_due && self.is_left(segment, is_outside) {
            return true;
        }
        let any_left = |is: &dyn Fn(&Owner, &str) -> bool| {
            world.segments.iter().enumerate().any(|(number, other)| {
                !other.backfill && is(&other.owner, &other.trail) && self.newest(number).is_some()
            })
        };
        let owner = &this.owner;
        let is_named = (!options.accounts.is_empty() && !any_left(&|other, _| other.account == owner.account))
            || (!options.regions.is_empty() && !any_left(&|other, _| other.region == owner.region))
            || (!options.orgs.is_empty() && !any_left(&|other, _| other.org == owner.org))
            || (!options.trails.is_empty() && !any_left(&|_, trail| trail == this.trail));
        if is_named {
            return true;
        }
        // Whether another trail of the account and Region, or none, was there is not known.
        if any_left(&|other, _| other.account == owner.account && other.region == owner.region) {
            return false;
        }
        is_due && self.is_known(owner)
    }

    /// Whether a digest of a segment's chain still lies in the listing, and is such.
    fn is_left(&self, segment: usize, is_such: impl Fn(&Thing) -> bool) -> bool {
        let things = self.chain_of(segment).flat_map(|other| &self.world.segments[other].digests);
        let is_there = |thing: &&Thing| self.is_listed(&thing.place) && self.state.objects.contains_key(&thing.place);
        things.map(|&number| &self.world.things[number]).filter(is_there).any(is_such)
    }

    fn is_listed(&self, place: &Place) -> bool {
        self.options.asks_place(place) && (self.options.local || place.0 == BUCKET)
    }

    /// Whether anything that is left shows an account and Region: something of CloudTrail's, or a log. What was planted
    /// besides need not have been.
    fn is_known(&self, owner: &Owner) -> bool {
        // What is new may be the first of an account and Region.
        let is_new = |time: Timestamp| self.may_be_pending(owner, time, 0);
        let shows = |place: &Place, object: &Object| match (self.world.at(place), self.state.planted.get(place)) {
            (Some(Thing { kind: Kind::Log { insight, .. }, .. }), _) if !self.options.asks_kind(*insight) => false,
            (Some(thing), _) => thing.nth().is_some() || !is_new(thing.time()),
            (None, Some(spot @ Spot::Log { .. })) => !object.stored.is_empty() && !is_new(spot.time()),
            _ => false,
        };
        let mut objects = self.state.objects.iter();
        objects.any(|(place, object)| self.is_listed(place) && is_in_place(&place.1, owner) && shows(place, object))
    }

    /// The end of the newest digest of a segment that proves something and was asked for.
    pub fn newest(&self, segment: usize) -> Option<Timestamp> {
        self.that_count(segment).map(|nth| self.world.digest(segment, nth).time()).max()
    }

    /// The start of the oldest.
    fn oldest(&self, segment: usize) -> Option<Timestamp> {
        self.that_count(segment).map(|nth| self.world.digest(segment, nth).time() - minutes(60)).min()
    }

    fn that_count(&self, segment: usize) -> impl Iterator<Item = usize> {
        (0..self.world.segments[segment].digests.len()).filter(move |&nth| self.counts(segment, nth))
    }
}
