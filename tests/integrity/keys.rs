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
