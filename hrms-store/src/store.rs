//! The store: opens units of work on either engine.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use hrms_core::{Store, StoreError, TenantId, Tx};

use crate::engine::{Conn, DirectoryConn, Entries};
use crate::migrate;
use crate::postgres::{PostgresEngine, UnsafeRole};
use crate::sql::SqlTx;
use crate::sqlite::SqliteEngine;

/// Connections of a PostgreSQL store when the caller doesn't say.
const CONNECTIONS: u32 = 16;

/// A store on SQLite or PostgreSQL. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqlStore {
    engine: Engine,
    /// What changes across tenants put on record.
    entries: Arc<Entries>,
}

#[derive(Clone, Debug)]
enum Engine {
    Postgres(PostgresEngine),
    Sqlite(SqliteEngine),
}

/// Why a store couldn't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database can't be reached or refused something.
    #[error("the database can't be opened: {0}")]
    Database(#[from] sqlx::Error),
    /// Migrating the embedded database failed.
    #[error(transparent)]
    Migrate(#[from] migrate::Error),
    /// The connecting role could step around row-level security.
    #[error("{0}; connect as a role that may only act as hrms_app and hrms_directory")]
    UnsafeRole(#[from] UnsafeRole),
    /// The database lacks migrations.
    #[error("the database is not up to date: run the migrations first ({missing} missing)")]
    NotMigrated {
        /// How many are missing.
        missing: usize,
    },
}

impl SqlStore {
    /// A migrated database in memory, gone when the store is dropped. For tests and examples.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub async fn sqlite_memory() -> Result<Self, OpenError> {
        Self::migrated(SqliteEngine::memory().await?).await
    }

    /// The database in this file, created when missing and migrated.
    ///
    /// # Errors
    /// When the file can't be opened or migrated.
    pub async fn sqlite(path: &Path) -> Result<Self, OpenError> {
        // Two processes that start on a new file take turns: SQLite's migrations have no lock of their own.
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        // Of mode 0600 too: whoever could open it could hold the lock, and nobody would come in.
        let lock = create_for_us_alone(Path::new(&name))
            .and_then(|()| File::options().write(true).open(&name))
            .and_then(|file| file.lock().map(|()| file));
        let _lock = lock.map_err(sqlx::Error::Io)?;
        // SQLite gives the files beside it the same mode.
        create_for_us_alone(path).map_err(sqlx::Error::Io)?;
        Self::migrated(SqliteEngine::file(path).await?).await
    }

    async fn migrated(mut engine: SqliteEngine) -> Result<Self, OpenError> {
        migrate::sqlite(engine.writer()).await?;
        engine.learn_names().await?;
        Ok(Self { engine: Engine::Sqlite(engine), entries: Arc::default() })
    }

    /// A migrated PostgreSQL database, connected to as the application's role.
    ///
    /// # Errors
    /// When it can't be reached, lacks migrations, or the role could step around row-level security.
    pub async fn postgres(url: &str) -> Result<Self, OpenError> {
        let store = Self::postgres_with_any_role(url, CONNECTIONS).await?;
        if let Some(reason) = store.unsafe_role().await? {
            return Err(reason.into());
        }
        Ok(store)
    }

    /// Like [`SqlStore::postgres`] with a number of connections and without the check of the role:
    /// for development only.
    ///
    /// # Errors
    /// When it can't be reached or lacks migrations.
    pub async fn postgres_with_any_role(url: &str, connections: u32) -> Result<Self, OpenError> {
        let steps = migrate::postgres_steps(url).await?;
        let missing = steps.iter().filter(|step| !step.applied).count();
        if missing > 0 {
            return Err(OpenError::NotMigrated { missing });
        }
        let engine = Engine::Postgres(PostgresEngine::connect(url, connections).await?);
        Ok(Self { engine, entries: Arc::default() })
    }

    /// Whether (and why) the connecting role could step around row-level security.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn unsafe_role(&self) -> Result<Option<UnsafeRole>, OpenError> {
        match &self.engine {
            Engine::Postgres(engine) => Ok(engine.unsafe_role().await?),
            Engine::Sqlite(_) => Ok(None),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and the like when it doesn't.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut conn = match &self.engine {
            Engine::Postgres(engine) => engine.begin_directory().await?,
            Engine::Sqlite(engine) => engine.begin_read().await?,
        };
        conn.execute("SELECT 1", []).await.map(|_| ())
    }

    /// Ends all connections, after the units of work in progress.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Postgres(engine) => engine.pool().close().await,
            Engine::Sqlite(engine) => engine.close().await,
        }
    }

    /// A change that crosses tenants.
    pub(crate) async fn directory(&self) -> Result<DirectoryConn, StoreError> {
        let conn = match &self.engine {
            Engine::Postgres(engine) => engine.begin_directory().await?,
            Engine::Sqlite(engine) => engine.begin_write().await?,
        };
        Ok(DirectoryConn::new(conn, Arc::clone(&self.entries)))
    }

    /// The same store, whose changes across tenants append these entries.
    pub(crate) fn with_entries(&self, entries: Arc<Entries>) -> Self {
        Self { entries, ..self.clone() }
    }

    /// A look across tenants.
    pub(crate) async fn directory_read(&self) -> Result<Conn, StoreError> {
        match &self.engine {
            Engine::Postgres(engine) => engine.begin_directory().await,
            Engine::Sqlite(engine) => engine.begin_read().await,
        }
    }
}

/// Makes an empty file of mode 0600 if it isn't there: others have no business in it.
///
/// One that is there isn't even opened: closing it would take away the locks that this process has on it.
fn create_for_us_alone(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(|_| ()),
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn begin(&self, tenant: TenantId) -> Result<Box<dyn Tx>, StoreError> {
        let conn = match &self.engine {
            Engine::Postgres(engine) => engine.begin_write(tenant).await?,
            Engine::Sqlite(engine) => engine.begin_write().await?,
        };
        Ok(Box::new(SqlTx { tenant, conn }))
    }

    async fn read(&self, tenant: TenantId) -> Result<Box<dyn Tx>, StoreError> {
        let conn = match &self.engine {
            Engine::Postgres(engine) => engine.begin_read(tenant).await?,
            Engine::Sqlite(engine) => engine.begin_read().await?,
        };
        Ok(Box::new(SqlTx { tenant, conn }))
    }
}
