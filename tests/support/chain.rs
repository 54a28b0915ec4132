//! Small signed archives: a chain of hourly digests in which anything can be changed before or after signing.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20::ChaCha8Rng;
use chacha20::rand_core::SeedableRng as _;
use jiff::{SignedDuration, Timestamp};
use md5::{Digest as _, Md5};
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, PrivateKey, PublicKey};
use serde_json::{Map, Value, json};
use trailproof_proof::sha256::{Sha256, encode_hex};

use super::s3::Server;
use super::{Answer, Archive};

pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "us-east-1";
pub const BUCKET: &str = "trail-bucket";

/// Keys of 2048 bits, made from fixed seeds.
pub struct TestKey {
    private: PrivateKey,
    pub pkcs1: Vec<u8>,
    pub spki: Vec<u8>,
}

impl TestKey {
    fn new(seed: u8) -> Self {
        let private = PrivateKey::new(&mut ChaCha8Rng::from_seed([seed; 32]), 2048).unwrap();
        let public = PublicKey::from(&private);
        let pkcs1 = public.to_pkcs1_der().unwrap().as_bytes().to_vec();
        let spki = public.to_public_key_der().unwrap().as_bytes().to_vec();
        Self { private, pkcs1, spki }
    }

    pub fn fingerprint(&self) -> String {
        encode_hex(&Md5::digest(&self.pkcs1))
    }

    pub fn sign(&self, text: &str) -> Vec<u8> {
        self.private.sign(Pkcs1v15Sign::new::<sha2::Sha256>(), &sha2::Sha256::digest(text)).unwrap()
    }

    pub fn sign_sha512(&self, text: &str) -> Vec<u8> {
        self.private.sign(Pkcs1v15Sign::new::<sha2::Sha512>(), &sha2::Sha512::digest(text)).unwrap()
    }

    /// Big-endian.
    pub fn modulus(&self) -> Vec<u8> {
        PublicKey::from(&self.private).n().to_be_bytes_trimmed_vartime().into_vec()
    }

    pub fn listed(&self) -> Value {
        listed(&self.pkcs1)
    }
}

/// A key as ListPublicKeys gives it.
pub fn listed(der: &[u8]) -> Value {
    json!({"Value": STANDARD.encode(der), "Fingerprint": encode_hex(&Md5::digest(der))})
}

/// CloudTrail's key, and somebody else's.
pub static KEY: LazyLock<TestKey> = LazyLock::new(|| TestKey::new(1));
pub static OTHER_KEY: LazyLock<TestKey> = LazyLock::new(|| TestKey::new(2));

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub fn gunzip(object: &[u8]) -> Vec<u8> {
    let mut content = Default::default();
    trailproof_proof::gunzip::inflate(object, 1 << 30, &mut content);
    content.to_vec()
}

/// `20260102T180131`.
pub fn compact(time: Timestamp) -> String {
    time.to_string().replace(['-', ':', 'Z'], "")
}

/// `2026/01/02`.
pub fn day(time: Timestamp) -> String {
    time.to_string()[..10].replace('-', "/")
}

/// Changes the digest of a number before it is signed.
pub type ChangesDraft = dyn Fn(usize, &mut Draft);

/// Makes a signature over a text.
pub type Signs = dyn Fn(&str) -> Vec<u8>;

/// A chain to be built.
pub struct Chain {
    pub root: String,
    pub account: String,
    pub region: String,
    pub trail: String,
    pub bucket: String,
    pub hours: usize,
    pub first_end: Timestamp,
    pub backfill: bool,
    /// Changes a digest before it is signed.
    pub draft: Box<ChangesDraft>,
}

/// A digest before it is signed.
pub struct Draft {
    pub start: Timestamp,
    pub end: Timestamp,
    pub key: String,
    pub bucket: String,
    pub logs: Vec<(String, Vec<u8>)>,
    pub previous: Option<Signed>,
    /// Fields that replace those made from the above, or add to them.
    pub fields: Map<String, Value>,
    /// Replaces the JSON text.
    pub text: Option<Box<dyn Fn(String) -> Vec<u8>>>,
    /// Makes the signature from the text to sign.
    pub sign: Box<Signs>,
}

