//! Makes an organization's CloudTrail archive from a seed: signed with test keys, in the shape and sizes of real ones.
//!
//! ```text
//! DEST/bucket/AWSLogs/o-…/<account>/CloudTrail/…          logs            ┐ digests + records
//! DEST/bucket/AWSLogs/o-…/<account>/CloudTrail-Digest/…   digests, each   ┘ per account and Region
//!                                        …metadata.json   with its user metadata beside it
//! DEST/public-keys.json    what `aws cloudtrail list-public-keys` prints, a key for each Region
//! DEST/truth.json          what a reader must arrive at, and what was tampered with
//! ```
//!
//! Invariants: the same options give the same bytes, on any machine and any number of threads; nothing that exists is
//! overwritten; DEST appears whole or not at all. Nothing here is secret: who knows the seed has the private keys.

mod cast;
mod digests;
mod random;
mod records;
mod shapes;
mod signing;
mod tamper;
#[cfg(test)]
mod tests;
mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;
use serde::Serialize;

use self::digests::{Chain, hour_start};
use self::random::Random;
use self::records::Templates;
use self::signing::{PublicKeys, SigningKey};
pub use self::tamper::{Tamper, Tampered, UnknownTamper};
use self::world::Estate;
use trailproof_proof::archive::ids::{AccountId, OrgId, Region};
use trailproof_proof::archive::key::AccountRegion;

/// The bucket that digests say they are in.
pub const BUCKET: &str = "example-org-trail";

/// The trail's name: one that a careless parser of digest names would cut in the wrong place.
pub const TRAIL: &str = "org_audit-trail";

/// The organization, unless told otherwise.
pub const ORG: &str = "o-exampleorgid";

/// Two hours before midnight of the last day of a month, off the hour: four hours of archive have two days and months.
pub const START: Timestamp = Timestamp::constant(1_772_316_451, 0); // 2026-02-28T22:07:31Z

/// The Regions, in the order that archives get them; the first is the trail's home, where global services log.
pub const REGIONS: [&str; 17] = [
    "us-east-1",
    "eu-west-1",
    "ap-northeast-1",
    "us-west-2",
    "eu-central-1",
    "ap-southeast-2",
    "us-east-2",
    "sa-east-1",
    "ca-central-1",
    "eu-north-1",
    "ap-south-1",
    "us-west-1",
    "eu-west-2",
    "eu-west-3",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
];

/// The most of each number that [`write()`] takes.
const MOST_ACCOUNTS: u32 = 10_000;
/// Ten years.
const MOST_HOURS: u32 = 87_660;
const MOST_LOGS: u32 = 1_000_000;
const MOST_RECORDS: u32 = 1_000_000;

/// How large logs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sizes {
    /// As real ones: half hold 1 to 3 records, a few hold many times the mean.
    #[default]
    Mixed,
    /// Each within a quarter of the mean.
    Even,
}

/// What to make, and where.
#[derive(Debug, Clone)]
pub struct SynthOptions {
    /// A directory that does not exist yet, or is empty.
    pub dest: PathBuf,
    /// How many accounts.
    pub accounts: u32,
    /// How many Regions, each in every account.
    pub regions: u32,
    /// How many digests each account and Region has.
    pub hours: u32,
    /// The mean number of logs for an account and Region in an hour; some hours have none.
    pub logs_per_hour: u32,
    /// The mean number of records in a log.
    pub records_per_log: u32,
    /// How log sizes spread about their mean.
    pub sizes: Sizes,
    /// The same seed makes the same archive.
    pub seed: u64,
    /// When the first digest's hour starts; fractions of a second are dropped.
    pub start: Timestamp,
    /// The organization whose trail it is; without one the keys have no such element.
    pub org: Option<OrgId>,
    /// What to do to the archive once it is made.
    pub tamper: BTreeSet<Tamper>,
}

impl SynthOptions {
    /// Two accounts in two Regions for a day, ten logs an hour of forty records each.
    pub fn new(dest: impl Into<PathBuf>) -> Self {
        Self {
            dest: dest.into(),
            accounts: 2,
            regions: 2,
            hours: 24,
            logs_per_hour: 10,
            records_per_log: 40,
            sizes: Sizes::Mixed,
            seed: 1,
            start: START,
            org: Some(ORG.parse().expect("the constant is an organization id")),
            tamper: BTreeSet::new(),
        }
    }
}

