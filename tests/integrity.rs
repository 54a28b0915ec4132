//! Every rule of verification has a case, named by the defect, with the exact findings it must give.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};
use support::chain::{BUCKET, Built, Chain, KEY, OTHER_KEY, gzip, listed};
use support::{ids, worst};

/// The period that the chain covers.
const PERIOD: [&str; 4] = ["--from", "2026-01-02T16:01:31Z", "--to", "2026-01-03T06:31:31Z"];

struct Case {
    name: &'static str,
    built: Built,
    args: Vec<&'static str>,
    code: i32,
    findings: Vec<&'static str>,
}

fn case(name: &'static str, built: Built, code: i32, findings: &[&'static str]) -> Case {
    Case { name, built, args: PERIOD.to_vec(), code, findings: findings.to_vec() }
}

/// The plain chain, changed after it was signed.
fn after(name: &'static str, code: i32, findings: &[&'static str], change: impl FnOnce(&mut Built)) -> Case {
    let mut built = Chain::new().build();
    change(&mut built);
    case(name, built, code, findings)
}

/// The plain chain with one digest changed before it was signed.
fn before(
    name: &'static str,
    code: i32,
    findings: &[&'static str],
    change: impl Fn(&mut support::chain::Draft) + 'static,
) -> Case {
    let chain = Chain::with(move |number, draft| {
        if number == 5 {
            change(draft);
        }
    });
    case(name, chain.build(), code, findings)
}

fn check(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for case in cases {
        let answer = case.built.verify(&case.args);
        let found = ids(&answer.report);
        if answer.code != case.code || found != case.findings {
            let said: Vec<&Value> =
                answer.report["findings"].as_array().into_iter().flatten().map(|f| &f["sentence"]).collect();
            wrong.push(format!(
                "{}: exit {} {found:?} (worst {}) {said:?} {}",
                case.name,
                answer.code,
                worst(&answer.report),
                answer.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn logs() {
    let log = |built: &Built| built.logs[5][0].clone();
    let other = |built: &Built| built.logs[3][1].clone();
    check(vec![
        after("nothing wrong", 0, &[], |_| {}),
        after("content changed", 1, &["log-altered"], |built| {
            let key = log(built);
            built.rewrite(&key, |content| String::from_utf8(content).unwrap().replace("main-5", "main-6").into_bytes());
        }),
        after("two logs exchanged", 1, &["log-altered"], |built| built.exchange(&log(built), &other(built))),
        after("an older log over a newer one", 1, &["log-altered"], |built| {
            let older = built.objects[&other(built)].clone();
            built.objects.insert(log(built), older);
        }),
        after("emptied", 1, &["log-altered"], |built| {
            let key = log(built);
            built.body(&key).clear();
        }),
        after("emptied of records", 1, &["log-altered"], |built| {
            let key = log(built);
            built.rewrite(&key, |_| b"{\"Records\":[]}".to_vec());
        }),
        after("deleted", 1, &["log-missing"], |built| built.remove(&log(built))),
        after("cut short", 1, &["log-altered"], |built| {
            let key = log(built);
            let body = built.body(&key);
            body.truncate(body.len() / 2);
        }),
        after("recompressed", 0, &[], |built| {
            let key = log(built);
            let content = support::chain::gunzip(built.body(&key));
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
            std::io::Write::write_all(&mut encoder, &content).unwrap();
            *built.body(&key) = encoder.finish().unwrap();
        }),
        after("second member with data", 1, &["log-trailing-data"], |built| {
            let key = log(built);
            built.body(&key).extend(gzip(b"{\"Records\":[{}]}"));
        }),
        after("garbage after the member", 1, &["log-trailing-data"], |built| {
            let key = log(built);
            built.body(&key).extend(b"garbage");
        }),
        after("a member hidden before a copied trailer", 1, &["log-trailing-data"], |built| {
            let key = log(built);
            let body = built.body(&key);
            let trailer = body[body.len() - 8..].to_vec();
            body.extend(gzip(b"{\"Records\":[{}]}"));
            body.extend(trailer);
        }),
        after("padded with NUL", 0, &["container-damaged"], |built| {
            let key = log(built);
            built.body(&key).extend([0; 512]);
        }),
        after("empty member in front", 0, &["container-damaged"], |built| {
            let key = log(built);
            let body = built.body(&key);
            *body = [gzip(b""), body.clone()].concat();
        }),
        after("empty member behind", 0, &["container-damaged"], |built| {
            let key = log(built);
            built.body(&key).extend(gzip(b""));
        }),
        after("split over members", 0, &["container-damaged"], |built| {
            let key = log(built);
            let content = support::chain::gunzip(built.body(&key));
            let (a, b) = content.split_at(9);
            *built.body(&key) = [gzip(a), gzip(b)].concat();
        }),
        after("no trailer", 0, &["container-damaged"], |built| {
            let key = log(built);
            let body = built.body(&key);
            body.truncate(body.len() - 8);
        }),
        after("wrong trailer", 0, &["container-damaged"], |built| {
            let key = log(built);
            let body = built.body(&key);
            let at = body.len() - 7;
            body[at] ^= 1;
        }),
        after("data in the header", 0, &["container-damaged"], |built| {
            let key = log(built);
            let body = built.body(&key);
            body[3] |= 4;
            let rest = body.split_off(10);
            body.extend([3, 0, b'a', b'b', b'c']);
            body.extend(rest);
        }),
        after("stored inflated", 0, &["container-damaged"], |built| {
            let key = log(built);
            *built.body(&key) = support::chain::gunzip(built.body(&key));
        }),
        after("injected in a covered hour", 3, &["log-unlisted"], |built| {
            let key = Chain::new().log_key("2026-01-02T20:15:00Z".parse().unwrap(), "ForgedForgedForg");
            built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
        }),
        after("newer than the newest digest", 0, &[], |built| {
            let key = Chain::new().log_key("2026-01-03T06:10:00Z".parse().unwrap(), "PendingPendingPe");
            built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
        }),
        after("kinds that no digest names", 3, &["kind-never-covered"], |built| {
            for kind in ["CloudTrail-Insight", "CloudTrail-NetworkActivity"] {
                for minute in ["2026-01-02T20:15:00Z", "2026-01-02T21:15:00Z"] {
                    let key = Chain::new().log_key(minute.parse().unwrap(), "InsightInsightIn");
                    let key =
                        key.replace("/CloudTrail/", &format!("/{kind}/")).replace("_CloudTrail_", &format!("_{kind}_"));
                    built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
                }
            }
        }),
    ]);
}

#[test]
fn a_bomb_is_told_and_memory_is_kept() {
    let mut built = Chain::new().build();
    let key = built.logs[5][0].clone();
    *built.body(&key) = gzip(&vec![b' '; 300 << 20]);
    let answer = built.verify(&["--max-memory", "128MiB"]);
    assert_eq!((answer.code, ids(&answer.report)), (1, vec!["log-altered".to_owned()]), "{}", answer.stderr);
}

#[test]
fn logs_before_the_first_digest_are_uncovered() {
    let mut built = Chain::new().build();
    let key = Chain::new().log_key("2026-01-02T12:00:00Z".parse().unwrap(), "EarlierEarlierEa");
    built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
    let answer = built.verify(&[]);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["log-uncovered".to_owned()]));
    // They also show that the uncovered start of a period is no mere matter of when digests arrive.
    let answer = built.verify(&PERIOD);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["period-not-covered".to_owned()]));
}

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
            *built.body(&key) = support::chain::gunzip(built.body(&key));
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
        plant("junk after the newest", "digest-planted", "20260102T230131Z", "20260103T060831Z"),
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
        after("a log under a name CloudTrail would not give", 0, &["name-unexpected"], |built| {
            let key = built.logs[5][0].replace(".json.gz", ".json");
            built.objects.insert(key, (gzip(b"{}"), BTreeMap::new()));
        }),
    ]);
}

