//! What the adversary knows: small archives as CloudTrail made them, and which digest vouches for which log.
//!
//! An archive is made of *segments*: digests of one account, Region and trail, each of which points to the one before.
//! A trail that was stopped and started again has two of them. Everything in an archive has a short name that stays the
//! same however it is made: `2.0` is the first digest of segment 2, `2.0.1` the second log that it lists, `x0` the first
//! log that no digest lists.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use trailproof::source::DigestMetadata;

use crate::support::chain::{BUCKET, Built, Chain, Draft, day, gunzip};

/// Where a trail put its files before it was told to use [`BUCKET`].
pub const OLD_BUCKET: &str = "old-trail-bucket";
pub const ORG: &str = "o-exampleorgid";
const ORG_ROOT: &str = "audit/AWSLogs/o-exampleorgid/";
const PLAIN_ROOT: &str = "AWSLogs/";

/// Bucket and key.
pub type Place = (String, String);

/// One object as CloudTrail put it.
pub struct Thing {
    pub name: String,
    pub place: Place,
    pub kind: Kind,
    pub owner: Owner,
    /// Inflated.
    pub content: Vec<u8>,
    pub stored: Bytes,
    pub metadata: DigestMetadata,
}

/// Whose folder something lies in.
#[derive(Debug, Clone, PartialEq)]
pub struct Owner {
    pub root: String,
    pub org: Option<&'static str>,
    pub account: String,
    pub region: String,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Digest { segment: usize, nth: usize, from: Timestamp, to: Timestamp },
    Log { minute: Timestamp, listed_by: Option<(usize, usize)>, insight: bool },
}

/// Digests that point to each other, oldest first.
pub struct Segment {
    pub owner: Owner,
    pub trail: String,
    pub backfill: bool,
    /// Numbers in [`World::things`].
    pub digests: Vec<usize>,
}

pub struct World {
    pub name: &'static str,
    /// When it is looked at.
    pub now: Timestamp,
    pub things: Vec<Thing>,
    pub segments: Vec<Segment>,
    pub keys: Vec<Value>,
    places: BTreeMap<Place, usize>,
    names: BTreeMap<String, usize>,
}

/// The first digest hour of every archive begins a minute and a half after this.
pub fn base() -> Timestamp {
    "2026-01-02T20:00:00Z".parse().unwrap()
}

pub fn minutes(number: i64) -> SignedDuration {
    SignedDuration::from_mins(number)
}

/// A container that costs nothing to make.
pub fn stored(content: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut encoder, content).unwrap();
    encoder.finish().unwrap().into()
}

pub static WORLDS: LazyLock<Vec<World>> =
    LazyLock::new(|| vec![World::plain(), World::organization(), World::trails(), World::moved()]);

impl World {
    fn new(name: &'static str) -> Self {
        let now = base() + minutes(6 * 60 + 20);
        let (things, segments, keys) = Default::default();
        Self { name, now, things, segments, keys, places: BTreeMap::new(), names: BTreeMap::new() }
    }

    /// One trail in two Regions, with a backfill in one.
    fn plain() -> Self {
        let mut world = Self::new("plain");
        let owner = |region| Owner::of(PLAIN_ROOT, None, "111122223333", region);
        world.add(owner("us-east-1"), 0, Chain { hours: 6, ..Chain::new() });
        world.add(owner("eu-west-1"), 0, Chain { hours: 6, ..one_log() });
        world.add(owner("eu-west-1"), 1, Chain { hours: 2, backfill: true, ..one_log() });
        world
    }