/// What the next digest says of this one.
#[derive(Clone)]
pub struct Signed {
    pub bucket: String,
    pub key: String,
    pub hash: String,
    pub signature: String,
}

/// Objects, by key: stored bytes and metadata.
#[derive(Default)]
pub struct Built {
    pub objects: BTreeMap<String, (Vec<u8>, BTreeMap<String, String>)>,
    /// Keys of digests, oldest first.
    pub digests: Vec<String>,
    /// Keys of the logs of each.
    pub logs: Vec<Vec<String>>,
    pub public_keys: Vec<Value>,
    /// Buckets of the objects that do not lie in [`BUCKET`].
    pub buckets: BTreeMap<String, String>,
}

impl Chain {
    pub fn new() -> Self {
        Self {
            root: "AWSLogs/".into(),
            account: ACCOUNT.into(),
            region: REGION.into(),
            trail: "main".into(),
            bucket: BUCKET.into(),
            hours: 12,
            first_end: "2026-01-02T18:01:31Z".parse().unwrap(),
            backfill: false,
            draft: Box::new(|_, _| {}),
        }
    }

    pub fn with(draft: impl Fn(usize, &mut Draft) + 'static) -> Self {
        Self { draft: Box::new(draft), ..Self::new() }
    }

    pub fn digest_key(&self, end: Timestamp) -> String {
        let Self { root, account, region, trail, .. } = self;
        let suffix = if self.backfill { "_backfill" } else { "" };
        format!(
            "{root}{account}/CloudTrail-Digest/{region}/{}/{account}_CloudTrail-Digest_{region}_{trail}_us-east-1_{}Z{suffix}.json.gz",
            day(end),
            compact(end)
        )
    }

    pub fn log_key(&self, minute: Timestamp, unique: &str) -> String {
        let Self { root, account, region, .. } = self;
        let time = &compact(minute)[..13];
        format!(
            "{root}{account}/CloudTrail/{region}/{}/{account}_CloudTrail_{region}_{time}Z_{unique}.json.gz",
            day(minute)
        )
    }

    /// Builds the chain into objects that other chains may already be in.
    pub fn build_into(&self, built: &mut Built) {
        let hour = SignedDuration::from_hours(1);
        let mut previous: Option<Signed> = None;
        for number in 0..self.hours {
            let end = self.first_end + hour * i32::try_from(number).unwrap();
            let logs = (0..2).map(|log| {
                let minute = end - SignedDuration::from_mins(12 + 5 * log);
                let kind = if self.backfill {
                    "bf"
                } else if self.trail == "main" {
                    "lg"
                } else {
                    "ot"
                };
                let key = self.log_key(minute, &format!("{kind}{number:04}{log:04}AbCdEf"));
                let time = minute - SignedDuration::from_mins(4);
                let record = format!(
                    "{{\"Records\":[{{\"eventTime\":\"{time}\",\"eventID\":\"{}-{number}-{log}\"}}]}}",
                    self.trail
                );
                (key, record.into_bytes())
            });
            let mut draft = Draft {
                start: end - hour,
                end,
                key: self.digest_key(end),
                bucket: self.bucket.clone(),
                logs: logs.collect(),
                previous: previous.take(),
                fields: Map::new(),
                text: None,
                sign: Box::new(|text| KEY.sign(text)),
            };
            (self.draft)(number, &mut draft);
            previous = Some(self.put(draft, built));
        }
        if built.public_keys.is_empty() {
            built.public_keys.push(KEY.listed());
        }
    }

    pub fn build(&self) -> Built {
        let mut built = Built::default();
        self.build_into(&mut built);
        built
    }

