//! What waits for decisions, in SQL.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::approval::{
    ApprovalCase, ApprovalCaseStatus, ApprovalKind, ApprovalRepo, ApprovalTask, ApprovalTaskStatus, Assignee,
    TasksOf, TrailAct, TrailEntry, WaitingTask,
};
use hrms_core::policy::RoleName;
use hrms_core::{
    ApprovalCaseId, ApprovalChainId, ApprovalTaskId, EmployeeId, PageRequest, StoreError, TrailEntryId,
    UserId, Version,
};

use super::chain::{json, kind, to_json};
use crate::instant::Instant;
use crate::query::{CHUNK, Param, Query, insert_many, params};
use crate::sql::{SqlTx, corrupt};

const CASE: &str = "approval_case";
const TASK: &str = "approval_task";
const TRAIL: &str = "approval_trail";

#[derive(FromRow)]
struct CaseRow {
    id: Uuid,
    kind: String,
    subject_id: Uuid,
    employee_id: Uuid,
    chain_id: Option<Uuid>,
    levels: Value,
    level: i32,
    status: String,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl TryFrom<CaseRow> for ApprovalCase {
    type Error = StoreError;

    fn try_from(row: CaseRow) -> Result<Self, StoreError> {
        let status = ApprovalCaseStatus::from_code(&row.status);
        Ok(Self {
            id: ApprovalCaseId::from_uuid(row.id),
            kind: kind(CASE, &row.kind)?,
            subject_id: row.subject_id,
            employee_id: EmployeeId::from_uuid(row.employee_id),
            chain_id: row.chain_id.map(ApprovalChainId::from_uuid),
            levels: json(CASE, row.levels)?,
            level: row.level,
            status: status.ok_or_else(|| corrupt(CASE, format!("status: {}", row.status)))?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

#[derive(FromRow)]
struct TaskRow {
    id: Uuid,
    case_id: Uuid,
    level: i32,
    approver: i32,
    assignee_type: String,
    assignee_id: Option<Uuid>,
    assignee_role: Option<String>,
    forwarded: bool,
    status: String,
    decided_by: Option<Uuid>,
    on_behalf_of: Option<Uuid>,
    ended_at: Option<Instant>,
    created_at: Instant,
}

impl TryFrom<TaskRow> for ApprovalTask {
    type Error = StoreError;

    fn try_from(row: TaskRow) -> Result<Self, StoreError> {
        let status = ApprovalTaskStatus::from_code(&row.status);
        Ok(Self {
            id: ApprovalTaskId::from_uuid(row.id),
            case_id: ApprovalCaseId::from_uuid(row.case_id),
            level: row.level,
            approver: row.approver,
            assignee: assignee(&row.assignee_type, row.assignee_id, row.assignee_role)?,
            forwarded: row.forwarded,
            status: status.ok_or_else(|| corrupt(TASK, format!("status: {}", row.status)))?,
            decided_by: row.decided_by.map(UserId::from_uuid),
            on_behalf_of: row.on_behalf_of.map(EmployeeId::from_uuid),
            ended_at: row.ended_at.map(|at| at.0),
            created_at: row.created_at.0,
        })
    }
}

fn assignee(kind: &str, id: Option<Uuid>, role: Option<String>) -> Result<Assignee, StoreError> {
    Ok(match (kind, id, role) {
        ("employee", Some(id), None) => Assignee::Employee { employee_id: EmployeeId::from_uuid(id) },
        ("user", Some(id), None) => Assignee::User { user_id: UserId::from_uuid(id) },
        ("role", None, Some(role)) => Assignee::Role { role: RoleName::new(role) },
        ("organization", None, None) => Assignee::Organization,
        _ => return Err(corrupt(TASK, format!("assignee: {kind}"))),
    })
}

/// Type, id and role of an assignee, as stored.
fn columns(assignee: &Assignee) -> (&'static str, Option<Uuid>, Option<&str>) {
    match assignee {
        Assignee::Employee { employee_id } => ("employee", Some(employee_id.as_uuid()), None),
        Assignee::User { user_id } => ("user", Some(user_id.as_uuid()), None),
        Assignee::Role { role } => ("role", None, Some(role.as_str())),
        Assignee::Organization => ("organization", None, None),
    }
}

#[derive(FromRow)]
struct TrailRow {
    id: Uuid,
    case_id: Uuid,
    at: Instant,
    act: String,
    level: i32,
    user_id: Option<Uuid>,
    on_behalf_of: Option<Uuid>,
    in_place: bool,
    assignee: Option<Value>,
    note: Option<String>,
}

impl TryFrom<TrailRow> for TrailEntry {
    type Error = StoreError;

    fn try_from(row: TrailRow) -> Result<Self, StoreError> {
        let act = TrailAct::from_code(&row.act);
        Ok(Self {
            id: TrailEntryId::from_uuid(row.id),
            case_id: ApprovalCaseId::from_uuid(row.case_id),
            at: row.at.0,
            act: act.ok_or_else(|| corrupt(TRAIL, format!("act: {}", row.act)))?,
            level: row.level,
            user_id: row.user_id.map(UserId::from_uuid),
            on_behalf_of: row.on_behalf_of.map(EmployeeId::from_uuid),
            in_place: row.in_place,
            assignee: row.assignee.map(|stored| json(TRAIL, stored)).transpose()?,
            note: row.note,
        })
    }
}

#[derive(FromRow)]
struct WaitingRow {
    id: Uuid,
    kind: String,
    subject_id: Uuid,
    employee_id: Uuid,
    level: i32,
    assignee_type: String,
    assignee_id: Option<Uuid>,
    assignee_role: Option<String>,
    created_at: Instant,
}

impl TryFrom<WaitingRow> for WaitingTask {
    type Error = StoreError;

    fn try_from(row: WaitingRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ApprovalTaskId::from_uuid(row.id),
            kind: kind(CASE, &row.kind)?,
            subject_id: row.subject_id,
            employee_id: EmployeeId::from_uuid(row.employee_id),
            level: row.level,
            assignee: assignee(&row.assignee_type, row.assignee_id, row.assignee_role)?,
            created_at: row.created_at.0,
        })
    }
}

const SELECT_CASE: &str = "SELECT id, kind, subject_id, employee_id, chain_id, levels, level, status, created_at, \
                           updated_at, version FROM approval_case WHERE tenant_id = ";

#[async_trait]
impl ApprovalRepo for SqlTx {
    async fn of(&mut self, kind: ApprovalKind, subject: Uuid) -> Result<Option<ApprovalCase>, StoreError> {
        let mut query = Query::new(SELECT_CASE);
        query
            .bind(self.tenant)
            .push(" AND kind = ")
            .bind(kind.code())
            .push(" AND subject_id = ")
            .bind(subject);
        query.optional::<CaseRow>(&mut self.conn).await?.map(TryInto::try_into).transpose()
    }

    async fn insert(&mut self, case: &ApprovalCase) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO approval_case (tenant_id, id, kind, subject_id, employee_id, chain_id, levels, level, \
                 status, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                params![
                    self.tenant,
                    case.id,
                    case.kind.code(),
                    case.subject_id,
                    case.employee_id,
                    case.chain_id,
                    to_json(CASE, &case.levels)?,
                    i64::from(case.level),
                    case.status.code(),
                    case.created_at,
                    case.updated_at,
                    case.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, case: &ApprovalCase, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE approval_case SET level = $4, status = $5, updated_at = $6, version = $7, chain_id = $8, levels = $9 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    case.id,
                    expected,
                    i64::from(case.level),
                    case.status.code(),
                    case.updated_at,
                    case.version,
                    case.chain_id,
                    to_json(CASE, &case.levels)?,
                ],
            )
            .await
    }

    async fn tasks(&mut self, case: ApprovalCaseId) -> Result<Vec<ApprovalTask>, StoreError> {
        let rows: Vec<TaskRow> = self
            .conn
            .all(
                "SELECT id, case_id, level, approver, assignee_type, assignee_id, assignee_role, forwarded, status, \
                 decided_by, on_behalf_of, ended_at, created_at FROM approval_task \
                 WHERE tenant_id = $1 AND case_id = $2 ORDER BY created_at, id",
                params![self.tenant, case],
            )
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert_tasks(&mut self, tasks: &[ApprovalTask]) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let rows = tasks.iter().map(|task| {
            let (kind, id, role) = columns(&task.assignee);
            params![
                tenant,
                task.id,
                task.case_id,
                i64::from(task.level),
                i64::from(task.approver),
                kind,
                id,
                role,
                task.forwarded,
                task.status.code(),
                task.created_at,
            ]
        });
        insert_many(
            &mut self.conn,
            "INSERT INTO approval_task (tenant_id, id, case_id, level, approver, assignee_type, assignee_id, \
             assignee_role, forwarded, status, created_at) VALUES ",
            rows.collect::<Vec<_>>(),
            "",
        )
        .await?;
        Ok(())
    }

    async fn end_task(&mut self, task: &ApprovalTask) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE approval_task SET status = $3, decided_by = $4, on_behalf_of = $5, ended_at = $6 \
                 WHERE tenant_id = $1 AND id = $2 AND status = 'open'",
                params![
                    self.tenant,
                    task.id,
                    task.status.code(),
                    task.decided_by,
                    task.on_behalf_of,
                    task.ended_at,
                ],
            )
            .await
    }

