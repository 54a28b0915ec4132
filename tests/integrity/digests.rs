//! Digest objects that were changed, deleted or planted after they were signed.

use super::*;

#[test]
fn digests_changed_after_signing() {
    let digest = |built: &Built| built.digests[5].clone();
    let replace = |name, id, with: &'static [u8]| {
        after(name, 1, &[id, "log-uncovered"], move |built| {
            let key = digest(built);
            built.rewrite(&key, |_| with.to_vec());
        })
    };
    check(vec![
        after("body changed", 1, &["digest-altered", "log-uncovered"], |built| {
            let key = digest(built);
            built.rewrite(&key, |content| String::from_utf8(content).unwrap().replace("lg0005", "lg0009").into_bytes());
        }),
        after("signature changed", 1, &["digest-altered", "log-uncovered"], |built| {
            let key = digest(built);
            built.metadata(&key).entry("signature".into()).and_modify(|signature| signature.replace_range(8..9, "x"));
        }),
        after("signature empty", 1, &["digest-altered", "log-uncovered"], |built| {
            let key = digest(built);
            built.metadata(&key).insert("signature".into(), String::new());
        }),
        after("signature with a leading zero byte", 1, &["digest-altered", "log-uncovered"], |built| {
            let key = digest(built);
            built.metadata(&key).entry("signature".into()).and_modify(|signature| signature.insert_str(0, "00"));
        }),
        after("signature as large as the modulus", 1, &["digest-altered", "log-uncovered"], |built| {
            let key = digest(built);
            built.metadata(&key).insert("signature".into(), "ff".repeat(256));
        }),
        after("signature of another digest", 1, &["digest-altered", "log-uncovered"], |built| {
            let (key, other) = (digest(built), built.digests[4].clone());
            let signature = built.metadata(&other)["signature"].clone();
            built.metadata(&key).insert("signature".into(), signature);
        }),
        after("signature in upper case", 0, &["hex-upper-case"], |built| {
            let key = digest(built);
            built.metadata(&key).entry("signature".into()).and_modify(|signature| signature.make_ascii_uppercase());
        }),
        after("algorithm in metadata", 1, &["digest-algorithm", "log-uncovered"], |built| {
            let key = digest(built);
            built.metadata(&key).insert("signature-algorithm".into(), "none".into());
        }),
        after("older digest over a newer one", 1, &["digest-moved", "log-uncovered"], |built| {
            let older = built.objects[&built.digests[2]].clone();
            built.objects.insert(digest(built), older);
        }),
        after("metadata lost", 0, &["signature-recovered"], |built| {
            let key = digest(built);
            built.metadata(&key).clear();
        }),
        after("metadata of three in a row lost", 0, &["signature-recovered"], |built| {
            for number in 4..7 {
                let key = built.digests[number].clone();
                built.metadata(&key).clear();
            }
        }),
        after("metadata of the newest lost", 3, &["signature-lost"], |built| {
            let key = built.digests[11].clone();
            built.metadata(&key).clear();
        }),
        after("second member", 1, &["digest-trailing-data"], |built| {
            let key = digest(built);
            built.body(&key).extend(gzip(b"{}"));
        }),
        after("garbage behind", 1, &["digest-trailing-data"], |built| {
            let key = digest(built);
            built.body(&key).extend(b"garbage");
        }),
        after("stored inflated", 0, &["container-damaged"], |built| {
            let key = digest(built);
            *built.body(&key) = crate::support::chain::gunzip(built.body(&key));
        }),
        after("truncated", 1, &["digest-malformed", "log-uncovered"], |built| {
            let key = digest(built);
            let body = built.body(&key);
            body.truncate(body.len() / 2);
        }),
        replace("not UTF-8", "digest-malformed", b"\xff\xfe{"),
        replace("not an object", "digest-malformed", b"[]"),
        replace("empty", "digest-malformed", b""),
        after("too deep", 1, &["digest-malformed", "log-uncovered"], |built| {
            let key = digest(built);
            built.rewrite(&key, |_| vec![b'['; 200_000]);
        }),
        after("deleted", 1, &["digest-missing", "log-uncovered"], |built| built.remove(&digest(built))),
        after("a run deleted", 1, &["digest-missing", "log-uncovered"], |built| {
            for number in 3..8 {
                let key = built.digests[number].clone();
                built.remove(&key);
            }
        }),
        after("the oldest deleted", 3, &["chain-start-missing", "log-uncovered", "period-not-covered"], |built| {
            for number in 0..4 {
                let key = built.digests[number].clone();
                built.remove(&key);
            }
        }),
        after("the newest deleted with their logs", 3, &["period-not-covered"], |built| {
            for number in 9..12 {
                let keys = [vec![built.digests[number].clone()], built.logs[number].clone()].concat();
                keys.iter().for_each(|key| built.remove(key));
            }
        }),
        after("all deleted", 3, &["log-uncovered", "nothing-to-verify"], |built| {
            let keys = built.digests.clone();
            keys.iter().for_each(|key| built.remove(key));
        }),
    ]);
}

