//! Links, hours and periods to the second, over digests that are taken as signed.

use std::io::Write as _;

use serde_json::json;

use super::super::heads::AtHead;
use super::*;
use crate::archive::key::DigestName;
use crate::source::{DigestMetadata, SourceError};

fn place() -> AccountRegion {
    AccountRegion { account: "111122223333".parse().expect("account"), region: "us-east-1".parse().expect("Region") }
}

/// So many minutes after midnight.
fn at(minute: i64) -> Timestamp {
    let midnight: Timestamp = "2026-01-02T00:00:00Z".parse().expect("time");
    midnight + SignedDuration::from_mins(minute)
}

fn hours(from: i64, to: i64) -> Window {
    Window { from: at(from * 60), to: at(to * 60) }
}

fn name(end: i64) -> DigestName {
    let day = jiff::civil::date(2026, 1, 2);
    DigestName { trail: "main".into(), home: "us-east-1".parse().expect("Region"), backfill: false, end: at(end), day }
}

/// A digest, in minutes after midnight.
#[derive(Clone, Copy)]
struct Told {
    named: i64,
    start: i64,
    end: i64,
    /// Which digest it points to, by its place in the list.
    previous: Option<usize>,
}

/// A digest of an hour that points to the one before it in the list.
fn hour(named: i64, previous: usize) -> Told {
    Told { named, start: named - 60, end: named, previous: Some(previous) }
}

fn starting(named: i64) -> Told {
    Told { previous: None, ..hour(named, 0) }
}

