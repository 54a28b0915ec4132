//! What must be told of an archive after the moves, from the moves and the archive as it was: nothing here knows how it
//! is verified.
//!
//! Everything that was touched gets a [`Standing`]; there is none for "not thought of". What becomes of things is in
//! `touched.rs`, of the ends of chains in `ends.rs`, of planted objects in `planted.rs`.

use jiff::Timestamp;

use super::exemptions::Exemption;
use super::model::{Kind, Owner, Place, Thing, World, minutes};
use super::moves::{Move, Offered, Trouble};
use super::objects::Object;
use super::options::{Options, Remembered};
use super::planted::start_of_day;
use super::spots::Spot;
use super::state::State;
use crate::support::chain::BUCKET;

/// What is expected of a run.
#[derive(Debug, Default)]
pub struct Expected {
    /// Everything that was touched, and what must become of it.
    pub touches: Vec<Touch>,
    /// Why exit code 0 would be wrong, whatever was touched.
    pub must_be_told: Vec<String>,
    /// Whether exit code 1 may be right at all.
    pub may_be_altered: bool,
    /// Whether everything that was done changes nothing, so that the answer is that of the untouched archive.
    pub as_untouched: bool,
}

/// Something that was touched.
#[derive(Debug, Clone)]
pub struct Touch {
    pub what: String,
    pub key: String,
    /// Whose folders it lies in.
    pub owner: Owner,
    pub standing: Standing,
    /// Whether a finding, a warning at least, must name it.
    pub is_named: bool,
}

/// What must become of a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A signed digest speaks against it: exit code 1.
    Altered,
    /// Another exit code than 0.
    Told,
    /// README says that a clean verdict does not prove it.
    Exempt(Exemption),
    /// Nothing that is proven depends on it.
    Harmless,
    NotAsked,
}

/// What became of one thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
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
    pub fates: Vec<Fate>,
    /// Digests that prove something: by segment and number.
    pub proven: Vec<Vec<bool>>,
}

impl<'a> Judge<'a> {
    pub fn new(world: &'a World, options: &'a Options, state: &'a State) -> Self {
        let fates: Vec<Fate> = world.things.iter().map(|thing| fate(thing, state)).collect();
        let mut judge = Self { world, options, state, fates, proven: Vec::new() };
        judge.proven = (0..world.segments.len()).map(|segment| judge.proven_of(segment)).collect();
        judge
    }

    pub fn expect(world: &'a World, options: &'a Options, moves: &[Move], state: &'a State) -> Expected {
        let judge = Self::new(world, options, state);
        let (may_be_altered, as_untouched) = (judge.may_be_altered(moves), judge.changes_nothing(moves));
        let planted = state.planted.iter().filter_map(|(place, spot)| judge.planted(place, spot));
        let linked = state.linked_folders.iter().map(|(folder, owner)| judge.linked(folder, owner));
        let touches = judge.things_touched().into_iter().chain(planted).chain(linked).collect();
        Expected { touches, must_be_told: judge.run_told(), may_be_altered, as_untouched }
    }

