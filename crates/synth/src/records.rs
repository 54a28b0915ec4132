//! Writes log bodies: draws kinds of records, and fills in their places.
//!
//! ```text
//! SHAPES ── parsed once ──▶ Filler ── of one place and hour ──▶ body(count) ──▶ {"Records":[…]}
//! ```
//!
//! Invariant: a name that a record mentions twice is the same both times (an object's key in the request and in
//! `resources`); event ids are never the same twice.

use jiff::Timestamp;

use super::cast::{Actor, Cast};
use super::random::{Alphabet, Random, skewed};
use super::shapes::{Class, PARTS, SHAPES, Shape};
use super::world::{Estate, POOLS, Pool};
use trailproof_proof::archive::ids::Region;

/// `eventVersion`s, the most usual first.
const VERSIONS: [&str; 4] = ["1.11", "1.10", "1.09", "1.08"];

/// From this many records on, a log is busy and mostly holds data events.
const BUSY: u32 = 40;

/// How long before a log's time its events may have happened, in seconds (9.9 minutes at most, as observed).
const DELAY: std::ops::RangeInclusive<u32> = 5..=594;

/// A shape's text, cut at the places to fill in.
struct Template {
    shape: &'static Shape,
    pieces: Vec<Piece>,
}

enum Piece {
    Text(String),
    Place(Place),
}

/// A place to fill in.
#[derive(Debug, Clone, Copy)]
enum Place {
    Version,
    Identity,
    Time,
    Region,
    Ip,
    Agent,
    Account,
    Guid,
    /// S3's request id.
    Request,
    /// S3's extended request id.
    AmzId,
    /// The random part of an AWS unique id or access key.
    Key,
    /// A session token.
    Token,
    /// The same number everywhere in a record.
    Number,
    /// A number of bytes.
    Size,
    /// A number below a thousand.
    Small,
    /// Seconds since 1970, spelled `1.772312345678E9`.
    Epoch,
    /// Milliseconds since 1970.
    EpochMillis,
    /// A name, the same everywhere in a record.
    Named(Pool),
}

impl Place {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "version" => Self::Version,
            "identity" => Self::Identity,
            "time" => Self::Time,
            "region" => Self::Region,
            "ip" => Self::Ip,
            "agent" => Self::Agent,
            "account" => Self::Account,
            "guid" => Self::Guid,
            "request" => Self::Request,
            "amz-id" => Self::AmzId,
            "key" => Self::Key,
            "token" => Self::Token,
            "number" => Self::Number,
            "size" => Self::Size,
            "small" => Self::Small,
            "epoch" => Self::Epoch,
            "epoch-millis" => Self::EpochMillis,
            _ => Self::Named(Pool::parse(name)?),
        })
    }
}

impl Template {
    fn new(shape: &'static Shape) -> Self {
        let one_line: String = shape.json.lines().map(str::trim_start).collect();
        let text = PARTS.iter().fold(one_line, |text, (name, part)| text.replace(name, part));
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, place, after)) = next_place(rest) {
            pieces.extend([Piece::Text(before.to_owned()), Piece::Place(place)]);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Self { shape, pieces }
    }
}

/// The text before the first place, the place, and the text after it.
fn next_place(text: &str) -> Option<(&str, Place, &str)> {
    let (before, rest) = text.split_once('<')?;
    let (name, after) = rest.split_once('>')?;
    let place = Place::parse(name).expect("every place in SHAPES has a known name");
    Some((before, place, after))
}

/// The kinds of records that can be met in a Region.
pub(super) struct Templates {
    data: Table,
    management: Table,
    /// With those of global services.
    home: Table,
}

/// Templates, and the sum of the weights up to each.
struct Table(Vec<(u32, Template)>);

impl Table {
    fn of(classes: &[Class]) -> Self {
        let mut sum = 0;
        let shapes = SHAPES.iter().filter(|shape| classes.contains(&shape.class));
        Self(
            shapes
                .map(|shape| {
                    sum += shape.weight;
                    (sum, Template::new(shape))
                })
                .collect(),
        )
    }

    fn draw(&self, random: &mut Random) -> &Template {
        let total = self.0.last().map_or(0, |(sum, _)| *sum);
        let drawn = random.below(total);
        let at = self.0.partition_point(|(sum, _)| *sum <= drawn);
        &self.0[at].1
    }
}

