//! An archive in S3, through the AWS SDK.
//!
//! Bytes are taken exactly as stored: the SDK does not decode by `Content-Encoding`. The SDK's own retries are off,
//! because only [`crate::fetch`] can repeat a body that broke off. A bucket's Region is found with HeadBucket.

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
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::aws::Aws;
use super::{Body, DigestMetadata, ListRequest, Listed, ObjectRef, Page, Source, SourceError};

/// How long a body may go without a byte before the transfer counts as broken.
const NO_PROGRESS: Duration = Duration::from_secs(10);

/// Buckets, each with a client in its own Region.
#[derive(Debug)]
pub struct S3Source {
    aws: Aws,
    no_progress: Duration,
    clients: Mutex<BTreeMap<String, Arc<Client>>>,
    /// The archive's own bucket, which nearly every request is for.
    main: (String, Arc<Client>),
}

impl S3Source {
    /// Finds a bucket's Region.
    ///
    /// # Errors
    /// [`SourceError::NoSuchPlace`] when there is no such bucket; any other when it cannot be reached.
    pub async fn connect(aws: &Aws, bucket: &str) -> Result<Self, SourceError> {
        let client = Arc::new(client_for(aws, bucket).await?);
        let main = (bucket.to_owned(), client);
        Ok(Self { aws: aws.clone(), no_progress: NO_PROGRESS, clients: Mutex::default(), main })
    }

    /// Takes the configured Region for the bucket's: for when its own could not be found out.
    pub fn in_configured_region(aws: &Aws, bucket: &str) -> Self {
        let main = (bucket.to_owned(), Arc::new(client_in(aws, None)));
        Self { aws: aws.clone(), no_progress: NO_PROGRESS, clients: Mutex::default(), main }
    }

    /// The same with another limit on how long a body may go without a byte.
    #[must_use]
    pub fn with_no_progress_limit(self, no_progress: Duration) -> Self {
        Self { no_progress, ..self }
    }

    async fn client(&self, bucket: &str) -> Result<Arc<Client>, SourceError> {
        if bucket == self.main.0 {
            return Ok(self.main.1.clone());
        }
        let mut clients = self.clients.lock().await;
        if let Some(client) = clients.get(bucket) {
            return Ok(client.clone());
        }
        let client = Arc::new(client_for(&self.aws, bucket).await?);
        clients.insert(bucket.to_owned(), client.clone());
        Ok(client)
    }

    async fn get(&self, object: &ObjectRef) -> Result<GetObjectOutput, SourceError> {
        let client = self.client(&object.bucket).await?;
        let request = client
            .get_object()
            .bucket(&*object.bucket)
            .key(&object.key)
            .set_expected_bucket_owner(self.aws.expected_bucket_owner.clone());
        request.send().await.map_err(|failure| error::map(failure, &object.bucket))
    }

    /// Reads a body to its end, which must come after exactly `length` bytes.
    async fn body(&self, mut body: ByteStream, length: Option<i64>) -> Result<Bytes, SourceError> {
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
                    let mut whole = BytesMut::with_capacity(usize::try_from(length.unwrap_or(0)).unwrap_or(0));
                    whole.extend_from_slice(&only);
                    whole.extend_from_slice(&piece);
                    pieces = Some(whole);
                }
            }
        }
        let bytes = pieces.map_or(only, BytesMut::freeze);
        match length.and_then(|length| usize::try_from(length).ok()) {
            Some(expected) if expected != bytes.len() => {
                let detail = format!("{} of {expected} bytes arrived", bytes.len());
                Err(SourceError::Broken { detail })
            }
            _ => Ok(bytes),
        }
    }
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
        let client = self.client(request.bucket).await?;
        let call = client
            .list_objects_v2()
            .bucket(request.bucket)
            .prefix(request.prefix)
            .set_delimiter(request.by_folder.then(|| "/".to_owned()))
            .set_continuation_token(request.continuation.map(str::to_owned))
            .set_expected_bucket_owner(self.aws.expected_bucket_owner.clone());
        let answer = call.send().await.map_err(|failure| error::map(failure, request.bucket))?;
        let objects = answer.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let size = u64::try_from(object.size.unwrap_or(0)).unwrap_or(0);
            Some(Listed { key: object.key?, size })
        });
        let folders = answer.common_prefixes.unwrap_or_default().into_iter().filter_map(|folder| folder.prefix);
        let next = answer.next_continuation_token.filter(|_| answer.is_truncated == Some(true));
        if answer.is_truncated == Some(true) && (next.is_none() || next.as_deref() == request.continuation) {
            return Err(SourceError::Other { detail: "the listing goes on but does not say where".into() });
        }
        Ok(Page { objects: objects.collect(), folders: folders.collect(), next })
    }

    async fn read(&self, object: &ObjectRef) -> Result<Body, SourceError> {
        let answer = self.get(object).await?;
        let length = answer.content_length();
        Ok(Body::Bytes(self.body(answer.body, length).await?))
    }

    async fn read_digest(&self, object: &ObjectRef) -> Result<(Body, DigestMetadata), SourceError> {
        let answer = self.get(object).await?;
        let length = answer.content_length();
        let pairs = answer.metadata().into_iter().flatten();
        let metadata = DigestMetadata::from_pairs(pairs.map(|(name, value)| (name.as_str(), value.as_str())));
        Ok((Body::Bytes(self.body(answer.body, length).await?), metadata))
    }
}
