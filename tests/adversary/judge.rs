//! What must be told of an archive after the moves, from the moves and the archive as it was: nothing here knows how it
//! is verified.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::exemptions::Exemption;
use super::model::{Kind, Owner, Place, Thing, World, minutes};
use super::moves::{Move, Offered, Trouble};
use super::objects::Object;
use super::options::{Options, Remembered};
use super::spots::Spot;
use super::state::State;
use crate::support::chain::BUCKET;

/// What is expected of a run.
#[derive(Debug, Default)]
pub struct Expected {
    /// Why exit code 0 would be wrong.
    pub must_be_told: Vec<String>,
    /// What was touched and is exempt.
    pub exempt: BTreeSet<Exemption>,
    /// Why nothing but exit code 1 is right.
    pub must_be_altered: Vec<String>,
    /// Whether exit code 1 may be right at all.
    pub may_be_altered: bool,
    /// Whether everything that was done changes nothing, so that the answer is that of the untouched archive.
    pub as_untouched: bool,
}

/// What became of one thing.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Untouched,
    Repacked,
    SignatureLost,
    Metadata,
    Changed,
    Deleted,
    Unreadable,
}

pub struct Judge<'a> {
    pub world: &'a World,
    pub options: &'a Options,
    pub state: &'a State,
    /// By number in [`World::things`].
    fates: Vec<Fate>,
    /// Digests that prove something: by segment and number.
    proven: Vec<Vec<bool>>,
    expected: Expected,
}

impl<'a> Judge<'a> {
    /// One that was not told of anything yet.
    pub fn new(world: &'a World, options: &'a Options, state: &'a State) -> Self {
        let fates: Vec<Fate> = world.things.iter().map(|thing| fate(thing, state)).collect();
        let proven = (0..world.segments.len()).map(|segment| proven(world, segment, &fates)).collect();
        Self { world, options, state, fates, proven, expected: Expected::default() }
    }

    pub fn expect(world: &'a World, options: &'a Options, moves: &[Move], state: &'a State) -> Expected {
        let mut judge = Self::new(world, options, state);
        judge.judge_moves(moves);
        judge.judge_run();
        for thing in &world.things {
            judge.judge_thing(thing);
        }
        for (place, spot) in &state.planted {
            judge.judge_planted(place, spot);
        }
        judge.expected
    }

    /// Whether something was surely asked for, and can be known of: to what lies in another bucket only a digest leads.
    fn asks(&self, thing: &Thing) -> bool {
        self.options.asks(self.world, thing) && self.is_reached(thing)
    }

    fn is_reached(&self, thing: &Thing) -> bool {
        let (Kind::Digest { segment, .. } | Kind::Log { listed_by: Some((segment, _)), .. }) = thing.kind else {
            return true;
        };
        if thing.place.0 == BUCKET || self.options.local {
            return true;
        }
        let digests = &self.world.segments[segment].digests;
        let leads = digests.iter().position(|&number| self.world.things[number].place.0 == BUCKET);
        let is_asked = |nth: usize| self.options.asks(self.world, self.world.digest(segment, nth));
        leads.is_some_and(|nth| self.proven[segment][nth] && is_asked(nth))
    }

    pub fn tell(&mut self, why: impl Into<String>) {
        self.expected.must_be_told.push(why.into());
    }

    fn altered(&mut self, why: impl Into<String>) {
        let why = why.into();
        self.expected.must_be_told.push(why.clone());
        self.expected.must_be_altered.push(why);
    }

    pub fn exempt(&mut self, exemption: Exemption) {
        self.expected.exempt.insert(exemption);
    }

    /// What the moves are as a whole.
    fn judge_moves(&mut self, moves: &[Move]) {
        let (world, options) = (self.world, self.options);
        let foreign = options.checkpoint == Remembered::Foreign;
        let takes_back = |one: &Move| match one {
            Move::Late(segment) => {
                let newest = world.segments[*segment].digests.last();
                newest.is_some_and(|&newest| self.is_remembered(&world.things[newest]))
            }
            // What was there lies elsewhere now.
            Move::Copied(false) => options.checkpoint != Remembered::None,
            _ => false,
        };
        let takes_back = moves.iter().any(takes_back);
        // A copy that is left of a log that expired says that something as old is left.
        let is_left = moves.iter().any(|step| matches!(step, Move::CopyLog(_))) && moves.contains(&Move::Expire);
        self.expected.may_be_altered = foreign || takes_back || is_left || !moves.iter().all(Move::is_honest);
        let changes_nothing = |one: &Move| match one {
            Move::Recompress(..) | Move::Passing(..) | Move::Copied(true) | Move::Unpack(_) => true,
            Move::Plant(spot, _) => matches!(spot, Spot::Outside { .. }) || spot.is_hidden(),
            _ => false,
        };
        // A copy is another archive than the one that a checkpoint, a prefix or an acknowledgement is of.
        let is_of_this = !options.prefix.is_empty() || options.checkpoint != Remembered::None || options.acknowledged;
        let is_elsewhere = self.state.copied.is_some() && is_of_this;
        self.expected.as_untouched = moves.iter().all(changes_nothing) && !foreign && !is_elsewhere;
    }

