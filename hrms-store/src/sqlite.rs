//! The embedded engine: one file (or memory), many readers, one writer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use sqlx::{ConnectOptions as _, Sqlite, Transaction};
use tokio::task::JoinHandle;

use hrms_core::StoreError;

use crate::engine::Conn;

/// How long a writer waits for its turn.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Pools on one SQLite database.
#[derive(Clone, Debug)]
pub(crate) struct SqliteEngine {
    writer: SqlitePool,
    readers: SqlitePool,
    names: Arc<ConstraintNames>,
}

impl SqliteEngine {
    /// A database of its own in memory, gone with the last clone. Readers share the one connection.
    pub(crate) async fn memory() -> Result<Self, sqlx::Error> {
        let options = options(SqliteConnectOptions::from_str("sqlite::memory:")?);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        Ok(Self { writer: pool.clone(), readers: pool, names: Arc::default() })
    }

    /// The database in this file, created when missing.
    pub(crate) async fn file(path: &Path) -> Result<Self, sqlx::Error> {
        let options = options(SqliteConnectOptions::new().filename(path).create_if_missing(true));
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options.clone())
            .await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        Ok(Self { writer, readers, names: Arc::default() })
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Learns the names of unique indexes, which SQLite's messages don't give.
    pub(crate) async fn learn_names(&mut self) -> Result<(), sqlx::Error> {
        self.names = Arc::new(ConstraintNames::read(&self.writer).await?);
        Ok(())
    }

    pub(crate) async fn begin_write(&self) -> Result<Conn, StoreError> {
        let pool = self.writer.clone();
        self.begun(tokio::spawn(async move { pool.begin_with("BEGIN IMMEDIATE").await })).await
    }

    pub(crate) async fn begin_read(&self) -> Result<Conn, StoreError> {
        let pool = self.readers.clone();
        self.begun(tokio::spawn(async move { pool.begin().await })).await
    }

    /// Waits for a task that opens a transaction. It is a task of its own, so that it isn't dropped halfway with whoever
    /// waits: the driver would close the connection, and a database in memory would be gone.
    async fn begun(
        &self,
        opening: JoinHandle<Result<Transaction<'static, Sqlite>, sqlx::Error>>,
    ) -> Result<Conn, StoreError> {
        let begun = opening.await.map_err(|stopped| StoreError::Unavailable(stopped.into()))?;
        Ok(Conn::Sqlite(begun.map_err(|error| self::error(error, &self.names))?, self.names.clone()))
    }
}

fn options(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: a commit that was acknowledged survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(500)
        .disable_statement_logging()
}

/// From "table.column, table.column", as SQLite's messages say it, to the index's name.
#[derive(Debug, Default)]
pub(crate) struct ConstraintNames(HashMap<String, String>);

impl ConstraintNames {
    async fn read(pool: &SqlitePool) -> Result<Self, sqlx::Error> {
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT t.name, i.name, i.origin, c.name FROM sqlite_schema AS t \
             JOIN pragma_index_list(t.name) AS i JOIN pragma_index_info(i.name) AS c \
             WHERE t.type = 'table' AND i.\"unique\" = 1 ORDER BY t.name, i.name, c.seqno",
        )
        .fetch_all(pool)
        .await?;
        let mut columns: HashMap<(String, String), String> = HashMap::new();
        for (table, index, origin, column) in rows {
            let name = if origin == "pk" { format!("{table}_pkey") } else { index };
            let list = columns.entry((table.clone(), name)).or_default();
            if !list.is_empty() {
                list.push_str(", ");
            }
            list.push_str(&format!("{table}.{column}"));
        }
        Ok(Self(columns.into_iter().map(|((_, name), list)| (list, name)).collect()))
    }

    fn of(&self, message: &str) -> Cow<'static, str> {
        let Some((_, what)) = message.split_once("constraint failed: ") else {
            return match message {
                "FOREIGN KEY constraint failed" => "foreign_key".into(),
                // A trigger's RAISE(ABORT, '<constraint name>').
                name => name.to_owned().into(),
            };
        };
        let what = what.strip_prefix("index '").and_then(|name| name.strip_suffix('\'')).unwrap_or(what);
        self.0.get(what).map_or(what, String::as_str).to_owned().into()
    }
}

/// SQLite's primary result codes (the low byte of the extended ones).
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const CONSTRAINT: i32 = 19;

pub(crate) fn error(error: sqlx::Error, names: &ConstraintNames) -> StoreError {
    match &error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
            StoreError::Unavailable(error.into())
        }
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
            match code & 0xff {
                CONSTRAINT => StoreError::Conflict { constraint: names.of(database.message()) },
                BUSY | LOCKED => StoreError::Unavailable(error.into()),
                _ => StoreError::Backend(error.into()),
            }
        }
        _ => StoreError::Backend(error.into()),
    }
}
