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
