//! Public keys: their shape, strength, Region and time.

use super::*;

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
fn a_file_that_says_it_holds_this_regions_keys_is_believed() {
    let mut built = Chain::new().build();
    let mut other = OTHER_KEY.listed();
    other["Region"] = "us-east-1".into();
    built.public_keys = vec![other];
    check(vec![case("none fits", built, 1, &["digest-unknown-key", "log-uncovered"])]);
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
    assert_eq!(ask(vec![OTHER_KEY.listed()]), found(1, &["digest-unknown-key", "log-uncovered"]));
    assert_eq!(ask(vec![]), found(3, &["key-unavailable"]));
    let mut wrong = KEY.listed();
    wrong["Value"] = OTHER_KEY.listed()["Value"].clone();
    assert_eq!(ask(vec![wrong]), found(3, &["key-file-corrupt", "key-unavailable"]));
}
