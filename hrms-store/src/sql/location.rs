//! Locations in SQL.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::location::{Location, LocationFilter, LocationRepo, LocationSort};
use hrms_core::{LocationId, PageRequest, StoreError, Version};

use crate::instant::Instant;
use crate::query::{CHUNK, Query, params};
use crate::sql::SqlTx;

#[derive(FromRow)]
struct LocationRow {
    id: Uuid,
    code: String,
    name: String,
    time_zone: String,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl From<LocationRow> for Location {
    fn from(row: LocationRow) -> Self {
        Self {
            id: LocationId::from_uuid(row.id),
            code: row.code,
            name: row.name,
            time_zone: row.time_zone,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        }
    }
}

#[async_trait]
impl LocationRepo for SqlTx {
    async fn get(&mut self, id: LocationId) -> Result<Option<Location>, StoreError> {
        let row: Option<LocationRow> = self
            .conn
            .optional(
                "SELECT id, code, name, time_zone, created_at, updated_at, version \
                 FROM location WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        Ok(row.map(Into::into))
    }

    async fn find_by_codes(&mut self, codes: &[String]) -> Result<Vec<Location>, StoreError> {
        let mut found = Vec::new();
        for codes in codes.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT id, code, name, time_zone, created_at, updated_at, version \
                 FROM location WHERE tenant_id = $1 AND code IN ",
                params![self.tenant],
            );
            query.list(codes.iter().map(String::as_str));
            found.extend(query.all::<LocationRow>(&mut self.conn).await?.into_iter().map(Into::into));
        }
        Ok(found)
    }

    async fn list(
        &mut self,
        filter: &LocationFilter,
        page: &PageRequest<LocationSort>,
    ) -> Result<Vec<Location>, StoreError> {
        let mut query = Query::new(
            "SELECT id, code, name, time_zone, created_at, updated_at, version FROM location WHERE tenant_id = ",
        );
        query.bind(self.tenant);
        query.and(" AND code = ", filter.code.as_deref());
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            LocationSort::Name => "name",
            LocationSort::Code => "code",
        };
        query.page(column, "id", page, |key| key.into());
        Ok(query.all::<LocationRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }

    async fn insert(&mut self, location: &Location) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO location (tenant_id, id, code, name, time_zone, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                params![
                    self.tenant,
                    location.id,
                    location.code.as_str(),
                    location.name.as_str(),
                    location.time_zone.as_str(),
                    location.created_at,
                    location.updated_at,
                    location.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, location: &Location, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE location SET code = $4, name = $5, time_zone = $6, updated_at = $7, version = $8 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    location.id,
                    expected,
                    location.code.as_str(),
                    location.name.as_str(),
                    location.time_zone.as_str(),
                    location.updated_at,
                    location.version,
                ],
            )
            .await
    }

    async fn remove(&mut self, id: LocationId, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "DELETE FROM location WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }
}
