//! What cannot be read is told as that, with what would mend it, and never as altered.

use super::*;
use crate::support::s3::{Fault, Server};

fn with_fault(fault: impl FnOnce(&Server, &Built)) -> (i32, Vec<String>, String) {
    let built = Chain::new().build();
    let server = built.serve();
    fault(&server, &built);
    let answer = server.run("verify", BUCKET, &[&PERIOD[..], &["--patience", "0s"]].concat());
    let findings = answer.report["findings"].as_array().unwrap();
    let hints = findings.iter().map(|finding| finding["hint"].as_str().unwrap_or_default()).collect();
    (answer.code, ids(&answer.report), hints)
}

#[test]
fn each_refusal_says_what_would_mend_it() {
    for (fault, mends) in [
        (Fault::Code("AccessDenied"), "s3:GetObject"),
        (Fault::KmsDenied, "kms:Decrypt"),
        (Fault::Code("InvalidObjectState"), "restore"),
        (Fault::Code("SlowDown"), "run again"),
        (Fault::Cut, "run again"),
        (Fault::Reset, "run again"),
    ] {
        let (code, found, hint) =
            with_fault(|server, built| server.store.fail(&built.logs[5][0], fault.clone(), u32::MAX));
        assert_eq!((code, found), (3, vec!["log-unreadable".to_owned()]), "a log: {fault:?}");
        assert!(hint.contains(mends), "{fault:?}: {hint}");
        let (code, found, hint) =
            with_fault(|server, built| server.store.fail(&built.digests[5], fault.clone(), u32::MAX));
        assert_eq!((code, found), (3, vec!["digest-unreadable".to_owned()]), "a digest: {fault:?}");
        assert!(hint.contains(mends), "{fault:?}: {hint}");
    }
}

#[test]
fn the_newest_digest_unread_is_no_period_uncovered() {
    let (code, found, _) =
        with_fault(|server, built| server.store.fail(&built.digests[11], Fault::Code("AccessDenied"), u32::MAX));
    assert_eq!((code, found), (3, vec!["digest-unreadable".to_owned()]));
}

#[test]
fn what_is_gone_between_listing_and_reading_is_missing_if_a_digest_records_it() {
    let (code, found, _) =
        with_fault(|server, built| server.store.fail(&built.logs[5][0], Fault::Code("NoSuchKey"), u32::MAX));
    assert_eq!((code, found), (1, vec!["log-missing".to_owned()]));
    let (code, found, _) =
        with_fault(|server, built| server.store.fail(&built.digests[5], Fault::Code("NoSuchKey"), u32::MAX));
    assert_eq!((code, found), (1, ["digest-missing", "log-uncovered"].map(str::to_owned).to_vec()));
    let mut built = Chain::new().build();
    built.add_log("2026-01-02T20:15:00Z", "ForgedForgedForg", b"{}");
    let server = built.serve();
    let forged = built.objects.keys().find(|key| key.contains("Forged")).unwrap();
    server.store.fail(forged, Fault::Code("NoSuchKey"), u32::MAX);
    let answer = server.run("verify", BUCKET, &PERIOD);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["log-unreadable".to_owned()]));
}