    async fn waiting(
        &mut self,
        of: &TasksOf,
        page: &PageRequest<()>,
    ) -> Result<Vec<WaitingTask>, StoreError> {
        let mut query = Query::with(
            "SELECT t.id, c.kind, c.subject_id, c.employee_id, t.level, t.assignee_type, t.assignee_id, \
             t.assignee_role, t.created_at FROM approval_task AS t \
             JOIN approval_case AS c ON c.tenant_id = t.tenant_id AND c.id = t.case_id \
             WHERE t.tenant_id = $1 AND t.status = 'open' AND (false",
            params![self.tenant],
        );
        let people = of.employees.iter().map(|one| one.as_uuid()).chain(of.user.map(|user| user.as_uuid()));
        let people: Vec<Uuid> = people.collect();
        if !people.is_empty() {
            query.push(" OR t.assignee_id IN ").list(people);
        }
        if !of.roles.is_empty() {
            query.push(" OR (t.assignee_type = 'role' AND t.assignee_role IN ");
            query.list(of.roles.iter().map(|role| role.as_str().to_owned())).push(")");
        }
        if of.organization {
            query.push(" OR t.assignee_type = 'organization'");
        }
        query.push(")");
        if !of.not_about.is_empty() {
            query.push(" AND c.employee_id NOT IN ").list(of.not_about.iter().copied());
        }
        query.page("t.created_at", "t.id", page, |key| Param::Instant(key.parse().ok()));
        query.all::<WaitingRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn concerning(&mut self, employees: &[EmployeeId]) -> Result<Vec<ApprovalCase>, StoreError> {
        let mut found: Vec<ApprovalCase> = Vec::new();
        for employees in employees.chunks(CHUNK / 2) {
            let mut query = Query::new(SELECT_CASE);
            query.bind(self.tenant).push(" AND status = 'open' AND (employee_id IN ");
            query.list(employees.iter().copied());
            query.push(" OR id IN (SELECT case_id FROM approval_task WHERE tenant_id = ").bind(self.tenant);
            query.push(" AND status = 'open' AND assignee_id IN ").list(employees.iter().copied());
            query.push(")) ORDER BY id LIMIT 1000");
            for row in query.all::<CaseRow>(&mut self.conn).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    async fn open(
        &mut self,
        after: Option<ApprovalCaseId>,
        limit: u16,
    ) -> Result<Vec<ApprovalCase>, StoreError> {
        let mut query = Query::new(SELECT_CASE);
        query.bind(self.tenant).push(" AND status = 'open'");
        query.and(" AND id > ", after);
        query.push(" ORDER BY id LIMIT ").bind(i64::from(limit));
        query.all::<CaseRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn trail(&mut self, case: ApprovalCaseId) -> Result<Vec<TrailEntry>, StoreError> {
        let rows: Vec<TrailRow> = self
            .conn
            .all(
                "SELECT id, case_id, at, act, level, user_id, on_behalf_of, in_place, assignee, note \
                 FROM approval_trail WHERE tenant_id = $1 AND case_id = $2 ORDER BY at, id",
                params![self.tenant, case],
            )
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn append(&mut self, entries: &[TrailEntry]) -> Result<(), StoreError> {
        let mut rows = Vec::with_capacity(entries.len());
        for entry in entries {
            let assignee = entry.assignee.as_ref().map(|one| to_json(TRAIL, one)).transpose()?;
            rows.push(params![
                self.tenant,
                entry.id,
                entry.case_id,
                entry.at,
                entry.act.code(),
                i64::from(entry.level),
                entry.user_id,
                entry.on_behalf_of,
                entry.in_place,
                assignee,
                entry.note.as_deref(),
            ]);
        }
        insert_many(
            &mut self.conn,
            "INSERT INTO approval_trail (tenant_id, id, case_id, at, act, level, user_id, on_behalf_of, in_place, \
             assignee, note) VALUES ",
            rows,
            "",
        )
        .await?;
        Ok(())
    }
}
