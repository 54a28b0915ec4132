//! An archive in S3: the AWS SDK finds the way to a bucket, requests go that way by themselves (`access`).
//!
//! Bytes are taken exactly as stored: nothing is decoded by `Content-Encoding`. Nothing is tried twice here, because only
//! [`crate::fetch`] can repeat a body that broke off; but a question that S3 says was wrong (in another Region, at another
//! time, with credentials that have expired) is put right and asked again. A bucket's Region is found with HeadBucket.

mod access;
mod answer;
mod body;
pub mod destination;
pub mod error;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{
    ConfigBag, Intercept, Region as SdkRegion, RequestChecksumCalculation, ResponseChecksumValidation,
    RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{BoxError, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::SignedDuration;
use tokio::sync::Mutex;

use self::access::{Access, Ask, Standing};
use self::body::{Refusal, Waits};
use super::aws::Aws;
use super::{Body, DigestMetadata, ListRequest, ObjectRef, Page, Source, SourceError};
use trailproof_proof::archive::ids::Region;

/// Bytes of a page of a listing: a thousand keys of 1 KiB, each character of which may be escaped.
const MAX_PAGE: u64 = 16 << 20;

/// How often one question is put right.
const MENDS: usize = 3;

/// What S3 names each of its answers by.
const REQUEST_ID: &str = "x-amz-request-id";

/// Between the last name of a page and S3's token, in what the page says of the next.
const TOKEN_BEHIND: char = '\0';

/// Buckets, each asked in its own Region.
#[derive(Debug)]
pub struct S3Source {
    aws: Aws,
    waits: Waits,
    others: Mutex<BTreeMap<String, Arc<Access>>>,
    /// The archive's own bucket, which nearly every request is for.
    main: (String, RwLock<Arc<Access>>),
    /// How far S3's clock is ahead, by its first answer.
    clock_offset: OnceLock<SignedDuration>,
    /// Whether whoever lists here gives each answer a name of its own, as S3 does.
    names_answers: OnceLock<bool>,
}

impl S3Source {
    /// Finds a bucket's Region.
    ///
    /// # Errors
    /// [`SourceError::NoSuchPlace`] when there is no such bucket; any other when it cannot be reached.
    pub async fn connect(aws: &Aws, bucket: &str) -> Result<Self, SourceError> {
        let owner = aws.expected_bucket_owner.as_deref();
        let (client, clock_offset) = find(aws, bucket, owner).await?;
        Self::through(aws, &client, bucket, clock_offset).await
    }

    /// Takes the configured Region for the bucket's: for when its own could not be found out.
    ///
    /// # Errors
    /// [`SourceError`] when that Region has no way to the bucket.
    pub async fn in_configured_region(aws: &Aws, bucket: &str) -> Result<Self, SourceError> {
        Self::through(aws, &client_in(aws, None), bucket, None).await
    }

    async fn through(
        aws: &Aws,
        client: &Client,
        bucket: &str,
        offset: Option<SignedDuration>,
    ) -> Result<Self, SourceError> {
        let owner = aws.expected_bucket_owner.as_deref();
        let main = (bucket.to_owned(), RwLock::new(Arc::new(Access::learn(aws, client, bucket, owner).await?)));
        let clock_offset = offset.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Self {
            aws: aws.clone(),
            waits: Waits::default(),
            others: Mutex::default(),
            main,
            clock_offset,
            names_answers: OnceLock::new(),
        })
    }

    /// The same with another limit on how long a body may go without a byte.
    #[must_use]
    pub fn with_no_progress_limit(self, no_progress: Duration) -> Self {
        Self { waits: Waits { no_progress, ..self.waits }, ..self }
    }

    async fn access(&self, bucket: &str) -> Result<Arc<Access>, SourceError> {
        if bucket == self.main.0 {
            return Ok(self.main.1.read().unwrap_or_else(PoisonError::into_inner).clone());
        }
        let mut others = self.others.lock().await;
        if let Some(access) = others.get(bucket) {
            return Ok(access.clone());
        }
        // Apart, so that a request for the archive's own bucket does not carry room for this.
        let access = Arc::new(Box::pin(access_to(&self.aws, bucket, None)).await?);
        others.insert(bucket.to_owned(), access.clone());
        Ok(access)
    }

    /// Asks a bucket; what comes back is a success.
    async fn ask(&self, bucket: &str, what: Ask<'_>) -> Result<HttpResponse, SourceError> {
        let mut mends = 0;
        loop {
            let access = self.access(bucket).await?;
            let signed = access.standing();
            let answer = access.ask(what).await?;
            if self.clock_offset.get().is_none()
                && let Some(offset) = body::clock_offset(answer.headers(), access.clock())
            {
                // Whoever was first has told as well.
                let _ = self.clock_offset.set(offset);
            }
            if answer.status().as_u16() == 200 {
                if self.names_answers.get() == Some(&true) && !has_name(&answer) {
                    // A portal or a proxy greets with success too.
                    let detail = format!("an answer without {REQUEST_ID}, which is not S3's");
                    return Err(SourceError::Broken { detail });
                }
                return Ok(answer);
            }
            mends += 1;
            // Apart, as above.
            Box::pin(self.refused(bucket, &access, signed, answer, mends)).await?;
        }
    }

    /// Reads a refusal; `Ok` when its cause was mended, so that the same may be asked again.
    async fn refused(
        &self,
        bucket: &str,
        access: &Access,
        signed: Standing,
        answer: HttpResponse,
        mends: usize,
    ) -> Result<(), SourceError> {
        let refusal = Refusal::read(answer, self.waits, access.clock()).await?;
        let is_mended = if mends > MENDS {
            false
        } else if let Some(region) = refusal.region().and_then(|region| region.parse::<Region>().ok()) {
            self.move_to(bucket, access, &region).await?
        } else if let Some(offset) = refusal.clock_offset.filter(|_| refusal.is_of_time()) {
            access.correct_clock(offset, signed)
        } else if refusal.is_of_age() && mends == 1 {
            access.forget_credentials(signed);
            true
        } else {
            false
        };
        if is_mended { Ok(()) } else { Err(refusal.error(bucket)) }
    }

    /// Asks a bucket in another Region from now on; tells whether it is another.
    async fn move_to(&self, bucket: &str, from: &Access, region: &Region) -> Result<bool, SourceError> {
        if from.region() == region.as_str() {
            return Ok(false);
        }
        let client = client_in(&self.aws, Some(region.to_string()));
        let owner = self.aws.expected_bucket_owner.as_deref().filter(|_| bucket == self.main.0);
        let access = Arc::new(Access::learn(&self.aws, &client, bucket, owner).await?);
        if bucket == self.main.0 {
            *self.main.1.write().unwrap_or_else(PoisonError::into_inner) = access;
        } else {
            self.others.lock().await.insert(bucket.to_owned(), access);
        }
        Ok(true)
    }
}

/// The way to a bucket, which must belong to `owner` where one is named.
async fn access_to(aws: &Aws, bucket: &str, owner: Option<&str>) -> Result<Access, SourceError> {
    Access::learn(aws, &find(aws, bucket, owner).await?.0, bucket, owner).await
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

/// Notes how far the clock of whoever answers is ahead.
#[derive(Debug, Default)]
struct ClockWatch(Arc<OnceLock<SignedDuration>>);

impl Intercept for ClockWatch {
    fn name(&self) -> &'static str {
        "ClockWatch"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let now = components.time_source().unwrap_or_default().now();
        if let Some(offset) = body::clock_offset(context.response().headers(), now) {
            // The first answer has told as well.
            let _ = self.0.set(offset);
        }
        Ok(())
    }
}

/// A client in the bucket's own Region, which is asked for.
async fn client_for(aws: &Aws, bucket: &str) -> Result<Client, SourceError> {
    find(aws, bucket, None).await.map(|(client, _)| client)
}

/// Asks in which Region a bucket lies: a client there, and how far the clock of whoever answered is ahead.
async fn find(aws: &Aws, bucket: &str, owner: Option<&str>) -> Result<(Client, Option<SignedDuration>), SourceError> {
    let first = client_in(aws, None);
    let clock = Arc::default();
    let head = first.head_bucket().bucket(bucket).set_expected_bucket_owner(owner.map(str::to_owned));
    let head = head.customize().interceptor(ClockWatch(Arc::clone(&clock)));
    let region = match head.send().await {
        Ok(answer) => answer.bucket_region().map(str::to_owned),
        Err(failure) => {
            let raw = failure.raw_response();
            let told = raw.and_then(|raw| raw.headers().get("x-amz-bucket-region")).map(str::to_owned);
            if raw.is_some_and(|raw| raw.status().as_u16() == 404 && has_name(raw)) {
                return Err(SourceError::NoSuchPlace { what: format!("bucket {bucket}") });
            }
            let answered = matches!(failure, SdkError::ServiceError(_));
            // An answer that names the Region is enough, and one that refuses will do: whether listing is allowed shows
            // when listing.
            match (told, error::map(failure, bucket)) {
                (Some(region), _) => Some(region),
                // A refusal of HeadBucket has no words; those of the listing will say why.
                (None, error) if answered && !matches!(error, SourceError::Unavailable { .. }) => None,
                (None, error) => return Err(error),
            }
        }
    };
    let client = match region {
        Some(region) => client_in(aws, Some(region)),
        None => first,
    };
    Ok((client, clock.get().copied()))
}

fn has_name(answer: &HttpResponse) -> bool {
    answer.headers().contains_key(REQUEST_ID)
}

/// What a page says of the next: behind which name it goes on, and S3's token.
fn next_page(page: &Page, after: &str, token: &str) -> String {
    let last = [page.objects.last().map(|object| &object.key), page.folders.last()].into_iter().flatten().max();
    format!("{}{TOKEN_BEHIND}{token}", last.map_or(after, String::as_str))
}

/// Whether a page holds what was asked for, in order and behind the page before: else a listing might go in circles, or
/// leave out what nobody would miss.
fn is_in_order(page: &Page, request: &ListRequest<'_>, after: &str) -> bool {
    let fits = |name: &str| name.starts_with(request.prefix);
    let objects = || page.objects.iter().map(|object| object.key.as_str());
    let folders = || page.folders.iter().map(String::as_str);
    objects().is_sorted_by(|a, b| a < b)
        && folders().is_sorted_by(|a, b| a < b)
        && objects().chain(folders()).all(fits)
        && objects().next().is_none_or(|first| after.is_empty() || first > after)
        && folders().next().is_none_or(|first| after.is_empty() || first > after)
}

impl Source for S3Source {
    const IS_LOCAL: bool = false;

