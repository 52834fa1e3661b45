//! Audit logs in SQL: an organisation's, and the platform's.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::audit::{
    Anchor, AuditDirectory, AuditFilter, AuditLog, AuditSort, Draft, Entry, Head, PlatformTx,
};
use hrms_core::event::Event;
use hrms_core::{AuditEntryId, Directory, PageRequest, RequestId, SessionId, StoreError, TenantId, UserId};

use crate::engine::Conn;
use crate::instant::Instant;
use crate::query::{Param, Query, insert_many, params};
use crate::sql::{SqlTx, event};
use crate::store::SqlStore;

#[derive(FromRow)]
struct EntryRow {
    sequence: i64,
    id: Uuid,
    occurred_at: Instant,
    author_kind: String,
    author_id: Option<Uuid>,
    author_name: Option<String>,
    session_id: Option<Uuid>,
    on_behalf_of: Option<Uuid>,
    operator_id: Option<Uuid>,
    cause: String,
    job_id: Option<Uuid>,
    action: String,
    subject: String,
    before: Option<String>,
    after: Option<String>,
    why: Option<String>,
    request_id: Uuid,
    address: Option<String>,
    outcome: String,
    prev_hash: Vec<u8>,
    hash: Vec<u8>,
    format: i64,
}

/// The columns of [`EntryRow`].
macro_rules! columns {
    () => {
        "sequence, id, occurred_at, author_kind, author_id, author_name, session_id, on_behalf_of, \
         operator_id, cause, job_id, action, subject, before, after, why, request_id, address, outcome, \
         prev_hash, hash, format"
    };
}

impl EntryRow {
    fn entry(self, tenant: Option<TenantId>) -> Entry {
        Entry {
            tenant,
            sequence: self.sequence,
            draft: Draft {
                id: AuditEntryId::from_uuid(self.id),
                time: self.occurred_at.0,
                author_kind: self.author_kind,
                author_id: self.author_id,
                author_name: self.author_name,
                session: self.session_id.map(SessionId::from_uuid),
                on_behalf_of: self.on_behalf_of.map(UserId::from_uuid),
                operator: self.operator_id.map(UserId::from_uuid),
                cause: self.cause,
                job: self.job_id,
                action: self.action,
                subject: self.subject,
                before: self.before,
                after: self.after,
                why: self.why,
                request: RequestId::from_uuid(self.request_id),
                address: self.address,
                outcome: self.outcome,
            },
            prev_hash: self.prev_hash,
            hash: self.hash,
            format: self.format,
        }
    }
}

#[derive(FromRow)]
struct AnchorRow {
    sequence: i64,
    hash: Vec<u8>,
    anchored_at: Instant,
    key: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(FromRow)]
struct CounterRow {
    name: String,
    value: i64,
    hash: Option<Vec<u8>>,
}

/// A unit of work on the platform's log.
#[derive(Debug)]
struct SqlPlatformTx {
    conn: Conn,
}

/// One log: the organisation's or the platform's tables behind the same statements.
struct Log<'a> {
    tenant: Option<TenantId>,
    conn: &'a mut Conn,
}

impl SqlTx {
    fn log(&mut self) -> Log<'_> {
        Log { tenant: Some(self.tenant), conn: &mut self.conn }
    }
}

impl SqlPlatformTx {
    fn log(&mut self) -> Log<'_> {
        Log { tenant: None, conn: &mut self.conn }
    }
}

