//! Locations: workplaces, each with the time zone that its days are counted in.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Hrms;
use crate::id::LocationId;
use crate::page::{Page, PageRequest, Position};
use crate::patch::Patch;
use crate::policy::{Permission, Resource};
use crate::store::{Version, Versioned};
use crate::validate::Check;

/// A workplace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Location {
    /// Its id.
    pub id: LocationId,
    /// The organisation's own short name for it; unique.
    pub code: String,
    /// Name shown to people.
    pub name: String,
    /// IANA time zone, such as `Asia/Kolkata`.
    pub time_zone: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for Location {}

impl Versioned for Location {
    fn version(&self) -> Version {
        self.version
    }
}

/// What a new location needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewLocation {
    /// The organisation's own short name for it; unique, at most 64 characters.
    pub code: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// IANA time zone, such as `Asia/Kolkata`.
    pub time_zone: String,
}

/// What can be changed of a location.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LocationPatch {
    /// New code.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code: Patch<String>,
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// New time zone.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub time_zone: Patch<String>,
}

/// Which locations to list.
#[derive(Clone, Debug, Default)]
pub struct LocationFilter {
    /// Only the one with this code.
    pub code: Option<String>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of locations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocationSort {
    /// By name.
    #[default]
    Name,
    /// By code.
    Code,
}

/// Why something about a location was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// The code is another location's.
    #[error("another location has this code")]
    CodeTaken,
    /// Employment records still name it.
    #[error("employees still work there")]
    InUse,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for LocationError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::CodeTaken | Self::InUse => ErrorKind::Conflict,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::CodeTaken => "location.code-taken",
            Self::InUse => "location.in-use",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}

impl From<CommonError> for LocationError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for LocationError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("location_code_key") => Self::CodeTaken,
            _ => Self::Common(error.into()),
        }
    }
}

/// Locations in storage.
#[async_trait]
pub trait LocationRepo: Send {
    /// The location with this id.
    async fn get(&mut self, id: LocationId) -> Result<Option<Location>, StoreError>;
    /// The locations with these codes, in no particular order.
    async fn find_by_codes(&mut self, codes: &[String]) -> Result<Vec<Location>, StoreError>;
    /// Up to `limit + 1` locations in the order asked for.
    async fn list(
        &mut self,
        filter: &LocationFilter,
        page: &PageRequest<LocationSort>,
    ) -> Result<Vec<Location>, StoreError>;
    /// Adds a location; `location_code_key` keeps codes unique.
    async fn insert(&mut self, location: &Location) -> Result<(), StoreError>;
    /// Writes a location if its stored version is still `expected`.
    async fn update(&mut self, location: &Location, expected: Version) -> Result<(), StoreError>;
    /// Removes a location if its stored version is still `expected`.
    async fn remove(&mut self, id: LocationId, expected: Version) -> Result<(), StoreError>;
}

/// What can be done with locations.
#[derive(Clone, Copy, Debug)]
pub struct LocationService<'a>(&'a Hrms);

impl Hrms {
    /// Locations.
    #[must_use]
    pub fn locations(&self) -> LocationService<'_> {
        LocationService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "location" };

impl LocationService<'_> {
    /// One location.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: LocationId) -> Result<Location, LocationError> {
        self.0.require(actor, Permission::LocationRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.locations().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of locations.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &LocationFilter,
        page: &PageRequest<LocationSort>,
    ) -> Result<Page<Location>, LocationError> {
        self.0.require(actor, Permission::LocationRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.locations().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                LocationSort::Name => last.name.clone(),
                LocationSort::Code => last.code.clone(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Adds a location.
    ///
    /// # Errors
    /// [`LocationError::CodeTaken`]; faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewLocation) -> Result<Location, LocationError> {
        self.0.require(actor, Permission::LocationManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let location = Location {
            id: LocationId::from_uuid(self.0.ids().next()),
            code: new.code,
            name: new.name,
            time_zone: new.time_zone,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        check(&location)?;
        work.locations().insert(&location).await?;
        work.emit(event("location.created", &location, Change::created(&location)));
        Ok(work.commit(location).await?)
    }

    /// Changes a location that is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`LocationError::CodeTaken`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: LocationId,
        expected: Version,
        patch: LocationPatch,
    ) -> Result<Location, LocationError> {
        self.0.require(actor, Permission::LocationManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = work.locations().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut location = before.clone();
        patch.code.required("/code", &mut location.code)?;
        patch.name.required("/name", &mut location.name)?;
        patch.time_zone.required("/time_zone", &mut location.time_zone)?;
        if location == before {
            return Ok(work.commit(location).await?);
        }
        check(&location)?;
        location.updated_at = work.now();
        location.version = expected.next();
        work.locations().update(&location, expected).await?;
        work.emit(event("location.changed", &location, Change::changed(&before, &location)));
        Ok(work.commit(location).await?)
    }

    /// Removes a location that nobody works at and that is still at version `expected`.
    ///
    /// # Errors
    /// [`LocationError::InUse`]; [`CommonError::Stale`].
    pub async fn remove(
        &self,
        actor: &Actor,
        id: LocationId,
        expected: Version,
    ) -> Result<(), LocationError> {
        self.0.require(actor, Permission::LocationManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let location = work.locations().get(id).await?.ok_or(NOT_FOUND)?;
        match work.locations().remove(id, expected).await {
            Err(StoreError::Conflict { .. }) => return Err(LocationError::InUse),
            other => other?,
        }
        work.emit(event("location.removed", &location, Change::removed(&location)));
        Ok(work.commit(()).await?)
    }
}

pub(crate) fn check(location: &Location) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.code("/code", &location.code);
    check.text("/name", &location.name, 1..=200);
    check.zone("/time_zone", &location.time_zone);
    check.done()
}

pub(crate) fn event(kind: &'static str, location: &Location, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("locations", location.id.as_uuid()),
        data: serde_json::json!({ "location_id": location.id }),
        change,
        permission: Permission::LocationRead,
        resource: Resource::organization(),
    }
}
