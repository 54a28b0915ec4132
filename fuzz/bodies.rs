//! What every fuzz target does with its bytes, and what must hold. `tests/fuzz_corpus.rs` replays the corpus through the
//! same functions.

#![allow(dead_code, unreachable_pub, reason = "each fuzz target uses its own function")]

use md5::{Digest as _, Md5};
use serde_json::Value;
use trailproof_proof::archive::key::{self, ObjectName};
use trailproof_proof::checkpoint::Checkpoint;
use trailproof_proof::gunzip;
use trailproof_proof::sha256::{Sha256, encode_hex};
use trailproof_proof::verify::digest::Digest;
use trailproof_proof::verify::key_file;
use trailproof_proof::verify::keys::{Check, GivenKey, Key, Origin};
use trailproof_table::event::{Entry, Member, Recall, Records};

/// A parsed name renders to exactly the key that it was parsed from.
pub fn key_names(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let parsed = key::parse(text);
    match &parsed.name {
        ObjectName::Log(place, name) => assert_eq!(name.key(parsed.root, place), text),
        ObjectName::Digest(place, name) => assert_eq!(name.key(parsed.root, place), text),
        ObjectName::Misnamed { .. } => assert!(text.starts_with(parsed.root)),
        ObjectName::Foreign => assert_eq!(parsed.root, ""),
    }
}

/// A digest that is read is a JSON object that another parser reads in the same way.
pub fn digest_json(data: &[u8]) {
    let Ok(digest) = Digest::parse(data) else { return };
    let hash = Sha256::of(data);
    assert!(digest.string_to_sign(&hash).contains(&hash.to_string()));
    // The other parser has no number beyond a double's.
    let Ok(other) = serde_json::from_slice::<Value>(data) else { return };
    for (field, read) in [
        ("awsAccountId", &digest.account),
        ("digestEndTime", &digest.end_text),
        ("digestS3Bucket", &digest.place.bucket),
        ("digestS3Object", &digest.place.key),
        ("digestPublicKeyFingerprint", &digest.fingerprint),
        ("digestSignatureAlgorithm", &digest.signature_algorithm),
    ] {
        assert_eq!(other[field], Value::from(read.as_str()), "{field}");
    }
    let entries = other["logFiles"].as_array().expect("a list");
    assert_eq!(entries.len(), digest.entries.len());
    for (entry, read) in entries.iter().zip(&digest.entries) {
        assert_eq!(entry["s3Object"], Value::from(read.log.key.as_str()));
        assert!(entry["hashValue"].as_str().is_some_and(|hash| hash.eq_ignore_ascii_case(&read.hash.to_string())));
    }
    assert_eq!(other["previousDigestS3Object"].is_null(), digest.previous.is_none());
}

/// No DER is a key whose signature of nothing holds.
pub fn key_der(data: &[u8]) {
    let fingerprint = encode_hex(&Md5::digest(data));
    let der = data.to_vec();
    let given = GivenKey { fingerprint, der, region: None, validity: None, fetched: None, provenance: None };
    let Ok(key) = Key::read(&given, Origin::KeptUnknown) else { return };
    for signature in [&[0; 256][..], &[1; 128], &[]] {
        assert_ne!(key.check(&Sha256([0; 32]), signature), Check::Holds);
    }
}

/// Keys that are read are written so that they are read again.
pub fn key_file(data: &[u8]) {
    let Ok(keys) = key_file::parse(data) else { return };
    assert_eq!(key_file::parse(key_file::write(&keys).as_bytes()).expect("what was written is read"), keys);
}

/// Both ways to inflate give the same content and say the same of the container.
pub fn gzip(data: &[u8]) {
    const CAP: usize = 1 << 20;
    let mut content = gunzip::Content::default();
    let told = gunzip::inflate(data, CAP, &mut content);
    assert!(content.len() <= CAP);
    let mut pieces = Vec::new();
    let walked = gunzip::inflate_pieces(data, |piece| {
        pieces.extend_from_slice(piece);
        pieces.len() <= CAP
    });
    assert_eq!(told.over_cap, walked.over_cap);
    if !told.over_cap {
        assert_eq!((content.to_vec(), told), (pieces, walked));
    }
}

/// Every entry lies in the log where it says, in order, and a log that was walked before is walked alike.
pub fn records(data: &[u8]) {
    let mut recall = Recall::default();
    let first = walked(data, &mut recall);
    assert_eq!(walked(data, &mut recall), first);
}

/// The entries of a log: where each starts, and its members.
fn walked(data: &[u8], recall: &mut Recall) -> Vec<(usize, Vec<Member>)> {
    let mut records = Records::new(data, recall);
    let mut entries = Vec::new();
    let mut end = 0;
    while let Some(entry) = records.next_entry() {
        let (index, offset, bytes, members) = match &entry {
            Entry::Record(record) => {
                for member in record.members {
                    assert!(record.value(member).len() <= record.text.len());
                    assert!(record.key(member).len() <= record.text.len());
                }
                (record.index, record.offset, record.text.as_bytes(), record.members)
            }
            Entry::Malformed(malformed) => (malformed.index, malformed.offset, malformed.raw, Default::default()),
        };
        assert_eq!(index, entries.len() as u64);
        assert!(offset >= end);
        assert_eq!(&data[offset..offset + bytes.len()], bytes);
        end = offset + bytes.len();
        entries.push((offset, members.to_vec()));
    }
    entries
}

/// A checkpoint that is read is written so that it is read again.
pub fn checkpoint(data: &[u8]) {
    let Ok(checkpoint) = Checkpoint::parse(data) else { return };
    let made = checkpoint.made().expect("what is read was written");
    let again = Checkpoint::parse(checkpoint.write(made).as_bytes()).expect("what was written is read");
    assert_eq!(again, checkpoint);
}