#[test]
fn planted_objects_change_nothing() {
    let plant = |name, id, find: &'static str, with: &'static str| {
        after(name, 0, &[id], move |built| {
            let key = built.digests[5].replace(find, with);
            assert_ne!(key, built.digests[5]);
            let metadata = BTreeMap::from([("signature".to_owned(), "00".to_owned())]);
            built.objects.insert(key, (gzip(b"{}"), metadata));
        })
    };
    check(vec![
        plant("junk in a covered hour", "digest-planted", "230131Z", "230831Z"),
        plant(
            "junk after the newest",
            "digest-planted",
            "/2026/01/02/111122223333_CloudTrail-Digest_us-east-1_main_us-east-1_20260102T230131Z",
            "/2026/01/03/111122223333_CloudTrail-Digest_us-east-1_main_us-east-1_20260103T060831Z",
        ),
        plant("junk of a made-up trail", "digest-planted", "_main_", "_phantom_"),
        plant("month 13", "name-unexpected", "20260102T230131Z", "20261302T230131Z"),
        plant("undated", "name-unexpected", "_20260102T230131Z", ""),
        plant("folder of month 13", "name-unexpected", "/2026/01/", "/2026/13/"),
        plant("no name", "name-unexpected", "_CloudTrail-Digest_", "_x_"),
        after("a genuine digest copied to another time", 0, &["digest-planted"], |built| {
            let copy = built.objects[&built.digests[5]].clone();
            let key = built.digests[5].replace("230131Z", "230831Z");
            built.objects.insert(key, copy);
        }),
        after("a forged digest that claims a place in a covered hour", 0, &["digest-planted"], |built| {
            let genuine = built.digests[5].clone();
            let key = genuine.replace("230131Z", "230831Z");
            let content = String::from_utf8(crate::support::chain::gunzip(built.body(&genuine))).unwrap();
            let metadata = built.metadata(&genuine).clone();
            built.objects.insert(key.clone(), (gzip(content.replace(&genuine, &key).as_bytes()), metadata));
        }),
    ]);
}

/// The plain chain with the metadata of one digest changed.
fn signature(name: &'static str, change: fn(&str) -> String) -> Case {
    after(name, 1, &["digest-altered", "log-uncovered"], move |built| {
        let key = built.digests[5].clone();
        built.metadata(&key).entry("signature".into()).and_modify(|signature| *signature = change(signature));
    })
}

#[test]
fn signatures_in_odd_shapes() {
    check(vec![
        signature("a blank in front", |s| format!(" {s}")),
        signature("a new line behind", |s| format!("{s}\n")),
        signature("0x in front", |s| format!("0x{s}")),
        signature("half a digit too much", |s| format!("{s}0")),
        signature("half a digit too few", |s| s[1..].to_owned()),
        signature("a byte too few", |s| s[2..].to_owned()),
        signature("a byte too much", |s| format!("{s}00")),
        signature("twice", |s| s.repeat(2)),
        signature("all zero", |_| "0".repeat(512)),
        signature("the modulus itself", |_| encode_hex(&KEY.modulus())),
        signature("not hex", |_| "signed by CloudTrail, honestly".into()),
        signature("null", |_| "null".into()),
        after("the algorithm alone is lost", 0, &[], |built| {
            let key = built.digests[5].clone();
            built.metadata(&key).remove("signature-algorithm");
        }),
        after("the signature alone is lost", 0, &["signature-recovered"], |built| {
            let key = built.digests[5].clone();
            built.metadata(&key).remove("signature");
        }),
        after("the algorithm in small letters", 1, &["digest-algorithm", "log-uncovered"], |built| {
            let key = built.digests[5].clone();
            built.metadata(&key).insert("signature-algorithm".into(), "sha256withrsa".into());
        }),
        after("all metadata lost", 3, &["signature-lost"], |built| {
            for key in built.digests.clone() {
                built.metadata(&key).clear();
            }
        }),
        after("the metadata of the newest two lost", 3, &["signature-lost"], |built| {
            for number in [10, 11] {
                let key = built.digests[number].clone();
                built.metadata(&key).clear();
            }
        }),
        after("metadata lost and body changed", 1, &["digest-altered", "log-uncovered"], |built| {
            let key = built.digests[5].clone();
            built.metadata(&key).clear();
            built.rewrite(&key, |content| String::from_utf8(content).unwrap().replace("lg0005", "lg0009").into_bytes());
        }),
    ]);
}

