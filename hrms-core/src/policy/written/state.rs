//! The compiled policies of each organisation, kept in this process.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};

use crate::error::CommonError;
use crate::hrms::Hrms;
use crate::id::TenantId;
use crate::policy::Rules;
use crate::policy::written::WrittenPolicy;
use crate::store::Tx;

/// For how long the revision is believed before it is asked for again: so soon a change made on another node
/// takes effect here.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_secs(1);

/// The most organisations that are remembered.
const REMEMBERED: usize = 10_000;

/// What is remembered of one organisation.
#[derive(Clone, Debug)]
struct Entry {
    revision: i64,
    /// When storage was asked last.
    asked_at: Timestamp,
    compiled_at: Timestamp,
    /// When a policy begins or ceases to apply.
    until: Option<Timestamp>,
    /// `None` where no policy is in force.
    rules: Option<Arc<dyn Rules>>,
}

impl Entry {
    /// Whether what was compiled is what applies now. A clock that was set back proves nothing.
    fn holds(&self, now: Timestamp) -> bool {
        self.compiled_at <= now && self.until.is_none_or(|until| now < until)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.holds(now) && self.asked_at <= now && now.duration_since(self.asked_at) < BELIEVED_FOR
    }
}

/// The compiled policies of this process's organisations.
#[derive(Debug, Default)]
pub(crate) struct State {
    entries: RwLock<HashMap<TenantId, Entry>>,
    #[cfg(feature = "cedar")]
    pub(super) asking: super::ask::Asking,
}

impl State {
    fn get(&self, tenant: TenantId) -> Option<Entry> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    fn put(&self, tenant: TenantId, entry: Entry) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= REMEMBERED && !entries.contains_key(&tenant) {
            entries.clear();
        }
        // Somebody slower must not bring an older revision back.
        if entries.get(&tenant).is_none_or(|known| known.revision <= entry.revision) {
            entries.insert(tenant, entry);
        }
    }

    /// Has storage asked at the next use.
    #[cfg(feature = "cedar")]
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }
}

impl Hrms {
    /// The policies that an organisation wrote and that are in force now, to be attached to an actor with
    /// [`Actor::with_rules`](crate::Actor::with_rules); `None` where there are none.
    ///
    /// The HTTP front end and jobs do so by themselves. Costs nothing but a look into memory most of the time,
    /// and one statement a second and organisation otherwise.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn rules_of(&self, tenant: TenantId) -> Result<Option<Arc<dyn Rules>>, CommonError> {
        let now = self.clock().now();
        let known = self.written_policies().get(tenant);
        if let Some(known) = known.as_ref().filter(|known| known.is_fresh(now)) {
            return Ok(known.rules.clone());
        }
        let mut tx = self.store().read(tenant).await?;
        let revision = tx.policies().revision().await?;
        let entry = match known {
            Some(known) if known.revision == revision && known.holds(now) => Entry { asked_at: now, ..known },
            _ => self.compiled(&mut *tx, tenant, revision, now).await?,
        };
        let rules = entry.rules.clone();
        self.written_policies().put(tenant, entry);
        Ok(rules)
    }

    async fn compiled(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        revision: i64,
        now: Timestamp,
    ) -> Result<Entry, CommonError> {
        let all = if revision == 0 { Vec::new() } else { tx.policies().all().await? };
        let edges = all.iter().filter(|policy| policy.enabled);
        let edges = edges.flat_map(|policy| [policy.valid_from, policy.valid_to]).flatten();
        let until = edges.filter(|edge| *edge > now).min();
        let in_force: Vec<_> = all.into_iter().filter(|policy| policy.is_in_force(now)).collect();
        let rules = if in_force.is_empty() { None } else { Some(compile(tx, tenant, &in_force).await?) };
        Ok(Entry { revision, asked_at: now, compiled_at: now, until, rules })
    }
}

#[cfg(feature = "cedar")]
async fn compile(
    tx: &mut dyn Tx,
    tenant: TenantId,
    in_force: &[WrittenPolicy],
) -> Result<Arc<dyn Rules>, CommonError> {
    use crate::policy::cedar::{CedarRules, Source};
    use crate::policy::rules::Locked;

    let zone = super::zone(tx).await?;
    let sources = in_force.iter().map(|policy| Source { id: policy.id, text: &policy.text });
    Ok(match CedarRules::compile(sources, zone) {
        Ok(rules) => Arc::new(rules),
        Err(faults) => {
            for (policy, fault) in faults {
                tracing::error!(%tenant, %policy, %fault, "a policy can't be compiled: nothing is allowed there");
            }
            Arc::new(Locked)
        }
    })
}

/// Without the language nothing can be said about what the policies say, so nothing is allowed.
#[cfg(not(feature = "cedar"))]
async fn compile(
    _: &mut dyn Tx,
    tenant: TenantId,
    _: &[WrittenPolicy],
) -> Result<Arc<dyn Rules>, CommonError> {
    tracing::error!(%tenant, "this build lacks the feature `cedar`: where policies are in force, nothing is allowed");
    Ok(Arc::new(crate::policy::rules::Locked))
}
