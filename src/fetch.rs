//! Asks any [`Source`](crate::source::Source) again for what may pass, at a rate that all requests of a run share.
//!
//! ```text
//! turn ─▶ attempt ─┬─ served ──────────────────────────────────────────▶ answer
//!   ▲              ├─ refused for good ────────────────────────────────▶ error
//!   │              ├─ not there: asked once more ─▶ still not ─────────▶ missing
//!   └─ pause ◀─────┴─ may pass: some attempts; more time while no one is served
//! ```
//!
//! A fault that passes is not made final: S3 refuses for minutes while it makes room. A fault that stays does not stall the
//! run for hours: what it may lose to them all together is bounded, and from then on every fault gets two attempts.
//! Pauses are random up to a bound that doubles, so that requests that failed together do not come back together.

mod pace;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use self::pace::Pace;
use crate::source::SourceError;

/// How long faults are waited out.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Attempts in all at what fails while others are served.
    pub attempts: u32,
    /// The pause after the first failure, at most; doubles after each further one.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long a service that serves no one, or is not to be reached, is asked again.
    pub refusal: Duration,
    /// What a run may lose by waiting for faults that stay.
    pub in_vain: Duration,
}

/// Attempts at what can be done without.
const BRIEF: u32 = 5;

/// Attempts at anything once a run has lost what it may.
const ATTEMPTS_WHEN_LOST: u32 = 2;

impl Default for Patience {
    /// Eight attempts over up to half a minute; two minutes for a service that refuses everyone; ten minutes in all.
    fn default() -> Self {
        Self {
            attempts: 8,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(20),
            refusal: Duration::from_secs(120),
            in_vain: Duration::from_secs(600),
        }
    }
}

impl Patience {
    /// The same in proportion to how long a service that refuses everyone is waited for.
    pub fn of(refusal: Duration) -> Self {
        let usual = Self::default();
        let longest_pause = usual.longest_pause.min(refusal / 6);
        Self {
            attempts: usual.attempts,
            first_pause: usual.first_pause.min(longest_pause),
            longest_pause,
            refusal,
            in_vain: refusal.saturating_mul(5),
        }
    }

    /// For a question that can be done without: five attempts over some seconds at most.
    #[must_use]
    pub fn brief(self) -> Self {
        Self { attempts: self.attempts.min(BRIEF), refusal: Duration::ZERO, ..self }
    }
}

/// The requests of a run: their rate, and what was lost by waiting. Clones share both.
#[derive(Debug, Clone)]
pub struct Retry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    patience: Patience,
    pace: Pace,
    served: AtomicU64,
    random: AtomicU64,
    lost: Arc<Mutex<Lost>>,
}

/// Time that went by, since the run began, while something was waited for in vain.
#[derive(Debug, Default)]
struct Lost {
    time: Duration,
    until: Duration,
}

/// What went before at one request.
struct Trouble {
    since: Duration,
    /// Requests that were served until then.
    served: u64,
    attempts: u32,
    was_missing: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self::new(Patience::default())
    }
}

impl Retry {
    /// Requests with this patience, none made yet.
    pub fn new(patience: Patience) -> Self {
        let shared = Shared {
            patience,
            pace: Pace::new(),
            served: AtomicU64::new(0),
            random: AtomicU64::new(RandomState::new().hash_one(0)),
            lost: Arc::default(),
        };
        Self(Arc::new(shared))
    }

    /// The same for another service that can be done without: its rate is its own, and what is lost by waiting counts
    /// together.
    #[must_use]
    pub fn apart(&self) -> Self {
        let Shared { patience, pace, random, lost, .. } = &*self.0;
        let random = AtomicU64::new(random.fetch_add(1, Ordering::Relaxed));
        let patience = Patience { attempts: patience.attempts.min(BRIEF), ..*patience };
        let (pace, lost) = (pace.apart(), Arc::clone(lost));
        Self(Arc::new(Shared { patience, pace, served: AtomicU64::new(0), random, lost }))
    }

    /// Calls `attempt` until it succeeds, fails for good, or patience is at its end.
    ///
    /// # Errors
    /// The last attempt's error. [`SourceError::Missing`] only when two attempts said so.
    pub async fn run<T, F, Fut>(&self, attempt: F) -> Result<T, SourceError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, SourceError>>,
    {
        self.run_until(&Stop::default(), attempt).await
    }

