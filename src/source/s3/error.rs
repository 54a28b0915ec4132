//! What the SDK's errors mean: refused, archived, gone, or worth another attempt.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::source::SourceError;
use crate::source::aws::NOT_RENEWED;

/// Status and code decide, the code first: S3 answers 403 for refused and for archived objects alike.
pub(in crate::source) fn map<E, R>(failure: SdkError<E, R>, place: &str) -> SourceError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Status + Send + Sync + 'static,
{
    match failure {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status_code();
            let code = answer.err().code().unwrap_or_default().to_owned();
            let message = answer.err().message().unwrap_or_default().to_owned();
            from_answer(status, &code, &message, place)
        }
        SdkError::ConstructionFailure(failure) => {
            SourceError::Other { detail: chain(&SdkError::<E, R>::ConstructionFailure(failure)) }
        }
        other => {
            let detail = chain(&other);
            if detail.contains(NOT_RENEWED) {
                SourceError::Unavailable { detail }
            } else if detail.contains("credential") {
                SourceError::Denied { detail }
            } else {
                unanswered(detail, matches!(other, SdkError::TimeoutError(_)))
            }
        }
    }
}

/// What it means that an answer did not come. Only its words tell whether there was a connection.
pub(super) fn unanswered(detail: String, timed_out: bool) -> SourceError {
    if timed_out || detail.contains("(Connect)") || detail.contains("dns error") {
        SourceError::Unreachable { detail }
    } else {
        SourceError::Broken { detail }
    }
}

/// The status of a raw answer.
pub(in crate::source) trait Status {
    fn status_code(&self) -> u16;
}

impl Status for aws_sdk_s3::config::http::HttpResponse {
    fn status_code(&self) -> u16 {
        self.status().as_u16()
    }
}

pub(super) fn from_answer(status: u16, code: &str, message: &str, place: &str) -> SourceError {
    let detail = match (code, message) {
        ("", _) => format!("HTTP {status}"),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    match code {
        "NoSuchBucket" => SourceError::NoSuchPlace { what: format!("bucket {place}") },
        "NoSuchKey" => SourceError::Missing,
        "InvalidObjectState" => SourceError::Archived { storage_class: "unknown".into() },
        code if is_passing(code) => SourceError::Unavailable { detail },
        code if code.starts_with("KMS.") => SourceError::KmsDenied { detail },
        _ if is_of_kms(message) => SourceError::KmsDenied { detail },
        _ => match status {
            // S3 says NoSuchKey. Whoever else says 404, a proxy or a portal, knows nothing of the object.
            404 if code.is_empty() => SourceError::Broken { detail: format!("{detail}, not in S3's words") },
            401 | 403 => SourceError::Denied { detail },
            429 | 500.. => SourceError::Unavailable { detail },
            _ => SourceError::Other { detail },
        },
    }
}

/// Whether a code, S3's own or passed on from KMS, tells of a fault that passes: too many requests, or a fault of the
/// service's own.
fn is_passing(code: &str) -> bool {
    matches!(
        code.strip_prefix("KMS.").unwrap_or(code),
        "SlowDown"
            | "SlowDownRead"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "RequestLimitExceeded"
            | "RequestRateTooHigh"
            | "BandwidthLimitExceeded"
            | "LimitExceededException"
            | "TooManyRequests"
            | "TooManyRequestsException"
            | "OperationAborted"
            | "InternalError"
            | "InternalException"
            | "KMSInternalException"
            | "InternalFailure"
            | "InternalServerError"
            | "DependencyTimeoutException"
            | "KeyUnavailableException"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "RequestTimeout"
            | "RequestTimeoutException"
            | "BadDigest"
    )
}

/// S3 hands on some of KMS's refusals as its own `AccessDenied`; only the message tells.
fn is_of_kms(message: &str) -> bool {
    message.contains("kms:") || message.contains("The ciphertext refers to a customer master key")
}

/// An error with its causes, once each.
pub(in crate::source) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_means_one_thing() {
        let detail = |code: &str| format!("{code}: m");
        for (status, code, expected) in [
            (404, "NoSuchKey", SourceError::Missing),
            (404, "NoSuchBucket", SourceError::NoSuchPlace { what: "bucket b".into() }),
            (403, "AccessDenied", SourceError::Denied { detail: detail("AccessDenied") }),
            (403, "InvalidObjectState", SourceError::Archived { storage_class: "unknown".into() }),
            (400, "KMS.DisabledException", SourceError::KmsDenied { detail: detail("KMS.DisabledException") }),
            (503, "SlowDown", SourceError::Unavailable { detail: detail("SlowDown") }),
            (400, "Throttling", SourceError::Unavailable { detail: detail("Throttling") }),
            (400, "KMS.ThrottlingException", SourceError::Unavailable { detail: detail("KMS.ThrottlingException") }),
            (500, "KMS.InternalException", SourceError::Unavailable { detail: detail("KMS.InternalException") }),
            (404, "NoSuchVersion", SourceError::Other { detail: detail("NoSuchVersion") }),
            (301, "PermanentRedirect", SourceError::Other { detail: detail("PermanentRedirect") }),
            (500, "InternalError", SourceError::Unavailable { detail: detail("InternalError") }),
            (400, "InvalidRequest", SourceError::Other { detail: detail("InvalidRequest") }),
        ] {
            assert_eq!(from_answer(status, code, "m", "b"), expected, "{code}");
        }
        let unworded = SourceError::Broken { detail: "HTTP 404, not in S3's words".into() };
        assert_eq!(from_answer(404, "", "", "b"), unworded);
        let kms = "User is not authorized to perform: kms:Decrypt on this resource";
        assert!(matches!(from_answer(403, "AccessDenied", kms, "b"), SourceError::KmsDenied { .. }));
        let foreign = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.";
        assert!(matches!(from_answer(400, "AccessDenied", foreign, "b"), SourceError::KmsDenied { .. }));
    }
}
