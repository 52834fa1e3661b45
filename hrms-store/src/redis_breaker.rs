//! When Redis doesn't answer: nobody waits for it long, and after a few failures nobody asks for a moment.

use std::future::Future;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hrms_core::StoreError;
use redis::RedisResult;

/// How long anything waits for Redis.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// After so many failures in a row Redis is left alone…
const FAILURES: u32 = 3;
/// …for this long; then one request tries again.
const PAUSE: Duration = Duration::from_secs(1);

/// Redis can't tell.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("Redis refused: {0}")]
    Refused(#[from] redis::RedisError),
    #[error("Redis didn't answer in time")]
    TooSlow,
    #[error("Redis didn't answer lately")]
    LeftAlone,
    #[error("Redis gave an answer that makes no sense")]
    Nonsense,
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        Self::Unavailable(Box::new(trouble))
    }
}

/// Leaves Redis alone for a moment after it failed a few times.
pub(crate) struct Breaker {
    /// What it means that Redis doesn't answer, for the log.
    meaning: &'static str,
    start: Instant,
    failures: AtomicU32,
    /// Milliseconds after `start` until which nobody asks.
    closed_until: AtomicU64,
}

impl Breaker {
    pub(crate) fn new(meaning: &'static str) -> Self {
        Self { meaning, start: Instant::now(), failures: AtomicU32::new(0), closed_until: AtomicU64::new(0) }
    }

    pub(crate) async fn guard<T>(&self, ask: impl Future<Output = RedisResult<T>>) -> Result<T, Trouble> {
        if !self.may_ask() {
            return Err(Trouble::LeftAlone);
        }
        let outcome = match tokio::time::timeout(PATIENCE, ask).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Trouble::from(error)),
            Err(_) => Err(Trouble::TooSlow),
        };
        match &outcome {
            Ok(_) => self.succeeded(),
            Err(trouble) => self.failed(trouble),
        }
        outcome
    }

    fn may_ask(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) < FAILURES {
            return true;
        }
        // One asks after the pause; the others go on waiting.
        let now = self.now();
        let until = self.closed_until.load(Ordering::Relaxed);
        let next = now + millis(PAUSE);
        now >= until
            && self.closed_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn succeeded(&self) {
        if self.failures.swap(0, Ordering::Relaxed) >= FAILURES {
            tracing::info!("Redis answers again; until now {}", self.meaning);
        }
    }

    fn failed(&self, trouble: &Trouble) {
        self.closed_until.store(self.now() + millis(PAUSE), Ordering::Relaxed);
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures == FAILURES {
            tracing::warn!(%trouble, "Redis doesn't answer: {}", self.meaning);
        }
    }

    fn now(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_a_few_failures_one_asks_after_the_pause() {
        let breaker = Breaker::new("");
        let error = || std::future::ready(RedisResult::<()>::Err((redis::ErrorKind::Io, "gone").into()));
        for _ in 0..FAILURES {
            assert!(matches!(breaker.guard(error()).await, Err(Trouble::Refused(_))));
        }
        assert!(matches!(breaker.guard(error()).await, Err(Trouble::LeftAlone)));
        breaker.closed_until.store(0, Ordering::Relaxed);
        assert!(breaker.may_ask());
        assert!(!breaker.may_ask(), "one is enough");
        breaker.closed_until.store(0, Ordering::Relaxed);
        breaker.guard(std::future::ready(Ok(()))).await.unwrap();
        assert!(breaker.may_ask() && breaker.may_ask());
        let slow = std::future::pending::<RedisResult<()>>();
        assert!(matches!(breaker.guard(slow).await, Err(Trouble::TooSlow)));
    }
}
