//! Access to AWS by the SDK's own default chain, and CloudTrail's public keys.

use std::collections::BTreeSet;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_s3::config::{Region as SdkRegion, SharedCredentialsProvider};
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::OnceCell;

use super::SourceError;
use super::s3::error;
use crate::archive::ids::Region;

/// How to reach AWS, beyond what environment and shared configuration say.
#[derive(Debug, Clone, Default)]
pub struct AwsOptions {
    /// Profile of the shared configuration.
    pub profile: Option<String>,
    /// Role to assume.
    pub role_arn: Option<String>,
    /// Endpoint for every service.
    pub endpoint_url: Option<String>,
    /// Whether S3 has an endpoint of its own in the environment (`AWS_ENDPOINT_URL_S3`).
    pub has_s3_endpoint: bool,
    /// The account that the bucket must belong to.
    pub expected_bucket_owner: Option<String>,
}

/// Resolved access to AWS.
#[derive(Debug, Clone)]
pub struct Aws {
    pub(super) config: SdkConfig,
    pub(super) path_style: bool,
    pub(super) expected_bucket_owner: Option<String>,
}

/// Access to AWS, resolved when it is first needed: that reads certificates and configuration and may ask the machine's own
/// metadata service, which nobody should wait for who asks nothing of AWS.
#[derive(Debug)]
pub struct AwsOnDemand {
    options: AwsOptions,
    resolved: OnceCell<Aws>,
}

/// A public key as CloudTrail gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedKey {
    /// MD5 of the DER, hex.
    pub fingerprint: String,
    /// PKCS#1 or SubjectPublicKeyInfo.
    pub der: Vec<u8>,
    /// First moment at which CloudTrail signs with it.
    pub valid_from: Timestamp,
    /// Last such moment.
    pub valid_to: Timestamp,
}

/// The Region to start from where none is configured; buckets are found in their own.
const FALLBACK_REGION: &str = "us-east-1";

/// Pages of keys after which the answers are taken to go in circles.
const MAX_PAGES: usize = 1000;

impl AwsOnDemand {
    /// Access that is not resolved yet.
    pub fn new(options: AwsOptions) -> Self {
        Self { options, resolved: OnceCell::new() }
    }

    /// The access, resolved by whoever asks first.
    pub async fn get(&self) -> &Aws {
        self.resolved.get_or_init(|| Aws::load(self.options.clone())).await
    }
}

impl Aws {
    /// Resolves configuration. Credentials are looked for only when they are first needed.
    pub async fn load(options: AwsOptions) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(10))
            .operation_attempt_timeout(Duration::from_secs(30))
            .build();
        let region = aws_config::meta::region::RegionProviderChain::default_provider().or_else(FALLBACK_REGION);
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region).timeout_config(timeouts);
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &options.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let mut config = loader.load().await;
        if let Some(role) = &options.role_arn {
            let provider =
                AssumeRoleProvider::builder(role).session_name("trailproof").configure(&config).build().await;
            config = config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
        }
        let path_style = options.has_s3_endpoint || config.endpoint_url().is_some();
        Self { config, path_style, expected_bucket_owner: options.expected_bucket_owner }
    }

    /// Access with a configuration that is resolved already; `path_style` for endpoints that are not AWS's.
    pub fn from_config(config: SdkConfig, path_style: bool) -> Self {
        Self { config, path_style, expected_bucket_owner: None }
    }

    /// The keys that CloudTrail signed with in a Region between two times.
    ///
    /// # Errors
    /// [`SourceError`] when CloudTrail could not be asked.
    ///
    /// Spec: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html>
    pub async fn public_keys(
        &self,
        region: &Region,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<FetchedKey>, SourceError> {
        let config = aws_sdk_cloudtrail::config::Builder::from(&self.config)
            .region(SdkRegion::new(region.to_string()))
            .retry_config(RetryConfig::standard().with_max_attempts(4))
            .build();
        let client = aws_sdk_cloudtrail::Client::from_conf(config);
        let (mut keys, mut tokens, mut token) = (Vec::new(), BTreeSet::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let request = client
                .list_public_keys()
                .start_time(DateTime::from_secs(from.as_second()))
                .end_time(DateTime::from_secs(to.as_second()))
                .set_next_token(token.clone());
            let page = request.send().await.map_err(|failure| error::map(failure, region.as_str()))?;
            for key in page.public_key_list() {
                let bound = |time: Option<&DateTime>, missing| {
                    time.and_then(|time| Timestamp::from_second(time.secs()).ok()).unwrap_or(missing)
                };
                let Some((fingerprint, der)) = key.fingerprint().zip(key.value()) else { continue };
                keys.push(FetchedKey {
                    fingerprint: fingerprint.to_owned(),
                    der: der.as_ref().to_vec(),
                    valid_from: bound(key.validity_start_time(), Timestamp::MIN),
                    valid_to: bound(key.validity_end_time(), Timestamp::MAX),
                });
            }
            token = page.next_token().filter(|next| !next.is_empty()).map(str::to_owned);
            match &token {
                Some(next) if tokens.insert(next.clone()) => {}
                _ => return Ok(keys),
            }
        }
        Ok(keys)
    }
}
