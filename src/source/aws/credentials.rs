//! Credentials, fetched when there are none and renewed before they end, by one at a time.
//!
//! ```text
//! fetched ────────────── used ──────────────▶ renewed by whoever comes first, used by all others meanwhile ──▶ end
//!                            5 minutes before the end, or after half of a shorter life
//! ```
//!
//! A source of credentials may be a program that takes seconds, or a service that counts its callers: it is never asked for
//! each request, however short the life of what it gives, and one that fails is left alone for some seconds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_async::time::SharedTimeSource;
use tokio::time::timeout;

use crate::source::SourceError;

/// How long before they end credentials are renewed.
const MARGIN: Duration = Duration::from_secs(300);

/// How the SDK's clients are told that credentials which were had cannot be renewed: a fault that may pass.
pub(in crate::source) const NOT_RENEWED: &str = "credentials that were had cannot be renewed";

/// The shortest time between two renewals.
const LEAST: Duration = Duration::from_secs(1);

/// How long a source is left alone that failed, or whose credentials are refused.
const PAUSE: Duration = Duration::from_secs(5);

/// How long a source may take: people are asked for a second factor by some.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// Another source of credentials, asked as seldom as it will do; copies share what it gave.
#[derive(Debug, Clone)]
pub(in crate::source) struct Renewed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    source: SharedCredentialsProvider,
    clock: SharedTimeSource,
    kept: Mutex<Option<Kept>>,
    /// Held by whoever renews.
    renewing: tokio::sync::Mutex<()>,
    /// How often credentials were given up before their time.
    given_up: AtomicU64,
    /// Whether there were credentials before.
    had_any: AtomicBool,
}

/// What the source gave last, and until when that will do.
#[derive(Debug, Clone)]
struct Kept {
    given: Result<Credentials, String>,
    given_at: SystemTime,
    renew_at: Option<SystemTime>,
}

/// What is at hand.
enum AtHand {
    /// Good for now.
    Fresh(provider::Result),
    /// Good, but soon no more.
    Ending(Credentials),
    Nothing,
}

impl Renewed {
    pub(in crate::source) fn new(source: SharedCredentialsProvider, clock: SharedTimeSource) -> Self {
        let (kept, renewing) = (Mutex::default(), tokio::sync::Mutex::default());
        let (given_up, had_any) = (AtomicU64::new(0), AtomicBool::new(false));
        Self(Arc::new(Shared { source, clock, kept, renewing, given_up, had_any }))
    }

    /// What it means that credentials cannot be had: a source that has given some, and does not now, may give some again.
    pub(in crate::source) fn failure(&self, error: &CredentialsError) -> SourceError {
        let detail = super::chain(error);
        match self.had_any() {
            true => SourceError::Unavailable { detail },
            false => SourceError::Denied { detail },
        }
    }

    fn had_any(&self) -> bool {
        self.0.had_any.load(Ordering::Relaxed)
    }

    /// The same failure, in words that tell whether there were credentials before.
    fn worded(&self, error: CredentialsError) -> CredentialsError {
        if self.had_any() {
            CredentialsError::provider_error(format!("{NOT_RENEWED}: {}", super::chain(&error)))
        } else {
            error
        }
    }

    /// The credentials at hand, or new ones.
    pub(in crate::source) async fn get(&self) -> provider::Result {
        self.0.credentials().await
    }

    /// How often credentials were given up so far.
    pub(in crate::source) fn given_up(&self) -> u64 {
        self.0.given_up.load(Ordering::Relaxed)
    }

    /// Gives up those credentials that were at hand when so many had been given up: whoever of many learns that they no
    /// longer hold. Those that were given only now stay: where even they are refused, others would be too.
    pub(in crate::source) fn give_up(&self, when: u64) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = kept.as_ref().is_some_and(|kept| self.0.clock.now() < kept.given_at + PAUSE);
        if self.given_up() == when && !is_new {
            self.0.given_up.fetch_add(1, Ordering::Relaxed);
            *kept = None;
        }
    }
}

