//! Rate limits that all nodes of an installation share, in Redis (or Valkey).

use std::fmt;

use async_trait::async_trait;
use hrms_core::StoreError;
use hrms_core::jiff::Timestamp;
use hrms_core::rate_limit::{Charge, RateLimiter, Taken};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, Script};

use crate::redis_breaker::{Breaker, PATIENCE, Trouble};

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
pub struct RedisUrlError(#[source] pub(crate) redis::RedisError);

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
            breaker: Breaker::new("this process counts rate limits alone, and log-ins wait"),
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
}
