//! What `synth` promises, checked from the outside: on the files it wrote.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest as _, Md5};
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::{Pkcs1v15Sign, PublicKey};
use serde_json::Value;

use super::*;
use trailproof_proof::archive::key::{ObjectName, parse};
use trailproof_proof::sha256::{Sha256, decode_hex, encode_hex};

/// The files of an archive by their path below DEST, logs and digests inflated.
type Files = BTreeMap<String, Vec<u8>>;

fn options(dest: &Path) -> SynthOptions {
    SynthOptions { hours: 5, logs_per_hour: 3, records_per_log: 20, seed: 5, ..SynthOptions::new(dest) }
}

/// Makes an archive in a fresh directory; returns what it is said to be, and what is in it.
fn make(change: impl FnOnce(&mut SynthOptions)) -> (Summary, Files) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dest = dir.path().join("made");
    let mut options = options(&dest);
    change(&mut options);
    let summary = write(options).expect("the archive is made");
    let mut files = Files::new();
    read_tree(&dest, &dest, &mut files);
    (summary, files)
}

fn read_tree(root: &Path, folder: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the entry is there").path();
        if path.is_dir() {
            read_tree(root, &path, files);
            continue;
        }
        let mut content = fs::read(&path).expect("the file is there");
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut inflated = Vec::new();
            io::Read::read_to_end(&mut flate2::read::GzDecoder::new(content.as_slice()), &mut inflated).expect("gzip");
            content = inflated;
        }
        let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8");
        files.insert(name.to_owned(), content);
    }
}

fn clean() -> &'static (Summary, Files) {
    static CLEAN: OnceLock<(Summary, Files)> = OnceLock::new();
    CLEAN.get_or_init(|| make(|_| ()))
}

