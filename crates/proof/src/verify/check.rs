//! Judges one digest object: is it a digest that CloudTrail signed, at its place?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::digest::{Digest, Recorded, SIGNATURE_ALGORITHM};
use super::keys::{Check, KeyRing};
use super::object::{Content, DigestObject, Reading, Standing};
use crate::archive::key::AccountRegion;
use crate::finding::{Finding, FindingId};
use crate::sha256::{Sha256, decode_hex};

/// For a digest whose key is the same but for what stands before it.
const COPIED: &str = "if the archive was copied, name where it was with --moved-from s3://BUCKET[/PREFIX]";

/// What an object is instead of a digest that CloudTrail signed, and what is said of it.
type Rejection = Box<(Standing, Finding)>;

/// Judges the digest objects of one account and Region.
pub(super) struct Checker<'a> {
    pub(super) place: &'a AccountRegion,
    pub(super) keys: &'a KeyRing,
    /// The hashes of digests that an earlier run verified, by where they lie.
    pub(super) remembered: Arc<BTreeMap<Recorded, Sha256>>,
}

impl Checker<'_> {
    /// Settles an object, by its own signature or by the one that its successor records.
    pub(super) fn check(&self, object: &mut DigestObject, recovered: Option<&str>) {
        match self.judge(object, recovered) {
            Ok(reading) => object.settle_signed(reading, recovered.is_some()),
            Err(rejection) => match self.known(object).filter(|_| is_for_want_of_proof(&rejection)) {
                Some(reading) => object.settle_signed(reading, false),
                None => object.settle(rejection.0, Some(rejection.1)),
            },
        }
    }

    /// The reading that an earlier run verified in this place.
    fn known(&self, object: &DigestObject) -> Option<usize> {
        self.remembered.get(&object.place).and_then(|hash| object.reading_of(*hash))
    }

    /// Which reading CloudTrail signed, or what the object is instead.
    fn judge(&self, object: &DigestObject, recovered: Option<&str>) -> Result<usize, Rejection> {
        let key = object.place.key.as_str();
        let content = object.content.as_ref().map_err(|error| {
            let finding = Finding::new(FindingId::DigestUnreadable, key, format!("the digest cannot be read: {error}"));
            Box::new((Standing::Unreadable, finding.with_optional_hint(error.hint())))
        })?;
        let empty = Finding::new(FindingId::DigestMalformed, key, "the digest has no content");
        let mut outcome = Err(Box::new((Standing::Malformed, empty)));
        for (at, reading) in content.readings.iter().enumerate() {
            match self.judge_reading(object, content, reading, recovered) {
                Ok(()) => return Ok(at),
                Err(problem) if at == 0 => outcome = Err(problem),
                Err(_) => {}
            }
        }
        outcome
    }

    fn judge_reading(
        &self,
        object: &DigestObject,
        content: &Content,
        reading: &Reading,
        recovered: Option<&str>,
    ) -> Result<(), Rejection> {
        let key = object.place.key.as_str();
        let altered = |id, sentence: String| (Standing::Altered, Finding::new(id, key, sentence));
        let digest = reading.digest.as_ref().map_err(|malformed| {
            let sentence = format!("the digest is not what CloudTrail writes: {malformed}");
            Box::new((Standing::Malformed, Finding::new(FindingId::DigestMalformed, key, sentence)))
        })?;
        let elsewhere = !object.place.bucket.is_empty() && digest.place.bucket != object.place.bucket;
        if digest.place.key != key || elsewhere {
            let (standing, finding) =
                altered(FindingId::DigestMoved, "the digest lies elsewhere than where CloudTrail put it".into());
            let finding = finding.compared(&digest.place, &object.place);
            let copied = object.place.key.ends_with(&digest.place.key) || digest.place.key.ends_with(key);
            return Err(Box::new((standing, if copied { finding.with_hint(COPIED) } else { finding })));
        }
        let named = content.metadata.signature_algorithm.as_deref().unwrap_or(SIGNATURE_ALGORITHM);
        for algorithm in [named, digest.signature_algorithm.as_str()] {
            if algorithm != SIGNATURE_ALGORITHM {
                let (standing, finding) =
                    altered(FindingId::DigestAlgorithm, "the digest names another signature algorithm".into());
                return Err(Box::new((standing, finding.compared(SIGNATURE_ALGORITHM, algorithm))));
            }
        }
        let Some(signature) = recovered.or(content.metadata.signature.as_deref()) else {
            let sentence = "the digest's signature was lost (object metadata) and no signed successor records it";
            let finding = Finding::new(FindingId::SignatureLost, key, sentence)
                .with_hint("copy the object again with its metadata, or wait for the next digest");
            return Err(Box::new((Standing::Unreadable, finding)));
        };
        let Some(found) = self.keys.find(&digest.fingerprint) else { return Err(self.unknown_key(object, digest)) };
        let bytes = decode_hex(signature).unwrap_or_default();
        match found.check(&Sha256::of(digest.string_to_sign(&reading.hash).as_bytes()), &bytes) {
            Check::Weak(why) => {
                let sentence = format!("the digest is signed with a key that proves nothing: {why}");
                return Err(Box::new((Standing::Malformed, Finding::new(FindingId::KeyWeak, key, sentence))));
            }
            Check::Fails => {
                let sentence = "the digest's signature does not hold over its content".to_owned();
                return Err(Box::new(altered(FindingId::DigestAltered, sentence)));
            }
            Check::Holds => {}
        }
        if let Some(region) = found.region.as_ref().filter(|region| **region != self.place.region) {
            let (standing, finding) =
                altered(FindingId::DigestForeignKey, "the digest is signed with another Region's key".into());
            return Err(Box::new((standing, finding.compared(&self.place.region, region))));
        }
        // A backfill digest's signing time is only as good as its metadata; the key that was found anyway is enough.
        let signed = object.signing_window().filter(|_| !object.name.backfill);
        if signed.is_some_and(|signed| !found.was_used_in(signed)) {
            let sentence = format!("the digest is signed with key {}, which was not in use then", digest.fingerprint);
            let finding = Finding::new(FindingId::KeyOutOfValidity, key, sentence);
            return Err(Box::new((Standing::Unreadable, finding)));
        }
        if digest.account != self.place.account.as_str() {
            let (standing, finding) =
                altered(FindingId::DigestForeignAccount, "the digest is signed for another account".into());
            return Err(Box::new((standing, finding.compared(self.place.account, &digest.account))));
        }
        Ok(())
    }

    fn unknown_key(&self, object: &DigestObject, digest: &Digest) -> Rejection {
        let key = object.place.key.as_str();
        let window = object.key_window();
        if object.name.backfill && window.is_none() {
            let sentence = "the backfill digest does not say when it was made, so its key is not known".to_owned();
            return Box::new((Standing::Unreadable, Finding::new(FindingId::BackfillUndated, key, sentence)));
        }
        // Files may lack a key; only CloudTrail itself can say that there is none.
        let answered = window.is_some_and(|window| self.keys.answered(window));
        let complete = answered && !self.keys.is_corrupt(&digest.fingerprint);
        if complete {
            let sentence = format!("the digest names key {}, which CloudTrail does not know", digest.fingerprint);
            return Box::new((Standing::Altered, Finding::new(FindingId::DigestUnknownKey, key, sentence)));
        }
        let sentence = format!("the key {} that the digest names could not be had", digest.fingerprint);
        let finding = Finding::new(FindingId::KeyUnavailable, key, sentence).with_hint(
            "save the keys with `trailproof keys fetch` for this Region and time and pass them with --public-keys",
        );
        Box::new((Standing::Unreadable, finding))
    }
}

