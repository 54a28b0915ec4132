//! Makes sequences up. Half of the moves of a sequence are about one stretch of one chain, because what a careless
//! attacker does is told anyway: the faults lie where one move covers up another.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};

use super::model::{WORLDS, World};
use super::moves::{Folder, Logs, Move, Offered, Trouble, With};
use super::options::{KindAsked, Options, Remembered};
use super::play::Sequence;
use super::spots::{Odd, Spot, Under};

pub struct Chance {
    random: ChaCha8Rng,
    world: &'static World,
    /// The segment and digest that half of the moves are about.
    focus: (usize, usize),
    /// Whether the archive is a directory.
    local: bool,
}

impl Sequence {
    /// The sequence of a number.
    pub fn of_seed(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut random = ChaCha8Rng::from_seed(bytes);
        let world = &WORLDS[random.next_u32() as usize % WORLDS.len()];
        let mut chance = Chance { random, world, focus: (0, 0), local: false };
        chance.focus = chance.digest();
        let mut options = chance.options();
        options.local = options.prefix.is_empty() && chance.one_in(8);
        chance.local = options.local;
        let mut moves: Vec<Move> = match chance.below(8) {
            0 | 1 => (0..chance.count()).map(|_| chance.honest()).collect(),
            2 | 3 => {
                chance.ask_for_a_time(&mut options);
                chance.cover_up()
            }
            _ => (0..chance.count()).map(|_| chance.any()).collect(),
        };
        if options.local {
            moves.retain(Move::is_local);
        }
        Self { world: world.name.into(), options, moves }
    }
}

impl Chance {
    fn count(&mut self) -> usize {
        1 + self.below(4) * self.below(2)
    }

    /// Takes digests away, and puts something in the same account and Region that may stand in for them.
    fn cover_up(&mut self) -> Vec<Move> {
        let segment = self.focus.0;
        let first = match self.below(6) {
            0 => Move::DeleteTail(segment, 0, self.logs()),
            1 => Move::DeleteTail(segment, self.focus.1, self.logs()),
            2 => Move::DeleteTrail(segment, self.logs()),
            3 => Move::DeletePlace(segment),
            4 => Move::DeleteDay(segment, u8::from(self.one_in(2))),
            _ => Move::DeleteStart(segment, self.focus.1, self.logs()),
        };
        let mut moves = vec![first];
        for _ in 0..1 + self.below(2) {
            moves.push(match self.below(5) {
                0 => self.any(),
                1 | 2 => Move::Plant(self.digest_spot(segment), self.with()),
                _ => Move::Plant(self.spot_near(segment), self.with()),
            });
        }
        moves
    }

    /// A period, in half of the cases: what was asked for must be covered.
    fn ask_for_a_time(&mut self, options: &mut Options) {
        match self.below(6) {
            0 => options.from = Some(self.pick(&[0, 60, 130, 190])),
            1 => (options.from, options.to) = (Some(self.pick(&[0, 60, 130])), Some(self.pick(&[200, 250, 330]))),
            2 => options.to = Some(self.pick(&[200, 250, 330])),
            _ => {}
        }
    }

    fn below(&mut self, number: usize) -> usize {
        self.random.next_u32() as usize % number
    }

    fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn digest(&mut self) -> (usize, usize) {
        let segment = self.below(self.world.segments.len());
        (segment, self.below(self.world.segments[segment].digests.len()))
    }

    fn segment(&mut self) -> usize {
        if self.one_in(2) { self.focus.0 } else { self.below(self.world.segments.len()) }
    }

    /// A digest of a segment.
    fn nth(&mut self, segment: usize) -> usize {
        if segment == self.focus.0 && self.one_in(2) {
            return self.focus.1;
        }
        self.below(self.world.segments[segment].digests.len())
    }

    fn digest_name(&mut self) -> String {
        let (segment, nth) = if self.one_in(2) { self.focus } else { self.digest() };
        format!("{segment}.{nth}")
    }

    fn log_name(&mut self) -> String {
        if self.one_in(8) {
            return format!("x{}", self.below(2));
        }
        format!("{}.0", self.digest_name())
    }

    fn name(&mut self) -> String {
        if self.one_in(2) { self.digest_name() } else { self.log_name() }
    }

