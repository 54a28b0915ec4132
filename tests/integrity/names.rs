//! Objects under odd names, trails under odd prefixes, and links: whatever lies in a folder of logs is looked at or told of.

use super::*;

const LOGS: &str = "AWSLogs/111122223333/CloudTrail/";

/// Records that nobody delivered.
fn forged() -> (Vec<u8>, BTreeMap<String, String>) {
    (gzip(b"{\"Records\":[{\"eventID\":\"forged\"}]}"), BTreeMap::new())
}

/// The plain chain with this beside it.
fn beside(key: &str, body: &[u8]) -> Built {
    let mut built = Chain::new().build();
    built.objects.insert(key.to_owned(), (body.to_vec(), BTreeMap::new()));
    built
}

#[test]
fn whatever_has_content_among_logs_is_told_whatever_its_name() {
    for name in [
        "evil.json.gz",
        "us-east-1/evil.json.gz",
        "us-east-1/2026/evil.json",
        "us-east-1/2026/01/02/zz.json.gz",
        "us-east-1/2026/01/02/deeper/still/zz",
        "us-east-1/2026/13/45/zz.json.gz",
        "us-east-1/+999/01/02/zz.json.gz",
        "US-EAST-1/2026/01/02/111122223333_CloudTrail_US-EAST-1_20260102T2015Z_ForgedForgedForg.json.gz",
        "nowhere/2026/01/02/zz.json.gz",
        "_temporary/0/part-00000.json.gz",
        "AWSLogs/zz.json.gz",
        "AWSLogs/111122223333/Config/zz.json.gz",
    ] {
        let built = beside(&format!("{LOGS}{name}"), &forged().0);
        check(vec![case("in a directory", built, 3, &["object-unlisted"])]);
        let built = beside(&format!("{LOGS}{name}"), &forged().0);
        let answer = built.serve().run("verify", BUCKET, &PERIOD);
        assert_eq!((answer.code, ids(&answer.report)), (3, vec!["object-unlisted".to_owned()]), "{name} in S3");
        let counts = (&answer.report["logs"]["unlisted"], &answer.report["logs"]["verified"]);
        assert_eq!(counts, (&json!(1), &json!(24)), "{name} is read once and counted");
    }
}

#[test]
fn keys_that_end_in_a_slash_are_folders_only_without_content() {
    for (name, body, code, findings) in [
        ("us-east-1/2026/01/02/evil/", forged().0, 3, vec!["object-unlisted".to_owned()]),
        ("", forged().0, 3, vec!["object-unlisted".to_owned()]),
        ("us-east-1/2026/01/02/", Vec::new(), 0, vec![]),
        ("", Vec::new(), 0, vec![]),
    ] {
        let answer = beside(&format!("{LOGS}{name}"), &body).serve().run("verify", BUCKET, &PERIOD);
        assert_eq!((answer.code, ids(&answer.report)), (code, findings), "{name}");
    }
}

#[test]
fn what_readers_leave_out_or_find_empty_is_a_warning() {
    let at = |name: &'static str, code, findings: &[&'static str], body: &[u8]| {
        case(name, beside(&format!("{LOGS}{name}"), body), code, findings)
    };
    check(vec![
        at("us-east-1/.DS_Store", 0, &["name-unexpected"], b"x"),
        at("us-east-1/2026/01/02/_temporary", 0, &["name-unexpected"], b"x"),
        at("us-east-1/2026/01/02/empty", 0, &["name-unexpected"], b""),
        at("us-east-1/2026/01/02/plain.json", 3, &["object-unlisted"], b"{\"Records\":[]}"),
        at("us-east-1/2026/01/02/noise", 3, &["object-unlisted"], b"\x1f\x8b\x08noise"),
    ]);
    check(vec![case("beside a folder of logs", beside("AWSLogs/111122223333/notes.txt", b"x"), 0, &[])]);
    check(vec![case(
        "a kind unheard of",
        beside("AWSLogs/111122223333/CloudTrail-X/x", b"x"),
        3,
        &["object-unlisted"],
    )]);
}

