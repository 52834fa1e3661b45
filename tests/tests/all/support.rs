//! Fresh databases for tests.

use std::ops::Deref;

use hrms_store::SqlStore;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A store on a database of its own.
pub(crate) struct Fresh {
    store: SqlStore,
    _file: Option<tempfile::TempDir>,
    /// Admin and application URL of the PostgreSQL database.
    pub(crate) urls: Option<(String, String)>,
}

impl Deref for Fresh {
    type Target = SqlStore;

    fn deref(&self) -> &SqlStore {
        &self.store
    }
}

pub(crate) async fn sqlite_memory() -> Fresh {
    Fresh { store: SqlStore::sqlite_memory().await.unwrap(), _file: None, urls: None }
}

pub(crate) async fn sqlite_file() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::sqlite(&dir.path().join("hrms.db")).await.unwrap();
    Fresh { store, _file: Some(dir), urls: None }
}

/// Admin URL of the test server, as `tests/run.sh` exports it.
pub(crate) fn postgres_admin_url() -> String {
    std::env::var("HRMS_TEST_PG_URL").expect("HRMS_TEST_PG_URL names no PostgreSQL: run ./tests/run.sh")
}

pub(crate) async fn postgres() -> Fresh {
    let admin = postgres_admin_url();
    let name = format!("hrms_test_{}", hrms_core::contract::id().simple());
    let mut conn = PgConnection::connect(&admin).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut conn).await.unwrap();
    let (server, _) = admin.rsplit_once('/').unwrap();
    let admin = format!("{server}/{name}");
    let (_, host) = server.rsplit_once('@').unwrap();
    let app = format!("postgres://hrms_test_app:secret@{host}/{name}");
    hrms_store::migrate::postgres(&admin, Some(&app)).await.unwrap();
    let store = SqlStore::postgres(&app).await.unwrap();
    Fresh { store, _file: None, urls: Some((admin, app)) }
}