    fn with(&mut self) -> With {
        match self.below(12) {
            0 => With::Empty,
            1 => With::Junk,
            2 => With::Braces,
            3 => With::NoRecords,
            4 => With::ForgedPlain,
            5 => With::Flipped,
            6 | 7 => With::Of(self.name()),
            8 => With::Signed,
            9 => With::SignedAsCloudTrail,
            _ => With::Forged,
        }
    }

    fn trouble(&mut self) -> Trouble {
        use Trouble::{Broken, Denied, Glacier, Kms, Proxy, Unavailable, Vanished};
        self.pick(&[Denied, Denied, Kms, Glacier, Proxy, Proxy, Unavailable, Broken, Vanished])
    }

    fn logs(&mut self) -> Logs {
        self.pick(&[Logs::Kept, Logs::Deleted, Logs::Deleted, Logs::Forged])
    }

    fn digest_spot(&mut self, near: usize) -> Spot {
        let second = match self.below(3) {
            // Where a digest of the chain might have ended.
            0 | 1 => 91 + 3600 * i64::try_from(self.below(12)).unwrap(),
            _ => i64::try_from(self.below(30_000)).unwrap(),
        };
        let days_off = self.pick(&[0, 0, 0, 0, -1, 1, 2]);
        Spot::Digest { near, second, days_off, backfill: self.one_in(4), other_trail: self.one_in(4) }
    }

    fn spot(&mut self) -> Spot {
        let near = self.segment();
        self.spot_near(near)
    }

    fn spot_near(&mut self, near: usize) -> Spot {
        let days_off = self.pick(&[0, 0, 0, 0, -1, 1, 2]);
        match self.below(10) {
            0..=3 => {
                let minute = match self.below(5) {
                    0 => 6 * 60 + i64::from(self.pick(&[-170_i16, -30, 5, 21, 30, 36])),
                    1 => self.pick(&[-2 * 24 * 60, 24 * 60, 38_000_000, 2 * 24 * 60]),
                    _ => i64::try_from(self.below(380)).unwrap(),
                };
                let under = match self.below(4) {
                    0 => self.pick(&Under::OTHERS),
                    _ => Under::ItsRoot,
                };
                Spot::Log { near, insight: self.one_in(8), minute, days_off, under }
            }
            4..=6 => Spot::Odd { near, day: u8::from(self.one_in(2)), shape: self.pick(&Odd::ALL) },
            7 | 8 => self.digest_spot(near),
            _ if self.one_in(3) => Spot::OddDigest { near },
            _ => Spot::Outside { near, shape: u8::try_from(self.below(4)).unwrap() },
        }
    }

    fn any(&mut self) -> Move {
        let segment = self.segment();
        let nth = self.nth(segment);
        match self.below(24) {
            0 => Move::Delete(self.digest_name()),
            1 => Move::Delete(self.log_name()),
            2 | 3 => Move::DeleteTail(segment, nth, self.logs()),
            4 if self.one_in(2) => Move::DeleteTrail(segment, self.logs()),
            4 => Move::DeleteStart(segment, nth, self.logs()),
            5 if self.one_in(4) => self.pick(&[Move::Wipe, Move::ClaimMoved]),
            5 => match self.below(3) {
                0 => Move::DeletePlace(segment),
                1 => Move::DeleteAccount(segment),
                _ => Move::DeleteDay(segment, u8::from(self.one_in(2))),
            },
            6 => Move::Replace(self.digest_name(), self.with()),
            7 => Move::Replace(self.log_name(), self.with()),
            8 | 9 => Move::ReplaceTail(segment, nth, self.logs(), self.with()),
            10 => Move::Exchange(self.name(), self.name()),
            11 => {
                let percent = self.pick(&[0, 10, 50, 60]);
                Move::Truncate(self.name(), percent)
            }
            12 => Move::Append(self.name()),
            13 => match self.one_in(2) {
                true => Move::SpoilSignature(self.digest_name()),
                false => Move::BorrowMetadata(self.digest_name(), self.digest_name()),
            },
            14..=17 => Move::Plant(self.spot(), self.with()),
            18 => Move::PlantTrouble(self.spot(), self.trouble()),
            19 => Move::Trouble(self.name(), self.trouble()),
            _ => self.honest(),
        }
    }

