//! One way to say a statement to either engine: `$1` parameters that keep their type when null.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Postgres, Sqlite};
use uuid::Uuid;

use hrms_core::{PageRequest, StoreError};

use crate::engine::Conn;
use crate::instant::Instant;

/// A row struct that both engines can fill.
pub(crate) trait Record:
    for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}
impl<T> Record for T where T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}

/// A value bound to a statement.
#[derive(Clone, Debug)]
pub(crate) enum Param {
    Uuid(Option<Uuid>),
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Date(Option<Date>),
    Instant(Option<Timestamp>),
    Json(Option<Value>),
    Bytes(Option<Vec<u8>>),
}

macro_rules! params_from {
    ($($kind:ident $ty:ty),+ $(,)?) => {$(
        impl From<$ty> for Param {
            fn from(value: $ty) -> Self {
                Self::$kind(Some(value.into()))
            }
        }
        impl From<Option<$ty>> for Param {
            fn from(value: Option<$ty>) -> Self {
                Self::$kind(value.map(Into::into))
            }
        }
    )+};
}
params_from!(Uuid Uuid, Text String, Text &str, Int i64, Int i32, Int u16, Bool bool, Date Date, Instant Timestamp, Json Value, Bytes Vec<u8>);

macro_rules! params_from_ids {
    ($($id:ident),+ $(,)?) => {$(
        impl From<hrms_core::$id> for Param {
            fn from(id: hrms_core::$id) -> Self {
                Self::Uuid(Some(id.as_uuid()))
            }
        }
        impl From<Option<hrms_core::$id>> for Param {
            fn from(id: Option<hrms_core::$id>) -> Self {
                Self::Uuid(id.map(|id| id.as_uuid()))
            }
        }
    )+};
}
params_from_ids!(
    TenantId,
    UserId,
    PolicyId,
    SessionId,
    RoleId,
    ServiceAccountId,
    ApiKeyId,
    InvitationId,
    LocationId,
    DepartmentId,
    DesignationId,
    EmployeeId,
    EmploymentRecordId,
    WorkPatternId,
    HolidayCalendarId,
    CalendarFeedId,
    CoverageMinimumId,
    LeaveTypeId,
    LeaveRulesId,
    LeavePolicyId,
    LeavePolicyVersionId,
    LeavePolicyAssignmentId,
    LeaveAttachmentId,
    LeaveLotId,
    LeaveClosingId,
    ApprovalChainId,
    ApprovalCaseId,
    ApprovalTaskId,
    ApprovalDelegationId,
    TrailEntryId,
    LeavePostingId,
    LeaveRequestId,
    LeaveClaimId,
    JobId,
    ScheduleId,
    ImportId,
    EventId,
    AuditEntryId,
    RequestId,
    SupportGrantId,
    WebhookId,
    WebhookDeliveryId,
    NotificationId,
    NotificationDeliveryId,
    NotificationChannelId,
);

impl From<hrms_core::Version> for Param {
    fn from(version: hrms_core::Version) -> Self {
        Self::Int(Some(version.as_i64()))
    }
}

/// The parameters of a statement, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => { [$($crate::query::Param::from($value)),*] };
}
pub(crate) use params;