    /// The same, without another attempt once a stop was asked for. An attempt that is under way is not cut short.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_until<T, F, Fut>(&self, stop: &Stop, mut attempt: F) -> Result<T, SourceError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, SourceError>>,
    {
        let mut trouble = None;
        loop {
            self.0.pace.turn(|| self.0.is_lost()).await;
            let error = match attempt().await {
                Ok(answer) => {
                    self.0.served.fetch_add(1, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            match self.0.pause_after(&error, &mut trouble) {
                Some(pause) if !stop.is_asked() => {
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = stop.wait() => return Err(error),
                    }
                }
                _ => return Err(error),
            }
        }
    }
}

impl Shared {
    /// How long to wait before the next attempt, if there should be one.
    fn pause_after(&self, error: &SourceError, trouble: &mut Option<Trouble>) -> Option<Duration> {
        let (now, served) = (self.pace.now(), self.served.load(Ordering::Relaxed));
        let trouble = trouble.get_or_insert(Trouble { since: now, served, attempts: 0, was_missing: false });
        trouble.attempts += 1;
        if *error == SourceError::Missing {
            let pause = (!trouble.was_missing).then(|| self.pause(1));
            trouble.was_missing = true;
            return pause;
        }
        if !error.is_transient() {
            return None;
        }
        if matches!(error, SourceError::Unavailable { .. }) {
            self.pace.refused(served);
        }
        let attempts = if self.is_lost() { ATTEMPTS_WHEN_LOST } else { self.patience.attempts };
        let is_down = match error {
            SourceError::Unavailable { .. } => true,
            // Where nobody ever answered, the address may be wrong.
            SourceError::Unreachable { .. } => served > 0,
            _ => false,
        };
        let serves_no_one = is_down && served == trouble.served && !self.is_lost();
        let is_early = now.saturating_sub(trouble.since) < self.patience.refusal;
        if trouble.attempts < attempts || serves_no_one && is_early {
            return Some(self.pause(trouble.attempts));
        }
        self.lose(trouble.since, now);
        None
    }

    /// A random pause before another attempt after so many.
    fn pause(&self, attempts: u32) -> Duration {
        let doubled = self.patience.first_pause.saturating_mul(1 << (attempts - 1).min(16));
        // SplitMix64: any even mix will do.
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 32;
        doubled.min(self.patience.longest_pause).mul_f64(mixed as f64 / f64::from(u32::MAX))
    }

    fn is_lost(&self) -> bool {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).time >= self.patience.in_vain
    }

    /// Counts time that was waited in vain; what several waited together counts once.
    fn lose(&self, since: Duration, now: Duration) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let alone = now.saturating_sub(since.max(lost.until));
        lost.time += alone;
        lost.until = lost.until.max(now);
    }
}

/// Stops what waits.
#[derive(Debug, Default)]
pub struct Stop {
    asked: AtomicBool,
    told: Notify,
}

impl Stop {
    /// Asks everyone to stop; tells whether that was asked before.
    pub fn ask(&self) -> bool {
        let before = self.asked.swap(true, Ordering::Relaxed);
        self.told.notify_waiters();
        before
    }

