//! Memberships in SQL: an organisation's users.

use async_trait::async_trait;
use jiff::{Timestamp, civil::Date};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::user::{Lineage, Standing, User, UserFilter, UserRepo, UserSort, UserStatus};
use hrms_core::{EmployeeId, PageRequest, Role, RoleName, SessionId, StoreError, UserId, Version};

use crate::engine::Conn;
use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::sql::credential::{REMOVE_CODES, REMOVE_TOTP};
use crate::sql::employment::{FactsRow, facts};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct UserRow {
    user_id: Uuid,
    email: String,
    name: String,
    roles: Value,
    employee_id: Option<Uuid>,
    status: String,
    removed_at: Option<Instant>,
    former_employee_id: Option<Uuid>,
    created_by: Option<Uuid>,
    counts_as: Option<Uuid>,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId::from_uuid(row.user_id),
            email: row.email,
            name: row.name,
            roles: roles(row.roles)?,
            employee_id: row.employee_id.map(EmployeeId::from_uuid),
            former_employee_id: row.former_employee_id.map(EmployeeId::from_uuid),
            status: match (row.status.as_str(), row.removed_at) {
                ("active", None) => UserStatus::Active,
                ("disabled", None) => UserStatus::Disabled,
                ("disabled", Some(_)) => UserStatus::Removed,
                (other, _) => return Err(corrupt("membership", format!("status {other}"))),
            },
            created_by: row.created_by.map(UserId::from_uuid),
            counts_as: row.counts_as.map(UserId::from_uuid),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

#[derive(FromRow)]
struct StandingRow {
    user_id: Uuid,
    roles: Value,
    employee_id: Option<Uuid>,
    former_employee_id: Option<Uuid>,
    counts_as: Option<Uuid>,
    /// Whether the employee has left.
    ended: bool,
    #[sqlx(flatten)]
    facts: FactsRow,
}

impl SqlTx {
    async fn standing_of(&mut self, row: StandingRow) -> Result<Standing, StoreError> {
        let mut roles = roles(row.roles)?;
        if row.ended {
            roles.retain(|role| *role == Role::Owner);
        }
        let mut counts_as: Vec<_> = row.former_employee_id.map(EmployeeId::from_uuid).into_iter().collect();
        if row.counts_as.is_some() {
            counts_as = self.lineage(UserId::from_uuid(row.user_id)).await?.employees;
        }
        Ok(Standing {
            counts_as,
            grants: self.grants_of(&roles).await?,
            roles,
            employee: row.employee_id.map(EmployeeId::from_uuid),
            facts: row.facts.try_into()?,
        })
    }
}

/// What a member `m` of the organisation `o` may rely on; $1 is the tenant, $2 today, $3 the day before.
///
/// Days are those of UTC, and begin and end elsewhere at other times: whoever left on $2 or the day before
/// still counts as there.
macro_rules! standing {
    ($from:literal, $where:literal) => {
        concat!(
            "SELECT m.user_id, m.roles, m.employee_id, m.former_employee_id, m.counts_as, \
             (m.employee_id IS NOT NULL AND EXISTS (SELECT 1 FROM employment_record AS p \
               WHERE p.tenant_id = $1 AND p.employee_id = m.employee_id AND p.valid_to <= $3) \
              AND NOT EXISTS (SELECT 1 FROM employment_record AS p \
               WHERE p.tenant_id = $1 AND p.employee_id = m.employee_id \
                 AND (p.valid_to IS NULL OR p.valid_to > $3))) AS ended, ",
            facts!("r"),
            " FROM ",
            $from,
            " JOIN organization AS o ON o.id = m.tenant_id \
             LEFT JOIN employment_record AS r ON r.tenant_id = m.tenant_id AND r.employee_id = m.employee_id \
               AND r.valid_from <= $2 AND (r.valid_to IS NULL OR r.valid_to > $2) \
             WHERE m.tenant_id = $1 AND m.status = 'active' AND o.status = 'active' AND ",
            $where
        )
    };
}

pub(crate) fn roles(stored: Value) -> Result<Vec<RoleName>, StoreError> {
    serde_json::from_value(stored).map_err(|error| corrupt("membership", error))
}

pub(crate) fn role_codes(roles: &[RoleName]) -> Value {
    roles.iter().map(RoleName::as_str).collect()
}

/// The columns `status` and `removed_at` of a user.
fn stored_status(user: &User) -> (&'static str, Option<Timestamp>) {
    match user.status {
        UserStatus::Active => ("active", None),
        UserStatus::Disabled => ("disabled", None),
        UserStatus::Removed => ("disabled", Some(user.updated_at)),
    }
}

const INSERT_ACCOUNT: &str = "INSERT INTO user_account (id, email, name, password_hash, status, created_at, updated_at, version, \
     password_chosen_by) VALUES ($1, $2, $3, $4, 'active', $5, $5, 1, $6)";

/// The parameters of a new account.
fn account(user: &User, password_hash: &str, chosen_by: Option<UserId>) -> [Param; 6] {
    params![user.id, user.email.as_str(), user.name.as_str(), password_hash, user.created_at, chosen_by]
}

/// Adds a membership.
async fn insert_membership(
    conn: &mut Conn,
    tenant: hrms_core::TenantId,
    user: &User,
) -> Result<(), StoreError> {
    let (status, removed_at) = stored_status(user);
    conn.execute(
        "INSERT INTO membership (tenant_id, user_id, email, name, roles, employee_id, status, removed_at, created_at, \
         updated_at, version, created_by, counts_as, former_employee_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        params![
            tenant,
            user.id,
            user.email.as_str(),
            user.name.as_str(),
            role_codes(&user.roles),
            user.employee_id,
            status,
            removed_at,
            user.created_at,
            user.updated_at,
            user.version,
            user.created_by,
            user.counts_as,
            user.former_employee_id,
        ],
    )
    .await?;
    Ok(())
}

