//! Writes one chain: the logs and the hourly digests of one account in one Region.
//!
//! ```text
//! start ──── hour 0 ────┬──── hour 1 ────┬──▶ …
//!   logs of hour 0      │ digest 0 ◀── previous* ── digest 1
//! ```
//!
//! Invariants: hours follow each other without gap; the first digest has no predecessor; a log's name is a multiple of
//! five minutes within the hour of the one digest that lists it; no log is later than the last digest.
//!
//! Spec: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html>

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use libdeflater::{CompressionLvl, Compressor};
use serde::Serialize;

use super::cast::Cast;
use super::random::{Alphabet, Random};
use super::records::{Body, Filler, Templates};
use super::signing::{SigningKey, string_to_sign};
use super::world::Estate;
use super::{BUCKET, Sizes, SynthError, SynthOptions, TRAIL, Totals};
use trailproof_proof::archive::ids::Region;
use trailproof_proof::archive::key::{AccountRegion, DigestName, LogKind, LogName};
use trailproof_proof::sha256::Sha256;

/// CloudTrail names logs by the five minutes they were delivered in.
const SLOT: i64 = 300;
const SLOTS_PER_HOUR: u32 = 12;

/// zlib's own default. libdeflate finds matches without asking what the processor can do, so a level has one output.
const LEVEL: i32 = 6;

/// What one chain is made from.
pub(super) struct Chain<'a> {
    pub(super) options: &'a SynthOptions,
    /// The directory that mirrors the bucket.
    pub(super) bucket: &'a Path,
    /// What every key starts with, up to the account.
    pub(super) root: &'a str,
    pub(super) templates: &'a Templates,
    pub(super) estate: &'a Estate,
    pub(super) place: AccountRegion,
    /// The Region's place among those of the archive; the first is the trail's home.
    pub(super) region_index: u32,
    pub(super) home: &'a Region,
    pub(super) key: &'a SigningKey,
}

/// A digest, in CloudTrail's order of keys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Digest<'a> {
    aws_account_id: &'a str,
    digest_start_time: String,
    digest_end_time: &'a str,
    digest_s3_bucket: &'a str,
    digest_s3_object: &'a str,
    digest_public_key_fingerprint: &'a str,
    digest_signature_algorithm: &'a str,
    newest_event_time: Option<&'a str>,
    oldest_event_time: Option<&'a str>,
    previous_digest_s3_bucket: Option<&'a str>,
    previous_digest_s3_object: Option<&'a str>,
    previous_digest_hash_value: Option<&'a str>,
    previous_digest_hash_algorithm: Option<&'a str>,
    previous_digest_signature: Option<&'a str>,
    log_files: &'a [Listed],
}

/// A log, as its digest lists it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    s3_bucket: &'static str,
    s3_object: String,
    hash_value: String,
    hash_algorithm: &'static str,
    newest_event_time: String,
    oldest_event_time: String,
}

/// The digest that the next one names.
struct Previous {
    key: String,
    hash: String,
    signature: String,
}