/// Why no archive was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthError {
    /// Something is there already, and synth never overwrites.
    #[error("{}: exists and is not an empty directory", dest.display())]
    Exists {
        /// The destination.
        dest: PathBuf,
    },
    /// Another run is writing, or was killed while it did.
    #[error("{}: left by another run that has not finished", partial.display())]
    Unfinished {
        /// Where the archive is built before it gets its name.
        partial: PathBuf,
    },
    /// A number that no archive can be made of.
    #[error("{what} is {value}, not from {least} to {most}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// What was asked.
        value: u32,
        /// The least that works.
        least: u32,
        /// The most that works.
        most: u32,
    },
    /// The hours asked for reach beyond the times that can be written.
    #[error("{hours} hours from {start} on are beyond the year 9999")]
    TooLate {
        /// The start asked for.
        start: Timestamp,
        /// The hours asked for.
        hours: u32,
    },
    /// The archive is too small to be tampered with like that.
    #[error("{kind}: the archive has no untouched hour to do it in; ask for more hours or logs")]
    NoRoom {
        /// The kind that found no place.
        kind: Tamper,
    },
    /// A file could not be written or read back.
    #[error("{}: cannot be written", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key could not be made or used.
    #[error("a test key cannot be made or used")]
    Key(#[source] rsa::Error),
}

/// Counts of what was delivered, before any tampering.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Records in all logs.
    pub records: u64,
    /// Logs.
    pub logs: u64,
    /// Digests.
    pub digests: u64,
    /// Chains of digests: accounts times Regions.
    pub chains: u64,
    /// Bytes of all logs, inflated.
    pub raw_bytes: u64,
    /// Bytes of all logs, as stored.
    pub gz_bytes: u64,
}

/// What was made; `truth.json` is this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Counts of what was delivered, before any tampering.
    #[serde(flatten)]
    pub totals: Totals,
    /// The organization.
    pub org: Option<OrgId>,
    /// The bucket that digests name.
    pub bucket: String,
    /// The trail.
    pub trail: String,
    /// The accounts.
    pub accounts: Vec<AccountId>,
    /// The Regions, the trail's home first.
    pub regions: Vec<Region>,
    /// Start of the first digest's hour.
    pub start: Timestamp,
    /// End of the last digest's hour.
    pub end: Timestamp,
    /// The seed.
    pub seed: u64,
    /// What was tampered with.
    pub tampered: Vec<Tampered>,
}

/// Makes an archive.
///
/// It is built beside `dest` under the name `.<dest>.partial` and renamed when it is whole; after an error nothing is
/// left of it.
///
/// # Errors
/// [`Exists`](SynthError::Exists) when `dest` is anything but an empty directory; [`OutOfRange`](SynthError::OutOfRange)
/// and [`TooLate`](SynthError::TooLate) for numbers that make no archive; [`NoRoom`](SynthError::NoRoom) when it is too
/// small for the tampering asked for; [`File`](SynthError::File) when the disk says no.
pub fn write(options: SynthOptions) -> Result<Summary, SynthError> {
    let options = checked(options)?;
    let dest = &options.dest;
    if !is_free(dest)? {
        return Err(SynthError::Exists { dest: dest.clone() });
    }
    let partial = Partial::create(dest)?;
    let summary = build(&options, &partial.0)?;
    match fs::rename(&partial.0, dest) {
        Ok(()) => Ok(summary),
        Err(_) if !is_free(dest)? => Err(SynthError::Exists { dest: dest.clone() }),
        Err(source) => Err(SynthError::File { path: dest.clone(), source }),
    }
}

fn checked(options: SynthOptions) -> Result<SynthOptions, SynthError> {
    let limits = [
        ("accounts", options.accounts, 1, MOST_ACCOUNTS),
        ("regions", options.regions, 1, REGIONS.len() as u32),
        ("hours", options.hours, 1, MOST_HOURS),
        ("logs per hour", options.logs_per_hour, 0, MOST_LOGS),
        ("records per log", options.records_per_log, 1, MOST_RECORDS),
    ];
    for (what, value, least, most) in limits {
        if !(least..=most).contains(&value) {
            return Err(SynthError::OutOfRange { what, value, least, most });
        }
    }
    let too_late = || SynthError::TooLate { start: options.start, hours: options.hours };
    let start = Timestamp::from_second(options.start.as_second()).map_err(|_| too_late())?;
    // A year beyond the last hour, because the keys are valid for that long.
    let reach = SignedDuration::from_hours(i64::from(options.hours) + 366 * 24);
    start.checked_add(reach).map_err(|_| too_late())?;
    start.checked_sub(SignedDuration::from_hours(31 * 24)).map_err(|_| too_late())?;
    Ok(SynthOptions { start, ..options })
}

