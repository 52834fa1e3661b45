//! The relay: gives subscribers a job when a log has grown.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::sync::broadcast::Receiver;

use crate::actor::{Actor, Cause};
use crate::error::CommonError;
use crate::event::subscriber::{Consumer, begin_at};
use crate::hrms::Hrms;
use crate::id::{RequestId, TenantId};
use crate::job::JobRegistry;
use crate::organization::{OrganizationFilter, OrganizationSort};
use crate::page::{MAX_LIMIT, Page, PageRequest, Position};

/// Tenants looked for at once.
const PAGE: u16 = 500;

/// Events of one log removed in one go.
const FORGOTTEN_AT_ONCE: u16 = 1000;

/// Tells the subscribers of a registry when logs have grown, as long as somebody drives it.
///
/// Any number of processes may do so at the same time: each subscriber has at most one job per tenant.
pub struct Relay {
    hrms: Hrms,
    consumers: Vec<Arc<dyn Consumer>>,
    wakes: Receiver<TenantId>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

impl Relay {
    /// A relay for the subscribers of a registry.
    #[must_use]
    pub fn new(hrms: Hrms, registry: &JobRegistry) -> Self {
        let wakes = hrms.bus().listen();
        Self { consumers: registry.consumers().to_vec(), hrms, wakes }
    }

    /// Waits until a log has grown in this process. A hint: logs grow in other processes too.
    pub async fn woken(&mut self) {
        use tokio::sync::broadcast::error::{RecvError, TryRecvError};
        if matches!(self.wakes.recv().await, Err(RecvError::Closed)) {
            return std::future::pending().await;
        }
        // One pass is for all that have grown by now.
        while !matches!(self.wakes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
    }

    /// Gives every subscriber a job in every tenant whose log has grown; how many tenants that were.
    ///
    /// # Errors
    /// When storage fails, for one tenant at least; the others have been seen to.
    pub async fn pass(&self) -> Result<usize, CommonError> {
        let (mut after, mut relayed, mut failed) = (None, 0, None);
        loop {
            let tenants = self.hrms.directory().grown_logs(after, PAGE).await?;
            for &tenant in &tenants {
                match self.relay(tenant).await {
                    Ok(()) => relayed += 1,
                    Err(error) => failed = Some(error),
                }
            }
            after = tenants.last().copied();
            if tenants.len() < usize::from(PAGE) {
                return failed.map_or(Ok(relayed), Err);
            }
        }
    }

    /// Gives every subscriber a job in every tenant where one of them is behind: for the start of a process, after
    /// jobs that failed for good, or processes that didn't know all subscribers. How many tenants that were.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn catch_up(&self) -> Result<usize, CommonError> {
        let names: Vec<_> = self.consumers.iter().map(|consumer| consumer.name()).collect();
        let (mut after, mut relayed) = (None, 0);
        loop {
            let tenants = self.hrms.directory().lagging_logs(&names, after, PAGE).await?;
            for &tenant in &tenants {
                self.relay(tenant).await?;
                relayed += 1;
            }
            after = tenants.last().copied();
            if tenants.len() < usize::from(PAGE) {
                return Ok(relayed);
            }
        }
    }

    /// Removes events that are older than they are to be kept and that every subscriber has read; how many.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn forget(&self) -> Result<u64, CommonError> {
        let Some(days) = self.hrms.event_days() else { return Ok(0) };
        let kept = SignedDuration::from_hours(24 * i64::from(days));
        let Ok(before) = self.hrms.clock().now().checked_sub(kept) else { return Ok(0) };
        let names: Vec<_> = self.consumers.iter().map(|consumer| consumer.name()).collect();
        let directory = self.hrms.directory();
        let mut page =
            PageRequest { sort: OrganizationSort::Slug, descending: false, limit: MAX_LIMIT, after: None };
        let mut forgotten = 0;
        loop {
            let rows = directory.organizations(&OrganizationFilter::default(), &page).await?;
            let rows = Page::from_rows(rows, page.limit, |last| Position {
                key: last.slug.clone(),
                id: last.id.as_uuid(),
            });
            for organization in rows.items {
                loop {
                    let count =
                        directory.forget_events(organization.id, &names, before, FORGOTTEN_AT_ONCE).await?;
                    forgotten += count;
                    if count < u64::from(FORGOTTEN_AT_ONCE) {
                        break;
                    }
                }
            }
            if rows.next.is_none() {
                return Ok(forgotten);
            }
            page.after = rows.next;
        }
    }

    /// Jobs first, the counter last: its row stays locked, and with it every writer, until we commit.
    async fn relay(&self, tenant: TenantId) -> Result<(), CommonError> {
        let request = RequestId::from_uuid(self.hrms.ids().next());
        let actor = Actor::system(tenant, "event relay", &[], Cause::Request, request);
        let mut work = self.hrms.begin(&actor).await?;
        let now = work.now();
        let growth = work.event_consumers().growth().await?;
        let known = work.event_consumers().positions().await?;
        for consumer in &self.consumers {
            let name = consumer.name();
            let position = known.iter().find(|(known, _)| known == name).map(|(_, position)| *position);
            if position.is_none() {
                work.event_consumers().start(name, begin_at(consumer.start(), growth), now).await?;
            }
            if position.is_some_and(|position| position >= growth.last) {
                continue;
            }
            if consumer.is_needed(&mut work).await? {
                consumer.enqueue(&mut work).await?;
            } else {
                work.event_consumers().skip(name, growth.last, now).await?;
            }
        }
        work.event_consumers().relayed(growth.last).await?;
        work.commit(()).await
    }
}
