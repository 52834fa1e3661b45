//! The isolation suite without its first three locks: raw statements that forget the tenant, straight
//! at PostgreSQL as the application role. And its guard: with a policy dropped, the same look goes red.

use hrms_core::contract::{department, designation, draft, event, hired, id, invitation, location, tenant};
use hrms_core::department::Head;
use hrms_core::idempotency::IdempotencyKey;
use hrms_core::{Period, Store, TenantId};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::all::support;

/// Rows of other tenants that a session bound to `mine` can see in `table`, by a statement that
/// names no tenant at all.
async fn foreign_rows(app: &str, mine: TenantId, table: &str) -> i64 {
    let mut conn = PgConnection::connect(app).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    let bind = format!("SET LOCAL ROLE hrms_app; SET LOCAL hrms.tenant_id = '{}'", mine.as_uuid());
    sqlx::raw_sql(AssertSqlSafe(bind)).execute(&mut *tx).await.unwrap();
    let column = if table == "organization" { "id" } else { "tenant_id" };
    let count = format!("SELECT count(*) FROM {table} WHERE {column} <> '{}'", mine.as_uuid());
    sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut *tx).await.unwrap()
}

async fn tables_of_the_application(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT DISTINCT table_name::text FROM information_schema.role_table_grants \
         WHERE grantee = 'hrms_app' AND privilege_type = 'SELECT' AND table_name <> 'hrms_migrations' ORDER BY 1",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn without_any_predicate_the_database_hides_other_tenants_and_the_guard_goes_red_when_a_policy_is_dropped()
 {
    let fresh = support::postgres().await;
    let (admin, app) = fresh.urls.clone().unwrap();
    let mut owner = PgConnection::connect(&admin).await.unwrap();
    let (mine, theirs) = (tenant(&*fresh).await, tenant(&*fresh).await);
    let mut tx = fresh.begin(theirs).await.unwrap();
    tx.locations().insert(&location("pune")).await.unwrap();
    let unit = department("d", None);
    tx.departments().insert_many(std::slice::from_ref(&unit)).await.unwrap();
    tx.designations().insert_many(&[designation("t")]).await.unwrap();
    let person = hired(&mut *tx, "1", Default::default()).await;
    let head = Head { employee_id: person.id, period: Period::since(person.hired_on) };
    tx.departments().replace_heads(&[(unit.id, vec![head])]).await.unwrap();
    tx.audit().append(vec![draft("a", id())], vec![event("a")]).await.unwrap();
    let key = IdempotencyKey { key: "k".into(), fingerprint: [0; 32] };
    let now = hrms_core::contract::at(0);
    tx.idempotency().insert(id(), &key, "{}", now, now).await.unwrap();
    tx.invitations().insert(&invitation("a@example.com")).await.unwrap();
    tx.commit().await.unwrap();

    let tables = tables_of_the_application(&mut owner).await;
    assert!(tables.len() >= 5, "{tables:?}");
    let mut seen_when_open = 0;
    for table in &tables {
        assert_eq!(foreign_rows(&app, mine, table).await, 0, "{table} shows another tenant's rows");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut owner)
            .await
            .unwrap();
        // The guard: the same look with the policy replaced by an open one must see them.
        let name: String = sqlx::query_scalar(
            "SELECT policyname::text FROM pg_policies WHERE tablename = $1 AND NOT 'hrms_directory' = ANY(roles)",
        )
        .bind(table)
        .fetch_one(&mut owner)
        .await
        .unwrap();
        let open = format!(
            "BEGIN; DROP POLICY {name} ON {table}; CREATE POLICY {name} ON {table} USING (true); COMMIT"
        );
        sqlx::raw_sql(AssertSqlSafe(open)).execute(&mut owner).await.unwrap();
        if rows > 0 {
            assert!(foreign_rows(&app, mine, table).await > 0, "the look at {table} can't go red");
            seen_when_open += 1;
        }
    }
    assert!(seen_when_open >= 10, "only {seen_when_open} tables had rows to see");
}

#[tokio::test]
async fn a_forged_tenant_in_a_row_is_refused_by_the_database() {
    let fresh = support::postgres().await;
    let (_, app) = fresh.urls.clone().unwrap();
    let (mine, theirs) = (tenant(&*fresh).await, tenant(&*fresh).await);
    let mut conn = PgConnection::connect(&app).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    let forge = format!(
        "SET LOCAL ROLE hrms_app; SET LOCAL hrms.tenant_id = '{}'; \
         INSERT INTO tenant_counter (tenant_id, name, value) VALUES ('{}', 'event', 1)",
        mine.as_uuid(),
        theirs.as_uuid()
    );
    let refused = sqlx::raw_sql(AssertSqlSafe(forge)).execute(&mut *tx).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{refused:?}");
}

/// A pooled connection serves one tenant after the other; nothing of the former stays.
#[tokio::test]
async fn a_pooled_connection_forgets_the_former_tenant() {
    let fresh = support::postgres().await;
    let (_, app) = fresh.urls.clone().unwrap();
    let store = hrms_store::SqlStore::postgres_with_any_role(&app, 1).await.unwrap();
    let (one, two) = (tenant(&store).await, tenant(&store).await);
    for round in 0..3 {
        for tenant in [one, two] {
            let mut tx = store.begin(tenant).await.unwrap();
            assert_eq!(
                tx.organization().get().await.unwrap().map(|own| own.id),
                Some(tenant),
                "round {round}"
            );
            if round == 1 {
                continue;
            }
            tx.commit().await.unwrap();
        }
    }
    // Outside a unit of work the setting is empty, and an empty one matches nothing.
    let mut conn = PgConnection::connect(&app).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    sqlx::raw_sql("SET LOCAL ROLE hrms_app").execute(&mut *tx).await.unwrap();
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM organization").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(rows, 0);
}
