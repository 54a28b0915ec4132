//! One table of what goes wrong between a reader and an archive, and what mends it.
//!
//! AWS, its SDK, the operating system and TLS each word their own refusals, so a cause is known by its words. The first row
//! that fits counts: from the particular to the general. What no row knows falls back on what the request was for.

use super::SourceError;

/// What a request was for: what has to be granted for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reading an object of the archive.
    Object,
    /// Listing the archive.
    Listing,
    /// Asking CloudTrail for public keys.
    Keys,
    /// Writing a table.
    Table,
}

/// A cause, by any of its words, and its remedy.
struct Cause {
    words: &'static [&'static str],
    remedy: &'static str,
}

/// The table.
const CAUSES: &[Cause] = &[
    Cause {
        words: &[
            "RequestTimeTooSkewed",
            "request time and the current time is too large",
            "Signature expired",
            "Signature not yet current",
            "RequestInTheFuture",
            "RequestExpired",
        ],
        remedy: "set this machine's clock right (it is minutes away from AWS's) and run again",
    },
    Cause {
        words: &[
            "SSO token",
            "SSO OIDC",
            "sso_session",
            "Session token not found or invalid",
            "ForbiddenException: No access",
            "UnauthorizedException",
            "InvalidGrantException",
        ],
        remedy: "sign in again with `aws sso login` for the profile, and check its sso_account_id and sso_role_name",
    },
    Cause {
        words: &["Login token", "login session", ".aws/login/cache"],
        remedy: "sign in again with `aws login` for the profile",
    },
    Cause {
        words: &["ExpiredToken", "TokenRefreshRequired", "is expired", "has expired", "have expired"],
        remedy: "the credentials have ended: get new ones (`aws sso login`, `aws login`, or a new session) and run again",
    },
    Cause {
        words: &[
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "InvalidToken",
            "AuthFailure",
            "security token included in the request is invalid",
        ],
        remedy: "AWS does not know these credentials: check the profile, the partition, and whether the account has the \
                 Region switched on",
    },
    Cause {
        words: &["SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"],
        remedy: "the secret access key does not fit its id, or a proxy changes requests: enter the credentials again",
    },
    Cause {
        words: &["OptInRequired", "not subscribed", "AllAccessDisabled", "NotSignedUp"],
        remedy: "the account does not have this Region or service: switch it on, or leave it out with --region",
    },
    Cause {
        words: &["perform: sts:", "perform sts:"],
        remedy: "the role cannot be taken on: its trust policy must name these credentials, and they need sts:AssumeRole",
    },
    Cause {
        words: &["with an explicit deny"],
        remedy: "a policy denies it explicitly (the message says which kind): no grant helps until that is changed",
    },
    Cause { words: &["kms:Decrypt"], remedy: "grant kms:Decrypt on the key that encrypts the objects to the reader" },
    Cause {
        words: &["kms:GenerateDataKey", "kms:Encrypt"],
        remedy: "grant kms:GenerateDataKey and kms:Decrypt on the table's key to the writer",
    },
    Cause {
        words: &["The ciphertext refers to a customer master key", "KMS.NotFoundException"],
        remedy: "the key that encrypted the objects is of another account or Region, was deleted, or is not open to the \
                 reader: let its key policy allow the reader's account, and grant kms:Decrypt on it",
    },
    Cause {
        words: &["KMS.DisabledException", "is disabled"],
        remedy: "the KMS key that encrypts the objects is switched off: enable it",
    },
    Cause {
        words: &["KMS.KMSInvalidStateException", "KMS.InvalidStateException", "is pending deletion", "pending import"],
        remedy: "the KMS key that encrypts the objects cannot be used in its state: cancel its deletion, or import it again",
    },
    Cause { words: &["KMS.Throttling"], remedy: "KMS turns requests away: run again with a lower --concurrency" },
    Cause {
        words: &["s3:ListBucket", "s3:ListBucketVersions"],
        remedy: "grant s3:ListBucket on the bucket (not on its objects) to the reader",
    },
    Cause { words: &["s3:GetObject"], remedy: "grant s3:GetObject on the archive's objects to the reader" },
    Cause {
        words: &["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"],
        remedy: "grant s3:PutObject, s3:AbortMultipartUpload and s3:DeleteObject where the table is put to the writer",
    },
    Cause {
        words: &["cloudtrail:ListPublicKeys"],
        remedy: "grant cloudtrail:ListPublicKeys, or pass saved keys with --public-keys",
    },
    Cause {
        words: &["invalid peer certificate", "UnknownIssuer", "certificate", "CertificateRequired"],
        remedy: "the server's certificate is not trusted: name the certificates of your network's proxy with AWS_CA_BUNDLE \
                 or the profile's ca_bundle",
    },
    Cause {
        words: &[
            "received corrupt message",
            "HandshakeFailure",
            "TLS handshake",
            "tls handshake",
            "InvalidContentType",
        ],
        remedy: "what answered does not speak TLS as AWS does: check --endpoint-url (http or https) and HTTPS_PROXY",
    },
    Cause {
        words: &[
            "dns error",
            "failed to lookup address",
            "Name or service not known",
            "nodename nor servname",
            "name resolution",
        ],
        remedy: "the host's name cannot be found: check the Region, the endpoint, and this machine's DNS",
    },
    Cause {
        words: &["Connection refused", "No route to host", "Network is unreachable", "tunnel", "Proxy Authentication"],
        remedy: "nothing answers there: check the endpoint, HTTPS_PROXY and NO_PROXY, and the network's way to AWS",
    },
    Cause {
        words: &[
            "no providers in chain",
            "no credentials",
            "credential provider was not enabled",
            "CredentialsNotLoaded",
        ],
        remedy: "no credentials were found: name a profile with --profile, or set AWS_ACCESS_KEY_ID and its like",
    },
    Cause {
        words: &["credential process", "credential_process"],
        remedy: "the profile's credential_process failed: run it by itself to see why",
    },
    Cause {
        words: &["while loading credentials", "loading credentials", "provider could not be built"],
        remedy: "the profile's credentials could not be had: `aws sts get-caller-identity` with it shows whether they work",
    },
    Cause {
        words: &["Permission denied", "Operation not permitted"],
        remedy: "let this user read the file or folder (and enter those above it)",
    },
    Cause {
        words: &["Too many open files"],
        remedy: "raise the limit of open files (ulimit -n) or lower --concurrency",
    },
];

