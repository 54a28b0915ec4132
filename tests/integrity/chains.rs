//! Several chains, backfill, and where a chain breaks off.

use super::*;

/// A successful `StopLogging` of trail `main` just before the gap, with more members, such as an error.
fn stopped(more: &str) -> Vec<u8> {
    let record = r#"{"eventTime":"2026-01-02T22:55:00Z","eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging",
        "eventID":"e-1","userIdentity":{"arn":"arn:aws:iam::111122223333:user/eve"},"requestParameters":{"name":"main"}"#;
    format!(r#"{{"Records":[{record}{more}}}]}}"#).into_bytes()
}

/// A chain that begins anew after two hours, with this content in the last log before them.
fn with_gap(last: Option<Vec<u8>>) -> Built {
    let chain = Chain::with(move |number, draft| match number {
        5 => draft.logs[0].1 = last.clone().unwrap_or_else(|| draft.logs[0].1.clone()),
        6 | 7 => draft.logs.clear(),
        8 => draft.previous = None,
        _ => {}
    });
    let mut built = chain.build();
    for number in [6, 7] {
        let key = built.digests[number].clone();
        built.remove(&key);
    }
    built
}

/// What the finding of the gap says beyond its sentence.
fn hint_of_gap(answer: &crate::support::Answer) -> &str {
    let findings = answer.report["findings"].as_array().unwrap();
    let gap = findings.iter().find(|finding| finding["id"] == "chain-restart").unwrap();
    gap["hint"].as_str().unwrap_or_default()
}

#[test]
fn the_call_that_explains_a_gap_is_named() {
    let answer = with_gap(Some(stopped(""))).verify(&PERIOD);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["chain-restart".to_owned()]));
    let hint = hint_of_gap(&answer);
    assert!(
        hint.contains("StopLogging at 2026-01-02T22:55:00Z by arn:aws:iam::111122223333:user/eve (event e-1)"),
        "{hint}"
    );
}