#[test]
fn odd_names_are_told_where_their_folder_was_asked_for() {
    let inner = Chain { root: format!("{LOGS}AWSLogs/"), account: "999922223333".into(), ..Chain::new() };
    let inner = inner.log_key("2026-01-02T20:15:00Z".parse().unwrap(), "ForgedForgedForg");
    for (key, more, code) in [
        (format!("{LOGS}evil"), vec!["--account", "111122223333", "--region", "us-east-1"], 3),
        (format!("{LOGS}evil"), vec!["--kind", "CloudTrail"], 3),
        (format!("{LOGS}US-EAST-1/evil"), vec!["--region", "us-east-1"], 3),
        (format!("{LOGS}EU-WEST-1/evil"), vec!["--region", "us-east-1"], 0),
        (format!("{LOGS}us-east-1/2026/01/02/evil"), vec![], 3),
        (format!("{LOGS}us-east-1/2025/01/02/evil"), vec![], 0),
        (inner, vec!["--account", "111122223333"], 3),
    ] {
        let answer = beside(&key, &forged().0).verify(&[&PERIOD[..], &more].concat());
        let findings = if code == 0 { vec![] } else { vec!["object-unlisted".to_owned()] };
        assert_eq!((answer.code, ids(&answer.report)), (code, findings), "{key} {more:?}");
    }
}

#[test]
fn no_folder_inside_a_folder_of_logs_hides_what_was_not_asked_for() {
    let inner = format!("{LOGS}us-east-1/2026/01/02/AWSLogs/");
    let log = |root: &str, account: &str, region: &str, minute: &str| {
        let chain =
            Chain { root: format!("{inner}{root}"), account: account.into(), region: region.into(), ..Chain::new() };
        chain.log_key(minute.parse().unwrap(), "ForgedForgedForg")
    };
    let (here, then) = (support::chain::ACCOUNT, "2026-01-02T20:15:00Z");
    let insight = log("", here, "us-east-1", then);
    let insight = insight.replace(
        "111122223333/CloudTrail/us-east-1/2026/01/02/1",
        "111122223333/CloudTrail-Insight/us-east-1/2026/01/02/1",
    );
    let insight = insight.replace("_CloudTrail_", "_CloudTrail-Insight_");
    for (key, more) in [
        (log("", here, "us-east-1", "2025-01-02T20:15:00Z"), &[][..]),
        (log("", "999922223333", "us-east-1", then), &["--account", here]),
        (log("", here, "eu-west-1", then), &["--region", "us-east-1"]),
        (insight, &["--kind", "CloudTrail"]),
        (format!("{inner}{here}/CloudTrail-Digest/evil.json.gz"), &[]),
        (format!("{inner}{here}/CloudTrail-Digest/us-east-1/2026/01/02/evil.json.gz"), &[]),
        (format!("{inner}999922223333/CloudTrail-Digest/eu-west-1/2025/01/02/evil.json.gz"), &[]),
        (format!("{inner}{here}/CloudTrail/us-east-1/2025/01/02/evil.json.gz"), &[]),
    ] {
        let args = [&PERIOD[..], more].concat();
        check(vec![Case {
            args: args.clone(),
            ..case("in a directory", beside(&key, &forged().0), 3, &["object-unlisted"])
        }]);
        let answer = beside(&key, &forged().0).serve().run("verify", BUCKET, &args);
        assert_eq!((answer.code, ids(&answer.report)), (3, vec!["object-unlisted".to_owned()]), "{key} in S3");
    }
}

