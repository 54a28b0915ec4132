//! What a made account owns for as long as the archive lasts: users, roles, buckets, keys, instances.
//!
//! The first of each kind are met far more often than the last, as in real accounts. Who acts with them is in
//! [`super::cast`].

use super::random::{Alphabet, Random};
use trailproof_proof::archive::ids::AccountId;

/// Users.
pub(super) const PEOPLE: [&str; 24] = [
    "alice", "bruno", "chen.wei", "dana", "emre", "fatima", "goran", "hana", "igor", "jun", "kavya", "lars", "mei",
    "nadia", "oscar", "priya", "quentin", "rosa", "sven", "tomoko", "ursula", "viktor", "wanjiru", "yusuf",
];
/// Roles.
pub(super) const ROLES: [&str; 12] = [
    "web-frontend",
    "payments-api",
    "etl-nightly",
    "ci-deploy",
    "image-resizer",
    "audit-reader",
    "backup",
    "cluster-node",
    "stream-consumer",
    "search-indexer",
    "OrganizationAccountAccessRole",
    "break-glass",
];

/// The inventory of names that records mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pool {
    Bucket,
    Object,
    User,
    Role,
    KmsKey,
    Instance,
    Function,
    Table,
    Secret,
    Group,
}

impl Pool {
    const ALL: [Self; POOLS] = [
        Self::Bucket,
        Self::Object,
        Self::User,
        Self::Role,
        Self::KmsKey,
        Self::Instance,
        Self::Function,
        Self::Table,
        Self::Secret,
        Self::Group,
    ];

    /// The pool that shapes call `name`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "bucket" => Self::Bucket,
            "object" => Self::Object,
            "user" => Self::User,
            "role" => Self::Role,
            "kms-key" => Self::KmsKey,
            "instance" => Self::Instance,
            "function" => Self::Function,
            "table" => Self::Table,
            "secret" => Self::Secret,
            "group" => Self::Group,
            _ => return None,
        })
    }

    fn len(self) -> u32 {
        match self {
            Self::Bucket => 14,
            Self::Object => 600,
            Self::User => PEOPLE.len() as u32,
            Self::Role => ROLES.len() as u32,
            Self::KmsKey | Self::Secret => 9,
            Self::Instance => 80,
            Self::Function | Self::Table => 16,
            Self::Group => 30,
        }
    }

    fn name(self, index: u32, account: AccountId, random: &mut Random) -> String {
        match self {
            Self::Bucket => {
                let purpose =
                    ["logs", "assets", "exports", "backups", "lake", "artifacts", "uploads"][index as usize % 7];
                format!("example-{purpose}-{}-{index}", &account.as_str()[8..])
            }
            Self::Object => {
                let team = ["web", "payments", "etl", "search", "ml"][index as usize % 5];
                format!("{team}/year=2026/month={:02}/{}", 1 + index % 12, random.text(Alphabet::Hex, 12))
            }
            Self::User => PEOPLE[index as usize].to_owned(),
            Self::Role => ROLES[index as usize].to_owned(),
            Self::KmsKey => random.guid(),
            Self::Instance => format!("i-0{}", random.text(Alphabet::Hex, 16)),
            Self::Function => format!("{}-handler-{index}", ROLES[index as usize % ROLES.len()]),
            Self::Table => format!("{}-table-{index}", ["orders", "sessions", "ledger", "carts"][index as usize % 4]),
            Self::Secret => format!("prod/{}/db-{}", ROLES[index as usize], random.text(Alphabet::Alphanumeric, 6)),
            Self::Group => format!("sg-0{}", random.text(Alphabet::Hex, 16)),
        }
    }
}

/// How many pools there are.
pub(super) const POOLS: usize = 10;

/// What an account owns for as long as the archive lasts.
pub(super) struct Estate {
    /// The account.
    pub(super) account: AccountId,
    /// Its place among the accounts of the archive.
    pub(super) index: u32,
    /// Names by pool, in the order of [`Pool`].
    pools: [Vec<String>; POOLS],
    /// By user, in the order of [`PEOPLE`].
    pub(super) users: Vec<UserIds>,
    /// Unique ids by role, in the order of [`ROLES`]; without the prefix `AROA`.
    pub(super) roles: Vec<String>,
    /// The addresses that people work from.
    pub(super) offices: Vec<String>,
}

/// The ids of one user, without their four-letter prefixes.
pub(super) struct UserIds {
    /// What follows `AIDA`.
    pub(super) unique: String,
    /// What follows `AKIA`.
    pub(super) access_key: String,
}

impl Estate {
    /// The inventory of the account at place `index`.
    pub(super) fn new(seed: u64, index: u32, account: AccountId) -> Self {
        let mut random = Random::stream(seed, "estate", &[index]);
        let pools = Pool::ALL.map(|pool| (0..pool.len()).map(|i| pool.name(i, account, &mut random)).collect());
        let mut unique = |count| random.text(Alphabet::Base32, count);
        let users = PEOPLE.iter().map(|_| UserIds { unique: unique(17), access_key: unique(16) }).collect();
        let roles = ROLES.iter().map(|_| unique(17)).collect();
        let offices = (0..40)
            .map(|i| match i % 4 {
                3 => format!("2001:db8:{:x}::{:x}", random.below(0xffff), random.below(0xffff)),
                net => format!("{}.{}", ["203.0.113", "198.51.100", "192.0.2"][net], random.below(254) + 1),
            })
            .collect();
        Self { account, index, pools, users, roles, offices }
    }

    /// The names in a pool, the busiest first.
    pub(super) fn pool(&self, pool: Pool) -> &[String] {
        &self.pools[pool as usize]
    }
}
