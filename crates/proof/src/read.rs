//! What reading an object gives beside its bytes: a digest's metadata, or the reason why it could not be read. No I/O.

mod remedy;

pub use self::remedy::Purpose;

/// Longest value that is kept of user metadata, in bytes: a signature by the largest key that is used is as long in hex.
const MAX_VALUE: usize = 1_024;

/// The user metadata that CloudTrail puts on a digest (names without `x-amz-meta-`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DigestMetadata {
    /// `signature`: hex.
    pub signature: Option<String>,
    /// `signature-algorithm`: `SHA256withRSA`.
    pub signature_algorithm: Option<String>,
    /// `backfill-generation-timestamp`: on backfill digests only.
    pub backfill_generation: Option<String>,
}

impl DigestMetadata {
    /// Picks the three fields from user metadata, whatever the case of the names. A longer value than CloudTrail writes is
    /// cut, and what is put in place of the rest makes it none of CloudTrail's.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut metadata = Self::default();
        for (name, value) in pairs {
            let slot = match name.to_ascii_lowercase().as_str() {
                "signature" => &mut metadata.signature,
                "signature-algorithm" => &mut metadata.signature_algorithm,
                "backfill-generation-timestamp" => &mut metadata.backfill_generation,
                _ => continue,
            };
            *slot = Some(as_kept(value));
        }
        metadata
    }
}

fn as_kept(value: &str) -> String {
    match value.len() > MAX_VALUE {
        true => format!("{}…", &value[..value.floor_char_boundary(MAX_VALUE)]),
        false => value.to_owned(),
    }
}

/// We could not read. Says nothing about tampering; the object is listed as unreadable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No such object (or it vanished after the listing): the store itself said so.
    #[error("no such object")]
    Missing,
    /// The bucket or the directory itself does not exist.
    #[error("{what} does not exist")]
    NoSuchPlace {
        /// The bucket or directory.
        what: String,
    },
    /// S3 or the file system refused.
    #[error("access denied ({detail})")]
    Denied {
        /// The service's own code and message.
        detail: String,
    },
    /// S3 would serve the object, KMS will not decrypt it.
    #[error("KMS refused to decrypt ({detail})")]
    KmsDenied {
        /// The service's own code and message.
        detail: String,
    },
    /// The object lies in an archive tier and must be restored first.
    #[error("object is archived ({storage_class}) and must be restored before it can be read")]
    Archived {
        /// Storage class as S3 names it, or `unknown`.
        storage_class: String,
    },
    /// Throttling or a server fault that outlasted its retries.
    #[error("the service did not serve it ({detail})")]
    Unavailable {
        /// The service's own code and message.
        detail: String,
    },
    /// Nobody answered: no connection, no such name, or no word in time.
    #[error("nobody answered ({detail})")]
    Unreachable {
        /// What the transport said.
        detail: String,
    },
    /// The connection broke, stalled, or ended before `Content-Length` bytes.
    #[error("the transfer broke off ({detail})")]
    Broken {
        /// What the transport said.
        detail: String,
    },
    /// The object is larger than what may be held of it.
    #[error("object is {size} bytes, more than the {limit} bytes that may be held of it")]
    TooLarge {
        /// Stored bytes.
        size: u64,
        /// Limit in bytes.
        limit: u64,
    },
    /// What was configured cannot be used; nobody was asked.
    #[error("{detail}")]
    Configuration {
        /// What is wrong with it.
        detail: String,
    },
    /// Anything else the source reported.
    #[error("cannot be read ({detail})")]
    Other {
        /// What was reported.
        detail: String,
    },
}

impl SourceError {
    /// Whether another attempt may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Unreachable { .. } | Self::Broken { .. })
    }

    /// What would mend it, for somebody who reads an object.
    pub fn hint(&self) -> Option<&'static str> {
        self.hint_for(Purpose::Object)
    }

    /// What would mend it.
    pub fn hint_for(&self, purpose: Purpose) -> Option<&'static str> {
        remedy::of(self, purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_longer_than_any_of_cloudtrails_is_cut_and_is_no_signature() {
        let signature = |bytes: usize| {
            let hex = "ab".repeat(bytes);
            DigestMetadata::from_pairs([("Signature", hex.as_str())]).signature.expect("a signature")
        };
        assert_eq!(signature(512), "ab".repeat(512));
        for bytes in [513, 32 << 10] {
            let cut = signature(bytes);
            assert!(cut.len() < 2 * MAX_VALUE, "{}", cut.len());
            assert_eq!(crate::sha256::decode_hex(&cut), None);
        }
    }
}
