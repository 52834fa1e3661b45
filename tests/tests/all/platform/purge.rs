//! A purge, looked at from below the store: every table that there is, also one that came later.

use std::collections::BTreeMap;

use hrms_core::contract::{
    department, designation, event, hired, id, leave_lot, leave_posting, leave_request, leave_type, location,
    stored_session, stored_user, tenant, work_pattern,
};
use hrms_core::jiff::civil::date;
use hrms_core::jiff::{SignedDuration, Timestamp};
use hrms_core::leave::{DayPart, PostingKind};
use hrms_core::organization::{Closing, OrganizationDirectory, OrganizationStatus};
use hrms_core::{Role, Store, TenantId, UserId};
use hrms_store::SqlStore;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

use crate::all::support;

fn day(number: i32) -> Timestamp {
    let first: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    first + SignedDuration::from_hours(24) * number
}

/// Rows in many tables; gives the first user, who has a session.
async fn fill(store: &SqlStore, tenant: TenantId) -> UserId {
    let user = stored_user(store, tenant, &[Role::Owner]).await;
    stored_session(store, Some(tenant), user.id).await;
    let mut tx = store.begin(tenant).await.unwrap();
    tx.locations().insert(&location("pune")).await.unwrap();
    let (top, unit) = (department("t", None), department("d", None));
    let inner = department("i", Some(top.id));
    for one in [&top, &unit, &inner] {
        tx.departments().insert_many(std::slice::from_ref(one)).await.unwrap();
    }
    tx.designations().insert_many(&[designation("t")]).await.unwrap();
    let chief = hired(&mut *tx, "1", Default::default()).await;
    let facts = hrms_core::employment::Facts { manager_id: Some(chief.id), ..Default::default() };
    let employee = hired(&mut *tx, "2", facts).await.id;
    // A ledger, which nobody may take anything out of otherwise.
    let annual = leave_type("annual");
    tx.leave_types().insert(&annual).await.unwrap();
    tx.leave_ledger().lock_account(employee, annual.id).await.unwrap();
    let lot = leave_lot(employee, &annual);
    tx.leave_ledger().insert_lots(std::slice::from_ref(&lot)).await.unwrap();
    let grant = leave_posting(&lot, PostingKind::Grant, lot.minutes, None);
    tx.leave_ledger().append(&[grant]).await.unwrap();
    let (request, days) = leave_request(employee, &annual, date(2026, 2, 2), DayPart::Full);
    tx.leave_requests().insert(&request, &days).await.unwrap();
    tx.work_patterns().insert(&work_pattern("five")).await.unwrap();
    tx.events().append(vec![event("a"), event("b")]).await.unwrap();
    tx.commit().await.unwrap();
    user.id
}

async fn close(store: &SqlStore, tenant: TenantId, purge_after: Timestamp) {
    let mut organization = store.organization(tenant).await.unwrap().unwrap();
    let expected = organization.version;
    organization.status = OrganizationStatus::Closed;
    organization.closing = Some(Closing { closed_at: day(0), purge_after, reason: "left".into() });
    organization.version = expected.next();
    store.update_organization_status(&organization, expected).await.unwrap();
}

/// Rows of each tenant in each table that has tenants, as somebody whom nothing is hidden from.
async fn postgres_rows(conn: &mut PgConnection) -> BTreeMap<(String, Uuid), i64> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND column_name = 'tenant_id' ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let mut rows = BTreeMap::new();
    for table in tables {
        let count = format!("SELECT tenant_id, count(*) FROM {table} GROUP BY tenant_id");
        let counts: Vec<(Uuid, i64)> =
            sqlx::query_as(AssertSqlSafe(count)).fetch_all(&mut *conn).await.unwrap();
        rows.extend(counts.into_iter().map(|(tenant, count)| ((table.clone(), tenant), count)));
    }
    rows
}

async fn sqlite_rows(conn: &mut SqliteConnection) -> BTreeMap<(String, Uuid), i64> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND c.name = 'tenant_id' ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let mut rows = BTreeMap::new();
    for table in tables {
        let count = format!("SELECT tenant_id, count(*) FROM {table} GROUP BY tenant_id");
        let counts: Vec<(Uuid, i64)> =
            sqlx::query_as(AssertSqlSafe(count)).fetch_all(&mut *conn).await.unwrap();
        rows.extend(counts.into_iter().map(|(tenant, count)| ((table.clone(), tenant), count)));
    }
    rows
}

fn of(rows: &BTreeMap<(String, Uuid), i64>, tenant: TenantId) -> BTreeMap<String, i64> {
    let own = rows.iter().filter(|((_, of), _)| *of == tenant.as_uuid());
    own.map(|((table, _), count)| (table.clone(), *count)).collect()
}

const ACCOUNTS: &str = "SELECT id FROM user_account";