macro_rules! bind {
    ($query:expr, $params:expr) => {{
        let mut query = $query;
        for param in $params {
            query = match param {
                Param::Uuid(value) => query.bind(value),
                Param::Text(value) => query.bind(value),
                Param::Int(value) => query.bind(value),
                Param::Bool(value) => query.bind(value),
                Param::Date(value) => query.bind(value.map(|date| date.to_sqlx())),
                Param::Instant(value) => query.bind(value.map(Instant)),
                Param::Json(value) => query.bind(value),
                Param::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}

macro_rules! run {
    ($conn:expr, $sql:expr, $params:expr, $make:ident :: <$($t:ty)?>, $call:ident) => {
        match $conn {
            Conn::Postgres(tx) => bind!(sqlx::$make::<Postgres $(, $t)?>($sql), $params)
                .$call(&mut **tx).await.map_err($crate::postgres::error),
            Conn::Sqlite(tx, names) => bind!(sqlx::$make::<Sqlite $(, $t)?>($sql), $params)
                .$call(&mut **tx).await.map_err(|error| $crate::sqlite::error(error, names)),
        }
    };
}

impl Conn {
    /// Every row of a statement.
    pub(crate) async fn all<T: Record>(
        &mut self,
        sql: &'static str,
        params: impl IntoIterator<Item = Param> + Send,
    ) -> Result<Vec<T>, StoreError> {
        run!(self, sql, params, query_as::<T>, fetch_all)
    }

    /// The only row of a statement, if there is one.
    pub(crate) async fn optional<T: Record>(
        &mut self,
        sql: &'static str,
        params: impl IntoIterator<Item = Param> + Send,
    ) -> Result<Option<T>, StoreError> {
        run!(self, sql, params, query_as::<T>, fetch_optional)
    }

    /// The only row of a statement that always has one.
    pub(crate) async fn one<T: Record>(
        &mut self,
        sql: &'static str,
        params: impl IntoIterator<Item = Param> + Send,
    ) -> Result<T, StoreError> {
        run!(self, sql, params, query_as::<T>, fetch_one)
    }

    /// Runs a statement; the number of rows it touched.
    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        params: impl IntoIterator<Item = Param> + Send,
    ) -> Result<u64, StoreError> {
        match self {
            Self::Postgres(tx) => bind!(sqlx::query::<Postgres>(sql), params)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected())
                .map_err(crate::postgres::error),
            Self::Sqlite(tx, names) => bind!(sqlx::query::<Sqlite>(sql), params)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected())
                .map_err(|error| crate::sqlite::error(error, names)),
        }
    }

    /// Runs a versioned `UPDATE` or `DELETE`: [`StoreError::Stale`] unless it touched one row.
    pub(crate) async fn execute_expecting_one(
        &mut self,
        sql: &'static str,
        params: impl IntoIterator<Item = Param> + Send,
    ) -> Result<(), StoreError> {
        match self.execute(sql, params).await? {
            1 => Ok(()),
            _ => Err(StoreError::Stale),
        }
    }
}

/// A statement put together from fixed pieces of text and bound values.
///
/// Text comes in only as `&'static str`, so no input can become SQL.
#[derive(Debug)]
pub(crate) struct Query {
    text: String,
    params: Vec<Param>,
}

impl Query {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), params: Vec::new() }
    }

    /// Starts with text that already has placeholders, and their values.
    pub(crate) fn with(text: &'static str, params: impl IntoIterator<Item = Param>) -> Self {
        Self { text: text.to_owned(), params: params.into_iter().collect() }
    }

    /// Appends text.
    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a placeholder and binds its value.
    pub(crate) fn bind(&mut self, value: impl Into<Param>) -> &mut Self {
        self.params.push(value.into());
        self.text.push('$');
        self.text.push_str(&self.params.len().to_string());
        self
    }

    /// Appends a condition such as ` AND code = ` and its value, if there is one.
    pub(crate) fn and<T: Into<Param>>(&mut self, condition: &'static str, value: Option<T>) -> &mut Self {
        match value {
            Some(value) => self.push(condition).bind(value),
            None => self,
        }
    }

    /// Appends `(…, …)` with a placeholder for each value; `(NULL)` for none, which matches nothing.
    pub(crate) fn list<T: Into<Param>>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self {
        self.text.push('(');
        let start = self.params.len();
        for value in values {
            if self.params.len() > start {
                self.text.push_str(", ");
            }
            self.bind(value);
        }
        if self.params.len() == start {
            self.text.push_str("NULL");
        }
        self.text.push(')');
        self
    }

    /// Appends `(…)` with the values of a row that is inserted.
    fn row(&mut self, values: impl IntoIterator<Item = Param>, numbered: bool) {
        if numbered {
            self.list(values);
            return;
        }
        let start = self.params.len();
        self.params.extend(values);
        let marks = vec!["?"; self.params.len() - start].join(", ");
        self.text.push_str(&format!("({marks})"));
    }

    /// Appends what makes a keyset page: the place to start, the order, and one row more than asked for.
    ///
    /// `column` and `id` are unique together; `key` turns the position's text into the column's type.
    pub(crate) fn page<S>(
        &mut self,
        column: &'static str,
        id: &'static str,
        page: &PageRequest<S>,
        key: impl FnOnce(&str) -> Param,
    ) -> &mut Self {
        if let Some(after) = &page.after {
            self.push(" AND (").push(column).push(", ").push(id).push(if page.descending {
                ") < ("
            } else {
                ") > ("
            });
            self.bind(key(&after.key)).push(", ").bind(after.id).push(")");
        }
        let direction = if page.descending { " DESC" } else { "" };
        self.push(" ORDER BY ").push(column).push(direction).push(", ").push(id).push(direction);
        self.push(" LIMIT ").bind(i64::from(page.limit) + 1)
    }

    pub(crate) async fn all<T: Record>(self, conn: &mut Conn) -> Result<Vec<T>, StoreError> {
        let (sql, params) = (AssertSqlSafe(self.text), self.params);
        run!(conn, sql, params, query_as::<T>, fetch_all)
    }

    pub(crate) async fn optional<T: Record>(self, conn: &mut Conn) -> Result<Option<T>, StoreError> {
        let (sql, params) = (AssertSqlSafe(self.text), self.params);
        run!(conn, sql, params, query_as::<T>, fetch_optional)
    }

    pub(crate) async fn execute(self, conn: &mut Conn) -> Result<u64, StoreError> {
        let (sql, params) = (AssertSqlSafe(self.text), self.params);
        match conn {
            Conn::Postgres(tx) => bind!(sqlx::query::<Postgres>(sql), params)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected())
                .map_err(crate::postgres::error),
            Conn::Sqlite(tx, names) => bind!(sqlx::query::<Sqlite>(sql), params)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected())
                .map_err(|error| crate::sqlite::error(error, names)),
        }
    }
}

/// Parameters that every engine takes in one statement (SQLite's limit is the lower one).
const MAX_PARAMS: usize = 30_000;

/// How many values a statement looks up at once.
pub(crate) const CHUNK: usize = 1000;

/// Inserts many rows with few statements: `head` is `INSERT INTO t (a, b) VALUES `, `tail` what follows.
pub(crate) async fn insert_many<const N: usize>(
    conn: &mut Conn,
    head: &'static str,
    rows: impl IntoIterator<Item = [Param; N]> + Send,
    tail: &'static str,
) -> Result<u64, StoreError> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    let mut touched = 0;
    // At most 500 rows a statement: beyond that nothing gets faster, and the text stays cacheable.
    let chunk = (MAX_PARAMS / N.max(1)).clamp(1, 500);
    // SQLite searches a list of all names of parameters for each of them; those without a name it just counts.
    let numbered = matches!(conn, Conn::Postgres(_));
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(chunk));
        let mut query = Query::new(head);
        for (index, row) in rows.into_iter().enumerate() {
            query.push(if index == 0 { "" } else { ", " }).row(row, numbered);
        }
        query.push(tail);
        touched += query.execute(conn).await?;
        rows = rest;
    }
    Ok(touched)
}
