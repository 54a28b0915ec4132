//! How fast a service may be asked: at any rate until it refuses, then at what it serves.
//!
//! ```text
//! refused ─▶ rate = 0.7 × what was served ─▶ rises, slowly near where it was cut, then ever faster ─▶ refused ─▶ …
//! ```
//!
//! That is how TCP finds its share of a line (multiplicative decrease, CUBIC's increase), and the AWS SDKs' adaptive mode
//! theirs of a service. All requests share one rate, because the service counts them together. Some objects that are
//! refused for good among many that are served are no reason to slow down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Refusals are weighed together over this time.
const WINDOW: Duration = Duration::from_secs(1);

/// One refusal among so many answers is none.
const FEW: u64 = 20;

/// What is left of the rate that was served.
const CUT: f64 = 0.7;

/// How fast the rate rises again, in requests a second for each second to the third.
const RISE: f64 = 0.4;

/// The lowest rate, in requests a second: to find out that a service serves again.
const LEAST: f64 = 5.0;

/// Whoever waits for a turn looks this often whether the rate has risen.
const LOOK: Duration = Duration::from_millis(100);

/// The rate that all requests to a service share.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    is_limited: AtomicBool,
    rate: Mutex<Rate>,
    /// When the last turn was given; held by whoever is next, in the order of coming.
    last_turn: tokio::sync::Mutex<Duration>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            is_limited: AtomicBool::new(false),
            rate: Mutex::default(),
            last_turn: tokio::sync::Mutex::default(),
        }
    }

    /// The pace of another service, by the same clock.
    pub(super) fn apart(&self) -> Self {
        Self { began: self.began, ..Self::new() }
    }

    /// Time since the beginning.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits for a turn, unless `is_hopeless`.
    pub(super) async fn turn(&self, is_hopeless: impl Fn() -> bool) {
        if !self.is_limited.load(Ordering::Relaxed) {
            return;
        }
        let mut last = self.last_turn.lock().await;
        loop {
            let now = self.now();
            let rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner).allowed(now);
            match wait(*last, now, rate) {
                Err(pause) if !is_hopeless() => tokio::time::sleep(pause).await,
                turn => {
                    *last = turn.unwrap_or(now);
                    return;
                }
            }
        }
    }

    /// Takes notice of a refusal, when so many requests were served since the beginning.
    pub(super) fn refused(&self, served: u64) {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.refused(self.now(), served);
        self.is_limited.store(rate.cut.is_some(), Ordering::Relaxed);
    }
}

/// When the turn is that follows the last, for which it may be late; or how long to wait until then.
///
/// A turn that came late, because timers do, is not lost: those behind it come the sooner, for as much as [`LOOK`].
fn wait(last: Duration, now: Duration, rate: Option<f64>) -> Result<Duration, Duration> {
    let next = last + rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
    if now < next { Err((next - now).min(LOOK)) } else { Ok(next.max(now.saturating_sub(LOOK))) }
}

/// The rate, by the time since the beginning.
#[derive(Debug, Default)]
struct Rate {
    window: Option<Window>,
    cut: Option<Cut>,
}

/// Refusals since a moment at which so many requests were served.
#[derive(Debug)]
struct Window {
    since: Duration,
    served: u64,
    refused: u64,
}

/// The last cut: what was served then, in requests a second.
#[derive(Debug)]
struct Cut {
    at: Duration,
    served: f64,
}

impl Rate {
    /// Requests a second; `None` for as many as there are.
    fn allowed(&self, now: Duration) -> Option<f64> {
        let Cut { at, served } = self.cut.as_ref()?;
        // After so many seconds the rate is again what it was.
        let level = ((1.0 - CUT) * served / RISE).cbrt();
        let since = now.saturating_sub(*at).as_secs_f64();
        Some((served + RISE * (since - level).powi(3)).max(LEAST))
    }