#[test]
fn records_under_the_name_of_a_digest_are_read_where_they_lie_among_logs() {
    let inner = Chain { root: format!("{LOGS}us-east-1/2026/01/02/AWSLogs/"), ..Chain::new() };
    for time in ["2026-01-02T20:30:00Z", "2025-01-02T20:30:00Z"] {
        let time: jiff::Timestamp = time.parse().unwrap();
        let key = inner.digest_key(time);
        let read = time.to_string().starts_with("2026");
        let expected: &[&str] =
            if read { &["chain-ended", "digest-planted", "object-unlisted"] } else { &["object-unlisted"] };
        check(vec![case("in a directory", beside(&key, &forged().0), 3, expected)]);
    }
}

#[test]
fn records_under_the_name_of_a_logs_metadata_are_told() {
    check(vec![after("beside a log", 3, &["object-unlisted"], |built| {
        let key = format!("{}.metadata.json", built.logs[5][0]);
        built.objects.insert(key, (b"{\"Records\":[{\"eventID\":\"forged\"}]}".to_vec(), BTreeMap::new()));
    })]);
}

#[test]
fn a_flood_of_odd_names_is_counted() {
    let mut built = Chain::new().build();
    for n in 0..10_003 {
        built.objects.insert(format!("{LOGS}{n:05}"), (b"{}".to_vec(), BTreeMap::new()));
    }
    let answer = built.serve().run("verify", BUCKET, &PERIOD);
    assert_eq!((answer.code, ids(&answer.report)), (3, ["cap-reached", "object-unlisted"].map(str::to_owned).to_vec()));
    let sentence = answer.report["findings"].as_array().unwrap().iter().find(|f| f["id"] == "cap-reached").unwrap();
    assert!(sentence["sentence"].as_str().unwrap().starts_with("3 more objects"), "{sentence}");
    assert_eq!(answer.report["scope_found"]["misnamed"]["objects"], 10_003);
}

#[test]
fn a_trail_whose_prefix_begins_as_cloudtrails_own_folders_do_is_found() {
    for prefix in [
        "AWSLogs/",
        "AWSLogs/audit/",
        "AWSLogs/111122223333/",
        "AWSLogs/111122223333/trail/",
        &format!("{LOGS}x/"),
        LOGS,
    ] {
        let mut built = Chain::new().build();
        let odd = Chain { root: format!("{prefix}AWSLogs/"), account: "444455556666".into(), ..Chain::new() };
        odd.build_into(&mut built);
        for more in [&PERIOD[..], &[]] {
            let answer = built.serve().run("verify", BUCKET, more);
            let logs = &answer.report["logs"]["verified"];
            assert_eq!((answer.code, ids(&answer.report), logs), (0, vec![], &json!(48)), "{prefix} {more:?}");
        }
        check(vec![case("in a directory", built, 0, &[])]);
    }
}

#[test]
fn copies_of_listed_logs_are_warnings_and_no_rows() {
    let copied = |name, code, findings: &[&'static str], to: fn(&str) -> String| {
        after(name, code, findings, move |built| {
            let key = built.logs[5][0].clone();
            let object = built.objects[&key].clone();
            built.objects.insert(to(&key), object);
        })
    };
    check(vec![
        copied("under another log's name", 0, &["log-copied"], |key| key.replace("lg0005", "lg9995")),
        copied("under a name of its own", 0, &["log-copied"], |key| key.replace(".json.gz", " copy.json.gz")),
        copied("beside the folders of Regions", 0, &["log-copied"], |_| format!("{LOGS}copy.json.gz")),
        copied("in another account's folder", 3, &["log-uncovered"], |key| {
            key.replace(support::chain::ACCOUNT, "444455556666")
        }),
        copied("without an extension in another account's folder", 3, &["object-unlisted"], |_| {
            "AWSLogs/444455556666/CloudTrail/copy".into()
        }),
        after("with bytes behind it", 3, &["container-damaged", "log-unlisted"], |built| {
            let key = built.logs[5][0].clone();
            let mut object = built.objects[&key].clone();
            object.0.extend(b"more");
            built.objects.insert(key.replace("lg0005", "lg9995"), object);
        }),
        after("unpacked beside the log", 0, &["log-copied"], |built| {
            let key = built.logs[5][0].clone();
            let content = support::chain::gunzip(built.body(&key));
            built.objects.insert(key.replace(".json.gz", ".json"), (content, BTreeMap::new()));
        }),
        after("another content beside the log", 3, &["object-unlisted"], |built| {
            let key = built.logs[5][0].replace(".json.gz", ".json");
            built.objects.insert(key, (b"{}".to_vec(), BTreeMap::new()));
        }),
    ]);
}

