//! Deliveries that wait although they are due, because their job used up its attempts.

use jiff::SignedDuration;

use crate::actor::{Actor, Cause};
use crate::error::CommonError;
use crate::id::{RequestId, TenantId, WebhookId};
use crate::webhook::fan_out::enqueue_waiting;
use crate::webhook::{WebhookService, WebhookStatus};

/// Deliveries that have been due for so long should be under way.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);

/// Endpoints looked for at once.
const PAGE: u16 = 500;

impl WebhookService<'_> {
    /// Sees to it that everything that should have been sent a minute ago has a job, of every organisation; how many
    /// endpoints there were with such deliveries. For those whose job only has to wait for a worker nothing changes.
    ///
    /// # Errors
    /// When storage fails, for one organisation at least; the others have been seen to.
    pub async fn rescue(&self) -> Result<usize, CommonError> {
        let now = self.0.clock().now();
        let before = now.checked_sub(OVERDUE).unwrap_or(now);
        let (mut after, mut seen, mut failed) = (None, 0, None);
        loop {
            let overdue = self.0.directory().overdue_webhooks(before, after, PAGE).await?;
            for &(tenant, webhook) in &overdue {
                match self.restart(tenant, webhook).await {
                    Ok(()) => seen += 1,
                    Err(error) => failed = Some(error),
                }
            }
            after = overdue.last().copied();
            if overdue.len() < usize::from(PAGE) {
                return failed.map_or(Ok(seen), Err);
            }
        }
    }

    async fn restart(&self, tenant: TenantId, id: WebhookId) -> Result<(), CommonError> {
        let request = RequestId::from_uuid(self.0.ids().next());
        let actor = Actor::system(tenant, "webhooks", &[], Cause::Request, request);
        let mut work = self.0.begin(&actor).await?;
        let webhook = work.webhooks().hold(id).await?;
        if webhook.is_some_and(|webhook| webhook.status == WebhookStatus::Enabled) {
            enqueue_waiting(&mut work, id).await?;
        }
        work.commit(()).await
    }
}
