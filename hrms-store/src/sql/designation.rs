//! Designations in SQL.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::designation::{Designation, DesignationFilter, DesignationRepo, DesignationSort};
use hrms_core::{DesignationId, PageRequest, StoreError, Version};

use crate::instant::Instant;
use crate::query::{CHUNK, Query, insert_many, params};
use crate::sql::SqlTx;

#[derive(FromRow)]
struct DesignationRow {
    id: Uuid,
    code: String,
    name: String,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl From<DesignationRow> for Designation {
    fn from(row: DesignationRow) -> Self {
        Self {
            id: DesignationId::from_uuid(row.id),
            code: row.code,
            name: row.name,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        }
    }
}

#[async_trait]
impl DesignationRepo for SqlTx {
    async fn get(&mut self, id: DesignationId) -> Result<Option<Designation>, StoreError> {
        let row: Option<DesignationRow> = self
            .conn
            .optional(
                "SELECT id, code, name, created_at, updated_at, version \
                 FROM designation WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        Ok(row.map(Into::into))
    }

    async fn list(
        &mut self,
        filter: &DesignationFilter,
        page: &PageRequest<DesignationSort>,
    ) -> Result<Vec<Designation>, StoreError> {
        let mut query = Query::new(
            "SELECT id, code, name, created_at, updated_at, version FROM designation WHERE tenant_id = ",
        );
        query.bind(self.tenant);
        query.and(" AND code = ", filter.code.as_deref());
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            DesignationSort::Name => "name",
            DesignationSort::Code => "code",
        };
        query.page(column, "id", page, |key| key.into());
        Ok(query.all::<DesignationRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }

    async fn find_by_codes(&mut self, codes: &[String]) -> Result<Vec<Designation>, StoreError> {
        let mut found = Vec::new();
        for codes in codes.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT id, code, name, created_at, updated_at, version FROM designation \
                 WHERE tenant_id = $1 AND code IN ",
                params![self.tenant],
            );
            query.list(codes.iter().map(String::as_str));
            found.extend(query.all::<DesignationRow>(&mut self.conn).await?.into_iter().map(Into::into));
        }
        Ok(found)
    }

    async fn insert_many(&mut self, designations: &[Designation]) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let rows: Vec<_> = designations
            .iter()
            .map(|designation| {
                params![
                    tenant,
                    designation.id,
                    designation.code.as_str(),
                    designation.name.as_str(),
                    designation.created_at,
                    designation.updated_at,
                    designation.version,
                ]
            })
            .collect();
        insert_many(
            &mut self.conn,
            "INSERT INTO designation (tenant_id, id, code, name, created_at, updated_at, version) VALUES ",
            rows,
            "",
        )
        .await?;
        Ok(())
    }

    async fn update(&mut self, designation: &Designation, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE designation SET code = $4, name = $5, updated_at = $6, version = $7 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    designation.id,
                    expected,
                    designation.code.as_str(),
                    designation.name.as_str(),
                    designation.updated_at,
                    designation.version,
                ],
            )
            .await
    }

    async fn remove(&mut self, id: DesignationId, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "DELETE FROM designation WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }
}
