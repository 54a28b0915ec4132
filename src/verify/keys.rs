//! CloudTrail's public keys: reading them, choosing one, checking a signature with it.
//!
//! A key's fingerprint is the MD5 of its DER, in lower-case hex; it only selects the key. AWS does not document this;
//! it holds for every key ever seen. Trust comes from having the keys from CloudTrail itself.
//! Spec: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html>

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use md5::{Digest as _, Md5};
use rsa::pkcs1::der::Decode as _;
use rsa::pkcs1::der::asn1::UintRef;
use rsa::{BoxedUint, Pkcs1v15Sign, PublicKey};
use sha2::Sha256 as Sha256Hasher;

use super::window::Window;
use crate::archive::ids::Region;
use crate::sha256::{Sha256, encode_hex};

/// Shorter moduli prove nothing (NIST SP 800-131A).
const MIN_BITS: u32 = 2048;

/// A key as it was given, before anything is believed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenKey {
    /// What it is called; checked against the DER.
    pub fingerprint: String,
    /// PKCS#1 `RSAPublicKey` or X.509 `SubjectPublicKeyInfo`.
    pub der: Vec<u8>,
    /// The Region whose digests it signs, where that is known.
    pub region: Option<Region>,
    /// When CloudTrail signs with it, where that is known.
    pub validity: Option<Window>,
    /// When CloudTrail gave it, where that is known.
    pub fetched: Option<Timestamp>,
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The DER is neither PKCS#1 nor SubjectPublicKeyInfo.
    #[error("its DER is not an RSA public key")]
    NotAKey,
    /// MD5 of the DER is another fingerprint.
    #[error("its DER has fingerprint {actual}")]
    FingerprintDiffers {
        /// MD5 of the DER.
        actual: String,
    },
}

/// A key that can check signatures, or is known to prove nothing.
#[derive(Debug, Clone)]
pub struct Key {
    strength: Strength,
    /// The Region whose digests it signs, where that is known.
    pub region: Option<Region>,
    /// When CloudTrail signs with it, where that is known.
    pub validity: Option<Window>,
}

#[derive(Debug, Clone)]
enum Strength {
    Sound(Box<PublicKey>),
    Weak(String),
}

/// What a key says of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// The signature is RSASSA-PKCS1-v1_5 with SHA-256 over exactly these bytes.
    Holds,
    /// It is not.
    Fails,
    /// The key is too weak for its word to mean anything; says why.
    Weak(String),
}

impl Key {
    /// Reads a given key.
    ///
    /// # Errors
    /// [`KeyError`] when it is no RSA key or not the one it is called.
    pub fn read(given: &GivenKey) -> Result<Self, KeyError> {
        let actual = encode_hex(&Md5::digest(&given.der));
        if actual != given.fingerprint.to_ascii_lowercase() {
            return Err(KeyError::FingerprintDiffers { actual });
        }
        let key = |strength| Self { strength, region: given.region.clone(), validity: given.validity };
        let (modulus, exponent) = modulus_and_exponent(&given.der).ok_or(KeyError::NotAKey)?;
        let bits = BoxedUint::from_be_slice_vartime(&modulus).bit_width_vartime();
        if bits < MIN_BITS {
            return Ok(key(Strength::Weak(format!("its modulus has {bits} bits, fewer than {MIN_BITS}"))));
        }
        if exponent.len() == 1 && exponent[0] <= 1 {
            return Ok(key(Strength::Weak(format!("its exponent is {}", exponent[0]))));
        }
        let public =
            PublicKey::new(BoxedUint::from_be_slice_vartime(&modulus), BoxedUint::from_be_slice_vartime(&exponent))
                .map_err(|_| KeyError::NotAKey)?;
        Ok(key(Strength::Sound(Box::new(public))))
    }

    /// Checks a signature over bytes of which only the SHA-256 is at hand.
    pub fn check(&self, hash: &Sha256, signature: &[u8]) -> Check {
        match &self.strength {
            Strength::Weak(why) => Check::Weak(why.clone()),
            Strength::Sound(key) => match key.verify(Pkcs1v15Sign::new::<Sha256Hasher>(), &hash.0, signature) {
                Ok(()) => Check::Holds,
                Err(_) => Check::Fails,
            },
        }
    }

