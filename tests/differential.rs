//! The fast paths against plain ones: the same content as `flate2` inflates, the same records as `serde_json` reads.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::support::chain::gzip;
use crate::support::unpacked;
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use flate2::bufread::GzDecoder;
use serde_json::value::RawValue;
use trailproof_proof::gunzip::{self, Damage, Inflated};
use trailproof_table::event::{Entry, Member, Recall, Records};

/// What a plain reader makes of a container.
#[derive(Debug, PartialEq, Eq)]
enum Plain {
    /// Nothing but whole members.
    Whole { content: Vec<u8>, members: usize },
    /// A member that is not whole, or bytes that are none; with the content before.
    Broken { content: Vec<u8> },
}

/// Member after member by `flate2`, which checks every CRC and length.
fn plain(object: &[u8]) -> Plain {
    let (mut rest, mut content, mut members) = (object, Vec::new(), 0);
    while !rest.is_empty() {
        let mut decoder = GzDecoder::new(rest);
        if decoder.read_to_end(&mut content).is_err() {
            return Plain::Broken { content };
        }
        members += 1;
        rest = decoder.into_inner();
    }
    Plain::Whole { content, members }
}

fn fast(object: &[u8]) -> (Vec<u8>, Inflated) {
    let mut content = gunzip::Content::default();
    let inflated = gunzip::inflate(object, 1 << 30, &mut content);
    (content.to_vec(), inflated)
}

/// Says in what the two readings of a container differ.
fn difference(object: &[u8]) -> Option<String> {
    let (content, told) = fast(object);
    let breaks = [
        Damage::NotCompressed,
        Damage::NulPadding,
        Damage::TrailerMissing,
        Damage::TrailerWrong,
        Damage::TrailingBytes,
        Damage::CutShort,
        Damage::Corrupt,
    ];
    let is_broken = breaks.into_iter().any(|damage| told.has(damage));
    match plain(object) {
        Plain::Whole { content: expected, members } => {
            let is_single = !told.has(Damage::SeveralMembers) && !told.has(Damage::EmptyMember);
            let same = content == expected && !is_broken && is_single == (members <= 1);
            (!same).then(|| format!("whole, {members} members; told {:?}", told.damage))
        }
        // How much comes out before a stream breaks is up to the reader; what both have is the same.
        Plain::Broken { content: expected } => {
            let shared = content.len().min(expected.len());
            let same = told.has(Damage::NotCompressed) || content[..shared] == expected[..shared];
            (!(same && is_broken)).then(|| format!("broken; told {:?}", told.damage))
        }
    }
}

fn logs_below(folder: &Path, logs: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            logs_below(&path, logs);
        } else if path.to_string_lossy().ends_with(".json.gz") {
            logs.push(path);
        }
    }
}

/// Every log and digest below a folder, as stored.
fn objects(folder: &Path) -> Vec<Vec<u8>> {
    let mut logs = Vec::new();
    logs_below(folder, &mut logs);
    logs.sort();
    logs.iter().map(|log| fs::read(log).unwrap()).collect()
}

fn testdata() -> Vec<Vec<u8>> {
    objects(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"))
}

#[derive(serde::Deserialize)]
struct Log<'a> {
    #[serde(borrow, rename = "Records")]
    records: Option<Vec<&'a RawValue>>,
}

/// Keys and values of an object, as spelled.
struct Members<'a>(Vec<(String, &'a str)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((key, value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// What a walk comes to that can recall nothing but this record.
fn walked_alone(record: &str) -> Vec<Member> {
    let log = format!("[{record}]");
    let mut recall = Recall::default();
    let mut walker = Records::new(log.as_bytes(), &mut recall);
    match walker.next_entry() {
        Some(Entry::Record(record)) => record.members.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// Compares the records of every log, member by member; the number of records.
fn compare_records(objects: &[Vec<u8>]) -> usize {
    let mut compared = 0;
    let mut recall = Recall::default();
    for object in objects {
        let (content, _) = fast(object);
        let Ok(Log { records: Some(expected) }) = serde_json::from_slice(&content) else { continue };
        let mut walker = Records::new(&content, &mut recall);
        let mut expected = expected.into_iter();
        while let Some(entry) = walker.next_entry() {
            let Entry::Record(record) = entry else { panic!("{entry:?}") };
            let plain = expected.next().unwrap().get();
            assert_eq!(record.text, plain);
            assert_eq!(record.members, walked_alone(plain));
            let mut members = Vec::new();
            let mut rest = record.members;
            while let Some((member, after)) = rest.split_first() {
                members.push((record.key(member).to_owned(), record.value(member)));
                rest = &after[member.inner()..];
            }
            assert_eq!(members, serde_json::from_str::<Members<'_>>(plain).unwrap().0);
            compared += 1;
        }
        assert_eq!(expected.next().map(RawValue::get), None);
    }
    compared
}

#[test]
fn test_archives_are_read_alike() {
    let objects = testdata();
    let different: Vec<String> = objects.iter().filter_map(|object| difference(object)).collect();
    assert_eq!(different, Vec::<String>::new());
    assert!(compare_records(&objects) >= 276);
}

mod needs_shared {
    use super::*;

    #[test]
    #[ignore = "needs ../shared"]
    fn real_archives_are_read_alike() {
        for (archive, records) in [("org-archive", 57_600), ("sans-504", 30_477)] {
            let unpacked = unpacked(archive);
            let objects = objects(&unpacked.path().join("bucket"));
            let different: Vec<String> = objects.iter().filter_map(|object| difference(object)).collect();
            assert_eq!(different, Vec::<String>::new(), "{archive}");
            assert_eq!(compare_records(&objects), records, "{archive}");
        }
    }
}

/// Containers as nobody should write them: cut, flipped, padded, joined, with a trailer copied behind.
#[test]
fn hostile_containers_are_told_alike() {
    let seeds = testdata();
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut below = |limit: usize| (random.next_u64() % limit.max(1) as u64) as usize;
    for round in 0..4000 {
        let mut object = seeds[below(seeds.len())].clone();
        for _ in 0..=below(2) {
            let at = below(object.len());
            match below(8) {
                0 => object.truncate(at),
                1 => object[at] ^= 1 << below(8),
                2 => object.extend(std::iter::repeat_n(0, 1 + below(9))),
                3 => object.extend_from_slice(&gzip(b"")),
                4 => object.extend_from_slice(&seeds[below(seeds.len())]),
                5 => object.extend_from_within(object.len().saturating_sub(8)..),
                6 => object.splice(at..at, [below(256) as u8]).for_each(drop),
                _ => {
                    let last = object.len() - 1 - below(8).min(object.len() - 1);
                    object[last] = object[last].wrapping_add(1);
                }
            }
            if object.is_empty() {
                break;
            }
        }
        if let Some(difference) = difference(&object) {
            panic!("round {round}: {difference}");
        }
    }
}
