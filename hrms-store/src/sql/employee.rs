//! Employees in SQL.

mod detail;
mod view;

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::civil::Date;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::employee::{
    Employee, EmployeeFilter, EmployeeRepo, EmployeeRow, EmployeeSort, EmploymentView, Gender,
};
use hrms_core::validate::fold;
use hrms_core::{EmployeeId, PageRequest, StoreError, Version};

use crate::instant::Instant;
use crate::query::{CHUNK, Param, Query, insert_many, params};
use crate::sql::{SqlTx, corrupt};

use view::{HistoryRow, ViewRow};
pub(super) use view::{full_name, named};

macro_rules! columns {
    () => {
        "SELECT id, number, given_name, family_name, email, email_changed_by, birth_date, gender, hired_on, \
         created_at, updated_at, version FROM employee WHERE tenant_id = $1"
    };
}

#[derive(FromRow)]
struct EmployeeColumns {
    id: Uuid,
    number: String,
    given_name: String,
    family_name: String,
    email: Option<String>,
    email_changed_by: Option<Uuid>,
    birth_date: Option<jiff_sqlx::Date>,
    gender: Option<String>,
    hired_on: jiff_sqlx::Date,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl TryFrom<EmployeeColumns> for Employee {
    type Error = StoreError;

    fn try_from(row: EmployeeColumns) -> Result<Self, StoreError> {
        Ok(Self {
            id: EmployeeId::from_uuid(row.id),
            number: row.number,
            given_name: row.given_name,
            family_name: row.family_name,
            email: row.email,
            email_changed_by: row.email_changed_by,
            birth_date: row.birth_date.map(jiff_sqlx::Date::to_jiff),
            gender: row.gender.as_deref().map(gender).transpose()?,
            hired_on: row.hired_on.to_jiff(),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

fn gender(code: &str) -> Result<Gender, StoreError> {
    Gender::from_code(code).ok_or_else(|| corrupt("employee", format!("gender {code}")))
}

const INSERT: &str = "INSERT INTO employee (tenant_id, id, number, given_name, family_name, email, birth_date, \
    gender, hired_on, name_key, email_key, search_key, created_at, updated_at, version, email_changed_by) VALUES ";

impl SqlTx {
    fn employee_params(&self, employee: &Employee) -> [Param; 16] {
        params![
            self.tenant,
            employee.id,
            employee.number.as_str(),
            employee.given_name.as_str(),
            employee.family_name.as_str(),
            employee.email.as_deref(),
            employee.birth_date,
            employee.gender.map(Gender::code),
            employee.hired_on,
            employee.name_key(),
            employee.email_key(),
            employee.search_key(),
            employee.created_at,
            employee.updated_at,
            employee.version,
            employee.email_changed_by,
        ]
    }

    async fn employees_where(
        &mut self,
        query: &'static str,
        values: impl Iterator<Item = String> + Send,
    ) -> Result<Vec<Employee>, StoreError> {
        let values: Vec<String> = values.collect();
        let mut found = Vec::new();
        for values in values.chunks(CHUNK) {
            let mut query = Query::with(query, params![self.tenant]);
            query.list(values.iter().map(String::as_str));
            for row in query.all::<EmployeeColumns>(&mut self.conn).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl EmployeeRepo for SqlTx {
    async fn get(&mut self, id: EmployeeId) -> Result<Option<Employee>, StoreError> {
        let row: Option<EmployeeColumns> =
            self.conn.optional(concat!(columns!(), " AND id = $2"), params![self.tenant, id]).await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn get_for_change(&mut self, id: EmployeeId) -> Result<Option<Employee>, StoreError> {
        let mut query = Query::with(concat!(columns!(), " AND id = $2"), params![self.tenant, id]);
        query.push(self.conn.for_update());
        query.optional::<EmployeeColumns>(&mut self.conn).await?.map(TryInto::try_into).transpose()
    }

    async fn view(
        &mut self,
        id: EmployeeId,
        as_of: Date,
        today: Date,
    ) -> Result<Option<EmployeeRow>, StoreError> {
        // Without a second look at the records when both dates are the same, which is nearly always.
        let row: Option<ViewRow> = if as_of == today {
            self.conn.optional(view::ONE_TODAY, params![self.tenant, today, id]).await?
        } else {
            self.conn.optional(view::ONE_AS_OF, params![self.tenant, as_of, today, id]).await?
        };
        row.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        filter: &EmployeeFilter,
        page: &PageRequest<EmployeeSort>,
    ) -> Result<Vec<EmployeeRow>, StoreError> {
        let mut query = view::matching(self.tenant, filter);
        match page.sort {
            EmployeeSort::Name => query.page("e.name_key", "e.id", page, |key| key.into()),
            EmployeeSort::Number => query.page("e.number", "e.id", page, |key| key.into()),
            EmployeeSort::HiredOn => {
                // The position is tamper-evident; should it be none of ours, the page starts at the beginning.
                let date = |key: &str| Param::Date(Some(key.parse().unwrap_or(Date::MIN)));
                query.page("e.hired_on", "e.id", page, date)
            }
        };
        let ids: Vec<(Uuid,)> = query.all(&mut self.conn).await?;
        let ids: Vec<Uuid> = ids.into_iter().map(|(id,)| id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<ViewRow> = view::these(self.tenant, filter, &ids).all(&mut self.conn).await?;
        let mut rows: Vec<EmployeeRow> =
            rows.into_iter().map(TryInto::try_into).collect::<Result<_, StoreError>>()?;
        let place: HashMap<Uuid, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        rows.sort_by_key(|row| place.get(&row.view.id.as_uuid()).copied());
        Ok(rows)
    }

    async fn history(&mut self, id: EmployeeId) -> Result<Vec<EmploymentView>, StoreError> {
        let rows: Vec<HistoryRow> = self.conn.all(view::HISTORY, params![self.tenant, id]).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn existing(&mut self, ids: &[EmployeeId]) -> Result<Vec<EmployeeId>, StoreError> {
        let mut found = Vec::new();
        for ids in ids.chunks(CHUNK) {
            let mut query =
                Query::with("SELECT id FROM employee WHERE tenant_id = $1 AND id IN ", params![self.tenant]);
            query.list(ids.iter().copied());
            let rows: Vec<(Uuid,)> = query.all(&mut self.conn).await?;
            found.extend(rows.into_iter().map(|(id,)| EmployeeId::from_uuid(id)));
        }
        Ok(found)
    }

    async fn find_by_ids(&mut self, ids: &[EmployeeId]) -> Result<Vec<Employee>, StoreError> {
        let mut found = Vec::new();
        for ids in ids.chunks(CHUNK) {
            let mut query = Query::with(concat!(columns!(), " AND id IN "), params![self.tenant]);
            query.list(ids.iter().copied());
            for row in query.all::<EmployeeColumns>(&mut self.conn).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    async fn find_by_numbers(&mut self, numbers: &[String]) -> Result<Vec<Employee>, StoreError> {
        self.employees_where(concat!(columns!(), " AND number IN "), numbers.iter().cloned()).await
    }

    async fn find_by_emails(&mut self, emails: &[String]) -> Result<Vec<Employee>, StoreError> {
        let folded = emails.iter().map(|email| fold(email));
        self.employees_where(concat!(columns!(), " AND email_key IN "), folded).await
    }

    async fn insert_many(&mut self, employees: &[Employee]) -> Result<(), StoreError> {
        let rows: Vec<_> = employees.iter().map(|employee| self.employee_params(employee)).collect();
        insert_many(&mut self.conn, INSERT, rows, "").await?;
        Ok(())
    }

    async fn update_many(&mut self, employees: &[Employee]) -> Result<(), StoreError> {
        let rows: Vec<_> = employees.iter().map(|employee| self.employee_params(employee)).collect();
        let touched = insert_many(
            &mut self.conn,
            INSERT,
            rows,
            " ON CONFLICT (tenant_id, id) DO UPDATE SET number = excluded.number, \
             given_name = excluded.given_name, family_name = excluded.family_name, email = excluded.email, \
             birth_date = excluded.birth_date, gender = excluded.gender, hired_on = excluded.hired_on, \
             name_key = excluded.name_key, email_key = excluded.email_key, search_key = excluded.search_key, \
             updated_at = excluded.updated_at, version = excluded.version, \
             email_changed_by = excluded.email_changed_by \
             WHERE employee.version = excluded.version - 1",
        )
        .await?;
        if usize::try_from(touched).is_ok_and(|touched| touched == employees.len()) {
            Ok(())
        } else {
            Err(StoreError::Stale)
        }
    }

    async fn draw_numbers(&mut self, count: i64) -> Result<i64, StoreError> {
        let (last,): (i64,) = self
            .conn
            .one(
                "INSERT INTO tenant_counter (tenant_id, name, value) VALUES ($1, 'employee-number', $2) \
                 ON CONFLICT (tenant_id, name) DO UPDATE SET value = tenant_counter.value + excluded.value \
                 RETURNING value",
                params![self.tenant, count],
            )
            .await?;
        Ok(last)
    }
}
