//! Access to AWS: what the SDK's default chain resolves, with what the AWS CLI takes up besides (`settings`).
//!
//! One configuration serves the archive's bucket, the table's bucket and CloudTrail's keys.

mod credentials;
pub mod endpoint;
pub mod keys;
mod settings;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_s3::config::SharedCredentialsProvider;
use tokio::sync::OnceCell;

pub(super) use self::credentials::{NOT_RENEWED, Renewed};
use self::settings::Settings;
use self::tls::Trust;
pub(super) use self::tls::Way;
use super::SourceError;
use super::s3::error::chain;

/// How to reach AWS, beyond what environment and shared configuration say.
#[derive(Debug, Clone, Default)]
pub struct AwsOptions {
    /// Profile of the shared configuration that was typed: it beats keys in the environment.
    pub profile: Option<String>,
    /// Profile that the environment names.
    pub ambient_profile: Option<String>,
    /// File of certificates that the environment names.
    pub ca_bundle: Option<PathBuf>,
    /// Role to assume.
    pub role_arn: Option<String>,
    /// Endpoint for every service.
    pub endpoint_url: Option<String>,
    /// The account that the archive's bucket must belong to.
    pub expected_bucket_owner: Option<String>,
}

/// Resolved access to AWS.
#[derive(Debug, Clone)]
pub struct Aws {
    pub(super) config: SdkConfig,
    pub(super) path_style: bool,
    pub(super) expected_bucket_owner: Option<String>,
    pub(super) trust: Trust,
    /// The same credentials for all, where any source of them is configured.
    pub(super) credentials: Option<Renewed>,
}

/// Access to AWS, resolved when it is first needed: that reads certificates and configuration and may ask the machine's own
/// metadata service, which nobody should wait for who asks nothing of AWS.
#[derive(Debug)]
pub struct AwsOnDemand {
    options: AwsOptions,
    resolved: OnceCell<Result<Aws, SourceError>>,
}

/// The Region to start from where none is configured; buckets are found in their own.
const FALLBACK_REGION: &str = "us-east-1";

impl AwsOnDemand {
    /// Access that is not resolved yet.
    pub fn new(options: AwsOptions) -> Self {
        Self { options, resolved: OnceCell::new() }
    }

    /// Checks what was typed, without asking AWS anything.
    ///
    /// # Errors
    /// [`SourceError::Configuration`] when no file holds the profile that was typed.
    pub async fn check(&self) -> Result<(), SourceError> {
        if self.options.profile.is_some() { Settings::read(&self.options).await.map(drop) } else { Ok(()) }
    }

    /// The access, resolved by whoever asks first.
    ///
    /// # Errors
    /// [`SourceError::Configuration`], the same each time.
    pub async fn get(&self) -> Result<&Aws, SourceError> {
        self.resolved.get_or_init(|| Aws::load(self.options.clone())).await.as_ref().map_err(Clone::clone)
    }
}

impl Aws {
    /// Resolves configuration. Credentials are looked for only when they are first needed.
    ///
    /// # Errors
    /// [`SourceError::Configuration`] when a profile or a file of certificates cannot be used.
    pub async fn load(options: AwsOptions) -> Result<Self, SourceError> {
        let settings = Settings::read(&options).await?;
        let trust = match settings.ca_bundle(&options) {
            Some(file) => Trust::only(&file)?,
            None => Trust::default(),
        };
        let mut config = loader(&options, &trust).await.load().await;
        if let Some(role) = &options.role_arn {
            // An endpoint that was typed is where buckets and keys are; STS is asked at its own.
            let asked = AwsOptions { endpoint_url: None, ..options.clone() };
            let sts = loader(&asked, &trust).await.load().await;
            let provider = AssumeRoleProvider::builder(role).session_name("trailproof").configure(&sts).build().await;
            config = config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
        }
        let path_style = settings.path_style(&config);
        let expected_bucket_owner = options.expected_bucket_owner;
        Ok(Self { config, path_style, expected_bucket_owner, trust, credentials: None }.with_renewal())
    }

    /// Access with a configuration that is resolved already; `path_style` for endpoints that are not AWS's.
    pub fn from_config(config: SdkConfig, path_style: bool) -> Self {
        let trust = Trust::default();
        let config = match config.http_client() {
            Some(_) => config,
            None => config.into_builder().http_client(trust.client()).build(),
        };
        Self { config, path_style, expected_bucket_owner: None, trust, credentials: None }.with_renewal()
    }

    /// Lets every client share one set of credentials, and the time at which they are renewed.
    fn with_renewal(self) -> Self {
        let Some(source) = self.config.credentials_provider() else { return self };
        let renewed = Renewed::new(source, self.config.time_source().unwrap_or_default());
        let shared = SharedCredentialsProvider::new(renewed.clone());
        let config = self.config.into_builder().credentials_provider(shared).build();
        Self { config, credentials: Some(renewed), ..self }
    }
}

/// What resolves the SDK's own settings.
async fn loader(options: &AwsOptions, trust: &Trust) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(Duration::from_secs(30))
        .build();
    let profile = options.profile.as_ref().or(options.ambient_profile.as_ref());
    let client = trust.client();
    let settings = ProviderConfig::without_region().with_http_client(client.clone());
    let mut of_profile = ProfileFileRegionProvider::builder().configure(&settings);
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client.clone());
    if let Some(profile) = profile {
        of_profile = of_profile.profile_name(profile);
        loader = loader.profile_name(profile);
    }
    // The SDK's own chain has no client that asks the instance.
    let regions = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(of_profile.build())
        .or_else(ImdsRegionProvider::builder().configure(&settings).build())
        .or_else(FALLBACK_REGION);
    let region = regions.region().await;
    if let Some(typed) = &options.profile {
        let config = ProviderConfig::without_region()
            .with_region(region.clone())
            .with_http_client(client)
            .with_behavior_version(Some(BehaviorVersion::latest()));
        loader = loader.credentials_provider(credentials::of_profile(typed, &config));
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let patience = IdentityCache::lazy().load_timeout(credentials::LONGEST).build();
    loader.region(region).timeout_config(timeouts).identity_cache(patience)
}