    /// Whether everyone was asked to stop.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Waits until everyone is.
    pub async fn wait(&self) {
        let told = self.told.notified();
        tokio::pin!(told);
        // From here on no call goes unheard.
        told.as_mut().enable();
        if !self.is_asked() {
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn patience() -> Patience {
        let pause = Duration::from_millis(1);
        let (refusal, in_vain) = (Duration::ZERO, Duration::from_secs(600));
        Patience { attempts: 3, first_pause: pause, longest_pause: pause, refusal, in_vain }
    }

    /// Runs what fails so often at first, and counts the attempts.
    async fn tries(retry: &Retry, error: SourceError, fail_first: u32) -> (u32, Result<(), SourceError>) {
        let tries = AtomicU32::new(0);
        let outcome = retry
            .run(|| async {
                let nth = tries.fetch_add(1, Ordering::Relaxed);
                if nth < fail_first { Err(error.clone()) } else { Ok(()) }
            })
            .await;
        (tries.into_inner(), outcome)
    }

    fn broken() -> SourceError {
        SourceError::Broken { detail: "reset".into() }
    }

    fn unreachable() -> SourceError {
        SourceError::Unreachable { detail: "no route".into() }
    }

    fn refused() -> SourceError {
        SourceError::Unavailable { detail: "SlowDown".into() }
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_and_what_cannot_is_not() {
        let retry = Retry::new(patience());
        assert_eq!(tries(&retry, broken(), 2).await, (3, Ok(())));
        assert_eq!(tries(&retry, broken(), 9).await, (3, Err(broken())));
        let denied = SourceError::Denied { detail: "no".into() };
        assert_eq!(tries(&retry, denied.clone(), 9).await, (1, Err(denied)));
    }

    #[tokio::test]
    async fn what_is_missing_is_asked_for_twice() {
        let retry = Retry::new(patience());
        assert_eq!(tries(&retry, SourceError::Missing, 1).await, (2, Ok(())));
        assert_eq!(tries(&retry, SourceError::Missing, 9).await, (2, Err(SourceError::Missing)));
    }

    #[tokio::test]
    async fn a_service_that_serves_no_one_is_waited_for() {
        let long = Retry::new(Patience { refusal: Duration::from_secs(600), ..patience() });
        for error in [refused(), unreachable()] {
            assert_eq!(tries(&long, error.clone(), 40).await, (41, Ok(())));
            // An object that fails while others are served gets its attempts only.
            let outcome = long.run(|| async {
                long.run(|| async { Ok(()) }).await?;
                Err::<(), _>(error.clone())
            });
            assert_eq!(outcome.await, Err(error));
        }
    }

    #[tokio::test]
    async fn whoever_never_answered_and_what_breaks_by_itself_get_their_attempts_only() {
        let long = Retry::new(Patience { refusal: Duration::from_secs(600), ..patience() });
        assert_eq!(tries(&long, unreachable(), 40).await, (3, Err(unreachable())));
        assert_eq!(tries(&long, refused(), 1).await, (2, Ok(())));
        assert_eq!(tries(&long, broken(), 40).await, (3, Err(broken())));
    }

    #[tokio::test]
    async fn a_service_that_is_served_apart_has_its_own_patience_and_the_same_loss() {
        let retry = Retry::new(Patience { refusal: Duration::from_secs(600), ..patience() });
        // That others are served by another service says nothing of this one.
        let (tried, apart) = (AtomicU32::new(0), retry.apart());
        let outcome = apart.run(|| async {
            retry.run(|| async { Ok(()) }).await?;
            if tried.fetch_add(1, Ordering::Relaxed) < 40 { Err(refused()) } else { Ok(()) }
        });
        assert_eq!(outcome.await, Ok(()));
        retry.0.lose(Duration::ZERO, Duration::from_secs(1000));
        assert_eq!(tries(&apart, refused(), 9).await, (2, Err(refused())));
    }

    #[tokio::test]
    async fn what_stays_does_not_hold_up_the_run_for_ever() {
        let retry = Retry::new(Patience { in_vain: Duration::ZERO, refusal: Duration::from_secs(600), ..patience() });
        assert_eq!(tries(&retry, refused(), 9).await, (2, Err(refused())));
        assert_eq!(tries(&retry, broken(), 9).await, (2, Err(broken())));
    }

    #[test]
    fn what_several_wait_for_together_is_lost_once() {
        let shared = Retry::new(patience()).0;
        let second = Duration::from_secs;
        for (since, until, lost) in [(10, 20, 10), (11, 21, 11), (5, 21, 11), (30, 31, 12)] {
            shared.lose(second(since), second(until));
            assert_eq!(shared.lost.lock().unwrap_or_else(PoisonError::into_inner).time, second(lost));
        }
    }

    #[test]
    fn pauses_are_random_up_to_a_bound_that_doubles() {
        let (first_pause, longest_pause) = (Duration::from_millis(100), Duration::from_secs(1));
        let shared = Retry::new(Patience { first_pause, longest_pause, ..patience() }).0;
        for (attempts, bound) in [(1, 100), (2, 200), (4, 800), (5, 1000), (40, 1000)] {
            let pauses: Vec<Duration> = (0..200).map(|_| shared.pause(attempts)).collect();
            let bound = Duration::from_millis(bound);
            assert!(pauses.iter().all(|pause| *pause <= bound), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause > bound / 2) && pauses.iter().any(|pause| *pause < bound / 2));
        }
    }

    #[tokio::test]
    async fn no_attempt_follows_a_stop() {
        let hour = Duration::from_secs(3600);
        let retry = Retry::new(Patience { first_pause: hour, longest_pause: hour, ..patience() });
        let (stop, tried) = (Stop::default(), AtomicU32::new(0));
        let attempt = || async {
            tried.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(refused())
        };
        let asking = async {
            tokio::task::yield_now().await;
            stop.ask();
        };
        let (outcome, ()) = tokio::join!(retry.run_until(&stop, attempt), asking);
        assert_eq!((outcome, retry.run_until(&stop, attempt).await), (Err(refused()), Err(refused())));
        assert_eq!(tried.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_a_stop_that_was_asked_for_before_or_after() {
        let stop = Arc::new(Stop::default());
        let waiting = {
            let stop = stop.clone();
            async move { stop.wait().await }
        };
        let asking = async {
            tokio::task::yield_now().await;
            assert!(!stop.ask());
        };
        tokio::join!(waiting, asking);
        stop.wait().await;
        assert!(stop.ask() && stop.is_asked());
    }
}
