//! What the migrated schemas must look like, on whatever tables there are: a new table that breaks a
//! rule of tenant isolation turns these red.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::all::support;

/// Tables that belong to the platform, not to a tenant. Everything else is a tenant's.
const SHARED: &[&str] = &[
    "organization",
    "user_account",
    "account_totp",
    "account_recovery_code",
    "password_reset",
    "email_change",
    "platform_operator",
    "operator_session",
    "platform_audit_entry",
    "platform_audit_anchor",
    "platform_counter",
    "job_limit",
    "hrms_migrations",
];

/// Tables that the role which crosses tenants may touch.
const DIRECTORY: &[&str] = &[
    "organization",
    "user_account",
    "account_totp",
    "account_recovery_code",
    "password_reset",
    "email_change",
    "platform_operator",
    "operator_session",
    "membership",
    "auth_session",
    "support_grant",
    "job",
    "job_limit",
    "job_schedule",
    "tenant_counter",
    "event_consumer",
    "webhook_delivery",
    "notification_delivery",
    "platform_audit_entry",
    "platform_audit_anchor",
    "platform_counter",
    "hrms_migrations",
];

async fn admin() -> (support::Fresh, PgConnection) {
    let fresh = support::postgres().await;
    let (admin, _) = fresh.urls.clone().unwrap();
    let conn = PgConnection::connect(&admin).await.unwrap();
    (fresh, conn)
}

async fn strings(conn: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(conn).await.unwrap()
}

const TENANT_TABLES: &str = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 1";

async fn tenant_tables(conn: &mut PgConnection) -> Vec<String> {
    let all = strings(conn, TENANT_TABLES).await;
    all.into_iter().filter(|table| !SHARED.contains(&table.as_str())).collect()
}

#[tokio::test]
async fn both_engines_have_the_same_tables_columns_and_unique_names() {
    let (_fresh, mut postgres) = admin().await;
    let rows: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, is_nullable = 'YES' FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name <> 'hrms_migrations'",
    )
    .fetch_all(&mut postgres)
    .await
    .unwrap();
    let on_postgres: BTreeSet<_> = rows.into_iter().collect();
    let names_on_postgres: BTreeSet<String> = strings(
        &mut postgres,
        "SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
         JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
         WHERE n.nspname = 'public' AND x.indisunique AND NOT x.indisprimary",
    )
    .await
    .into_iter()
    .collect();

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hrms.db");
    hrms_store::SqlStore::sqlite(&path).await.unwrap();
    let mut sqlite = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let rows: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT t.name, c.name, c.\"notnull\" = 0 FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name <> 'hrms_migrations' AND t.name NOT LIKE 'sqlite_%'",
    )
    .fetch_all(&mut sqlite)
    .await
    .unwrap();
    let on_sqlite: BTreeSet<_> = rows.into_iter().collect();
    let names_on_sqlite: BTreeSet<String> = sqlx::query_scalar(
        "SELECT i.name FROM sqlite_schema t JOIN pragma_index_list(t.name) i \
         WHERE t.type = 'table' AND i.\"unique\" = 1 AND i.origin <> 'pk'",
    )
    .fetch_all(&mut sqlite)
    .await
    .unwrap()
    .into_iter()
    .collect();

    let only = |a: &BTreeSet<_>, b: &BTreeSet<_>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!(only(&on_postgres, &on_sqlite), [], "columns only on PostgreSQL");
    assert_eq!(only(&on_sqlite, &on_postgres), [], "columns only on SQLite");
    assert_eq!(names_on_postgres, names_on_sqlite, "names of unique constraints");
}

