//! Fresh databases, one per test.

use std::ops::Deref;

use hrms_store::SqlStore;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A store on a database of its own, which is gone when this is dropped.
#[derive(Debug)]
pub struct Fresh {
    store: SqlStore,
    _file: Option<tempfile::TempDir>,
    /// URLs of the PostgreSQL database, as superuser and as the application's role; for suites that look
    /// below the store.
    pub urls: Option<(String, String)>,
    _database: Option<Database>,
}

impl Deref for Fresh {
    type Target = SqlStore;

    fn deref(&self) -> &SqlStore {
        &self.store
    }
}

/// A store in memory.
pub async fn sqlite_memory() -> Fresh {
    Fresh { store: SqlStore::sqlite_memory().await.unwrap(), _file: None, urls: None, _database: None }
}

/// A store in a temporary file.
pub async fn sqlite_file() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::sqlite(&dir.path().join("hrms.db")).await.unwrap();
    Fresh { store, _file: Some(dir), urls: None, _database: None }
}

/// A migrated PostgreSQL database, opened as the application's role.
pub async fn postgres() -> Fresh {
    let database = Database::create(crate::service("HRMS_TEST_PG_URL")).await;
    let (admin, application) = database.urls();
    hrms_store::migrate::postgres(&admin, Some(&application)).await.unwrap();
    let store = SqlStore::postgres(&application).await.unwrap();
    Fresh { store, _file: None, urls: Some((admin, application)), _database: Some(database) }
}

/// Dropped from the server when dropped here.
#[derive(Debug)]
struct Database {
    name: String,
    server: String,
}

impl Database {
    async fn create(server: String) -> Self {
        let name = format!("hrms_test_{}", hrms_core::contract::id().simple());
        let mut conn = PgConnection::connect(&server).await.unwrap();
        // A collation unlike SQLite's: an order that lacks COLLATE "C" shows. Some builds have no ICU.
        let icu: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'en-US-x-icu')")
                .fetch_one(&mut conn)
                .await
                .unwrap();
        let locale = if icu { "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'" } else { "" };
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {locale}");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();

        Self { name, server }
    }

    fn urls(&self) -> (String, String) {
        let name = &self.name;
        let (base, _) = self.server.rsplit_once('/').expect("HRMS_TEST_PG_URL names a database");
        let (_, host) = base.rsplit_once('@').expect("HRMS_TEST_PG_URL names a user");
        (format!("{base}/{name}"), format!("postgres://hrms_test_app:secret@{host}/{name}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        // The test's own runtime can't be waited for here.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut conn = PgConnection::connect(&server).await?;
                sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut conn).await?;
                conn.close().await
            })
        });
        match dropped.join() {
            Ok(Ok(())) => {}
            other => eprintln!("the database {} is left behind: {other:?}", self.name),
        }
    }
}
