//! What is asked of whoever logs in, and where their session stands.

use serde_json::Value;
use sqlx::FromRow;

use hrms_core::identity::{Demands, SessionState};

use crate::instant::Instant;

/// What is asked of an account wherever it logs in.
#[derive(FromRow)]
pub(crate) struct AccountDemands {
    password_needs_factor: bool,
    password_changed_at: Option<Instant>,
    enrolled_at: Option<Instant>,
}

/// What an organisation asks of a member.
#[derive(FromRow)]
pub(crate) struct MemberDemands {
    password_due_since: Option<Instant>,
    roles: Value,
    second_factor_required_for: Value,
}

impl MemberDemands {
    pub(super) fn second_factor_required(&self) -> bool {
        let required = self.second_factor_required_for.as_array().map_or(&[][..], Vec::as_slice);
        self.roles.as_array().is_some_and(|roles| roles.iter().any(|role| required.contains(role)))
    }
}

/// What is asked altogether.
pub(crate) fn demands(account: &AccountDemands, member: Option<&MemberDemands>) -> Demands {
    let enrolled = account.enrolled_at.is_some();
    let due_since = member.and_then(|member| member.password_due_since);
    let due = due_since.is_some_and(|due| account.password_changed_at.is_none_or(|at| at.0 < due.0));
    Demands {
        enrolled,
        required: member.is_some_and(MemberDemands::second_factor_required),
        password_due: due || (account.password_needs_factor && !enrolled),
    }
}

#[derive(FromRow)]
pub(super) struct StateRow {
    created_at: Instant,
    confirmed_at: Option<Instant>,
    second_factor_at: Option<Instant>,
    #[sqlx(flatten)]
    account: AccountDemands,
}

#[derive(FromRow)]
pub(super) struct MemberStateRow {
    #[sqlx(flatten)]
    pub(super) state: StateRow,
    #[sqlx(flatten)]
    pub(super) member: MemberDemands,
}

impl StateRow {
    pub(super) fn with(self, member: Option<&MemberDemands>) -> SessionState {
        SessionState {
            created_at: self.created_at.0,
            confirmed_at: self.confirmed_at.map(|at| at.0),
            second_factor_at: self.second_factor_at.map(|at| at.0),
            demands: demands(&self.account, member),
        }
    }
}
