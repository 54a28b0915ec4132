//! CloudTrail's public keys: reading them, choosing one, checking a signature with it.
//!
//! A key's fingerprint is the MD5 of its PKCS#1 DER, in lower-case hex; it only selects the key. AWS does not document this;
//! it holds for every key ever seen. Trust comes from having the keys from CloudTrail itself, so every key says where it
//! came from ([`Origin`]), and a better origin takes the place of a worse one.
//! Spec: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html>

use std::collections::btree_map::Entry;
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
    /// Who gave it and to whom, where that is known.
    pub provenance: Option<Provenance>,
}

/// Who gave a key, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provenance {
    /// Scheme and host that answered.
    pub endpoint: String,
    /// The access key id that asked. It is no secret, and CloudTrail's own records name it.
    pub caller: Option<String>,
}

/// Where a key comes from, the least trusted first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Kept by an earlier run that did not note who gave it.
    KeptUnknown,
    /// A file that was named; its path.
    File(String),
    /// In this run, from an endpoint that is not CloudTrail's own.
    Endpoint(Provenance),
    /// Kept by an earlier run, which had it from CloudTrail itself.
    Kept(Provenance),
    /// In this run, from CloudTrail itself.
    CloudTrail(Provenance),
}

impl Origin {
    /// The word for it in a report.
    pub fn word(&self) -> &'static str {
        match self {
            Self::KeptUnknown => "kept-unknown",
            Self::File(_) => "file",
            Self::Endpoint(_) => "endpoint",
            Self::Kept(_) => "kept",
            Self::CloudTrail(_) => "cloudtrail",
        }
    }

    /// Who gave it, where that is known.
    pub fn provenance(&self) -> Option<&Provenance> {
        match self {
            Self::Endpoint(provenance) | Self::Kept(provenance) | Self::CloudTrail(provenance) => Some(provenance),
            Self::KeptUnknown | Self::File(_) => None,
        }
    }
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The DER is neither PKCS#1 nor SubjectPublicKeyInfo.
    #[error("its DER is not an RSA public key")]
    NotAKey,
    /// MD5 of the DER is another fingerprint, and so is that of the PKCS#1 key inside it.
    #[error("its DER has fingerprint {actual}")]
    FingerprintDiffers {
        /// MD5 of the DER as given.
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
    /// When CloudTrail gave it, where that is known.
    pub fetched: Option<Timestamp>,
    /// Where it comes from.
    pub origin: Origin,
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
    pub fn read(given: &GivenKey, origin: Origin) -> Result<Self, KeyError> {
        let actual = encode_hex(&Md5::digest(&given.der));
        let named = given.fingerprint.to_ascii_lowercase();
        let inner = || pkcs1_within(&given.der).map(|inner| encode_hex(&Md5::digest(inner)));
        if actual != named && inner().is_none_or(|inner| inner != named) {
            return Err(KeyError::FingerprintDiffers { actual });
        }
        let key = |strength| Self {
            strength,
            region: given.region.clone(),
            validity: given.validity,
            fetched: given.fetched,
            origin: origin.clone(),
        };
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
    pkcs1(der).or_else(|| pkcs1(pkcs1_within(der)?))
}

/// The PKCS#1 key inside a SubjectPublicKeyInfo.
fn pkcs1_within(der: &[u8]) -> Option<&[u8]> {
    let info = rsa::pkcs8::SubjectPublicKeyInfoRef::from_der(der).ok()?;
    (info.algorithm.oid == rsa::pkcs1::ALGORITHM_OID).then_some(())?;
    info.subject_public_key.as_bytes()
}

/// The keys at hand, by fingerprint, and for which times CloudTrail said that it gave all of them.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    keys: BTreeMap<String, Key>,
    answered: Vec<Answer>,
    corrupt: BTreeSet<String>,
}

/// CloudTrail's word on a time.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    /// The time it was asked for.
    asked: Window,
    /// When the keys that it named sign: where none does, CloudTrail said nothing of that time.
    signing: Vec<Window>,
}

impl KeyRing {
    /// Whether a key of this fingerprint was given and cannot be used.
    pub fn is_corrupt(&self, fingerprint: &str) -> bool {
        self.corrupt.contains(&fingerprint.to_ascii_lowercase())
    }

    /// Notes that CloudTrail was asked for this time and gave these keys: a key it did not name then does not exist.
    pub fn note_answer(&mut self, asked: Window, keys: &[GivenKey]) {
        let signing = keys.iter().filter_map(|key| key.validity).collect();
        self.answered.push(Answer { asked, signing });
    }

    /// Whether CloudTrail said which keys there are in this time. An answer that names no key of the time is none: nobody
    /// knows for how long CloudTrail goes on naming old keys.
    pub fn answered(&self, window: Window) -> bool {
        let holds = |outer: &Window| outer.from <= window.from && window.to <= outer.to;
        let meets = |other: &Window| other.from <= window.to && window.from <= other.to;
        self.answered.iter().any(|answer| holds(&answer.asked) && answer.signing.iter().any(meets))
    }