    fn refused(&mut self, now: Duration, served: u64) {
        let Some(window) = &mut self.window else {
            self.window = Some(Window { since: now, served, refused: 1 });
            return;
        };
        window.refused += 1;
        let span = now.saturating_sub(window.since);
        if span < WINDOW {
            return;
        }
        let (of_it, refused) = (served.saturating_sub(window.served), window.refused);
        if refused * FEW > of_it + refused {
            let measured = of_it as f64 / span.as_secs_f64();
            let before = self.allowed(now).unwrap_or_else(|| served as f64 / now.as_secs_f64());
            // A short time without any answer is no measure.
            self.cut = Some(Cut { at: now, served: measured.clamp(before / 2.0, before.max(measured)) });
        }
        self.window = Some(Window { since: now, served, refused: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that serves so many requests a second, in each of its seconds, asked at `rate` or as fast as `at_most`.
    fn ask(rate: &mut Rate, limit: impl Fn(u64) -> u64, at_most: f64, seconds: u64) -> Vec<(u64, u64)> {
        const STEPS: u64 = 100;
        let (mut served, mut turns) = (0, 0.0);
        (0..seconds)
            .map(|second| {
                let (mut of_it, mut refused) = (0, 0);
                for step in 0..STEPS {
                    let now = Duration::from_millis(second * 1000 + step * 1000 / STEPS);
                    turns += rate.allowed(now).map_or(at_most, |rate| rate.min(at_most)) / STEPS as f64;
                    while turns >= 1.0 {
                        turns -= 1.0;
                        if of_it < limit(second) {
                            of_it += 1;
                            served += 1;
                        } else {
                            refused += 1;
                            rate.refused(now, served);
                        }
                    }
                }
                (of_it, refused)
            })
            .collect()
    }

    #[test]
    fn the_rate_settles_at_what_is_served() {
        for limit in [50, 3500] {
            let asked = ask(&mut Rate::default(), |_| limit, 10_000.0, 60);
            let (served, refused) = asked[20..].iter().fold((0, 0), |sum, second| (sum.0 + second.0, sum.1 + second.1));
            assert!(served * 4 > limit * 40 * 3, "{served} of {} were used: {asked:?}", limit * 40);
            assert!(refused * 10 < served, "{refused} refused, {served} served: {asked:?}");
        }
    }

    #[test]
    fn a_service_that_serves_again_is_soon_asked_as_before() {
        let mut rate = Rate::default();
        let asked = ask(&mut rate, |second| if (10..20).contains(&second) { 0 } else { 5000 }, 2000.0, 45);
        assert!(asked[17].1 < 20, "what serves nothing is left in peace: {asked:?}");
        assert_eq!(asked[44], (2000, 0), "{asked:?}");
    }

    /// Turns in ten seconds, the first five of which nobody asks, with a timer that is up to a millisecond late.
    fn turns(rate: f64) -> u64 {
        let (mut last, mut turns) = (Duration::ZERO, 0);
        let (mut now, end) = (Duration::from_secs(5), Duration::from_secs(10));
        while now < end {
            match wait(last, now, Some(rate)) {
                Ok(turn) => {
                    last = turn;
                    turns += 1;
                }
                Err(pause) => now = Duration::from_millis((now + pause).as_millis() as u64 + 1),
            }
        }
        turns
    }

    #[test]
    fn turns_come_at_the_rate_however_coarse_the_timer_is() {
        for rate in [10.0, 700.0, 3500.0, 20_000.0] {
            let (turns, whole) = (turns(rate) as f64, 5.0 * rate);
            // What went by unused makes up for a tenth of a second at most.
            assert!((0.99 * whole..=whole + rate / 10.0 + 2.0).contains(&turns), "{turns} at {rate}");
        }
    }

    #[test]
    fn some_refusals_among_many_answers_change_nothing() {
        let mut rate = Rate::default();
        for n in 0..1000 {
            rate.refused(Duration::from_millis(n * 100), n * 100);
        }
        assert_eq!(rate.allowed(Duration::from_secs(100)), None);
    }
}
