//! What moves leave behind.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Kind, Owner, Place, World, base, minutes, stored};
use super::moves::{Folder, Logs, Move, Offered, Trouble, With};
use super::objects::{FORGED, Object, readable, recompressed};
use super::spots::Spot;
use trailproof::source::DigestMetadata;

/// What the moves left.
#[derive(Debug, Clone)]
pub struct State {
    pub objects: BTreeMap<Place, Object>,
    pub trouble: BTreeMap<Place, Trouble>,
    pub passing: BTreeMap<Place, u8>,
    /// Folders that may not be listed.
    pub denied: Vec<String>,
    pub offered: Offered,
    pub planted: BTreeMap<Place, Spot>,
    /// Objects that lie there unpacked.
    pub unpacked: BTreeSet<Place>,
    /// Objects that lie elsewhere in the directory and are linked.
    pub linked: BTreeSet<Place>,
    /// Folders that are links out of the directory, with whose logs they lie.
    pub linked_folders: BTreeMap<String, Owner>,
    /// Copied to another prefix; whether the run is told.
    pub copied: Option<bool>,
}

/// Where [`Move::Copied`] puts everything.
pub const COPIED_TO: &str = "copy-2026/";

impl State {
    pub fn of(world: &World) -> Self {
        let objects = world.things.iter().map(|thing| (thing.place.clone(), Object::of(thing)));
        Self {
            objects: objects.collect(),
            trouble: BTreeMap::new(),
            passing: BTreeMap::new(),
            denied: Vec::new(),
            offered: Offered::All,
            planted: BTreeMap::new(),
            unpacked: BTreeSet::new(),
            linked: BTreeSet::new(),
            linked_folders: BTreeMap::new(),
            copied: None,
        }
    }

    pub fn played(world: &World, moves: &[Move]) -> Self {
        let mut state = Self::of(world);
        for one in moves {
            state.play(world, one);
        }
        state
    }

    fn play(&mut self, world: &World, one: &Move) {
        self.delete(world, one);
        self.touch(world, one);
        self.surround(world, one);
    }

    /// Moves that take things away.
    fn delete(&mut self, world: &World, one: &Move) {
        let thing = |name: &str| world.find(name);
        match one {
            Move::Delete(name) => {
                thing(name).map(|thing| self.objects.remove(&thing.place));
            }
            Move::DeleteTail(segment, from, logs) => clear(world, self, *segment, *from.., *logs, None),
            Move::DeleteTrail(segment, logs) => {
                let this = &world.segments[*segment];
                let is_same = |other: &usize| {
                    let other = &world.segments[*other];
                    other.owner == this.owner && other.trail == this.trail && other.backfill == this.backfill
                };
                for other in (0..world.segments.len()).filter(is_same) {
                    clear(world, self, other, .., *logs, None);
                }
            }
            Move::DeleteStart(segment, to, logs) => clear(world, self, *segment, ..=*to, *logs, None),
            Move::ReplaceTail(segment, from, logs, with) => {
                clear(world, self, *segment, *from.., *logs, Some(with));
            }
            Move::DeletePlace(segment) => {
                let owner = &world.segments[*segment].owner;
                let region = format!("/{}/", owner.region);
                remove(self, |key| key.contains(&format!("/{}/", owner.account)) && key.contains(&region));
            }
            Move::DeleteAccount(segment) => {
                let account = format!("/{}/", world.segments[*segment].owner.account);
                remove(self, |key| key.contains(&account));
            }
            Move::DeleteDay(segment, day) => {
                let account = format!("/{}/", world.segments[*segment].owner.account);
                let day = if *day == 0 { "/2026/01/02/" } else { "/2026/01/03/" };
                remove(self, |key| key.contains(&account) && key.contains(day));
            }
            Move::Wipe => self.objects.clear(),
            Move::Expire => {
                let midnight = base() + minutes(4 * 60);
                for thing in world.things.iter().filter(|thing| thing.time() < midnight) {
                    self.objects.remove(&thing.place);
                }
            }
            Move::Late(segment) => {
                let newest = world.segments[*segment].digests.last();
                newest.map(|&newest| self.objects.remove(&world.things[newest].place));
            }
            _ => {}
        }
    }