    /// What the run as a whole was given.
    fn judge_run(&mut self) {
        let (world, options, state) = (self.world, self.options, self.state);
        let asked: Vec<&Thing> = world.things.iter().filter(|thing| self.asks(thing)).collect();
        if state.copied == Some(false) && !asked.is_empty() {
            self.tell("no digest lies where it says");
        }
        let digests_asked = asked.iter().any(|thing| matches!(thing.kind, Kind::Digest { .. }));
        if state.offered != Offered::All && digests_asked && options.checkpoint.made().is_none() {
            self.tell("no key for the digests");
        }
        for folder in &state.denied {
            let is_hidden = |thing: &&Thing| {
                let below = thing.place.0 == BUCKET && thing.place.1.starts_with(folder);
                below && state.objects.contains_key(&thing.place)
            };
            if asked.iter().any(is_hidden) {
                self.tell(format!("{folder} cannot be listed"));
            }
        }
        for (name, known) in self.asked_and_known() {
            if !known {
                self.tell(format!("{name} is not there"));
            }
        }
        if !digests_asked {
            self.tell("nothing that was asked for is covered by a digest");
        }
    }

    /// Every name asked for, and whether the archive ever had anything of it below the folder that is looked at.
    fn asked_and_known(&self) -> Vec<(String, bool)> {
        let (world, options) = (self.world, self.options);
        let any =
            |is: &dyn Fn(&Thing) -> bool| world.things.iter().filter(|thing| options.asks_place(&thing.place)).any(is);
        let mut asked = Vec::new();
        for account in &options.accounts {
            asked.push((account.clone(), any(&|thing| thing.owner.account == *account)));
        }
        for region in &options.regions {
            asked.push((region.clone(), any(&|thing| thing.owner.region == *region)));
        }
        for org in &options.orgs {
            asked.push((org.clone(), any(&|thing| thing.owner.org == Some(org))));
        }
        for trail in &options.trails {
            let of_trail = |thing: &Thing| match thing.kind {
                Kind::Digest { segment, .. } => world.segments[segment].trail == *trail,
                Kind::Log { .. } => false,
            };
            asked.push((trail.clone(), any(&of_trail)));
        }
        asked
    }

    fn number(&self, thing: &Thing) -> usize {
        self.world.things.iter().position(|other| std::ptr::eq(other, thing)).unwrap()
    }

    /// Nothing hides what signed digests say of each other and of their logs.
    fn sees_all(&self) -> bool {
        let State { denied, offered, copied, trouble, .. } = self.state;
        let none_vanished = !trouble.values().any(|trouble| *trouble == Trouble::Vanished);
        none_vanished && denied.is_empty() && *offered == Offered::All && *copied != Some(false)
    }

    fn judge_thing(&mut self, thing: &Thing) {
        let fate = self.fates[self.number(thing)];
        let asked = self.asks(thing);
        let what = format!("{} ({}) {fate:?}", thing.name, thing.place.1);
        match (fate, thing.kind) {
            (Fate::Untouched | Fate::Repacked, Kind::Log { .. }) => self.judge_left_behind(thing, &what),
            (Fate::Untouched | Fate::Repacked, _) => {}
            (Fate::Unreadable, _) => {
                if asked {
                    self.tell(what);
                }
            }
            (Fate::SignatureLost | Fate::Metadata, Kind::Log { .. }) => {}
            (Fate::SignatureLost, Kind::Digest { segment, nth, .. }) => {
                let unsure = self.options.checkpoint.made().is_some();
                if asked && !unsure && !self.proven[segment][nth] && !self.world.segments[segment].backfill {
                    self.tell(what);
                }
            }
            (Fate::Metadata, Kind::Digest { .. }) => {
                if asked && !self.is_remembered(thing) {
                    self.tell(what);
                }
            }
            (Fate::Changed | Fate::Deleted, Kind::Log { .. }) => self.judge_log(thing, &what, asked),
            (Fate::Changed | Fate::Deleted, Kind::Digest { .. }) => self.judge_digest(thing, fate, &what, asked),
        }
    }