fn json(files: &Files, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// Keys of digests, by account and Region, oldest first.
fn chains(files: &Files) -> Vec<Vec<String>> {
    let mut chains: BTreeMap<AccountRegion, BTreeMap<Timestamp, String>> = BTreeMap::new();
    for key in files.keys().filter_map(|name| name.strip_prefix("bucket/")) {
        if let ObjectName::Digest(place, name) = parse(key).name {
            chains.entry(place).or_default().insert(name.end, key.to_owned());
        }
    }
    chains.into_values().map(|digests| digests.into_values().collect()).collect()
}

/// Keys of logs.
fn logs(files: &Files) -> BTreeSet<String> {
    let keys = files.keys().filter_map(|name| name.strip_prefix("bucket/"));
    keys.filter(|key| matches!(parse(key).name, ObjectName::Log(..))).map(str::to_owned).collect()
}

fn public_keys(files: &Files) -> BTreeMap<String, PublicKey> {
    let list = json(files, "public-keys.json");
    let keys = list["PublicKeyList"].as_array().expect("a list");
    keys.iter()
        .map(|key| {
            let der = BASE64_STANDARD.decode(text(&key["Value"])).expect("base64");
            assert_eq!(encode_hex(&Md5::digest(&der)), text(&key["Fingerprint"]));
            (text(&key["Fingerprint"]).to_owned(), PublicKey::from_pkcs1_der(&der).expect("PKCS#1"))
        })
        .collect()
}

fn signature(files: &Files, digest: &str) -> String {
    text(&json(files, &format!("bucket/{digest}.metadata.json"))["signature"]).to_owned()
}

/// Whether a digest's signature holds with the key that it names.
fn signature_holds(files: &Files, key: &str) -> bool {
    let content = &files[&format!("bucket/{key}")];
    let digest: Value = serde_json::from_slice(content).expect("JSON");
    let previous = digest["previousDigestSignature"].as_str().unwrap_or("null");
    let hash = Sha256::of(content);
    let signed = format!("{}\n{BUCKET}/{key}\n{hash}\n{previous}", text(&digest["digestEndTime"]));
    let public = &public_keys(files)[text(&digest["digestPublicKeyFingerprint"])];
    let signature = decode_hex(&signature(files, key)).expect("hex");
    public.verify(Pkcs1v15Sign::new::<sha2::Sha256>(), &Sha256::of(signed.as_bytes()).0, &signature).is_ok()
}

#[test]
fn same_options_make_the_same_bytes_on_any_number_of_threads() {
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let again = alone.install(|| make(|_| ()));
    assert_eq!(again.0, clean().0);
    assert!(again.1 == clean().1, "files differ");
}

#[test]
fn another_seed_makes_other_keys_and_records() {
    let (_, other) = make(|options| options.seed = 12);
    assert_ne!(other["public-keys.json"], clean().1["public-keys.json"]);
    assert!(logs(&other).is_disjoint(&logs(&clean().1)));
}

#[test]
fn every_signature_holds_with_the_key_that_its_digest_names() {
    let files = &clean().1;
    for digest in chains(files).iter().flatten() {
        assert!(signature_holds(files, digest), "{digest}");
    }
}

#[test]
fn digests_are_linked_without_gap_and_only_the_first_has_no_predecessor() {
    let (summary, files) = clean();
    let chains = chains(files);
    assert_eq!(chains.len(), 4);
    for chain in &chains {
        assert_eq!(chain.len(), 5);
        let mut before: Option<(&String, Value)> = None;
        for key in chain {
            let digest = json(files, &format!("bucket/{key}"));
            match &before {
                None => {
                    assert_eq!(text(&digest["digestStartTime"]), summary.start.to_string());
                    let members = ["S3Bucket", "S3Object", "HashValue", "HashAlgorithm", "Signature"];
                    assert!(members.iter().all(|member| digest[format!("previousDigest{member}")].is_null()));
                }
                Some((previous, content)) => {
                    let hash = Sha256::of(&files[&format!("bucket/{previous}")]).to_string();
                    assert_eq!(digest["digestStartTime"], content["digestEndTime"]);
                    assert_eq!(text(&digest["previousDigestS3Object"]), *previous);
                    assert_eq!(text(&digest["previousDigestHashValue"]), hash);
                    assert_eq!(text(&digest["previousDigestSignature"]), signature(files, previous));
                }
            }
            assert_eq!((text(&digest["digestS3Object"]), text(&digest["digestS3Bucket"])), (key.as_str(), BUCKET));
            before = Some((key, digest));
        }
        let (_, last) = before.expect("the chain has digests");
        assert_eq!(text(&last["digestEndTime"]), summary.end.to_string());
    }
}

#[test]
fn digest_members_stand_in_cloudtrails_order() {
    let files = &clean().1;
    let key = chains(files)[0][1].clone();
    let content = String::from_utf8(files[&format!("bucket/{key}")].clone()).expect("UTF-8");
    let order = [
        "awsAccountId",
        "digestStartTime",
        "digestEndTime",
        "digestS3Bucket",
        "digestS3Object",
        "digestPublicKeyFingerprint",
        "digestSignatureAlgorithm",
        "newestEventTime",
        "oldestEventTime",
        "previousDigestS3Bucket",
        "previousDigestS3Object",
        "previousDigestHashValue",
        "previousDigestHashAlgorithm",
        "previousDigestSignature",
        "logFiles",
    ];
    let at: Vec<_> = order.iter().map(|member| content.find(&format!(r#""{member}":"#)).expect(member)).collect();
    assert!(at.is_sorted(), "{content}");
}

#[test]
fn every_log_is_listed_once_in_the_hour_of_its_name_with_its_hash() {
    let (summary, files) = clean();
    let mut listed = BTreeSet::new();
    let mut empty = 0;
    for key in chains(files).iter().flatten() {
        let digest = json(files, &format!("bucket/{key}"));
        let logs = digest["logFiles"].as_array().expect("a list");
        empty += usize::from(logs.is_empty());
        assert_eq!(digest["newestEventTime"].is_null(), logs.is_empty());
        for log in logs {
            let key = text(&log["s3Object"]);
            assert!(listed.insert(key.to_owned()), "{key} is listed twice");
            assert_eq!(text(&log["hashValue"]), Sha256::of(&files[&format!("bucket/{key}")]).to_string());
            let ObjectName::Log(_, name) = parse(key).name else { panic!("{key} is no log") };
            let time = |member: &str| text(&digest[member]).parse::<Timestamp>().expect("a time");
            assert!((time("digestStartTime")..time("digestEndTime")).contains(&name.minute), "{key}");
            assert_eq!(name.minute.as_second() % 300, 0);
        }
    }
    assert_eq!(listed, logs(files));
    assert_eq!(listed.len() as u64, summary.totals.logs);
    assert!(empty > 0, "no digest without logs");
}

#[test]
fn records_are_json_with_unique_ids_of_their_account_and_region_shortly_before_their_log() {
    let (summary, files) = clean();
    let (mut ids, mut bytes) = (HashSet::new(), 0);
    for key in logs(files) {
        let ObjectName::Log(place, name) = parse(&key).name else { panic!("{key} is no log") };
        bytes += files[&format!("bucket/{key}")].len() as u64;
        for record in json(files, &format!("bucket/{key}"))["Records"].as_array().expect("a list") {
            assert!(ids.insert(text(&record["eventID"]).to_owned()), "{record}");
            assert_eq!(text(&record["recipientAccountId"]), place.account.as_str());
            assert_eq!(text(&record["awsRegion"]), place.region.as_str());
            let time: Timestamp = text(&record["eventTime"]).parse().expect("a time");
            assert!((5..600).contains(&(name.minute.as_second() - time.as_second())), "{record}");
        }
    }
    assert_eq!((ids.len() as u64, bytes), (summary.totals.records, summary.totals.raw_bytes));
}

#[test]
fn every_shape_is_met_and_records_have_the_size_of_real_ones() {
    let (summary, files) = make(|options| {
        options.records_per_log = 400;
        options.hours = 8;
        options.sizes = Sizes::Even;
    });
    let mut seen = BTreeSet::new();
    for key in logs(&files) {
        for record in json(&files, &format!("bucket/{key}"))["Records"].as_array().expect("a list") {
            seen.insert((text(&record["eventSource"]).to_owned(), text(&record["eventName"]).to_owned()));
        }
    }
    for shape in &shapes::SHAPES {
        let name = |member: &str| {
            let from =
                shape.json.split_once(&format!(r#""{member}":""#)).expect("every shape has a source and a name").1;
            from.split_once('"').expect("the text ends").0.to_owned()
        };
        assert!(seen.contains(&(name("eventSource"), name("eventName"))), "{} is never met", name("eventName"));
    }
    let mean = summary.totals.raw_bytes / summary.totals.records;
    assert!((1200..1600).contains(&mean), "{mean} bytes");
}

#[test]
fn truth_is_the_summary_and_counts_what_is_there() {
    let (summary, files) = clean();
    let truth = json(files, "truth.json");
    assert_eq!(truth["records"], summary.totals.records);
    assert_eq!(truth["digests"], 20);
    assert_eq!(truth["chains"], 4);
    assert_eq!(truth["accounts"], serde_json::json!(["100000000007", "025000000044"]));
    assert_eq!(truth["regions"], serde_json::json!(["us-east-1", "eu-west-1"]));
    assert_eq!(truth["tampered"], serde_json::json!([]));
}

#[test]
fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dest = dir.path().join("taken");
    fs::create_dir(&dest).expect("created");
    fs::write(dest.join("evidence"), "mine").expect("written");
    assert!(matches!(write(options(&dest)), Err(SynthError::Exists { dest: named }) if named == dest));
    let file = dest.join("evidence");
    assert!(matches!(write(options(&file)), Err(SynthError::Exists { .. })));
    let left: Vec<_> =
        fs::read_dir(dir.path()).expect("there").map(|entry| entry.expect("there").file_name()).collect();
    assert_eq!((left, fs::read(&file).expect("there")), (vec!["taken".into()], b"mine".to_vec()));
}

#[test]
fn an_empty_directory_is_filled_and_nothing_is_left_beside_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dest = dir.path().join("empty");
    fs::create_dir(&dest).expect("created");
    write(SynthOptions { hours: 1, regions: 1, ..options(&dest) }).expect("the archive is made");
    assert!(dest.join("truth.json").is_file());
    assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 1);
}

#[test]
fn after_an_error_nothing_is_left() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dest = dir.path().join("made");
    let tamper = BTreeSet::from([Tamper::DeletedDigest]);
    let error = write(SynthOptions { hours: 2, regions: 1, tamper, ..options(&dest) }).expect_err("no middle digest");
    assert!(matches!(error, SynthError::NoRoom { kind: Tamper::DeletedDigest }), "{error}");
    assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 0);
}

#[test]
fn an_unfinished_run_is_not_disturbed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let partial = dir.path().join(".made.partial");
    fs::create_dir(&partial).expect("created");
    assert!(matches!(write(options(&dir.path().join("made"))), Err(SynthError::Unfinished { .. })));
    assert!(partial.is_dir());
}