    fn put(&self, draft: Draft, built: &mut Built) -> Signed {
        let entries: Vec<Value> = draft
            .logs
            .iter()
            .map(|(key, content)| {
                json!({"s3Bucket": draft.bucket, "s3Object": key, "hashValue": Sha256::of(content).to_string(),
                       "hashAlgorithm": "SHA-256", "newestEventTime": null, "oldestEventTime": null})
            })
            .collect();
        let of = |pick: fn(&Signed) -> &String| draft.previous.as_ref().map(|previous| pick(previous).clone());
        let Value::Object(mut fields) = json!({
            "awsAccountId": self.account, "digestStartTime": draft.start.to_string(), "digestEndTime": draft.end.to_string(),
            "digestS3Bucket": draft.bucket, "digestS3Object": draft.key, "digestPublicKeyFingerprint": KEY.fingerprint(),
            "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": null, "oldestEventTime": null,
            "previousDigestS3Bucket": of(|p| &p.bucket), "previousDigestS3Object": of(|p| &p.key),
            "previousDigestHashValue": of(|p| &p.hash), "previousDigestSignature": of(|p| &p.signature),
            "previousDigestHashAlgorithm": draft.previous.as_ref().map(|_| "SHA-256"), "logFiles": entries,
        }) else {
            unreachable!("an object was written")
        };
        fields.extend(draft.fields);
        let end = fields["digestEndTime"].as_str().unwrap_or_default().to_owned();
        let signature_before = fields["previousDigestSignature"].as_str().unwrap_or("null").to_owned();
        let text = Value::Object(fields).to_string();
        let content = match draft.text {
            Some(replace) => replace(text),
            None => text.into_bytes(),
        };
        let hash = Sha256::of(&content).to_string();
        let to_sign = format!("{end}\n{}/{}\n{hash}\n{signature_before}", draft.bucket, draft.key);
        let signature = encode_hex(&(draft.sign)(&to_sign));
        let mut metadata = BTreeMap::from([
            ("signature".to_owned(), signature.clone()),
            ("signature-algorithm".to_owned(), "SHA256withRSA".to_owned()),
        ]);
        if self.backfill {
            metadata.insert("backfill-generation-timestamp".into(), "2026-01-05T00:00:00Z".into());
        }
        built.objects.insert(draft.key.clone(), (gzip(&content), metadata));
        built.logs.push(draft.logs.iter().map(|(key, _)| key.clone()).collect());
        built.digests.push(draft.key.clone());
        let elsewhere = (draft.bucket != BUCKET).then_some(&draft.bucket);
        for key in [&draft.key].into_iter().chain(draft.logs.iter().map(|(key, _)| key)) {
            built.buckets.extend(elsewhere.map(|bucket| (key.clone(), bucket.clone())));
        }
        for (key, content) in draft.logs {
            built.objects.insert(key, (gzip(&content), BTreeMap::new()));
        }
        Signed { bucket: draft.bucket, key: draft.key, hash, signature }
    }
}

impl Built {
    pub fn body(&mut self, key: &str) -> &mut Vec<u8> {
        &mut self.objects.get_mut(key).unwrap().0
    }

    pub fn metadata(&mut self, key: &str) -> &mut BTreeMap<String, String> {
        &mut self.objects.get_mut(key).unwrap().1
    }

    /// Puts new content into an object, compressed.
    pub fn rewrite(&mut self, key: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let body = self.body(key);
        *body = gzip(&change(gunzip(body)));
    }

    pub fn remove(&mut self, key: &str) {
        self.objects.remove(key).unwrap();
    }

    pub fn exchange(&mut self, a: &str, b: &str) {
        let first = self.objects[a].clone();
        let second = self.objects.insert(b.to_owned(), first).unwrap();
        self.objects.insert(a.to_owned(), second);
    }

    /// Puts a log that no digest names.
    pub fn add_log(&mut self, minute: &str, unique: &str, content: &[u8]) {
        let key = Chain::new().log_key(minute.parse().unwrap(), unique);
        self.objects.insert(key, (gzip(content), BTreeMap::new()));
    }

    /// Puts everything into an S3 server, where each object lies in its own bucket.
    pub fn serve(&self) -> Server {
        let server = Server::start(7);
        for (key, (body, metadata)) in &self.objects {
            let bucket = self.buckets.get(key).map_or(BUCKET, String::as_str);
            server.store.put(bucket, key, body.clone(), metadata.clone());
        }
        server.store.set_keys(self.public_keys.clone());
        server
    }

    /// Puts everything into a directory, with its keys.
    pub fn archive(&self) -> Archive {
        let archive = Archive::new();
        for (key, (body, metadata)) in &self.objects {
            archive.put(key, body, metadata);
        }
        archive.put_keys(&json!({ "PublicKeyList": self.public_keys }));
        archive
    }

    pub fn verify(&self, more: &[&str]) -> Answer {
        self.archive().verify(more)
    }
}