    /// Moves that change what lies there.
    fn touch(&mut self, world: &World, one: &Move) {
        let thing = |name: &str| world.find(name);
        let there = |state: &Self, name: &str| {
            let place = thing(name).map(|thing| thing.place.clone());
            place.filter(|place| state.objects.contains_key(place))
        };
        match one {
            Move::Replace(name, with) => {
                if let Some(thing) = thing(name) {
                    let object = with.object(world, thing);
                    self.objects.insert(thing.place.clone(), object);
                }
            }
            Move::ClaimMoved => {
                for thing in world.things.iter().filter(|thing| thing.nth().is_some()) {
                    self.objects.insert(thing.place.clone(), With::Signed.elsewhere(world, thing));
                }
            }
            Move::Exchange(one, other) => {
                if let Some((one, other)) = there(self, one).zip(there(self, other)) {
                    let first = self.objects[&one].clone();
                    let second = self.objects.insert(other, first);
                    self.objects.extend(second.map(|second| (one, second)));
                }
            }
            Move::Truncate(name, percent) => {
                change(self, there(self, name), |object| {
                    object.stored.truncate(object.stored.len() * usize::from(*percent) / 100);
                    object.content = readable(&object.stored);
                });
            }
            Move::Append(name) => {
                change(self, there(self, name), |object| {
                    object.stored = [&object.stored[..], &stored(FORGED)[..]].concat().into();
                    object.content = readable(&object.stored);
                });
            }
            Move::SpoilSignature(name) => {
                change(self, there(self, name), |object| {
                    if let Some(signature) = &mut object.metadata.signature {
                        let flipped = if signature.starts_with('0') { "1" } else { "0" };
                        signature.replace_range(..1, flipped);
                    }
                });
            }
            Move::BorrowMetadata(name, lender) => {
                if let Some(lender) = thing(lender) {
                    change(self, there(self, name), |object| object.metadata = lender.metadata.clone());
                }
            }
            Move::LoseMetadata(name) => {
                change(self, there(self, name), |object| object.metadata = DigestMetadata::default());
            }
            Move::LoseAllMetadata => {
                self.objects.values_mut().for_each(|object| object.metadata = DigestMetadata::default());
            }
            Move::Recompress(name, how) => {
                change(self, there(self, name), |object| {
                    object.stored = recompressed(&object.content, *how);
                });
            }
            Move::Unpack(name) => {
                if let Some(thing) = thing(name)
                    && self.objects.contains_key(&thing.place)
                {
                    self.objects.insert(thing.place.clone(), Object::of(thing));
                    self.unpacked.insert(thing.place.clone());
                }
            }
            _ => {}
        }
    }

    /// Moves that put things beside it, and what stands between it and the reader.
    fn surround(&mut self, world: &World, one: &Move) {
        let thing = |name: &str| world.find(name);
        match one {
            Move::Plant(spot, with) => {
                let place = spot.place(world);
                let object = with.planted(world, spot, &place.1);
                self.objects.insert(place.clone(), object);
                self.planted.insert(place, spot.clone());
            }
            Move::PlantTrouble(spot, trouble) => {
                self.play(world, &Move::Plant(spot.clone(), With::Forged));
                self.trouble.insert(spot.place(world), *trouble);
            }
            Move::Trouble(name, trouble) => {
                if let Some(thing) = thing(name) {
                    self.trouble.insert(thing.place.clone(), *trouble);
                }
            }
            Move::DenyFolder(segment, folder) => {
                let owner = &world.segments[*segment].owner;
                self.denied.push(match folder {
                    Folder::Account => format!("{}{}/", owner.root, owner.account),
                    Folder::Logs => owner.kind_folder("CloudTrail"),
                    Folder::Digests => owner.kind_folder("CloudTrail-Digest"),
                    Folder::Day => format!("{}{}/2026/01/02/", owner.kind_folder("CloudTrail"), owner.region),
                });
            }
            Move::Keys(offered) => self.offered = *offered,
            Move::Passing(name, times) => {
                if let Some(thing) = thing(name) {
                    self.passing.insert(thing.place.clone(), *times);
                }
            }
            Move::LinkInside(name) => {
                self.linked.extend(thing(name).map(|thing| thing.place.clone()));
            }
            Move::LinkFolder(segment, is_hidden) => {
                let owner = &world.segments[*segment].owner;
                let name = if *is_hidden { "_linked" } else { "linked" };
                let folder = format!("{}{}/{name}", owner.kind_folder("CloudTrail"), owner.region);
                self.linked_folders.insert(folder, owner.clone());
            }
            Move::Copied(told) => self.copied = Some(*told),
            Move::CopyLog(name) => {
                if let Some(thing) = thing(name)
                    && let Kind::Log { minute, insight: false, .. } = thing.kind
                {
                    let spot = Spot::log_of(world, thing, minute);
                    let place = spot.place(world);
                    self.objects.insert(place.clone(), Object::of(thing));
                    self.planted.insert(place, spot);
                }
            }
            _ => {}
        }
    }
}

fn remove(state: &mut State, is_meant: impl Fn(&str) -> bool) {
    state.objects.retain(|(_, key), _| !is_meant(key));
}

fn change(state: &mut State, place: Option<Place>, how: impl FnOnce(&mut Object)) {
    if let Some(object) = place.and_then(|place| state.objects.get_mut(&place)) {
        how(object);
    }
}

/// Deletes digests, or replaces them, and does with their logs as told.
fn clear(
    world: &World,
    state: &mut State,
    segment: usize,
    which: impl std::ops::RangeBounds<usize>,
    logs: Logs,
    with: Option<&With>,
) {
    for thing in &world.things {
        match thing.kind {
            Kind::Digest { segment: of, nth, .. } if of == segment && which.contains(&nth) => {
                match with {
                    Some(with) => state.objects.insert(thing.place.clone(), with.object(world, thing)),
                    None => state.objects.remove(&thing.place),
                };
            }
            Kind::Log { listed_by: Some((of, nth)), .. } if of == segment && which.contains(&nth) => {
                match logs {
                    Logs::Kept => {}
                    Logs::Deleted => drop(state.objects.remove(&thing.place)),
                    Logs::Forged => {
                        state.objects.insert(thing.place.clone(), With::Forged.object(world, thing));
                    }
                };
            }
            _ => {}
        }
    }
}