impl Chain<'_> {
    /// Writes the chain and counts it.
    pub(super) fn write(&self) -> Result<Totals, SynthError> {
        let mut store = Store::new(self.bucket.to_owned());
        let mut random = self.random("chain");
        let mut totals = Totals { chains: 1, ..Totals::default() };
        let mut names = HashSet::new();
        let mut previous: Option<Previous> = None;
        for hour in 0..self.options.hours {
            let cast = Cast::of(self.options.seed, self.estate, hour, hour_start(self.options, hour));
            let filler = self.filler(&cast);
            let mut listed = Vec::new();
            for _ in 0..random.below(2 * self.options.logs_per_hour + 1) {
                let name = self.log_name(&mut random, hour, &mut names);
                let count = records_in_log(&mut random, self.options);
                let body = filler.body(&mut random, name.minute, count);
                let key = name.key(self.root, &self.place);
                totals.gz_bytes += store.put(&key, body.json.as_bytes())?;
                totals.raw_bytes += body.json.len() as u64;
                totals.logs += 1;
                totals.records += u64::from(count);
                listed.push(list(key, &body));
            }
            previous = Some(self.digest(&mut store, hour, &listed, previous.as_ref())?);
            totals.digests += 1;
        }
        Ok(totals)
    }

    /// Writes a log that no digest lists, named for hour number `hour`; returns its key.
    pub(super) fn inject(&self, hour: u32) -> Result<String, SynthError> {
        let mut random = self.random("injected");
        let cast = Cast::of(self.options.seed, self.estate, hour, hour_start(self.options, hour));
        let name = self.log_name(&mut random, hour, &mut HashSet::new());
        let body = self.filler(&cast).body(&mut random, name.minute, 2);
        let key = name.key(self.root, &self.place);
        Store::new(self.bucket.to_owned()).put(&key, body.json.as_bytes())?;
        Ok(key)
    }

    /// The key of the digest of hour number `hour`.
    pub(super) fn digest_key(&self, hour: u32) -> String {
        let end = hour_start(self.options, hour + 1);
        let day = Offset::UTC.to_datetime(end).date();
        DigestName { trail: TRAIL.into(), home: self.home.clone(), backfill: false, end, day }
            .key(self.root, &self.place)
    }

    fn random(&self, what: &str) -> Random {
        Random::stream(self.options.seed, what, &[self.estate.index, self.region_index])
    }

    fn filler<'a>(&'a self, cast: &'a Cast) -> Filler<'a> {
        let home = self.region_index == 0;
        Filler { templates: self.templates, estate: self.estate, cast, region: &self.place.region, home }
    }

    /// A name that this chain has not given before.
    fn log_name(&self, random: &mut Random, hour: u32, names: &mut HashSet<String>) -> LogName {
        let start = hour_start(self.options, hour).as_second();
        let first = start + (-start).rem_euclid(SLOT);
        let second = first + SLOT * i64::from(random.below(SLOTS_PER_HOUR));
        let minute = Timestamp::from_second(second).expect("write() checked the range of hours");
        let mut unique = random.text(Alphabet::Alphanumeric, 16);
        while !names.insert(unique.clone()) {
            unique = random.text(Alphabet::Alphanumeric, 16);
        }
        let day = Offset::UTC.to_datetime(minute).date();
        LogName { day, minute, kind: LogKind::CloudTrail, unique: format!("_{unique}").into() }
    }

    fn digest(
        &self,
        store: &mut Store,
        hour: u32,
        listed: &[Listed],
        previous: Option<&Previous>,
    ) -> Result<Previous, SynthError> {
        let key = self.digest_key(hour);
        let end = hour_start(self.options, hour + 1).to_string();
        let digest = Digest {
            aws_account_id: self.place.account.as_str(),
            digest_start_time: hour_start(self.options, hour).to_string(),
            digest_end_time: &end,
            digest_s3_bucket: BUCKET,
            digest_s3_object: &key,
            digest_public_key_fingerprint: &self.key.fingerprint,
            digest_signature_algorithm: "SHA256withRSA",
            newest_event_time: listed.iter().map(|log| log.newest_event_time.as_str()).max(),
            oldest_event_time: listed.iter().map(|log| log.oldest_event_time.as_str()).min(),
            previous_digest_s3_bucket: previous.map(|_| BUCKET),
            previous_digest_s3_object: previous.map(|digest| digest.key.as_str()),
            previous_digest_hash_value: previous.map(|digest| digest.hash.as_str()),
            previous_digest_hash_algorithm: previous.map(|_| "SHA-256"),
            previous_digest_signature: previous.map(|digest| digest.signature.as_str()),
            log_files: listed,
        };
        let content = serde_json::to_vec(&digest).expect("a digest has only text members");
        let hash = Sha256::of(&content).to_string();
        let before = previous.map(|digest| digest.signature.as_str());
        let signature = self.key.sign(&string_to_sign(&end, BUCKET, &key, &hash, before))?;
        store.put(&key, &content)?;
        store.put_metadata(&key, &signature)?;
        Ok(Previous { key, hash, signature })
    }
}

fn list(key: String, body: &Body) -> Listed {
    Listed {
        s3_bucket: BUCKET,
        s3_object: key,
        hash_value: Sha256::of(body.json.as_bytes()).to_string(),
        hash_algorithm: "SHA-256",
        newest_event_time: body.newest.clone(),
        oldest_event_time: body.oldest.clone(),
    }
}

/// The start of hour number `hour`, to the second.
pub(super) fn hour_start(options: &SynthOptions, hour: u32) -> Timestamp {
    options.start + SignedDuration::from_hours(i64::from(hour))
}

