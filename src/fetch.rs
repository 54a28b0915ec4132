//! Reads through any [`Source`](crate::source::Source) with retries: what may succeed on another attempt is tried again, nothing else is.

use std::time::Duration;

use crate::source::SourceError;

/// How often and how long to try.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Attempts in all.
    pub attempts: u32,
    /// Pause after the first failure; doubles after each further one.
    pub first_pause: Duration,
}

impl Default for Retry {
    /// Five attempts over about three seconds: S3's own advice for 503, without stalling on an object that stays broken.
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(200) }
    }
}

impl Retry {
    /// Calls `attempt` until it succeeds, fails for good, or has failed [`Retry::attempts`] times.
    ///
    /// # Errors
    /// The last attempt's error.
    pub async fn run<T, F, Fut>(&self, mut attempt: F) -> Result<T, SourceError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, SourceError>>,
    {
        let mut pause = self.first_pause;
        let mut left = self.attempts;
        loop {
            left = left.saturating_sub(1);
            match attempt().await {
                Err(error) if error.is_transient() && left > 0 => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                settled => return settled,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn tries(error: SourceError, fail_first: u32) -> (u32, Result<(), SourceError>) {
        let tries = AtomicU32::new(0);
        let retry = Retry { attempts: 3, first_pause: Duration::from_millis(1) };
        let outcome = retry
            .run(|| async {
                let nth = tries.fetch_add(1, Ordering::Relaxed);
                if nth < fail_first { Err(error.clone()) } else { Ok(()) }
            })
            .await;
        (tries.into_inner(), outcome)
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_and_what_cannot_is_not() {
        let broken = SourceError::Broken { detail: "reset".into() };
        assert_eq!(tries(broken.clone(), 2).await, (3, Ok(())));
        assert_eq!(tries(broken.clone(), 9).await, (3, Err(broken)));
        assert_eq!(tries(SourceError::Missing, 9).await, (1, Err(SourceError::Missing)));
    }
}
