//! Departments and their heads in SQL.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::department::{
    Department, DepartmentFilter, DepartmentRepo, DepartmentSort, DepartmentTree, Head, HeadView,
};
use hrms_core::employee::EmployeeRef;
use hrms_core::{DepartmentId, EmployeeId, PageRequest, StoreError, Version};

use crate::instant::Instant;
use crate::query::{CHUNK, Query, insert_many, params};
use crate::sql::employee::full_name;
use crate::sql::{SqlTx, period};

#[derive(FromRow)]
struct DepartmentRow {
    id: Uuid,
    code: String,
    name: String,
    parent_id: Option<Uuid>,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl From<DepartmentRow> for Department {
    fn from(row: DepartmentRow) -> Self {
        Self {
            id: DepartmentId::from_uuid(row.id),
            code: row.code,
            name: row.name,
            parent_id: row.parent_id.map(DepartmentId::from_uuid),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        }
    }
}

#[derive(FromRow)]
struct HeadRow {
    department_id: Uuid,
    employee_id: Uuid,
    valid_from: jiff_sqlx::Date,
    valid_to: Option<jiff_sqlx::Date>,
}

#[derive(FromRow)]
struct HeadViewRow {
    id: Uuid,
    number: String,
    given_name: String,
    family_name: String,
    valid_from: jiff_sqlx::Date,
    valid_to: Option<jiff_sqlx::Date>,
}

#[async_trait]
impl DepartmentRepo for SqlTx {
    async fn get(&mut self, id: DepartmentId) -> Result<Option<Department>, StoreError> {
        let row: Option<DepartmentRow> = self
            .conn
            .optional(
                "SELECT id, code, name, parent_id, created_at, updated_at, version \
                 FROM department WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        Ok(row.map(Into::into))
    }

    async fn list(
        &mut self,
        filter: &DepartmentFilter,
        page: &PageRequest<DepartmentSort>,
    ) -> Result<Vec<Department>, StoreError> {
        let mut query = Query::new(
            "SELECT id, code, name, parent_id, created_at, updated_at, version FROM department WHERE tenant_id = ",
        );
        query.bind(self.tenant);
        query.and(" AND code = ", filter.code.as_deref());
        query.and(" AND parent_id = ", filter.parent_id);
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            DepartmentSort::Name => "name",
            DepartmentSort::Code => "code",
        };
        query.page(column, "id", page, |key| key.into());
        Ok(query.all::<DepartmentRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }

    async fn find_by_codes(&mut self, codes: &[String]) -> Result<Vec<Department>, StoreError> {
        let mut found = Vec::new();
        for codes in codes.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT id, code, name, parent_id, created_at, updated_at, version FROM department \
                 WHERE tenant_id = $1 AND code IN ",
                params![self.tenant],
            );
            query.list(codes.iter().map(String::as_str));
            found.extend(query.all::<DepartmentRow>(&mut self.conn).await?.into_iter().map(Into::into));
        }
        Ok(found)
    }

    async fn insert_many(&mut self, departments: &[Department]) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let rows: Vec<_> = departments
            .iter()
            .map(|department| {
                params![
                    tenant,
                    department.id,
                    department.code.as_str(),
                    department.name.as_str(),
                    department.parent_id,
                    department.created_at,
                    department.updated_at,
                    department.version,
                ]
            })
            .collect();
        insert_many(
            &mut self.conn,
            "INSERT INTO department (tenant_id, id, code, name, parent_id, created_at, updated_at, version) VALUES ",
            rows,
            "",
        )
        .await?;
        Ok(())
    }

    async fn update(&mut self, department: &Department, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE department SET code = $4, name = $5, parent_id = $6, updated_at = $7, version = $8 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    department.id,
                    expected,
                    department.code.as_str(),
                    department.name.as_str(),
                    department.parent_id,
                    department.updated_at,
                    department.version,
                ],
            )
            .await
    }

    async fn remove(&mut self, id: DepartmentId, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "DELETE FROM department WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }

    async fn lock_tree(&mut self) -> Result<(), StoreError> {
        self.lock("department-tree").await
    }

    async fn tree(&mut self) -> Result<DepartmentTree, StoreError> {
        let rows: Vec<(Uuid, Option<Uuid>)> = self
            .conn
            .all("SELECT id, parent_id FROM department WHERE tenant_id = $1", params![self.tenant])
            .await?;
        let id = DepartmentId::from_uuid;
        Ok(rows.into_iter().map(|(child, parent)| (id(child), parent.map(id))).collect())
    }

    async fn heads_of(
        &mut self,
        departments: &[DepartmentId],
    ) -> Result<HashMap<DepartmentId, Vec<Head>>, StoreError> {
        let mut heads: HashMap<DepartmentId, Vec<Head>> = HashMap::new();
        for departments in departments.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT department_id, employee_id, valid_from, valid_to FROM department_head \
                 WHERE tenant_id = $1 AND department_id IN ",
                params![self.tenant],
            );
            query.list(departments.iter().copied()).push(" ORDER BY department_id, valid_from");
            for row in query.all::<HeadRow>(&mut self.conn).await? {
                let period = period("department_head", row.valid_from, row.valid_to)?;
                let head = Head { employee_id: EmployeeId::from_uuid(row.employee_id), period };
                heads.entry(DepartmentId::from_uuid(row.department_id)).or_default().push(head);
            }
        }
        Ok(heads)
    }

    async fn list_heads(&mut self, department: DepartmentId) -> Result<Vec<HeadView>, StoreError> {
        let rows: Vec<HeadViewRow> = self
            .conn
            .all(
                "SELECT e.id, e.number, e.given_name, e.family_name, h.valid_from, h.valid_to \
                 FROM department_head AS h JOIN employee AS e ON e.tenant_id = h.tenant_id AND e.id = h.employee_id \
                 WHERE h.tenant_id = $1 AND h.department_id = $2 ORDER BY h.valid_from",
                params![self.tenant, department],
            )
            .await?;
        let head = |row: HeadViewRow| HeadView {
            employee: EmployeeRef {
                id: EmployeeId::from_uuid(row.id),
                number: row.number,
                name: full_name(row.given_name, &row.family_name),
            },
            from: row.valid_from.to_jiff(),
            to: row.valid_to.map(jiff_sqlx::Date::to_jiff),
        };
        Ok(rows.into_iter().map(head).collect())
    }

    async fn replace_heads(&mut self, heads: &[(DepartmentId, Vec<Head>)]) -> Result<(), StoreError> {
        for heads in heads.chunks(CHUNK) {
            let mut query = Query::with(
                "DELETE FROM department_head WHERE tenant_id = $1 AND department_id IN ",
                params![self.tenant],
            );
            query.list(heads.iter().map(|(department, _)| *department));
            query.execute(&mut self.conn).await?;
        }
        let tenant = self.tenant;
        let rows: Vec<_> = heads
            .iter()
            .flat_map(|(department, heads)| heads.iter().map(move |head| (*department, head)))
            .map(|(department, head)| {
                params![tenant, department, head.employee_id, head.period.from(), head.period.to()]
            })
            .collect();
        insert_many(
            &mut self.conn,
            "INSERT INTO department_head (tenant_id, department_id, employee_id, valid_from, valid_to) VALUES ",
            rows,
            "",
        )
        .await?;
        Ok(())
    }
}
