//! An archive in S3: the AWS SDK finds the way to a bucket, requests go that way by themselves (`access`).
//!
//! Bytes are taken exactly as stored: nothing is decoded by `Content-Encoding`. Nothing is tried twice here, because only
//! [`crate::fetch`] can repeat a body that broke off. A bucket's Region is found with HeadBucket.

mod access;
mod answer;
pub mod destination;
pub mod error;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Region as SdkRegion, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::{Bytes, BytesMut};
use tokio::sync::Mutex;
use tokio::time::timeout;

use self::access::Access;
use super::aws::Aws;
use super::{Body, DigestMetadata, ListRequest, ObjectRef, Page, Source, SourceError};

/// Room that an announced length is taken at its word for.
const MAX_RESERVED: usize = 64 << 20;

/// How long a body may go without a byte before the transfer counts as broken.
const NO_PROGRESS: Duration = Duration::from_secs(10);

/// Buckets, each asked in its own Region.
#[derive(Debug)]
pub struct S3Source {
    aws: Aws,
    no_progress: Duration,
    others: Mutex<BTreeMap<String, Arc<Access>>>,
    /// The archive's own bucket, which nearly every request is for.
    main: (String, Arc<Access>),
}

impl S3Source {
    /// Finds a bucket's Region.
    ///
    /// # Errors
    /// [`SourceError::NoSuchPlace`] when there is no such bucket; any other when it cannot be reached.
    pub async fn connect(aws: &Aws, bucket: &str) -> Result<Self, SourceError> {
        let main = (bucket.to_owned(), Arc::new(access_to(aws, bucket).await?));
        Ok(Self { aws: aws.clone(), no_progress: NO_PROGRESS, others: Mutex::default(), main })
    }

    /// Takes the configured Region for the bucket's: for when its own could not be found out.
    ///
    /// # Errors
    /// [`SourceError`] when that Region has no way to the bucket.
    pub async fn in_configured_region(aws: &Aws, bucket: &str) -> Result<Self, SourceError> {
        let access = Access::learn(aws, &client_in(aws, None), bucket).await?;
        Ok(Self {
            aws: aws.clone(),
            no_progress: NO_PROGRESS,
            others: Mutex::default(),
            main: (bucket.to_owned(), Arc::new(access)),
        })
    }

    /// The same with another limit on how long a body may go without a byte.
    #[must_use]
    pub fn with_no_progress_limit(self, no_progress: Duration) -> Self {
        Self { no_progress, ..self }
    }

    async fn access(&self, bucket: &str) -> Result<Arc<Access>, SourceError> {
        if bucket == self.main.0 {
            return Ok(self.main.1.clone());
        }
        let mut others = self.others.lock().await;
        if let Some(access) = others.get(bucket) {
            return Ok(access.clone());
        }
        // Apart, so that a request for the archive's own bucket does not carry room for this.
        let access = Arc::new(Box::pin(access_to(&self.aws, bucket)).await?);
        others.insert(bucket.to_owned(), access.clone());
        Ok(access)
    }

    async fn get(&self, object: &ObjectRef) -> Result<HttpResponse, SourceError> {
        self.access(&object.bucket).await?.object(&object.key).await
    }

    /// Reads a body to its end, which must come after as many bytes as were announced.
    async fn body(&self, answer: HttpResponse) -> Result<Bytes, SourceError> {
        let length = answer.headers().get("content-length").and_then(|length| length.parse::<usize>().ok());
        let mut body = ByteStream::new(answer.into_body());
        let mut pieces: Option<BytesMut> = None;
        let mut only = Bytes::new();
        loop {
            let piece = match timeout(self.no_progress, body.next()).await {
                Err(_) => {
                    let detail = format!("no byte for {:?}", self.no_progress);
                    return Err(SourceError::Broken { detail });
                }
                Ok(None) => break,
                Ok(Some(Err(error))) => return Err(SourceError::Broken { detail: error::chain(&error) }),
                Ok(Some(Ok(piece))) => piece,
            };
            match &mut pieces {
                Some(whole) => whole.extend_from_slice(&piece),
                None if only.is_empty() => only = piece,
                None => {
                    let mut whole = BytesMut::with_capacity(length.unwrap_or(0).min(MAX_RESERVED));
                    whole.extend_from_slice(&only);
                    whole.extend_from_slice(&piece);
                    pieces = Some(whole);
                }
            }
        }
        let bytes = pieces.map_or(only, BytesMut::freeze);
        match length {
            Some(expected) if expected != bytes.len() => {
                let detail = format!("{} of {expected} bytes arrived", bytes.len());
                Err(SourceError::Broken { detail })
            }
            _ => Ok(bytes),
        }
    }
}

