//! Roles of organisations in SQL.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::role::{CustomRole, RoleFilter, RoleRepo, RoleSort};
use hrms_core::{Grant, PageRequest, Role, RoleId, RoleName, StoreError, Version};

use crate::instant::Instant;
use crate::query::{CHUNK, Query, params};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct RoleRow {
    id: Uuid,
    code: String,
    name: String,
    description: String,
    grants: Value,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl TryFrom<RoleRow> for CustomRole {
    type Error = StoreError;

    fn try_from(row: RoleRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: RoleId::from_uuid(row.id),
            code: RoleName::new(row.code),
            name: row.name,
            description: row.description,
            grants: grants(row.grants)?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

/// What a role grants. A permission that isn't known any more grants nothing.
fn grants(stored: Value) -> Result<Vec<Grant>, StoreError> {
    match stored {
        Value::Array(items) => {
            Ok(items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
        }
        other => Err(corrupt("role", format!("grants {other}"))),
    }
}

fn stored(grants: &[Grant]) -> Result<Value, StoreError> {
    serde_json::to_value(grants).map_err(|error| corrupt("role", error))
}

fn own_codes(roles: &[RoleName]) -> Vec<&str> {
    roles.iter().filter(|role| role.built_in().is_none()).map(RoleName::as_str).collect()
}

/// What stands in a list of role codes as JSON. Codes of roles have no character that `LIKE` knows.
fn pattern(code: &RoleName) -> String {
    format!("%\"{code}\"%")
}

impl SqlTx {
    /// Everything that these roles grant. No statement where all of them are built in.
    pub(crate) async fn grants_of(&mut self, roles: &[RoleName]) -> Result<Vec<Grant>, StoreError> {
        let mut all: Vec<Grant> =
            roles.iter().filter_map(RoleName::built_in).flat_map(Role::grants).collect();
        let own = own_codes(roles);
        if !own.is_empty() {
            let mut query = Query::with(
                "SELECT grants FROM role WHERE tenant_id = $1 AND code IN ",
                params![self.tenant],
            );
            query.list(own);
            for (found,) in query.all::<(Value,)>(&mut self.conn).await? {
                all.extend(grants(found)?);
            }
        }
        Ok(all)
    }

    /// Refuses roles that the organisation doesn't have, and keeps the others from being removed until we
    /// commit: what a foreign key would do, if it could reach into a list.
    pub(crate) async fn hold_roles(&mut self, roles: &[RoleName]) -> Result<(), StoreError> {
        let mut own = own_codes(roles);
        if own.is_empty() {
            return Ok(());
        }
        own.sort_unstable();
        own.dedup();
        let wanted = own.len();
        let mut query =
            Query::with("SELECT code FROM role WHERE tenant_id = $1 AND code IN ", params![self.tenant]);
        query.list(own).push(" ORDER BY code").push(self.conn.for_reference());
        let found = query.all::<(String,)>(&mut self.conn).await?;
        if found.len() == wanted { Ok(()) } else { Err(missing()) }
    }
}

fn missing() -> StoreError {
    StoreError::Conflict { constraint: "membership_role_fkey".into() }
}

#[async_trait]
impl RoleRepo for SqlTx {
    async fn get(&mut self, id: RoleId) -> Result<Option<CustomRole>, StoreError> {
        let row: Option<RoleRow> = self
            .conn
            .optional(
                "SELECT id, code, name, description, grants, created_at, updated_at, version \
                 FROM role WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn find_by_codes(&mut self, codes: &[String]) -> Result<Vec<CustomRole>, StoreError> {
        let mut found = Vec::new();
        for codes in codes.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT id, code, name, description, grants, created_at, updated_at, version \
                 FROM role WHERE tenant_id = $1 AND code IN ",
                params![self.tenant],
            );
            query.list(codes.iter().map(String::as_str));
            for row in query.all::<RoleRow>(&mut self.conn).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    async fn list(
        &mut self,
        filter: &RoleFilter,
        page: &PageRequest<RoleSort>,
    ) -> Result<Vec<CustomRole>, StoreError> {
        let mut query = Query::new(
            "SELECT id, code, name, description, grants, created_at, updated_at, version FROM role WHERE tenant_id = ",
        );
        query.bind(self.tenant);
        query.and(" AND code = ", filter.code.as_deref());
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            RoleSort::Name => "name",
            RoleSort::Code => "code",
        };
        query.page(column, "id", page, |key| key.into());
        query.all::<RoleRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(&mut self, role: &CustomRole) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO role (tenant_id, id, code, name, description, grants, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                params![
                    self.tenant,
                    role.id,
                    role.code.as_str(),
                    role.name.as_str(),
                    role.description.as_str(),
                    stored(&role.grants)?,
                    role.created_at,
                    role.updated_at,
                    role.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, role: &CustomRole, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE role SET name = $4, description = $5, grants = $6, updated_at = $7, version = $8 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    role.id,
                    expected,
                    role.name.as_str(),
                    role.description.as_str(),
                    stored(&role.grants)?,
                    role.updated_at,
                    role.version,
                ],
            )
            .await
    }

    async fn remove(&mut self, role: &CustomRole, expected: Version) -> Result<(), StoreError> {
        // Waits for those who are giving it to somebody; their memberships are seen by the next statement.
        let mut query = Query::with(
            "SELECT code FROM role WHERE tenant_id = $1 AND id = $2 AND version = $3",
            params![self.tenant, role.id, expected],
        );
        query.push(self.conn.for_removal());
        let held: Option<(String,)> = query.optional(&mut self.conn).await?;
        let Some((code,)) = held else { return Err(StoreError::Stale) };
        let had: Option<(Uuid,)> = self
            .conn
            .optional(
                "SELECT user_id FROM membership WHERE tenant_id = $1 AND CAST(roles AS text) LIKE $2 LIMIT 1",
                params![self.tenant, pattern(&RoleName::new(code))],
            )
            .await?;
        if had.is_some() {
            return Err(missing());
        }
        self.conn
            .execute_expecting_one(
                "DELETE FROM role WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, role.id, expected],
            )
            .await
    }
}
