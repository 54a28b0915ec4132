//! Public keys: their shape, strength, Region and time.

use trailproof::pipeline::key_archive::KeyArchive;
use trailproof::pipeline::keys::Keys;

use super::*;
use crate::support::inprocess::{self, CloudTrail, Memory, Setup};

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

/// A chain whose digests name this key.
fn naming(der: &[u8], sign: impl Fn(&str) -> Vec<u8> + Clone + 'static) -> Built {
    let fingerprint = listed(der)["Fingerprint"].clone();
    let chain = Chain::with(move |_, draft| {
        draft.fields.insert("digestPublicKeyFingerprint".into(), fingerprint.clone());
        let sign = sign.clone();
        draft.sign = Box::new(move |text| sign(text));
    });
    let mut built = chain.build();
    built.public_keys = vec![listed(der)];
    built
}

#[test]
fn keys_that_prove_nothing() {
    let n = KEY.modulus();
    let zeros = |bytes: usize| vec![0; bytes];
    check(vec![
        case(
            "1024 bits",
            naming(&rsa_public_key(&n[..128], 65537), |_| vec![0; 128]),
            1,
            &["key-weak", "log-uncovered"],
        ),
        case(
            "2047 bits",
            naming(&rsa_public_key(&half(&n), 65537), |_| vec![0; 256]),
            1,
            &["key-weak", "log-uncovered"],
        ),
        case("exponent 1", naming(&rsa_public_key(&n, 1), |_| vec![0; 256]), 1, &["key-weak", "log-uncovered"]),
        case("exponent 0", naming(&rsa_public_key(&n, 0), |_| vec![0; 256]), 1, &["key-weak", "log-uncovered"]),
        case(
            "exponent 3, another's signature",
            naming(&rsa_public_key(&n, 3), |text| KEY.sign(text)),
            1,
            &["digest-altered", "log-uncovered"],
        ),
        case(
            "an even modulus",
            naming(&rsa_public_key(&even(&n), 65537), |text| KEY.sign(text)),
            3,
            &["key-file-corrupt", "key-unavailable"],
        ),
        case("no modulus", naming(&rsa_public_key(&zeros(1), 65537), |_| vec![]), 1, &["key-weak", "log-uncovered"]),
        case("no key", naming(b"hello", |text| KEY.sign(text)), 3, &["key-file-corrupt", "key-unavailable"]),
        case(
            "bytes behind the key",
            naming(&[&KEY.pkcs1[..], b"x"].concat(), |text| KEY.sign(text)),
            3,
            &["key-file-corrupt", "key-unavailable"],
        ),
    ]);
}

/// 2047 bits of a modulus of 2048, odd as it was.
fn half(n: &[u8]) -> Vec<u8> {
    let mut n = n.to_vec();
    n[0] = (n[0] >> 1) | 0x40;
    n
}

fn even(n: &[u8]) -> Vec<u8> {
    let mut n = n.to_vec();
    *n.last_mut().unwrap() &= 0xfe;
    n
}

/// PKCS#1 `RSAPublicKey`.
fn rsa_public_key(modulus: &[u8], exponent: u32) -> Vec<u8> {
    fn field(tag: u8, content: &[u8]) -> Vec<u8> {
        let len = content.len();
        let size = match len {
            0..128 => vec![len as u8],
            128..256 => vec![0x81, len as u8],
            _ => vec![0x82, (len >> 8) as u8, len as u8],
        };
        [vec![tag], size, content.to_vec()].concat()
    }
    let integer = |bytes: &[u8]| {
        let first = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len() - 1);
        let bytes = &bytes[first..];
        let sign = if bytes[0] >= 0x80 { vec![0] } else { vec![] };
        field(2, &[sign, bytes.to_vec()].concat())
    };
    field(0x30, &[integer(modulus), integer(&exponent.to_be_bytes())].concat())
}

/// CloudTrail may sign from the digest's start until two hours after its end.
#[test]
fn the_window_of_a_key_is_held_to_the_second() {
    let valid = |name, code, findings: &[&'static str], from: &str, to: &str| {
        let chain = Chain { hours: 1, ..Chain::new() };
        let mut built = chain.build();
        built.public_keys[0]["ValidityStartTime"] = from.into();
        built.public_keys[0]["ValidityEndTime"] = to.into();
        Case { args: vec![], ..case(name, built, code, findings) }
    };
    let out = ["key-out-of-validity"];
    check(vec![
        valid("ends as the digest starts", 0, &[], "2025-12-01T00:00:00Z", "2026-01-02T17:01:31Z"),
        valid("ended before", 3, &out, "2025-12-01T00:00:00Z", "2026-01-02T17:01:30Z"),
        valid("begins two hours after its end", 0, &[], "2026-01-02T20:01:31Z", "2026-02-01T00:00:00Z"),
        valid("begins later", 3, &out, "2026-01-02T20:01:32Z", "2026-02-01T00:00:00Z"),
    ]);
}