#[tokio::test]
async fn nothing_of_a_purged_organisation_is_left_on_postgresql() {
    let fresh = support::postgres().await;
    let (admin, app) = fresh.urls.clone().unwrap();
    let mut conn = PgConnection::connect(&admin).await.unwrap();
    // A table of a later version, which nobody told the purge of.
    sqlx::raw_sql(
        "SET ROLE hrms_owner; \
         CREATE TABLE later (tenant_id uuid NOT NULL REFERENCES organization (id), id uuid NOT NULL, PRIMARY KEY (tenant_id, id)); \
         ALTER TABLE later ENABLE ROW LEVEL SECURITY; ALTER TABLE later FORCE ROW LEVEL SECURITY; \
         CREATE POLICY later_tenant ON later TO hrms_app \
           USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid); \
         RESET ROLE",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let (gone, other) = (tenant(&*fresh).await, tenant(&*fresh).await);
    let (user, colleague) = (fill(&fresh, gone).await, fill(&fresh, other).await);
    let shared = stored_user(&*fresh, gone, &[Role::Hr]).await.id;
    let operator = stored_user(&*fresh, gone, &[Role::Hr]).await.id;
    for tenant in [gone, other] {
        let insert = sqlx::query("INSERT INTO later VALUES ($1, $2)").bind(tenant.as_uuid()).bind(id());
        insert.execute(&mut conn).await.unwrap();
    }
    sqlx::query(
        "INSERT INTO membership (tenant_id, user_id, email, name, roles, status, created_at, updated_at, version) \
         SELECT $1, user_id, email, name, roles, status, created_at, updated_at, version FROM membership WHERE user_id = $2",
    )
    .bind(other.as_uuid())
    .bind(shared.as_uuid())
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::query("INSERT INTO platform_operator (user_id, created_at) VALUES ($1, now())")
        .bind(operator.as_uuid())
        .execute(&mut conn)
        .await
        .unwrap();

    let before = postgres_rows(&mut conn).await;
    assert!(of(&before, gone).len() >= 8, "{:?}", of(&before, gone));
    // Neither in use nor held: also not by somebody who calls the function itself and lies about the time.
    let mut directory = PgConnection::connect(&app).await.unwrap();
    sqlx::raw_sql("SET ROLE hrms_directory").execute(&mut directory).await.unwrap();
    let purge = async |conn: &mut PgConnection| {
        let call = sqlx::query_scalar::<_, bool>("SELECT purge_organization($1, 'infinity')");
        call.bind(gone.as_uuid()).fetch_one(conn).await
    };
    assert!(!purge(&mut directory).await.unwrap(), "in use");
    #[expect(clippy::disallowed_methods, reason = "the database goes by its own clock too")]
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    close(&fresh, gone, tomorrow).await;
    assert!(!purge(&mut directory).await.unwrap(), "held");
    assert_eq!(postgres_rows(&mut conn).await, before);
    sqlx::raw_sql("RESET ROLE; SET ROLE hrms_app").execute(&mut directory).await.unwrap();
    assert!(purge(&mut directory).await.is_err(), "hrms_app may purge");
    sqlx::raw_sql("RESET ROLE").execute(&mut directory).await.unwrap();
    assert!(purge(&mut directory).await.is_err(), "the log-in role may purge");

    close(&fresh, gone, day(30)).await;
    assert!(!fresh.purge_organization(gone, day(29)).await.unwrap(), "held by the caller's clock");
    assert_eq!(postgres_rows(&mut conn).await, before);
    assert!(fresh.purge_organization(gone, day(30)).await.unwrap());
    let after = postgres_rows(&mut conn).await;
    assert_eq!(of(&after, gone), BTreeMap::new());
    assert_eq!(of(&after, other), of(&before, other));
    let accounts: Vec<Uuid> = sqlx::query_scalar(ACCOUNTS).fetch_all(&mut conn).await.unwrap();
    check_accounts(&accounts, user, &[shared, operator, colleague]);
}

#[tokio::test]
async fn nothing_of_a_purged_organisation_is_left_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hrms.db");
    let store = SqlStore::sqlite(&path).await.unwrap();
    let mut conn = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql(
        "CREATE TABLE later (tenant_id BLOB NOT NULL REFERENCES organization (id), id BLOB NOT NULL) STRICT",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let (gone, other) = (tenant(&store).await, tenant(&store).await);
    let (user, colleague) = (fill(&store, gone).await, fill(&store, other).await);
    let shared = stored_user(&store, gone, &[Role::Hr]).await.id;
    let operator = stored_user(&store, gone, &[Role::Hr]).await.id;
    for tenant in [gone, other] {
        let insert = sqlx::query("INSERT INTO later VALUES ($1, $2)").bind(tenant.as_uuid()).bind(id());
        insert.execute(&mut conn).await.unwrap();
    }
    sqlx::query(
        "INSERT INTO membership (tenant_id, user_id, email, name, roles, status, created_at, updated_at, version) \
         SELECT $1, user_id, email, name, roles, status, created_at, updated_at, version FROM membership WHERE user_id = $2",
    )
    .bind(other.as_uuid())
    .bind(shared.as_uuid())
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO platform_operator (user_id, created_at) VALUES ($1, '2020-01-01T00:00:00.000000Z')",
    )
    .bind(operator.as_uuid())
    .execute(&mut conn)
    .await
    .unwrap();
    let before = sqlite_rows(&mut conn).await;
    assert!(of(&before, gone).len() >= 8, "{:?}", of(&before, gone));
    assert!(!store.purge_organization(gone, day(1000)).await.unwrap(), "in use");
    close(&store, gone, day(30)).await;
    assert!(!store.purge_organization(gone, day(29)).await.unwrap(), "held");
    assert_eq!(sqlite_rows(&mut conn).await, before);
    assert!(store.purge_organization(gone, day(30)).await.unwrap());
    let after = sqlite_rows(&mut conn).await;
    assert_eq!(of(&after, gone), BTreeMap::new());
    assert_eq!(of(&after, other), of(&before, other));
    let accounts: Vec<Uuid> = sqlx::query_scalar(ACCOUNTS).fetch_all(&mut conn).await.unwrap();
    check_accounts(&accounts, user, &[shared, operator, colleague]);
}

/// Whoever belongs to nobody else is gone; who belongs to another organisation or to the platform stays.
fn check_accounts(accounts: &[Uuid], gone: UserId, kept: &[UserId]) {
    assert!(!accounts.contains(&gone.as_uuid()));
    for user in kept {
        assert!(accounts.contains(&user.as_uuid()), "{user}");
    }
}