    fn honest(&mut self) -> Move {
        let segment = self.segment();
        if self.local && self.one_in(3) {
            return match self.below(3) {
                0 => Move::LinkFolder(segment, self.one_in(2)),
                1 => Move::LinkInside(self.name()),
                _ => Move::Unpack(self.name()),
            };
        }
        match self.below(16) {
            0 => Move::LoseMetadata(self.digest_name()),
            1 => Move::LoseAllMetadata,
            2 | 3 => {
                let how = u8::try_from(self.below(3)).unwrap();
                Move::Recompress(self.name(), how)
            }
            4 => Move::Passing(self.name(), 1),
            5 | 6 => Move::Expire,
            7 => self.late(segment),
            8 => Move::Copied(self.one_in(2)),
            9 => Move::CopyLog(self.log_name()),
            10 => Move::Keys(self.pick(&[Offered::None, Offered::SomebodyElses])),
            11 => Move::DenyFolder(segment, self.pick(&[Folder::Account, Folder::Logs, Folder::Digests, Folder::Day])),
            12 => {
                Move::Plant(Spot::Outside { near: segment, shape: u8::try_from(self.below(4)).unwrap() }, self.with())
            }
            13 => {
                let (day, shape) = (u8::from(self.one_in(2)), self.pick(&[Odd::Dot, Odd::Underscore]));
                Move::Plant(Spot::Odd { near: segment, day, shape }, self.with())
            }
            _ => Move::Trouble(self.name(), self.trouble()),
        }
    }

    /// Only the newest of all can be late.
    fn late(&mut self, segment: usize) -> Move {
        let newest = self.world.digest(segment, self.world.segments[segment].digests.len() - 1);
        let is_new = newest.time() > self.world.now - super::model::minutes(30);
        if is_new { Move::Late(segment) } else { Move::Expire }
    }

    fn options(&mut self) -> Options {
        let (acknowledged, short_pages) = (!self.one_in(4), self.one_in(4));
        let mut options = Options { acknowledged, short_pages, ..Options::default() };
        if self.one_in(2) {
            options.checkpoint = match self.below(6) {
                0 | 1 => Remembered::After(6),
                2 | 3 => Remembered::After(i64::try_from(2 + self.below(4)).unwrap()),
                4 => Remembered::TwoNights(3, 5),
                _ if self.one_in(3) => Remembered::Foreign,
                _ => Remembered::TwoNights(4, 6),
            };
        }
        if self.one_in(3) {
            self.narrow(&mut options);
        }
        if self.one_in(6) {
            options.later = self.pick(&[1, 4, 30]);
        }
        options
    }

    /// Asks for a part.
    fn narrow(&mut self, options: &mut Options) {
        let owner = &self.world.segments[self.segment()].owner;
        let trail = self.world.segments[self.segment()].trail.clone();
        let absent = self.one_in(12);
        for _ in 0..1 + self.below(2) {
            match self.below(8) {
                0 => options.from = Some(self.pick(&[0, 60, 121, 130, 240, 300])),
                1 => options.to = Some(self.pick(&[61, 120, 240, 250, 330, 380])),
                2 => options.accounts = vec![if absent { "123412341234".into() } else { owner.account.clone() }],
                3 => options.regions = vec![if absent { "ap-south-1".into() } else { owner.region.clone() }],
                4 => options.orgs = vec![if absent { "o-anotherorgid".into() } else { super::model::ORG.into() }],
                5 => options.trails = vec![if absent { "tpyo".into() } else { trail.clone() }],
                6 => {
                    options.kind = Some(self.pick(&[KindAsked::CloudTrail, KindAsked::CloudTrail, KindAsked::Insight]))
                }
                _ => {
                    let account = format!("{}{}/", owner.root, owner.account);
                    let digests = owner.kind_folder("CloudTrail-Digest");
                    options.prefix = self.pick(&[account.clone(), account, owner.root.clone(), digests]);
                }
            }
        }
        if let (Some(from), Some(to)) = (options.from, options.to)
            && from >= to
        {
            options.to = None;
        }
    }
}
