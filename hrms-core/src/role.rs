//! Roles: the built-in ones, and those that an organisation makes for itself.
//!
//! A role is a set of permissions, each with its reach. Nobody makes, changes or removes a role that holds
//! more than they do; what a policy permits doesn't count as held. The code of a role is what users refer
//! to, and stays.

mod error;
mod service;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audit::Audited;
use crate::error::{CommonError, FieldError, StoreError};
use crate::id::RoleId;
use crate::page::PageRequest;
use crate::patch::Patch;
use crate::policy::{Grant, Permission, Role, RoleName, Scope};
use crate::store::{Version, Versioned};
use crate::validate::{Check, fold};

pub use error::RoleError;
pub use service::RoleService;

/// A role that an organisation made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomRole {
    /// Its id.
    pub id: RoleId,
    /// What users refer to it by; never changes.
    pub code: RoleName,
    /// Name shown to people.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What it allows, each once, in order.
    pub grants: Vec<Grant>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for CustomRole {}

/// A role as it is shown: a built-in one, or one of the organisation's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoleView {
    /// Its id; that of a built-in role is the same everywhere.
    pub id: RoleId,
    /// What users refer to it by, as in `hr`.
    pub code: RoleName,
    /// Name shown to people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether every organisation has it, and none can change it.
    pub built_in: bool,
    /// What it allows.
    pub grants: Vec<Grant>,
    /// When it was created; `null` for a built-in role.
    pub created_at: Option<Timestamp>,
    /// When it last changed; `null` for a built-in role.
    pub updated_at: Option<Timestamp>,
    /// Counts changes.
    pub version: Version,
}

impl Versioned for RoleView {
    fn version(&self) -> Version {
        self.version
    }
}

impl From<CustomRole> for RoleView {
    fn from(role: CustomRole) -> Self {
        Self {
            id: role.id,
            code: role.code,
            name: role.name,
            description: role.description,
            built_in: false,
            grants: role.grants,
            created_at: Some(role.created_at),
            updated_at: Some(role.updated_at),
            version: role.version,
        }
    }
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        let mut grants = role.grants();
        grants.sort_unstable();
        grants.dedup();
        Self {
            id: built_in_id(role),
            code: role.into(),
            name: role.title().to_owned(),
            description: role.description().to_owned(),
            built_in: true,
            grants,
            created_at: None,
            updated_at: None,
            version: Version::FIRST,
        }
    }
}

/// The id of a built-in role: a UUID of version 8 that spells its code, which no generated id can be.
fn built_in_id(role: Role) -> RoleId {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().skip(9).zip(role.code().bytes()) {
        *to = from;
    }
    RoleId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// The built-in role with this id.
fn built_in(id: RoleId) -> Option<Role> {
    Role::ALL.iter().copied().find(|&role| built_in_id(role) == id)
}

/// What a new role needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// What users refer to it by: 2 to 64 lower-case letters, digits and hyphens, beginning with a letter;
    /// unique, not to be mistaken for a built-in role's, and never changed.
    pub code: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// What it is for, at most 1000 characters.
    #[serde(default)]
    pub description: String,
    /// What it allows; at least one grant.
    #[serde(deserialize_with = "crate::object::list")]
    pub grants: Vec<Grant>,
}

/// What can be changed of a role.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RolePatch {
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// New description.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Patch<String>,
    /// Everything that it allows from now on.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Grant>>))]
    pub grants: Patch<Vec<Grant>>,
}

/// Which roles to list.
#[derive(Clone, Debug, Default)]
pub struct RoleFilter {
    /// Only the one with this code.
    pub code: Option<String>,
    /// Only built-in ones, or only the organisation's own.
    pub built_in: Option<bool>,
    /// Only those changed at or after this instant; built-in ones never change.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoleSort {
    /// By name.
    #[default]
    Name,
    /// By code.
    Code,
}

impl RoleSort {
    fn key(self, role: &RoleView) -> (&str, Uuid) {
        let text = match self {
            Self::Name => role.name.as_str(),
            Self::Code => role.code.as_str(),
        };
        (text, role.id.as_uuid())
    }
}

/// A permission as it is explained to whoever makes roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PermissionView {
    /// Its stable name.
    pub permission: Permission,
    /// What it allows.
    pub description: &'static str,
    /// The scopes that it can be granted with.
    pub scopes: &'static [Scope],
    /// Whether a service account can have it.
    pub for_service_accounts: bool,
}

/// Every permission there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PermissionList {
    /// The permissions, by feature.
    pub items: Vec<PermissionView>,
}

impl PermissionList {
    /// Every permission there is, explained.
    #[must_use]
    pub fn all() -> Self {
        let explained = |&permission: &Permission| PermissionView {
            permission,
            description: permission.description(),
            scopes: permission.scopes(),
            for_service_accounts: permission.is_for_programs(),
        };
        Self { items: Permission::ALL.iter().map(explained).collect() }
    }
}