    /// Whether something was surely asked for, and can be known of: to what lies in another bucket only a digest leads.
    pub fn asks(&self, thing: &Thing) -> bool {
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

    /// Whether a digest proves something in what was asked for.
    pub fn counts(&self, segment: usize, nth: usize) -> bool {
        self.proven[segment][nth] && self.asks(self.world.digest(segment, nth))
    }

    fn may_be_altered(&self, moves: &[Move]) -> bool {
        let (world, options) = (self.world, self.options);
        let takes_back = |one: &Move| match one {
            Move::Late(segment) => {
                let newest = world.segments[*segment].digests.last();
                newest.is_some_and(|&newest| self.is_remembered(&world.things[newest]))
            }
            // What was there lies elsewhere now.
            Move::Copied(false) => options.checkpoint != Remembered::None,
            _ => false,
        };
        // A copy that is left of a log that expired says that something as old is left.
        let is_left = moves.iter().any(|step| matches!(step, Move::CopyLog(_))) && moves.contains(&Move::Expire);
        let is_foreign = options.checkpoint == Remembered::Foreign;
        is_foreign || is_left || moves.iter().any(takes_back) || !moves.iter().all(Move::is_honest)
    }

    fn changes_nothing(&self, moves: &[Move]) -> bool {
        let options = self.options;
        let changes_nothing = |one: &Move| match one {
            Move::Recompress(..) | Move::Passing(..) | Move::Copied(true) | Move::Unpack(_) | Move::LinkInside(_) => {
                true
            }
            Move::Plant(spot, _) => matches!(spot, Spot::Outside { .. }) || spot.is_hidden(),
            _ => false,
        };
        // A copy is another archive than the one that a checkpoint, a prefix or an acknowledgement is of.
        let is_of_this = !options.prefix.is_empty() || options.checkpoint != Remembered::None || options.acknowledged;
        let is_elsewhere = self.state.copied.is_some() && is_of_this;
        moves.iter().all(changes_nothing) && !is_elsewhere && options.checkpoint != Remembered::Foreign
    }

    /// Why the run as a whole must not end in exit code 0.
    fn run_told(&self) -> Vec<String> {
        let (world, state) = (self.world, self.state);
        let mut told = Vec::new();
        let asked: Vec<&Thing> = world.things.iter().filter(|thing| self.asks(thing)).collect();
        let is_there = |thing: &Thing| state.objects.contains_key(&thing.place);
        if state.copied == Some(false) && !asked.is_empty() {
            told.push("no digest lies where it says".into());
        }
        let needs_key = |thing: &&&Thing| {
            matches!(thing.kind, Kind::Digest { .. }) && is_there(thing) && !self.is_remembered(thing)
        };
        if state.offered != Offered::All
            && let Some(digest) = asked.iter().find(needs_key)
        {
            told.push(format!("no key for {}", digest.name));
        }
        told.extend(self.names_absent());
        if !(0..world.segments.len()).any(|segment| self.newest(segment).is_some()) {
            told.push("nothing that was asked for is covered by a digest".into());
        }
        told
    }

    /// Names asked for of which the archive never had anything below the folder that is looked at.
    fn names_absent(&self) -> Vec<String> {
        let (world, options) = (self.world, self.options);
        let absent =
            |is: &dyn Fn(&Thing) -> bool| !world.things.iter().filter(|thing| options.asks_place(&thing.place)).any(is);
        let mut names = Vec::new();
        names.extend(options.accounts.iter().filter(|account| absent(&|thing| thing.owner.account == **account)));
        names.extend(options.regions.iter().filter(|region| absent(&|thing| thing.owner.region == **region)));
        names.extend(options.orgs.iter().filter(|org| absent(&|thing| thing.owner.org == Some(org))));
        let of_trail = |thing: &Thing, trail: &str| match thing.kind {
            Kind::Digest { segment, .. } => world.segments[segment].trail == trail,
            Kind::Log { .. } => false,
        };
        names.extend(options.trails.iter().filter(|trail| absent(&|thing| of_trail(thing, trail))));
        names.into_iter().map(|name| format!("{name} is not there")).collect()
    }

    pub fn fate(&self, thing: &Thing) -> Fate {
        let number = self.world.things.iter().position(|other| std::ptr::eq(other, thing));
        self.fates[number.unwrap()]
    }

    /// Nothing hides what signed digests say of each other and of their logs.
    pub fn sees_all(&self) -> bool {
        let State { denied, offered, copied, trouble, .. } = self.state;
        let none_vanished = !trouble.values().any(|trouble| *trouble == Trouble::Vanished);
        none_vanished && denied.is_empty() && *offered == Offered::All && *copied != Some(false)
    }

    /// Whether an earlier run left in its checkpoint what this digest was.
    pub fn is_remembered(&self, digest: &Thing) -> bool {
        // A copy is another archive.
        let made = self.options.checkpoint.made().filter(|_| self.state.copied.is_none());
        made.is_some_and(|made| self.options.is_head(self.world, digest, made))
    }

    /// Whether nothing that was surely delivered up to a time is left under a root of the archive's bucket, as far as was
    /// asked for.
    pub fn nothing_older(&self, root: &str, time: Timestamp) -> bool {
        !self.is_any_left(root, |delivered| delivered <= time)
    }

    /// Whether something is left under a root of the archive's bucket that was surely delivered by such a time. What may have
    /// come after midnight is taken for that; of a backfill digest nothing is known.
    pub fn is_any_left(&self, root: &str, is_such: impl Fn(Timestamp) -> bool) -> bool {
        let is_left = |thing: &Thing| {
            let asked = self.options.asks_owner(&thing.owner) && self.options.asks_place(&thing.place);
            let is_here = self.options.local || thing.place.0 == BUCKET;
            asked && is_here && thing.owner.root == root && self.state.objects.contains_key(&thing.place)
        };
        let delivered = |thing: &Thing| {
            let slack = match thing.kind {
                Kind::Log { .. } => 10,
                Kind::Digest { segment, .. } if self.world.segments[segment].backfill => return None,
                Kind::Digest { .. } => 2 * 60,
            };
            let midnight = start_of_day(thing.time() + minutes(slack));
            Some(thing.time().max(midnight))
        };
        self.world.things.iter().filter(|thing| is_left(thing)).filter_map(delivered).any(is_such)
    }

    /// Which digests of a segment still prove something, newest last: by their own signature, by that which a proven
    /// successor records, or by what an earlier run remembers.
    fn proven_of(&self, segment: usize) -> Vec<bool> {
        let mut proven: Vec<bool> = Vec::new();
        for &number in self.world.segments[segment].digests.iter().rev() {
            let by_successor = proven.last().copied().unwrap_or_default();
            let by_memory = || self.is_remembered(&self.world.things[number]);
            proven.push(match self.fates[number] {
                _ if self.state.copied == Some(false) => false,
                Fate::Untouched | Fate::Repacked if self.state.offered == Offered::All => true,
                Fate::SignatureLost if self.state.offered == Offered::All => by_successor || by_memory(),
                Fate::Untouched | Fate::Repacked | Fate::SignatureLost => by_memory(),
                Fate::Metadata | Fate::Changed | Fate::Deleted | Fate::Unreadable => false,
            });
        }
        proven.reverse();
        proven
    }
}

impl Fate {
    pub fn is_content_same(self) -> bool {
        matches!(self, Self::Untouched | Self::Repacked | Self::SignatureLost | Self::Metadata)
    }
}

pub fn is_in_place(key: &str, owner: &Owner) -> bool {
    let of_kind = |kind: &str| key.contains(&format!("/{}/{kind}/{}/", owner.account, owner.region));
    ["CloudTrail", "CloudTrail-Digest", "CloudTrail-Insight"].into_iter().any(of_kind)
}

fn is_below((bucket, key): &Place, folder: &str) -> bool {
    bucket == BUCKET && key.starts_with(folder)
}

fn fate(thing: &Thing, state: &State) -> Fate {
    let Some(Object { stored, content, metadata }) = state.objects.get(&thing.place) else { return Fate::Deleted };
    match state.trouble.get(&thing.place) {
        Some(Trouble::Vanished) => return Fate::Deleted,
        Some(_) => return Fate::Unreadable,
        None if state.denied.iter().any(|folder| is_below(&thing.place, folder)) => return Fate::Unreadable,
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
