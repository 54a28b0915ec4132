//! What must be told of objects that were planted, and what may be said of the rows of each log.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::exemptions::Exemption;
use super::judge::{Judge, Standing, Touch};
use super::model::{Kind, Owner, Place, Thing, World, base, minutes};
use super::moves::Trouble;
use super::objects::Object;
use super::options::Options;
use super::spots::{Odd, Spot};
use super::state::{COPIED_TO, State};
use crate::support::chain::{BUCKET, day};

impl Judge<'_> {
    /// What must be told of a planted object; nothing where something of CloudTrail's lay, which is judged as changed.
    pub fn planted(&self, place: &Place, spot: &Spot) -> Option<Touch> {
        let object = self.state.objects.get(place).filter(|_| self.world.at(place).is_none())?;
        if self.state.trouble.get(place) == Some(&Trouble::Vanished) {
            return None;
        }
        let standing = self.planted_standing(place, spot, object);
        let is_named = match standing {
            Standing::Exempt(Exemption::CopiesOfLogs) => true,
            Standing::Exempt(Exemption::OtherObjects) => {
                // A link that leads out under such a name is passed over.
                spot.is_hidden() && self.is_asked(place, spot) && !self.state.trouble.contains_key(place)
            }
            _ => false,
        };
        let (what, key, owner) = (format!("{spot:?} ({})", place.1), place.1.clone(), spot.told_of(self.world));
        Some(Touch { what, key, owner, standing, is_named })
    }

    /// What must be told of a folder among logs that is a link out of the directory.
    pub fn linked(&self, folder: &str, owner: &Owner) -> Touch {
        let asked = self.options.asks_owner(owner) && self.options.asks_kind(false);
        let standing = if asked { Standing::Told } else { Standing::NotAsked };
        let (what, key, owner) = (format!("the linked folder {folder}"), folder.to_owned(), owner.clone());
        Touch { what, key, owner, standing, is_named: false }
    }

    fn is_asked(&self, place: &Place, spot: &Spot) -> bool {
        let options = self.options;
        let asks_time = match spot {
            Spot::Odd { shape, .. } if shape.is_dated() => self.touches_day(spot.time()),
            Spot::Log { minute, days_off, .. } => {
                let minute = base() + minutes(*minute);
                let is_misdated = *days_off != 0 && self.touches_day(minute + minutes(24 * 60 * i64::from(*days_off)));
                options.asks_minute(minute) || is_misdated
            }
            _ => true,
        };
        let asks_region = match spot {
            Spot::Odd { shape, .. } => shape.is_of_region() || options.regions.is_empty(),
            _ => true,
        };
        let asks_folder = options.asks_owner(&spot.owner(self.world)) && options.asks_place(place);
        asks_folder && options.asks_kind(spot.is_insight()) && asks_time && asks_region
    }

    fn planted_standing(&self, place: &Place, spot: &Spot, object: &Object) -> Standing {
        if spot.is_hidden() || matches!(spot, Spot::Digest { .. } | Spot::OddDigest { .. } | Spot::Outside { .. }) {
            return Standing::Exempt(Exemption::OtherObjects);
        }
        if !self.is_asked(place, spot) {
            return Standing::NotAsked;
        }
        if object.stored.is_empty() {
            return Standing::Harmless;
        }
        // A log by its own name, in folders of its own, is its own account's.
        let as_log = spot.as_log(self.world, self.options.local);
        let owner = as_log.map_or_else(|| spot.owner(self.world), |(owner, ..)| owner);
        let of_region = !matches!(spot, Spot::Odd { shape, .. } if !shape.is_of_region());
        if self.is_copy(&owner, of_region, object) {
            return Standing::Exempt(Exemption::CopiesOfLogs);
        }
        match spot {
            Spot::Log { insight: true, .. } if self.options.acknowledged && self.has_insights() => {
                Standing::Exempt(Exemption::UncoveredKinds)
            }
            _ if self.may_spot_be_pending(spot) => Standing::Exempt(Exemption::Pending),
            _ => Standing::Told,
        }
    }

    /// Whether a digest vouches for the same content in a log of the same account, and Region where it is of one.
    pub fn is_copy(&self, owner: &Owner, of_region: bool, object: &Object) -> bool {
        self.world.things.iter().any(|thing| {
            let Kind::Log { listed_by: Some((segment, nth)), .. } = thing.kind else { return false };
            thing.content == object.content
                && thing.owner.account == owner.account
                && (!of_region || thing.owner.region == owner.region)
                && self.counts(segment, nth)
        })
    }

    /// Whether the untouched archive shows what an operator has to acknowledge of Insights.
    fn has_insights(&self) -> bool {
        let is_insight = |thing: &&Thing| matches!(thing.kind, Kind::Log { insight: true, .. });
        self.world.things.iter().filter(is_insight).any(|thing| self.options.asks(self.world, thing))
    }

    /// Whether any of a day was asked for.
    fn touches_day(&self, time: Timestamp) -> bool {
        let start = start_of_day(time);
        let (from, to) = (self.options.from(), self.options.to());
        from.is_none_or(|from| from < start + minutes(24 * 60)) && to.is_none_or(|to| start < to)
    }

    pub fn may_spot_be_pending(&self, spot: &Spot) -> bool {
        let log = spot.as_log(self.world, self.options.local);
        log.is_some_and(|(owner, time, days_off)| self.may_be_pending(&owner, time, days_off))
    }

    /// Whether an honest log of an account and Region may be named so and not be listed yet: it is new, and newer than
    /// the newest digest, but for the minutes that a delivery takes.
    pub fn may_be_pending(&self, owner: &Owner, minute: Timestamp, days_off: i8) -> bool {
        let now = self.options.now(self.world);
        let of_day = minute.as_second().rem_euclid(86_400) / 60;
        let near_midnight = (of_day < 15 && days_off == -1) || (of_day >= 24 * 60 - 15 && days_off == 1);
        let is_new = minute > now - minutes(3 * 60) && minute <= now + minutes(15);
        let of_place = |segment: &usize| self.world.segments[*segment].owner == *owner;
        let newest = (0..self.world.segments.len()).filter(of_place).filter_map(|segment| self.newest(segment)).max();
        let is_covered = newest.is_some_and(|newest| minute < newest - minutes(10));
        is_new && !is_covered && (days_off == 0 || near_midnight)
    }
}

