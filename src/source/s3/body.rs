//! Reads answers to their end. Every wait has a limit, also for the words of a refusal; an end that nothing vouches for is
//! none.

use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::Headers;
use bytes::{Bytes, BytesMut};
use jiff::SignedDuration;
use tokio::time::timeout;

use super::{answer, error};
use crate::source::SourceError;

/// Room that an announced length is taken at its word for.
const MAX_RESERVED: usize = 64 << 20;

/// An answer that is an error is read up to here; S3's own have some hundred bytes.
const MAX_REFUSAL: usize = 64 << 10;

/// What every body may take, in time.
const GRACE: Duration = Duration::from_secs(60);

/// Bytes a second that a body has to come at beyond that: on a slow line many share it.
const SLOWEST: usize = 1 << 10;

/// Bytes that a body of unknown length is taken to have, for that.
const UNKNOWN_LENGTH: usize = 1 << 20;

/// Codes by which S3 refuses a signature that may be right but for its time.
const CLOCK_CODES: [&str; 5] =
    ["RequestTimeTooSkewed", "RequestExpired", "SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"];

/// Reads a body to its end, which must come after as many bytes as were announced.
pub(super) async fn read(answer: HttpResponse, no_progress: Duration, cap: usize) -> Result<Bytes, SourceError> {
    let length = answer.headers().get("content-length").and_then(|length| length.parse::<usize>().ok());
    let is_delimited = length.is_some() || answer.headers().contains_key("transfer-encoding");
    let longest = GRACE + Duration::from_secs((length.unwrap_or(UNKNOWN_LENGTH) / SLOWEST) as u64);
    let began = Instant::now();
    let mut body = ByteStream::new(answer.into_body());
    let mut pieces: Option<BytesMut> = None;
    let mut only = Bytes::new();
    loop {
        let piece = match timeout(no_progress, body.next()).await {
            Err(_) => return Err(broken(format!("no byte for {no_progress:?}"))),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(broken(error::chain(&error))),
            Ok(Some(Ok(piece))) => piece,
        };
        match &mut pieces {
            Some(whole) => whole.extend_from_slice(&piece),
            None if only.is_empty() => only = piece,
            None => {
                let mut whole = BytesMut::with_capacity(length.unwrap_or(0).min(MAX_RESERVED).min(cap));
                whole.extend_from_slice(&only);
                whole.extend_from_slice(&piece);
                pieces = Some(whole);
                if began.elapsed() > longest {
                    return Err(broken(format!("not whole after {longest:?}")));
                }
            }
        }
        let size = pieces.as_ref().map_or(only.len(), BytesMut::len);
        if size > cap {
            return Err(SourceError::TooLarge { size: length.unwrap_or(size) as u64, limit: cap as u64 });
        }
    }
    let bytes = pieces.map_or(only, BytesMut::freeze);
    match length {
        Some(expected) if expected != bytes.len() => {
            Err(broken(format!("{} of {expected} bytes arrived", bytes.len())))
        }
        None if !is_delimited => Err(broken("nothing says where the answer ends".to_owned())),
        _ => Ok(bytes),
    }
}

/// How far the clock of whoever answered is ahead of this machine's, to the second.
pub(super) fn clock_offset(headers: &Headers, now: SystemTime) -> Option<SignedDuration> {
    let date = DateTime::from_str(headers.get("date")?, DateTimeFormat::HttpDate).ok()?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(SignedDuration::from_secs(date.secs().checked_sub(i64::try_from(now.as_secs()).ok()?)?))
}

/// An answer that is not a success.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    told: answer::Failure,
    region: Option<String>,
    /// How far the clock of whoever answered is ahead of this machine's.
    pub(super) clock_offset: Option<SignedDuration>,
}

impl Refusal {
    /// Reads the words of a refusal. Where they do not arrive, what they would have said is not known: another attempt
    /// may tell.
    pub(super) async fn read(
        answer: HttpResponse,
        no_progress: Duration,
        now: SystemTime,
    ) -> Result<Self, SourceError> {
        let status = answer.status().as_u16();
        let region = answer.headers().get("x-amz-bucket-region").map(str::to_owned);
        let clock_offset = clock_offset(answer.headers(), now);
        let told = match read(answer, no_progress, MAX_REFUSAL).await {
            Ok(words) => answer::failure(&words),
            Err(SourceError::TooLarge { .. }) => answer::Failure::default(),
            Err(SourceError::Broken { detail }) => {
                let detail = format!("HTTP {status}, and then {detail}");
                return Err(match status {
                    429 | 500.. => SourceError::Unavailable { detail },
                    _ => SourceError::Broken { detail },
                });
            }
            Err(error) => return Err(error),
        };
        Ok(Self { status, told, region, clock_offset })
    }

    /// The Region that this refusal sends to.
    pub(super) fn region(&self) -> Option<&str> {
        let sends = matches!(self.status, 300..=399)
            || matches!(self.told.code.as_str(), "AuthorizationHeaderMalformed" | "PermanentRedirect");
        let told = Some(self.told.region.as_str()).filter(|region| !region.is_empty());
        self.region.as_deref().or(told).filter(|_| sends)
    }

    /// Whether the time of the signature may be why.
    pub(super) fn is_of_time(&self) -> bool {
        CLOCK_CODES.contains(&self.told.code.as_str())
    }

    /// Whether newer credentials may be all that it takes.
    pub(super) fn is_of_age(&self) -> bool {
        matches!(self.told.code.as_str(), "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired")
    }

    /// What it comes to.
    pub(super) fn error(&self, bucket: &str) -> SourceError {
        error::from_answer(self.status, &self.told.code, &self.told.message, bucket)
    }
}

fn broken(detail: String) -> SourceError {
    SourceError::Broken { detail }
}
