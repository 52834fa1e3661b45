//! What can be done with keys, and who holds one.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use crate::actor::Actor;
use crate::api_key::{
    ApiKey, ApiKeyError, ApiKeyFilter, ApiKeySort, GOOD_FOR, GOOD_FOR_AT_MOST, IssuedApiKey, KeyHolder,
    NewApiKey, OVERLAP_HOURS, PREFIX, RotateApiKey, public_part,
};
use crate::audit::Change;
use crate::error::{CommonError, FieldError};
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::{ApiKeyId, ServiceAccountId};
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Permission, Resource};
use crate::secret::text::{SecretText, same};
use crate::service_account::{ServiceAccount, ServiceAccountStatus, holds, normal};
use crate::validate::Check;

/// A use is noted at most so often.
const NOTED_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// What can be done with keys.
#[derive(Clone, Copy, Debug)]
pub struct ApiKeyService<'a>(&'a Hrms);

impl Hrms {
    /// API keys.
    #[must_use]
    pub fn api_keys(&self) -> ApiKeyService<'_> {
        ApiKeyService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "api key" };

impl ApiKeyService<'_> {
    /// Who holds the key with this text at this moment; `None` when it is none, or no good any more.
    ///
    /// What can't be a key costs no look into storage, and nobody learns why a key is no good.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn holder(
        &self,
        text: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<KeyHolder>, CommonError> {
        let Some(text) = SecretText::read(PREFIX, text) else { return Ok(None) };
        let (key, now) = (ApiKeyId::from_uuid(text.id), self.0.clock().now());
        let mut tx = self.0.store().read(text.tenant).await?;
        let standing = tx.api_keys().standing(key, now).await?;
        drop(tx);
        let Some(standing) = standing.filter(|standing| same(&standing.secret_hash, &text.hash())) else {
            return Ok(None);
        };
        let since = now - NOTED_EVERY;
        if standing.last_used_at.is_none_or(|last| last < since)
            && let Err(error) = self.note_use(&text, now, since, address).await
        {
            tracing::warn!(%key, %error, "the use of an API key couldn't be noted");
        }
        let (account, permissions) = (standing.account, standing.permissions);
        Ok(Some(KeyHolder { tenant: text.tenant, account, key, permissions }))
    }

    async fn note_use(
        &self,
        text: &SecretText,
        now: Timestamp,
        since: Timestamp,
        address: Option<IpAddr>,
    ) -> Result<(), CommonError> {
        let mut tx = self.0.store().begin(text.tenant).await?;
        tx.api_keys().used(ApiKeyId::from_uuid(text.id), now, since, address).await?;
        Ok(tx.commit().await?)
    }

    /// One key.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: ApiKeyId) -> Result<ApiKey, ApiKeyError> {
        self.0.require(actor, Permission::ApiKeyRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.api_keys().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of the organisation's keys.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &ApiKeyFilter,
        page: &PageRequest<ApiKeySort>,
    ) -> Result<Page<ApiKey>, ApiKeyError> {
        self.0.require(actor, Permission::ApiKeyRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.api_keys().list(filter, page, self.0.clock().now()).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                ApiKeySort::Name => last.name.clone(),
                ApiKeySort::ExpiresAt => last.expires_at.to_string(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Makes a key. Its text is in the answer, and nowhere else.
    ///
    /// # Errors
    /// [`ApiKeyError::NotYours`] when it could do what the actor doesn't hold; [`ApiKeyError::AccountDisabled`];
    /// faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewApiKey) -> Result<IssuedApiKey, ApiKeyError> {
        self.0.require(actor, Permission::ApiKeyManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let account = work.service_accounts().get(new.service_account_id).await?;
        let account = account.ok_or_else(|| CommonError::unknown_reference("/service_account_id"))?;
        let now = work.now();
        let mut check = Check::new();
        check.text("/name", &new.name, 1..=200);
        let expires_at = expiry(&mut check, now, new.expires_at);
        beyond(&account, &new.permissions).for_each(|fault| check.add(Err(fault)));
        check.done()?;
        let permissions = normal(new.permissions);
        let key = self.new_key(actor, now, (account.id, new.name, permissions), expires_at);
        self.issue(work, actor, &account, key, None).await
    }

    /// Replaces a key by one that may do the same, and lets the old one end after an overlap.
    ///
    /// # Errors
    /// [`ApiKeyError::Ended`]; as [`ApiKeyService::create`].
    pub async fn rotate(
        &self,
        actor: &Actor,
        id: ApiKeyId,
        how: RotateApiKey,
    ) -> Result<IssuedApiKey, ApiKeyError> {
        self.0.require(actor, Permission::ApiKeyManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = work.api_keys().get(id).await?.ok_or(NOT_FOUND)?;
        let now = work.now();
        let mut check = Check::new();
        let overlap = how.overlap_hours.unwrap_or(OVERLAP_HOURS.0);
        if overlap > OVERLAP_HOURS.1 {
            let detail = format!("both keys can be good for at most {} hours", OVERLAP_HOURS.1);
            check.fault("/overlap_hours", "out-of-range", detail);
        }
        let expires_at = expiry(&mut check, now, how.expires_at);
        check.done()?;
        if before.revoked_at.is_some() || before.expires_at <= now {
            return Err(ApiKeyError::Ended);
        }
        let account = work.service_accounts().get(before.service_account_id).await?.ok_or(NOT_FOUND)?;
        let same = (before.service_account_id, before.name.clone(), before.permissions.clone());
        let key = self.new_key(actor, now, same, expires_at);
        let ends = before.expires_at.min(now + SignedDuration::from_hours(overlap.into()));
        let after = ApiKey { expires_at: ends, ..before.clone() };
        self.issue(work, actor, &account, key, Some((before, after))).await
    }

    /// Revokes a key, for good. Revoking one that is revoked does nothing.
    ///
    /// # Errors
    /// When it isn't there.
    pub async fn revoke(&self, actor: &Actor, id: ApiKeyId) -> Result<(), ApiKeyError> {
        self.0.require(actor, Permission::ApiKeyManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = work.api_keys().get(id).await?.ok_or(NOT_FOUND)?;
        if before.revoked_at.is_none() {
            let after = ApiKey { revoked_at: Some(work.now()), ..before.clone() };
            work.api_keys().end(&after).await?;
            work.emit(event("api_key.revoked", &after, Change::changed(&before, &after)));
        }
        Ok(work.commit(()).await?)
    }

    fn new_key(
        &self,
        actor: &Actor,
        now: Timestamp,
        (account, name, permissions): (ServiceAccountId, String, Vec<Permission>),
        expires_at: Timestamp,
    ) -> ApiKey {
        let id = ApiKeyId::from_uuid(self.0.ids().next());
        ApiKey {
            id,
            service_account_id: account,
            name,
            prefix: public_part(actor.tenant(), id),
            permissions,
            created_by: actor.user_id(),
            created_at: now,
            expires_at,
            last_used_at: None,
            last_used_address: None,
            revoked_at: None,
        }
    }

    /// Stores a new key, and what becomes of the one that it replaces.
    async fn issue(
        &self,
        mut work: Work,
        actor: &Actor,
        account: &ServiceAccount,
        key: ApiKey,
        replaced: Option<(ApiKey, ApiKey)>,
    ) -> Result<IssuedApiKey, ApiKeyError> {
        if account.status != ServiceAccountStatus::Active {
            return Err(ApiKeyError::AccountDisabled);
        }
        if !holds(actor, &key.permissions) {
            return Err(ApiKeyError::NotYours);
        }
        let text = SecretText::new(actor.tenant(), key.id.as_uuid())?;
        work.api_keys().insert(&key, &text.hash()).await?;
        if let Some((before, after)) = &replaced {
            work.api_keys().end(after).await?;
            work.emit(event("api_key.replaced", after, Change::changed(before, after)));
        }
        work.emit(event("api_key.created", &key, Change::created(&key)));
        // What is kept for a repeated request lacks the secret.
        let mut issued = work.commit(IssuedApiKey { key, secret: None }).await?;
        issued.secret = Some(text.to_secret(PREFIX).expose().to_owned());
        Ok(issued)
    }
}

/// When a new key is to end.
fn expiry(check: &mut Check, now: Timestamp, wanted: Option<Timestamp>) -> Timestamp {
    let expires_at = wanted.unwrap_or(now + GOOD_FOR);
    if expires_at <= now || expires_at > now + GOOD_FOR_AT_MOST {
        check.fault("/expires_at", "out-of-range", "a key ends in the future, within two years");
    }
    expires_at
}

/// What a key is wanted for and its account isn't allowed.
fn beyond<'a>(
    account: &'a ServiceAccount,
    wanted: &'a [Permission],
) -> impl Iterator<Item = FieldError> + 'a {
    let missing = |(_, one): &(usize, &Permission)| !account.permissions.contains(one);
    wanted.iter().enumerate().filter(missing).map(|(at, _)| {
        FieldError::new(
            format!("/permissions/{at}"),
            "not-of-the-account",
            "the service account may not do this",
        )
    })
}

fn event(kind: &'static str, key: &ApiKey, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("api-keys", key.id.as_uuid()),
        data: serde_json::json!({ "api_key_id": key.id, "service_account_id": key.service_account_id }),
        change,
        permission: Permission::ApiKeyRead,
        resource: Resource::organization(),
    }
}