#[test]
fn digests_in_odd_containers() {
    let stored = |name, code, findings: &[&'static str], store: fn(Vec<u8>) -> Vec<u8>| {
        after(name, code, findings, move |built| {
            let key = built.digests[5].clone();
            let body = built.body(&key);
            *body = store(std::mem::take(body));
        })
    };
    check(vec![
        stored("no byte at all", 1, &["digest-malformed", "log-uncovered"], |_| Vec::new()),
        stored("plain text", 1, &["digest-malformed", "log-uncovered"], |_| b"hello".to_vec()),
        stored("UTF-16", 1, &["digest-malformed", "log-uncovered"], |body| {
            let text = String::from_utf8(crate::support::chain::gunzip(&body)).unwrap();
            gzip(&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
        }),
        stored("a bomb", 1, &["digest-malformed", "log-uncovered"], |_| gzip(&vec![b' '; 80 << 20])),
        stored("NUL padding", 0, &["container-damaged"], |body| [body, vec![0; 9]].concat()),
        stored("an empty member behind", 0, &["container-damaged"], |body| [body, gzip(b"")].concat()),
        stored("an empty member in front", 0, &["container-damaged"], |body| [gzip(b""), body].concat()),
        stored("no trailer", 0, &["container-damaged"], |body| body[..body.len() - 8].to_vec()),
        stored("split over members", 0, &["container-damaged"], |body| {
            let content = crate::support::chain::gunzip(&body);
            let (a, b) = content.split_at(100);
            [gzip(a), gzip(b)].concat()
        }),
        // Neither the whole nor the first member is signed: what is wrong with the whole is told.
        stored("changed, and a second member behind", 1, &["digest-malformed", "log-uncovered"], |body| {
            let content = String::from_utf8(crate::support::chain::gunzip(&body)).unwrap().replace("lg0005", "lg0009");
            [gzip(content.as_bytes()), gzip(b"{}")].concat()
        }),
        stored("a blank in a second member", 1, &["digest-trailing-data"], |body| [body, gzip(b" ")].concat()),
        stored("a blank behind the document", 1, &["digest-altered", "log-uncovered"], |body| {
            gzip(&[crate::support::chain::gunzip(&body), b" ".to_vec()].concat())
        }),
    ]);
}

#[test]
fn digests_deleted_or_replaced() {
    let remove = |built: &mut Built, numbers: &[usize], with_logs: bool| {
        for &number in numbers {
            let key = built.digests[number].clone();
            built.remove(&key);
            if with_logs {
                let logs = built.logs[number].clone();
                logs.iter().for_each(|key| built.remove(key));
            }
        }
    };
    check(vec![
        after("one with its logs", 1, &["digest-missing"], |built| remove(built, &[5], true)),
        after("two runs", 1, &["digest-missing", "log-uncovered"], |built| remove(built, &[2, 3, 7, 8, 9], false)),
        after("every other", 1, &["chain-start-missing", "digest-missing", "log-uncovered"], |built| {
            remove(built, &[0, 2, 4, 6, 8, 10], false);
        }),
        after("all but the newest", 3, &["chain-start-missing", "log-uncovered", "period-not-covered"], |built| {
            remove(built, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], false)
        }),
        after("the newest three, their logs left", 3, &["log-uncovered", "period-not-covered"], |built| {
            remove(built, &[9, 10, 11], false);
        }),
        Case {
            args: vec![],
            ..after("the newest three, their logs left, no period", 3, &["log-uncovered"], |built| {
                remove(built, &[9, 10, 11], false);
            })
        },
        Case { args: vec![], ..after("all with their logs", 3, &["nothing-to-verify"], |built| built.objects.clear()) },
        after("the newest changed", 1, &["digest-altered", "log-uncovered", "period-not-covered"], |built| {
            let key = built.digests[11].clone();
            built.rewrite(&key, |content| String::from_utf8(content).unwrap().replace("lg0011", "lg0009").into_bytes());
        }),
        after(
            "the newest replaced by junk",
            1,
            &["digest-malformed", "log-uncovered", "period-not-covered"],
            |built| {
                let key = built.digests[11].clone();
                built.rewrite(&key, |_| b"{}".to_vec());
            },
        ),
        after(
            "the newest three replaced by junk",
            1,
            &["digest-malformed", "log-uncovered", "period-not-covered"],
            |built| {
                for number in [9, 10, 11] {
                    let key = built.digests[number].clone();
                    built.rewrite(&key, |_| b"{}".to_vec());
                }
            },
        ),
        after("the oldest replaced by junk", 1, &["digest-malformed", "log-uncovered"], |built| {
            let key = built.digests[0].clone();
            built.rewrite(&key, |_| b"{}".to_vec());
        }),
        after(
            "moved to the folder of another day",
            1,
            &["digest-missing", "digest-planted", "log-uncovered"],
            |built| {
                let key = built.digests[5].clone();
                let object = built.objects.remove(&key).unwrap();
                built.objects.insert(key.replace("/2026/01/02/", "/2026/01/03/"), object);
            },
        ),
        after("two exchanged", 1, &["digest-moved", "log-uncovered"], |built| {
            let (a, b) = (built.digests[5].clone(), built.digests[7].clone());
            built.exchange(&a, &b);
        }),
    ]);
    let mut built = Chain::new().build();
    remove(&mut built, &[2, 3, 7, 8, 9], false);
    let answer = built.verify(&PERIOD);
    assert_eq!(answer.report["digests"]["missing"], 5);
    let runs = answer.report["findings"].as_array().unwrap().iter().filter(|f| f["id"] == "digest-missing").count();
    assert_eq!(runs, 2);
}