#[test]
fn digests_that_cloudtrail_would_not_sign() {
    let field = |name: &'static str, id: &'static str, field: &'static str, value: Value| {
        before(
            name,
            1,
            if id == "digest-malformed" {
                &["digest-malformed", "log-uncovered"]
            } else {
                &["digest-algorithm", "log-uncovered"]
            },
            move |draft| {
                draft.fields.insert(field.into(), value.clone());
            },
        )
    };
    let text = |name, change: fn(String) -> Vec<u8>| {
        before(name, 1, &["digest-malformed", "log-uncovered"], move |draft| draft.text = Some(Box::new(change)))
    };
    let mut cases = vec![
        before("foreign key under the true fingerprint", 1, &["digest-altered", "log-uncovered"], |draft| {
            draft.sign = Box::new(|text| OTHER_KEY.sign(text));
        }),
        before("foreign key under its own fingerprint", 1, &["digest-unknown-key", "log-uncovered"], |draft| {
            draft.fields.insert("digestPublicKeyFingerprint".into(), OTHER_KEY.fingerprint().into());
            draft.sign = Box::new(|text| OTHER_KEY.sign(text));
        }),
        before("signed with SHA-512", 1, &["digest-altered", "log-uncovered"], |draft| {
            draft.sign = Box::new(|text| KEY.sign_sha512(text));
        }),
        field("algorithm in the body", "digest-algorithm", "digestSignatureAlgorithm", "SHA1withRSA".into()),
        field("hash algorithm", "digest-malformed", "previousDigestHashAlgorithm", "MD5".into()),
        field("no list of logs", "digest-malformed", "logFiles", Value::Null),
        field("a number for an account", "digest-malformed", "awsAccountId", 7.into()),
        field("start after end", "digest-malformed", "digestStartTime", "2026-01-03T23:01:31Z".into()),
        field("no time", "digest-malformed", "digestStartTime", "soon".into()),
        field("short hash", "digest-malformed", "previousDigestHashValue", "ab".into()),
        text("byte order mark", |text| [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat()),
        text("a key twice", |text| text.replacen('{', "{\"logFiles\":[],", 1).into_bytes()),
        text("a key twice further in", |text| {
            text.replacen("{\"hashAlgorithm\"", "{\"s3Object\":\"x\",\"hashAlgorithm\"", 1).into_bytes()
        }),
        text("two documents", |text| (text + "{}").into_bytes()),
        before("unknown fields", 0, &[], |draft| {
            draft.fields.insert("new".into(), json!({"a": [1, 2]}));
        }),
        before("awsAccountId of another account", 1, &["digest-foreign-account", "log-uncovered"], |draft| {
            draft.fields.insert("awsAccountId".into(), "999922223333".into());
        }),
        before("names itself", 1, &["digest-malformed", "log-uncovered"], |draft| {
            let key = draft.key.clone();
            draft.previous.as_mut().unwrap().key = key;
        }),
        before("predecessor's hash", 1, &["link-hash-differs"], |draft| {
            draft.previous.as_mut().unwrap().hash = "ab".repeat(32);
        }),
        before("predecessor's signature", 1, &["link-signature-differs"], |draft| {
            draft.previous.as_mut().unwrap().signature = "ab".repeat(256);
        }),
        before("a log of another account", 1, &["entry-out-of-scope", "log-uncovered"], |draft| {
            draft.logs[0].0 = draft.logs[0].0.replace("111122223333", "999922223333");
        }),
        before("a log of another Region", 1, &["entry-out-of-scope", "log-uncovered"], |draft| {
            draft.logs[0].0 = draft.logs[0].0.replace("us-east-1", "eu-west-1");
        }),
        before("an entry that is a digest", 1, &["entry-not-a-log"], |draft| {
            let previous = draft.previous.clone().unwrap().key;
            let entry = json!([{"s3Bucket": BUCKET, "s3Object": previous, "hashValue": "ab".repeat(32), "hashAlgorithm": "SHA-256"}]);
            draft.fields.insert("logFiles".into(), entry);
            draft.logs.clear();
        }),
        before("a log in another bucket", 1, &["entry-out-of-scope"], |draft| {
            let (key, content) = draft.logs.remove(0);
            let hash = trailproof::sha256::Sha256::of(&content).to_string();
            let entry =
                json!([{"s3Bucket": "elsewhere", "s3Object": key, "hashValue": hash, "hashAlgorithm": "SHA-256"}]);
            draft.fields.insert("logFiles".into(), entry);
            draft.logs.clear();
        }),
        before("the same log twice", 0, &["log-listed-twice"], |draft| {
            let again = draft.logs[0].clone();
            draft.logs.push(again);
        }),
        before("starts anew", 3, &["chain-restart"], |draft| draft.previous = None),
        before("equal ends", 0, &["end-unlike-name", "windows-overlap"], |draft| draft.end = draft.start),
        before("end unlike its name", 0, &["end-unlike-name"], |draft| {
            draft.end -= SignedDuration::from_mins(20);
        }),
        before("reaches back over others", 1, &["window-reaches-back", "windows-overlap"], |draft| {
            draft.start -= SignedDuration::from_hours(3);
        }),
        before("overlaps a little", 0, &["windows-overlap"], |draft| {
            draft.start -= SignedDuration::from_mins(20);
        }),
        before("an hour missing before it", 3, &["chain-gap"], |draft| {
            draft.start += SignedDuration::from_mins(30);
        }),
    ];
    for nulls in [
        "previousDigestS3Bucket",
        "previousDigestS3Object",
        "previousDigestHashValue",
        "previousDigestHashAlgorithm",
        "previousDigestSignature",
    ] {
        cases.push(before("half a predecessor", 1, &["digest-malformed", "log-uncovered"], move |draft| {
            draft.fields.insert(nulls.into(), Value::Null);
        }));
    }
    check(cases);
}

