//! Does to a finished archive what an attacker with access to the bucket would.
//!
//! Each kind has an hour of one chain to itself, so that several can be asked for at once and still be told apart.
//! `truth.json` keeps the counts of what was delivered, and lists the objects touched here.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};

use super::digests::{Chain, Store, metadata_key};
use super::random::Random;
use super::signing::{SigningKey, string_to_sign};
use super::{BUCKET, SynthError};
use trailproof_proof::sha256::Sha256;

/// A way to tamper with an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tamper {
    /// One byte of one log is changed (a digit of an event id) and the log compressed again.
    ChangedLog,
    /// One log that a digest lists is deleted.
    DeletedLog,
    /// One digest in the middle of a chain is deleted, with its metadata. Its logs stay.
    DeletedDigest,
    /// The best forgery without CloudTrail's key: a log is changed by one byte, its digest lists the new hash, and the
    /// digest is signed again with a foreign key, under the fingerprint of the true one.
    ForgedDigest,
    /// A well-formed log that no digest lists is put into an hour that a digest covers.
    InjectedLog,
}

/// A name that is no kind of tampering.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is none of changed-log, deleted-log, deleted-digest, forged-digest, injected-log")]
pub struct UnknownTamper {
    text: String,
}

/// What was done to the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tampered {
    /// How.
    pub kind: Tamper,
    /// The keys that were changed, deleted or added.
    pub objects: Vec<String>,
}

impl Tamper {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::ChangedLog, Self::DeletedLog, Self::DeletedDigest, Self::ForgedDigest, Self::InjectedLog];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChangedLog => "changed-log",
            Self::DeletedLog => "deleted-log",
            Self::DeletedDigest => "deleted-digest",
            Self::ForgedDigest => "forged-digest",
            Self::InjectedLog => "injected-log",
        }
    }

    /// Whether it must lie between two other digests to be what it says.
    fn needs_neighbours(self) -> bool {
        match self {
            Self::DeletedDigest | Self::ForgedDigest => true,
            Self::ChangedLog | Self::DeletedLog | Self::InjectedLog => false,
        }
    }

    fn needs_a_log(self) -> bool {
        match self {
            Self::ChangedLog | Self::DeletedLog | Self::ForgedDigest => true,
            Self::DeletedDigest | Self::InjectedLog => false,
        }
    }
}

impl fmt::Display for Tamper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tamper {
    type Err = UnknownTamper;

    fn from_str(text: &str) -> Result<Self, UnknownTamper> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| UnknownTamper { text: text.to_owned() })
    }
}

/// What tampering needs to know of a digest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivered {
    digest_end_time: String,
    previous_digest_signature: Option<String>,
    log_files: Vec<DeliveredLog>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeliveredLog {
    s3_object: String,
    hash_value: String,
}

/// Tampers with the archive of `chains`, each kind once.
pub(super) fn apply(kinds: &BTreeSet<Tamper>, chains: &[Chain<'_>]) -> Result<Vec<Tampered>, SynthError> {
    let mut taken = BTreeSet::new();
    let mut done = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let (chain, hour) = choose(*kind, chains, &taken)?;
        taken.insert((chain, hour));
        let objects = Target { chain: &chains[chain], hour }.apply(*kind)?;
        done.push(Tampered { kind: *kind, objects });
    }
    Ok(done)
}

/// The chain and hour to tamper with: the next chain for each kind, the hour from the middle on.
fn choose(kind: Tamper, chains: &[Chain<'_>], taken: &BTreeSet<(usize, u32)>) -> Result<(usize, u32), SynthError> {
    for chain in 0..chains.len() {
        let chain = (chain + kind as usize) % chains.len();
        let hours = chains[chain].options.hours;
        for hour in (0..hours).map(|hour| (hour + hours / 2) % hours) {
            let between = hour > 0 && hour + 1 < hours;
            let near = [hour.wrapping_sub(1), hour, hour + 1].iter().any(|hour| taken.contains(&(chain, *hour)));
            if near || kind.needs_neighbours() && !between {
                continue;
            }
            if kind.needs_a_log() && (Target { chain: &chains[chain], hour }).digest()?.1.log_files.is_empty() {
                continue;
            }
            return Ok((chain, hour));
        }
    }
    Err(SynthError::NoRoom { kind })
}

/// One digest and its logs.
struct Target<'a> {
    chain: &'a Chain<'a>,
    hour: u32,
}