impl Log<'_> {
    /// A look at one of the log's tables, as far as the tenant's condition.
    fn select(&self, what: &'static str, of_tenant: &'static str, of_platform: &'static str) -> Query {
        let mut query = Query::new(what);
        match self.tenant {
            Some(tenant) => query.push(of_tenant).push(" WHERE tenant_id = ").bind(tenant),
            None => query.push(of_platform).push(" WHERE 1 = 1"),
        };
        query
    }

    fn entries(&self) -> Query {
        self.select(concat!("SELECT ", columns!(), " FROM "), "audit_entry", "platform_audit_entry")
    }

    fn anchors(&self) -> Query {
        const WHAT: &str = "SELECT sequence, hash, anchored_at, key, signature FROM ";
        self.select(WHAT, "audit_anchor", "platform_audit_anchor")
    }

    /// Moves the counters of the log, and of events, in one statement; they stay locked until the commit.
    ///
    /// Always in the same order, so that two units of work never wait for each other.
    async fn advance(&mut self, drafts: i64, events: i64) -> Result<(Head, i64), StoreError> {
        let mut query = Query::new("INSERT INTO ");
        let counters = match self.tenant {
            None => {
                query.push("platform_counter (name, value) VALUES ('audit', ").bind(drafts).push(")");
                query.push(" ON CONFLICT (name) DO UPDATE SET value = platform_counter.value");
                query
            }
            Some(tenant) => {
                query.push("tenant_counter (tenant_id, name, value, pending) VALUES ");
                if events > 0 {
                    query.push("(").bind(tenant).push(", 'event', ").bind(events).push(", ");
                    // The consumers of events are to be told.
                    query.bind(true).push(")");
                }
                if drafts > 0 {
                    query.push(if events > 0 { ", (" } else { "(" });
                    query.bind(tenant).push(", 'audit', ").bind(drafts).push(", ").bind(false).push(")");
                }
                query.push(
                    " ON CONFLICT (tenant_id, name) DO UPDATE SET pending = excluded.pending, \
                     value = tenant_counter.value",
                );
                query
            }
        };
        let mut query = counters;
        query.push(" + excluded.value RETURNING name, value, hash");
        let (mut head, mut last_event) = (Head::default(), 0);
        for row in query.all::<CounterRow>(self.conn).await? {
            match row.name.as_str() {
                "event" => last_event = row.value,
                _ => {
                    head.sequence = row.value - drafts;
                    head.hash = row.hash.unwrap_or(head.hash);
                }
            }
        }
        Ok((head, last_event))
    }

    async fn append(&mut self, drafts: Vec<Draft>, events: Vec<Event>) -> Result<(), StoreError> {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (draft_count, event_count) = (count(drafts.len()), count(events.len()));
        if draft_count == 0 && event_count == 0 {
            return Ok(());
        }
        let (mut head, last_event) = self.advance(draft_count, event_count).await?;
        if let Some(tenant) = self.tenant.filter(|_| event_count > 0) {
            event::insert(self.conn, tenant, last_event - event_count, events).await?;
        }
        if draft_count == 0 {
            return Ok(());
        }
        let mut entries = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let entry = draft.sealed(self.tenant, &head);
            head = Head { sequence: entry.sequence, hash: entry.hash.clone() };
            entries.push(entry);
        }
        self.insert(entries).await?;
        let mut update = match self.tenant {
            Some(tenant) => {
                let mut update = Query::new("UPDATE tenant_counter SET hash = ");
                update.bind(head.hash).push(" WHERE tenant_id = ").bind(tenant).push(" AND ");
                update
            }
            None => {
                let mut update = Query::new("UPDATE platform_counter SET hash = ");
                update.bind(head.hash).push(" WHERE ");
                update
            }
        };
        update.push("name = 'audit'");
        update.execute(self.conn).await?;
        Ok(())
    }

    async fn insert(&mut self, entries: Vec<Entry>) -> Result<(), StoreError> {
        match self.tenant {
            Some(tenant) => {
                let row = |entry| {
                    let values = values(entry);
                    let mut row = [const { Param::Int(None) }; 23];
                    for (to, from) in row.iter_mut().zip(std::iter::once(tenant.into()).chain(values)) {
                        *to = from;
                    }
                    row
                };
                let head = concat!("INSERT INTO audit_entry (tenant_id, ", columns!(), ") VALUES ");
                insert_many(self.conn, head, entries.into_iter().map(row).collect::<Vec<_>>(), "").await?
            }
            None => {
                let head = concat!("INSERT INTO platform_audit_entry (", columns!(), ") VALUES ");
                insert_many(self.conn, head, entries.into_iter().map(values).collect::<Vec<_>>(), "").await?
            }
        };
        Ok(())
    }

    async fn get(&mut self, id: AuditEntryId) -> Result<Option<Entry>, StoreError> {
        let mut query = self.entries();
        query.push(" AND id = ").bind(id);
        let row: Option<EntryRow> = query.optional(self.conn).await?;
        Ok(row.map(|row| row.entry(self.tenant)))
    }

    async fn list(
        &mut self,
        filter: &AuditFilter,
        page: &PageRequest<AuditSort>,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut query = self.entries();
        if let Some(author) = filter.author {
            query.push(" AND (author_id = ").bind(author).push(" OR operator_id = ").bind(author).push(")");
        }
        if let Some(action) = &filter.action {
            let length = i64::try_from(action.chars().count()).unwrap_or(i64::MAX);
            // CAST: PostgreSQL's length of a part is no bigint.
            query.push(" AND substr(action, 1, CAST(").bind(length).push(" AS integer)) = ");
            query.bind(action.as_str());
        }
        query.and(" AND subject = ", filter.subject.as_deref());
        query.and(" AND occurred_at >= ", filter.from);
        query.and(" AND occurred_at < ", filter.until);
        query.and(" AND outcome = ", filter.outcome.map(|outcome| outcome.code()));
        query.and(" AND request_id = ", filter.request);
        let AuditSort::Sequence = page.sort;
        query.page("sequence", "id", page, |key| Param::Int(key.parse().ok()));
        let rows: Vec<EntryRow> = query.all(self.conn).await?;
        Ok(rows.into_iter().map(|row| row.entry(self.tenant)).collect())
    }

    async fn after(&mut self, sequence: i64, limit: u16) -> Result<Vec<Entry>, StoreError> {
        let mut query = self.entries();
        query.push(" AND sequence > ").bind(sequence).push(" ORDER BY sequence LIMIT ").bind(limit);
        let rows: Vec<EntryRow> = query.all(self.conn).await?;
        Ok(rows.into_iter().map(|row| row.entry(self.tenant)).collect())
    }

    async fn head(&mut self) -> Result<Head, StoreError> {
        let mut query = self.select("SELECT name, value, hash FROM ", "tenant_counter", "platform_counter");
        query.push(" AND name = 'audit'");
        let row: Option<CounterRow> = query.optional(self.conn).await?;
        let head = Head::default();
        Ok(row.map_or(head.clone(), |row| Head { sequence: row.value, hash: row.hash.unwrap_or(head.hash) }))
    }

    async fn insert_anchor(&mut self, anchor: &Anchor) -> Result<(), StoreError> {
        let mut query = Query::new("INSERT INTO ");
        match self.tenant {
            Some(tenant) => {
                query.push("audit_anchor (tenant_id, sequence, hash, anchored_at, key, signature) SELECT ");
                query.bind(tenant).push(", ")
            }
            None => query.push("platform_audit_anchor (sequence, hash, anchored_at, key, signature) SELECT "),
        };
        query.bind(anchor.sequence).push(", ").bind(anchor.hash.clone()).push(", ").bind(anchor.time);
        query.push(", ").bind(anchor.key.clone()).push(", ").bind(anchor.signature.clone());
        // Not ON CONFLICT: SQLite's triggers refuse before that is looked at.
        query.push(" WHERE NOT EXISTS (SELECT 1 FROM ");
        match self.tenant {
            Some(tenant) => query.push("audit_anchor WHERE tenant_id = ").bind(tenant).push(" AND "),
            None => query.push("platform_audit_anchor WHERE "),
        };
        query.push("sequence = ").bind(anchor.sequence).push(")");
        match query.execute(self.conn).await {
            // Another process was faster.
            Err(StoreError::Conflict { .. }) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    async fn anchors_after(&mut self, after: i64, limit: u16) -> Result<Vec<Anchor>, StoreError> {
        let mut query = self.anchors();
        query.push(" AND sequence > ").bind(after).push(" ORDER BY sequence LIMIT ").bind(limit);
        let rows: Vec<AnchorRow> = query.all(self.conn).await?;
        Ok(rows.into_iter().map(|row| row.anchor(self.tenant)).collect())
    }

    async fn last_anchor(&mut self) -> Result<Option<Anchor>, StoreError> {
        let mut query = self.anchors();
        query.push(" ORDER BY sequence DESC LIMIT 1");
        let row: Option<AnchorRow> = query.optional(self.conn).await?;
        Ok(row.map(|row| row.anchor(self.tenant)))
    }
}

impl AnchorRow {
    fn anchor(self, tenant: Option<TenantId>) -> Anchor {
        Anchor {
            tenant,
            sequence: self.sequence,
            hash: self.hash,
            time: self.anchored_at.0,
            key: self.key,
            signature: self.signature,
        }
    }
}

/// The columns of an entry, in the order of [`EntryRow`].
fn values(entry: Entry) -> [Param; 22] {
    let draft = entry.draft;
    params![
        entry.sequence,
        draft.id,
        draft.time,
        draft.author_kind,
        draft.author_id,
        draft.author_name,
        draft.session,
        draft.on_behalf_of,
        draft.operator,
        draft.cause,
        draft.job,
        draft.action,
        draft.subject,
        draft.before,
        draft.after,
        draft.why,
        draft.request,
        draft.address,
        draft.outcome,
        entry.prev_hash,
        entry.hash,
        entry.format,
    ]
}

/// Appends entries to a log, and events, in a unit of work that may write there.
pub(crate) async fn append(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    drafts: Vec<Draft>,
    events: Vec<Event>,
) -> Result<(), StoreError> {
    Log { tenant, conn }.append(drafts, events).await
}

macro_rules! audit_log {
    ($tx:ty) => {
        #[async_trait]
        impl AuditLog for $tx {
            async fn append(&mut self, drafts: Vec<Draft>, events: Vec<Event>) -> Result<(), StoreError> {
                self.log().append(drafts, events).await
            }

            async fn get(&mut self, id: AuditEntryId) -> Result<Option<Entry>, StoreError> {
                self.log().get(id).await
            }

            async fn list(
                &mut self,
                filter: &AuditFilter,
                page: &PageRequest<AuditSort>,
            ) -> Result<Vec<Entry>, StoreError> {
                self.log().list(filter, page).await
            }

            async fn after(&mut self, sequence: i64, limit: u16) -> Result<Vec<Entry>, StoreError> {
                self.log().after(sequence, limit).await
            }

            async fn head(&mut self) -> Result<Head, StoreError> {
                self.log().head().await
            }

            async fn insert_anchor(&mut self, anchor: &Anchor) -> Result<(), StoreError> {
                self.log().insert_anchor(anchor).await
            }

            async fn anchors(&mut self, after: i64, limit: u16) -> Result<Vec<Anchor>, StoreError> {
                self.log().anchors_after(after, limit).await
            }

            async fn last_anchor(&mut self) -> Result<Option<Anchor>, StoreError> {
                self.log().last_anchor().await
            }
        }
    };
}

audit_log!(SqlTx);
audit_log!(SqlPlatformTx);

#[async_trait]
impl PlatformTx for SqlPlatformTx {
    fn audit(&mut self) -> &mut dyn AuditLog {
        self
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.conn.commit().await
    }
}

#[async_trait]
impl AuditDirectory for SqlStore {
    async fn platform(&self) -> Result<Box<dyn PlatformTx>, StoreError> {
        Ok(Box::new(SqlPlatformTx { conn: self.directory().await?.into_inner() }))
    }

    async fn read_platform(&self) -> Result<Box<dyn PlatformTx>, StoreError> {
        Ok(Box::new(SqlPlatformTx { conn: self.directory_read().await? }))
    }

    fn recording(&self, entries: Vec<(Option<TenantId>, Draft)>) -> Box<dyn Directory + Send + Sync> {
        Box::new(self.with_entries(entries.into()))
    }
}
