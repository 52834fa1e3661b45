//! Accounts by address, and an account's organisations, in SQL, across tenants.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::identity::MyOrganization;
use hrms_core::membership::{KnownAccount, MembershipDirectory};
use hrms_core::user::Account;
use hrms_core::{StoreError, TenantId, UserId};

use crate::instant::Instant;
use crate::query::params;
use crate::store::SqlStore;

#[derive(FromRow)]
struct AccountRow {
    id: Uuid,
    email: String,
    name: String,
    password_hash: String,
    status: String,
    created_at: Instant,
    password_chosen_by: Option<Uuid>,
}

#[async_trait]
impl MembershipDirectory for SqlStore {
    async fn account_by_email(&self, email: &str) -> Result<Option<KnownAccount>, StoreError> {
        let row: Option<AccountRow> = self
            .directory_read()
            .await?
            .optional(
                "SELECT id, email, name, password_hash, status, created_at, password_chosen_by FROM user_account \
                 WHERE email = $1",
                params![email],
            )
            .await?;
        Ok(row.map(|row| KnownAccount {
            active: row.status == "active",
            password_chosen_by: row.password_chosen_by.map(UserId::from_uuid),
            account: Account {
                id: UserId::from_uuid(row.id),
                email: row.email,
                name: row.name,
                password_hash: row.password_hash,
                created_at: row.created_at.0,
            },
        }))
    }

    async fn organizations_of(&self, user: UserId) -> Result<Vec<MyOrganization>, StoreError> {
        let rows: Vec<(Uuid, String, String)> = self
            .directory_read()
            .await?
            .all(
                "SELECT o.id, o.slug, o.name FROM membership AS m JOIN organization AS o ON o.id = m.tenant_id \
                 JOIN user_account AS u ON u.id = m.user_id \
                 WHERE m.user_id = $1 AND m.status = 'active' AND o.status = 'active' AND u.status = 'active' \
                 ORDER BY o.name, o.slug LIMIT 1000",
                params![user],
            )
            .await?;
        let organization = |(id, slug, name)| MyOrganization { id: TenantId::from_uuid(id), slug, name };
        Ok(rows.into_iter().map(organization).collect())
    }

    async fn memberships_of(&self, user: UserId) -> Result<Vec<TenantId>, StoreError> {
        let rows: Vec<(Uuid,)> = self
            .directory_read()
            .await?
            .all(
                "SELECT tenant_id FROM membership WHERE user_id = $1 AND removed_at IS NULL ORDER BY tenant_id",
                params![user],
            )
            .await?;
        Ok(rows.into_iter().map(|(tenant,)| TenantId::from_uuid(tenant)).collect())
    }
}