/// Whether only the key or the signature cannot be had, which content that was verified before does not need again.
fn is_for_want_of_proof(rejection: &Rejection) -> bool {
    rejection.0 == Standing::Unreadable || rejection.1.id == FindingId::DigestUnknownKey
}

#[cfg(test)]
mod tests {
    use super::super::chain::Group;
    use super::super::keys::tests::given;
    use super::super::keys::{GivenKey, Origin};
    use super::super::window::Window;
    use super::*;
    use crate::archive::key::{self, ObjectName};
    use crate::read::DigestMetadata;

    const KEY: &str = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/01/02/111122223333_CloudTrail-Digest_us-east-1_main_us-east-1_20260102T180131Z.json.gz";

    /// What is told of a digest that names a key which `keys` do not hold.
    fn told_without_its_key(keys: &KeyRing) -> FindingId {
        let ObjectName::Digest(place, name) = key::parse(KEY).name else { panic!("a digest's name") };
        let content = format!(
            r#"{{"awsAccountId":"111122223333","digestStartTime":"2031-01-02T17:01:31Z","digestEndTime":"2031-01-02T18:01:31Z",
            "digestS3Bucket":"b","digestS3Object":"{KEY}","digestPublicKeyFingerprint":"ab","digestSignatureAlgorithm":"SHA256withRSA",
            "newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":null,"previousDigestS3Object":null,
            "previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null,"logFiles":[]}}"#
        );
        let metadata = DigestMetadata { signature: Some("ab".into()), ..DigestMetadata::default() };
        let lies = Recorded { bucket: "b".into(), key: KEY.into() };
        let digest = DigestObject::read(name, lies, content.as_bytes(), metadata, &[]);
        let mut group = Group { digests: vec![digest], ..Group::default() };
        group.check(&place, keys);
        group.digests[0].told().1[0].id
    }

    #[test]
    fn a_key_is_unknown_only_where_cloudtrail_said_which_keys_there_are() {
        let here = GivenKey { region: Some("us-east-1".parse().expect("Region")), ..given(1) };
        let hours = |from: &str, to: &str| Window {
            from: format!("2026-01-02T{from}Z").parse().expect("time"),
            to: format!("2026-01-02T{to}Z").parse().expect("time"),
        };
        // As the name has it, whatever the content says of its time.
        let asked = hours("17:01:31", "20:01:31");
        let answer = |validity| {
            let mut ring = KeyRing::default();
            ring.note_answer(asked, &[GivenKey { validity, ..here.clone() }]);
            ring
        };
        assert_eq!(told_without_its_key(&answer(Some(asked))), FindingId::DigestUnknownKey);
        assert_eq!(told_without_its_key(&answer(Some(hours("00:00:00", "01:00:00")))), FindingId::KeyUnavailable);
        let mut from_file = KeyRing::default();
        from_file.add(&here, Origin::File("keys.json".into())).expect("a key");
        assert_eq!(told_without_its_key(&from_file), FindingId::KeyUnavailable);
    }
}