fn gzip(content: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

fn recorded(name: &DigestName) -> Recorded {
    Recorded { bucket: String::new(), key: name.key("AWSLogs/", &place()) }
}

/// The digests as if their signatures held.
fn signed(told: &[Told]) -> Vec<DigestObject> {
    let mut digests: Vec<DigestObject> = Vec::new();
    for told in told {
        let name = name(told.named);
        let lies = recorded(&name);
        let previous = told.previous.map(|at| &digests[at]);
        let content = json!({
            "awsAccountId": "111122223333", "digestStartTime": at(told.start).to_string(),
            "digestEndTime": at(told.end).to_string(), "digestS3Bucket": "", "digestS3Object": lies.key,
            "digestPublicKeyFingerprint": "ab", "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": null, "oldestEventTime": null,
            "previousDigestS3Bucket": previous.map(|_| ""),
            "previousDigestS3Object": previous.map(|previous| &previous.place.key),
            "previousDigestHashValue": previous.and_then(DigestObject::hash).map(|hash| hash.to_string()),
            "previousDigestHashAlgorithm": previous.map(|_| "SHA-256"),
            "previousDigestSignature": previous.map(|_| "cd"), "logFiles": [],
        });
        let metadata = DigestMetadata { signature: Some("cd".into()), ..DigestMetadata::default() };
        let mut digest = DigestObject::read(name, lies, &gzip(&content.to_string()), metadata, &[]);
        digest.settle_signed(0, false);
        assert!(digest.verified().is_some());
        digests.push(digest);
    }
    digests
}

fn always() -> Period {
    Period { from: None, to: None, now: at(10_000), max_age: None, digests_from: None }
}

fn judge(group: Group, period: &Period) -> Conclusion {
    conclude(group, &place(), period)
}

/// What is found, each with the hour and minute in the name of the digest that it is about.
fn found(conclusion: &Conclusion) -> Vec<(FindingId, String)> {
    let told = conclusion.findings.iter().chain(conclusion.breaks.iter().map(|broken| &broken.finding));
    let about = |object: &str| object.split_once("T").map_or("chain", |(_, time)| &time[..4]).to_owned();
    let key_part = |object: &str| about(object.rsplit_once('_').map_or("", |(_, last)| last));
    let mut found: Vec<_> = told.map(|finding| (finding.id, key_part(&finding.object))).collect();
    found.sort_unstable();
    found
}

/// What a group of signed digests comes to, without a period.
fn of(told: &[Told]) -> Vec<(FindingId, String)> {
    found(&judge(Group { digests: signed(told), ..Group::default() }, &always()))
}

fn expect(expected: &[(FindingId, &str)]) -> Vec<(FindingId, String)> {
    let mut expected: Vec<_> = expected.iter().map(|(id, about)| (*id, (*about).to_owned())).collect();
    expected.sort_unstable();
    expected
}

#[test]
fn an_age_equal_to_the_maximum_is_not_stale() {
    let stale = |now: Timestamp| {
        let period = Period { now, max_age: Some(SignedDuration::from_hours(2)), ..always() };
        found(&judge(Group { digests: signed(&[starting(60)]), ..Group::default() }, &period))
    };
    assert_eq!(stale(at(180)), []);
    assert_eq!(stale(at(180) + SignedDuration::from_nanos(1)), expect(&[(FindingId::HeadStale, "chain")]));
}

#[test]
fn the_tips_are_those_that_no_digest_of_the_chain_points_to() {
    // A chain that begins anew after two hours; the first part's end has no witness.
    let digests = signed(&[starting(60), hour(120, 0), starting(240), hour(300, 2)]);
    let key = |named: i64| recorded(&name(named)).key;
    let hash = |at: usize| digests[at].hash().expect("read");
    let known = [(0, hash(0)), (1, hash(1)), (2, Sha256::of(b"other"))];
    let remembered = known.map(|(at, hash)| (digests[at].place.clone(), hash)).into();
    let conclusion = judge(Group { digests, remembered: Arc::new(remembered), ..Group::default() }, &always());
    let tips: Vec<&str> = conclusion.chains[0].tips.iter().map(|tip| tip.place.key.as_str()).collect();
    assert_eq!(tips, [key(120), key(300)]);
    let at_heads = [(key(60), AtHead::Passed), (key(120), AtHead::Same), (key(240), AtHead::Other { signed: true })];
    assert_eq!(conclusion.at_heads, at_heads);
}

#[test]
fn of_an_unread_digest_its_hour_is_unknown_and_no_more() {
    let mut digests = signed(&[starting(60), hour(120, 0)]);
    let mut unread = DigestObject::unreadable(name(180), recorded(&name(180)), SourceError::Missing);
    unread.settle(Standing::Unreadable, None);
    digests.push(unread);
    let conclusion = judge(Group { digests, ..Group::default() }, &Period { from: Some(at(-180)), ..always() });
    assert_eq!(conclusion.unknown, [hours(2, 3)]);
    assert_eq!(found(&conclusion), []);
    let [reach] = conclusion.reaches.as_slice() else { panic!("one chain") };
    assert_eq!((reach.verified, reach.known), (Some(hours(0, 2)), Some(hours(0, 3))));
    assert_eq!((reach.newest, reach.begins), (Some(at(180)), true));
}

/// A digest of this organization or of none before the period.
fn before(org: Option<&str>, name: &DigestName) -> BTreeMap<ChainId, Outside> {
    let org = org.map(|org| org.parse().expect("organization"));
    [(ChainId::named(org, &place(), name), Outside { before: Some(name.end), after: false })].into()
}

#[test]
fn a_chain_begins_with_a_first_digest_before_which_nothing_is_there() {
    let begins = |group: Group| judge(group, &always()).reaches[0].begins;
    let group = |digests| Group { digests, ..Group::default() };
    assert!(begins(group(signed(&[starting(60), hour(120, 0)]))));
    // Its predecessor is not there; something older of the chain is.
    assert!(!begins(group(signed(&[starting(60), hour(120, 0)]).split_off(1))));
    assert!(!begins(Group { outside: before(None, &name(0)), ..group(signed(&[starting(60)])) }));
}

#[test]
fn of_a_chain_of_which_nothing_was_read_its_newest_digest_before_is_known() {
    let id = ChainId::named(None, &place(), &name(60));
    let outside = Outside { before: Some(at(60)), after: false };
    let beside = ChainId::named(None, &place(), &DigestName { backfill: true, ..name(60) });
    let group =
        Group { outside: [(id.clone(), outside.clone()), (beside, outside.clone())].into(), ..Group::default() };
    let reaches = judge(group, &always()).reaches;
    let [reach] = reaches.as_slice() else { panic!("one chain") };
    assert_eq!((&reach.chain, reach.known, &reach.outside), (&id, None, &outside));
}

#[test]
fn a_chain_begins_anew_after_a_digest_before_the_period() {
    let of = |org: Option<&str>, earlier: &DigestName| {
        let group = Group { digests: signed(&[starting(300)]), outside: before(org, earlier), ..Group::default() };
        let conclusion = judge(group, &always());
        (found(&conclusion), conclusion.breaks.first().map(|broken| broken.window))
    };
    let after = |earlier: DigestName| of(None, &earlier);
    let restart = expect(&[(FindingId::ChainRestart, "0500")]);
    assert_eq!(after(name(120)), (restart.clone(), Some(hours(2, 4))));
    assert_eq!(after(name(240)), (restart, Some(hours(4, 4))));
    // One that ends later is none before it, and other chains' are none of this one.
    assert_eq!(after(name(241)), (vec![], None));
    assert_eq!(after(DigestName { trail: "other".into(), ..name(120) }), (vec![], None));
    assert_eq!(after(DigestName { home: "eu-west-1".parse().expect("Region"), ..name(120) }), (vec![], None));
    assert_eq!(after(DigestName { backfill: true, ..name(120) }), (vec![], None));
    assert_eq!(of(Some("o-exampleorgid"), &name(120)), (vec![], None));
}

#[test]
fn hours_reach_back_whichever_end_they_share() {
    let second = |start, end| {
        of(&[starting(60), hour(120, 0), Told { named: 180, start, end, previous: Some(1) }, hour(240, 2)])
    };
    assert_eq!(second(120, 180), []);
    // The start of the one before is shared.
    let reaches = (FindingId::WindowReachesBack, "0300");
    assert_eq!(second(60, 180), expect(&[reaches, (FindingId::WindowsOverlap, "0300")]));
    assert_eq!(second(90, 180), expect(&[(FindingId::WindowsOverlap, "0300")]));
    // The end is shared: a digest that says it ends with its successor, from before it.
    let shared = of(&[starting(60), Told { named: 120, start: 60, end: 180, previous: Some(0) }, hour(180, 1)]);
    assert_eq!(
        shared,
        expect(&[
            (FindingId::WindowReachesBack, "0200"),
            (FindingId::WindowsOverlap, "0300"),
            (FindingId::EndUnlikeName, "0200"),
        ])
    );
}

#[test]
fn two_digests_of_the_same_hours_overlap_and_neither_reaches_back() {
    let told = of(&[
        starting(60),
        Told { named: 120, start: 60, end: 180, previous: Some(0) },
        Told { named: 180, start: 60, end: 180, previous: Some(1) },
    ]);
    assert_eq!(told, expect(&[(FindingId::WindowsOverlap, "0300"), (FindingId::EndUnlikeName, "0200")]));
}

#[test]
fn an_overlap_is_told_once_of_the_newer_digest() {
    // Linked: told by the link alone.
    let linked = of(&[starting(60), hour(120, 0), Told { start: 100, ..hour(180, 1) }]);
    assert_eq!(linked, expect(&[(FindingId::WindowsOverlap, "0300")]));
    // Not linked: told by the hours.
    let apart = of(&[starting(60), hour(120, 0), Told { start: 100, ..starting(180) }]);
    assert_eq!(apart, expect(&[(FindingId::WindowsOverlap, "0300"), (FindingId::ChainRestart, "0300")]));
}

#[test]
fn a_digest_of_no_time_is_neither_passed_over_nor_reached_over() {
    let none = Told { named: 180, start: 180, end: 180, previous: Some(1) };
    let within = of(&[starting(60), hour(120, 0), none, Told { start: 150, ..hour(240, 2) }]);
    let overlap = (FindingId::WindowsOverlap, "0300");
    assert_eq!(within, expect(&[overlap, overlap, (FindingId::ChainGap, "0300")]));
    let between = of(&[starting(60), hour(120, 0), none, hour(300, 1)]);
    assert_eq!(
        between,
        expect(&[(FindingId::WindowsOverlap, "0300"), (FindingId::ChainGap, "0300"), (FindingId::ChainGap, "0500")])
    );
}

#[test]
fn a_digest_that_a_pointer_passes_over_lies_wholly_between() {
    let passed = of(&[starting(60), hour(120, 0), hour(180, 1), hour(240, 1)]);
    assert_eq!(passed, expect(&[(FindingId::LinkSkipsDigest, "0300")]));
    // Its hours begin in those of the one that is pointed to.
    let partly = of(&[starting(60), hour(120, 0), Told { start: 110, ..hour(180, 1) }, hour(240, 1)]);
    assert_eq!(partly, expect(&[(FindingId::WindowsOverlap, "0300"), (FindingId::ChainGap, "0400")]));
}

#[test]
fn a_pointer_that_leads_before_the_period_is_not_followed() {
    // The older one starts at 1:00 and points to one that is not there.
    let group =
        || Group { digests: signed(&[starting(60), hour(120, 0), hour(180, 1)]).split_off(1), ..Group::default() };
    let before = recorded(&name(60));
    for (from, wanted) in [(None, vec![before.clone()]), (Some(at(59)), vec![before.clone()]), (Some(at(60)), vec![])] {
        assert_eq!(group().wanted(from), wanted, "{from:?}");
    }
    let told = |from: Option<Timestamp>, absent: &[&Recorded]| {
        let absent = absent.iter().map(|&place| place.clone()).collect();
        found(&judge(Group { absent, ..group() }, &Period { digests_from: from, ..always() }))
    };
    let missing = expect(&[(FindingId::ChainStartMissing, "0100")]);
    assert_eq!(told(None, &[&before]), missing);
    assert_eq!(told(Some(at(59)), &[&before]), missing);
    assert_eq!(told(Some(at(60)), &[&before]), []);
    // Where nobody looked, nothing is missing.
    assert_eq!(told(Some(at(59)), &[]), []);
}
