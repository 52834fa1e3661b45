//! What users can do with webhooks.

use jiff::SignedDuration;

use crate::actor::Actor;
use crate::audit::Change;
use crate::error::{CommonError, FieldError};
use crate::event::EventType;
use crate::hrms::{Hrms, Work};
use crate::id::{WebhookDeliveryId, WebhookId};
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Decision, Permission, Resource};
use crate::store::Version;
use crate::validate::Check;
use crate::webhook::deliver::{disable, until_due};
use crate::webhook::fan_out::enqueue;
use crate::webhook::{
    DeliveryFilter, DeliverySort, DeliveryState, DisabledReason, IssuedWebhook, MOST_WEBHOOKS, NewWebhook,
    OVERLAP_HOURS, RotateSecret, SigningSecret, StoredSecrets, TESTED, Webhook, WebhookDelivery,
    WebhookError, WebhookFilter, WebhookPatch, WebhookSort, WebhookStatus, asks_for, event,
};

/// What can be done with webhooks.
#[derive(Clone, Copy, Debug)]
pub struct WebhookService<'a>(pub(super) &'a Hrms);

impl Hrms {
    /// Webhooks.
    #[must_use]
    pub fn webhooks(&self) -> WebhookService<'_> {
        WebhookService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "webhook" };
const NO_DELIVERY: CommonError = CommonError::NotFound { what: "delivery" };

/// What a sealed secret belongs to.
pub(super) fn bound_to(id: WebhookId) -> Vec<u8> {
    [b"webhook ", id.as_uuid().as_bytes().as_slice()].concat()
}