#[tokio::test]
async fn every_tenant_table_forces_row_security_with_one_tenant_policy() {
    let (_fresh, mut conn) = admin().await;
    let open = strings(
        &mut conn,
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
    )
    .await;
    let open: Vec<_> = open.into_iter().filter(|table| !SHARED.contains(&table.as_str())).collect();
    assert_eq!(open, [] as [&str; 0], "tables without forced row-level security");

    let policies: Vec<(String, String, Vec<String>, Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT tablename::text, policyname::text, roles::text[], qual, with_check FROM pg_policies WHERE schemaname = 'public'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let mut tenant_policies: BTreeMap<String, usize> = BTreeMap::new();
    for (table, policy, roles, using, check) in policies {
        if roles == ["hrms_directory"] {
            assert!(DIRECTORY.contains(&table.as_str()), "{policy} opens {table} across tenants");
            continue;
        }
        let column = if table == "organization" { "id" } else { "tenant_id" };
        let wanted =
            format!("({column} = (NULLIF(current_setting('hrms.tenant_id'::text, true), ''::text))::uuid)");
        assert_eq!(using.as_deref(), Some(wanted.as_str()), "{policy} USING");
        assert_eq!(check.as_deref(), Some(wanted.as_str()), "{policy} WITH CHECK");
        *tenant_policies.entry(table).or_default() += 1;
    }
    for table in tenant_tables(&mut conn).await {
        assert_eq!(tenant_policies.get(&table), Some(&1), "tenant policies of {table}");
    }
}

#[tokio::test]
async fn every_key_of_a_tenant_table_starts_with_the_tenant() {
    let (_fresh, mut conn) = admin().await;
    // (table, constraint or index, kind, columns, referenced table, referenced columns)
    type Key = (String, String, String, Vec<String>, Option<String>, Option<Vec<String>>);
    let keys: Vec<Key> = sqlx::query_as(
        "SELECT t.relname::text, k.conname::text, k.contype::text, \
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(n, o) \
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o), \
           r.relname::text, \
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(n, o) \
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o) \
         FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid LEFT JOIN pg_class r ON r.oid = k.confrelid \
         JOIN pg_namespace n ON n.oid = t.relnamespace \
         WHERE n.nspname = 'public' AND k.contype IN ('p', 'u', 'f', 'x') \
         UNION ALL \
         SELECT t.relname::text, i.relname::text, 'i', \
           ARRAY(SELECT COALESCE(a.attname::text, '(expression)') FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS u(n, o) \
                 LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.n AND u.n > 0 ORDER BY u.o), \
           NULL, NULL \
         FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
         JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = 'public' AND x.indisunique",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let tables = tenant_tables(&mut conn).await;
    for (table, name, kind, columns, referenced, referenced_columns) in keys {
        let referenced = referenced.unwrap_or_default();
        if !tables.contains(&table) {
            assert!(
                !tables.contains(&referenced),
                "{name}: the shared table {table} refers to the tenant table {referenced}"
            );
            continue;
        }
        if kind == "f" && SHARED.contains(&referenced.as_str()) {
            // What is shared has no tenant to name.
            continue;
        }
        assert_eq!(
            columns.first().map(String::as_str),
            Some("tenant_id"),
            "{table}.{name} ({kind}) {columns:?}"
        );
        if kind == "f" && tables.contains(&referenced) {
            let to = referenced_columns.unwrap_or_default();
            assert_eq!(to.first().map(String::as_str), Some("tenant_id"), "{name} refers without the tenant");
        }
    }
    let bad = strings(
        &mut conn,
        "SELECT k.conname::text FROM pg_constraint k WHERE k.contype = 'f' AND k.confdeltype IN ('n', 'd', 'c')",
    )
    .await;
    assert_eq!(bad, [] as [&str; 0], "foreign keys that change rows by themselves");
    let triggers = strings(&mut conn, "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal").await;
    assert_eq!(triggers, [] as [&str; 0], "triggers stand in the way of a distributed PostgreSQL");
}

#[tokio::test]
async fn the_application_roles_hold_few_rights() {
    let (_fresh, mut conn) = admin().await;
    let rights: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT grantee::text, table_name::text, privilege_type::text FROM information_schema.role_table_grants \
         WHERE table_schema = 'public' AND grantee <> 'hrms_owner'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for (role, table, right) in rights {
        assert!(["hrms_app", "hrms_directory"].contains(&role.as_str()), "{role} may {right} {table}");
        assert!(
            ["SELECT", "INSERT", "UPDATE", "DELETE"].contains(&right.as_str()),
            "{role} may {right} {table}"
        );
        if role == "hrms_directory" {
            assert!(DIRECTORY.contains(&table.as_str()), "hrms_directory may {right} {table}");
        }
        if role == "hrms_app" {
            assert!(
                !["user_account", "platform_operator", "operator_session", "password_reset", "email_change"]
                    .contains(&table.as_str())
                    && !table.starts_with("account_")
                    && !table.starts_with("platform_audit"),
                "hrms_app may {right} {table}"
            );
        }
    }
    let owners =
        strings(&mut conn, "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'public'")
            .await;
    assert_eq!(owners, ["hrms_owner"]);
}

#[tokio::test]
async fn a_role_that_could_step_around_row_security_is_refused() {
    let (fresh, _conn) = admin().await;
    let (admin, app) = fresh.urls.clone().unwrap();
    let refused = hrms_store::SqlStore::postgres(&admin).await.unwrap_err();
    assert!(
        matches!(refused, hrms_store::OpenError::UnsafeRole(hrms_store::UnsafeRole::Superuser)),
        "{refused:?}"
    );
    // The application's log-in has no rights by itself: only inside a unit of work.
    let mut conn = PgConnection::connect(&app).await.unwrap();
    let direct = sqlx::query("SELECT * FROM location").fetch_all(&mut conn).await;
    assert!(direct.is_err(), "the log-in role can read without a unit of work");
}
