//! Signed GET requests to one bucket.
//!
//! The SDK does what takes knowledge: it finds the bucket's Region, its endpoint and credentials. A request then needs
//! only a signature, and goes through the SDK's own connector. The SDK's way from a call to that connector takes twice
//! the CPU time of everything else that a small object costs, and an archive has millions of them.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use jiff::SignedDuration;

use super::error;
use crate::source::SourceError;
use crate::source::aws::{Aws, Renewed, Way};

/// A clock that is this far off is not corrected: signatures hold for some minutes, and answers are under way for seconds.
const FAIR_CLOCK: SignedDuration = SignedDuration::from_secs(60);

/// What to ask a bucket for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask<'a> {
    /// An object, by its key.
    Object(&'a str),
    /// A page of a listing.
    Listing(&'a [(&'a str, Option<&'a str>)]),
}

/// What a request was signed with, beside its Region: whichever of many learns that it is wrong mends it once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    ahead: i64,
    given_up: u64,
}

/// The way to one bucket.
#[derive(Debug)]
pub(super) struct Access {
    /// Scheme and host, with the bucket in one or behind the other; no slash at the end.
    base: String,
    region: String,
    expected_owner: Option<String>,
    connector: Connector,
    credentials: Renewed,
    settings: SigningSettings,
    /// The SDK's: a signature holds for some minutes.
    clock: SharedTimeSource,
    /// How far S3's clock was found to be ahead of that one, in seconds; nothing while signatures are taken as they are.
    ahead: AtomicI64,
}

impl Access {
    /// Learns from `client` where requests for the bucket go and how they are signed.
    pub(super) async fn learn(
        aws: &Aws,
        client: &Client,
        bucket: &str,
        owner: Option<&str>,
    ) -> Result<Self, SourceError> {
        let other = |detail: String| SourceError::Other { detail };
        let config = PresigningConfig::expires_in(Duration::from_secs(60)).map_err(|error| other(error.to_string()))?;
        let request = client.get_object().bucket(bucket).key("k").presigned(config);
        let request = request.await.map_err(|failure| error::map(failure, bucket))?;
        let (base, region) = endpoint(request.uri())
            .ok_or_else(|| other(format!("bucket {bucket} asks for signatures that are not made here")))?;
        let credentials = aws.credentials.clone();
        let credentials =
            credentials.ok_or_else(|| SourceError::Denied { detail: "no credentials are configured".into() })?;
        let timeouts = aws.config.timeout_config();
        let mut waits = HttpConnectorSettings::builder();
        waits.set_connect_timeout(timeouts.and_then(|timeouts| timeouts.connect_timeout()));
        waits.set_read_timeout(timeouts.and_then(|timeouts| timeouts.read_timeout()));
        let connector = aws.trust.connector(Some(waits.build()), aws.config.sleep_impl(), Way::to(base));
        // As S3 wants it: the path is signed as it is sent, and the (empty) body's hash stands in a header.
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        Ok(Self {
            base: base.to_owned(),
            region: region.to_owned(),
            expected_owner: owner.map(str::to_owned),
            connector,
            credentials,
            settings,
            clock: aws.config.time_source().unwrap_or_default(),
            ahead: AtomicI64::new(0),
        })
    }

    /// Asks once; the answer may be a refusal.
    pub(super) async fn ask(&self, what: Ask<'_>) -> Result<HttpResponse, SourceError> {
        let identity = self.identity().await?;
        let request = self.signed(&self.uri(what), &identity).map_err(|detail| SourceError::Other { detail })?;
        let answer = self.connector.call(request).await;
        answer.map_err(|error| error::unanswered(error::chain(&error), error.is_timeout()))
    }

    /// The Region that requests are signed for.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// This machine's time, as it is.
    pub(super) fn clock(&self) -> SystemTime {
        self.clock.now()
    }

    /// What requests are signed with now.
    pub(super) fn standing(&self) -> Standing {
        Standing { ahead: self.ahead.load(Ordering::Relaxed), given_up: self.credentials.given_up() }
    }

    /// Signs by S3's clock from now on; tells whether that is another time than a request was signed at.
    pub(super) fn correct_clock(&self, offset: SignedDuration, signed: Standing) -> bool {
        let is_other = (offset - SignedDuration::from_secs(signed.ahead)).abs() > FAIR_CLOCK;
        if is_other {
            self.ahead.store(offset.as_secs(), Ordering::Relaxed);
        }
        is_other
    }

