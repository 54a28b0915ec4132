//! Reads answers to their end. Every wait has a limit, also for the words of a refusal; an end that nothing vouches for is
//! none.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::Headers;
use bytes::Bytes;
use jiff::SignedDuration;
use tokio::time::{Instant, timeout};

use super::{answer, error};
use crate::source::SourceError;

/// Room that an announced length is taken at its word for.
const MAX_RESERVED: usize = 64 << 20;

/// An answer that is an error is read up to here; S3's own have some hundred bytes.
const MAX_REFUSAL: u64 = 64 << 10;

/// Bytes a second that a body has to come at beyond that: on a slow line many share it.
const SLOWEST: usize = 1 << 10;

/// Bytes that a body of unknown length is taken to have, for that.
const UNKNOWN_LENGTH: usize = 1 << 20;

/// Codes by which S3 refuses a signature that may be right but for its time.
const CLOCK_CODES: [&str; 5] =
    ["RequestTimeTooSkewed", "RequestExpired", "SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"];

/// How long a body is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// How long one may go without a byte before the transfer counts as broken.
    pub(super) no_progress: Duration,
    /// What every body may take, beside the time that its bytes take on a slow line.
    pub(super) grace: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { no_progress: Duration::from_secs(10), grace: Duration::from_secs(60) }
    }
}

impl Waits {
    /// How long a body of this length may take on a slow line.
    pub(super) fn longest(self, length: usize) -> Duration {
        self.grace + Duration::from_secs((length / SLOWEST) as u64)
    }
}

/// Reads a body of at most `limit` bytes to its end, which must come after as many bytes as were announced.
pub(super) async fn read(answer: HttpResponse, waits: Waits, limit: u64) -> Result<Bytes, SourceError> {
    let length = answer.headers().get("content-length").and_then(|length| length.parse::<usize>().ok());
    let is_delimited = length.is_some() || answer.headers().contains_key("transfer-encoding");
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    if let Some(size) = length.filter(|length| *length > most) {
        return Err(SourceError::TooLarge { size: size as u64, limit });
    }
    let longest = waits.longest(length.unwrap_or(UNKNOWN_LENGTH));
    let began = Instant::now();
    let mut body = ByteStream::new(answer.into_body());
    let mut pieces: Option<Vec<u8>> = None;
    let mut only = Bytes::new();
    loop {
        let piece = match timeout(waits.no_progress, body.next()).await {
            Err(_) => return Err(broken(format!("no byte for {:?}", waits.no_progress))),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(broken(error::chain(&error))),
            Ok(Some(Ok(piece))) => piece,
        };
        let size = pieces.as_ref().map_or(only.len(), Vec::len) + piece.len();
        if size > most {
            return Err(SourceError::TooLarge { size: size as u64, limit });
        }
        match &mut pieces {
            Some(whole) => append(whole, &piece, most),
            None if only.is_empty() => only = piece,
            None => {
                let mut whole = Vec::with_capacity(length.unwrap_or(0).min(MAX_RESERVED));
                append(&mut whole, &std::mem::take(&mut only), most);
                append(&mut whole, &piece, most);
                pieces = Some(whole);
            }
        }
        if began.elapsed() > longest {
            return Err(broken(format!("not whole after {longest:?}")));
        }
    }
    let bytes = pieces.map_or(only, Bytes::from);
    match length {
        Some(expected) if expected != bytes.len() => {
            Err(broken(format!("{} of {expected} bytes arrived", bytes.len())))
        }
        None if !is_delimited => Err(broken("nothing says where the answer ends".to_owned())),
        _ => Ok(bytes),
    }
}

/// Appends a piece; the whole may have `most` bytes, and never takes room for more.
fn append(whole: &mut Vec<u8>, piece: &[u8], most: usize) {
    let (length, needed) = (whole.len(), whole.len() + piece.len());
    if needed > whole.capacity() {
        let doubled = whole.capacity().saturating_mul(2).min(most);
        whole.reserve_exact(doubled.max(needed) - length);
    }
    whole.extend_from_slice(piece);
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
    pub(super) async fn read(answer: HttpResponse, waits: Waits, now: SystemTime) -> Result<Self, SourceError> {
        let status = answer.status().as_u16();
        let region = answer.headers().get("x-amz-bucket-region").map(str::to_owned);
        let clock_offset = clock_offset(answer.headers(), now);
        let told = match read(answer, waits, MAX_REFUSAL).await {
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

#[cfg(test)]
mod tests {
    use aws_sdk_s3::primitives::SdkBody;
    use futures_util::stream::{self, StreamExt as _};
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    const PATIENT: Waits = Waits { no_progress: Duration::from_secs(60), grace: Duration::from_secs(60) };

    /// An answer whose body comes in pieces of this size, with a pause before each; its length is announced or not.
    fn answer(size: usize, piece: usize, pause: Duration, is_announced: bool) -> HttpResponse {
        let pieces = stream::iter((0..size).step_by(piece)).then(move |at| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![7; piece.min(size - at)])))
        });
        let body = SdkBody::from_body_1_x(StreamBody::new(Box::pin(pieces)));
        let mut answer = HttpResponse::new(200.try_into().expect("a status"), body);
        match is_announced {
            true => answer.headers_mut().insert("content-length", size.to_string()),
            false => answer.headers_mut().insert("transfer-encoding", "chunked"),
        };
        answer
    }

    #[tokio::test]
    async fn a_body_that_drips_ends_when_its_time_is_over() {
        // All of it would take half a minute.
        let waits = Waits { grace: Duration::from_millis(50), ..PATIENT };
        let dripping = answer(1000, 1, Duration::from_millis(30), true);
        assert_eq!(read(dripping, waits, 1000).await, Err(broken("not whole after 50ms".into())));
    }

    #[tokio::test]
    async fn no_more_is_held_of_a_body_than_was_allowed() {
        for is_announced in [true, false] {
            for piece in [1, 7, 1001] {
                let whole = |limit| read(answer(1001, piece, Duration::ZERO, is_announced), PATIENT, limit);
                assert_eq!(whole(1000).await, Err(SourceError::TooLarge { size: 1001, limit: 1000 }), "{piece}");
                assert_eq!(whole(1001).await.map(|body| body.len()), Ok(1001), "{piece}");
            }
        }
    }

    #[test]
    fn a_body_that_grows_takes_no_more_room_than_it_may_have() {
        let mut whole = Vec::new();
        for _ in 0..99 {
            append(&mut whole, &[7; 10], 1000);
            assert!(whole.capacity() <= 1000);
        }
        assert_eq!(whole, [7; 990]);
    }
}
