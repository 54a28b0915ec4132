//! Checkpoints from run to run: what they remember, and what becomes of damaged ones.

use std::fs;

use super::runs::{Runs, expected};
use super::*;

/// A first run over the plain chain, then one over another archive.
fn after_the_plain_chain(built: &Built, more: &[&str]) -> (i32, Vec<String>) {
    let runs = Runs::new();
    assert_eq!(runs.run(&Chain::new().build(), &[]).code, 0);
    let answer = runs.run(built, more);
    (answer.code, ids(&answer.report))
}

fn without(hours: std::ops::Range<usize>) -> Built {
    let mut built = Chain::new().build();
    for number in hours {
        let keys = [vec![built.digests[number].clone()], built.logs[number].clone()].concat();
        keys.iter().for_each(|key| built.remove(key));
    }
    built
}

#[test]
fn the_next_run_proves_that_the_chain_goes_on() {
    let runs = Runs::new();
    let chain = |hours| Chain { hours, ..Chain::new() }.build();
    for (hours, told) in [(6, &["checkpoint-new"][..]), (6, &[]), (12, &[]), (30, &[])] {
        let answer = runs.run(&chain(hours), &[]);
        assert_eq!((answer.code, ids(&answer.report)), expected(0, told), "{hours} hours: {}", answer.stderr);
    }
    let file = fs::read_to_string(runs.file()).unwrap();
    assert!(file.contains("2026-01-03T23:01:31Z"), "{file}");
    let answer = runs.run(&chain(29), &[]);
    assert_eq!((answer.code, ids(&answer.report)), expected(1, &["head-went-back"]));
    let answer = runs.run(&chain(30), &[]);
    assert_eq!(
        (answer.code, ids(&answer.report)),
        expected(0, &[]),
        "the head is remembered beyond a run that lacked it"
    );
}

#[test]
fn what_is_gone_since_the_checkpoint_is_named() {
    assert_eq!(after_the_plain_chain(&without(11..12), &[]), expected(1, &["head-went-back"]));
    assert_eq!(after_the_plain_chain(&without(3..12), &[]), expected(1, &["head-went-back"]));
    assert_eq!(after_the_plain_chain(&without(0..12), &[]), expected(1, &["chain-vanished", "nothing-to-verify"]));
    assert_eq!(after_the_plain_chain(&without(0..4), &[]), expected(3, &["chain-start-missing"]));
    // Another chain under the same name, as genuine as the first.
    let other = Chain::with(|number, draft| {
        if number == 11 {
            draft.logs.clear();
        }
    });
    assert_eq!(after_the_plain_chain(&other.build(), &[]), expected(1, &["head-went-back"]));
}

#[test]
fn an_account_a_region_and_a_trail_that_disappear_are_told() {
    let several = || {
        let mut built = Chain::new().build();
        Chain { account: "444455556666".into(), ..Chain::new() }.build_into(&mut built);
        Chain { region: "eu-west-1".into(), ..Chain::new() }.build_into(&mut built);
        Chain { trail: "other".into(), ..Chain::new() }.build_into(&mut built);
        built
    };
    for (part, named) in [
        ("/444455556666/", "444455556666/us-east-1 trail main of us-east-1"),
        ("/eu-west-1/", "111122223333/eu-west-1 trail main of us-east-1"),
        ("_other_", "111122223333/us-east-1 trail other of us-east-1"),
    ] {
        let runs = Runs::new();
        assert_eq!(runs.run(&several(), &[]).code, 0);
        let mut built = several();
        built.objects.retain(|key, _| !key.contains(part) && !key.contains("_ot0"));
        let answer = runs.run(&built, &[]);
        let findings = answer.report["findings"].as_array().unwrap();
        let vanished = findings.iter().find(|finding| finding["id"] == "chain-vanished").unwrap();
        assert!(vanished["sentence"].as_str().unwrap().contains(named), "{vanished}");
        assert_eq!(answer.code, 1);
        // Who asks for another part of the archive did not look there.
        let answer = runs.run(&built, &["--account", "111122223333", "--region", "us-east-1", "--trail", "main"]);
        assert_eq!((answer.code, ids(&answer.report).contains(&"chain-vanished".to_owned())), (0, false), "{part}");
    }
}

