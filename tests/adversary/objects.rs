//! Objects as they now lie there, and what they are made of.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use trailproof::source::{DigestMetadata, SourceError};
use trailproof_proof::sha256::{Sha256, encode_hex};

use super::model::{Kind, Place, Thing, World, minutes, stored};
use super::moves::{Trouble, With};
use super::spots::Spot;
use crate::support::chain::{BUCKET, KEY, OTHER_KEY};

/// An object as it now lies there.
#[derive(Debug, Clone)]
pub struct Object {
    pub stored: Bytes,
    /// Inflated, as far as that goes.
    pub content: Vec<u8>,
    pub metadata: DigestMetadata,
}

impl Object {
    pub fn of(thing: &Thing) -> Self {
        Self { stored: thing.stored.clone(), content: thing.content.clone(), metadata: thing.metadata.clone() }
    }

    pub fn plain(content: Vec<u8>) -> Self {
        Self { stored: stored(&content), content, metadata: DigestMetadata::default() }
    }
}

pub const FORGED: &[u8] =
    br#"{"Records":[{"eventTime":"2026-01-02T22:22:22Z","eventID":"forged","eventName":"StopLogging"}]}"#;

/// What a reader that does not mind how it ends makes of stored bytes.
pub fn readable(stored: &[u8]) -> Vec<u8> {
    if !stored.starts_with(b"\x1f\x8b") {
        return stored.to_vec();
    }
    let (mut content, mut piece) = (Vec::new(), [0; 1]);
    let mut decoder = flate2::read::MultiGzDecoder::new(stored);
    while let Ok(1) = decoder.read(&mut piece) {
        content.push(piece[0]);
    }
    content
}

pub fn recompressed(content: &[u8], how: u8) -> Bytes {
    let mut encoder = match how {
        0 => flate2::GzBuilder::new().filename("a-log").write(Vec::new(), flate2::Compression::fast()),
        1 => flate2::GzBuilder::new().mtime(1).write(Vec::new(), flate2::Compression::best()),
        // Inflated by a tool that honours Content-Encoding.
        _ => return Bytes::copy_from_slice(content),
    };
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap().into()
}

impl With {
    pub fn object(&self, world: &World, of: &Thing) -> Object {
        match self {
            Self::Flipped => {
                let mut content = of.content.clone();
                let middle = content.len() / 2;
                content[middle] ^= 1;
                Object { metadata: of.metadata.clone(), ..Object::plain(content) }
            }
            Self::Signed | Self::SignedAsCloudTrail => {
                let Kind::Digest { segment, from, to, .. } = of.kind else { return Object::plain(FORGED.to_vec()) };
                self.signed(&of.place, &world.segments[segment].owner.account, from, to)
            }
            _ => Object { metadata: of.metadata.clone(), ..self.content(world) },
        }
    }

    /// A digest that says that it lies under another prefix.
    pub fn elsewhere(&self, world: &World, of: &Thing) -> Object {
        let Kind::Digest { segment, from, to, .. } = of.kind else { return Object::plain(FORGED.to_vec()) };
        let place = (of.place.0.clone(), format!("elsewhere/{}", of.place.1));
        self.signed(&place, &world.segments[segment].owner.account, from, to)
    }

    pub fn planted(&self, world: &World, spot: &Spot, key: &str) -> Object {
        match self {
            Self::Signed | Self::SignedAsCloudTrail => {
                let to = spot.time();
                self.signed(&(BUCKET.into(), key.into()), &spot.owner(world).account, to - minutes(60), to)
            }
            Self::Flipped => Object::plain(FORGED.to_vec()),
            _ => self.content(world),
        }
    }

    fn content(&self, world: &World) -> Object {
        let uncompressed = |content: &'static [u8]| Object {
            stored: Bytes::from_static(content),
            content: content.to_vec(),
            metadata: DigestMetadata::default(),
        };
        match self {
            Self::Empty => uncompressed(b""),
            Self::Junk => uncompressed(b"\x1f\x8bjunk that is no gzip"),
            Self::Braces => Object::plain(b"{}".to_vec()),
            Self::NoRecords => Object::plain(br#"{"Records":[]}"#.to_vec()),
            Self::ForgedPlain => uncompressed(FORGED),
            Self::Of(name) => world.find(name).map_or_else(|| Object::plain(FORGED.to_vec()), Object::of),
            _ => Object::plain(FORGED.to_vec()),
        }
    }

    /// A digest without logs, as somebody without CloudTrail's key can make it.
    fn signed(&self, (bucket, key): &Place, account: &str, from: Timestamp, to: Timestamp) -> Object {
        let fingerprint = match self {
            Self::SignedAsCloudTrail => KEY.fingerprint(),
            _ => OTHER_KEY.fingerprint(),
        };
        let content = json!({
            "awsAccountId": account, "digestStartTime": from.to_string(), "digestEndTime": to.to_string(),
            "digestS3Bucket": bucket, "digestS3Object": key, "digestPublicKeyFingerprint": fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": null, "oldestEventTime": null,
            "previousDigestS3Bucket": null, "previousDigestS3Object": null, "previousDigestHashValue": null,
            "previousDigestSignature": null, "previousDigestHashAlgorithm": null, "logFiles": [],
        })
        .to_string();
        let to_sign = format!("{to}\n{bucket}/{key}\n{}\nnull", Sha256::of(content.as_bytes()));
        let signature = encode_hex(&OTHER_KEY.sign(&to_sign));
        let pairs = [("signature", signature.as_str()), ("signature-algorithm", "SHA256withRSA")];
        Object { metadata: DigestMetadata::from_pairs(pairs), ..Object::plain(content.into_bytes()) }
    }
}

impl Trouble {
    pub fn error(self) -> SourceError {
        let detail = "as it was told to".to_owned();
        match self {
            Self::Denied => SourceError::Denied { detail },
            Self::Kms => SourceError::KmsDenied { detail },
            Self::Glacier => SourceError::Archived { storage_class: "GLACIER".into() },
            Self::Unavailable => SourceError::Unavailable { detail },
            Self::Broken => SourceError::Broken { detail },
            Self::Proxy => SourceError::Other { detail },
            Self::Vanished => SourceError::Missing,
        }
    }
}