/// The organisation's own roles in storage.
#[async_trait]
pub trait RoleRepo: Send {
    /// The role with this id.
    async fn get(&mut self, id: RoleId) -> Result<Option<CustomRole>, StoreError>;
    /// The roles with these codes, in no particular order.
    async fn find_by_codes(&mut self, codes: &[String]) -> Result<Vec<CustomRole>, StoreError>;
    /// Up to `limit + 1` roles in the order asked for.
    async fn list(
        &mut self,
        filter: &RoleFilter,
        page: &PageRequest<RoleSort>,
    ) -> Result<Vec<CustomRole>, StoreError>;
    /// Adds a role; `role_code_key` keeps codes unique.
    async fn insert(&mut self, role: &CustomRole) -> Result<(), StoreError>;
    /// Writes a role if its stored version is still `expected`. The code stays.
    async fn update(&mut self, role: &CustomRole, expected: Version) -> Result<(), StoreError>;
    /// Removes a role if its stored version is still `expected` and nobody has it. Nobody is given it
    /// meanwhile: who tries waits, and is refused.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `membership_role_fkey` when somebody has it.
    async fn remove(&mut self, role: &CustomRole, expected: Version) -> Result<(), StoreError>;
}

/// Each grant once, in order.
fn normal(mut grants: Vec<Grant>) -> Vec<Grant> {
    grants.sort_unstable();
    grants.dedup();
    grants
}

/// What is wrong with each of the grants as they were given.
fn faults_of(grants: &[Grant]) -> impl Iterator<Item = FieldError> + '_ {
    let nonsense = |(_, grant): &(usize, &Grant)| !grant.permission.scopes().contains(&grant.scope);
    grants.iter().enumerate().filter(nonsense).map(|(at, grant)| {
        let scopes: Vec<_> = grant.permission.scopes().iter().map(|scope| scope.code()).collect();
        let detail = format!("{} can be granted on: {}", grant.permission.code(), scopes.join(", "));
        FieldError::new(format!("/grants/{at}/scope"), "scope-not-allowed", detail)
    })
}

fn check(role: &CustomRole) -> Result<(), CommonError> {
    let mut check = Check::new();
    check_code(&mut check, role.code.as_str());
    check.text("/name", &role.name, 1..=200);
    let resembles = |built_in: &Role| fold(built_in.title()) == fold(&role.name);
    if Role::ALL.iter().any(resembles) {
        check.fault("/name", "reserved", "a built-in role has this name");
    }
    check.text("/description", &role.description, 0..=1000);
    if role.grants.is_empty() {
        check.fault("/grants", "too-short", "a role needs at least one grant");
    }
    check.done()
}

/// ASCII only, so that no two codes look alike by their script.
fn check_code(check: &mut Check, code: &str) {
    let plain = code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let begins = code.starts_with(|c: char| c.is_ascii_lowercase());
    if !(2..=64).contains(&code.len()) || !plain || !begins || code.ends_with('-') {
        let detail = "a code is 2 to 64 lower-case letters, digits and hyphens, and begins with a letter";
        check.fault("/code", "malformed-code", detail);
    } else if Role::ALL.iter().any(|role| skeleton(role.code()) == skeleton(code)) {
        check.fault("/code", "reserved", "this is, or could be mistaken for, the code of a built-in role");
    }
}

/// What a code looks like at a glance.
fn skeleton(code: &str) -> String {
    let looks = |c| match c {
        '0' => Some('o'),
        '1' | 'l' => Some('i'),
        '5' => Some('s'),
        '-' => None,
        other => Some(other),
    };
    code.chars().filter_map(looks).collect::<String>().replace("rn", "m").replace("vv", "w")
}

impl Role {
    /// What it is for, in one sentence.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Owner => "Owns the organisation's account: everything. There is always one.",
            Self::Admin => {
                "Runs the organisation's account: everything but pay, bank, medical data and writing policies."
            }
            Self::Hr => "People, leave and imports of the whole organisation.",
            Self::Payroll => "Pay and bank details of the whole organisation.",
            Self::Manager => "Sees direct reports and decides on their leave.",
            Self::Employee => "Sees their own things and asks for leave.",
            Self::Auditor => "Looks at everything that is done and changes nothing.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_built_in_roles_and_their_likes_are_reserved() {
        let faults = |code: &str| {
            let mut check = Check::new();
            check_code(&mut check, code);
            match check.done() {
                Err(CommonError::Invalid(faults)) => faults.into_iter().map(|fault| fault.code).collect(),
                _ => Vec::new(),
            }
        };
        for code in ["owner", "own-er", "adrnin", "adm1n", "admln", "ovvner", "payro11", "emp1oyee"] {
            assert_eq!(faults(code), ["reserved"], "{code}");
        }
        for code in [
            "",
            "a",
            "Owner",
            "ownеr",
            "team lead",
            "team_lead",
            "-x",
            "x-",
            "1st",
            "0wner",
            "ａｄｍｉｎ",
            "x%",
            "👩x",
        ] {
            assert_eq!(faults(code), ["malformed-code"], "{code}");
        }
        for code in ["team-lead", "hr-south", "x2", "recruiter"] {
            assert!(faults(code).is_empty(), "{code}");
        }
    }

    #[test]
    fn built_in_roles_have_ids_of_their_own() {
        for &role in Role::ALL {
            assert_eq!(built_in(built_in_id(role)), Some(role));
            assert_eq!(built_in_id(role).as_uuid().get_version_num(), 8);
        }
        assert_eq!(built_in(RoleId::from_uuid(Uuid::nil())), None);
    }
}