impl Target<'_> {
    fn apply(&self, kind: Tamper) -> Result<Vec<String>, SynthError> {
        match kind {
            Tamper::ChangedLog => {
                let log = self.first_log()?.s3_object;
                self.change_log(&log)?;
                Ok(vec![log])
            }
            Tamper::DeletedLog => {
                let log = self.first_log()?.s3_object;
                self.delete(&log)?;
                Ok(vec![log])
            }
            Tamper::DeletedDigest => {
                let digest = self.chain.digest_key(self.hour);
                let metadata = metadata_key(&digest);
                self.delete(&digest)?;
                self.delete(&metadata)?;
                Ok(vec![digest, metadata])
            }
            Tamper::ForgedDigest => self.forge(),
            Tamper::InjectedLog => Ok(vec![self.chain.inject(self.hour)?]),
        }
    }

    /// The digest's content, and what it says.
    fn digest(&self) -> Result<(String, Delivered), SynthError> {
        let path = self.chain.bucket.join(self.chain.digest_key(self.hour));
        let content = read(&path)?;
        let delivered = serde_json::from_str(&content).expect("synth wrote this digest a moment ago");
        Ok((content, delivered))
    }

    fn first_log(&self) -> Result<DeliveredLog, SynthError> {
        let (_, digest) = self.digest()?;
        Ok(digest.log_files.into_iter().next().expect("choose() saw a log in this digest"))
    }

    /// Changes one byte of a log; returns the hash that it has now.
    fn change_log(&self, key: &str) -> Result<Sha256, SynthError> {
        let content = read(&self.chain.bucket.join(key))?;
        let (before, after) = content.split_once(r#""eventID":""#).expect("every record has an event id");
        let (id, rest) = after.split_at(36);
        let digit = if id.ends_with('0') { '1' } else { '0' };
        let content = format!(r#"{before}"eventID":"{}{digit}{rest}"#, &id[..35]);
        self.store().put(key, content.as_bytes())?;
        Ok(Sha256::of(content.as_bytes()))
    }

    fn forge(&self) -> Result<Vec<String>, SynthError> {
        let key = self.chain.digest_key(self.hour);
        let (content, digest) = self.digest()?;
        let log = self.first_log()?;
        let hash = self.change_log(&log.s3_object)?.to_string();
        let content = content.replace(&log.hash_value, &hash);
        let foreign = SigningKey::new(Random::stream(self.chain.options.seed, "foreign key", &[]))?;
        let signature = foreign.sign(&string_to_sign(
            &digest.digest_end_time,
            BUCKET,
            &key,
            &Sha256::of(content.as_bytes()).to_string(),
            digest.previous_digest_signature.as_deref(),
        ))?;
        let mut store = self.store();
        store.put(&key, content.as_bytes())?;
        store.put_metadata(&key, &signature)?;
        let metadata = metadata_key(&key);
        Ok(vec![log.s3_object, key, metadata])
    }

    fn delete(&self, key: &str) -> Result<(), SynthError> {
        let path = self.chain.bucket.join(key);
        fs::remove_file(&path).map_err(|source| SynthError::File { path, source })
    }

    fn store(&self) -> Store {
        Store::new(self.chain.bucket.to_owned())
    }
}

fn read(path: &Path) -> Result<String, SynthError> {
    fs::File::open(path)
        .and_then(|file| io::read_to_string(flate2::read::GzDecoder::new(file)))
        .map_err(|source| SynthError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_the_error_lists_them_all() {
        for kind in Tamper::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            let error = "nothing".parse::<Tamper>().expect_err("no kind");
            assert!(error.to_string().contains(kind.name()));
        }
    }
}