#[test]
fn impossible_numbers_are_refused() {
    let refused = |change: fn(&mut SynthOptions)| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut options = options(&dir.path().join("made"));
        change(&mut options);
        write(options).expect_err("refused").to_string()
    };
    assert_eq!(refused(|options| options.accounts = 0), "accounts is 0, not from 1 to 10000");
    assert_eq!(refused(|options| options.regions = 18), "regions is 18, not from 1 to 17");
    assert_eq!(refused(|options| options.records_per_log = 0), "records per log is 0, not from 1 to 1000000");
    assert!(refused(|options| options.start = Timestamp::MAX).contains("beyond the year 9999"));
}

#[test]
fn without_an_organization_keys_have_no_such_element() {
    let (_, files) = make(|options| {
        (options.org, options.regions, options.hours) = (None, 1, 1);
    });
    assert!(files.keys().any(|name| name.starts_with("bucket/AWSLogs/100000000007/CloudTrail-Digest/")));
}

/// How a tampered archive differs from the clean one: keys changed, gone, and new.
fn difference(tampered: &Files) -> [BTreeSet<String>; 3] {
    let clean = &clean().1;
    let in_bucket =
        |names: Vec<&String>| names.iter().filter_map(|n| n.strip_prefix("bucket/")).map(str::to_owned).collect();
    [
        in_bucket(clean.keys().filter(|name| tampered.get(*name).is_some_and(|now| *now != clean[*name])).collect()),
        in_bucket(clean.keys().filter(|name| !tampered.contains_key(*name)).collect()),
        in_bucket(tampered.keys().filter(|name| !clean.contains_key(*name)).collect()),
    ]
}

