//! Idempotency keys: the same request sent twice has one effect and one answer.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::error::StoreError;
use uuid::Uuid;

/// How long an answer is kept.
pub const KEPT_FOR: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// A caller's key and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The caller's key, 1 to 255 visible ASCII characters.
    pub key: String,
    /// Digest of method, path, query and body: the same key with another one is an error.
    pub fingerprint: [u8; 32],
}

/// What is remembered of the first request.
#[derive(Debug)]
pub struct StoredAnswer {
    /// Digest of the first request.
    pub fingerprint: [u8; 32],
    /// The JSON answered to it.
    pub answer: Box<RawValue>,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// Answers by tenant, user and key, stored in the transaction of the effect.
#[async_trait]
pub trait IdempotencyRepo: Send {
    /// The answer stored under a key since `since`.
    async fn get(
        &mut self,
        principal: Uuid,
        key: &str,
        since: Timestamp,
    ) -> Result<Option<StoredAnswer>, StoreError>;

    /// Stores an answer, replacing one older than `expired_before`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `idempotency_key_pkey` when a younger one is there.
    async fn insert(
        &mut self,
        principal: Uuid,
        key: &IdempotencyKey,
        answer: &str,
        now: Timestamp,
        expired_before: Timestamp,
    ) -> Result<(), StoreError>;
}