#[test]
fn an_unpacked_mirror_is_as_delivered() {
    let unpacked = |only_logs: bool| {
        let mut built = Chain::new().build();
        let packed: Vec<String> = built.objects.keys().cloned().collect();
        for key in packed.iter().filter(|key| !only_logs || !key.contains("Digest")) {
            let (body, metadata) = built.objects.remove(key).unwrap();
            let content = support::chain::gunzip(&body);
            built.objects.insert(key.replace(".json.gz", ".json"), (content, BTreeMap::new()));
            if !metadata.is_empty() {
                let metadata = serde_json::to_vec(&metadata).unwrap();
                built.objects.insert(format!("{key}.metadata.json"), (metadata, BTreeMap::new()));
            }
        }
        built
    };
    check(vec![case("logs", unpacked(true), 0, &["container-damaged"])]);
    check(vec![case("digests too", unpacked(false), 0, &["container-damaged"])]);
    let mut altered = unpacked(true);
    let key = altered.logs[5][0].replace(".json.gz", ".json");
    *altered.body(&key) = b"{\"Records\":[]}".to_vec();
    check(vec![case("one of them altered", altered, 1, &["container-damaged", "log-altered"])]);
    let mut gone = unpacked(true);
    gone.remove(&gone.logs[5][0].replace(".json.gz", ".json"));
    check(vec![case("one of them gone", gone, 1, &["container-damaged", "log-missing"])]);
    let answer = unpacked(true).serve().run("verify", BUCKET, &PERIOD);
    assert_eq!((answer.code, ids(&answer.report)), (1, ["log-copied", "log-missing"].map(str::to_owned).to_vec()));
}

#[test]
fn an_alias_of_an_access_point_does_not_tell_the_buckets_name() {
    const ALIAS: &str = "audit-abcdefghijklmnopqrstuvwxyz123456-s3alias";
    let mut built = Chain::new().build();
    built.buckets.extend(built.objects.keys().map(|key| (key.clone(), ALIAS.to_owned())));
    let run = |built: &Built| {
        let answer = built.serve().run("verify", ALIAS, &PERIOD);
        (answer.code, ids(&answer.report), answer.report["logs"]["verified"].as_u64().unwrap())
    };
    assert_eq!(run(&built), (0, vec![], 24));
    let key = built.logs[5][0].clone();
    built.rewrite(&key, |_| b"{}".to_vec());
    assert_eq!(run(&built), (1, vec!["log-altered".to_owned()], 23));
}

/// The plain chain in a directory, run at a path in it or above it.
fn at_path(root: &str, folder: &str, address: &str) -> (i32, Vec<String>, String) {
    let built = Chain { root: root.into(), ..Chain::new() }.build();
    let archive = support::Archive::new();
    for (key, (body, metadata)) in &built.objects {
        archive.put(&format!("{folder}{key}"), body, metadata);
    }
    archive.put_keys(&json!({ "PublicKeyList": built.public_keys }));
    let keys = archive.path("keys.json").display().to_string();
    let address = archive.bucket().join(address).display().to_string();
    let args = ["verify", &address, "--public-keys", &keys, "--format", "json"].map(str::to_owned);
    let answer = support::run(&args);
    let findings = answer.report["findings"].as_array().unwrap();
    let hints: String = findings.iter().filter_map(|finding| finding["hint"].as_str()).collect();
    (answer.code, ids(&answer.report), hints.replace(&archive.bucket().display().to_string(), "DIR"))
}

