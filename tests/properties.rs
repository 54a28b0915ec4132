//! What must hold for every archive: a changed bit is told, a deleted object is told, and how a run goes about it does
//! not show in its report.

use std::collections::BTreeMap;

use crate::support::chain::{BUCKET, Built, Chain, gunzip, gzip};
use crate::support::inprocess::{CloudTrail, Memory, NoService, Setup, keys, report, runtime};
use bytes::Bytes;
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use trailproof::pipeline::keys::Keys;
use trailproof_proof::checkpoint::Checkpoint;
use trailproof_proof::report::Report;
use trailproof_proof::sha256::{decode_hex, encode_hex};
use trailproof_proof::verify::digest::{Recorded, Relocation};

fn run(memory: Memory, built: &Built, setup: Setup) -> Report {
    runtime().block_on(report(memory, BUCKET, &keys::<NoService>(&built.public_keys), setup))
}

/// A container that costs nothing to make anew.
fn stored(content: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut encoder, content).unwrap();
    encoder.finish().unwrap().into()
}

/// Runs with every change of `changes` made to a fresh copy, on two threads; what `judge` says of each is collected.
fn each<T: Sync>(
    built: &Built,
    changes: &[T],
    judge: impl Fn(&mut Memory, &T) -> Option<String> + Sync,
) -> Vec<String> {
    let whole = Memory::of(built);
    let (whole, judge) = (&whole, &judge);
    std::thread::scope(|scope| {
        let shares = changes.chunks(changes.len().div_ceil(2).max(1));
        let threads: Vec<_> = shares
            .map(|share| {
                scope.spawn(move || share.iter().filter_map(|change| judge(&mut whole.clone(), change)).collect())
            })
            .collect();
        threads.into_iter().flat_map(|thread| -> Vec<String> { thread.join().unwrap() }).collect()
    })
}

/// One bit of an object's content or of a digest's signature.
#[derive(Debug, Clone)]
struct Flip {
    key: String,
    in_signature: bool,
    bit: usize,
}

impl Flip {
    fn make(&self, memory: &mut Memory) {
        let object = memory.objects.get_mut(&self.key).unwrap();
        let flip = |bytes: &mut [u8]| bytes[self.bit / 8] ^= 1 << (self.bit % 8);
        if self.in_signature {
            let mut signature = decode_hex(object.1.signature.as_ref().unwrap()).unwrap();
            flip(&mut signature);
            object.1.signature = Some(encode_hex(&signature));
        } else {
            let mut content = gunzip(&object.0);
            flip(&mut content);
            object.0 = stored(&content);
        }
    }

    /// Every bit of an archive.
    fn all(built: &Built) -> Vec<Self> {
        let of = |key: &String, in_signature, bytes: usize| {
            let key = key.clone();
            (0..bytes * 8).map(move |bit| Self { key: key.clone(), in_signature, bit })
        };
        let mut flips = Vec::new();
        for (key, (body, metadata)) in &built.objects {
            flips.extend(of(key, false, gunzip(body).len()));
            flips.extend(of(key, true, metadata.get("signature").map_or(0, |signature| signature.len() / 2)));
        }
        flips
    }
}

/// Every flip must end in exit code 1: what was looked at and is not as delivered.
fn assert_told(built: &Built, flips: &[Flip]) {
    // Only CloudTrail can say that it knows no such key.
    let all_keys = Keys::service(CloudTrail::of(&built.public_keys));
    let passed = each(built, flips, |memory, flip| {
        flip.make(memory);
        let report = runtime().block_on(report(memory.clone(), BUCKET, &all_keys, Setup::default()));
        (report.exit_code != 1).then(|| format!("{flip:?}: exit {}", report.exit_code))
    });
    assert!(passed.is_empty(), "{} of {}: {:#?}", passed.len(), flips.len(), &passed[..passed.len().min(5)]);
}