    fn judge_log(&mut self, log: &Thing, what: &str, asked: bool) {
        let Kind::Log { listed_by, insight, minute } = log.kind else { return };
        let Some((segment, nth)) = listed_by else {
            match insight {
                true => self.exempt(Exemption::UncoveredKinds),
                false => self.exempt(Exemption::Pending),
            }
            return;
        };
        let digest = self.world.digest(segment, nth);
        if !asked || !self.options.asks_place(&digest.place) {
            return;
        }
        let vouched = self.proven[segment][nth] && self.asks(digest);
        if vouched {
            let expired = self.fates[self.number(log)] == Fate::Deleted && self.nothing_older(&log.owner.root, minute);
            if self.sees_all() && !expired {
                self.altered(what);
            } else {
                self.tell(what);
            }
        }
        // A log whose digest is gone, changed or unreadable is judged with that digest.
        else if self.fates[self.number(log)] == Fate::Changed {
            self.judge_left_behind(log, what);
        }
    }

    /// A log that lies there although its digest is gone: nothing vouches for it once digests could have arrived.
    fn judge_left_behind(&mut self, log: &Thing, what: &str) {
        let Kind::Log { listed_by: Some((segment, nth)), minute, .. } = log.kind else { return };
        let digest = self.world.digest(segment, nth);
        let gone = matches!(self.fates[self.number(digest)], Fate::Deleted | Fate::Changed);
        let old = minute < self.options.now(self.world) - minutes(3 * 60 + 15);
        let empty = self.state.objects.get(&log.place).is_none_or(|object| object.stored.is_empty());
        if gone && old && !empty && self.asks(log) {
            self.tell(format!("{what}, without its digest"));
        }
    }

    fn is_remembered(&self, digest: &Thing) -> bool {
        let Kind::Digest { segment, nth, .. } = digest.kind else { return false };
        // A copy is another archive.
        let made = self.options.checkpoint.made().filter(|_| self.state.copied.is_none());
        let Some(made) = made.filter(|_| self.options.local || digest.place.0 == BUCKET) else { return false };
        let arrived = |nth: usize| {
            self.world.segments[segment]
                .digests
                .get(nth)
                .is_some_and(|_| self.world.digest(segment, nth).time() <= made)
        };
        arrived(nth) && !arrived(nth + 1)
    }

    /// Whether nothing that CloudTrail delivered up to a time is left under a root, as far as was asked for.
    fn nothing_older(&self, root: &str, time: Timestamp) -> bool {
        let is_older = |thing: &Thing| {
            let asked = self.options.asks_owner(&thing.owner) && self.options.asks_place(&thing.place);
            asked && thing.owner.root == root && thing.time() <= time
        };
        !self.world.things.iter().any(|thing| is_older(thing) && self.state.objects.contains_key(&thing.place))
    }

    fn judge_digest(&mut self, digest: &Thing, fate: Fate, what: &str, asked: bool) {
        let Kind::Digest { segment, nth, .. } = digest.kind else { return };
        let (world, options) = (self.world, self.options);
        if self.is_remembered(digest) && options.asks_remembered(world, digest) {
            let expired = fate == Fate::Deleted && self.nothing_older(&digest.owner.root, digest.time());
            let what = format!("{what}, remembered");
            if expired || !self.sees_all() {
                self.tell(what)
            } else {
                self.altered(what)
            }
            return;
        }
        if !asked {
            return;
        }
        let counts = |nth: usize| self.proven[segment][nth] && self.asks(world.digest(segment, nth));
        let last = world.segments[segment].digests.len();
        if let Some(later) = (nth + 1..last).find(|&later| counts(later)) {
            // Nothing leads to what lies in another bucket when the one in between is gone.
            let same_bucket =
                |other: usize| world.digest(segment, other).place.0 == world.digest(segment, later).place.0;
            let older_left = (0..nth).any(|other| counts(other) && same_bucket(other));
            let is_next = later == nth + 1;
            let told = format!("{what}, before {segment}.{later}");
            let is_altered = is_next && (fate == Fate::Changed || older_left) && self.sees_all();
            if is_altered {
                self.altered(told)
            } else {
                self.tell(told)
            }
            return;
        }
        if fate == Fate::Changed && nth > 0 && counts(nth - 1) {
            self.tell(format!("{what}, after {segment}.{}", nth - 1));
            return;
        }
        match self.tail_told(segment) {
            Some(why) => self.tell(format!("{what}, {why}")),
            None => self.exempt(Exemption::NewestDigests),
        }
    }

