//! What stands between a client and the test server's protocol: rate limits, outages, another clock, another Region, and
//! those who answer in S3's place.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use futures_util::{StreamExt as _, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::http::request::Parts;
use hyper::{Method, Response};
use s3s::Body;

use super::s3::Fault;

/// What a proxy or a portal says.
const HTML: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Error<br></body></html>";

/// How far a signature's time may be from the server's.
const MAX_SKEW: i64 = 900;

/// What every request meets.
#[derive(Default)]
pub struct Weather {
    /// Requests that are served in each second.
    rate: Mutex<Option<u64>>,
    second: Mutex<Option<(Instant, u64)>>,
    /// Requests that are still refused.
    refusals: AtomicU64,
    /// How long everything is refused, from the first request on.
    outage: Mutex<Option<(Duration, Option<Instant>)>>,
    /// How far the server's clock is ahead, in seconds.
    ahead: Mutex<i64>,
    /// The Region in which the bucket has to be asked, and whether HeadBucket keeps it to itself.
    region: Mutex<Option<(&'static str, bool)>>,
    refused: AtomicU64,
}

impl Weather {
    /// From now on so many requests are served in each second.
    pub fn limit(&self, rate: u64) {
        *self.rate.lock().unwrap() = Some(rate);
    }

    /// The next requests are refused.
    pub fn refuse(&self, requests: u64) {
        self.refusals.store(requests, Ordering::Relaxed);
    }

    /// Everything is refused, for so long from the next request on.
    pub fn refuse_for(&self, time: Duration) {
        *self.outage.lock().unwrap() = Some((time, None));
    }

    /// The server's clock is ahead.
    pub fn set_clock_ahead(&self, seconds: i64) {
        *self.ahead.lock().unwrap() = seconds;
    }

    /// The bucket has to be asked in this Region, which HeadBucket tells or does not.
    pub fn move_to(&self, region: &'static str, is_hidden: bool) {
        *self.region.lock().unwrap() = Some((region, is_hidden));
    }

    /// How many requests were refused for their rate.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The server's time.
    pub fn date(&self) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let time = i64::try_from(now).unwrap() + *self.ahead.lock().unwrap();
        DateTime::from_secs(time).fmt(DateTimeFormat::HttpDate).unwrap()
    }

    /// What a request is answered before anyone looks what it asks for.
    pub fn meet(&self, request: &Parts) -> Option<Response<Body>> {
        let answer = if self.is_too_much() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Some(refusal("SlowDown", "Please reduce your request rate.", false))
        } else if self.is_of_another_time(request) {
            let message = "The difference between the request time and the current time is too large.";
            Some(refusal("RequestTimeTooSkewed", message, false))
        } else {
            self.elsewhere(request)
        };
        answer.map(|mut answer| {
            if request.method == Method::HEAD {
                *answer.body_mut() = Body::empty();
            }
            answer
        })
    }

    fn is_too_much(&self) -> bool {
        if self.refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return true;
        }
        if let Some((time, began)) = &mut *self.outage.lock().unwrap()
            && began.get_or_insert_with(Instant::now).elapsed() < *time
        {
            return true;
        }
        let Some(rate) = *self.rate.lock().unwrap() else { return false };
        let mut second = self.second.lock().unwrap();
        let (_, served) = match &mut *second {
            Some(second) if second.0.elapsed() < Duration::from_secs(1) => second,
            over => over.insert((Instant::now(), 0)),
        };
        *served += 1;
        *served > rate
    }

    fn is_of_another_time(&self, request: &Parts) -> bool {
        let ahead = *self.ahead.lock().unwrap();
        let Some(signed) = request.headers.get("x-amz-date").filter(|_| ahead != 0) else { return false };
        let signed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", signed.to_str().unwrap()).unwrap();
        let signed = jiff::tz::Offset::UTC.to_timestamp(signed).unwrap().as_second();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        (signed - ahead - i64::try_from(now).unwrap()).abs() > MAX_SKEW
    }

    fn elsewhere(&self, request: &Parts) -> Option<Response<Body>> {
        let (region, is_hidden) = (*self.region.lock().unwrap())?;
        let signature = request.headers.get("authorization")?.to_str().unwrap();
        if signature.contains(&format!("/{region}/s3/")) {
            return None;
        }
        let mut answer = refusal("PermanentRedirect", "The bucket must be addressed using its endpoint.", false);
        if request.method == Method::HEAD && is_hidden {
            *answer.status_mut() = hyper::StatusCode::FORBIDDEN;
        } else {
            answer.headers_mut().insert("x-amz-bucket-region", region.parse().unwrap());
        }
        Some(answer)
    }
}

/// An error as S3, or CloudTrail, words it.
pub fn refusal(code: &str, message: &str, of_cloudtrail: bool) -> Response<Body> {
    let status = match code {
        "SlowDown" => 503,
        "PermanentRedirect" => 301,
        "ExpiredToken" | "InvalidRequest" | "KMS.ThrottlingException" => 400,
        _ if of_cloudtrail => 400,
        _ => 403,
    };
    Response::builder().status(status).body(Body::from(words(code, message, of_cloudtrail))).unwrap()
}

fn words(code: &str, message: &str, of_cloudtrail: bool) -> String {
    if of_cloudtrail {
        return serde_json::json!({"__type": code, "message": message}).to_string();
    }
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>")
}

/// What a request is answered that meets a fault in which somebody speaks.
pub fn spoken(fault: &Fault, of_cloudtrail: bool) -> Option<Response<Body>> {
    match fault {
        Fault::Code(code) => Some(refusal(code, "refused", of_cloudtrail)),
        Fault::KmsDenied => Some(refusal("AccessDenied", "not authorized to perform: kms:Decrypt", of_cloudtrail)),
        Fault::Html(status) => {
            let head = Response::builder().status(*status).header("content-type", "text/html");
            Some(head.body(Body::from(HTML.to_owned())).unwrap())
        }
        Fault::StalledWords(status, code) => {
            let words = words(code, "refused", of_cloudtrail);
            let head = Response::builder().status(*status).header("content-length", words.len());
            let half = words.as_bytes()[..words.len() / 2].to_vec();
            let first = stream::once(async move { Ok::<_, std::io::Error>(Frame::data(half.into())) });
            let body = StreamBody::new(Box::pin(first.chain(stream::pending())));
            Some(head.body(Body::http_body_unsync(body)).unwrap())
        }
        Fault::Cut | Fault::Stall | Fault::Reset => None,
    }
}