#[test]
fn a_period_before_or_after_the_head_is_no_deletion() {
    let plain = Chain::new().build();
    let early = ["--from", "2026-01-02T17:01:31Z", "--to", "2026-01-02T20:01:31Z"];
    assert_eq!(after_the_plain_chain(&plain, &early), expected(0, &[]));
    let longer = Chain { hours: 30, ..Chain::new() }.build();
    let late = ["--from", "2026-01-03T12:00:00Z", "--to", "2026-01-03T23:00:00Z"];
    assert_eq!(after_the_plain_chain(&longer, &late), expected(0, &[]));
    // The head lies before the period, and still must be there.
    let mut gone = Chain { hours: 30, ..Chain::new() }.build();
    let head = gone.digests[11].clone();
    gone.remove(&head);
    assert_eq!(after_the_plain_chain(&gone, &late).0, 1);
}

#[test]
fn an_altered_head_is_told_as_altered() {
    let mut built = Chain::new().build();
    let key = built.digests[11].clone();
    built.rewrite(&key, |content| String::from_utf8(content).unwrap().replace("lg0011", "lg0009").into_bytes());
    assert_eq!(
        after_the_plain_chain(&built, &PERIOD),
        expected(1, &["digest-altered", "log-uncovered", "period-not-covered"])
    );
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_a_clear_error() {
    let runs = Runs::new();
    let plain = Chain::new().build();
    runs.run(&plain, &[]);
    let whole = fs::read_to_string(runs.file()).unwrap();
    let mut damaged: Vec<Vec<u8>> =
        (0..whole.trim_end().len()).step_by(7).map(|len| whole.as_bytes()[..len].to_vec()).collect();
    damaged.extend((0..whole.len()).step_by(11).map(|at| {
        let mut bytes = whole.clone().into_bytes();
        bytes[at] ^= 1;
        bytes
    }));
    damaged.push(whole.replace("checkpoint/2", "checkpoint/1").into_bytes());
    damaged.push(b"{}".to_vec());
    damaged.push(b"null".to_vec());
    for bytes in damaged {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // A change of blanks alone changes nothing.
        if serde_json::from_slice::<Value>(&bytes).ok() == serde_json::from_str(&whole).ok() {
            continue;
        }
        fs::write(runs.file(), &bytes).unwrap();
        let answer = runs.run(&plain, &[]);
        assert_eq!(answer.code, 2, "{text}");
        assert!(answer.stderr.contains("heads.json"), "{}", answer.stderr);
        assert_eq!(fs::read(runs.file()).unwrap(), bytes, "it is left as it is");
    }
}

/// Whatever a run that was killed left of the next checkpoint, the one in place is whole and serves.
#[test]
fn a_kill_at_any_point_of_writing_leaves_the_checkpoint_that_was() {
    let runs = Runs::new();
    let chain = |hours| Chain { hours, ..Chain::new() }.build();
    runs.run(&chain(6), &[]);
    let before = fs::read(runs.file()).unwrap();
    runs.run(&chain(12), &[]);
    let after = fs::read(runs.file()).unwrap();
    let partial = runs.file().with_file_name(".trailproof-abcdef.partial");
    for len in [0, 1, after.len() / 2, after.len() - 1, after.len()] {
        fs::write(runs.file(), &before).unwrap();
        fs::write(&partial, &after[..len]).unwrap();
        let answer = runs.run(&chain(5), &[]);
        assert_eq!((answer.code, ids(&answer.report)), expected(1, &["head-went-back"]), "{len} bytes were written");
        fs::write(runs.file(), &before).unwrap();
        fs::write(&partial, &after[..len]).unwrap();
        let answer = runs.run(&chain(12), &[]);
        assert_eq!((answer.code, ids(&answer.report)), expected(0, &[]), "{len} bytes were written");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_the_programs_own_failure() {
    let built = Chain::new().build();
    let answer = built.verify(&["--checkpoint", "/proc/no/such/folder/heads.json"]);
    assert_eq!(answer.code, 4, "{}", answer.stderr);
}
