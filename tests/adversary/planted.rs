//! What must be told of objects that were planted, and what may be said of the rows of each log.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::exemptions::Exemption;
use super::judge::Judge;
use super::model::{Kind, Place, Thing, World, base, minutes};
use super::moves::Trouble;
use super::options::Options;
use super::spots::{Odd, Spot};
use super::state::{COPIED_TO, State};
use crate::support::chain::{BUCKET, day};

impl Judge<'_> {
    pub fn judge_planted(&mut self, place: &Place, spot: &Spot) {
        let (world, options) = (self.world, self.options);
        // What was there before is judged as changed.
        let Some(object) = self.state.objects.get(place).filter(|_| world.at(place).is_none()) else { return };
        if self.state.trouble.get(place) == Some(&Trouble::Vanished) {
            return;
        }
        let owner = spot.owner(world);
        let what = format!("{spot:?} ({})", place.1);
        let asked = options.asks_owner(&owner) && options.asks_place(place) && options.asks_kind(spot.is_insight());
        let is_listed = |thing: &Thing| matches!(thing.kind, Kind::Log { listed_by: Some(_), .. });
        let is_copy = world.things.iter().any(|thing| is_listed(thing) && thing.content == object.content);
        match spot {
            _ if spot.is_hidden() => self.exempt(Exemption::OtherObjects),
            Spot::Digest { .. } | Spot::OddDigest { .. } | Spot::Outside { .. } => {
                self.exempt(Exemption::OtherObjects);
            }
            _ if object.stored.is_empty() || !asked => {}
            _ if is_copy => self.exempt(Exemption::CopiesOfLogs),
            Spot::Odd { day, shape, .. } => {
                let noon = if *day == 0 { base() } else { base() + minutes(5 * 60) };
                let dated_out = shape.is_dated() && !self.is_day_asked(noon);
                let of_region = shape.is_of_region() || options.regions.is_empty();
                if !dated_out && of_region {
                    self.tell(what);
                }
            }
            Spot::Log { insight: true, .. } if options.acknowledged => self.exempt(Exemption::UncoveredKinds),
            Spot::Log { insight: true, minute, .. } => {
                if options.asks_minute(base() + minutes(*minute)) {
                    self.tell(what);
                }
            }
            Spot::Log { minute, days_off, .. } => {
                let minute = base() + minutes(*minute);
                let day_asked = self.is_day_asked(minute + minutes(24 * 60 * i64::from(*days_off)));
                if self.may_be_pending(minute, *days_off) {
                    self.exempt(Exemption::Pending);
                } else if options.asks_minute(minute) || day_asked {
                    self.tell(what);
                }
            }
        }
    }

    /// Whether all of a day was asked for.
    fn is_day_asked(&self, time: Timestamp) -> bool {
        let start: Timestamp = format!("{}T00:00:00Z", day(time).replace('/', "-")).parse().unwrap();
        let (from, to) = (self.options.from(), self.options.to());
        from.is_none_or(|from| from <= start) && to.is_none_or(|to| to >= start + minutes(24 * 60))
    }

    /// Whether an honest log may be named so and not be listed yet.
    pub fn may_be_pending(&self, minute: Timestamp, days_off: i8) -> bool {
        let now = self.options.now(self.world);
        let of_day = minute.as_second().rem_euclid(86_400) / 60;
        let near_midnight = (of_day <= 15 && days_off == -1) || (of_day >= 24 * 60 - 15 && days_off == 1);
        let is_new = minute >= now - minutes(3 * 60 + 15) && minute <= now + minutes(15);
        is_new && (days_off == 0 || near_midnight)
    }
}

impl Spot {
    fn is_insight(&self) -> bool {
        matches!(self, Self::Log { insight: true, .. } | Self::Odd { shape: Odd::InInsight, .. })
    }
}

/// What may be said of the rows of each log that was read: by key, whether its content is as CloudTrail put it there, and
/// whether it may be pending.
pub fn rows_allowed(world: &World, options: &Options, state: &State) -> BTreeMap<String, (bool, bool)> {
    let judge = Judge::new(world, options, state);
    let copied = |key: &str| match state.copied {
        // A directory is looked at where the copy lies.
        Some(told) if !(told && options.local) => format!("{COPIED_TO}{key}"),
        _ => key.to_owned(),
    };
    let entries = state.objects.iter().map(|(place, object)| {
        let thing = world.at(place);
        let genuine = thing.is_some_and(|thing| object.content == thing.content);
        let pending = match (thing, state.planted.get(place)) {
            (Some(thing), _) => judge.may_be_pending(thing.time(), 0),
            (None, Some(Spot::Log { minute, days_off, .. })) => {
                judge.may_be_pending(base() + minutes(*minute), *days_off)
            }
            _ => false,
        };
        let key = if place.0 == BUCKET || options.local { copied(&place.1) } else { place.1.clone() };
        (key, (genuine, pending))
    });
    entries.collect()
}