#[test]
fn a_path_too_high_or_too_low_is_one_question() {
    let one = |id: &str, hint: &str| (3, vec![id.to_owned()], hint.to_owned());
    assert_eq!(at_path("AWSLogs/", "", ""), (0, vec![], String::new()));
    assert_eq!(at_path("AWSLogs/", "mirror/", ""), one("archive-address", "name the archive DIR/mirror"));
    assert_eq!(at_path("audit/AWSLogs/", "", "audit"), one("archive-address", "name the archive DIR"));
    assert_eq!(
        at_path("o-exampleorgid/AWSLogs/o-exampleorgid/", "", "o-exampleorgid"),
        one("archive-address", "name the archive DIR")
    );
    let copied = at_path("AWSLogs/", "copy/", "copy");
    assert_eq!(copied.0, 0);
    for below in ["AWSLogs", "AWSLogs/111122223333", "AWSLogs/111122223333/CloudTrail-Digest"] {
        let hint = "the address lies below AWSLogs/: name the archive DIR";
        assert_eq!(at_path("AWSLogs/", "", below), one("nothing-to-verify", hint), "{below}");
    }
}

#[test]
fn a_copied_archive_is_one_question_and_a_moved_part_is_none() {
    let copied = |part: fn(&str) -> bool| {
        let mut built = Chain::new().build();
        let keys: Vec<String> = built.objects.keys().filter(|key| part(key)).cloned().collect();
        for key in keys {
            let object = built.objects.remove(&key).unwrap();
            built.objects.insert(format!("copy/{key}"), object);
        }
        let answer = built.serve().run("verify", BUCKET, &PERIOD);
        let hint = answer.report["findings"][0]["hint"].as_str().unwrap_or_default().to_owned();
        (answer.code, ids(&answer.report), hint)
    };
    let hint = format!("name the archive s3://{BUCKET}/copy/ with --moved-from s3://{BUCKET}/");
    assert_eq!(copied(|_| true), (3, vec!["archive-address".to_owned()], hint));
    let (code, found, _) = copied(|key| key.contains("T230131Z"));
    assert_eq!((code, found.contains(&"digest-moved".to_owned())), (1, true), "{found:?}");
}

