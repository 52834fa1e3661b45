//! Removing everything of an organisation, from whatever tables there are.
//!
//! On PostgreSQL a function of the owner does it (`purge_organization` in migration 14): no role of the application may
//! delete from append-only tables. SQLite has no roles; there it is done here, in the same way.

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Sqlite, Transaction};
use uuid::Uuid;

use hrms_core::{StoreError, TenantId};

use crate::engine::Conn;
use crate::query::params;
use crate::store::SqlStore;

/// A column that refers to accounts.
type Reference = (String, String);

impl SqlStore {
    /// Removes every row of a closed organisation whose hold is over; whether there was one.
    pub(crate) async fn purge(&self, id: TenantId, now: Timestamp) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let purged = match &mut *conn {
            conn @ Conn::Postgres(_) => {
                let sql = "SELECT purge_organization($1, $2)";
                let row: Option<(bool,)> = conn.optional(sql, params![id, now]).await?;
                row.is_some_and(|(purged,)| purged)
            }
            conn @ Conn::Sqlite(..) => on_sqlite(conn, id, now).await?,
        };
        if purged {
            conn.commit().await?;
        }
        Ok(purged)
    }
}

async fn on_sqlite(conn: &mut Conn, id: TenantId, now: Timestamp) -> Result<bool, StoreError> {
    let due: Option<(i64,)> = conn
        .optional(
            "SELECT 1 FROM organization WHERE id = $1 AND closed_at IS NOT NULL AND purge_after <= $2",
            params![id, now],
        )
        .await?;
    if due.is_none() {
        return Ok(false);
    }
    let members: Vec<(Uuid,)> =
        conn.all("SELECT user_id FROM membership WHERE tenant_id = $1", params![id]).await?;
    let Conn::Sqlite(tx, names) = conn else { return Ok(false) };
    let result = delete(tx, id.as_uuid(), now, &members).await;
    result.map_err(|error| crate::sqlite::error(error, names))?;
    Ok(true)
}

async fn delete(
    tx: &mut Transaction<'static, Sqlite>,
    id: Uuid,
    now: Timestamp,
    members: &[(Uuid,)],
) -> Result<(), sqlx::Error> {
    // Until the commit, so that the order of the tables doesn't matter.
    sqlx::query("PRAGMA defer_foreign_keys = ON").execute(&mut **tx).await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT t.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c \
         WHERE t.type = 'table' AND c.name = 'tenant_id' ORDER BY t.name",
    )
    .fetch_all(&mut **tx)
    .await?;
    // The triggers that keep the audit log as it is ask for this mark; it goes last.
    let mark = "audit_purge";
    let marked = tables.iter().any(|table| table == mark);
    if marked {
        sqlx::query("INSERT INTO audit_purge (tenant_id, marked_at) VALUES ($1, $2)")
            .bind(id)
            .bind(crate::instant::Instant(now))
            .execute(&mut **tx)
            .await?;
    }
    let others = tables.iter().map(String::as_str).filter(|table| *table != mark);
    for table in others.chain(marked.then_some(mark)) {
        // The name comes from the catalogue.
        let statement = format!("DELETE FROM \"{table}\" WHERE tenant_id = $1");
        sqlx::query(AssertSqlSafe(statement)).bind(id).execute(&mut **tx).await?;
    }
    sqlx::query("DELETE FROM organization WHERE id = $1").bind(id).execute(&mut **tx).await?;

    let references: Vec<Reference> = sqlx::query_as(
        "SELECT t.name, f.\"from\" FROM sqlite_schema AS t JOIN pragma_foreign_key_list(t.name) AS f \
         WHERE t.type = 'table' AND f.\"table\" = 'user_account' ORDER BY t.name",
    )
    .fetch_all(&mut **tx)
    .await?;
    for (member,) in members {
        remove_account(tx, *member, &tables, &references).await?;
    }
    Ok(())
}

/// Removes an account with what depends on it, unless somebody elsewhere, or the platform, needs it.
async fn remove_account(
    tx: &mut Transaction<'static, Sqlite>,
    account: Uuid,
    tenant_tables: &[String],
    references: &[Reference],
) -> Result<(), sqlx::Error> {
    let keeps = |table: &String| table == "platform_operator" || tenant_tables.contains(table);
    let (keeping, dependent): (Vec<_>, Vec<_>) = references.iter().partition(|(table, _)| keeps(table));
    for (table, column) in keeping {
        let statement = format!("SELECT 1 FROM \"{table}\" WHERE \"{column}\" = $1 LIMIT 1");
        let found: Option<i64> =
            sqlx::query_scalar(AssertSqlSafe(statement)).bind(account).fetch_optional(&mut **tx).await?;
        if found.is_some() {
            return Ok(());
        }
    }
    for (table, column) in dependent {
        let statement = format!("DELETE FROM \"{table}\" WHERE \"{column}\" = $1");
        sqlx::query(AssertSqlSafe(statement)).bind(account).execute(&mut **tx).await?;
    }
    sqlx::query("DELETE FROM user_account WHERE id = $1").bind(account).execute(&mut **tx).await?;
    Ok(())
}