#[test]
fn a_missing_day_is_told_with_its_hours() {
    let chain = Chain { hours: 60, ..Chain::new() };
    let mut built = chain.build();
    let day = built.objects.keys().filter(|key| key.contains("/2026/01/03/")).cloned().collect::<Vec<_>>();
    day.iter().for_each(|key| built.remove(key));
    let answer = built.verify(&[]);
    // The first hours' digests of a day list logs of the day before, and the last logs of a day stand in the next one's.
    assert_eq!(
        (answer.code, ids(&answer.report)),
        (1, ["digest-missing", "log-missing", "log-uncovered"].map(str::to_owned).to_vec())
    );
    let findings = answer.report["findings"].as_array().unwrap();
    let sentence = findings.iter().find(|f| f["id"] == "digest-missing").unwrap()["sentence"].as_str().unwrap();
    assert!(sentence.contains("2026-01-02T23:01:31Z to 2026-01-03T23:01:31Z (24 h)"), "{sentence}");
}

#[test]
fn names_that_only_look_like_the_trails() {
    let later = |name, end: &str| {
        let key = Chain::new().digest_key(end.parse().unwrap());
        Case {
            args: vec![],
            ..after(name, 0, &["digest-planted"], move |built| {
                built.objects.insert(key, (gzip(b"{}"), BTreeMap::new()));
            })
        }
    };
    let plant = |name, id: &'static str, from: &'static str, to: &'static str| Case {
        args: vec![],
        ..after(name, 0, &[id], move |built| {
            let key = built.digests[5].replace(from, to);
            assert_ne!(key, built.digests[5]);
            built.objects.insert(key, (gzip(b"{}"), BTreeMap::new()));
        })
    };
    check(vec![
        plant("another account's name", "name-unexpected", "/111122223333_", "/999922223333_"),
        plant("another Region's name", "name-unexpected", "Digest_us-east-1", "Digest_eu-west-1"),
        plant("another home Region", "digest-planted", "main_us-east-1", "main_eu-west-1"),
        plant("a trail whose name ends in ours", "digest-planted", "_main_", "_other_main_"),
        plant("a trail whose name begins with ours", "digest-planted", "_main_", "_main_us-east-1_"),
        plant("no trail", "name-unexpected", "_main_", "_"),
        plant("the folder of another day", "digest-planted", "/2026/01/02/", "/2026/01/05/"),
        later("years later, in step", "2029-01-02T23:01:31Z"),
        later("days later, in step", "2026-01-05T23:01:31Z"),
        plant("second 61", "name-unexpected", "T230131Z", "T230161Z"),
        plant("hour 25", "name-unexpected", "T230131Z", "T250131Z"),
        plant("29 February of no leap year", "name-unexpected", "20260102T", "20260229T"),
        plant("a folder below the day", "name-unexpected", "/01/02/", "/01/02/x/"),
        plant("no suffix", "name-unexpected", ".json.gz", ""),
        plant("a line break in the name", "name-unexpected", "_main_", "_ma\nin_"),
    ]);
}