#[test]
fn a_pointer_past_a_digest_is_told() {
    let skipped = std::rc::Rc::new(std::cell::RefCell::new(None));
    let chain = Chain::with(move |number, draft| {
        if number == 5 {
            *skipped.borrow_mut() = draft.previous.clone();
        }
        if number == 6 {
            draft.previous = skipped.borrow().clone();
        }
    });
    check(vec![case("skips one", chain.build(), 1, &["link-skips-digest"])]);
}

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
fn keys() {
    let with_keys = |name, code, findings: &[&'static str], keys: Vec<Value>| {
        let mut built = Chain::new().build();
        built.public_keys = keys;
        case(name, built, code, findings)
    };
    let with_field = |field: &str, value: Value| {
        let mut key = KEY.listed();
        key[field] = value;
        key
    };
    let spki = Chain::with(|_, draft| {
        let fingerprint = listed(&KEY.spki)["Fingerprint"].clone();
        draft.fields.insert("digestPublicKeyFingerprint".into(), fingerprint);
    });
    let mut as_spki = spki.build();
    as_spki.public_keys = vec![listed(&KEY.spki)];
    let mut wrong_fingerprint = KEY.listed();
    wrong_fingerprint["Value"] = OTHER_KEY.listed()["Value"].clone();
    let mut past = KEY.listed();
    past["ValidityStartTime"] = "2020-01-01T00:00:00Z".into();
    past["ValidityEndTime"] = "2020-02-01T00:00:00Z".into();
    check(vec![
        case("SubjectPublicKeyInfo", as_spki, 0, &[]),
        with_keys("no key", 3, &["key-unavailable"], vec![]),
        with_keys("only other keys, perhaps of another Region", 3, &["key-unavailable"], vec![OTHER_KEY.listed()]),
        with_keys(
            "a key that does not fit its fingerprint",
            3,
            &["key-file-corrupt", "key-unavailable"],
            vec![wrong_fingerprint],
        ),
        with_keys(
            "a key of another Region",
            1,
            &["digest-foreign-key", "log-uncovered"],
            vec![with_field("Region", "eu-west-1".into())],
        ),
        with_keys("a key not in use then", 3, &["key-out-of-validity"], vec![past]),
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
fn periods_scopes_and_moves() {
    let with_args = |name, args: &[&'static str], code, findings: &[&'static str]| Case {
        args: args.to_vec(),
        ..case(name, Chain::new().build(), code, findings)
    };
    let moved = Chain { bucket: "where-it-was".into(), root: "old/AWSLogs/".into(), ..Chain::new() }.build();
    let mut copied = Built { public_keys: moved.public_keys.clone(), ..Built::default() };
    for (key, object) in &moved.objects {
        copied.objects.insert(key.replace("old/", ""), object.clone());
    }
    let mut unmapped = Built { public_keys: moved.public_keys, ..Built::default() };
    unmapped.objects.clone_from(&copied.objects);
    check(vec![
        with_args("no period", &[], 0, &[]),
        with_args("outside the archive", &["--from", "2026-02-01", "--to", "2026-02-02"], 3, &["nothing-to-verify"]),
        with_args(
            "ends long after the newest digest",
            &["--from", "2026-01-02T16:01:31Z", "--to", "2026-01-03T12:00:00Z"],
            3,
            &["period-not-covered"],
        ),
        with_args(
            "starts long before the first",
            &["--from", "2026-01-02T10:00:00Z", "--to", "2026-01-03T06:31:31Z"],
            3,
            &["period-not-covered"],
        ),
        with_args("a part of it", &["--from", "2026-01-02T20:00:00Z", "--to", "2026-01-03T01:00:00Z"], 0, &[]),
        with_args("a stale head", &["--max-age", "3h"], 3, &["head-stale"]),
        with_args("another account", &["--account", "999922223333"], 3, &["nothing-to-verify"]),
        with_args("this trail", &["--trail", "main"], 0, &[]),
        Case { args: vec!["--moved-from", "s3://where-it-was/old"], ..case("moved, and said so", copied, 0, &[]) },
        Case { args: vec![], ..case("moved, and not said", unmapped, 1, &["digest-moved", "log-uncovered"]) },
    ]);
}
