//! Several chains, backfill, and where a chain breaks off.

use super::*;

#[test]
fn the_call_that_explains_a_gap_is_named() {
    let chain = Chain::with(|number, draft| {
        let stopped = r#"{"Records":[{"eventTime":"2026-01-02T22:55:00Z","eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging",
            "eventID":"e-1","userIdentity":{"arn":"arn:aws:iam::111122223333:user/eve"},"requestParameters":{"name":"main"}}]}"#;
        match number {
            5 => draft.logs[0].1 = stopped.as_bytes().to_vec(),
            6 | 7 => draft.logs.clear(),
            8 => draft.previous = None,
            _ => {}
        }
    });
    let mut built = chain.build();
    for number in [6, 7] {
        let key = built.digests[number].clone();
        built.remove(&key);
    }
    let answer = built.verify(&PERIOD);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["chain-restart".to_owned()]));
    let hint = answer.report["findings"][0]["hint"].as_str().unwrap();
    assert!(
        hint.contains("StopLogging at 2026-01-02T22:55:00Z by arn:aws:iam::111122223333:user/eve (event e-1)"),
        "{hint}"
    );
}

#[test]
fn backfill_digests_cover_their_logs() {
    let with_backfill = |change: fn(&mut Built, &str)| {
        let mut built = Chain::new().build();
        let backfill =
            Chain { backfill: true, hours: 2, first_end: "2026-01-02T20:01:31Z".parse().unwrap(), ..Chain::new() };
        backfill.build_into(&mut built);
        let last = built.digests[13].clone();
        change(&mut built, &last);
        built
    };
    check(vec![
        case("chained", with_backfill(|_, _| {}), 0, &[]),
        case(
            "undated, with a key that is found anyway",
            with_backfill(|built, last| {
                built.metadata(last).remove("backfill-generation-timestamp");
            }),
            0,
            &[],
        ),
        case(
            "altered",
            with_backfill(|built, last| {
                built.rewrite(last, |content| {
                    String::from_utf8(content).unwrap().replace("bf0001", "bf0009").into_bytes()
                });
            }),
            1,
            &["digest-altered", "log-unlisted"],
        ),
    ]);
}

#[test]
fn several_chains_beside_each_other() {
    let two = |other: Chain| {
        let mut built = Chain::new().build();
        other.build_into(&mut built);
        built
    };
    check(vec![
        case(
            "a trail name that looks like another's",
            two(Chain { trail: "main_us-east-1_20260102T180131Z".into(), ..Chain::new() }),
            0,
            &[],
        ),
        case(
            "an organization's root beside an account's",
            two(Chain { root: "AWSLogs/o-exampleorgid/".into(), trail: "org".into(), ..Chain::new() }),
            0,
            &[],
        ),
        case(
            "Control Tower's prefix",
            two(Chain { root: "o-exampleorgid/AWSLogs/o-exampleorgid/".into(), ..Chain::new() }),
            0,
            &[],
        ),
        case("another account", two(Chain { account: "444455556666".into(), ..Chain::new() }), 0, &[]),
        case("another Region", two(Chain { region: "eu-west-1".into(), ..Chain::new() }), 0, &[]),
    ]);
}
