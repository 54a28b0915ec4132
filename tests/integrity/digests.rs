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
