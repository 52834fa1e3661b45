//! Whom somebody counts as in what nobody does for themselves.

use crate::actor::Actor;
use crate::error::StoreError;
use crate::id::{EmployeeId, UserId};
use crate::store::Tx;
use crate::user::User;

/// Whom a user counts as: themselves, and whoever made them as long as nobody else linked them to an employee; with
/// the employees that all of these are or last were. Second users of one's own are no second pair of eyes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The users, the user themselves among them; none when the organisation doesn't know the user.
    pub users: Vec<UserId>,
    /// The employees.
    pub employees: Vec<EmployeeId>,
}

impl Lineage {
    /// Whether both could be the same person.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.users.iter().any(|user| other.users.contains(user))
            || self.employees.iter().any(|employee| other.employees.contains(employee))
    }
}

/// Notes that the actor links a user to an employee: from then on the user counts as nobody else, if the actor is somebody
/// else; as the actor, if they count as the actor anyway, and no longer as anybody in between.
pub(crate) async fn vouch(tx: &mut dyn Tx, actor: &Actor, user: &mut User) -> Result<(), StoreError> {
    let above = actor.user_id().filter(|by| *by != user.id);
    if is_somebody_else(tx, actor, user.id).await? {
        (user.counts_as, user.former_employee_id) = (None, None);
    } else if let Some(by) = above
        && tx.users().lineage(user.id).await?.users.contains(&by)
    {
        (user.counts_as, user.former_employee_id) = (Some(by), None);
    }
    Ok(())
}

/// Whether a user of the organisation is somebody else than the actor, as far as can be told.
pub(crate) async fn is_somebody_else(
    tx: &mut dyn Tx,
    actor: &Actor,
    user: UserId,
) -> Result<bool, StoreError> {
    let other = tx.users().lineage(user).await?;
    let mut own = match actor.user_id() {
        Some(user) => tx.users().lineage(user).await?,
        None => Lineage::default(),
    };
    // Users whom an embedder manages are known by what they say of themselves.
    own.users.extend(actor.user_id());
    own.employees.extend(actor.employee());
    Ok(!other.users.is_empty() && !own.meets(&other))
}

/// Whether the actor counts as a user.
pub(crate) async fn counts_as(tx: &mut dyn Tx, actor: &Actor, user: UserId) -> Result<bool, StoreError> {
    let Some(own) = actor.user_id() else { return Ok(false) };
    Ok(own == user || tx.users().lineage(own).await?.users.contains(&user))
}
