//! Rate limits that all nodes of an installation share, in Redis (or Valkey).

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hrms_core::StoreError;
use hrms_core::jiff::Timestamp;
use hrms_core::rate_limit::{Charge, RateLimiter, Taken};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, RedisResult, Script};

/// How long a request waits for Redis.
const PATIENCE: Duration = Duration::from_millis(100);
/// After so many failures in a row Redis is left alone…
const FAILURES: u32 = 3;
/// …for this long; then one request tries again.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes a token of each key or of none. Goes by the clock of Redis, so that nodes needn't agree on the time.
///
/// Answers `{1, ahead…}` with the microseconds that each key is paid ahead, or `{0, which, ahead}`.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer = {1}
local paid = {}
for i, key in ipairs(KEYS) do
  local window, interval = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local till = math.min(math.max(tonumber(redis.call('GET', key) or now), now), now + window)
  if till - now > window - interval then
    return {0, i - 1, till - now}
  end
  paid[i] = till + interval
  answer[i + 1] = paid[i] - now
end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', paid[i]), 'PX', math.ceil((paid[i] - now) / 1000))
end
return answer
";

/// Gives a token back to each key.
const GIVE_BACK: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i, key in ipairs(KEYS) do
  local till = redis.call('GET', key)
  if till then
    till = tonumber(till) - tonumber(ARGV[2 * i])
    if till > now then
      redis.call('SET', key, string.format('%.0f', till), 'PX', math.ceil((till - now) / 1000))
    else
      redis.call('DEL', key)
    end
  end
end
return 1
";

/// Counts rate limits in one Redis server (not a cluster: a request's keys are counted in one step).
///
/// Connects when it is first needed and again whenever the connection was lost. While Redis doesn't answer,
/// callers are told so within a tenth of a second, and at once after a few failures.
pub struct RedisLimiter {
    connection: ConnectionManager,
    namespace: String,
    take: Script,
    give_back: Script,
    breaker: Breaker,
}

impl fmt::Debug for RedisLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimiter").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// The address of a Redis server that can't be used. Doesn't show it: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("the address of the Redis server can't be used: {0}")]
pub struct RedisUrlError(#[source] redis::RedisError);

/// Redis can't tell.
#[derive(Debug, thiserror::Error)]
enum Trouble {
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

impl RedisLimiter {
    /// Counts at `redis://…` or `unix://…`, under keys that begin with the namespace. Doesn't connect yet.
    ///
    /// Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When the address makes no sense.
    pub fn new(url: &str, namespace: &str) -> Result<Self, RedisUrlError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            // Whoever needs the connection next tries again.
            .set_number_of_retries(0);
        let client = Client::open(url).map_err(RedisUrlError)?;
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(RedisUrlError)?;
        Ok(Self {
            connection,
            namespace: namespace.to_owned(),
            take: Script::new(TAKE),
            give_back: Script::new(GIVE_BACK),
            breaker: Breaker::new(),
        })
    }

    async fn run<T: FromRedisValue>(&self, script: &Script, charges: &[Charge]) -> Result<T, Trouble> {
        let mut invocation = script.prepare_invoke();
        for Charge { key, quota } in charges {
            invocation.key(format!("{}:rate:{key}", self.namespace));
            invocation.arg(quota.window()).arg(quota.interval());
        }
        let mut connection = self.connection.clone();
        self.breaker.guard(invocation.invoke_async(&mut connection)).await
    }
}

#[async_trait]
impl RateLimiter for RedisLimiter {
    async fn take(&self, charges: &[Charge], _: Timestamp) -> Result<Taken, StoreError> {
        let answer: Vec<i64> = self.run(&self.take, charges).await?;
        read(&answer, charges).ok_or(Trouble::Nonsense.into())
    }

    async fn give_back(&self, charges: &[Charge], _: Timestamp) -> Result<(), StoreError> {
        let _: i64 = self.run(&self.give_back, charges).await?;
        Ok(())
    }
}

fn read(answer: &[i64], charges: &[Charge]) -> Option<Taken> {
    match *answer {
        [0, short, ahead] => {
            let short = usize::try_from(short).ok()?;
            let wait = charges.get(short)?.quota.wait(ahead).max(1);
            Some(Taken::Nothing { short, wait })
        }
        [1, ref ahead @ ..] if ahead.len() == charges.len() => {
            let left = charges.iter().zip(ahead).map(|(charge, ahead)| charge.quota.left(*ahead));
            Some(Taken::All(left.collect()))
        }
        _ => None,
    }
}

/// Leaves Redis alone for a moment after it failed a few times.
struct Breaker {
    start: Instant,
    failures: AtomicU32,
    /// Milliseconds after `start` until which nobody asks.
    closed_until: AtomicU64,
}

impl Breaker {
    fn new() -> Self {
        Self { start: Instant::now(), failures: AtomicU32::new(0), closed_until: AtomicU64::new(0) }
    }

    async fn guard<T>(&self, ask: impl Future<Output = RedisResult<T>>) -> Result<T, Trouble> {
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
            tracing::info!("Redis answers again: rate limits are shared");
        }
    }

    fn failed(&self, trouble: &Trouble) {
        self.closed_until.store(self.now() + millis(PAUSE), Ordering::Relaxed);
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures == FAILURES {
            tracing::warn!(%trouble, "Redis doesn't answer: this process counts rate limits alone, and log-ins wait");
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
    use hrms_core::rate_limit::{Left, Quota, RateKey};
    use hrms_core::{TenantId, uuid::Uuid};

    use super::*;

    #[test]
    fn answers_are_read_and_nonsense_is_not() {
        let key = RateKey::Organization(TenantId::from_uuid(Uuid::nil()));
        let charges = [Charge { key, quota: Quota::new(10, 10) }];
        let all = Taken::All(vec![Left { remaining: 9, reset: 1 }]);
        assert_eq!(read(&[1, 1_000_000], &charges), Some(all));
        assert_eq!(read(&[0, 0, 9_500_000], &charges), Some(Taken::Nothing { short: 0, wait: 1 }));
        for nonsense in [&[][..], &[1], &[1, 2, 3], &[0, 1, 1], &[0, -1, 1], &[2]] {
            assert_eq!(read(nonsense, &charges), None, "{nonsense:?}");
        }
    }

    #[test]
    fn an_address_that_makes_no_sense_is_refused_without_showing_it() {
        let error = RedisLimiter::new("http://:hunter2@localhost", "hrms").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn after_a_few_failures_one_asks_after_the_pause() {
        let breaker = Breaker::new();
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
