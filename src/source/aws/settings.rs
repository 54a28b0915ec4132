//! Settings that the AWS CLI takes up and the SDK does not, or takes from one place only.
//!
//! | setting | here |
//! |---|---|
//! | profile | `--profile`, else the environment's; one that no file holds is an error |
//! | credentials | a profile that was typed beats keys in the environment, one of the environment does not |
//! | Region | environment, then the profile in use, then the machine's own |
//! | addressing of S3 | `s3 addressing_style`; without, the path at any endpoint that was configured |
//! | certificates | `AWS_CA_BUNDLE`, then the profile's `ca_bundle` |
//!
//! Spec: <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>; where that is silent, botocore.

use std::borrow::Cow;
use std::path::PathBuf;

use aws_config::profile::{self, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::SdkConfig;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;

use super::AwsOptions;
use crate::source::SourceError;

/// The profile that is used where none is named.
const DEFAULT: &str = "default";

/// The shared configuration, as the profile in use has it.
pub(super) struct Settings {
    profiles: ProfileSet,
}

impl Settings {
    /// Reads the shared configuration.
    ///
    /// # Errors
    /// [`SourceError::Configuration`] when a file is malformed or does not hold the profile that is named.
    pub(super) async fn read(options: &AwsOptions) -> Result<Self, SourceError> {
        let named = options.profile.as_ref().or(options.ambient_profile.as_ref());
        let wanted = Cow::Owned(named.map_or(DEFAULT, String::as_str).to_owned());
        let profiles = profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), Some(wanted)).await;
        let profiles = profiles.map_err(|error| SourceError::Configuration {
            detail: format!("the shared configuration of AWS cannot be used ({})", super::chain(&error)),
        })?;
        match named {
            Some(named) if profiles.get_profile(named).is_none() => {
                let known = known(&profiles);
                let detail =
                    format!("the profile {named} is not in the shared configuration of AWS, which has {known}");
                Err(SourceError::Configuration { detail })
            }
            _ => Ok(Self { profiles }),
        }
    }

    /// The file of certificates to trust instead of the machine's own.
    pub(super) fn ca_bundle(&self, options: &AwsOptions) -> Option<PathBuf> {
        let of_profile = || self.profiles.get("ca_bundle").filter(|path| !path.is_empty()).map(PathBuf::from);
        options.ca_bundle.clone().or_else(of_profile)
    }

    /// Whether a bucket's name stands in the path of its requests, not in the host.
    pub(super) fn path_style(&self, config: &SdkConfig) -> bool {
        match nested(self.profiles.get("s3").unwrap_or_default(), "addressing_style") {
            Some("path") => true,
            Some("virtual") => false,
            _ => endpoint(config, "S3").is_some(),
        }
    }
}

/// The endpoint that was configured for a service, if it is not to be AWS's own.
fn endpoint(config: &SdkConfig, service_id: &str) -> Option<String> {
    if config.get_origin("endpoint_url").is_client_config() {
        return config.endpoint_url().map(str::to_owned);
    }
    let key = ServiceConfigKey::builder().service_id(service_id).env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let of_service = key.build().ok().and_then(|key| config.service_config()?.load_config(key));
    of_service.or_else(|| config.endpoint_url().map(str::to_owned)).filter(|url| !url.is_empty())
}

/// A value of a nested section such as `s3 =` and indented lines below it.
fn nested<'a>(section: &'a str, name: &str) -> Option<&'a str> {
    let pairs = section.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.trim(), value.trim())).find_map(|(key, value)| (key == name).then_some(value))
}

/// The names of all profiles, for somebody who looks for the right one.
fn known(profiles: &ProfileSet) -> String {
    const SHOWN: usize = 10;
    let mut names: Vec<&str> = profiles.profiles().collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    match (names.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_value_is_found_by_its_name() {
        let section = "\naddressing_style = path\nmax_concurrent_requests=20";
        assert_eq!(nested(section, "addressing_style"), Some("path"));
        assert_eq!(nested(section, "max_concurrent_requests"), Some("20"));
        assert_eq!(nested(section, "addressing"), None);
        assert_eq!(nested("", "addressing_style"), None);
    }
}