impl Shared {
    fn at_hand(&self) -> AtHand {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Kept { given, renew_at, .. }) = kept.as_ref() else { return AtHand::Nothing };
        let now = self.clock.now();
        if renew_at.is_none_or(|renew_at| now < renew_at) {
            return AtHand::Fresh(given.clone().map_err(CredentialsError::provider_error));
        }
        match given {
            Ok(credentials) if credentials.expiry().is_none_or(|end| now < end) => AtHand::Ending(credentials.clone()),
            _ => AtHand::Nothing,
        }
    }

    async fn credentials(&self) -> provider::Result {
        let held = match self.at_hand() {
            AtHand::Fresh(given) => return given,
            AtHand::Ending(credentials) => match self.renewing.try_lock() {
                Ok(_alone) => return self.renew(Some(credentials)).await,
                Err(_) => return Ok(credentials),
            },
            AtHand::Nothing => self.renewing.lock().await,
        };
        match self.at_hand() {
            AtHand::Fresh(given) => given,
            AtHand::Ending(credentials) => Ok(credentials),
            AtHand::Nothing => {
                let renewed = self.renew(None).await;
                drop(held);
                renewed
            }
        }
    }

    /// Asks the source. Where it fails, credentials that have not ended go on.
    async fn renew(&self, ending: Option<Credentials>) -> provider::Result {
        let given = match timeout(LONGEST, self.source.provide_credentials()).await {
            Ok(given) => given,
            Err(_) => Err(CredentialsError::provider_timed_out(LONGEST)),
        };
        self.had_any.fetch_or(given.is_ok(), Ordering::Relaxed);
        let now = self.clock.now();
        let (kept, renew_at) = match (&given, &ending) {
            (Ok(new), _) => (Ok(new.clone()), new.expiry().map(|end| renewal(now, end))),
            (Err(_), Some(old)) => (Ok(old.clone()), Some(now + PAUSE)),
            (Err(error), None) => (Err(cause(error)), Some(now + PAUSE)),
        };
        let kept = Kept { given: kept, given_at: now, renew_at };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        given.or_else(|error| ending.ok_or(error))
    }
}

/// What a failure to get credentials says beside that it is one.
fn cause(error: &CredentialsError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), super::chain)
}

/// When to renew credentials that end then.
fn renewal(now: SystemTime, end: SystemTime) -> SystemTime {
    let left = end.duration_since(now).unwrap_or_default();
    now + if left > 2 * MARGIN { left - MARGIN } else { (left / 2).max(LEAST) }
}

impl ProvideCredentials for Renewed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.get().await.map_err(|error| self.worded(error)) })
    }
}

