//! A prefix of a bucket that files are written to, by multipart upload: no reader sees a part of a file.
//!
//! Spec: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use std::hash::{BuildHasher as _, RandomState};

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, ServerSideEncryption};
use aws_sdk_s3::{Client, Config};
use bytes::Bytes;

use super::body::Waits;
use super::{client_for, error};
use crate::source::SourceError;
use crate::source::aws::Aws;

/// One more, with the right time or with newer credentials; what may pass is for the caller to wait out.
const ATTEMPTS: u32 = 2;

/// The name of the metadata by which an upload knows the object that became of it.
const MARK: &str = "trailproof-upload";

/// Where files go.
#[derive(Debug, Clone)]
pub struct Destination {
    client: Client,
    bucket: String,
    prefix: String,
    kms_key: Option<String>,
}

/// An upload that was begun.
#[derive(Debug, Clone)]
pub struct Upload {
    key: String,
    id: String,
    mark: String,
}

/// A part that has arrived.
#[derive(Debug, Clone)]
pub struct Part {
    number: i32,
    tag: Option<String>,
}

impl Destination {
    /// Finds the bucket's Region. With `kms_key`, files are encrypted with that key.
    ///
    /// # Errors
    /// [`SourceError`] when the bucket cannot be reached.
    pub async fn connect(aws: &Aws, bucket: &str, prefix: &str, kms_key: Option<String>) -> Result<Self, SourceError> {
        let client = client_for(aws, bucket).await?;
        let retry = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let config = client.config().to_builder().retry_config(retry).timeout_config(limits(client.config(), 0));
        let client = Client::from_conf(config.build());
        Ok(Self { client, bucket: bucket.to_owned(), prefix: prefix.to_owned(), kms_key })
    }

    /// The address of a path below the prefix.
    pub fn address(&self, path: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(path))
    }

    fn key(&self, path: &str) -> String {
        match self.prefix.trim_end_matches('/') {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        }
    }

    /// Whether anything lies below the prefix: a path that ends in `/` is a folder, with whatever it holds.
    ///
    /// # Errors
    /// [`SourceError`] when the bucket cannot be listed.
    pub async fn holds(&self, path: &str) -> Result<bool, SourceError> {
        let key = self.key(path);
        let call = self.client.list_objects_v2().bucket(&self.bucket).prefix(&key).max_keys(1);
        let answer = call.send().await;
        let answer = answer.map_err(|failure| error::map(failure, &self.bucket))?;
        // The key itself comes before all that begin with it.
        Ok(answer.contents().first().is_some_and(|first| path.ends_with('/') || first.key() == Some(key.as_str())))
    }

    /// Begins an upload.
    ///
    /// # Errors
    /// [`SourceError`] when it is refused.
    pub async fn begin(&self, path: &str) -> Result<Upload, SourceError> {
        let (key, mark) = (self.key(path), new_mark());
        let call = self.client.create_multipart_upload().bucket(&self.bucket).key(&key).metadata(MARK, &mark);
        let call = call
            .set_server_side_encryption(self.kms_key.is_some().then_some(ServerSideEncryption::AwsKms))
            .set_ssekms_key_id(self.kms_key.clone());
        let answer = call.send().await.map_err(|failure| error::map(failure, &self.bucket))?;
        match answer.upload_id {
            Some(id) => Ok(Upload { key, id, mark }),
            None => Err(SourceError::Other { detail: "the upload was begun without an id".to_owned() }),
        }
    }

    /// Uploads a part; numbers count from 1.
    ///
    /// # Errors
    /// [`SourceError`] when it did not arrive.
    pub async fn part(&self, upload: &Upload, number: i32, bytes: Bytes) -> Result<Part, SourceError> {
        let call = self.client.upload_part().bucket(&self.bucket).key(&upload.key).upload_id(&upload.id);
        let limits = Config::builder().timeout_config(limits(self.client.config(), bytes.len()));
        let call = call.part_number(number).body(ByteStream::from(bytes)).customize().config_override(limits);
        let answer = call.send().await.map_err(|failure| error::map(failure, &self.bucket))?;
        Ok(Part { number, tag: answer.e_tag })
    }

    /// Makes one object of the parts, where none of that name is; answers whether it did. An object that an earlier attempt
    /// made, whose answer was lost, is known by its mark.
    ///
    /// # Errors
    /// [`SourceError`] when that fails.
    ///
    /// Spec: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
    pub async fn complete(&self, upload: &Upload, mut parts: Vec<Part>) -> Result<bool, SourceError> {
        parts.sort_by_key(|part| part.number);
        let parts = parts
            .into_iter()
            .map(|Part { number, tag }| CompletedPart::builder().part_number(number).set_e_tag(tag).build());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let call = self.client.complete_multipart_upload().bucket(&self.bucket).key(&upload.key);
        let call = call.upload_id(&upload.id).multipart_upload(parts).if_none_match("*");
        match call.send().await {
            Ok(_) => Ok(true),
            Err(_) if self.is_made(upload).await => Ok(true),
            Err(refused) if matches!(refused.code(), Some("PreconditionFailed" | "ConditionalRequestConflict")) => {
                Ok(false)
            }
            Err(failure) => Err(error::map(failure, &self.bucket)),
        }
    }

    /// Whether the object is there that an upload became. Who may not look does not know, and has not made it.
    async fn is_made(&self, upload: &Upload) -> bool {
        let call = self.client.head_object().bucket(&self.bucket).key(&upload.key);
        let found = call.send().await.ok().and_then(|found| found.metadata);
        found.is_some_and(|metadata| metadata.get(MARK) == Some(&upload.mark))
    }

    /// Gives an upload up; its parts are gone.
    ///
    /// # Errors
    /// [`SourceError`] when that fails; the parts are then kept, and paid for, until a lifecycle rule removes them.
    pub async fn abort(&self, upload: &Upload) -> Result<(), SourceError> {
        let call = self.client.abort_multipart_upload().bucket(&self.bucket).key(&upload.key).upload_id(&upload.id);
        call.send().await.map(drop).map_err(|failure| error::map(failure, &self.bucket))
    }

    /// Deletes the object that an upload became.
    ///
    /// # Errors
    /// [`SourceError`] when that fails.
    pub async fn delete(&self, upload: &Upload) -> Result<(), SourceError> {
        let call = self.client.delete_object().bucket(&self.bucket).key(&upload.key);
        call.send().await.map(drop).map_err(|failure| error::map(failure, &self.bucket))
    }
}

/// How long a request with so many bytes may take. The SDK counts the time in which a body is sent to the wait for its answer,
/// which therefore has no limit of its own.
fn limits(config: &Config, length: usize) -> TimeoutConfig {
    let longest = Waits::default().longest(length);
    let usual = config.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
    usual.disable_read_timeout().operation_attempt_timeout(longest).build()
}

/// A mark that no other upload has.
fn new_mark() -> String {
    let random = || RandomState::new().hash_one(MARK);
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_new() {
        let marks: std::collections::BTreeSet<String> = (0..1000).map(|_| new_mark()).collect();
        assert_eq!(marks.len(), 1000);
    }
}