#[test]
fn any_flipped_bit_of_a_tiny_archive_is_told() {
    let mut built = Built::default();
    let chain = Chain {
        hours: 2,
        ..Chain::with(|_, draft| {
            draft.logs.truncate(1);
        })
    };
    chain.build_into(&mut built);
    let flips = Flip::all(&built);
    assert!(flips.len() > 20_000, "{}", flips.len());
    assert_told(&built, &flips);
}

#[test]
fn sampled_flipped_bits_of_a_larger_archive_are_told() {
    let mut built = Chain { hours: 30, ..Chain::new() }.build();
    Chain { trail: "other".into(), hours: 30, ..Chain::new() }.build_into(&mut built);
    Chain { backfill: true, hours: 2, first_end: "2026-01-02T20:01:31Z".parse().unwrap(), ..Chain::new() }
        .build_into(&mut built);
    let all = Flip::all(&built);
    let mut random = ChaCha8Rng::from_seed([7; 32]);
    let sample: Vec<Flip> = (0..400).map(|_| all[random.next_u64() as usize % all.len()].clone()).collect();
    assert_told(&built, &sample);
}

#[test]
fn any_deleted_objects_are_told_unless_they_are_the_tail() {
    const HOURS: usize = 5;
    let chain = Chain { hours: HOURS, ..Chain::with(|_, draft| draft.logs.truncate(1)) };
    let built = chain.build();
    let objects: Vec<(usize, &String)> = built
        .digests
        .iter()
        .enumerate()
        .chain(built.logs.iter().enumerate().map(|(number, logs)| (number, &logs[0])))
        .collect();
    let subsets: Vec<u32> = (1..1 << objects.len()).collect();
    let is_gone = |subset: u32, at: usize| subset & (1 << at) != 0;
    // The newest hours, each with its digest and its log, and nothing else.
    let is_tail = |subset: u32| {
        let whole_hours = (0..HOURS).all(|hour| is_gone(subset, hour) == is_gone(subset, HOURS + hour));
        whole_hours && !is_gone(subset, 0) && (1..HOURS).all(|hour| !is_gone(subset, hour - 1) || is_gone(subset, hour))
    };
    let all_keys = keys::<NoService>(&built.public_keys);
    let before = run(Memory::of(&built), &built, Setup::default());
    let mut remembered = Checkpoint::default();
    remembered.advance(&before);
    let wrong = each(&built, &subsets, |memory, &subset| {
        for (at, (_, key)) in objects.iter().enumerate() {
            if is_gone(subset, at) {
                memory.objects.remove(*key);
            }
        }
        let exit = |checkpoint| {
            let setup = Setup { checkpoint, ..Setup::default() };
            runtime().block_on(report(memory.clone(), BUCKET, &all_keys, setup)).exit_code
        };
        let (without, with) = (exit(Checkpoint::default()), exit(remembered.clone()));
        let head_is_gone = is_gone(subset, HOURS - 1);
        let fine = (without == 0) == is_tail(subset) && with != 0 && (!head_is_gone || with == 1);
        (!fine).then(|| format!("{subset:010b}: exit {without} without a checkpoint, {with} with one"))
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// An archive with something of every severity.
fn troubled() -> Built {
    let mut built = Chain { hours: 30, ..Chain::new() }.build();
    Chain { trail: "other".into(), hours: 30, ..Chain::new() }.build_into(&mut built);
    Chain { account: "444455556666".into(), region: "eu-west-1".into(), ..Chain::new() }.build_into(&mut built);
    let (digest, log) = (built.digests.clone(), built.logs.clone());
    built.rewrite(&log[3][0], |_| b"{\"Records\":[]}".to_vec());
    built.remove(&log[4][1]);
    built.remove(&digest[7]);
    built.remove(&digest[8]);
    built.rewrite(&digest[40], |_| b"{}".to_vec());
    built.metadata(&digest[20]).clear();
    built.metadata(&digest[71]).clear();
    built.body(&log[12][0]).extend([0; 64]);
    built.add_log("2026-01-02T20:15:00Z", "ForgedForgedForg", b"{}");
    built.add_log("2025-01-02T20:15:00Z", "EarlierEarlierEa", b"{}");
    built.objects.insert(digest[2].replace("_main_", "_phantom_"), (gzip(b"{}"), BTreeMap::new()));
    built.objects.insert(digest[2].replace("_main_", "_"), (gzip(b"{}"), BTreeMap::new()));
    built
}

#[test]
fn the_report_does_not_depend_on_threads_concurrency_or_arrival() {
    let built = troubled();
    let timeless = |report: &Report| {
        let mut report = serde_json::to_value(report).unwrap();
        report["timings"] = serde_json::Value::Null;
        serde_json::to_string_pretty(&report).unwrap()
    };
    let first = run(Memory::of(&built), &built, Setup::default());
    assert_eq!(first.severities.len(), 5, "{:?}", first.severities);
    for (threads, concurrency, seed) in
        [(1, 1, None), (5, 64, None), (1, 64, Some(1)), (2, 7, Some(2)), (5, 32, Some(3))]
    {
        let setup = Setup { threads, concurrency, ..Setup::default() };
        let again = run(Memory { seed, ..Memory::of(&built) }, &built, setup);
        assert_eq!(timeless(&again), timeless(&first), "{threads} threads, {concurrency} requests, seed {seed:?}");
    }
}

/// What an honest copy may change stays without a finding that counts.
#[test]
fn recompression_lost_metadata_and_mapped_moves_stay_clean() {
    let built = Chain { hours: 30, ..Chain::new() }.build();
    let mut random = ChaCha8Rng::from_seed([9; 32]);
    for round in 0_u32..20 {
        let mut memory = Memory::of(&built);
        let newest = built.digests.last().unwrap();
        for (key, (body, metadata)) in &mut memory.objects {
            let level = flate2::Compression::new(random.next_u32() % 10);
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            std::io::Write::write_all(&mut encoder, &gunzip(body)).unwrap();
            *body = encoder.finish().unwrap().into();
            if key != newest && random.next_u32() % 2 == 0 {
                *metadata = Default::default();
            }
        }
        let prefix = format!("copy-{round}/");
        memory.objects = memory.objects.into_iter().map(|(key, object)| (format!("{prefix}{key}"), object)).collect();
        let place = |key: &str| Recorded { bucket: BUCKET.into(), key: key.into() };
        let moves = vec![Relocation { from: place(""), to: place(&prefix) }];
        let report = run(memory, &built, Setup { moves, ..Setup::default() });
        let ids: Vec<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(report.exit_code, 0, "{ids:?}");
        assert!(ids.iter().all(|id| *id == "signature-recovered"), "{ids:?}");
        assert_eq!(report.logs.verified, 60);
    }
}

/// A chain of days with hours lost here and there: each hour that nothing covers is told, whatever else is.
#[test]
fn hours_without_digests_are_told_with_their_number() {
    let mut random = ChaCha8Rng::from_seed([11; 32]);
    for _ in 0..20 {
        let mut built = Chain { hours: 40, ..Chain::new() }.build();
        let lost: Vec<usize> = (1..39).filter(|_| random.next_u32() % 4 == 0).collect();
        for &number in &lost {
            let keys = [vec![built.digests[number].clone()], built.logs[number].clone()].concat();
            keys.iter().for_each(|key| built.remove(key));
        }
        let report = run(Memory::of(&built), &built, Setup::default());
        assert_eq!(report.digests.missing, lost.len() as u64);
        let runs = lost.iter().filter(|number| !lost.contains(&(*number + 1))).count();
        assert_eq!(report.findings.iter().filter(|f| f.id.as_str() == "digest-missing").count(), runs);
        let hours: i64 = report.chains[0].gaps.iter().map(|gap| gap.to.duration_since(gap.from).as_hours()).sum();
        assert_eq!(hours, lost.len() as i64);
    }
}