    /// Gives up the credentials that a request was signed with, so that new ones are asked for.
    pub(super) fn forget_credentials(&self, signed: Standing) {
        self.credentials.give_up(signed.given_up);
    }

    fn uri(&self, what: Ask<'_>) -> String {
        match what {
            Ask::Object(key) => {
                let mut uri = String::with_capacity(self.base.len() + key.len() + 16);
                uri.push_str(&self.base);
                uri.push('/');
                encode(key, true, &mut uri);
                uri
            }
            Ask::Listing(parameters) => {
                let has_path = self.base.splitn(3, '/').nth(2).is_some_and(|rest| rest.contains('/'));
                let mut uri = format!("{}{}?list-type=2", self.base, if has_path { "" } else { "/" });
                for (name, value) in parameters {
                    let Some(value) = value else { continue };
                    uri.extend(["&", name, "="]);
                    encode(value, false, &mut uri);
                }
                uri
            }
        }
    }

    /// The time to sign with.
    fn signing_time(&self) -> SystemTime {
        let (now, ahead) = (self.clock.now(), self.ahead.load(Ordering::Relaxed));
        let by = Duration::from_secs(ahead.unsigned_abs());
        let corrected = if ahead < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        corrected.unwrap_or(now)
    }

    fn signed(&self, uri: &str, identity: &Identity) -> Result<HttpRequest, String> {
        let parameters = v4::SigningParams::builder()
            .identity(identity)
            .region(&self.region)
            .name("s3")
            .time(self.signing_time())
            .settings(self.settings.clone())
            .build()
            .map_err(|error| error.to_string())?;
        let owner = self.expected_owner.as_deref().map(|owner| ("x-amz-expected-bucket-owner", owner));
        let signable = SignableRequest::new("GET", uri, owner.into_iter(), SignableBody::empty());
        let signed = signable.and_then(|signable| sign(signable, &parameters.into()));
        let (instructions, _) = signed.map_err(|error| error::chain(&error))?.into_parts();
        let mut request = HttpRequest::get(uri).map_err(|error| error::chain(&error))?;
        let headers = request.headers_mut();
        headers.insert("user-agent", concat!("trailproof/", env!("CARGO_PKG_VERSION")));
        if let Some((name, owner)) = owner {
            headers.insert(name, owner.to_owned());
        }
        for header in instructions.into_parts().0 {
            headers.insert(header.name(), header.value().to_owned());
        }
        Ok(request)
    }

    /// The credentials at hand; the provider sees to it that they are renewed.
    async fn identity(&self) -> Result<Identity, SourceError> {
        let credentials = self.credentials.get().await;
        credentials.map(Identity::from).map_err(|error| self.credentials.failure(&error))
    }
}

/// The base and the signing Region of a presigned request for the key `k`.
fn endpoint(presigned: &str) -> Option<(&str, &str)> {
    let (address, query) = presigned.split_once('?')?;
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let mut scope = parameter("X-Amz-Credential")?.rsplit("%2F");
    let is_plain = parameter("X-Amz-Algorithm")? == "AWS4-HMAC-SHA256" && scope.next()? == "aws4_request";
    let (is_s3, region) = (scope.next()? == "s3", scope.next()?);
    (is_plain && is_s3).then_some((address.strip_suffix("/k")?, region))
}

/// Percent-encodes everything that is not unreserved in a URI; in a path `/` stays.
fn encode(text: &str, is_path: bool, out: &mut String) {
    for &byte in text.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b'/' if is_path => out.push('/'),
            _ => write!(out, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_and_region_are_those_of_the_presigned_request() {
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260301%2Feu-west-1%2Fs3%2Faws4_request";
        for base in ["https://b.s3.eu-west-1.amazonaws.com", "http://127.0.0.1:9000/b"] {
            assert_eq!(endpoint(&format!("{base}/k?x-id=GetObject&{query}")), Some((base, "eu-west-1")));
        }
        let express = query.replace("%2Fs3%2F", "%2Fs3express%2F");
        let asymmetric = query.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256");
        for other in [express, asymmetric, String::new()] {
            assert_eq!(endpoint(&format!("https://b.example/k?{other}")), None);
        }
    }

    #[test]
    fn keys_are_encoded_byte_by_byte() {
        let mut path = String::new();
        encode("a/ b+%ä~", true, &mut path);
        assert_eq!(path, "a/%20b%2B%25%C3%A4~");
        let mut value = String::new();
        encode("a/b=c&d", false, &mut value);
        assert_eq!(value, "a%2Fb%3Dc%26d");
    }
}