/// Whether an archive can be put at `dest`.
fn is_free(dest: &Path) -> Result<bool, SynthError> {
    match fs::read_dir(dest) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(source) => Err(SynthError::File { path: dest.to_owned(), source }),
    }
}

/// The directory that an archive is built in; what is left of it goes away at the end.
struct Partial(PathBuf);

impl Partial {
    fn create(dest: &Path) -> Result<Self, SynthError> {
        let absolute =
            std::path::absolute(dest).map_err(|source| SynthError::File { path: dest.to_owned(), source })?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(SynthError::Exists { dest: dest.to_owned() }); // the root of the file system
        };
        let path = parent.join(format!(".{}.partial", name.display()));
        let created = fs::create_dir_all(parent).and_then(|()| fs::create_dir(&path));
        match created {
            Ok(()) => Ok(Self(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(SynthError::Unfinished { partial: path }),
            Err(source) => Err(SynthError::File { path, source }),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename there is nothing to remove; after an error this is the best that can be done.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn build(options: &SynthOptions, dest: &Path) -> Result<Summary, SynthError> {
    let seed = options.seed;
    let bucket = dest.join("bucket");
    let regions: Vec<Region> = REGIONS[..options.regions as usize]
        .iter()
        .map(|name| name.parse().expect("the constants are Region names"))
        .collect();
    let estates: Vec<Estate> = (0..options.accounts).map(|index| Estate::new(seed, index, account(index))).collect();
    let keys = (0..options.regions)
        .map(|region| SigningKey::new(Random::stream(seed, "key", &[region])))
        .collect::<Result<Vec<_>, _>>()?;
    let templates = Templates::new();
    let root = match &options.org {
        Some(org) => format!("AWSLogs/{org}/"),
        None => "AWSLogs/".to_owned(),
    };
    let home = &regions[0];
    let mut chains = Vec::with_capacity(estates.len() * regions.len());
    for estate in &estates {
        for (region_index, (region, key)) in (0..).zip(regions.iter().zip(&keys)) {
            let place = AccountRegion { account: estate.account, region: region.clone() };
            let (bucket, root, templates) = (bucket.as_path(), root.as_str(), &templates);
            chains.push(Chain { options, bucket, root, templates, estate, place, region_index, home, key });
        }
    }

    fs::create_dir(&bucket).map_err(|source| SynthError::File { path: bucket.clone(), source })?;
    let totals = chains.par_iter().map(Chain::write).try_reduce(Totals::default, |a, b| Ok(a + b))?;
    let tampered = tamper::apply(&options.tamper, &chains)?;

    let end = hour_start(options, options.hours);
    let from = options.start - SignedDuration::from_hours(30 * 24);
    let to = end + SignedDuration::from_hours(365 * 24);
    let public_keys = PublicKeys { public_key_list: keys.iter().map(|key| key.listed(from, to)).collect() };
    write_json(&dest.join("public-keys.json"), &public_keys)?;
    drop(chains);
    let summary = Summary {
        totals,
        org: options.org.clone(),
        bucket: BUCKET.to_owned(),
        trail: TRAIL.to_owned(),
        accounts: estates.iter().map(|estate| estate.account).collect(),
        regions,
        start: options.start,
        end,
        seed,
        tampered,
    };
    write_json(&dest.join("truth.json"), &summary)?;
    Ok(summary)
}

/// Made-up account ids; the second has a leading zero.
fn account(index: u32) -> AccountId {
    let number = (100_000_000_007 + u64::from(index) * 925_000_000_037) % 1_000_000_000_000;
    format!("{number:012}").parse().expect("twelve digits are an account id")
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), SynthError> {
    let mut json = serde_json::to_vec_pretty(value).expect("only text, numbers and lists");
    json.push(b'\n');
    fs::write(path, json).map_err(|source| SynthError::File { path: path.to_owned(), source })
}

impl std::ops::Add for Totals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            logs: self.logs + other.logs,
            digests: self.digests + other.digests,
            chains: self.chains + other.chains,
            raw_bytes: self.raw_bytes + other.raw_bytes,
            gz_bytes: self.gz_bytes + other.gz_bytes,
        }
    }
}
