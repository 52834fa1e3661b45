//! Deliveries that wait although they are due, because their job used up its attempts.

use jiff::SignedDuration;

use crate::actor::{Actor, Cause};
use crate::error::CommonError;
use crate::id::{NotificationDeliveryId, RequestId, TenantId};
use crate::notification::NotificationService;
use crate::notification::fan_out::enqueue;

/// Deliveries that have been due for so long should be under way.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);

/// Deliveries looked for at once.
const PAGE: u16 = 500;

impl NotificationService<'_> {
    /// Sees to it that everything that should have been delivered a minute ago has a job, of every organisation; how many
    /// such deliveries there were. For those whose job only has to wait for a worker nothing changes.
    ///
    /// # Errors
    /// When storage fails, for one organisation at least; the others have been seen to.
    pub async fn rescue(&self) -> Result<usize, CommonError> {
        let now = self.0.clock().now();
        let before = now.checked_sub(OVERDUE).unwrap_or(now);
        let (mut after, mut seen, mut failed) = (None, 0, None);
        loop {
            let overdue = self.0.directory().overdue_notifications(before, after, PAGE).await?;
            for &(tenant, delivery) in &overdue {
                match self.restart(tenant, delivery).await {
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

    async fn restart(&self, tenant: TenantId, id: NotificationDeliveryId) -> Result<(), CommonError> {
        let request = RequestId::from_uuid(self.0.ids().next());
        let actor = Actor::system(tenant, "notifications", &[], Cause::Request, request);
        let mut work = self.0.begin(&actor).await?;
        if let Some(delivery) = work.notification_deliveries().get(id).await? {
            let now = work.now();
            work.notification_settings().hold(delivery.user_id, now).await?;
            // It may have been made since: then the job finds nothing to do.
            enqueue(&mut work, &delivery).await?;
        }
        work.commit(()).await
    }
}