    /// Why the end of a segment, of which the newest digests are gone, is told of.
    fn tail_told(&self, segment: usize) -> Option<&'static str> {
        let (world, options) = (self.world, self.options);
        let this = &world.segments[segment];
        let same_chain = |other: usize| {
            let other = &world.segments[other];
            other.owner == this.owner && other.trail == this.trail && other.backfill == this.backfill
        };
        let before = (0..segment).filter(|&other| same_chain(other)).filter_map(|other| self.newest(other)).max();
        let after =
            (segment + 1..world.segments.len()).filter(|&other| same_chain(other)).find_map(|other| self.newest(other));
        let own = self.newest(segment);
        if after.is_some() {
            let anything_before = own.is_some() || before.is_some();
            return anything_before.then_some("before the chain begins anew");
        }
        if this.backfill {
            return None;
        }
        let now = options.now(world);
        let Some(end) = own.max(before) else {
            let same_place = |other: &Owner| other.account == this.owner.account && other.region == this.owner.region;
            let mut others = (0..world.segments.len()).filter(|&other| same_place(&world.segments[other].owner));
            if others.any(|other| self.newest(other).is_some()) {
                return None;
            }
            // What is new may be the first of an account and Region.
            let is_new = |place: &Place| {
                let thing = self.world.at(place).filter(|thing| matches!(thing.kind, Kind::Log { .. }));
                let planted = self.state.planted.get(place).filter(|spot| matches!(spot, Spot::Log { .. }));
                let time = thing.map(Thing::time).or_else(|| planted.map(Spot::time));
                time.is_some_and(|time| self.may_be_pending(time, 0))
            };
            let is_listed = |place: &Place| options.asks_place(place) && (options.local || place.0 == BUCKET);
            let is_hidden = |place: &Place| self.state.planted.get(place).is_some_and(Spot::is_hidden);
            let left = |place: &Place| {
                is_listed(place) && is_in_place(&place.1, &this.owner) && !is_new(place) && !is_hidden(place)
            };
            let known = self.state.objects.keys().any(left);
            return known.then_some("of an account and Region that is there and not covered");
        };
        let late = |other: Timestamp| other.duration_since(end) > minutes(3 * 60);
        let of_trail = |other: &usize| {
            let other = &world.segments[*other];
            other.trail == this.trail && other.owner.org == this.owner.org && !other.backfill
        };
        let siblings = (0..world.segments.len()).filter(of_trail).filter_map(|other| self.newest(other));
        if siblings.max().is_some_and(late) {
            return Some("hours behind others of its trail");
        }
        let asked_until = match (options.from(), options.to()) {
            (_, Some(to)) => Some(to.min(now)),
            (Some(_), None) => Some(now),
            (None, None) => None,
        };
        asked_until.is_some_and(late).then_some("in the period asked for")
    }

    /// The end of the newest digest of a segment that proves something and was asked for.
    fn newest(&self, segment: usize) -> Option<Timestamp> {
        let digests = 0..self.world.segments[segment].digests.len();
        let counts = |nth: &usize| self.proven[segment][*nth] && self.asks(self.world.digest(segment, *nth));
        digests.filter(counts).map(|nth| self.world.digest(segment, nth).time()).max()
    }
}

fn is_in_place(key: &str, owner: &Owner) -> bool {
    let of_kind = |kind: &str| key.contains(&format!("/{}/{kind}/{}/", owner.account, owner.region));
    ["CloudTrail", "CloudTrail-Digest", "CloudTrail-Insight"].into_iter().any(of_kind)
}

fn fate(thing: &Thing, state: &State) -> Fate {
    let Some(Object { stored, content, metadata }) = state.objects.get(&thing.place) else { return Fate::Deleted };
    match state.trouble.get(&thing.place) {
        Some(Trouble::Vanished) => return Fate::Deleted,
        Some(_) => return Fate::Unreadable,
        None => {}
    }
    if *content != thing.content {
        return Fate::Changed;
    }
    if *metadata == thing.metadata {
        return if *stored == thing.stored { Fate::Untouched } else { Fate::Repacked };
    }
    if metadata.signature.is_none() { Fate::SignatureLost } else { Fate::Metadata }
}

/// Which digests of a segment still prove something, newest last: by their own signature, or by that which a proven
/// successor records.
fn proven(world: &World, segment: usize, fates: &[Fate]) -> Vec<bool> {
    let mut proven: Vec<bool> = Vec::new();
    for &number in world.segments[segment].digests.iter().rev() {
        let successor = proven.last().copied().unwrap_or_default();
        proven.push(match fates[number] {
            Fate::Untouched | Fate::Repacked => true,
            Fate::SignatureLost => successor,
            _ => false,
        });
    }
    proven.reverse();
    proven
}