/// How many records the next log has.
fn records_in_log(random: &mut Random, options: &SynthOptions) -> u32 {
    let mean = options.records_per_log;
    let around = |random: &mut Random, mean: u32| 1 + random.below(2 * mean.max(1) - 1);
    match options.sizes {
        Sizes::Even => mean - mean / 4 + random.below(mean / 4 * 2 + 1),
        Sizes::Mixed if mean < 4 => around(random, mean),
        // Half of the logs hold 1 to 3 records, under 2 KB stored; 35 % around six tenths of the mean; the busy rest
        // makes up for them: (1 − 0.35 × 0.6) / 0.15 times the mean, less the small ones' two records.
        Sizes::Mixed => match random.below(100) {
            0..50 => around(random, 2),
            50..85 => around(random, (u64::from(mean) * 6 / 10) as u32),
            _ => around(random, ((u64::from(mean) * 79 - 100) / 15) as u32),
        },
    }
}

/// Writes objects into a directory that mirrors a bucket.
pub(super) struct Store {
    root: PathBuf,
    /// The folder written to last, which exists.
    folder: PathBuf,
    compressor: Compressor,
    compressed: Vec<u8>,
}

impl Store {
    pub(super) fn new(root: PathBuf) -> Self {
        let level = CompressionLvl::new(LEVEL).expect("libdeflate has levels 1 to 12");
        Self { root, folder: PathBuf::new(), compressor: Compressor::new(level), compressed: Vec::new() }
    }

    /// Writes `content` as a gzip object and returns its stored size.
    pub(super) fn put(&mut self, key: &str, content: &[u8]) -> Result<u64, SynthError> {
        let bound = self.compressor.gzip_compress_bound(content.len());
        if self.compressed.len() < bound {
            self.compressed.resize(bound, 0);
        }
        let stored = self
            .compressor
            .gzip_compress(content, &mut self.compressed)
            .expect("the buffer has the size that libdeflate asked for");
        let path = self.path(key)?;
        write_file(&path, &self.compressed[..stored])?;
        Ok(stored as u64)
    }

    /// Writes a digest's user metadata beside it, as `aws s3api head-object --query Metadata` prints it.
    pub(super) fn put_metadata(&mut self, key: &str, signature: &str) -> Result<(), SynthError> {
        let json = format!(r#"{{"signature": "{signature}", "signature-algorithm": "SHA256withRSA"}}"#);
        let path = self.path(&metadata_key(key))?;
        write_file(&path, json.as_bytes())
    }

    fn path(&mut self, key: &str) -> Result<PathBuf, SynthError> {
        let path = self.root.join(key);
        let folder = path.parent().expect("a key has folders");
        if self.folder != folder {
            fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
            self.folder = folder.to_owned();
        }
        Ok(path)
    }
}

/// The name of the file that holds a digest's user metadata.
pub(super) fn metadata_key(key: &str) -> String {
    format!("{key}.metadata.json")
}

fn write_file(path: &Path, content: &[u8]) -> Result<(), SynthError> {
    fs::write(path, content).map_err(|error| failed(path, error))
}

fn failed(path: &Path, source: io::Error) -> SynthError {
    SynthError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(sizes: Sizes, mean: u32) -> Vec<u32> {
        let options = SynthOptions { sizes, records_per_log: mean, ..SynthOptions::new("unused") };
        let mut random = Random::stream(1, "sizes", &[]);
        (0..40_000).map(|_| records_in_log(&mut random, &options)).collect()
    }

    #[test]
    fn the_mean_log_has_the_records_that_were_asked_for() {
        for kind in [Sizes::Mixed, Sizes::Even] {
            for mean in [1, 2, 3, 4, 9, 100, 1000] {
                let sum: u64 = sizes(kind, mean).into_iter().map(u64::from).sum();
                let actual = sum as f64 / 40_000.0 / f64::from(mean);
                assert!((0.93..1.07).contains(&actual), "{kind:?} {mean}: {actual}");
            }
        }
    }

    #[test]
    fn half_of_mixed_logs_are_tiny_and_some_are_many_times_the_mean() {
        let sizes = sizes(Sizes::Mixed, 100);
        let tiny = sizes.iter().filter(|count| **count <= 3).count();
        assert!((19_000..22_500).contains(&tiny), "{tiny}");
        assert!(sizes.iter().any(|count| *count > 900));
    }

    #[test]
    fn even_logs_are_within_a_quarter_of_the_mean() {
        assert!(sizes(Sizes::Even, 200).into_iter().all(|count| (150..=250).contains(&count)));
    }
}
