//! Approval chains in SQL.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::approval::{
    ApprovalChain, ApprovalChainFilter, ApprovalChainRepo, ApprovalChainSort, ApprovalKind,
};
use hrms_core::{ApprovalChainId, PageRequest, StoreError, Version};

use crate::instant::Instant;
use crate::query::{Query, params};
use crate::sql::{SqlTx, corrupt};

const TABLE: &str = "approval_chain";

#[derive(FromRow)]
struct ChainRow {
    id: Uuid,
    kind: String,
    code: String,
    name: String,
    position: i32,
    conditions: Value,
    levels: Value,
    active: bool,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl TryFrom<ChainRow> for ApprovalChain {
    type Error = StoreError;

    fn try_from(row: ChainRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ApprovalChainId::from_uuid(row.id),
            kind: kind(TABLE, &row.kind)?,
            code: row.code,
            name: row.name,
            position: row.position,
            conditions: json(TABLE, row.conditions)?,
            levels: json(TABLE, row.levels)?,
            active: row.active,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

pub(super) fn kind(table: &'static str, code: &str) -> Result<ApprovalKind, StoreError> {
    ApprovalKind::from_code(code).ok_or_else(|| corrupt(table, format!("kind: {code}")))
}

pub(super) fn json<T: DeserializeOwned>(table: &'static str, stored: Value) -> Result<T, StoreError> {
    serde_json::from_value(stored).map_err(|error| corrupt(table, error))
}

pub(super) fn to_json(table: &'static str, value: &impl serde::Serialize) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|error| corrupt(table, error))
}

const SELECT: &str = "SELECT id, kind, code, name, position, conditions, levels, active, created_at, updated_at, \
                      version FROM approval_chain WHERE tenant_id = ";

#[async_trait]
impl ApprovalChainRepo for SqlTx {
    async fn get(&mut self, id: ApprovalChainId) -> Result<Option<ApprovalChain>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant).push(" AND id = ").bind(id);
        query.optional::<ChainRow>(&mut self.conn).await?.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        filter: &ApprovalChainFilter,
        page: &PageRequest<ApprovalChainSort>,
    ) -> Result<Vec<ApprovalChain>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant);
        query.and(" AND kind = ", filter.kind.map(|kind| kind.code()));
        query.and(" AND code = ", filter.code.as_deref());
        query.and(" AND active = ", filter.active);
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            ApprovalChainSort::Code => "code",
            ApprovalChainSort::Name => "name",
        };
        query.page(column, "id", page, |key| key.into());
        query.all::<ChainRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn active(&mut self, kind: ApprovalKind) -> Result<Vec<ApprovalChain>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant).push(" AND kind = ").bind(kind.code()).push(" AND active = ").bind(true);
        query.push(" ORDER BY position, code");
        query.all::<ChainRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(&mut self, chain: &ApprovalChain) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO approval_chain (tenant_id, id, kind, code, name, position, conditions, levels, active, \
                 created_at, updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                params![
                    self.tenant,
                    chain.id,
                    chain.kind.code(),
                    chain.code.as_str(),
                    chain.name.as_str(),
                    i64::from(chain.position),
                    to_json(TABLE, &chain.conditions)?,
                    to_json(TABLE, &chain.levels)?,
                    chain.active,
                    chain.created_at,
                    chain.updated_at,
                    chain.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, chain: &ApprovalChain, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE approval_chain SET code = $4, name = $5, position = $6, conditions = $7, levels = $8, \
                 active = $9, updated_at = $10, version = $11 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    chain.id,
                    expected,
                    chain.code.as_str(),
                    chain.name.as_str(),
                    i64::from(chain.position),
                    to_json(TABLE, &chain.conditions)?,
                    to_json(TABLE, &chain.levels)?,
                    chain.active,
                    chain.updated_at,
                    chain.version,
                ],
            )
            .await
    }

    async fn remove(&mut self, id: ApprovalChainId, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "DELETE FROM approval_chain WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }
}
