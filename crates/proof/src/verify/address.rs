//! Tells an archive that was named a folder too high or too low, or copied, from one whose digests were moved about.
//!
//! ```text
//! lies at     mirror/AWSLogs/111122223333/CloudTrail-Digest/…      found:    mirror/
//! says        audit/AWSLogs/111122223333/CloudTrail-Digest/…       recorded: audit/
//! ```
//!
//! Digests of which some were put elsewhere lie at several distances from where they say, or beside others that verify.
//! Only when all that can be read lie at one and the same is the address in question, and nothing else.

use std::collections::BTreeSet;

use super::chain::Group;
use super::digest::{Recorded, is_alias};
use super::object::DigestObject;
use crate::archive::key::{self, ObjectName};

/// What stands before the part of a place that is the same where a digest lies and where it says that it lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset {
    /// Bucket (empty for a directory) and prefix, where it lies.
    pub found: Recorded,
    /// Bucket and prefix, where it says.
    pub recorded: Recorded,
}

/// What digests say of where the archive lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// One that can be read lies where it says, or at no distance that a copied archive may have.
    settled: bool,
    offsets: BTreeSet<Offset>,
}

impl Addresses {
    /// What the digests of a group say.
    pub(super) fn of(group: &Group) -> Self {
        let mut addresses = Self::default();
        for digest in group.digests.iter().filter(|digest| digest.is_digest()) {
            match offset_of(digest) {
                Some(offset) => {
                    addresses.offsets.insert(offset);
                }
                None => addresses.settled = true,
            }
        }
        addresses
    }

    /// What several groups say together.
    pub fn join(&mut self, other: Self) {
        self.settled |= other.settled;
        if !self.settled {
            self.offsets.extend(other.offsets);
        }
    }

    /// The distances of all digests from where they say that they lie, if each place has one: then it is in question.
    pub fn in_question(&self) -> Option<&BTreeSet<Offset>> {
        let places: BTreeSet<&Recorded> = self.offsets.iter().map(|offset| &offset.found).collect();
        // A directory mirrors buckets without naming them: from which one it was is no distance.
        let distances: BTreeSet<(&Recorded, Option<&str>, &str)> = self
            .offsets
            .iter()
            .map(|Offset { found, recorded }| {
                (found, (!found.bucket.is_empty()).then_some(recorded.bucket.as_str()), recorded.key.as_str())
            })
            .collect();
        let is_one_each = !places.is_empty() && places.len() == distances.len();
        (!self.settled && is_one_each).then_some(&self.offsets)
    }
}

/// How far a digest lies from where it says; `None` where that is its place, or none of a copied archive.
fn offset_of(digest: &DigestObject) -> Option<Offset> {
    if digest.claims_its_place() {
        return None;
    }
    let says = digest.says_it_lies()?;
    let lies = &digest.place;
    let is_digests = |key: &str| matches!(key::parse(key).name, ObjectName::Digest(..));
    if !is_digests(&lies.key) || !is_digests(&says.key) {
        return None;
    }
    let parts = lies.key.rsplit('/').zip(says.key.rsplit('/')).take_while(|(a, b)| a == b);
    let shared = parts.map(|(part, _)| part.len() + 1).sum::<usize>().checked_sub(1)?;
    let before = |key: &str| key[..key.len() - shared].to_owned();
    let (a, b) = (before(&lies.key), before(&says.key));
    let holds_logs_folder = lies.key[a.len()..].split('/').any(|part| part == "AWSLogs");
    let is_named = !lies.bucket.is_empty() && !is_alias(&lies.bucket);
    let is_elsewhere = a != b || (is_named && lies.bucket != says.bucket);
    (holds_logs_folder && is_elsewhere).then(|| Offset {
        found: Recorded { bucket: lies.bucket.clone(), key: a },
        recorded: Recorded { bucket: says.bucket.clone(), key: b },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::DigestMetadata;

    const TAIL: &str = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/01/02/111122223333_CloudTrail-Digest_us-east-1_main_us-east-1_20260102T180131Z.json.gz";

    /// Where a digest lies and says that it lies, each as bucket and what stands before `AWSLogs/`.
    fn digest(lies: (&str, &str), says: (&str, &str)) -> DigestObject {
        let place = |(bucket, prefix): (&str, &str)| Recorded { bucket: bucket.into(), key: format!("{prefix}{TAIL}") };
        let (lies, says) = (place(lies), place(says));
        let ObjectName::Digest(_, name) = key::parse(&lies.key).name else { panic!("a digest's name") };
        let content = format!(
            r#"{{"awsAccountId":"111122223333","digestStartTime":"2026-01-02T17:01:31Z","digestEndTime":"2026-01-02T18:01:31Z",
            "digestS3Bucket":"{}","digestS3Object":"{}","digestPublicKeyFingerprint":"ab","digestSignatureAlgorithm":"SHA256withRSA",
            "newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":null,"previousDigestS3Object":null,
            "previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null,"logFiles":[]}}"#,
            says.bucket, says.key
        );
        DigestObject::read(name, lies, content.as_bytes(), DigestMetadata::default(), &[])
    }

    fn in_question(digests: Vec<DigestObject>) -> Option<Vec<(String, String)>> {
        let addresses = Addresses::of(&Group { digests, ..Group::default() });
        let offsets = addresses.in_question()?.iter();
        Some(offsets.map(|offset| (offset.found.to_string(), offset.recorded.to_string())).collect())
    }

    #[test]
    fn one_distance_is_a_question_and_several_are_none() {
        let one = |found: &str, recorded: &str| Some(vec![(found.to_owned(), recorded.to_owned())]);
        assert_eq!(in_question(vec![digest(("", "mirror/"), ("b", ""))]), one("s3:///mirror/", "s3://b/"));
        assert_eq!(in_question(vec![digest(("", ""), ("b", "audit/"))]), one("s3:///", "s3://b/audit/"));
        assert_eq!(in_question(vec![digest(("", "x/audit/"), ("b", "y/audit/"))]), one("s3:///x/", "s3://b/y/"));
        assert_eq!(
            in_question(vec![digest(("", "xaudit/"), ("b", "yaudit/"))]),
            one("s3:///xaudit/", "s3://b/yaudit/")
        );
        assert_eq!(in_question(vec![digest(("c", ""), ("b", ""))]), one("s3://c/", "s3://b/"));
        assert_eq!(in_question(vec![]), None);
        assert_eq!(in_question(vec![digest(("", ""), ("b", ""))]), None);
        assert_eq!(in_question(vec![digest(("x-s3alias", ""), ("b", ""))]), None);
        let both = |a, b| in_question(vec![a, b]);
        assert_eq!(both(digest(("", "mirror/"), ("b", "")), digest(("", ""), ("b", ""))), None);
        assert_eq!(both(digest(("", "mirror/"), ("b", "")), digest(("", "mirror/"), ("b", "y/"))), None);
        assert_eq!(both(digest(("a", ""), ("b", "")), digest(("a", ""), ("c", ""))), None);
        let of_two_buckets = both(digest(("", "mirror/"), ("b", "")), digest(("", "mirror/"), ("c", "")));
        assert_eq!(of_two_buckets.map(|offsets| offsets.len()), Some(2));
        let two = both(digest(("", "one/"), ("b", "")), digest(("", "two/"), ("c", "")));
        assert_eq!(two.map(|offsets| offsets.len()), Some(2));
    }
}
