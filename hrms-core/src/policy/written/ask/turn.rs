//! Who may ask about policies at a moment, and where the answer is worked out.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::error::CommonError;
use crate::hrms::Hrms;
use crate::id::TenantId;
use crate::policy::written::PolicyError;
use crate::threads::Threads;

/// Questions of different organisations that may wait for the thread.
const WAITING: usize = 16;

/// The one thread that works out what is asked about policies, and whose questions are under way.
///
/// Thousands of decisions keep a processor busy for a while: that must hold up no requests, and no organisation
/// can take the thread for itself.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    threads: OnceLock<Threads>,
    under_way: Mutex<HashSet<TenantId>>,
}

/// The turn of an organisation: until it is dropped, its other questions are refused.
#[derive(Debug)]
pub(super) struct Turn {
    hrms: Hrms,
    tenant: TenantId,
}

impl Turn {
    /// Takes the turn.
    ///
    /// # Errors
    /// [`PolicyError::Asking`] when another question of the organisation is under way in this process.
    pub(super) fn take(hrms: &Hrms, tenant: TenantId) -> Result<Self, PolicyError> {
        let asking = &hrms.written_policies().asking;
        let free = asking.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant);
        if free { Ok(Self { hrms: hrms.clone(), tenant }) } else { Err(PolicyError::Asking) }
    }

    /// Works something out on the thread. The turn lasts as long as that does, also when nobody waits any more.
    ///
    /// # Errors
    /// [`CommonError::Busy`] when too many organisations ask.
    pub(super) async fn think<T: Send + 'static>(
        self,
        task: impl FnOnce(&Hrms) -> T + Send + 'static,
    ) -> Result<T, CommonError> {
        let hrms = self.hrms.clone();
        let threads = &hrms.written_policies().asking.threads;
        threads.get_or_init(|| Threads::start("policies", 1, WAITING)).run(move || task(&self.hrms)).await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let asking = &self.hrms.written_policies().asking;
        asking.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tenant);
    }
}