    fn server_time_offset(&self) -> Option<SignedDuration> {
        self.clock_offset.get().copied()
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<Page, SourceError> {
        let (after, token) = match request.continuation.map(|next| next.split_once(TOKEN_BEHIND).unwrap_or(("", next)))
        {
            Some((after, token)) => (after, Some(token)),
            None => (request.after.unwrap_or_default(), None),
        };
        let parameters = [
            ("prefix", Some(request.prefix)),
            ("delimiter", request.by_folder.then_some("/")),
            ("continuation-token", token),
            ("start-after", request.after),
        ];
        let answer = self.ask(request.bucket, Ask::Listing(&parameters)).await?;
        let is_named = has_name(&answer);
        let xml = body::read(answer, self.waits, MAX_PAGE).await?;
        let mut page = answer::listing(&xml)?;
        // A whole listing is S3's own: what it bears, every later answer has to bear.
        self.names_answers.get_or_init(|| is_named);
        if page.next.is_some() && page.next.as_deref() == token {
            return Err(SourceError::Other { detail: "the listing goes on where it is".into() });
        }
        if !is_in_order(&page, &request, after) {
            let detail = "the listing has names that were not asked for, or that are out of order".into();
            return Err(SourceError::Other { detail });
        }
        page.next = page.next.take().map(|token| next_page(&page, after, &token));
        Ok(page)
    }

    async fn read(&self, object: &ObjectRef, limit: u64) -> Result<Body, SourceError> {
        let answer = self.ask(&object.bucket, Ask::Object(&object.key)).await?;
        Ok(Body::Bytes(body::read(answer, self.waits, limit).await?))
    }

    async fn read_digest(&self, object: &ObjectRef, limit: u64) -> Result<(Body, DigestMetadata), SourceError> {
        let answer = self.ask(&object.bucket, Ask::Object(&object.key)).await?;
        let pairs =
            answer.headers().iter().filter_map(|(name, value)| Some((name.strip_prefix("x-amz-meta-")?, value)));
        let metadata = DigestMetadata::from_pairs(pairs);
        Ok((Body::Bytes(body::read(answer, self.waits, limit).await?), metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Listed;

    #[test]
    fn a_page_out_of_order_is_none() {
        let page = |objects: &[&str], folders: &[&str]| Page {
            objects: objects.iter().map(|key| Listed { key: (*key).to_owned(), size: 0 }).collect(),
            folders: folders.iter().map(|&folder| folder.to_owned()).collect(),
            ..Page::default()
        };
        let request = ListRequest { bucket: "b", prefix: "p/", by_folder: true, continuation: None, after: None };
        let fits = |objects: &[&str], folders: &[&str]| is_in_order(&page(objects, folders), &request, "p/c");
        assert!(fits(&[], &[]));
        assert!(fits(&["p/d", "p/e"], &["p/c/", "p/f/"]));
        for (objects, folders) in
            [(&["p/e", "p/d"][..], &[][..]), (&["p/d", "p/d"], &[]), (&["q/d"], &[]), (&["p/c"], &[]), (&[], &["p/b/"])]
        {
            assert!(!fits(objects, folders), "{objects:?} {folders:?}");
        }
        assert_eq!(next_page(&page(&["p/d"], &["p/f/"]), "p/c", "t"), "p/f/\0t");
        assert_eq!(next_page(&Page::default(), "p/c", "t"), "p/c\0t");
    }
}
