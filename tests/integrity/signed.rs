//! Digests whose signature holds over something that CloudTrail would not have written.

use super::*;

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
        before("foreign key under its own fingerprint", 3, &["key-unavailable"], |draft| {
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
            let hash = trailproof_proof::sha256::Sha256::of(&content).to_string();
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

const MALFORMED: [&str; 2] = ["digest-malformed", "log-uncovered"];

#[test]
fn required_fields_missing_or_null() {
    let mut cases = Vec::new();
    for field in [
        "awsAccountId",
        "digestStartTime",
        "digestEndTime",
        "digestS3Bucket",
        "digestS3Object",
        "digestPublicKeyFingerprint",
        "digestSignatureAlgorithm",
        "logFiles",
        "previousDigestS3Bucket",
        "previousDigestS3Object",
        "previousDigestHashValue",
        "previousDigestHashAlgorithm",
        "previousDigestSignature",
    ] {
        cases.push(before(field, 1, &MALFORMED, move |draft| {
            draft.text = Some(Box::new(move |text| text.replacen(&format!("\"{field}\":"), "\"x\":", 1).into_bytes()));
        }));
        cases.push(before(field, 1, &MALFORMED, move |draft| {
            draft.fields.insert(field.into(), Value::Null);
        }));
        cases.push(before(field, 1, &MALFORMED, move |draft| {
            draft.fields.insert(field.into(), 12.into());
        }));
    }
    check(cases);
}

#[test]
fn entries_that_are_none() {
    let entries = |name, value: Value| {
        before(name, 1, &MALFORMED, move |draft| {
            draft.fields.insert("logFiles".into(), value.clone());
        })
    };
    let entry = |field: &str, value: Value| {
        let key = Chain::new().log_key("2026-01-02T22:49:00Z".parse().unwrap(), "lg00050000AbCdEf");
        let mut entry =
            json!({"s3Bucket": BUCKET, "s3Object": key, "hashValue": "ab".repeat(32), "hashAlgorithm": "SHA-256"});
        entry[field] = value;
        json!([entry])
    };
    check(vec![
        entries("an object", json!({})),
        entries("a text", json!("none")),
        entries("a list of texts", json!(["log"])),
        entries("a list of lists", json!([[]])),
        entries("a list of nothing", json!([null])),
        entries("an empty entry", json!([{}])),
        entries("no hash", entry("hashValue", Value::Null)),
        entries("an empty hash", entry("hashValue", json!(""))),
        entries("a short hash", entry("hashValue", json!("ab"))),
        entries("a long hash", entry("hashValue", json!("ab".repeat(33)))),
        entries("a hash that is not hex", entry("hashValue", json!("zz".repeat(32)))),
        entries("a number for a hash", entry("hashValue", json!(7))),
        entries("another algorithm", entry("hashAlgorithm", json!("MD5"))),
        entries("the algorithm in small letters", entry("hashAlgorithm", json!("sha-256"))),
        entries("no algorithm", entry("hashAlgorithm", Value::Null)),
        entries("no bucket", entry("s3Bucket", Value::Null)),
        entries("no key", entry("s3Object", Value::Null)),
        entries("a number for a time", entry("newestEventTime", json!(7))),
    ]);
}

#[test]
fn documents_that_two_readers_could_understand_differently() {
    let text = |name, change: fn(String) -> Vec<u8>| {
        before(name, 1, &MALFORMED, move |draft| draft.text = Some(Box::new(change)))
    };
    let fine =
        |name, change: fn(String) -> Vec<u8>| before(name, 0, &[], move |draft| draft.text = Some(Box::new(change)));
    fn with(text: &str, field: &str) -> Vec<u8> {
        text.replacen('{', &format!("{{{field},"), 1).into_bytes()
    }
    check(vec![
        text("the same value twice", |text| with(&text, r#""awsAccountId":"111122223333""#)),
        text("twice, once with an escape", |text| with(&text, r#""logFi\u006ces":[]"#)),
        text("twice in an unknown object", |text| with(&text, r#""new":{"a":1,"a":2}"#)),
        text("twice in an unknown object in a list", |text| with(&text, r#""new":[[{"a":1,"b":{},"a":2}]]"#)),
        text("NaN", |text| with(&text, r#""new":NaN"#)),
        text("a comment", |text| format!("/* */{text}").into_bytes()),
        text("a comma too many", |text| text.replacen(']', ",]", 1).into_bytes()),
        text("single quotes", |text| text.replace('"', "'").into_bytes()),
        text("a control character in a text", |text| with(&text, "\"new\":\"\u{1}\"")),
        text("half a surrogate pair", |text| with(&text, r#""new":"\ud800""#)),
        text("a byte that is not UTF-8", |text| {
            let mut bytes = with(&text, r#""new":"?""#);
            let at = bytes.iter().position(|&b| b == b'?').unwrap();
            bytes[at] = 0xff;
            bytes
        }),
        text("a NUL behind", |text| (text + "\0").into_bytes()),
        text("a minus too many, beside a number beyond every exponent", |text| with(&text, r#""new":[1e999,--1]"#)),
        text("a zero in front, beside a number beyond every exponent", |text| with(&text, r#""new":[1e999,01]"#)),
        text("33 levels", |text| with(&text, &format!("\"new\":{}{}", "[".repeat(33), "]".repeat(33)))),
        text("in a list", |text| format!("[{text}]").into_bytes()),
        fine("31 levels", |text| with(&text, &format!("\"new\":{}{}", "[".repeat(31), "]".repeat(31)))),
        fine("33 brackets in a text", |text| with(&text, &format!("\"new\":\"\\\"{}\"", "[".repeat(33)))),
        fine("a new line behind", |text| (text + "\n").into_bytes()),
        fine("blanks", |text| text.replace(',', " ,\r\n\t ").into_bytes()),
        fine("another order of fields", |text| {
            let fields: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
            let turned: Vec<String> =
                fields.iter().rev().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
            format!("{{{}}}", turned.join(",")).into_bytes()
        }),
        fine("escapes that mean the same", |text| text.replace('/', "\\/").replace("main", "m\\u0061in").into_bytes()),
        fine("a huge number in an unknown field", |text| with(&text, &format!("\"new\":1{}", "0".repeat(400)))),
        fine("a number beyond every exponent in an unknown field", |text| with(&text, r#""new":[1e999,-1e-999]"#)),
        fine("every type in an unknown field", |text| {
            with(&text, r#""new":{"a":[true,false,null,-0.5,"é\n"],"b":{"a":1}}"#)
        }),
    ]);
}

#[test]
fn spellings_that_mean_the_same() {
    let upper = |name, field: &'static str| {
        before(name, 0, &["hex-upper-case"], move |draft| {
            let previous = draft.previous.clone().unwrap();
            let value = match field {
                "previousDigestHashValue" => previous.hash,
                "previousDigestSignature" => previous.signature,
                _ => KEY.fingerprint(),
            };
            draft.fields.insert(field.into(), value.to_uppercase().into());
        })
    };
    let time = |name, field: &'static str, value: &'static str| {
        before(name, 0, &[], move |draft| {
            draft.fields.insert(field.into(), value.into());
        })
    };
    check(vec![
        upper("the predecessor's hash in upper case", "previousDigestHashValue"),
        upper("the predecessor's signature in upper case", "previousDigestSignature"),
        upper("the fingerprint in upper case", "digestPublicKeyFingerprint"),
        time("a start with an offset", "digestStartTime", "2026-01-02T23:01:31+01:00"),
        time("an end with an offset", "digestEndTime", "2026-01-02T15:01:31-08:00"),
        time("an end with a fraction", "digestEndTime", "2026-01-02T23:01:31.000Z"),
    ]);
}

#[test]
fn entries_outside_the_digests_own_place() {
    let entry = |name, findings: &[&'static str], key: fn(&str) -> String| {
        before(name, 1, findings, move |draft| {
            let key = key(&draft.logs[0].0);
            let entry = json!([{"s3Bucket": BUCKET, "s3Object": key, "hashValue": "ab".repeat(32), "hashAlgorithm": "SHA-256"}]);
            draft.fields.insert("logFiles".into(), entry);
            draft.logs.clear();
        })
    };
    check(vec![
        entry("another organization", &["entry-out-of-scope"], |key| {
            key.replace("AWSLogs/", "AWSLogs/o-exampleorgid/")
        }),
        entry("no CloudTrail folder", &["entry-not-a-log"], |_| "readme.txt".into()),
        entry("dots that lead elsewhere", &["entry-not-a-log"], |_| "AWSLogs/../../etc/passwd".into()),
        entry("a folder", &["entry-not-a-log"], |_| "AWSLogs/111122223333/CloudTrail/us-east-1/".into()),
        entry("another service", &["entry-not-a-log"], |key| key.replace("/CloudTrail/", "/Config/")),
        entry("an object in the folder of digests", &["entry-not-a-log"], |_| {
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/01/02/x.json.gz".into()
        }),
    ]);
}

#[test]
fn a_log_under_an_odd_name_counts_when_a_digest_lists_it() {
    let odd = |draft: &mut crate::support::chain::Draft| {
        draft.logs[0].0 = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02/\u{e9} &+ %20.json.gz".into();
    };
    let mut deleted = before("deleted", 1, &["log-missing"], odd);
    deleted.built.remove("AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02/\u{e9} &+ %20.json.gz");
    check(vec![before("there", 0, &[], odd), deleted]);
}

#[test]
fn one_log_under_two_hashes_is_told() {
    let chain = Chain::with(|number, draft| {
        if number == 6 {
            let key = Chain::new().log_key(draft.end - SignedDuration::from_mins(72), "lg00050000AbCdEf");
            let entry = json!([{"s3Bucket": BUCKET, "s3Object": key, "hashValue": "ab".repeat(32), "hashAlgorithm": "SHA-256"}]);
            draft.fields.insert("logFiles".into(), entry);
            draft.logs.clear();
        }
    });
    check(vec![case("two hashes", chain.build(), 1, &["log-altered", "log-listed-twice"])]);
}

#[test]
fn pointers_that_lead_elsewhere() {
    let other = || {
        let mut built = Chain::new().build();
        Chain { trail: "other".into(), ..Chain::new() }.build_into(&mut built);
        built
    };
    let digest = |built: &Built, number: usize| {
        let key = built.digests[number].clone();
        let (body, metadata) = &built.objects[&key];
        let hash = trailproof_proof::sha256::Sha256::of(&crate::support::chain::gunzip(body)).to_string();
        crate::support::chain::Signed { bucket: BUCKET.into(), key, hash, signature: metadata["signature"].clone() }
    };
    // The fourth digest of the other trail is as genuine as the one it stands for.
    let genuine = digest(&other(), 16);
    let chain = Chain::with(move |number, draft| {
        if number == 5 {
            draft.previous = Some(genuine.clone());
        }
    });
    let mut built = chain.build();
    Chain { trail: "other".into(), ..Chain::new() }.build_into(&mut built);
    let later = Chain::with(|number, draft| {
        if number == 5 {
            draft.previous.as_mut().unwrap().key = Chain::new().digest_key(draft.end + SignedDuration::from_hours(2));
        }
    });
    check(vec![
        case("another trail's digest", built, 1, &["link-skips-digest"]),
        case("a later digest", later.build(), 1, &["link-hash-differs", "link-signature-differs", "link-skips-digest"]),
        before("no digest at all", 1, &["digest-missing"], |draft| {
            draft.previous.as_mut().unwrap().key = "readme.txt".into();
        }),
        before("another bucket", 1, &["link-skips-digest"], |draft| {
            draft.previous.as_mut().unwrap().bucket = "elsewhere".into();
        }),
    ]);
}
