//! The two engines behind one connection type, bound to a tenant or to the directory.

use std::sync::Arc;

use sqlx::{Postgres, Sqlite, Transaction};

use hrms_core::StoreError;

use crate::query::Param;
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