/// Where credentials come from when a profile was typed: keys in the environment are not among it.
///
/// As botocore has it: the profile, and where it names no source of credentials, the machine's own.
pub(super) fn of_profile(name: &str, config: &ProviderConfig) -> CredentialsProviderChain {
    let profile = ProfileFileCredentialsProvider::builder().profile_name(name).configure(config).build();
    CredentialsProviderChain::first_try("Profile", profile)
        .or_else("EcsContainer", EcsCredentialsProvider::builder().configure(config).build())
        .or_else("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().configure(config).build())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use aws_smithy_async::time::TimeSource;

    use super::*;

    /// A clock that is set by hand, in seconds.
    #[derive(Debug, Clone, Default)]
    struct Clock(Arc<AtomicU64>);

    impl TimeSource for Clock {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    /// Credentials that live for so many seconds, or an error; counts how often it is asked.
    #[derive(Debug, Clone)]
    struct Source {
        life: Option<u64>,
        asked: Arc<AtomicU32>,
    }

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                self.asked.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                let life = self.life.ok_or_else(|| CredentialsError::provider_error("no"))?;
                let end = SystemTime::UNIX_EPOCH + Duration::from_secs(life);
                Ok(Credentials::new("a", "b", None, Some(end), "test"))
            })
        }
    }

    /// How often a source is asked by 64 at once, each second of `seconds`.
    async fn asked(life: Option<u64>, seconds: u64) -> u32 {
        let source = Source { life, asked: Arc::default() };
        let shared = SharedCredentialsProvider::new(source.clone());
        let clock = Clock::default();
        let renewed = Renewed::new(shared, SharedTimeSource::new(clock.clone()));
        for second in 0..seconds {
            clock.0.store(second, Ordering::Relaxed);
            let all = futures_util::future::join_all((0..64).map(|_| renewed.get())).await;
            assert!(all.iter().all(|one| one.is_ok() == life.is_some()));
        }
        source.asked.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_source_is_asked_seldom_however_short_the_life_of_what_it_gives() {
        assert_eq!(asked(Some(3600), 60).await, 1);
        // Four minutes are left at first: renewed after two, one, a half, …
        assert_eq!(asked(Some(240), 60).await, 1);
        assert_eq!(asked(Some(240), 240).await, 8);
        // What has ended already is asked for once a second, and is what S3 will refuse.
        assert_eq!(asked(Some(0), 10).await, 10);
    }

    #[tokio::test]
    async fn a_source_that_fails_is_left_alone_for_a_while() {
        assert_eq!(asked(None, 10).await, 2);
    }

    #[tokio::test]
    async fn credentials_that_many_give_up_are_renewed_once() {
        let (source, clock) = (Source { life: Some(3600), asked: Arc::default() }, Clock::default());
        let shared = SharedCredentialsProvider::new(source.clone());
        let renewed = Renewed::new(shared, SharedTimeSource::new(clock.clone()));
        for round in 1..4 {
            renewed.get().await.expect("credentials");
            clock.0.fetch_add(PAUSE.as_secs(), Ordering::Relaxed);
            let when = renewed.given_up();
            (0..64).for_each(|_| renewed.give_up(when));
            assert_eq!(source.asked.load(Ordering::Relaxed), round);
        }
    }

    #[tokio::test]
    async fn a_source_whose_new_credentials_are_refused_is_left_alone_for_a_while() {
        let (source, clock) = (Source { life: Some(3600), asked: Arc::default() }, Clock::default());
        let shared = SharedCredentialsProvider::new(source.clone());
        let renewed = Renewed::new(shared, SharedTimeSource::new(clock.clone()));
        for second in 0..10 {
            clock.0.store(second, Ordering::Relaxed);
            for _ in 0..64 {
                renewed.get().await.expect("credentials");
                renewed.give_up(renewed.given_up());
            }
        }
        assert_eq!(source.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_source_that_fails_after_it_has_given_some_may_give_some_again() {
        for (life, after) in [(None, "Denied"), (Some(3600), "Unavailable")] {
            let source = Source { life, asked: Arc::default() };
            let renewed = Renewed::new(SharedCredentialsProvider::new(source), SharedTimeSource::new(Clock::default()));
            assert_eq!(renewed.get().await.is_ok(), life.is_some());
            let failure = renewed.failure(&CredentialsError::provider_error("no"));
            assert!(format!("{failure:?}").starts_with(after), "{failure:?}");
        }
    }

    #[tokio::test]
    async fn clients_of_the_sdk_are_told_whether_there_were_credentials_before() {
        let source = Source { life: None, asked: Arc::default() };
        let renewed = Renewed::new(SharedCredentialsProvider::new(source), SharedTimeSource::new(Clock::default()));
        for had_any in [false, true] {
            renewed.0.had_any.store(had_any, Ordering::Relaxed);
            let told = crate::source::aws::chain(&renewed.provide_credentials().await.expect_err("no credentials"));
            assert_eq!(told.contains(NOT_RENEWED), had_any, "{told}");
        }
    }

    #[test]
    fn credentials_are_renewed_before_they_end() {
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        for (end, renewed) in [(3600, 3300), (601, 301), (600, 300), (240, 120), (1, 1), (0, 1)] {
            assert_eq!(renewal(at(0), at(end)), at(renewed), "{end}");
        }
    }
}
