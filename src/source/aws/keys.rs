//! Asks CloudTrail for its public keys, and notes who answered whom.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_sdk_cloudtrail::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_cloudtrail::config::{ConfigBag, Intercept, Region as SdkRegion, RuntimeComponents};
use aws_sdk_cloudtrail::primitives::DateTime;
use jiff::Timestamp;

use super::{Aws, endpoint};
use crate::source::SourceError;
use crate::source::s3::error;
use trailproof_proof::archive::ids::Region;

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

/// Keys, and who gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// All keys of the time that was asked for.
    pub keys: Vec<FetchedKey>,
    /// Scheme and host that answered.
    pub endpoint: String,
    /// The access key id that the requests were signed with.
    pub caller: Option<String>,
}

/// Pages of keys after which the answers are taken to have no end.
const MAX_PAGES: usize = 1000;

/// Notes where a request went and who signed it, as it was sent.
#[derive(Debug, Clone, Default)]
struct Witness(Arc<Mutex<Seen>>);

#[derive(Debug, Clone, Default)]
struct Seen {
    endpoint: String,
    caller: Option<String>,
}

impl Intercept for Witness {
    fn name(&self) -> &'static str {
        "Witness"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), aws_sdk_cloudtrail::error::BoxError> {
        let request = context.request();
        let caller = request.headers().get("authorization").and_then(caller).map(str::to_owned);
        let seen = Seen { endpoint: endpoint::origin(request.uri()), caller };
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = seen;
        Ok(())
    }
}

/// The access key id of a signature.
fn caller(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=")?.1.split('/').next().filter(|id| !id.is_empty())
}

impl Aws {
    /// The keys that CloudTrail signed with in a Region between two times.
    ///
    /// # Errors
    /// [`SourceError`] when CloudTrail could not be asked.
    ///
    /// Spec: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html>
    pub async fn public_keys(&self, region: &Region, from: Timestamp, to: Timestamp) -> Result<Fetched, SourceError> {
        let witness = Witness::default();
        let config = aws_sdk_cloudtrail::config::Builder::from(&self.config)
            .region(SdkRegion::new(region.to_string()))
            // One more, with the right time or with newer credentials; what may pass is for the caller to wait out.
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .interceptor(witness.clone())
            .build();
        let client = aws_sdk_cloudtrail::Client::from_conf(config);
        let (mut keys, mut tokens, mut token) = (Vec::new(), BTreeSet::new(), None::<String>);
        loop {
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
            let Some(next) = &token else { break };
            if tokens.len() == MAX_PAGES || !tokens.insert(next.clone()) {
                let detail = format!("CloudTrail's list of keys goes on for {MAX_PAGES} pages, or in a circle");
                return Err(SourceError::Other { detail });
            }
        }
        let Seen { endpoint, caller } = witness.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        Ok(Fetched { keys, endpoint, caller })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_who_signed() {
        let signature =
            "AWS4-HMAC-SHA256 Credential=AKID/20260301/eu-west-1/cloudtrail/aws4_request, SignedHeaders=host";
        assert_eq!(caller(signature), Some("AKID"));
        assert_eq!(caller("Bearer abc"), None);
    }
}