    /// Whether CloudTrail used the key at any moment of this time, as far as is known.
    pub fn was_used_in(&self, time: Window) -> bool {
        self.validity.is_none_or(|validity| validity.from <= time.to && time.from <= validity.to)
    }
}

/// Big-endian modulus and exponent, without leading zeros.
fn modulus_and_exponent(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let pkcs1 = |der: &[u8]| {
        let key = rsa::pkcs1::RsaPublicKey::<UintRef<'_>>::from_der(der).ok()?;
        Some((key.modulus.as_bytes().to_vec(), key.public_exponent.as_bytes().to_vec()))
    };
    pkcs1(der).or_else(|| {
        let info = rsa::pkcs8::SubjectPublicKeyInfoRef::from_der(der).ok()?;
        (info.algorithm.oid == rsa::pkcs1::ALGORITHM_OID).then_some(())?;
        pkcs1(info.subject_public_key.as_bytes()?)
    })
}

/// The keys at hand, by fingerprint.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    keys: BTreeMap<String, Key>,
    from_files: bool,
    answered: Vec<Window>,
    corrupt: BTreeSet<String>,
}

impl KeyRing {
    /// A ring whose keys come from files and not from CloudTrail itself.
    pub fn from_files() -> Self {
        Self { from_files: true, ..Self::default() }
    }

    /// Whether the keys come from files, which may cover another time or Region.
    pub fn is_from_files(&self) -> bool {
        self.from_files
    }

    /// Whether a key of this fingerprint was given and cannot be used.
    pub fn is_corrupt(&self, fingerprint: &str) -> bool {
        self.corrupt.contains(&fingerprint.to_ascii_lowercase())
    }

    /// Notes that CloudTrail answered with keys for this time: a key it did not name then does not exist.
    pub fn note_answer(&mut self, window: Window) {
        self.answered.push(window);
    }

    /// Whether CloudTrail answered with keys for this time.
    pub fn answered(&self, window: Window) -> bool {
        self.answered.iter().any(|answered| answered.from <= window.from && window.to <= answered.to)
    }

    /// Adds a key; a key already there stays.
    ///
    /// # Errors
    /// [`KeyError`] when the key cannot be used.
    pub fn add(&mut self, given: &GivenKey) -> Result<(), KeyError> {
        let key = Key::read(given).inspect_err(|_| {
            self.corrupt.insert(given.fingerprint.to_ascii_lowercase());
        })?;
        self.keys.entry(given.fingerprint.to_ascii_lowercase()).or_insert(key);
        Ok(())
    }

    /// The key with this fingerprint, in capitals or not.
    pub fn find(&self, fingerprint: &str) -> Option<&Key> {
        self.keys.get(&fingerprint.to_ascii_lowercase())
    }

    /// Every key, by fingerprint.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Key)> {
        self.keys.iter().map(|(fingerprint, key)| (fingerprint.as_str(), key))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An RSA key of 2048 bits as far as its shape goes: PKCS#1, with this as its modulus' last byte.
    pub(in crate::verify) fn given(last: u8) -> GivenKey {
        let mut modulus = [0xd5; 256];
        modulus[255] = last;
        let der = [&[0x30, 0x82, 1, 10, 2, 0x82, 1, 1, 0], &modulus[..], &[2, 3, 1, 0, 1]].concat();
        let fingerprint = encode_hex(&Md5::digest(&der));
        GivenKey { fingerprint, der, region: None, validity: None, fetched: None }
    }

    #[test]
    fn an_answer_for_a_part_of_a_time_is_none_for_the_whole() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).expect("in range");
        let hours = |from, to| Window { from: at(from), to: at(to) };
        let mut ring = KeyRing::default();
        ring.note_answer(hours(2, 6));
        for (window, answered) in
            [(hours(2, 6), true), (hours(3, 4), true), (hours(1, 4), false), (hours(3, 7), false), (hours(8, 9), false)]
        {
            assert_eq!(ring.answered(window), answered, "{window}");
        }
        // Two answers with a gap between them are not one.
        ring.note_answer(hours(7, 9));
        assert!(!ring.answered(hours(3, 8)));
    }
}
