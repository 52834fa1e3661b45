//! `Idempotency-Key`: the same POST sent twice has one effect and one answer.
//!
//! The answer is stored by core in the transaction of the effect. Here the key is read, a repetition
//! is told from a different request by its fingerprint, and requests that are still running are known,
//! so that an impatient repetition is told to wait.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hrms_core::idempotency::{IdempotencyKey, KEPT_FOR, StoredAnswer};
use hrms_core::{Actor, CommonError, TenantId};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::answer::Reply;
use crate::auth::Caller;
use crate::dispatch::Shared;
use crate::endpoint::Endpoint;
use crate::problem::Problem;
use crate::request::Input;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Seconds after which a request that is still running is worth repeating.
const STILL_RUNNING_RETRY: u32 = 1;

/// Whose key: keys of different users and service accounts never meet.
type Owner = (TenantId, Uuid, String);

/// The keys of requests that run in this process.
#[derive(Debug, Default)]
pub(crate) struct RunningKeys(Mutex<HashSet<Owner>>);

impl RunningKeys {
    fn enter(&self, owner: Owner) -> Result<RunningKey<'_>, Problem> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.insert(owner.clone()) {
            return Ok(RunningKey { keys: self, owner });
        }
        let detail = "the first request with this idempotency key is still running";
        Err(Problem::new(StatusCode::CONFLICT, "idempotency.still-running", detail)
            .with_retry_after(STILL_RUNNING_RETRY))
    }
}

/// Leaves the set when the request ends, however it ends.
struct RunningKey<'a> {
    keys: &'a RunningKeys,
    owner: Owner,
}

impl Drop for RunningKey<'_> {
    fn drop(&mut self) {
        let mut keys = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.remove(&self.owner);
    }
}

/// Runs a handler, at most once per idempotency key.
pub(crate) async fn run(endpoint: &'static Endpoint, caller: Caller, input: Input) -> Result<Reply, Problem> {
    if endpoint.takes_idempotency_key()
        && let Caller::User(actor) = &caller
        && let Some(principal) = actor.principal()
        && let Some(key) = key(&input.parts.headers)?
    {
        let key = IdempotencyKey { key, fingerprint: fingerprint(&input) };
        let actor = actor.clone();
        return once(endpoint, actor, principal, key, input).await;
    }
    (endpoint.call)(caller, input).await
}

async fn once(
    endpoint: &'static Endpoint,
    actor: Actor,
    principal: Uuid,
    key: IdempotencyKey,
    input: Input,
) -> Result<Reply, Problem> {
    let shared = input.shared.clone();
    let path = input.parts.uri.path().to_owned();
    let _running = shared.running_keys.enter((actor.tenant(), principal, key.key.clone()))?;
    if let Some(stored) = stored(&shared, &actor, principal, &key).await? {
        return replay(endpoint, &key, &stored, &path);
    }
    let caller = Caller::User(actor.clone().with_idempotency(key.clone()));
    match (endpoint.call)(caller, input).await {
        Ok(reply) => Ok(reply),
        // Another node may have run the same request meanwhile; then that one's answer is the answer.
        Err(problem) => match stored(&shared, &actor, principal, &key).await {
            Ok(Some(stored)) => replay(endpoint, &key, &stored, &path),
            _ => Err(problem),
        },
    }
}

async fn stored(
    shared: &Shared,
    actor: &Actor,
    principal: Uuid,
    key: &IdempotencyKey,
) -> Result<Option<StoredAnswer>, Problem> {
    let since = shared.hrms.clock().now() - KEPT_FOR;
    let mut tx = shared.hrms.read(actor).await?;
    let found = tx.idempotency().get(principal, &key.key, since).await;
    Ok(found.map_err(CommonError::from)?)
}

fn replay(
    endpoint: &Endpoint,
    key: &IdempotencyKey,
    stored: &StoredAnswer,
    path: &str,
) -> Result<Reply, Problem> {
    if stored.fingerprint != key.fingerprint {
        let detail = "this idempotency key was used for a different request";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency.key-reused", detail));
    }
    let mut reply = (endpoint.replay)(stored.answer.get(), path)?;
    reply.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(reply)
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let fine = (1..=255).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        // What is kept is a digest: some clients put into a key what isn't ours to keep.
        Ok(key) if fine && values.next().is_none() => Ok(Some(URL_SAFE_NO_PAD.encode(Sha256::digest(key)))),
        _ => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency.key-invalid",
            "Idempotency-Key must be 1 to 255 visible ASCII characters, once",
        )),
    }
}

/// Digest of method, path, query and body.
fn fingerprint(input: &Input) -> [u8; 32] {
    let uri = &input.parts.uri;
    let mut digest = Sha256::new();
    for part in [input.parts.method.as_str(), uri.path(), uri.query().unwrap_or_default()] {
        digest.update(part.as_bytes());
        // None of them can contain a line feed.
        digest.update(b"\n");
    }
    digest.update(&input.body);
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_runs_once_at_a_time_and_per_owner() {
        let keys = RunningKeys::default();
        let owner = |user: u128, key: &str| -> Owner {
            (TenantId::from_uuid(Uuid::nil()), Uuid::from_u128(user), key.to_owned())
        };
        let first = keys.enter(owner(1, "k")).map_err(|_| ()).unwrap();
        assert!(keys.enter(owner(1, "k")).is_err());
        assert!(keys.enter(owner(2, "k")).is_ok());
        assert!(keys.enter(owner(1, "l")).is_ok());
        drop(first);
        assert!(keys.enter(owner(1, "k")).is_ok());
    }
}