pub fn start_of_day(time: Timestamp) -> Timestamp {
    format!("{}T00:00:00Z", day(time).replace('/', "-")).parse().unwrap()
}

impl Spot {
    fn is_insight(&self) -> bool {
        matches!(self, Self::Log { insight: true, .. } | Self::Odd { shape: Odd::InInsight, .. })
    }
}

/// What may be said of the rows of each log that was read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RowsAllowed {
    /// Its content is what CloudTrail put there, and so is what the digest that says so begins with.
    pub verified: bool,
    pub pending: bool,
    /// It is a log that rows must be made of: nothing is skipped silently.
    pub due: bool,
}

/// By key.
pub fn rows_allowed(world: &World, options: &Options, state: &State) -> BTreeMap<String, RowsAllowed> {
    let judge = Judge::new(world, options, state);
    let copied = |key: &str| match state.copied {
        // A directory is looked at where the copy lies.
        Some(told) if !(told && options.local) => format!("{COPIED_TO}{key}"),
        _ => key.to_owned(),
    };
    let entries = state.objects.iter().map(|(place, object)| {
        let thing = world.at(place);
        let is_vouched = |thing: &Thing| match thing.kind {
            Kind::Log { listed_by: Some((segment, nth)), .. } => {
                let digest = world.digest(segment, nth);
                let there = state.objects.get(&digest.place);
                there.is_some_and(|there| there.content.starts_with(&digest.content))
            }
            _ => false,
        };
        let verified = thing.is_some_and(|thing| object.content == thing.content && is_vouched(thing));
        let pending = match (thing, state.planted.get(place)) {
            (Some(thing), _) => judge.may_be_pending(&thing.owner, thing.time(), 0),
            (None, Some(spot)) => judge.may_spot_be_pending(spot),
            _ => false,
        };
        let due = thing.is_some_and(|thing| matches!(thing.kind, Kind::Log { .. }) && judge.asks(thing));
        let key = if place.0 == BUCKET || options.local { copied(&place.1) } else { place.1.clone() };
        (key, RowsAllowed { verified, pending, due })
    });
    entries.collect()
}