/// Tampers in one way; returns the objects that are said to be touched, and the files.
fn tampered(kind: Tamper) -> (Vec<String>, Files) {
    let (summary, files) = make(|options| options.tamper = BTreeSet::from([kind]));
    assert_eq!(summary.totals, clean().0.totals);
    assert_eq!(json(&files, "truth.json")["tampered"][0]["kind"], kind.name());
    let [done] = summary.tampered.as_slice() else { panic!("{:?}", summary.tampered) };
    (done.objects.clone(), files)
}

fn set(keys: &[String]) -> BTreeSet<String> {
    keys.iter().cloned().collect()
}

#[test]
fn changed_log_differs_in_one_byte_and_is_still_json() {
    let (objects, files) = tampered(Tamper::ChangedLog);
    assert_eq!(difference(&files), [set(&objects), set(&[]), set(&[])]);
    let name = format!("bucket/{}", objects[0]);
    let (before, after) = (&clean().1[&name], &files[&name]);
    assert_eq!(before.len(), after.len());
    assert_eq!(before.iter().zip(after).filter(|(a, b)| a != b).count(), 1);
    json(&files, &name);
}

#[test]
fn deleted_log_is_one_that_a_digest_lists() {
    let (objects, files) = tampered(Tamper::DeletedLog);
    assert_eq!(difference(&files), [set(&[]), set(&objects), set(&[])]);
    assert_eq!(objects.len(), 1);
    assert!(logs(&clean().1).contains(&objects[0]));
}

#[test]
fn deleted_digest_has_digests_on_both_sides() {
    let (objects, files) = tampered(Tamper::DeletedDigest);
    assert_eq!(difference(&files), [set(&[]), set(&objects), set(&[])]);
    assert_eq!(objects, [objects[0].clone(), format!("{}.metadata.json", objects[0])]);
    let chains = chains(&clean().1);
    let chain = chains.iter().find(|chain| chain.contains(&objects[0])).expect("a digest");
    assert!(chain[1..4].contains(&objects[0]));
}

#[test]
fn forged_digest_agrees_with_its_log_and_fails_with_the_true_key() {
    let (objects, files) = tampered(Tamper::ForgedDigest);
    assert_eq!(difference(&files), [set(&objects), set(&[]), set(&[])]);
    let [log, digest, _] = objects.as_slice() else { panic!("{objects:?}") };
    let listed = json(&files, &format!("bucket/{digest}"));
    let hash = Sha256::of(&files[&format!("bucket/{log}")]).to_string();
    assert!(listed["logFiles"].as_array().expect("a list").iter().any(|log| text(&log["hashValue"]) == hash));
    assert!(signature_holds(&clean().1, digest) && !signature_holds(&files, digest));
    assert_eq!(signature(&files, digest).len(), 512);
}

#[test]
fn injected_log_is_new_well_formed_and_in_a_covered_hour() {
    let (objects, files) = tampered(Tamper::InjectedLog);
    assert_eq!(difference(&files), [set(&[]), set(&[]), set(&objects)]);
    let ObjectName::Log(_, name) = parse(&objects[0]).name else { panic!("{objects:?}") };
    assert!((clean().0.start..clean().0.end).contains(&name.minute));
    assert_eq!(json(&files, &format!("bucket/{}", objects[0]))["Records"].as_array().map(Vec::len), Some(2));
}

#[test]
fn all_kinds_of_tampering_at_once_touch_different_hours() {
    let (summary, files) = make(|options| options.tamper = Tamper::ALL.into());
    let [changed, gone, new] = difference(&files);
    assert_eq!((changed.len(), gone.len(), new.len()), (4, 3, 1));
    let objects: Vec<_> = summary.tampered.iter().flat_map(|tampered| tampered.objects.clone()).collect();
    assert_eq!((objects.len(), set(&objects).len()), (8, 8));
}