    /// An organization's trail with an account that left and one that is new, Insights, and an account's own trail.
    fn organization() -> Self {
        let mut world = Self::new("organization");
        let owner = |account, region| Owner::of(ORG_ROOT, Some(ORG), account, region);
        let chain = |hours| Chain { trail: "org".into(), hours, ..one_log() };
        world.add(owner("111122223333", "us-east-1"), 1, chain(5));
        world.add(owner("111122223333", "eu-west-1"), 1, chain(5));
        world.add(owner("444455556666", "us-east-1"), 1, chain(5));
        world.add(owner("777788889999", "us-east-1"), 1, chain(2));
        world.add(owner("000000000042", "us-east-1"), 4, chain(2));
        world.add(Owner::of(PLAIN_ROOT, None, "111122223333", "us-east-1"), 3, Chain { hours: 3, ..one_log() });
        let insight = owner("111122223333", "us-east-1");
        world.add_log(&insight, true, base() + minutes(2 * 60 + 33));
        world
    }

    /// Two trails of one account and Region, one of which was stopped for an hour; a backfill; logs not yet listed.
    fn trails() -> Self {
        let mut world = Self::new("trails");
        let owner = || Owner::of(PLAIN_ROOT, None, "111122223333", "us-east-1");
        let other = |hours| Chain { trail: "other".into(), hours, ..one_log() };
        world.add(owner(), 0, Chain { hours: 6, ..one_log() });
        world.add(owner(), 0, other(2));
        world.add(owner(), 3, other(3));
        world.add(owner(), 1, Chain { hours: 2, backfill: true, ..one_log() });
        world.add_log(&owner(), false, base() + minutes(6 * 60 + 5));
        world.add_log(&owner(), false, base() + minutes(6 * 60 + 10));
        world
    }

    /// A trail whose bucket was changed, and one whose prefix was.
    fn moved() -> Self {
        let mut world = Self::new("moved");
        let from_bucket = Chain::with(|hour, draft| {
            draft.logs.truncate(1);
            if hour < 3 {
                draft.bucket = OLD_BUCKET.into();
            }
        });
        let from_prefix = Chain::with(|hour, draft| {
            draft.logs.truncate(1);
            if hour < 3 {
                draft.key = format!("old/{}", draft.key);
                draft.logs[0].0 = format!("old/{}", draft.logs[0].0);
            }
        });
        world.add(Owner::of(PLAIN_ROOT, None, "111122223333", "us-east-1"), 0, Chain { hours: 6, ..from_bucket });
        world.add(Owner::of(PLAIN_ROOT, None, "444455556666", "eu-west-1"), 0, Chain { hours: 6, ..from_prefix });
        world
    }

    /// Adds a segment whose first digest ends so many hours after those that begin first.
    fn add(&mut self, owner: Owner, hours_later: i64, chain: Chain) {
        let segment = self.segments.len();
        let first_end = base() + SignedDuration::from_secs(3691) + minutes(60 * hours_later);
        let inner = chain.draft;
        // No two logs have the same content.
        let draft = move |hour: usize, draft: &mut Draft| {
            inner(hour, draft);
            for (_, content) in &mut draft.logs {
                let text = String::from_utf8(std::mem::take(content)).unwrap();
                *content = text.replace("\"eventID\":\"", &format!("\"eventID\":\"{segment}-")).into_bytes();
            }
        };
        let chain = Chain {
            draft: Box::new(draft),
            root: owner.root.clone(),
            account: owner.account.clone(),
            region: owner.region.clone(),
            first_end,
            ..chain
        };
        let mut built = Built::default();
        chain.build_into(&mut built);
        let mut digests = Vec::new();
        for (nth, (key, logs)) in built.digests.iter().zip(&built.logs).enumerate() {
            let to = first_end + minutes(60 * i64::try_from(nth).unwrap());
            let kind = Kind::Digest { segment, nth, from: to - minutes(60), to };
            digests.push(self.file(format!("{segment}.{nth}"), key, kind, &owner, &built));
            for (number, (log, delivered)) in logs.iter().zip([12, 17]).enumerate() {
                // Names have no seconds.
                let minute = to - minutes(delivered) - SignedDuration::from_secs(31);
                let kind = Kind::Log { minute, listed_by: Some((segment, nth)), insight: false };
                self.file(format!("{segment}.{nth}.{number}"), log, kind, &owner, &built);
            }
        }
        self.keys = built.public_keys;
        self.segments.push(Segment { owner, trail: chain.trail, backfill: chain.backfill, digests });
    }