#[test]
fn an_old_prefix_is_listed_once() {
    let chain = Chain {
        hours: 60,
        ..Chain::with(|number, draft| {
            if number < 50 {
                draft.key = draft.key.replacen("AWSLogs/", "old/AWSLogs/", 1);
                for (key, _) in &mut draft.logs {
                    *key = key.replacen("AWSLogs/", "old/AWSLogs/", 1);
                }
            }
        })
    };
    let built = chain.build();
    let server = built.serve();
    let answer = server.run("verify", &format!("{BUCKET}/AWSLogs"), &[]);
    assert_eq!((answer.code, ids(&answer.report)), (0, vec![]));
    assert_eq!(answer.report["logs"]["verified"], 120);
    // What lies in the old prefix besides is seen too.
    let mut planted = chain.build();
    planted.objects.insert(planted.logs[3][0].replace("lg0003", "lg9993"), forged());
    let answer = planted.serve().run("verify", &format!("{BUCKET}/AWSLogs"), &[]);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["log-unlisted".to_owned()]));
    // So are odd names there, whatever they pose as, and those that are only counted.
    let old = "old/AWSLogs/111122223333/CloudTrail/us-east-1/";
    let other = Chain { root: format!("{old}AWSLogs/"), account: "999922223333".into(), ..Chain::new() };
    let mut odd = chain.build();
    odd.objects.insert(other.log_key("2026-01-02T20:15:00Z".parse().unwrap(), "ForgedForgedForg"), forged());
    odd.objects.insert(format!("{old}.x"), forged());
    odd.objects.extend((0..10_003).map(|n| (format!("{old}{n:05}"), (b"{}".to_vec(), BTreeMap::new()))));
    let answer = odd.serve().run("verify", &format!("{BUCKET}/AWSLogs"), &[]);
    let expected = ["cap-reached", "name-unexpected", "object-unlisted"].map(str::to_owned).to_vec();
    assert_eq!((answer.code, ids(&answer.report)), (3, expected));
    assert_eq!(answer.report["scope_found"]["misnamed"]["objects"], 10_005);
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_looked_at_or_told() {
    use std::fs;
    use std::os::unix::fs::symlink;

    let outside = tempfile::tempdir().unwrap();
    let run = |change: &dyn Fn(&std::path::Path, &Built)| {
        let built = Chain::new().build();
        let archive = support::Archive::new();
        for (key, (body, metadata)) in &built.objects {
            archive.put(key, body, metadata);
        }
        archive.put_keys(&json!({ "PublicKeyList": built.public_keys }));
        change(&archive.bucket(), &built);
        let answer = archive.verify(&PERIOD);
        (answer.code, ids(&answer.report), answer.report["logs"]["verified"].as_u64().unwrap())
    };
    let told = |code, findings: &[&str], verified: u64| {
        (code, findings.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), verified)
    };
    let day = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02";
    let inside = run(&|bucket, _| {
        fs::create_dir_all(bucket.join("store")).unwrap();
        fs::rename(bucket.join(day), bucket.join("store/day")).unwrap();
        symlink(bucket.join("store/day"), bucket.join(day)).unwrap();
    });
    assert_eq!(inside, told(0, &[], 24), "a folder linked inside the directory");
    let again = run(&|bucket, _| {
        symlink(bucket.join("AWSLogs"), bucket.join("again")).unwrap();
        symlink(bucket, bucket.join(day).join("circle")).unwrap();
    });
    assert_eq!(again, told(3, &["link-not-followed"], 24), "a folder linked twice, and a circle");
    let hidden = run(&|bucket, _| {
        for name in ["_x", ".x"] {
            symlink(outside.path(), bucket.join(day).join(name)).unwrap();
        }
        symlink(outside.path().join("gone"), bucket.join(day).join("_y")).unwrap();
    });
    assert_eq!(hidden, told(3, &["link-not-followed"], 24), "folders outside under names that readers leave out");
    let gone = outside.path().join("day");
    let away = run(&|bucket, _| {
        fs::rename(bucket.join(day), &gone).unwrap();
        symlink(&gone, bucket.join(day)).unwrap();
    });
    assert_eq!((away.0, &away.1), (3, &vec!["link-not-followed".to_owned(), "log-unreadable".to_owned()]), "outside");
    let file = run(&|bucket, built| {
        let log = bucket.join(&built.logs[5][0]);
        let stored = outside.path().join("log");
        fs::rename(&log, &stored).unwrap();
        symlink(&stored, &log).unwrap();
    });
    assert_eq!(file, told(3, &["link-not-followed", "log-unreadable"], 23), "a log linked outside");
    let dangling = run(&|bucket, built| {
        let log = bucket.join(&built.logs[5][0]);
        fs::remove_file(&log).unwrap();
        symlink("nowhere", &log).unwrap();
        symlink("nowhere", bucket.join(day).join(".#lock")).unwrap();
    });
    assert_eq!(dangling, told(3, &["link-not-followed", "log-unreadable"], 23), "a log linked nowhere");
    let pipe = run(&|bucket, built| {
        let log = bucket.join(&built.logs[3][0]);
        fs::remove_file(&log).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&log).status().unwrap().success());
        let digest = bucket.join(format!("{}.metadata.json", built.digests[5]));
        fs::remove_file(&digest).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&digest).status().unwrap().success());
    });
    let expected = told(3, &["digest-unreadable", "log-unreadable", "not-a-file"], 21);
    assert_eq!((pipe.0, &pipe.1), (expected.0, &expected.1), "pipes");
}