/// Adds an account and its membership, as the directory.
pub(crate) async fn insert_first(
    conn: &mut Conn,
    tenant: hrms_core::TenantId,
    user: &User,
    password_hash: &str,
) -> Result<(), StoreError> {
    conn.execute(INSERT_ACCOUNT, account(user, password_hash, None)).await?;
    insert_membership(conn, tenant, user).await
}

#[async_trait]
impl UserRepo for SqlTx {
    async fn get(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = self
            .conn
            .optional(
                "SELECT user_id, email, name, roles, employee_id, status, removed_at, former_employee_id, created_by, \
                 counts_as, created_at, updated_at, version \
                 FROM membership WHERE tenant_id = $1 AND user_id = $2",
                params![self.tenant, id],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        filter: &UserFilter,
        page: &PageRequest<UserSort>,
    ) -> Result<Vec<User>, StoreError> {
        let mut query = Query::new(
            "SELECT user_id, email, name, roles, employee_id, status, removed_at, former_employee_id, created_by, \
             counts_as, created_at, updated_at, version \
             FROM membership WHERE tenant_id = ",
        );
        query.bind(self.tenant);
        query.and(" AND email = ", filter.email.as_deref());
        query.and(" AND employee_id = ", filter.employee);
        query.push(match filter.status {
            None => " AND removed_at IS NULL",
            Some(UserStatus::Active) => " AND status = 'active'",
            Some(UserStatus::Disabled) => " AND status = 'disabled' AND removed_at IS NULL",
            Some(UserStatus::Removed) => " AND removed_at IS NOT NULL",
        });
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            UserSort::Name => "name",
            UserSort::Email => "email",
        };
        query.page(column, "user_id", page, |key| key.into());
        query.all::<UserRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(
        &mut self,
        user: &User,
        password_hash: &str,
        chosen_by: Option<UserId>,
    ) -> Result<(), StoreError> {
        self.hold_roles(&user.roles).await?;
        let account = account(user, password_hash, chosen_by);
        self.conn.execute_as_directory(INSERT_ACCOUNT, account).await?;
        insert_membership(&mut self.conn, self.tenant, user).await
    }

    async fn insert_membership(&mut self, user: &User) -> Result<(), StoreError> {
        self.hold_roles(&user.roles).await?;
        insert_membership(&mut self.conn, self.tenant, user).await
    }

    async fn update(&mut self, user: &User, expected: Version) -> Result<(), StoreError> {
        self.hold_roles(&user.roles).await?;
        let (status, removed_at) = stored_status(user);
        self.conn
            .execute_expecting_one(
                "UPDATE membership SET email = $4, name = $5, roles = $6, employee_id = $7, status = $8, \
                 removed_at = $9, updated_at = $10, version = $11, created_by = $12, counts_as = $13, \
                 former_employee_id = $14 \
                 WHERE tenant_id = $1 AND user_id = $2 AND version = $3",
                params![
                    self.tenant,
                    user.id,
                    expected,
                    user.email.as_str(),
                    user.name.as_str(),
                    role_codes(&user.roles),
                    user.employee_id,
                    status,
                    removed_at,
                    user.updated_at,
                    user.version,
                    user.created_by,
                    user.counts_as,
                    user.former_employee_id,
                ],
            )
            .await
    }

    async fn hold_active_with_role(&mut self, role: Role) -> Result<Vec<UserId>, StoreError> {
        // In the order of the key, so that two of these can't wait for each other. Who was changed
        // while we waited is looked at again and left out.
        let mut query =
            Query::new("SELECT user_id, roles FROM membership WHERE status = 'active' AND tenant_id = ");
        query.bind(self.tenant).push(" AND CAST(roles AS text) LIKE ").bind(format!("%\"{}\"%", role.code()));
        query.push(" ORDER BY user_id").push(self.conn.for_update());
        let rows: Vec<(Uuid, Value)> = query.all(&mut self.conn).await?;
        let mut users = Vec::with_capacity(rows.len());
        for (user, stored) in rows {
            if roles(stored)?.iter().any(|held| *held == role) {
                users.push(UserId::from_uuid(user));
            }
        }
        Ok(users)
    }

    async fn set_password_due(&mut self, user: UserId, since: Option<Timestamp>) -> Result<(), StoreError> {
        self.conn
            .execute(
                "UPDATE membership SET password_due_since = $3 WHERE tenant_id = $1 AND user_id = $2",
                params![self.tenant, user, since],
            )
            .await?;
        Ok(())
    }

    async fn remove_second_factor(&mut self, user: UserId) -> Result<bool, StoreError> {
        self.conn.execute_as_directory(REMOVE_CODES, params![user]).await?;
        Ok(self.conn.execute_as_directory(REMOVE_TOTP, params![user]).await? > 0)
    }

    async fn end_session(
        &mut self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let ended = self
            .conn
            .execute(
                "UPDATE auth_session SET revoked_at = coalesce(revoked_at, $4) \
                 WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
                params![self.tenant, user, session, now],
            )
            .await?;
        Ok(ended > 0)
    }

    async fn end_sessions(&mut self, user: UserId, now: Timestamp) -> Result<u64, StoreError> {
        self.conn
            .execute(
                "UPDATE auth_session SET revoked_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL",
                params![self.tenant, user, now],
            )
            .await
    }

    async fn lineage(&mut self, user: UserId) -> Result<Lineage, StoreError> {
        // `UNION` ends where people made each other.
        let rows: Vec<(Uuid, Option<Uuid>, Option<Uuid>)> = self
            .conn
            .all(
                "WITH RECURSIVE line (user_id, employee_id, former_employee_id, counts_as) AS ( \
                   SELECT user_id, employee_id, former_employee_id, counts_as \
                   FROM membership WHERE tenant_id = $1 AND user_id = $2 \
                   UNION \
                   SELECT m.user_id, m.employee_id, m.former_employee_id, m.counts_as \
                   FROM line AS k JOIN membership AS m ON m.tenant_id = $1 AND m.user_id = k.counts_as) \
                 SELECT user_id, employee_id, former_employee_id FROM line",
                params![self.tenant, user],
            )
            .await?;
        let mut lineage = Lineage::default();
        for (user, employee, former) in rows {
            lineage.users.push(UserId::from_uuid(user));
            lineage.employees.extend([employee, former].into_iter().flatten().map(EmployeeId::from_uuid));
        }
        Ok(lineage)
    }

    async fn standing(
        &mut self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
        today: Date,
    ) -> Result<Option<Standing>, StoreError> {
        let row: Option<StandingRow> = self
            .conn
            .optional(
                standing!(
                    "auth_session AS s JOIN membership AS m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id",
                    "s.tenant_id = $1 AND s.id = $4 AND s.user_id = $5 AND s.revoked_at IS NULL AND s.expires_at > $6"
                ),
                params![self.tenant, today, day_before(today), session, user, now],
            )
            .await?;
        match row {
            Some(row) => self.standing_of(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn rights(&mut self, user: UserId, today: Date) -> Result<Option<Standing>, StoreError> {
        let row: Option<StandingRow> = self
            .conn
            .optional(
                standing!("membership AS m", "m.user_id = $4"),
                params![self.tenant, today, day_before(today), user],
            )
            .await?;
        match row {
            Some(row) => self.standing_of(row).await.map(Some),
            None => Ok(None),
        }
    }
}

fn day_before(day: Date) -> Date {
    day.yesterday().unwrap_or(day)
}
