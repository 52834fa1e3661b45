//! The event log in SQL.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::event::{Event, EventLog};
use hrms_core::policy::Details;
use hrms_core::{EmployeeId, EventId, Permission, RequestId, Resource, StoreError, TenantId, UserId};

use crate::engine::Conn;
use crate::instant::Instant;
use crate::query::{insert_many, params};
use crate::sql::employment::{FactsRow, facts};
use crate::sql::{SqlTx, audit, corrupt};

#[derive(FromRow)]
struct EventRow {
    sequence: i64,
    id: Uuid,
    kind: String,
    occurred_at: Instant,
    subject: String,
    data: Value,
    permission: String,
    owner_id: Option<Uuid>,
    #[sqlx(flatten)]
    facts: FactsRow,
    caused_by: Option<Uuid>,
    request_id: Uuid,
    details: Option<Value>,
}

impl TryFrom<EventRow> for Event {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        let permission = Permission::from_code(&row.permission);
        let mut resource = Resource::organization();
        resource.owner = row.owner_id.map(EmployeeId::from_uuid);
        resource.facts = row.facts.try_into()?;
        if let Some(details) = row.details {
            resource.details = serde_json::from_value(details).map_err(|error| corrupt("event", error))?;
        }
        Ok(Self {
            sequence: row.sequence,
            id: EventId::from_uuid(row.id),
            kind: row.kind,
            time: row.occurred_at.0,
            subject: row.subject,
            data: row.data,
            permission: permission
                .ok_or_else(|| corrupt("event", format!("permission {}", row.permission)))?,
            resource,
            caused_by: row.caused_by.map(UserId::from_uuid),
            request: RequestId::from_uuid(row.request_id),
        })
    }
}

fn details(resource: &Resource) -> Result<Option<Value>, StoreError> {
    match &resource.details {
        Details::None => Ok(None),
        details => serde_json::to_value(details).map(Some).map_err(|error| corrupt("event", error)),
    }
}

/// Writes events behind the number `last`. The counter must be locked.
pub(super) async fn insert(
    conn: &mut Conn,
    tenant: TenantId,
    last: i64,
    events: Vec<Event>,
) -> Result<(), StoreError> {
    let rows = events.into_iter().zip((last + 1)..).map(|(event, sequence)| {
        Ok(params![
            tenant,
            sequence,
            event.id,
            event.kind,
            event.time,
            event.subject,
            event.data,
            event.permission.code(),
            event.resource.owner,
            event.resource.facts.manager_id,
            event.resource.facts.department_id,
            event.resource.facts.designation_id,
            event.resource.facts.location_id,
            event.resource.owner.map(|_| event.resource.facts.employment_type.code()),
            event.resource.owner.map(|_| event.resource.facts.status.code()),
            event.caused_by,
            event.request,
            details(&event.resource)?,
        ])
    });
    insert_many(
        conn,
        "INSERT INTO event (tenant_id, sequence, id, kind, occurred_at, subject, data, permission, \
         owner_id, manager_id, department_id, designation_id, location_id, employment_type, status, \
         caused_by, request_id, details) VALUES ",
        rows.collect::<Result<Vec<_>, StoreError>>()?,
        "",
    )
    .await?;
    Ok(())
}

#[async_trait]
impl EventLog for SqlTx {
    async fn append(&mut self, events: Vec<Event>) -> Result<(), StoreError> {
        audit::append(&mut self.conn, Some(self.tenant), Vec::new(), events).await
    }

    async fn after(&mut self, sequence: i64, limit: u16) -> Result<Vec<Event>, StoreError> {
        let rows: Vec<EventRow> = self
            .conn
            .all(
                concat!(
                    "SELECT e.sequence, e.id, e.kind, e.occurred_at, e.subject, e.data, e.permission, \
                     e.owner_id, e.caused_by, e.request_id, e.details, ",
                    facts!("e"),
                    " FROM event AS e WHERE e.tenant_id = $1 AND e.sequence > $2 ORDER BY e.sequence LIMIT $3"
                ),
                params![self.tenant, sequence, limit],
            )
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn first(&mut self) -> Result<Option<i64>, StoreError> {
        let row: Option<(i64,)> = self
            .conn
            .optional(
                "SELECT sequence FROM event WHERE tenant_id = $1 ORDER BY sequence LIMIT 1",
                params![self.tenant],
            )
            .await?;
        Ok(row.map(|(sequence,)| sequence))
    }

    async fn sequence_of(&mut self, event: EventId) -> Result<Option<i64>, StoreError> {
        let row: Option<(i64,)> = self
            .conn
            .optional(
                "SELECT sequence FROM event WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, event],
            )
            .await?;
        Ok(row.map(|(sequence,)| sequence))
    }

    async fn last(&mut self) -> Result<i64, StoreError> {
        let row: Option<(i64,)> = self
            .conn
            .optional(
                "SELECT value FROM tenant_counter WHERE tenant_id = $1 AND name = 'event'",
                params![self.tenant],
            )
            .await?;
        Ok(row.map_or(0, |(value,)| value))
    }
}
