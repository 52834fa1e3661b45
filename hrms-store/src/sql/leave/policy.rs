//! Leave policies, their versions and assignments in SQL.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::leave::{
    AppliesTo, LeavePolicy, LeavePolicyAssignment, LeavePolicyFilter, LeavePolicyRepo, LeavePolicySort,
    LeavePolicyVersion,
};
use hrms_core::{
    EmployeeId, LeavePolicyAssignmentId, LeavePolicyId, LeavePolicyVersionId, LeaveTypeId, PageRequest,
    StoreError, UserId, Version,
};

use crate::instant::Instant;
use crate::query::{CHUNK, Query, params};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct PolicyRow {
    id: Uuid,
    leave_type_id: Uuid,
    code: String,
    name: String,
    applies_to: String,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl TryFrom<PolicyRow> for LeavePolicy {
    type Error = StoreError;

    fn try_from(row: PolicyRow) -> Result<Self, StoreError> {
        let applies_to = AppliesTo::from_code(&row.applies_to);
        Ok(Self {
            id: LeavePolicyId::from_uuid(row.id),
            leave_type_id: LeaveTypeId::from_uuid(row.leave_type_id),
            code: row.code,
            name: row.name,
            applies_to: applies_to
                .ok_or_else(|| corrupt("leave_policy", format!("applies_to {}", row.applies_to)))?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

const SELECT: &str = "SELECT id, leave_type_id, code, name, applies_to, created_at, updated_at, version \
     FROM leave_policy WHERE tenant_id = ";

#[derive(FromRow)]
struct VersionRow {
    id: Uuid,
    policy_id: Uuid,
    effective_from: jiff_sqlx::Date,
    rules: Value,
    recorded_at: Instant,
    recorded_by: Option<Uuid>,
}

impl TryFrom<VersionRow> for LeavePolicyVersion {
    type Error = StoreError;

    fn try_from(row: VersionRow) -> Result<Self, StoreError> {
        let rules = serde_json::from_value(row.rules);
        Ok(Self {
            id: LeavePolicyVersionId::from_uuid(row.id),
            policy_id: LeavePolicyId::from_uuid(row.policy_id),
            effective_from: row.effective_from.to_jiff(),
            rules: rules.map_err(|error| corrupt("leave_policy_version", format!("rules: {error}")))?,
            recorded_at: row.recorded_at.0,
            recorded_by: row.recorded_by.map(UserId::from_uuid),
        })
    }
}

#[derive(FromRow)]
struct AssignmentRow {
    id: Uuid,
    employee_id: Uuid,
    leave_type_id: Uuid,
    policy_id: Uuid,
    valid_from: jiff_sqlx::Date,
    valid_to: Option<jiff_sqlx::Date>,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl From<AssignmentRow> for LeavePolicyAssignment {
    fn from(row: AssignmentRow) -> Self {
        Self {
            id: LeavePolicyAssignmentId::from_uuid(row.id),
            employee_id: EmployeeId::from_uuid(row.employee_id),
            leave_type_id: LeaveTypeId::from_uuid(row.leave_type_id),
            policy_id: LeavePolicyId::from_uuid(row.policy_id),
            valid_from: row.valid_from.to_jiff(),
            valid_to: row.valid_to.map(jiff_sqlx::Date::to_jiff),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        }
    }
}

const SELECT_ASSIGNMENT: &str = "SELECT id, employee_id, leave_type_id, policy_id, valid_from, valid_to, \
     created_at, updated_at, version FROM leave_policy_assignment WHERE tenant_id = ";

#[async_trait]
impl LeavePolicyRepo for SqlTx {
    async fn get(&mut self, id: LeavePolicyId) -> Result<Option<LeavePolicy>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant).push(" AND id = ").bind(id);
        query.optional::<PolicyRow>(&mut self.conn).await?.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        filter: &LeavePolicyFilter,
        page: &PageRequest<LeavePolicySort>,
    ) -> Result<Vec<LeavePolicy>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant);
        query.and(" AND code = ", filter.code.as_deref());
        query.and(" AND leave_type_id = ", filter.leave_type_id);
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            LeavePolicySort::Name => "name",
            LeavePolicySort::Code => "code",
        };
        query.page(column, "id", page, |key| key.into());
        query.all::<PolicyRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn all(&mut self, leave_type: Option<LeaveTypeId>) -> Result<Vec<LeavePolicy>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant);
        query.and(" AND leave_type_id = ", leave_type);
        query.push(" ORDER BY code");
        query.all::<PolicyRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(&mut self, policy: &LeavePolicy) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO leave_policy (tenant_id, id, leave_type_id, code, name, applies_to, created_at, \
                 updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                params![
                    self.tenant,
                    policy.id,
                    policy.leave_type_id,
                    policy.code.as_str(),
                    policy.name.as_str(),
                    policy.applies_to.code(),
                    policy.created_at,
                    policy.updated_at,
                    policy.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, policy: &LeavePolicy, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE leave_policy SET code = $4, name = $5, applies_to = $6, updated_at = $7, version = $8 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    policy.id,
                    expected,
                    policy.code.as_str(),
                    policy.name.as_str(),
                    policy.applies_to.code(),
                    policy.updated_at,
                    policy.version,
                ],
            )
            .await
    }

    async fn versions(&mut self, policies: &[LeavePolicyId]) -> Result<Vec<LeavePolicyVersion>, StoreError> {
        let mut found = Vec::new();
        for policies in policies.chunks(CHUNK) {
            let mut query = Query::new(
                "SELECT id, policy_id, effective_from, rules, recorded_at, recorded_by \
                 FROM leave_policy_version WHERE tenant_id = ",
            );
            query.bind(self.tenant).push(" AND policy_id IN ").list(policies.iter().copied());
            query.push(" ORDER BY effective_from, recorded_at, id");
            for row in query.all::<VersionRow>(&mut self.conn).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    async fn add_version(&mut self, version: &LeavePolicyVersion) -> Result<(), StoreError> {
        let rules =
            serde_json::to_value(&version.rules).map_err(|error| corrupt("leave_policy_version", error))?;
        self.conn
            .execute(
                "INSERT INTO leave_policy_version (tenant_id, id, policy_id, effective_from, rules, recorded_at, \
                 recorded_by) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                params![
                    self.tenant,
                    version.id,
                    version.policy_id,
                    version.effective_from,
                    rules,
                    version.recorded_at,
                    version.recorded_by,
                ],
            )
            .await?;
        Ok(())
    }

    async fn assignment(
        &mut self,
        id: LeavePolicyAssignmentId,
    ) -> Result<Option<LeavePolicyAssignment>, StoreError> {
        let mut query = Query::new(SELECT_ASSIGNMENT);
        query.bind(self.tenant).push(" AND id = ").bind(id);
        Ok(query.optional::<AssignmentRow>(&mut self.conn).await?.map(Into::into))
    }

    async fn assignments(
        &mut self,
        employees: &[EmployeeId],
    ) -> Result<Vec<LeavePolicyAssignment>, StoreError> {
        let mut found = Vec::new();
        for employees in employees.chunks(CHUNK) {
            let mut query = Query::new(SELECT_ASSIGNMENT);
            query.bind(self.tenant).push(" AND employee_id IN ").list(employees.iter().copied());
            query.push(" ORDER BY valid_from, id");
            found.extend(query.all::<AssignmentRow>(&mut self.conn).await?.into_iter().map(Into::into));
        }
        Ok(found)
    }

    async fn assign(&mut self, assignment: &LeavePolicyAssignment) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO leave_policy_assignment (tenant_id, id, employee_id, leave_type_id, policy_id, \
                 valid_from, valid_to, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                params![
                    self.tenant,
                    assignment.id,
                    assignment.employee_id,
                    assignment.leave_type_id,
                    assignment.policy_id,
                    assignment.valid_from,
                    assignment.valid_to,
                    assignment.created_at,
                    assignment.updated_at,
                    assignment.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn end_assignment(
        &mut self,
        assignment: &LeavePolicyAssignment,
        expected: Version,
    ) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE leave_policy_assignment SET valid_to = $4, updated_at = $5, version = $6 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    assignment.id,
                    expected,
                    assignment.valid_to,
                    assignment.updated_at,
                    assignment.version,
                ],
            )
            .await
    }

    async fn void_assignment(
        &mut self,
        id: LeavePolicyAssignmentId,
        expected: Version,
    ) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "DELETE FROM leave_policy_assignment WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }
}
