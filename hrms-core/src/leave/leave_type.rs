//! Leave types: the kinds of leave that an organisation knows.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Hrms;
use crate::id::LeaveTypeId;
use crate::leave::{LeaveError, LeaveRulesVersion, MAX_MINUTES};
use crate::page::{Page, PageRequest, Position};
use crate::patch::Patch;
use crate::policy::{Permission, Resource};
use crate::store::{Version, Versioned};
use crate::validate::Check;

/// A kind of leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveType {
    /// Its id.
    pub id: LeaveTypeId,
    /// The organisation's own short name for it; unique.
    pub code: String,
    /// Name shown to people.
    pub name: String,
    /// Whether the days are paid.
    pub paid: bool,
    /// How many minutes may be taken in advance of any grant; 0 for none.
    pub allow_negative_minutes: i64,
    /// The minutes that one day of this leave stands for. Fixed once the type exists.
    pub minutes_per_day: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for LeaveType {}

impl Versioned for LeaveType {
    fn version(&self) -> Version {
        self.version
    }
}

/// What a new leave type needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewLeaveType {
    /// The organisation's own short name for it; unique, at most 64 characters.
    pub code: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// Whether the days are paid. Default true.
    #[serde(default = "default_paid")]
    #[cfg_attr(feature = "openapi", schema(default = true))]
    pub paid: bool,
    /// How many minutes may be taken in advance of any grant. Default 0.
    #[serde(default)]
    pub allow_negative_minutes: i64,
    /// The minutes that one day of this leave stands for, 1 to 1440. Default 480.
    #[serde(default = "default_minutes_per_day")]
    #[cfg_attr(feature = "openapi", schema(default = 480))]
    pub minutes_per_day: i64,
}

const fn default_paid() -> bool {
    true
}

const fn default_minutes_per_day() -> i64 {
    480
}

/// What can be changed of a leave type. Not the minutes of a day: amounts that people have seen stay as they are.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LeaveTypePatch {
    /// New code.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code: Patch<String>,
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// Whether the days are paid.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub paid: Patch<bool>,
    /// How many minutes may be taken in advance of any grant.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i64>))]
    pub allow_negative_minutes: Patch<i64>,
}

/// Which leave types to list.
#[derive(Clone, Debug, Default)]
pub struct LeaveTypeFilter {
    /// Only the one with this code.
    pub code: Option<String>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of leave types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaveTypeSort {
    /// By name.
    #[default]
    Name,
    /// By code.
    Code,
}

/// Leave types in storage.
#[async_trait]
pub trait LeaveTypeRepo: Send {
    /// The leave type with this id.
    async fn get(&mut self, id: LeaveTypeId) -> Result<Option<LeaveType>, StoreError>;
    /// Up to `limit + 1` leave types in the order asked for.
    async fn list(
        &mut self,
        filter: &LeaveTypeFilter,
        page: &PageRequest<LeaveTypeSort>,
    ) -> Result<Vec<LeaveType>, StoreError>;
    /// Every leave type, by name. Organisations have a handful.
    async fn all(&mut self) -> Result<Vec<LeaveType>, StoreError>;
    /// Adds a leave type; `leave_type_code_key` keeps codes unique.
    async fn insert(&mut self, leave_type: &LeaveType) -> Result<(), StoreError>;
    /// Writes a leave type if its stored version is still `expected`.
    async fn update(&mut self, leave_type: &LeaveType, expected: Version) -> Result<(), StoreError>;
    /// Whether leave of this type was ever taken.
    async fn is_taken(&mut self, id: LeaveTypeId) -> Result<bool, StoreError>;
    /// Every version of the rules of a leave type, by the day from which they are in force and then in the order of
    /// recording.
    async fn rules(&mut self, id: LeaveTypeId) -> Result<Vec<LeaveRulesVersion>, StoreError>;
    /// Adds a version of the rules of a leave type. Versions are never changed.
    async fn insert_rules(&mut self, version: &LeaveRulesVersion) -> Result<(), StoreError>;
}

/// What can be done with leave types.
#[derive(Clone, Copy, Debug)]
pub struct LeaveTypeService<'a>(pub(super) &'a Hrms);

impl Hrms {
    /// Leave types.
    #[must_use]
    pub fn leave_types(&self) -> LeaveTypeService<'_> {
        LeaveTypeService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "leave type" };

impl LeaveTypeService<'_> {
    /// One leave type.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: LeaveTypeId) -> Result<LeaveType, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.leave_types().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of leave types.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &LeaveTypeFilter,
        page: &PageRequest<LeaveTypeSort>,
    ) -> Result<Page<LeaveType>, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.leave_types().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                LeaveTypeSort::Name => last.name.clone(),
                LeaveTypeSort::Code => last.code.clone(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Adds a leave type.
    ///
    /// # Errors
    /// [`LeaveError::TypeCodeTaken`]; faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewLeaveType) -> Result<LeaveType, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let leave_type = LeaveType {
            id: LeaveTypeId::from_uuid(self.0.ids().next()),
            code: new.code,
            name: new.name,
            paid: new.paid,
            allow_negative_minutes: new.allow_negative_minutes,
            minutes_per_day: new.minutes_per_day,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        check(&leave_type)?;
        work.leave_types().insert(&leave_type).await?;
        work.emit(event("leave_type.created", &leave_type, Change::created(&leave_type)));
        Ok(work.commit(leave_type).await?)
    }

    /// Changes a leave type that is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`LeaveError::TypeCodeTaken`]; [`LeaveError::TypeTaken`] when leave was taken by
    /// what it says of pay; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: LeaveTypeId,
        expected: Version,
        patch: LeaveTypePatch,
    ) -> Result<LeaveType, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = work.leave_types().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut leave_type = before.clone();
        patch.code.required("/code", &mut leave_type.code)?;
        patch.name.required("/name", &mut leave_type.name)?;
        patch.paid.required("/paid", &mut leave_type.paid)?;
        let floor = patch.allow_negative_minutes;
        floor.required("/allow_negative_minutes", &mut leave_type.allow_negative_minutes)?;
        if leave_type == before {
            return Ok(work.commit(leave_type).await?);
        }
        check(&leave_type)?;
        // Payroll was told of the days, and plans have counted them.
        if leave_type.paid != before.paid && work.leave_types().is_taken(id).await? {
            return Err(LeaveError::TypeTaken);
        }
        leave_type.updated_at = work.now();
        leave_type.version = expected.next();
        work.leave_types().update(&leave_type, expected).await?;
        work.emit(event("leave_type.changed", &leave_type, Change::changed(&before, &leave_type)));
        Ok(work.commit(leave_type).await?)
    }
}

fn check(leave_type: &LeaveType) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.code("/code", &leave_type.code);
    check.text("/name", &leave_type.name, 1..=200);
    if !(0..=MAX_MINUTES).contains(&leave_type.allow_negative_minutes) {
        let detail = format!("this goes from 0 to {MAX_MINUTES}");
        check.fault("/allow_negative_minutes", "out-of-range", detail);
    }
    if !(1..=1440).contains(&leave_type.minutes_per_day) {
        check.fault("/minutes_per_day", "out-of-range", "a day has 1 to 1440 minutes");
    }
    check.done()
}

fn event(kind: &'static str, leave_type: &LeaveType, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("leave-types", leave_type.id.as_uuid()),
        data: serde_json::json!({ "leave_type_id": leave_type.id }),
        change,
        permission: Permission::LeaveTypeRead,
        resource: Resource::organization(),
    }
}