    /// Adds a key. Of two with one fingerprint the one with the better origin stays, else the first.
    ///
    /// # Errors
    /// [`KeyError`] when the key cannot be used.
    pub fn add(&mut self, given: &GivenKey, origin: Origin) -> Result<(), KeyError> {
        let fingerprint = given.fingerprint.to_ascii_lowercase();
        let key = match Key::read(given, origin) {
            Ok(key) => key,
            Err(error) => {
                self.corrupt.insert(fingerprint);
                return Err(error);
            }
        };
        self.insert(fingerprint, key);
        Ok(())
    }

    /// Takes in what another ring holds, as if each had been added after what is here.
    pub fn absorb(&mut self, other: &Self) {
        for (fingerprint, key) in &other.keys {
            self.insert(fingerprint.clone(), key.clone());
        }
        // Once each, however often an answer is taken in.
        let new = other.answered.iter().filter(|answer| !self.answered.contains(answer));
        let new: Vec<Answer> = new.cloned().collect();
        self.answered.extend(new);
        self.corrupt.extend(other.corrupt.iter().cloned());
    }

    fn insert(&mut self, fingerprint: String, key: Key) {
        match self.keys.entry(fingerprint) {
            Entry::Vacant(free) => drop(free.insert(key)),
            Entry::Occupied(mut taken) if is_better(&key.origin, &taken.get().origin) => drop(taken.insert(key)),
            Entry::Occupied(_) => {}
        }
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

/// Whether one origin is of a more trusted kind than another.
fn is_better(one: &Origin, other: &Origin) -> bool {
    one > other && std::mem::discriminant(one) != std::mem::discriminant(other)
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
        GivenKey { fingerprint, der, region: None, validity: None, fetched: None, provenance: None }
    }

    #[test]
    fn an_answer_for_a_part_of_a_time_is_none_for_the_whole() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).expect("in range");
        let hours = |from, to| Window { from: at(from), to: at(to) };
        let keys = |validity| [GivenKey { validity: Some(validity), ..given(1) }];
        let mut ring = KeyRing::default();
        ring.note_answer(hours(2, 6), &keys(hours(0, 100)));
        for (window, answered) in
            [(hours(2, 6), true), (hours(3, 4), true), (hours(1, 4), false), (hours(3, 7), false), (hours(8, 9), false)]
        {
            assert_eq!(ring.answered(window), answered, "{window}");
        }
        // Two answers with a gap between them are not one.
        ring.note_answer(hours(7, 9), &keys(hours(0, 100)));
        assert!(!ring.answered(hours(3, 8)));
    }

    #[test]
    fn an_answer_without_a_key_of_the_time_says_nothing_of_it() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).expect("in range");
        let hours = |from, to| Window { from: at(from), to: at(to) };
        let mut ring = KeyRing::default();
        ring.note_answer(hours(0, 100), &[]);
        assert!(!ring.answered(hours(1, 2)));
        ring.note_answer(hours(0, 100), &[GivenKey { validity: Some(hours(50, 90)), ..given(1) }]);
        assert!(!ring.answered(hours(1, 2)) && ring.answered(hours(60, 61)) && !ring.answered(hours(95, 96)));
    }

    #[test]
    fn a_ring_that_is_taken_in_again_adds_nothing() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).expect("in range");
        let asked = Window { from: at(0), to: at(100) };
        let from = || Provenance { endpoint: "https://a".into(), caller: None };
        let (mut ring, mut other) = (KeyRing::default(), KeyRing::default());
        other.note_answer(asked, &[GivenKey { validity: Some(asked), ..given(1) }]);
        other.add(&given(1), Origin::CloudTrail(from())).expect("a key");
        other.add(&GivenKey { fingerprint: "ab".into(), ..given(1) }, Origin::CloudTrail(from())).expect_err("no key");
        ring.add(&given(1), Origin::KeptUnknown).expect("a key");
        for _ in 0..3 {
            ring.absorb(&other);
            assert_eq!((ring.answered.len(), ring.keys.len()), (1, 1));
        }
        assert!(ring.answered(asked) && ring.is_corrupt("ab"));
        assert_eq!(ring.find(&given(1).fingerprint).expect("the key").origin, Origin::CloudTrail(from()));
    }

    #[test]
    fn of_two_origins_the_more_trusted_stays() {
        let from = |endpoint: &str| Provenance { endpoint: endpoint.into(), caller: None };
        let ladder = [
            Origin::KeptUnknown,
            Origin::File("a".into()),
            Origin::Endpoint(from("http://a")),
            Origin::Kept(from("https://a")),
            Origin::CloudTrail(from("https://a")),
        ];
        for (better, one) in ladder.iter().enumerate() {
            for (worse, other) in ladder.iter().enumerate() {
                let mut ring = KeyRing::default();
                ring.add(&given(1), one.clone()).expect("a key");
                ring.add(&given(1), other.clone()).expect("a key");
                let kept = &ring.find(&given(1).fingerprint).expect("the key").origin;
                assert_eq!(kept, &ladder[better.max(worse)]);
            }
        }
        let mut ring = KeyRing::default();
        ring.add(&given(1), Origin::File("first".into())).expect("a key");
        ring.add(&given(1), Origin::File("second".into())).expect("a key");
        assert_eq!(ring.find(&given(1).fingerprint).expect("the key").origin, Origin::File("first".into()));
    }
}
