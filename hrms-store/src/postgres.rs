//! PostgreSQL: row-level security below every statement, and roles that can't step around it.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use hrms_core::{StoreError, TenantId};

use crate::engine::Conn;

/// A page read out of order costs about what one in order does, on the disks of today. With the planner's default of 4, statements
/// about 500 of 100,000 employees read all of them, which takes ten times as long.
const PLANNER: &str = "SET LOCAL random_page_cost = 1.1";

/// A pool that connects as the application's log-in role.
#[derive(Clone, Debug)]
pub(crate) struct PostgresEngine {
    pool: PgPool,
}

/// Why the connecting role must not be used: it could step around row-level security.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsafeRole {
    /// Superusers ignore row-level security.
    #[error("the database role is a superuser, which ignores row-level security")]
    Superuser,
    /// `BYPASSRLS` says what it does.
    #[error("the database role has BYPASSRLS, which ignores row-level security")]
    BypassesRowSecurity,
    /// The owner can drop the policies.
    #[error("the database role is a member of the owner role hrms_owner, which can drop the policies")]
    Owner,
}

impl PostgresEngine {
    pub(crate) async fn connect(url: &str, connections: u32) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::from_str(url)?
            .statement_cache_capacity(500)
            .application_name("hrms")
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            // A dead connection shows at its next use anyway; a ping per unit of work doesn't pay.
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        Ok(Self { pool })
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether the log-in role could step around row-level security.
    pub(crate) async fn unsafe_role(&self) -> Result<Option<UnsafeRole>, sqlx::Error> {
        let (superuser, bypass, owner): (bool, bool, bool) = sqlx::query_as(
            "SELECT r.rolsuper, r.rolbypassrls, \
               COALESCE((SELECT pg_has_role(r.oid, o.oid, 'MEMBER') FROM pg_roles AS o WHERE o.rolname = 'hrms_owner'), false) \
             FROM pg_roles AS r WHERE r.rolname = session_user",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(match (superuser, bypass, owner) {
            (true, _, _) => Some(UnsafeRole::Superuser),
            (_, true, _) => Some(UnsafeRole::BypassesRowSecurity),
            (_, _, true) => Some(UnsafeRole::Owner),
            _ => None,
        })
    }

    /// One round trip: the transaction, the application role, and the tenant it is bound to.
    ///
    /// `SET LOCAL` ends with the transaction, so nothing leaks through a pool. The text is built
    /// here and nowhere else, from a UUID.
    pub(crate) async fn begin_write(&self, tenant: TenantId) -> Result<Conn, StoreError> {
        self.begin(format!(
            "BEGIN; SET LOCAL ROLE hrms_app; SET LOCAL hrms.tenant_id = '{}'; {PLANNER}",
            tenant.as_uuid()
        ))
        .await
    }

    pub(crate) async fn begin_read(&self, tenant: TenantId) -> Result<Conn, StoreError> {
        self.begin(format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL ROLE hrms_app; SET LOCAL hrms.tenant_id = '{}'; {PLANNER}",
            tenant.as_uuid()
        ))
        .await
    }

    /// A transaction as the role that crosses tenants, which has rights on a handful of tables only.
    pub(crate) async fn begin_directory(&self) -> Result<Conn, StoreError> {
        self.begin("BEGIN; SET LOCAL ROLE hrms_directory".to_owned()).await
    }

    /// In a task of its own, so that it isn't dropped halfway with whoever waits for it: the driver would put the
    /// connection back into the pool with the transaction open, for the next unit of work to run in.
    async fn begin(&self, statement: String) -> Result<Conn, StoreError> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(statement)).await });
        let begun = begun.await.map_err(|stopped| StoreError::Unavailable(stopped.into()))?;
        Ok(Conn::Postgres(begun.map_err(error)?))
    }
}

pub(crate) fn error(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
            StoreError::Unavailable(error.into())
        }
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            // Classes of SQLSTATE: 23 integrity, 08 connection, 53 resources, 57 operator
            // intervention, 40 rollback (deadlock, serialisation), 55 object not in a usable state.
            match code.get(..2) {
                Some("23") => {
                    let name = database.constraint().unwrap_or("not_null").to_owned();
                    StoreError::Conflict { constraint: name.into() }
                }
                Some("08" | "40" | "53" | "55" | "57") => StoreError::Unavailable(error.into()),
                _ => StoreError::Backend(error.into()),
            }
        }
        _ => StoreError::Backend(error.into()),
    }
}