#[test]
fn a_file_never_says_that_there_is_no_such_key() {
    let mut built = Chain::new().build();
    let mut other = OTHER_KEY.listed();
    other["Region"] = "us-east-1".into();
    built.public_keys = vec![other];
    check(vec![case("none fits, though it says it is this Region's", built, 3, &["key-unavailable"])]);
    let foreign = Chain::with(|number, draft| {
        if number == 5 {
            draft.fields.insert("digestPublicKeyFingerprint".into(), OTHER_KEY.fingerprint().into());
            draft.sign = Box::new(|text| OTHER_KEY.sign(text));
        }
    });
    check(vec![case("others of it fit", foreign.build(), 3, &["key-unavailable"])]);
}

#[test]
fn a_fingerprint_is_that_of_the_key_as_given_or_within() {
    let with_key = |name, value: &[u8], code, findings: &[&'static str]| {
        let mut built = Chain::new().build();
        let mut key = listed(value);
        key["Fingerprint"] = KEY.fingerprint().into();
        built.public_keys = vec![key];
        case(name, built, code, findings)
    };
    check(vec![
        with_key("PKCS#1", &KEY.pkcs1, 0, &[]),
        with_key("SubjectPublicKeyInfo under the fingerprint of the PKCS#1 in it", &KEY.spki, 0, &[]),
        with_key("another key's", &OTHER_KEY.spki, 3, &["key-file-corrupt", "key-unavailable"]),
    ]);
}

/// What the report says of the keys that served.
fn keys_told(report: &Value) -> Vec<(String, String, u64)> {
    let told = report["keys"].as_array().unwrap().iter();
    told.map(|key| {
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        (text("origin"), text("fingerprint"), key["used"].as_u64().unwrap())
    })
    .collect()
}

/// The local clock is years behind; so far behind, nothing of today would be asked for.
#[test]
fn keys_are_asked_for_up_to_the_time_that_s3_tells() {
    let chain = Chain { first_end: "2029-01-02T18:01:31Z".parse().unwrap(), ..Chain::new() };
    let now: jiff::Timestamp = "2029-01-03T06:00:00Z".parse().unwrap();
    let server = chain.build().serve();
    server.store.weather.set_clock_ahead(now.duration_since(jiff::Timestamp::now()).as_secs());
    for more in [&[][..], &["--as-of", "2029-01-03T05:30:00Z"]] {
        let answer = server.run("verify", BUCKET, more);
        assert_eq!((answer.code, ids(&answer.report)), (0, Vec::new()), "{}", answer.stderr);
    }
}

#[test]
fn the_report_names_every_key_that_served() {
    let two = Chain::with(|number, draft| {
        if number >= 8 {
            draft.fields.insert("digestPublicKeyFingerprint".into(), OTHER_KEY.fingerprint().into());
            draft.sign = Box::new(|text| OTHER_KEY.sign(text));
        }
    });
    let mut built = two.build();
    built.public_keys = vec![KEY.listed(), OTHER_KEY.listed()];
    let told = |origin: &str| {
        let mut told =
            vec![(origin.to_owned(), KEY.fingerprint(), 8_u64), (origin.to_owned(), OTHER_KEY.fingerprint(), 4)];
        told.sort_by(|a, b| a.1.cmp(&b.1));
        told
    };
    assert_eq!(keys_told(&built.verify(&PERIOD).report), told("file"));
    let server = built.serve();
    let answer = server.run("verify", BUCKET, &PERIOD);
    assert_eq!(keys_told(&answer.report), told("endpoint"));
    let key = &answer.report["keys"][0];
    assert_eq!(
        (key["from"].as_str(), key["caller"].as_str(), key["region"].as_str(), key["partition"].as_str()),
        (Some(server.url().as_str()), Some("test"), Some("us-east-1"), Some("aws"))
    );
}

