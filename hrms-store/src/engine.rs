//! The two engines behind one connection type, bound to a tenant or to the directory.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::{Postgres, Sqlite, Transaction};

use hrms_core::audit::Draft;
use hrms_core::{StoreError, TenantId};

use crate::query::{Param, params};
use crate::sql::audit;
use crate::sqlite::ConstraintNames;

/// An open transaction on either engine.
#[derive(Debug)]
pub(crate) enum Conn {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>, Arc<ConstraintNames>),
}

impl Conn {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => tx.commit().await.map_err(crate::postgres::error),
            Self::Sqlite(tx, names) => tx.commit().await.map_err(|error| crate::sqlite::error(error, &names)),
        }
    }

    /// Runs one statement of a tenant's change as the directory: what it writes is shared by all tenants,
    /// and is committed with the rest or not at all. If it fails, so does the whole transaction.
    pub(crate) async fn execute_as_directory(
        &mut self,
        sql: &'static str,
        params: impl IntoIterator<Item = Param> + Send,
    ) -> Result<u64, StoreError> {
        if let Self::Postgres(_) = self {
            self.execute("SET LOCAL ROLE hrms_directory", []).await?;
        }
        let touched = self.execute(sql, params).await?;
        if let Self::Postgres(_) = self {
            self.execute("SET LOCAL ROLE hrms_app", []).await?;
        }
        Ok(touched)
    }

    /// Goes on inside a tenant: the last part of a change that crosses tenants.
    async fn enter(&mut self, tenant: TenantId) -> Result<(), StoreError> {
        if let Self::Postgres(_) = self {
            self.execute("SET LOCAL ROLE hrms_app", []).await?;
            let tenant = tenant.as_uuid().to_string();
            self.execute("SELECT set_config('hrms.tenant_id', $1, true)", params![tenant]).await?;
        }
        Ok(())
    }

    /// Text to append to a `SELECT` so that the rows stay as they are until we commit.
    ///
    /// SQLite has one writer at a time, so nothing needs to be said there.
    pub(crate) fn for_update(&self) -> &'static str {
        match self {
            // References to the row may still be made: nobody changes keys.
            Self::Postgres(_) => " FOR NO KEY UPDATE",
            Self::Sqlite(..) => "",
        }
    }

    /// Text to append to a `SELECT` so that the rows aren't removed until we commit.
    pub(crate) fn for_reference(&self) -> &'static str {
        match self {
            Self::Postgres(_) => " FOR KEY SHARE",
            Self::Sqlite(..) => "",
        }
    }

    /// Text to append to a `SELECT` so that nobody changes the rows until we commit; others may say so, too.
    pub(crate) fn for_share(&self) -> &'static str {
        match self {
            Self::Postgres(_) => " FOR SHARE",
            Self::Sqlite(..) => "",
        }
    }

    /// Text to append to a `SELECT` so that nobody changes, or refers to, the rows until we commit.
    pub(crate) fn for_removal(&self) -> &'static str {
        match self {
            Self::Postgres(_) => " FOR UPDATE",
            Self::Sqlite(..) => "",
        }
    }

    /// Text to append to a `SELECT` that takes only rows which no other worker holds.
    pub(crate) fn skip_locked(&self) -> &'static str {
        match self {
            Self::Postgres(_) => " FOR UPDATE SKIP LOCKED",
            Self::Sqlite(..) => "",
        }
    }
}

/// Entries to be, and whose log each belongs to; without a tenant, the platform's.
pub(crate) type Entries = [(Option<TenantId>, Draft)];

/// A change that crosses tenants, and the audit entries that are written with it or not at all.
#[derive(Debug)]
pub(crate) struct DirectoryConn {
    conn: Conn,
    entries: Arc<Entries>,
}

impl DirectoryConn {
    pub(crate) fn new(conn: Conn, entries: Arc<Entries>) -> Self {
        Self { conn, entries }
    }

    /// Appends the entries and makes everything durable.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        // Always in this order, the platform's first, so that two changes never wait for each other.
        let mut logs: BTreeMap<Option<TenantId>, Vec<Draft>> = BTreeMap::new();
        for (tenant, draft) in self.entries.iter() {
            logs.entry(*tenant).or_default().push(draft.clone());
        }
        for (tenant, drafts) in logs {
            if let Some(tenant) = tenant {
                self.conn.enter(tenant).await?;
            }
            audit::append(&mut self.conn, tenant, drafts, Vec::new()).await?;
        }
        self.conn.commit().await
    }

    /// A change that puts nothing on record by itself.
    pub(crate) fn into_inner(self) -> Conn {
        self.conn
    }

    /// Makes the change durable without the entries: it isn't what they are about.
    pub(crate) async fn commit_unrecorded(self) -> Result<(), StoreError> {
        self.conn.commit().await
    }
}

impl Deref for DirectoryConn {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for DirectoryConn {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}
