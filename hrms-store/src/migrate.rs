//! Migrations of both engines, and the PostgreSQL roles that they need.

use std::borrow::Cow;
use std::str::FromStr;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// Our own table, so that an embedder's `_sqlx_migrations` stays free.
const TABLE: &str = "hrms_migrations";

/// Why a database couldn't be brought up to date.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database refused something.
    #[error("the database refused: {0}")]
    Database(#[from] sqlx::Error),
    /// A migration failed, or differs from the one that was run.
    #[error("migration failed: {0}")]
    Migration(#[from] MigrateError),
    /// The application's URL names no user to set up.
    #[error("the application's database URL names no user")]
    NoApplicationUser,
    /// The application's user is the one that migrates.
    #[error("the application must not use the role that migrates; give it a role of its own")]
    SameRole,
}

/// One migration and whether the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub version: i64,
    /// What it is about.
    pub description: String,
    /// Whether the database has it.
    pub applied: bool,
}

fn migrator(of: &'static Migrator) -> Migrator {
    let mut migrator = Migrator::with_migrations(of.iter().cloned().collect());
    migrator.table_name = Cow::Borrowed(TABLE);
    migrator
}

/// Brings an SQLite database up to date.
pub(crate) async fn sqlite(pool: &SqlitePool) -> Result<(), Error> {
    Ok(migrator(&SQLITE).run(pool).await?)
}

/// Brings a PostgreSQL database up to date, as its owner.
///
/// `admin_url` connects as a role that may create roles (or finds them created). Objects belong to
/// the role `hrms_owner`, which nobody logs in as. The user of `app_url` is created when missing,
/// with the password given there, and may act as `hrms_app` and `hrms_directory` only.
///
/// # Errors
/// When the database refuses, or a migration differs from the one that was run before.
pub async fn postgres(admin_url: &str, app_url: Option<&str>) -> Result<(), Error> {
    let mut conn = PgConnectOptions::from_str(admin_url)?.connect().await?;
    create_roles(&mut conn).await?;
    if let Some(url) = app_url {
        create_application_user(&mut conn, &PgConnectOptions::from_str(url)?, url).await?;
    }
    sqlx::raw_sql("SET ROLE hrms_owner").execute(&mut conn).await?;
    migrator(&POSTGRES).run_direct(None, &mut conn, false).await?;
    sqlx::raw_sql("GRANT SELECT ON hrms_migrations TO hrms_app, hrms_directory").execute(&mut conn).await?;
    conn.close().await?;
    Ok(())
}

/// What there is to migrate on PostgreSQL, and what the database has.
///
/// # Errors
/// When the database refuses.
pub async fn postgres_steps(url: &str) -> Result<Vec<Step>, Error> {
    let mut conn = PgConnectOptions::from_str(url)?.connect().await?;
    let known: bool =
        sqlx::query_scalar("SELECT to_regclass('hrms_migrations') IS NOT NULL").fetch_one(&mut conn).await?;
    let applied = if known {
        // The application's log-in role has no rights of its own; the owner's members see the table anyway.
        let application: bool =
            sqlx::query_scalar("SELECT pg_has_role('hrms_app', 'MEMBER')").fetch_one(&mut conn).await?;
        if application {
            sqlx::raw_sql("SET ROLE hrms_app").execute(&mut conn).await?;
        }
        conn.list_applied_migrations(TABLE).await?
    } else {
        Vec::new()
    };
    conn.close().await?;
    Ok(steps(&POSTGRES, &applied))
}

/// What there is to migrate on SQLite, and what the database has.
///
/// # Errors
/// When the database refuses.
pub async fn sqlite_steps(path: &std::path::Path) -> Result<Vec<Step>, Error> {
    if !path.exists() {
        return Ok(steps(&SQLITE, &[]));
    }
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let mut conn = options.connect().await?;
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'hrms_migrations'")
        .fetch_one(&mut conn)
        .await?;
    let applied = if known > 0 { conn.list_applied_migrations(TABLE).await? } else { Vec::new() };
    conn.close().await?;
    Ok(steps(&SQLITE, &applied))
}

fn steps(migrator: &Migrator, applied: &[sqlx::migrate::AppliedMigration]) -> Vec<Step> {
    migrator
        .iter()
        .map(|migration| Step {
            version: migration.version,
            description: migration.description.to_string(),
            applied: applied.iter().any(|done| done.version == migration.version),
        })
        .collect()
}

/// Roles belong to the whole cluster, so another database may have made them, even at this moment.
async fn create_roles(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "DO $$
         DECLARE role text;
         BEGIN
           FOREACH role IN ARRAY ARRAY['hrms_owner', 'hrms_app', 'hrms_directory'] LOOP
             BEGIN
               IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
                 EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', role);
               END IF;
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
             END;
           END LOOP;
           BEGIN
             EXECUTE format('GRANT hrms_owner TO %I', current_user);
           EXCEPTION WHEN OTHERS THEN
             IF NOT pg_has_role(current_user, 'hrms_owner', 'MEMBER') THEN RAISE; END IF;
           END;
           -- What the owner's functions do to rows is bound to one tenant by the policies of hrms_app.
           IF NOT pg_has_role('hrms_owner', 'hrms_app', 'USAGE') THEN
             BEGIN
               GRANT hrms_app TO hrms_owner;
             EXCEPTION WHEN OTHERS THEN
               IF NOT pg_has_role('hrms_owner', 'hrms_app', 'USAGE') THEN RAISE; END IF;
             END;
           END IF;
           EXECUTE format('GRANT CREATE ON DATABASE %I TO hrms_owner', current_database());
           GRANT USAGE, CREATE ON SCHEMA public TO hrms_owner;
           GRANT USAGE ON SCHEMA public TO hrms_app, hrms_directory;
         END $$",
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn create_application_user(
    conn: &mut PgConnection,
    app: &PgConnectOptions,
    url: &str,
) -> Result<(), Error> {
    let user = app.get_username().to_owned();
    if user.is_empty() {
        return Err(Error::NoApplicationUser);
    }
    let me: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut *conn).await?;
    if me == user {
        return Err(Error::SameRole);
    }
    let password = password_of(url).unwrap_or_default();
    // Utility statements take no parameters: the server itself quotes the two texts.
    let create: String = sqlx::query_scalar(
        "SELECT format(CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = $1) THEN \
           'GRANT hrms_app, hrms_directory TO %1$I' ELSE \
           'CREATE ROLE %1$I LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD %2$L IN ROLE hrms_app, hrms_directory' END, $1, $2)",
    )
    .bind(&user)
    .bind(&password)
    .fetch_one(&mut *conn)
    .await?;
    match sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *conn).await {
        // Created by another migration at this moment.
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42710" | "23505")) => {
            Ok(())
        }
        other => Ok(other.map(|_| ())?),
    }
}

/// The password of a connection URL, percent-decoded by the URL parser of the driver's own stack.
fn password_of(url: &str) -> Option<String> {
    let authority = url.split_once("://")?.1.split(['/', '?']).next()?;
    let (credentials, _) = authority.rsplit_once('@')?;
    let (_, password) = credentials.split_once(':')?;
    let mut bytes = password.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex = [bytes.next()?, bytes.next()?];
            plain.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            plain.push(byte);
        }
    }
    String::from_utf8(plain).ok()
}
