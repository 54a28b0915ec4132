//! What the judge does not let pass: runs that end in exit code 0, or tell no more than of the untouched archive, in
//! answer to touches that must be told. A judge that is blind to one of them proves nothing of it.

use trailproof::pipeline::logs::Integrity;

use super::faults::Fault;
use super::play::{Outcome, Sequence, untouched};

/// What the judge says of a run that ended in exit code 0 without a word.
fn of_silence(line: &str) -> Vec<Fault> {
    let sequence: Sequence = serde_json::from_str(line).unwrap();
    let (expected, outcome) = sequence.play();
    sequence.judged(&expected, &Outcome { code: 0, findings: Vec::new(), rows: outcome.rows })
}

#[track_caller]
fn is_not_told(line: &str) {
    let faults = of_silence(line);
    assert!(matches!(faults.first(), Some(Fault::NotTold(_))), "{line}\n{faults:?}");
}

#[test]
fn a_log_in_hours_that_a_digest_covers_is_not_pending() {
    let planted = r#"{"plant":[{"log":{"near":0,"insight":false,"minute":290,"days_off":0}},"forged"]}"#;
    is_not_told(&format!(r#"{{"world":"plain","options":{{"acknowledged":true}},"moves":[{planted}]}}"#));
}

#[test]
fn the_log_of_another_region_is_no_copy() {
    let planted = r#"{"plant":[{"log":{"near":0,"insight":false,"minute":100,"days_off":0}},{"of":"1.0.0"}]}"#;
    is_not_told(&format!(r#"{{"world":"plain","options":{{"acknowledged":true}},"moves":[{planted}]}}"#));
}

#[test]
fn a_copy_is_named() {
    let planted = r#"{"plant":[{"log":{"near":0,"insight":false,"minute":100,"days_off":0}},{"of":"0.0.0"}]}"#;
    let faults = of_silence(&format!(r#"{{"world":"plain","options":{{"acknowledged":true}},"moves":[{planted}]}}"#));
    assert!(matches!(faults.first(), Some(Fault::NotNamed(_))), "{faults:?}");
}

#[test]
fn insights_in_an_archive_that_had_none_are_not_acknowledged() {
    let planted = r#"{"plant":[{"log":{"near":0,"insight":true,"minute":100,"days_off":0}},"forged"]}"#;
    is_not_told(&format!(r#"{{"world":"plain","options":{{"acknowledged":true}},"moves":[{planted}]}}"#));
}

#[test]
fn a_checkpoint_excuses_no_lost_signature_but_of_what_it_remembers() {
    let line = r#"{"world":"plain","options":{"checkpoint":{"after":3},"acknowledged":true},"moves":[{"lose-metadata":"0.5"}]}"#;
    is_not_told(line);
    let remembered = r#"{"world":"plain","options":{"checkpoint":{"after":6},"acknowledged":true},"moves":[{"lose-metadata":"0.5"}]}"#;
    assert_eq!(of_silence(remembered), []);
}

#[test]
fn a_backfill_without_its_metadata_is_told() {
    is_not_told(r#"{"world":"trails","options":{"acknowledged":true},"moves":[{"lose-metadata":"3.1"}]}"#);
}

#[test]
fn a_backfill_does_not_stand_in_for_the_chain_that_is_gone() {
    is_not_told(r#"{"world":"plain","options":{"acknowledged":true},"moves":[{"delete-tail":[1,0,"deleted"]}]}"#);
}

#[test]
fn what_lies_in_the_old_bucket_is_asked_for_with_an_end_too() {
    is_not_told(r#"{"world":"moved","options":{"to":250,"acknowledged":true},"moves":[{"delete":"0.2.0"}]}"#);
}

#[test]
fn what_the_untouched_archive_leaves_open_tells_nothing_of_a_touch() {
    let line = r#"{"world":"organization","options":{"acknowledged":false},"moves":[{"delete":"2.1"}]}"#;
    let sequence: Sequence = serde_json::from_str(line).unwrap();
    let (expected, outcome) = sequence.play();
    let as_untouched = Outcome { rows: outcome.rows.clone(), ..untouched(sequence.world(), &sequence.options) };
    assert_eq!(as_untouched.code, 3);
    assert!(matches!(sequence.judged(&expected, &as_untouched).first(), Some(Fault::NotTold(_))));
    assert_eq!(sequence.judged(&expected, &outcome), []);
}

#[test]
fn a_log_of_which_no_rows_are_made_was_skipped() {
    let line = r#"{"world":"plain","options":{"acknowledged":true},"moves":[]}"#;
    let sequence: Sequence = serde_json::from_str(line).unwrap();
    let (expected, mut outcome) = sequence.play();
    outcome.rows.retain(|(key, integrity)| !(key.contains("eu-west-1") && *integrity == Integrity::Verified));
    assert!(matches!(sequence.judged(&expected, &outcome).first(), Some(Fault::Rows(_))));
}
