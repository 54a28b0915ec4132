//! The adversary: random sequences of moves over small archives, by somebody who may write to the bucket and has no
//! signing key, with honest tools between. A model that knows nothing of how archives are verified says what must be told.
//!
//! - Exit code 0 only if nothing that was asked for was touched, or the touch is one that README says a clean verdict does
//!   not prove ([`Exemption`]).
//! - What a signed digest speaks against ends in exit code 1.
//! - Honest moves and unreadable objects never end in exit code 1, and harmless ones change nothing.
//! - Rows never claim more than is known of the log they came from.
//!
//! `TRAILPROOF_ADVERSARY=1000000` plays so many sequences, `TRAILPROOF_ADVERSARY_FROM` says from which number on. What was
//! found once is kept in `seeds.txt`, a line each, and played again in every run.

mod chance;
mod counts;
mod ends;
mod exemptions;
mod faults;
mod judge;
mod model;
mod moves;
mod objects;
mod options;
mod planted;
mod play;
mod spots;
mod state;
mod strictness;
mod touched;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use self::counts::Counts;
use self::exemptions::Exemption;
use self::model::WORLDS;
use self::options::Options;
use self::play::{Sequence, untouched};

/// Sequences of an ordinary test run.
const ORDINARY: u64 = 10_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Plays sequences on two threads: what was put to the test, and the faults, one of each shape, each with the shortest
/// sequence that shows it.
fn play_all(numbers: std::ops::Range<u64>) -> (Counts, Vec<String>) {
    let next = AtomicU64::new(numbers.start);
    let (counts, found) = (Mutex::new(Counts::default()), Mutex::new(BTreeMap::<String, String>::new()));
    let work = || {
        let mut own = Counts::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= numbers.end || found.lock().unwrap().len() >= 40 {
                counts.lock().unwrap().add(own);
                return;
            }
            let sequence = Sequence::of_seed(seed);
            let (expected, outcome) = sequence.play();
            own.note(&expected, outcome.code);
            for fault in sequence.judged(&expected, &outcome) {
                let shortest = sequence.clone().shortest(&fault);
                let fault = shortest.faults().into_iter().find(|other| other.is_like(&fault)).unwrap_or(fault);
                let told = format!("# {seed}: {fault:?}\n{}", shortest.line());
                found.lock().unwrap().entry(shortest.shape(&fault)).or_insert(told);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    (counts.into_inner().unwrap(), found.into_inner().unwrap().into_values().collect())
}

#[test]
fn no_sequence_of_moves_gets_past_the_verdict() {
    let from = number("TRAILPROOF_ADVERSARY_FROM").unwrap_or_default();
    let count = number("TRAILPROOF_ADVERSARY").unwrap_or(ORDINARY);
    let (counts, found) = play_all(from..from + count);
    println!("{counts:#?}");
    assert!(found.is_empty(), "{} faults\n{}", found.len(), found.join("\n"));
    assert!(count < ORDINARY || counts.is_balanced(), "too little was put to the test: {counts:#?}");
}

#[test]
#[ignore = "takes hours"]
fn a_million_sequences_do_not_either() {
    let (counts, found) = play_all(0..1_000_000);
    println!("{counts:#?}");
    assert!(found.is_empty(), "{} faults\n{}", found.len(), found.join("\n"));
}

#[test]
fn what_was_found_once_is_not_found_again() {
    let lines = include_str!("seeds.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut wrong = Vec::new();
    for line in lines {
        let sequence: Sequence = serde_json::from_str(line).unwrap();
        let faults = sequence.faults();
        if !faults.is_empty() {
            let (_, outcome) = sequence.play();
            wrong.push(format!("{line}\n  exit {} {faults:?}\n  {:?}", outcome.code, outcome.findings));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn untouched_archives_are_clean() {
    for world in WORLDS.iter() {
        let options = Options { acknowledged: true, ..Options::default() };
        assert_eq!(untouched(world, &options).code, 0, "{}", world.name);
    }
}

/// What the test lets pass is what README says, word for word.
#[test]
fn readme_says_what_a_clean_verdict_does_not_prove() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let list = readme.split_once("It does **not** prove that\n").unwrap().1.split_once("\n\n").unwrap().0;
    let mut bullets: Vec<String> = Vec::new();
    for line in list.lines() {
        match line.strip_prefix("- ") {
            Some(bullet) => bullets.push(bullet.to_owned()),
            None => *bullets.last_mut().unwrap() += &format!(" {}", line.trim()),
        }
    }
    let said: Vec<&str> = bullets.iter().map(|bullet| bullet.trim_end_matches([';', '.'])).collect();
    assert_eq!(said, Exemption::ALL.map(Exemption::text));
}
