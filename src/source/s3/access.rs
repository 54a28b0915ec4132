//! Signed GET requests to one bucket.
//!
//! The SDK does what takes knowledge: it finds the bucket's Region, its endpoint and credentials. A request then needs
//! only a signature, and goes through the SDK's own connector. The SDK's way from a call to that connector takes twice
//! the CPU time of everything else that a small object costs, and an archive has millions of them.

use std::fmt::Write as _;
use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use tokio::sync::Mutex;

use super::{answer, error};
use crate::source::SourceError;
use crate::source::aws::Aws;

/// How long before they expire credentials are asked for anew.
const MARGIN: Duration = Duration::from_secs(300);

/// An answer that is an error is read up to here.
const MAX_ERROR: usize = 64 << 10;

/// The way to one bucket.
#[derive(Debug)]
pub(super) struct Access {
    bucket: String,
    /// Scheme and host, with the bucket in one or behind the other; no slash at the end.
    base: String,
    region: String,
    expected_owner: Option<String>,
    connector: Connector,
    provider: SharedCredentialsProvider,
    identity: Mutex<Option<Identity>>,
    settings: SigningSettings,
    /// The SDK's: a signature holds for some minutes.
    clock: SharedTimeSource,
}

impl Access {
    /// Learns from `client` where requests for the bucket go and how they are signed.
    pub(super) async fn learn(aws: &Aws, client: &Client, bucket: &str) -> Result<Self, SourceError> {
        let other = |detail: String| SourceError::Other { detail };
        let config = PresigningConfig::expires_in(Duration::from_secs(60)).map_err(|error| other(error.to_string()))?;
        let request = client.get_object().bucket(bucket).key("k").presigned(config);
        let request = request.await.map_err(|failure| error::map(failure, bucket))?;
        let (base, region) = endpoint(request.uri())
            .ok_or_else(|| other(format!("bucket {bucket} asks for signatures that are not made here")))?;
        let provider = aws.config.credentials_provider();
        let provider =
            provider.ok_or_else(|| SourceError::Denied { detail: "no credentials are configured".into() })?;
        let timeouts = aws.config.timeout_config();
        let mut waits = HttpConnectorSettings::builder();
        waits.set_connect_timeout(timeouts.and_then(|timeouts| timeouts.connect_timeout()));
        waits.set_read_timeout(timeouts.and_then(|timeouts| timeouts.read_timeout()));
        let connector = Connector::builder()
            .connector_settings(waits.build())
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build();
        // As S3 wants it: the path is signed as it is sent, and the (empty) body's hash stands in a header.
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        Ok(Self {
            bucket: bucket.to_owned(),
            base: base.to_owned(),
            region: region.to_owned(),
            expected_owner: aws.expected_bucket_owner.clone(),
            connector,
            provider,
            identity: Mutex::default(),
            settings,
            clock: aws.config.time_source().unwrap_or_default(),
        })
    }

    /// Asks for an object; an answer is one that S3 gave with success.
    pub(super) async fn object(&self, key: &str) -> Result<HttpResponse, SourceError> {
        let mut uri = String::with_capacity(self.base.len() + key.len() + 16);
        uri.push_str(&self.base);
        uri.push('/');
        encode(key, true, &mut uri);
        self.send(uri).await
    }

    /// Asks for a page of a listing.
    pub(super) async fn listing(&self, parameters: &[(&str, Option<&str>)]) -> Result<HttpResponse, SourceError> {
        let has_path = self.base.splitn(3, '/').nth(2).is_some_and(|rest| rest.contains('/'));
        let mut uri = format!("{}{}?list-type=2", self.base, if has_path { "" } else { "/" });
        for (name, value) in parameters {
            let Some(value) = value else { continue };
            uri.extend(["&", name, "="]);
            encode(value, false, &mut uri);
        }
        self.send(uri).await
    }

    async fn send(&self, uri: String) -> Result<HttpResponse, SourceError> {
        let identity = self.identity().await?;
        let request = self.signed(&uri, &identity).map_err(|detail| SourceError::Other { detail })?;
        let answer = self.connector.call(request).await;
        let answer = answer.map_err(|error| SourceError::Broken { detail: error::chain(&error) })?;
        let status = answer.status().as_u16();
        if status == 200 {
            return Ok(answer);
        }
        let (mut body, mut text) = (ByteStream::new(answer.into_body()), Vec::new());
        while let Some(Ok(piece)) = body.next().await {
            text.extend_from_slice(&piece);
            if text.len() > MAX_ERROR {
                break;
            }
        }
        let told = answer::failure(&text);
        Err(error::from_answer(status, &told.code, &told.message, &self.bucket))
    }

    fn signed(&self, uri: &str, identity: &Identity) -> Result<HttpRequest, String> {
        let parameters = v4::SigningParams::builder()
            .identity(identity)
            .region(&self.region)
            .name("s3")
            .time(self.clock.now())
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

    /// The credentials at hand, or new ones when these are about to expire.
    async fn identity(&self) -> Result<Identity, SourceError> {
        let mut kept = self.identity.lock().await;
        let soon = self.clock.now() + MARGIN;
        if let Some(identity) = kept.as_ref().filter(|i| i.expiration().is_none_or(|expires| expires > soon)) {
            return Ok(identity.clone());
        }
        let credentials = self.provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| SourceError::Denied { detail: error::chain(&error) })?;
        let identity = Identity::from(credentials);
        *kept = Some(identity.clone());
        Ok(identity)
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