    /// Adds a log that no digest lists.
    fn add_log(&mut self, owner: &Owner, insight: bool, minute: Timestamp) {
        let name = format!("x{}", self.things.iter().filter(|thing| thing.name.starts_with('x')).count());
        let key = owner.log_key(insight, minute, &day(minute), &format!("{name}HonestHonestHo"));
        let mut built = Built::default();
        let content = format!("{{\"Records\":[{{\"eventTime\":\"{minute}\",\"eventID\":\"{name}\"}}]}}");
        built.objects.insert(key.clone(), (stored(content.as_bytes()).to_vec(), BTreeMap::new()));
        self.file(name, &key, Kind::Log { minute, listed_by: None, insight }, owner, &built);
    }

    fn file(&mut self, name: String, key: &str, kind: Kind, owner: &Owner, built: &Built) -> usize {
        let (body, metadata) = &built.objects[key];
        let content = gunzip(body);
        let bucket = built.buckets.get(key).map_or(BUCKET, String::as_str);
        let root = key[..key.find(&owner.account).unwrap()].to_owned();
        let thing = Thing {
            name: name.clone(),
            place: (bucket.to_owned(), key.to_owned()),
            kind,
            owner: Owner { root, ..owner.clone() },
            stored: stored(&content),
            content,
            metadata: DigestMetadata::from_pairs(metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        };
        let number = self.things.len();
        self.places.insert(thing.place.clone(), number);
        self.names.insert(name, number);
        self.things.push(thing);
        number
    }

    pub fn find(&self, name: &str) -> Option<&Thing> {
        self.names.get(name).map(|&number| &self.things[number])
    }

    pub fn at(&self, place: &Place) -> Option<&Thing> {
        self.places.get(place).map(|&number| &self.things[number])
    }

    pub fn digest(&self, segment: usize, nth: usize) -> &Thing {
        &self.things[self.segments[segment].digests[nth]]
    }
}

fn one_log() -> Chain {
    Chain::with(|_, draft| draft.logs.truncate(1))
}

impl Owner {
    fn of(root: &str, org: Option<&'static str>, account: &str, region: &str) -> Self {
        Self { root: root.into(), org, account: account.into(), region: region.into() }
    }

    /// `AWSLogs/111122223333/CloudTrail/`.
    pub fn kind_folder(&self, kind: &str) -> String {
        format!("{}{}/{kind}/", self.root, self.account)
    }

    pub fn log_key(&self, insight: bool, minute: Timestamp, day: &str, unique: &str) -> String {
        let (kind, region) = (if insight { "CloudTrail-Insight" } else { "CloudTrail" }, &self.region);
        let time = &crate::support::chain::compact(minute)[..13];
        format!("{}{region}/{day}/{}_{kind}_{region}_{time}Z_{unique}.json.gz", self.kind_folder(kind), self.account)
    }

    pub fn digest_key(&self, trail: &str, end: Timestamp, day: &str, backfill: bool) -> String {
        let (region, time) = (&self.region, crate::support::chain::compact(end));
        let suffix = if backfill { "_backfill" } else { "" };
        format!(
            "{}{region}/{day}/{}_CloudTrail-Digest_{region}_{trail}_us-east-1_{time}Z{suffix}.json.gz",
            self.kind_folder("CloudTrail-Digest"),
            self.account
        )
    }
}

impl Thing {
    /// The segment and number of a digest.
    pub fn nth(&self) -> Option<(usize, usize)> {
        match self.kind {
            Kind::Digest { segment, nth, .. } => Some((segment, nth)),
            Kind::Log { .. } => None,
        }
    }

    /// The moment at which its name says that it was delivered.
    pub fn time(&self) -> Timestamp {
        match self.kind {
            Kind::Digest { to, .. } => to,
            Kind::Log { minute, .. } => minute,
        }
    }
}
