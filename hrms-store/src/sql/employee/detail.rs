//! Groups of employees' data in SQL.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;

use hrms_core::employee::{DetailRepo, StoredDetail};
use hrms_core::{EmployeeId, StoreError, Version};

use crate::instant::Instant;
use crate::query::params;
use crate::sql::SqlTx;

#[derive(FromRow)]
struct DetailRow {
    data: Value,
    updated_at: Instant,
    version: i64,
}

#[async_trait]
impl DetailRepo for SqlTx {
    async fn get(&mut self, employee: EmployeeId, group: &str) -> Result<Option<StoredDetail>, StoreError> {
        let row: Option<DetailRow> = self
            .conn
            .optional(
                "SELECT data, updated_at, version FROM employee_detail \
                 WHERE tenant_id = $1 AND employee_id = $2 AND field_group = $3",
                params![self.tenant, employee, group],
            )
            .await?;
        Ok(row.map(|row| StoredDetail {
            data: row.data,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        }))
    }

    async fn put(
        &mut self,
        employee: EmployeeId,
        group: &str,
        detail: &StoredDetail,
        expected: Version,
    ) -> Result<(), StoreError> {
        // A new row meets no other one; an old one must be at the version that was read.
        self.conn
            .execute_expecting_one(
                "INSERT INTO employee_detail (tenant_id, employee_id, field_group, data, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, employee_id, field_group) DO UPDATE \
                 SET data = excluded.data, updated_at = excluded.updated_at, version = excluded.version \
                 WHERE employee_detail.version = $7",
                params![
                    self.tenant,
                    employee,
                    group,
                    detail.data.clone(),
                    detail.updated_at,
                    detail.version,
                    expected
                ],
            )
            .await
    }
}