impl Templates {
    pub(super) fn new() -> Self {
        Self {
            data: Table::of(&[Class::Data]),
            management: Table::of(&[Class::Management]),
            home: Table::of(&[Class::Management, Class::Global]),
        }
    }
}

/// A log's content and what its digest says of it.
pub(super) struct Body {
    /// `{"Records":[…]}`
    pub(super) json: String,
    /// The first and last event time, as written.
    pub(super) oldest: String,
    pub(super) newest: String,
}

/// Fills records of one account and Region in one hour.
pub(super) struct Filler<'a> {
    pub(super) templates: &'a Templates,
    pub(super) estate: &'a Estate,
    pub(super) cast: &'a Cast,
    pub(super) region: &'a Region,
    /// Whether global services log here.
    pub(super) home: bool,
}

/// What is drawn once for a record.
struct Scene<'a> {
    actor: &'a Actor,
    time: &'a str,
    second: i64,
    number: u32,
    names: [u32; POOLS],
}

impl Filler<'_> {
    /// A log with `count` records, whose file name says `minute`.
    pub(super) fn body(&self, random: &mut Random, minute: Timestamp, count: u32) -> Body {
        let mut json = String::with_capacity(count as usize * 1400 + 16);
        let (mut oldest, mut newest) = (i64::MAX, i64::MIN);
        json.push_str(r#"{"Records":["#);
        for index in 0..count {
            if index > 0 {
                json.push(',');
            }
            let second = minute.as_second() - i64::from(DELAY.start() + random.below(DELAY.end() - DELAY.start() + 1));
            (oldest, newest) = (oldest.min(second), newest.max(second));
            self.record(random, second, count >= BUSY, &mut json);
        }
        json.push_str("]}");
        Body { json, oldest: written(oldest), newest: written(newest) }
    }

    fn record(&self, random: &mut Random, second: i64, busy: bool, json: &mut String) {
        let table = match busy && random.chance(80) {
            true => &self.templates.data,
            false if self.home => &self.templates.home,
            false => &self.templates.management,
        };
        let template = table.draw(random);
        let scene = Scene {
            actor: random.favour(self.cast.members(template.shape.who)),
            time: &written(second),
            second,
            number: random.below(100_000),
            names: std::array::from_fn(|_| random.word()),
        };
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => json.push_str(text),
                Piece::Place(place) => self.fill(*place, &scene, random, json),
            }
        }
    }

    fn fill(&self, place: Place, scene: &Scene<'_>, random: &mut Random, json: &mut String) {
        match place {
            Place::Version => {
                let version = *random.favour(&VERSIONS);
                json.push_str(version);
            }
            Place::Identity => json.push_str(&scene.actor.identity),
            Place::Time => json.push_str(scene.time),
            Place::Region => json.push_str(self.region.as_str()),
            Place::Ip => json.push_str(&scene.actor.ip),
            Place::Agent => json.push_str(&scene.actor.agent),
            Place::Account => json.push_str(self.estate.account.as_str()),
            Place::Guid => random.push_guid(json),
            Place::Request => random.push(json, Alphabet::UpperAlphanumeric, 16),
            Place::AmzId => {
                random.push(json, Alphabet::Base64, 75);
                json.push('=');
            }
            Place::Key => random.push(json, Alphabet::Base32, 16),
            Place::Token => random.push(json, Alphabet::Base64, 480),
            Place::Number => push_number(json, u64::from(scene.number)),
            Place::Size => {
                let size = random.below(1 << 24) >> random.below(20);
                push_number(json, u64::from(size));
            }
            Place::Small => push_number(json, u64::from(random.below(1000))),
            Place::Epoch => {
                let digits = scene.second.to_string();
                let (first, rest) = digits.split_at(1);
                json.extend([first, ".", rest]);
                push_number(json, u64::from(100 + random.below(900)));
                json.push_str("E9");
            }
            Place::EpochMillis => {
                json.push_str(&scene.second.to_string());
                json.push_str("000");
            }
            Place::Named(pool) => {
                let names = self.estate.pool(pool);
                json.push_str(&names[skewed(scene.names[pool as usize], names.len())]);
            }
        }
    }
}

fn push_number(text: &mut String, number: u64) {
    use std::fmt::Write as _;
    write!(text, "{number}").expect("writing to a String cannot fail");
}

/// A time as CloudTrail writes it.
pub(super) fn written(second: i64) -> String {
    Timestamp::from_second(second).expect("the options' times are in range").to_string()
}
