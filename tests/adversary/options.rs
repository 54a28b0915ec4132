//! How a run is asked: the scope, the checkpoint, the time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trailproof_proof::archive::key::LogKind;
use trailproof_proof::archive::scope::Scope;

use super::model::{Kind, Owner, Place, Thing, World, base, minutes};
use crate::support::chain::BUCKET;

/// Minutes count from the first digest hour. An empty list asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orgs: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trails: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindAsked>,
    /// The folder that is looked at, below the bucket.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    #[serde(skip_serializing_if = "Remembered::is_none")]
    pub checkpoint: Remembered,
    /// How many hours after the archive's own time it is looked at.
    #[serde(skip_serializing_if = "is_zero")]
    pub later: i64,
    /// Whether a page of a listing holds only three names.
    #[serde(skip_serializing_if = "is_false")]
    pub short_pages: bool,
    /// Whether a directory is looked at that mirrors all buckets.
    #[serde(skip_serializing_if = "is_false")]
    pub local: bool,
    /// Whether an operator acknowledged what an untouched archive leaves open.
    pub acknowledged: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KindAsked {
    CloudTrail,
    Insight,
}

/// What an earlier run remembers. Hours count from the first digest hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remembered {
    #[default]
    None,
    /// Made after so many hours.
    After(i64),
    /// Made after so many hours, and carried on after so many.
    TwoNights(i64, i64),
    /// Another archive's.
    Foreign,
}

impl Remembered {
    fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// When it was last written.
    pub fn made(&self) -> Option<Timestamp> {
        match self {
            Self::None | Self::Foreign => None,
            Self::After(hours) | Self::TwoNights(_, hours) => Some(night(*hours)),
        }
    }
}

/// When the run of an hour is made: its digest has arrived.
pub fn night(hours: i64) -> Timestamp {
    base() + minutes(60 * hours + 20)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub fn is_false(flag: &bool) -> bool {
    !flag
}

impl Options {
    /// Whether a part of the archive was asked for.
    pub fn is_narrowed(&self) -> bool {
        let Self { checkpoint, later, short_pages, local, acknowledged, .. } = self.clone();
        *self != Self { checkpoint, later, short_pages, local, acknowledged, ..Self::default() }
    }

    pub fn page_size(&self) -> usize {
        if self.short_pages { 3 } else { 1000 }
    }

    pub fn now(&self, world: &World) -> Timestamp {
        world.now + minutes(60 * self.later)
    }

    pub fn from(&self) -> Option<Timestamp> {
        self.from.map(|from| base() + minutes(from))
    }

    pub fn to(&self) -> Option<Timestamp> {
        self.to.map(|to| base() + minutes(to))
    }

    pub fn scope(&self) -> Scope {
        Scope {
            from: self.from(),
            to: self.to(),
            accounts: self.accounts.iter().map(|text| text.parse().unwrap()).collect(),
            regions: self.regions.iter().map(|text| text.parse().unwrap()).collect(),
            organizations: self.orgs.iter().map(|text| text.parse().unwrap()).collect(),
            trails: self.trails.clone(),
            kinds: self
                .kind
                .iter()
                .map(|kind| match kind {
                    KindAsked::CloudTrail => LogKind::CloudTrail,
                    KindAsked::Insight => LogKind::Insight,
                })
                .collect(),
            heads_from: None,
        }
    }

    /// Whether a folder was asked for.
    pub fn asks_owner(&self, owner: &Owner) -> bool {
        let asks = |asked: &[String], text: &str| asked.is_empty() || asked.iter().any(|one| one == text);
        asks(&self.accounts, &owner.account)
            && asks(&self.regions, &owner.region)
            && (self.orgs.is_empty() || owner.org.is_some_and(|org| asks(&self.orgs, org)))
    }

    pub fn asks_trail(&self, trail: &str) -> bool {
        self.trails.is_empty() || self.trails.iter().any(|asked| asked == trail)
    }

    pub fn asks_kind(&self, insight: bool) -> bool {
        self.kind.is_none_or(|kind| insight == (kind == KindAsked::Insight))
    }

    pub fn asks_minute(&self, minute: Timestamp) -> bool {
        self.from().is_none_or(|from| minute >= from) && self.to().is_none_or(|to| minute < to)
    }

    /// Whether an object lies below the folder that is looked at. What a trail put into another bucket before is known by
    /// what came after it.
    pub fn asks_place(&self, (bucket, key): &Place) -> bool {
        if self.local || bucket == BUCKET { key.starts_with(&self.prefix) } else { self.prefix.is_empty() }
    }

    /// Whether something that CloudTrail put there was surely asked for: a log by its name's minute, a digest by the
    /// hour that it covers.
    pub fn asks(&self, world: &World, thing: &Thing) -> bool {
        let of_trail = |segment: usize| self.asks_trail(&world.segments[segment].trail);
        let asked = match thing.kind {
            Kind::Log { minute, listed_by, insight } => {
                self.asks_kind(insight)
                    && self.asks_minute(minute)
                    && listed_by.is_none_or(|(segment, _)| of_trail(segment))
            }
            Kind::Digest { segment, from, to, .. } => {
                of_trail(segment)
                    && self.reads_from(world).is_none_or(|asked| asked < to)
                    && self.to().is_none_or(|asked| from < asked)
            }
        };
        asked && self.asks_owner(&thing.owner) && self.asks_place(&thing.place)
    }

    /// From when on digests are read: what a checkpoint remembers of chains is followed from there.
    fn reads_from(&self, world: &World) -> Option<Timestamp> {
        let of_earlier = self.checkpoint.made().and_then(|made| {
            let heads = world.things.iter().filter(|thing| self.is_open_head(world, thing, made));
            heads.filter(|head| self.asks_remembered(world, head)).map(Thing::time).min()
        });
        self.from().map(|from| of_earlier.map_or(from, |earlier| earlier.min(from)))
    }

    /// Whether a run made at a time remembers a digest: it had arrived, and none that points to it had.
    pub fn is_head(&self, world: &World, digest: &Thing, made: Timestamp) -> bool {
        let Some((segment, nth)) = digest.nth() else { return false };
        let arrived =
            |nth: usize| nth < world.segments[segment].digests.len() && world.digest(segment, nth).time() <= made;
        (self.local || digest.place.0 == BUCKET) && arrived(nth) && !arrived(nth + 1)
    }

    /// Whether such a digest is the newest of its chain.
    pub fn is_open_head(&self, world: &World, digest: &Thing, made: Timestamp) -> bool {
        let Some((segment, _)) = digest.nth() else { return false };
        let this = &world.segments[segment];
        let is_later = |thing: &Thing| {
            let of_chain = thing.nth().is_some_and(|(other, _)| {
                let other = &world.segments[other];
                other.owner == this.owner && other.trail == this.trail && other.backfill == this.backfill
            });
            of_chain && thing.time() > digest.time() && thing.time() <= made
        };
        self.is_head(world, digest, made) && !world.things.iter().any(is_later)
    }

    /// Whether a digest that an earlier run remembers was asked for.
    pub fn asks_remembered(&self, world: &World, digest: &Thing) -> bool {
        let Kind::Digest { segment, to, .. } = digest.kind else { return false };
        self.asks_trail(&world.segments[segment].trail)
            && self.to().is_none_or(|asked| to <= asked + minutes(2 * 60))
            && self.asks_owner(&digest.owner)
            && self.asks_place(&digest.place)
    }
}