#[test]
fn a_call_that_nothing_vouches_for_or_that_failed_explains_no_gap() {
    let with_log = |key: String, content: Vec<u8>| {
        let mut built = with_gap(None);
        built.objects.insert(key, (gzip(&content), BTreeMap::new()));
        built
    };
    let altered = with_log(with_gap(None).logs[5][0].clone(), stopped(""));
    let mut unlisted = with_gap(None);
    unlisted.add_log("2026-01-02T22:50:00Z", "AAAAAAAAAAAAAAAA", &stopped(""));
    let mut another = with_gap(None);
    Chain {
        account: "444455556666".into(),
        ..Chain::with(|number, draft| {
            if number == 5 {
                draft.logs[0].1 = stopped("");
            }
        })
    }
    .build_into(&mut another);
    for (name, built, found) in [
        ("denied", with_gap(Some(stopped(r#","errorCode":"AccessDenied""#))), vec!["chain-restart"]),
        ("of an altered log", altered, vec!["chain-restart", "log-altered"]),
        ("of a log that no digest names", unlisted, vec!["chain-restart", "log-unlisted"]),
        ("of another account", another, vec!["chain-restart"]),
    ] {
        let answer = built.verify(&PERIOD);
        assert_eq!(ids(&answer.report), found, "{name}");
        assert!(!hint_of_gap(&answer).contains("explained by"), "{name}: {}", hint_of_gap(&answer));
    }
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

#[test]
fn backfill_digests_in_odd_states() {
    let backfill = |hours, draft: fn(usize, &mut crate::support::chain::Draft)| Chain {
        backfill: true,
        hours,
        first_end: "2026-01-02T20:01:31Z".parse().unwrap(),
        ..Chain::with(draft)
    };
    let with = |chain: Chain, change: fn(&mut Built)| {
        let mut built = Chain::new().build();
        chain.build_into(&mut built);
        change(&mut built);
        built
    };
    let linked = |hours| backfill(hours, |_, _| {});
    fn regular(built: &Built) -> crate::support::chain::Signed {
        let key = built.digests[3].clone();
        let (body, metadata) = &built.objects[&key];
        let hash = trailproof_proof::sha256::Sha256::of(&crate::support::chain::gunzip(body)).to_string();
        crate::support::chain::Signed { bucket: BUCKET.into(), key, hash, signature: metadata["signature"].clone() }
    }
    check(vec![
        case("unlinked", with(backfill(3, |_, draft| draft.previous = None), |_| {}), 0, &[]),
        case(
            "chained to a regular digest",
            with(backfill(1, |_, draft| draft.previous = Some(regular(&Chain::new().build()))), |_| {}),
            0,
            &[],
        ),
        case(
            "far apart",
            with(
                backfill(2, |number, draft| {
                    if number == 1 {
                        draft.start -= SignedDuration::from_mins(30);
                    }
                }),
                |_| {},
            ),
            0,
            &[],
        ),
        case(
            "a log of a regular digest again",
            with(
                backfill(1, |_, draft| {
                    let key = Chain::new().log_key("2026-01-02T19:49:00Z".parse().unwrap(), "lg00020000AbCdEf");
                    let content =
                        b"{\"Records\":[{\"eventTime\":\"2026-01-02T19:45:31Z\",\"eventID\":\"main-2-0\"}]}".to_vec();
                    draft.logs = vec![(key, content)];
                }),
                |_| {},
            ),
            0,
            &["log-listed-twice"],
        ),
        case(
            "the only one deleted",
            with(linked(1), |built| {
                let key = built.digests[12].clone();
                built.remove(&key);
            }),
            3,
            &["log-unlisted"],
        ),
        case(
            "one between deleted",
            with(linked(3), |built| {
                let key = built.digests[13].clone();
                built.remove(&key);
            }),
            1,
            &["digest-missing", "log-unlisted"],
        ),
        case(
            "its log changed",
            with(linked(1), |built| {
                let key = built.logs[12][0].clone();
                built.rewrite(&key, |_| b"{}".to_vec());
            }),
            1,
            &["log-altered"],
        ),
        case(
            "its log deleted",
            with(linked(1), |built| {
                let key = built.logs[12][0].clone();
                built.remove(&key);
            }),
            1,
            &["log-missing"],
        ),
        case(
            "a time of generation that is none, with a key that is found anyway",
            with(linked(1), |built| {
                let key = built.digests[12].clone();
                built.metadata(&key).insert("backfill-generation-timestamp".into(), "soon".into());
            }),
            0,
            &[],
        ),
        case(
            "no time of generation, and no such key",
            with(
                backfill(1, |_, draft| {
                    draft.fields.insert("digestPublicKeyFingerprint".into(), OTHER_KEY.fingerprint().into());
                    draft.sign = Box::new(|text| OTHER_KEY.sign(text));
                }),
                |built| {
                    let key = built.digests[12].clone();
                    built.metadata(&key).remove("backfill-generation-timestamp");
                },
            ),
            3,
            // The hours of its logs are covered by regular digests, so that it excuses none of them.
            &["backfill-undated", "log-unlisted"],
        ),
        case(
            "a time of generation, and no such key",
            with(
                backfill(1, |_, draft| {
                    draft.fields.insert("digestPublicKeyFingerprint".into(), OTHER_KEY.fingerprint().into());
                    draft.sign = Box::new(|text| OTHER_KEY.sign(text));
                }),
                |_| {},
            ),
            3,
            &["key-unavailable", "log-unlisted"],
        ),
        case(
            "all metadata lost, and newest",
            with(linked(1), |built| {
                let key = built.digests[12].clone();
                built.metadata(&key).clear();
            }),
            3,
            &["log-unlisted", "signature-lost"],
        ),
    ]);
}

#[test]
fn chains_that_end_and_begin_again() {
    let later = |trail: &str| Chain {
        trail: trail.into(),
        first_end: "2026-01-03T09:17:45Z".parse().unwrap(),
        hours: 5,
        ..Chain::new()
    };
    let two = |second: Chain| {
        let mut built = Chain::new().build();
        second.build_into(&mut built);
        built
    };
    check(vec![
        Case {
            args: vec![],
            ..case("deleted and made again under its name", two(later("main")), 3, &["chain-restart"])
        },
        Case { args: vec![], ..case("replaced by another trail", two(later("next")), 0, &[]) },
        before("a digest that ends a minute into the next one's hours", 0, &["windows-overlap"], |draft| {
            draft.end += SignedDuration::from_mins(1);
            draft.key = Chain::new().digest_key(draft.end);
        }),
    ]);
}

/// A chain whose digests and logs lie in an old bucket up to this hour.
fn moved_at(hour: usize) -> Built {
    let chain = Chain::with(move |number, draft| {
        if number < hour {
            draft.bucket = "old-bucket".into();
        }
    });
    chain.build()
}

/// A chain that became an organization's after six hours, which lie in this bucket without one.
fn organized(bucket: &'static str) -> Built {
    let before = |key: &str| key.replacen("o-exampleorgid/", "", 1);
    let chain = Chain::with(move |number, draft| {
        if number < 6 {
            draft.bucket = bucket.into();
            draft.key = before(&draft.key);
            draft.logs.iter_mut().for_each(|(key, _)| *key = before(key));
        }
    });
    Chain { root: "AWSLogs/o-exampleorgid/".into(), ..chain }.build()
}

#[test]
fn what_an_organizations_chain_was_before_is_judged_as_its_own() {
    let run = |built: &Built| {
        let answer = built.serve().run("verify", BUCKET, &[&PERIOD[..], &["--org", "o-exampleorgid"]].concat());
        (answer.code, ids(&answer.report), answer.report["logs"]["verified"].as_u64().unwrap())
    };
    for bucket in [BUCKET, "old-bucket"] {
        // The hours before are another chain's, which was not asked for; what it lists was.
        let uncovered = "period-not-covered".to_owned();
        assert_eq!(run(&organized(bucket)), (3, vec![uncovered.clone()], 24), "{bucket}");
        let mut built = organized(bucket);
        let log = built.logs[2][1].clone();
        built.rewrite(&log, |_| b"{}".to_vec());
        assert_eq!(run(&built), (1, vec!["log-altered".to_owned(), uncovered], 23), "{bucket}");
        // Older ones are there, whoever they were delivered for.
        let mut built = organized(bucket);
        let digest = built.digests[4].clone();
        built.remove(&digest);
        let (code, found, _) = run(&built);
        assert_eq!((code, found.contains(&"digest-missing".to_owned())), (1, true), "{bucket} {found:?}");
    }
}

#[test]
fn chains_that_move_to_another_bucket_are_followed() {
    let run = |built: &Built| {
        let answer = built.serve().run("verify", BUCKET, &PERIOD);
        (answer.code, ids(&answer.report), answer.report["logs"]["verified"].as_u64().unwrap())
    };
    let found = |code: i32, ids: &[&str], verified: u64| {
        (code, ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), verified)
    };
    assert_eq!(run(&moved_at(6)), found(0, &[], 24));
    let mut built = moved_at(6);
    let newest = built.digests[5].clone();
    built.remove(&newest);
    assert_eq!(run(&built), found(1, &["digest-missing", "log-uncovered"], 22));
    let mut built = moved_at(6);
    let log = built.logs[2][1].clone();
    built.rewrite(&log, |_| b"{}".to_vec());
    assert_eq!(run(&built), found(1, &["log-altered"], 23));
    let mut built = moved_at(6);
    let old: Vec<String> = built.buckets.keys().cloned().collect();
    old.iter().for_each(|key| built.remove(key));
    assert_eq!(run(&built), found(3, &["chain-start-missing", "listing-failed", "period-not-covered"], 12));
    // Copies of the old bucket's objects in the new one are no digests of it.
    let server = moved_at(6).serve();
    let copied = moved_at(6);
    for key in copied.buckets.keys().filter(|key| key.contains("Digest")) {
        let (body, metadata) = copied.objects[key].clone();
        server.store.put(BUCKET, key, body, metadata);
    }
    let answer = server.run("verify", BUCKET, &PERIOD);
    assert_eq!((answer.code, ids(&answer.report)), (0, vec!["digest-planted".to_owned()]));
    // An entry in the old bucket without a pointer that says so.
    let stray = Chain::with(|number, draft| {
        if number == 5 {
            draft.fields.insert("logFiles".into(), json!([{"s3Bucket": "old-bucket", "s3Object": draft.logs[0].0, "hashValue": "ab".repeat(32), "hashAlgorithm": "SHA-256"}]));
            draft.logs.clear();
        }
    });
    assert_eq!(run(&stray.build()), found(1, &["entry-out-of-scope"], 22));
}

#[test]
fn a_chain_whose_prefix_changed_is_followed() {
    let chain = |root: &'static str| Chain { root: root.into(), ..Chain::new() };
    let old = "old/AWSLogs/";
    let built = Chain::with(move |number, draft| {
        if number < 6 {
            draft.key = draft.key.replacen("AWSLogs/", old, 1);
            for (key, _) in &mut draft.logs {
                *key = key.replacen("AWSLogs/", old, 1);
            }
        }
    })
    .build();
    assert!(built.digests[0].starts_with(&chain(old).root));
    check(vec![case("in one bucket", built, 0, &[])]);
}