/// What would mend an error that a request for this purpose met.
pub(super) fn of(error: &SourceError, purpose: Purpose) -> Option<&'static str> {
    let detail = match error {
        SourceError::Denied { detail }
        | SourceError::KmsDenied { detail }
        | SourceError::Unavailable { detail }
        | SourceError::Unreachable { detail }
        | SourceError::Broken { detail }
        | SourceError::Other { detail } => detail.as_str(),
        SourceError::Configuration { .. }
        | SourceError::Missing
        | SourceError::NoSuchPlace { .. }
        | SourceError::Archived { .. }
        | SourceError::TooLarge { .. } => "",
    };
    let detail = without_names(detail);
    let known = CAUSES.iter().find(|cause| cause.words.iter().any(|words| detail.contains(words)));
    known.map(|cause| cause.remedy).or_else(|| by_kind(error, purpose))
}

/// The words alone: a role or a bucket may be called what a cause is.
fn without_names(detail: &str) -> String {
    let is_name = |word: &&str| word.trim_start_matches(['"', '\'', '(']).starts_with("arn:");
    detail.split(' ').filter(|word| !is_name(word)).collect::<Vec<_>>().join(" ")
}

/// What mends an error whose words nobody knows.
fn by_kind(error: &SourceError, purpose: Purpose) -> Option<&'static str> {
    match error {
        SourceError::Denied { .. } => Some(match purpose {
            Purpose::Object => "grant s3:GetObject (and s3:ListBucket) on the archive to the reader",
            Purpose::Listing => "grant s3:ListBucket on the bucket (not on its objects) to the reader",
            Purpose::Keys => "grant cloudtrail:ListPublicKeys, or pass saved keys with --public-keys",
            Purpose::Table => {
                "grant s3:ListBucket on the table's bucket, and s3:PutObject where it is put, to the writer"
            }
        }),
        SourceError::KmsDenied { .. } => Some("grant kms:Decrypt on the trail's key to the reader"),
        SourceError::Archived { .. } => Some("restore the object (s3:RestoreObject) and run again"),
        SourceError::Unavailable { .. } => Some("run again; lower --concurrency if it persists"),
        SourceError::Unreachable { .. } | SourceError::Broken { .. } => {
            Some("run again; if it persists, look at the network's way to AWS")
        }
        SourceError::TooLarge { .. } => Some("run again with a larger --max-memory"),
        SourceError::Configuration { .. } => {
            Some("name another with --profile, or mend the shared configuration of AWS")
        }
        SourceError::Missing | SourceError::NoSuchPlace { .. } | SourceError::Other { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refusal in its own words, and a word that its remedy must have.
    const WORDED: &[(&str, &str)] = &[
        ("ExpiredToken: The provided token has expired.", "new ones"),
        ("ExpiredTokenException: The security token included in the request is expired", "new ones"),
        ("RequestTimeTooSkewed: The difference between the request time and the current time is too large.", "clock"),
        ("SignatureDoesNotMatch: Signature expired: 20260301T000000Z is now earlier than 20260301T001000Z", "clock"),
        ("InvalidSignatureException: Signature not yet current", "clock"),
        ("SignatureDoesNotMatch: The request signature we calculated does not match", "secret access key"),
        ("InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records.", "does not know"),
        ("UnrecognizedClientException: The security token included in the request is invalid.", "does not know"),
        ("an error occurred: the SSO token has expired and cannot be refreshed", "aws sso login"),
        ("UnauthorizedException: Session token not found or invalid", "aws sso login"),
        ("cached Login token is expired", "aws login"),
        (
            "User: arn:aws:iam::111122223333:user/a is not authorized to perform: sts:AssumeRole on resource: r",
            "trust policy",
        ),
        (
            "AccessDenied: User: u is not authorized to perform: s3:GetObject on resource: \"r\" with an explicit deny in a \
             service control policy",
            "explicitly",
        ),
        ("AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity", "trust policy"),
        (
            "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: sts:TagSession on resource: r",
            "trust policy",
        ),
        ("AccessDenied: User: u is not authorized to perform: s3:GetObject on resource: \"r\"", "s3:GetObject"),
        ("AccessDenied: User: u is not authorized to perform: s3:ListBucket on resource: \"r\"", "s3:ListBucket"),
        ("AccessDenied: User: u is not authorized to perform: s3:PutObject on resource: \"r\"", "s3:PutObject"),
        ("AccessDenied: User: u is not authorized to perform: kms:Decrypt on this resource", "kms:Decrypt"),
        (
            "AccessDenied: The ciphertext refers to a customer master key that does not exist, does not exist in this \
             region, or you are not allowed to access.",
            "key policy",
        ),
        ("KMS.DisabledException: arn:aws:kms:r:a:key/k is disabled.", "switched off"),
        ("KMS.KMSInvalidStateException: arn:aws:kms:r:a:key/k is pending deletion.", "deletion"),
        ("KMS.NotFoundException: Key k does not exist", "another account"),
        ("KMS.ThrottlingException: You have exceeded the rate", "--concurrency"),
        (
            "AccessDeniedException: User: u is not authorized to perform: cloudtrail:ListPublicKeys on resource: \
             arn:aws:cloudtrail:us-east-1:a:trail/*",
            "cloudtrail:ListPublicKeys",
        ),
        ("OptInRequired: You are not subscribed to this service", "switch it on"),
        ("dispatch failure: io error: invalid peer certificate: UnknownIssuer", "AWS_CA_BUNDLE"),
        ("client error (Connect): received corrupt message of type InvalidContentType", "http or https"),
        ("dispatch failure: dns error: failed to lookup address information: Name or service not known", "DNS"),
        ("error trying to connect: tcp connect error: Connection refused (os error 111)", "nothing answers"),
        ("the credential provider was not enabled: no providers in chain provided credentials", "--profile"),
        ("Permission denied (os error 13)", "let this user read"),
        ("Too many open files (os error 24)", "ulimit"),
    ];

    #[test]
    fn every_worded_cause_has_its_remedy_whatever_kind_of_error_it_came_as() {
        const ROLE: &str =
            "User: arn:aws:sts::111122223333:assumed-role/certificate-AuthFailure-sts:InvalidToken/session";
        let by_role = WORDED.iter().map(|(words, remedy)| (words.replace("User: u", ROLE), remedy));
        let as_worded = WORDED.iter().map(|(words, remedy)| ((*words).to_owned(), remedy));
        for (words, remedy) in as_worded.chain(by_role) {
            for error in [
                SourceError::Denied { detail: words.clone() },
                SourceError::Other { detail: words.clone() },
                SourceError::Unreachable { detail: words.clone() },
                SourceError::Broken { detail: words.clone() },
                SourceError::Unavailable { detail: words.clone() },
                SourceError::KmsDenied { detail: words.clone() },
            ] {
                let told = of(&error, Purpose::Object).unwrap_or_default();
                assert!(told.contains(remedy), "{words}: {told}");
            }
        }
    }

    #[test]
    fn every_row_is_met_by_a_refusal_of_the_test() {
        for (row, cause) in CAUSES.iter().enumerate() {
            let first = |words: &str| CAUSES.iter().position(|c| c.words.iter().any(|w| words.contains(w)));
            let own = cause.words.iter().any(|words| first(words) == Some(row));
            assert!(own, "row {row} is hidden by an earlier one: {:?}", cause.words);
        }
    }

    #[test]
    fn a_bare_refusal_asks_for_what_the_request_needs() {
        let refused = SourceError::Denied { detail: "AccessDenied: Access Denied".into() };
        for (purpose, word) in [
            (Purpose::Object, "s3:GetObject"),
            (Purpose::Listing, "s3:ListBucket"),
            (Purpose::Keys, "cloudtrail:ListPublicKeys"),
            (Purpose::Table, "s3:PutObject"),
        ] {
            assert!(of(&refused, purpose).unwrap_or_default().contains(word), "{purpose:?}");
        }
        let expired = SourceError::Denied { detail: "ExpiredToken: m".into() };
        assert!(!of(&expired, Purpose::Object).unwrap_or_default().contains("grant"));
        assert_eq!(of(&SourceError::Missing, Purpose::Object), None);
    }
}
