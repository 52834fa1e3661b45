//! Invitations in SQL.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::invitation::{
    Delivery, Invitation, InvitationFilter, InvitationRepo, InvitationSort, InvitationStatus,
    StoredInvitation,
};
use hrms_core::job::Requester;
use hrms_core::{EmployeeId, InvitationId, PageRequest, StoreError, UserId, Version};

use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::sql::user::{role_codes, roles};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct InvitationRow {
    id: Uuid,
    email: String,
    name: String,
    roles: Value,
    employee_id: Option<Uuid>,
    status: String,
    delivery: String,
    inviter: Value,
    accepted_by: Option<Uuid>,
    token_hash: Option<Vec<u8>>,
    generation: i64,
    created_at: Instant,
    updated_at: Instant,
    requested_at: Instant,
    expires_at: Instant,
    version: i64,
}

macro_rules! columns {
    () => {
        "id, email, name, roles, employee_id, status, delivery, inviter, accepted_by, token_hash, generation, \
         created_at, updated_at, requested_at, expires_at, version"
    };
}

impl TryFrom<InvitationRow> for StoredInvitation {
    type Error = StoreError;

    fn try_from(row: InvitationRow) -> Result<Self, StoreError> {
        let wrong = |what: &str| corrupt("invitation", what);
        let inviter: Requester =
            serde_json::from_value(row.inviter).map_err(|error| corrupt("invitation", error))?;
        let token_hash = row.token_hash.map(TryInto::try_into).transpose();
        Ok(Self {
            invitation: Invitation {
                id: InvitationId::from_uuid(row.id),
                email: row.email,
                name: row.name,
                roles: roles(row.roles)?,
                employee_id: row.employee_id.map(EmployeeId::from_uuid),
                status: InvitationStatus::from_code(&row.status).ok_or_else(|| wrong("status"))?,
                delivery: Delivery::from_code(&row.delivery).ok_or_else(|| wrong("delivery"))?,
                invited_by: inviter.user_id(),
                accepted_by: row.accepted_by.map(UserId::from_uuid),
                created_at: row.created_at.0,
                updated_at: row.updated_at.0,
                requested_at: row.requested_at.0,
                expires_at: row.expires_at.0,
                version: Version::from_i64(row.version),
            },
            inviter,
            token_hash: token_hash.map_err(|_| wrong("token_hash"))?,
            generation: row.generation,
        })
    }
}

fn json(inviter: &Requester) -> Result<Value, StoreError> {
    serde_json::to_value(inviter).map_err(|error| corrupt("invitation", error))
}

impl SqlTx {
    async fn invitation(
        &mut self,
        id: InvitationId,
        lock: &'static str,
    ) -> Result<Option<StoredInvitation>, StoreError> {
        let mut query = Query::new(concat!("SELECT ", columns!(), " FROM invitation WHERE tenant_id = "));
        query.bind(self.tenant).push(" AND id = ").bind(id).push(lock);
        let row: Option<InvitationRow> = query.optional(&mut self.conn).await?;
        row.map(TryInto::try_into).transpose()
    }
}

#[async_trait]
impl InvitationRepo for SqlTx {
    async fn get(&mut self, id: InvitationId) -> Result<Option<StoredInvitation>, StoreError> {
        self.invitation(id, "").await
    }

    async fn hold(&mut self, id: InvitationId) -> Result<Option<StoredInvitation>, StoreError> {
        let lock = self.conn.for_update();
        self.invitation(id, lock).await
    }

    async fn list(
        &mut self,
        filter: &InvitationFilter,
        page: &PageRequest<InvitationSort>,
    ) -> Result<Vec<Invitation>, StoreError> {
        let mut query = Query::new(concat!("SELECT ", columns!(), " FROM invitation WHERE tenant_id = "));
        query.bind(self.tenant);
        query.and(" AND email = ", filter.email.as_deref());
        match filter.status {
            Some((InvitationStatus::Pending, now)) => {
                query.push(" AND status = 'pending' AND expires_at > ").bind(now);
            }
            Some((InvitationStatus::Expired, now)) => {
                query.push(" AND (status = 'expired' OR (status = 'pending' AND expires_at <= ");
                query.bind(now).push("))");
            }
            Some((status, _)) => {
                query.push(" AND status = ").bind(status.code());
            }
            None => {}
        }
        let column = match page.sort {
            InvitationSort::CreatedAt => "created_at",
        };
        query.page(column, "id", page, |key| Param::Instant(key.parse().ok()));
        let rows: Vec<InvitationRow> = query.all(&mut self.conn).await?;
        rows.into_iter().map(|row| StoredInvitation::try_from(row).map(|stored| stored.invitation)).collect()
    }

    async fn insert(&mut self, stored: &StoredInvitation) -> Result<(), StoreError> {
        let invitation = &stored.invitation;
        self.conn
            .execute(
                "UPDATE invitation SET status = 'expired', token_hash = NULL, updated_at = $3, version = version + 1 \
                 WHERE tenant_id = $1 AND email = $2 AND status = 'pending' AND expires_at <= $3",
                params![self.tenant, invitation.email.as_str(), invitation.created_at],
            )
            .await?;
        self.conn
            .execute(
                "INSERT INTO invitation (tenant_id, id, email, name, roles, employee_id, status, delivery, inviter, \
                 accepted_by, token_hash, generation, created_at, updated_at, requested_at, expires_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
                params![
                    self.tenant,
                    invitation.id,
                    invitation.email.as_str(),
                    invitation.name.as_str(),
                    role_codes(&invitation.roles),
                    invitation.employee_id,
                    invitation.status.code(),
                    invitation.delivery.code(),
                    json(&stored.inviter)?,
                    invitation.accepted_by,
                    stored.token_hash.map(|hash| hash.to_vec()),
                    stored.generation,
                    invitation.created_at,
                    invitation.updated_at,
                    invitation.requested_at,
                    invitation.expires_at,
                    invitation.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, stored: &StoredInvitation, expected: Version) -> Result<(), StoreError> {
        let invitation = &stored.invitation;
        self.conn
            .execute_expecting_one(
                "UPDATE invitation SET status = $4, delivery = $5, inviter = $6, accepted_by = $7, token_hash = $8, \
                 generation = $9, updated_at = $10, requested_at = $11, expires_at = $12, version = $13 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    invitation.id,
                    expected,
                    invitation.status.code(),
                    invitation.delivery.code(),
                    json(&stored.inviter)?,
                    invitation.accepted_by,
                    stored.token_hash.map(|hash| hash.to_vec()),
                    stored.generation,
                    invitation.updated_at,
                    invitation.requested_at,
                    invitation.expires_at,
                    invitation.version,
                ],
            )
            .await
    }
}
