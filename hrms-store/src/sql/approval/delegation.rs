//! Delegations in SQL.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::approval::{ApprovalDelegation, ApprovalDelegationRepo};
use hrms_core::jiff::Timestamp;
use hrms_core::jiff::civil::Date;
use hrms_core::{ApprovalDelegationId, EmployeeId, PageRequest, StoreError};

use crate::instant::Instant;
use crate::query::{CHUNK, Param, Query, params};
use crate::sql::SqlTx;

#[derive(FromRow)]
struct DelegationRow {
    id: Uuid,
    delegator_id: Uuid,
    delegate_id: Uuid,
    valid_from: jiff_sqlx::Date,
    valid_to: jiff_sqlx::Date,
    note: Option<String>,
    revoked_at: Option<Instant>,
    created_at: Instant,
}

impl From<DelegationRow> for ApprovalDelegation {
    fn from(row: DelegationRow) -> Self {
        Self {
            id: ApprovalDelegationId::from_uuid(row.id),
            delegator_id: EmployeeId::from_uuid(row.delegator_id),
            delegate_id: EmployeeId::from_uuid(row.delegate_id),
            from: row.valid_from.to_jiff(),
            to: row.valid_to.to_jiff(),
            note: row.note,
            revoked_at: row.revoked_at.map(|at| at.0),
            created_at: row.created_at.0,
        }
    }
}

const SELECT: &str = "SELECT id, delegator_id, delegate_id, valid_from, valid_to, note, revoked_at, created_at \
                      FROM approval_delegation WHERE tenant_id = ";

#[async_trait]
impl ApprovalDelegationRepo for SqlTx {
    async fn get(&mut self, id: ApprovalDelegationId) -> Result<Option<ApprovalDelegation>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant).push(" AND id = ").bind(id);
        Ok(query.optional::<DelegationRow>(&mut self.conn).await?.map(Into::into))
    }

    async fn list(
        &mut self,
        employee: Option<EmployeeId>,
        page: &PageRequest<()>,
    ) -> Result<Vec<ApprovalDelegation>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant);
        if let Some(employee) = employee {
            query.push(" AND (delegator_id = ").bind(employee);
            query.push(" OR delegate_id = ").bind(employee).push(")");
        }
        query.page("created_at", "id", page, |key| Param::Instant(key.parse().ok()));
        Ok(query.all::<DelegationRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }

    async fn delegators(&mut self, delegate: EmployeeId, on: Date) -> Result<Vec<EmployeeId>, StoreError> {
        let rows: Vec<(Uuid,)> = self
            .conn
            .all(
                "SELECT DISTINCT delegator_id FROM approval_delegation WHERE tenant_id = $1 AND delegate_id = $2 \
                 AND revoked_at IS NULL AND valid_from <= $3 AND valid_to > $3 ORDER BY delegator_id",
                params![self.tenant, delegate, on],
            )
            .await?;
        Ok(rows.into_iter().map(|(id,)| EmployeeId::from_uuid(id)).collect())
    }

    async fn delegates(
        &mut self,
        delegators: &[EmployeeId],
        on: Date,
    ) -> Result<Vec<EmployeeId>, StoreError> {
        let mut found = Vec::new();
        for delegators in delegators.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT DISTINCT delegate_id FROM approval_delegation WHERE tenant_id = $1 AND revoked_at IS NULL \
                 AND valid_from <= $2 AND valid_to > $2 AND delegator_id IN ",
                params![self.tenant, on],
            );
            query.list(delegators.iter().copied()).push(" ORDER BY delegate_id");
            let rows: Vec<(Uuid,)> = query.all(&mut self.conn).await?;
            found.extend(rows.into_iter().map(|(id,)| EmployeeId::from_uuid(id)));
        }
        Ok(found)
    }

    async fn insert(&mut self, delegation: &ApprovalDelegation) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO approval_delegation (tenant_id, id, delegator_id, delegate_id, valid_from, valid_to, \
                 note, revoked_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                params![
                    self.tenant,
                    delegation.id,
                    delegation.delegator_id,
                    delegation.delegate_id,
                    delegation.from,
                    delegation.to,
                    delegation.note.as_deref(),
                    delegation.revoked_at,
                    delegation.created_at,
                ],
            )
            .await?;
        Ok(())
    }

    async fn revoke(&mut self, id: ApprovalDelegationId, at: Timestamp) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .execute(
                "UPDATE approval_delegation SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL",
                params![self.tenant, id, at],
            )
            .await?;
        Ok(changed == 1)
    }
}