impl WebhookService<'_> {
    /// One endpoint.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: WebhookId) -> Result<Webhook, WebhookError> {
        self.0.require(actor, Permission::WebhookRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.webhooks().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of endpoints.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &WebhookFilter,
        page: &PageRequest<WebhookSort>,
    ) -> Result<Page<Webhook>, WebhookError> {
        self.0.require(actor, Permission::WebhookRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.webhooks().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: last.created_at.to_string(),
            id: last.id.as_uuid(),
        }))
    }

    /// Adds an endpoint. Its secret is in the answer, and nowhere else.
    ///
    /// # Errors
    /// [`WebhookError::TooMany`]; [`WebhookError::NotConfigured`]; faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewWebhook) -> Result<IssuedWebhook, WebhookError> {
        self.manage(actor)?;
        self.require_configured()?;
        let mut work = self.0.begin(actor).await?;
        let now = work.now();
        let webhook = Webhook {
            id: WebhookId::from_uuid(self.0.ids().next()),
            url: new.url,
            description: new.description,
            types: normal(new.types),
            status: WebhookStatus::Enabled,
            disabled_reason: None,
            disabled_at: None,
            failing_since: None,
            former_secret_until: None,
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        };
        self.check(actor, &webhook)?;
        if work.webhooks().count().await? >= MOST_WEBHOOKS {
            return Err(WebhookError::TooMany);
        }
        let secret = SigningSecret::random()?;
        let sealed = self.0.secret_box().seal(secret.as_bytes(), &bound_to(webhook.id))?;
        work.webhooks().insert(&webhook, &sealed).await?;
        work.emit(event("webhook.created", &webhook, Change::created(&webhook)));
        issue(work, webhook, &secret).await
    }

    /// Changes an endpoint that is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: WebhookId,
        expected: Version,
        patch: WebhookPatch,
    ) -> Result<Webhook, WebhookError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let before = work.webhooks().hold(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut webhook = before.clone();
        patch.url.required("/url", &mut webhook.url)?;
        patch.description.apply(&mut webhook.description);
        patch.types.required("/types", &mut webhook.types)?;
        webhook.types = normal(webhook.types);
        if webhook == before {
            return Ok(work.commit(webhook).await?);
        }
        self.check(actor, &webhook)?;
        webhook.updated_at = work.now();
        webhook.version = expected.next();
        work.webhooks().update(&webhook, expected).await?;
        work.emit(event("webhook.changed", &webhook, Change::changed(&before, &webhook)));
        Ok(work.commit(webhook).await?)
    }

    /// Removes an endpoint with the log of its deliveries, if it is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`].
    pub async fn remove(&self, actor: &Actor, id: WebhookId, expected: Version) -> Result<(), WebhookError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let webhook = work.webhooks().hold(id).await?.ok_or(NOT_FOUND)?;
        work.webhooks().remove(id, expected).await?;
        work.emit(event("webhook.removed", &webhook, Change::removed(&webhook)));
        Ok(work.commit(()).await?)
    }

    /// Replaces the secret. The one before signs too for a while, so that the other side can change over.
    ///
    /// # Errors
    /// When it isn't there; faulty fields.
    pub async fn rotate_secret(
        &self,
        actor: &Actor,
        id: WebhookId,
        how: RotateSecret,
    ) -> Result<IssuedWebhook, WebhookError> {
        self.manage(actor)?;
        let overlap = how.overlap_hours.unwrap_or(OVERLAP_HOURS.0);
        if overlap > OVERLAP_HOURS.1 {
            let detail = format!("both secrets can sign for at most {} hours", OVERLAP_HOURS.1);
            return Err(CommonError::invalid("/overlap_hours", "out-of-range", detail).into());
        }
        let mut work = self.0.begin(actor).await?;
        let before = work.webhooks().hold(id).await?.ok_or(NOT_FOUND)?;
        let stored = work.webhooks().secrets(id).await?.ok_or(NOT_FOUND)?;
        self.require_configured()?;
        let secret = SigningSecret::random()?;
        let current = self.0.secret_box().seal(secret.as_bytes(), &bound_to(id))?;
        let until = work.now().checked_add(SignedDuration::from_hours(overlap.into())).ok();
        let until = until.filter(|_| overlap > 0);
        let former = until.map(|until| (stored.current, until));
        work.webhooks().set_secrets(id, &StoredSecrets { current, former }).await?;
        let mut webhook = before.clone();
        webhook.former_secret_until = until;
        webhook.updated_at = work.now();
        webhook.version = before.version.next();
        work.webhooks().update(&webhook, before.version).await?;
        work.emit(event("webhook.secret-rotated", &webhook, Change::changed(&before, &webhook)));
        issue(work, webhook, &secret).await
    }

    /// Sends events again from now on. Enabling one that is enabled does nothing.
    ///
    /// # Errors
    /// When it isn't there; when whoever enables it may not read what it is sent.
    pub async fn enable(&self, actor: &Actor, id: WebhookId) -> Result<Webhook, WebhookError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let before = work.webhooks().hold(id).await?.ok_or(NOT_FOUND)?;
        if before.status == WebhookStatus::Enabled {
            return Ok(work.commit(before).await?);
        }
        self.check(actor, &before)?;
        let webhook = Webhook {
            status: WebhookStatus::Enabled,
            disabled_reason: None,
            disabled_at: None,
            failing_since: None,
            updated_at: work.now(),
            version: before.version.next(),
            ..before.clone()
        };
        work.webhooks().update(&webhook, before.version).await?;
        work.emit(event("webhook.enabled", &webhook, Change::changed(&before, &webhook)));
        Ok(work.commit(webhook).await?)
    }

    /// Sends nothing any more, not even what waits. Disabling one that is disabled does nothing.
    ///
    /// # Errors
    /// When it isn't there.
    pub async fn disable(&self, actor: &Actor, id: WebhookId) -> Result<Webhook, WebhookError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let mut webhook = work.webhooks().hold(id).await?.ok_or(NOT_FOUND)?;
        if webhook.status == WebhookStatus::Enabled {
            disable(&mut work, &mut webhook, DisabledReason::Manual).await?;
        }
        Ok(work.commit(webhook).await?)
    }

    /// Sends an event of type `webhook.tested` to the endpoint; its deliveries tell what came of it.
    ///
    /// # Errors
    /// [`WebhookError::Disabled`]; when it isn't there.
    pub async fn test(&self, actor: &Actor, id: WebhookId) -> Result<Webhook, WebhookError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let webhook = work.webhooks().get(id).await?.ok_or(NOT_FOUND)?;
        if webhook.status != WebhookStatus::Enabled {
            return Err(WebhookError::Disabled);
        }
        work.emit(event(TESTED, &webhook, Change::none()));
        Ok(work.commit(webhook).await?)
    }

    /// A page of what was sent, or is to be, to an endpoint.
    ///
    /// # Errors
    /// When the endpoint isn't there or may not be seen.
    pub async fn deliveries(
        &self,
        actor: &Actor,
        id: WebhookId,
        filter: &DeliveryFilter,
        page: &PageRequest<DeliverySort>,
    ) -> Result<Page<WebhookDelivery>, WebhookError> {
        self.0.require(actor, Permission::WebhookRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        tx.webhooks().get(id).await?.ok_or(NOT_FOUND)?;
        let rows = tx.webhook_deliveries().list(id, filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: last.created_at.to_string(),
            id: last.id.as_uuid(),
        }))
    }

    /// Sends an event again whose delivery has ended, with the same `webhook-id`, as if it hadn't been tried. One that
    /// waits is tried at once, after what concerns the same thing and comes before it; its attempts go on being counted.
    ///
    /// # Errors
    /// [`WebhookError::Disabled`]; [`WebhookError::EventGone`]; [`WebhookError::NotWanted`]; when it isn't there.
    pub async fn resend(
        &self,
        actor: &Actor,
        id: WebhookId,
        delivery: WebhookDeliveryId,
    ) -> Result<WebhookDelivery, WebhookError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let webhook = work.webhooks().hold(id).await?.ok_or(NOT_FOUND)?;
        let delivery = work.webhook_deliveries().get(delivery).await?;
        let mut delivery = delivery.filter(|delivery| delivery.webhook_id == id).ok_or(NO_DELIVERY)?;
        if webhook.status != WebhookStatus::Enabled {
            return Err(WebhookError::Disabled);
        }
        if work.events().sequence_of(delivery.event_id).await?.is_none() {
            return Err(WebhookError::EventGone);
        }
        if !asks_for(&webhook, &delivery.r#type) {
            return Err(WebhookError::NotWanted);
        }
        if delivery.state == DeliveryState::Waiting {
            delivery = hasten(&mut work, delivery).await?;
        } else {
            delivery.state = DeliveryState::Waiting;
            delivery.attempts = 0;
            delivery.next_attempt_at = Some(work.now());
            delivery.updated_at = work.now();
            work.webhook_deliveries().update(&delivery).await?;
        }
        enqueue(&mut work, id, delivery.lane, SignedDuration::ZERO).await?;
        let act = crate::audit::Act {
            action: "webhook.resent".into(),
            subject: crate::event::subject("webhooks", id.as_uuid()),
            change: Change::none(),
        };
        work.record(act);
        Ok(work.commit(delivery).await?)
    }

    fn manage(&self, actor: &Actor) -> Result<(), CommonError> {
        self.0.require(actor, Permission::WebhookManage, &Resource::organization())
    }

    fn require_configured(&self) -> Result<(), WebhookError> {
        match self.0.webhook_sender().is_configured() && self.0.secret_box().is_configured() {
            true => Ok(()),
            false => Err(WebhookError::NotConfigured),
        }
    }

    /// Nobody has sent anywhere what they may not read themselves, everywhere in the organisation.
    fn check(&self, actor: &Actor, webhook: &Webhook) -> Result<(), CommonError> {
        let mut check = Check::new();
        check.text("/url", &webhook.url, 1..=2000);
        check.add(self.0.webhook_sender().check(&webhook.url));
        if let Some(description) = &webhook.description {
            check.text("/description", description, 1..=500);
        }
        if webhook.types.is_empty() || webhook.types.len() > 200 {
            check.fault("/types", "out-of-range", "1 to 200 types of events");
        }
        for (at, name) in webhook.types.iter().enumerate() {
            let fault = match self.0.event_types().get(name) {
                None => Some(("unknown-type", "there are no events of this type")),
                Some(known) if known.is_addressed() => {
                    Some(("addressed", "events of this type are each for one person"))
                }
                Some(known) if self.may_read(actor, known) => None,
                Some(_) => Some(("not-yours", "you may not read what these events are about")),
            };
            if let Some((code, detail)) = fault {
                check.add(Err(FieldError::new(format!("/types/{at}"), code, detail)));
            }
        }
        check.done()
    }

    fn may_read(&self, actor: &Actor, event_type: &EventType) -> bool {
        event_type.permissions.iter().all(|&permission| {
            self.0.policy().decide(actor, permission, &Resource::organization()) == Decision::Allow
        })
    }
}

/// Lets what waits about the thing of a delivery be tried at once. What is due is under way already, and left alone.
async fn hasten(work: &mut Work, delivery: WebhookDelivery) -> Result<WebhookDelivery, CommonError> {
    let (webhook, now) = (delivery.webhook_id, work.now());
    let head = work.webhook_deliveries().next(webhook, &delivery.subject).await?;
    if head.is_some_and(|head| until_due(&head, now) > SignedDuration::ZERO) {
        work.webhook_deliveries().move_waiting(webhook, &delivery.subject, now, now).await?;
    }
    Ok(work.webhook_deliveries().get(delivery.id).await?.unwrap_or(delivery))
}

/// The types in order, each once.
fn normal(mut types: Vec<String>) -> Vec<String> {
    types.sort_unstable();
    types.dedup();
    types
}

/// Commits, and shows the secret. What is kept for a repeated request lacks it.
async fn issue(work: Work, webhook: Webhook, secret: &SigningSecret) -> Result<IssuedWebhook, WebhookError> {
    let mut issued = work.commit(IssuedWebhook { webhook, secret: None }).await?;
    issued.secret = Some(secret.expose());
    Ok(issued)
}