/// Objects that look like digests, each in a month of its own and with a key of its own; their content names other times.
fn plant(built: &mut Built, months: std::ops::Range<i32>) {
    for month in months {
        let end = format!("{}-{:02}-02T07:31:07Z", 1990 + month / 12, month % 12 + 1);
        let key = Chain::new().digest_key(end.parse().unwrap());
        let content = json!({
            "awsAccountId": "111122223333", "digestStartTime": format!("{}-01-01T00:00:00Z", 2100 + month),
            "digestEndTime": format!("{}-01-01T01:00:00Z", 2100 + month), "digestS3Bucket": BUCKET, "digestS3Object": key,
            "digestPublicKeyFingerprint": format!("{month:032x}"), "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": null, "oldestEventTime": null, "previousDigestS3Bucket": null,
            "previousDigestS3Object": null, "previousDigestHashValue": null, "previousDigestHashAlgorithm": null,
            "previousDigestSignature": null, "logFiles": [],
        });
        let metadata = BTreeMap::from([
            ("signature".to_owned(), "ab".repeat(256)),
            ("signature-algorithm".to_owned(), "SHA256withRSA".to_owned()),
        ]);
        built.objects.insert(key, (gzip(content.to_string().as_bytes()), metadata));
    }
}

#[test]
fn no_number_of_planted_digests_keeps_others_from_being_checked() {
    for planted in [0..400, 300..600, 430..470] {
        let mut built = Chain::new().build();
        plant(&mut built, planted.clone());
        let server = built.serve();
        let answer = server.run("verify", BUCKET, &[]);
        assert_eq!(answer.report["digests"]["verified"], 12, "{planted:?} {}", answer.stderr);
        // Half a year and more before the first digests that CloudTrail ever signed nothing is asked, nor ahead of the clock.
        let asked = server.store.heard().iter().filter(|one| one.of == "keys").count();
        assert!(asked <= 60, "{planted:?}: {asked} questions");
    }
}

#[test]
fn keys_from_cloudtrail() {
    let ask = |keys: Vec<Value>| {
        let mut built = Chain::new().build();
        built.public_keys = keys;
        let answer = built.serve().run("verify", BUCKET, &PERIOD);
        (answer.code, ids(&answer.report))
    };
    let found = |code: i32, ids: &[&str]| (code, ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
    assert_eq!(ask(vec![KEY.listed()]), found(0, &[]));
    // One key a page: the second page is asked for.
    assert_eq!(ask(vec![OTHER_KEY.listed(), KEY.listed()]), found(0, &[]));
    // Whoever answers here is not CloudTrail: what it does not name may exist.
    assert_eq!(ask(vec![OTHER_KEY.listed()]), found(3, &["key-unavailable"]));
    // An answer that names keys of another time only says nothing of this one.
    let mut past = OTHER_KEY.listed();
    past["ValidityStartTime"] = 1_577_836_800.into();
    past["ValidityEndTime"] = 1_580_515_200.into();
    assert_eq!(ask(vec![past]), found(3, &["key-unavailable"]));
    assert_eq!(ask(vec![]), found(3, &["key-unavailable"]));
    let mut wrong = KEY.listed();
    wrong["Value"] = OTHER_KEY.listed()["Value"].clone();
    assert_eq!(ask(vec![wrong]), found(3, &["key-file-corrupt", "key-unavailable"]));
}

#[test]
fn only_cloudtrail_itself_says_that_there_is_no_such_key() {
    let ask = |endpoint: Option<&str>| {
        let mut service = CloudTrail::of(&[OTHER_KEY.listed()]);
        service.endpoint = endpoint.map(str::to_owned);
        let (source, keys) = (Memory::of(&Chain::new().build()), Keys::service(service));
        let report = inprocess::report(source, BUCKET, &keys, Setup::default());
        let report = serde_json::to_value(inprocess::runtime().block_on(report)).unwrap();
        let mut told = ids(&report);
        told.retain(|id| ["digest-unknown-key", "key-unavailable"].contains(&id.as_str()));
        told
    };
    assert_eq!(ask(None), ["digest-unknown-key"]);
    let others =
        ["http://127.0.0.1:9000", "https://proxy.example", "https://cloudtrail.eu-west-1.amazonaws.com"].map(Some);
    for endpoint in others {
        assert_eq!(ask(endpoint), ["key-unavailable"], "{endpoint:?}");
    }
}

#[test]
fn keys_that_cannot_be_kept_serve_the_run_and_are_told() {
    let built = Chain::new().build();
    let no_folder = tempfile::NamedTempFile::new().unwrap();
    let keys = Keys::service(CloudTrail::of(&built.public_keys));
    let keys = keys.with_archive(Some(KeyArchive::new(no_folder.path().join("keys"))));
    let report = inprocess::report(Memory::of(&built), BUCKET, &keys, Setup::default());
    let report = serde_json::to_value(inprocess::runtime().block_on(report)).unwrap();
    assert_eq!((ids(&report), &report["exit_code"]), (vec!["keys-not-kept".to_owned()], &0.into()));
}
