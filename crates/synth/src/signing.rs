//! Test keys, and signatures as CloudTrail makes them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use md5::Md5;
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::{Pkcs1v15Sign, PrivateKey, PublicKey};
use serde::Serialize;
use sha2::Digest as _;

use super::SynthError;
use super::random::Random;
use trailproof_proof::sha256::encode_hex;

/// What CloudTrail's own keys have.
const BITS: usize = 2048;

/// A private key and what its public half is called.
pub(super) struct SigningKey {
    key: PrivateKey,
    public_der: Vec<u8>,
    /// MD5 of the public key's DER, lower-case hex.
    pub(super) fingerprint: String,
}

/// What `aws cloudtrail list-public-keys` prints.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublicKeys {
    pub(super) public_key_list: Vec<ListedKey>,
}

/// A key as `aws cloudtrail list-public-keys` prints it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListedKey {
    value: String,
    validity_start_time: Timestamp,
    validity_end_time: Timestamp,
    fingerprint: String,
}

impl SigningKey {
    /// Makes an RSA-2048 key from a random stream: the same key for the same stream, hence for tests only.
    pub(super) fn new(mut random: Random) -> Result<Self, SynthError> {
        let key = PrivateKey::new(random.generator(), BITS).map_err(SynthError::Key)?;
        let der = PublicKey::from(&key).to_pkcs1_der().expect("an RSA public key has a DER form");
        let public_der = der.as_bytes().to_vec();
        let fingerprint = encode_hex(&Md5::digest(&public_der));
        Ok(Self { key, public_der, fingerprint })
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 over `text`, lower-case hex.
    pub(super) fn sign(&self, text: &str) -> Result<String, SynthError> {
        let hash = sha2::Sha256::digest(text);
        let signature = self.key.sign(Pkcs1v15Sign::new::<sha2::Sha256>(), &hash).map_err(SynthError::Key)?;
        Ok(encode_hex(&signature))
    }

    /// This key in a list of public keys.
    pub(super) fn listed(&self, from: Timestamp, to: Timestamp) -> ListedKey {
        ListedKey {
            value: BASE64_STANDARD.encode(&self.public_der),
            validity_start_time: from,
            validity_end_time: to,
            fingerprint: self.fingerprint.clone(),
        }
    }
}

/// The text that CloudTrail signs for a digest; `previous` is the signature of the digest before it.
pub(super) fn string_to_sign(end: &str, bucket: &str, key: &str, hash: &str, previous: Option<&str>) -> String {
    format!("{end}\n{bucket}/{key}\n{hash}\n{}", previous.unwrap_or("null"))
}