/// The way to a bucket.
async fn access_to(aws: &Aws, bucket: &str) -> Result<Access, SourceError> {
    Access::learn(aws, &client_for(aws, bucket).await?, bucket).await
}

/// A client in the bucket's own Region, with path-style addressing at endpoints that are not AWS's.
fn client_in(aws: &Aws, region: Option<String>) -> Client {
    let mut builder = aws_sdk_s3::config::Builder::from(&aws.config)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .force_path_style(aws.path_style);
    if let Some(region) = region {
        builder = builder.region(SdkRegion::new(region));
    }
    Client::from_conf(builder.build())
}

/// The same, after asking in which Region the bucket lies.
async fn client_for(aws: &Aws, bucket: &str) -> Result<Client, SourceError> {
    let first = client_in(aws, None);
    let head = first.head_bucket().bucket(bucket).set_expected_bucket_owner(aws.expected_bucket_owner.clone());
    let region = match head.send().await {
        Ok(answer) => answer.bucket_region().map(str::to_owned),
        Err(failure) => {
            let told =
                failure.raw_response().and_then(|raw| raw.headers().get("x-amz-bucket-region")).map(str::to_owned);
            let answered = matches!(failure, SdkError::ServiceError(_));
            // An answer that names the Region is enough, and one that refuses will do: whether listing is allowed shows
            // when listing.
            match (told, error::map(failure, bucket)) {
                (_, missing @ SourceError::NoSuchPlace { .. }) => return Err(missing),
                (Some(region), _) => Some(region),
                (None, SourceError::Missing) => {
                    return Err(SourceError::NoSuchPlace { what: format!("bucket {bucket}") });
                }
                (None, SourceError::Denied { .. }) if answered => None,
                (None, error) => return Err(error),
            }
        }
    };
    Ok(match region {
        Some(region) => client_in(aws, Some(region)),
        None => first,
    })
}

impl Source for S3Source {
    const IS_LOCAL: bool = false;

    async fn list(&self, request: ListRequest<'_>) -> Result<Page, SourceError> {
        let parameters = [
            ("prefix", Some(request.prefix)),
            ("delimiter", request.by_folder.then_some("/")),
            ("continuation-token", request.continuation),
            ("start-after", request.after),
        ];
        let access = self.access(request.bucket).await?;
        let xml = self.body(access.listing(&parameters).await?).await?;
        let listing = answer::listing(&xml).map_err(|detail| SourceError::Broken { detail })?;
        let next = listing.page.next.filter(|_| listing.is_truncated);
        if listing.is_truncated && (next.is_none() || next.as_deref() == request.continuation) {
            return Err(SourceError::Other { detail: "the listing goes on but does not say where".into() });
        }
        Ok(Page { next, ..listing.page })
    }

    async fn read(&self, object: &ObjectRef) -> Result<Body, SourceError> {
        Ok(Body::Bytes(self.body(self.get(object).await?).await?))
    }

    async fn read_digest(&self, object: &ObjectRef) -> Result<(Body, DigestMetadata), SourceError> {
        let answer = self.get(object).await?;
        let pairs =
            answer.headers().iter().filter_map(|(name, value)| Some((name.strip_prefix("x-amz-meta-")?, value)));
        let metadata = DigestMetadata::from_pairs(pairs);
        Ok((Body::Bytes(self.body(answer).await?), metadata))
    }
}
