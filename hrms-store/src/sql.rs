//! One struct is every repository: one `impl` block per feature, in the feature's file.

mod event;
mod idempotency;
mod job;
mod location;
mod organization;

use async_trait::async_trait;

use hrms_core::event::EventLog;
use hrms_core::idempotency::IdempotencyRepo;
use hrms_core::job::JobQueue;
use hrms_core::location::LocationRepo;
use hrms_core::organization::OrganizationRepo;
use hrms_core::{StoreError, TenantId, Tx};

use crate::engine::Conn;

/// A unit of work on one tenant.
#[derive(Debug)]
pub(crate) struct SqlTx {
    pub(crate) tenant: TenantId,
    pub(crate) conn: Conn,
}

#[async_trait]
impl Tx for SqlTx {
    fn organization(&mut self) -> &mut dyn OrganizationRepo {
        self
    }

    fn locations(&mut self) -> &mut dyn LocationRepo {
        self
    }

    fn events(&mut self) -> &mut dyn EventLog {
        self
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyRepo {
        self
    }

    fn jobs(&mut self) -> &mut dyn JobQueue {
        self
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.conn.commit().await
    }
}

/// A stored value that can't be read back.
fn corrupt(table: &'static str, what: impl ToString) -> StoreError {
    StoreError::Corrupt { table, what: what.to_string() }
}