/// It ends where the hours of the next one begin, and nothing points to it.
#[test]
fn an_altered_digest_before_one_that_begins_anew_is_no_planted_one() {
    let chain = Chain::with(|number, draft| {
        if number == 6 {
            draft.previous = None;
        }
    });
    let mut built = chain.build();
    let key = built.digests[5].clone();
    built.rewrite(&key, |content| String::from_utf8(content).unwrap().replace("lg0005", "lg0009").into_bytes());
    check(vec![case("altered", built, 1, &["chain-restart", "digest-altered", "log-uncovered"])]);
}

#[test]
fn an_altered_digest_is_no_planted_one_because_another_chain_covers_its_hours() {
    let org = Chain {
        root: "AWSLogs/o-exampleorgid/".into(),
        first_end: "2026-01-02T18:41:31Z".parse().unwrap(),
        hours: 10,
        ..Chain::new()
    };
    let mut built = Chain::new().build();
    org.build_into(&mut built);
    let newest = built.digests.last().unwrap().clone();
    built.rewrite(&newest, |content| String::from_utf8(content).unwrap().replace("lg0009", "lg0008").into_bytes());
    let answer = built.verify(&[]);
    assert!(ids(&answer.report).contains(&"digest-altered".to_owned()), "{:?}", ids(&answer.report));
    assert_eq!(answer.code, 1);
}

#[test]
fn an_unreadable_object_under_a_digests_name_excuses_no_log_in_hours_that_are_covered() {
    let run = |unreadable: &str, built: &Built| {
        let server = built.serve();
        server.store.fail(unreadable, crate::support::s3::Fault::Code("AccessDenied"), u32::MAX);
        let answer = server.run("verify", BUCKET, &PERIOD);
        (answer.code, ids(&answer.report), answer.report["logs"]["unlisted"].as_u64().unwrap())
    };
    let found = |ids: &[&str], unlisted| (3, ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), unlisted);
    let mut built = Chain::new().build();
    let genuine = built.digests[5].clone();
    let junk = genuine.replace("230131Z", "230831Z");
    built.objects.insert(junk.clone(), (gzip(b"{}"), BTreeMap::new()));
    built.add_log("2026-01-02T22:30:00Z", "ForgedForgedForg", b"{\"Records\":[]}");
    assert_eq!(run(&junk, &built), found(&["digest-unreadable", "log-unlisted"], 1));
    // Of a digest that is to be there, whether it lists its hour's logs is not known.
    built.remove(&junk);
    assert_eq!(run(&genuine, &built), found(&["digest-unreadable"], 0));
}

#[test]
fn content_that_a_signed_successor_speaks_against_is_altered_though_it_cannot_be_checked_itself() {
    let exchange_key = |content: Vec<u8>| {
        let content = String::from_utf8(content).unwrap();
        content.replace(&KEY.fingerprint(), &OTHER_KEY.fingerprint()).into_bytes()
    };
    let with_backfill = || {
        let mut built = Chain::new().build();
        let backfill = Chain { backfill: true, hours: 2, trail: "other".into(), ..Chain::new() }.build();
        let first = backfill.digests[0].clone();
        built.objects.extend(backfill.objects);
        (built, first)
    };
    let (mut undated, first) = with_backfill();
    undated.rewrite(&first, exchange_key);
    undated.metadata(&first).remove("backfill-generation-timestamp");
    let (mut last_undated, first) = with_backfill();
    let last = first.replace("180131Z", "190131Z");
    last_undated.rewrite(&last, exchange_key);
    last_undated.metadata(&last).remove("backfill-generation-timestamp");
    check(vec![
        after("the key that it names is not at hand", 1, &["key-unavailable", "link-hash-differs"], |built| {
            let fifth = built.digests[5].clone();
            built.rewrite(&fifth, exchange_key);
        }),
        case(
            "a backfill without the time of its making",
            undated,
            1,
            &["backfill-undated", "link-hash-differs", "log-unlisted"],
        ),
        // Nothing speaks against the newest.
        case("the newest backfill without it", last_undated, 3, &["backfill-undated", "log-unlisted"]),
    ]);
}
