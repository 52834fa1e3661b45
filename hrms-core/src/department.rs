//! Departments: a tree, and who heads each department when.

mod service;

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::audit::Audited;
use crate::employee::EmployeeRef;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::id::{DepartmentId, EmployeeId};
use crate::page::PageRequest;
use crate::patch::Patch;
use crate::period::Period;
use crate::store::{Version, Versioned};

pub use service::DepartmentService;
pub(crate) use service::{check, event};

/// A node of the department tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Department {
    /// Its id.
    pub id: DepartmentId,
    /// The organisation's own short name for it; unique.
    pub code: String,
    /// Name shown to people.
    pub name: String,
    /// The department that it is part of; `null` at the top.
    pub parent_id: Option<DepartmentId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for Department {}

impl Versioned for Department {
    fn version(&self) -> Version {
        self.version
    }
}

/// What a new department needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewDepartment {
    /// The organisation's own short name for it; unique, at most 64 characters.
    pub code: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// The department that it is part of.
    #[serde(default)]
    pub parent_id: Option<DepartmentId>,
}

/// What can be changed of a department.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DepartmentPatch {
    /// New code.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code: Patch<String>,
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// The department that it becomes part of; `null` moves it to the top.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DepartmentId>))]
    pub parent_id: Patch<DepartmentId>,
}

/// Which departments to list.
#[derive(Clone, Debug, Default)]
pub struct DepartmentFilter {
    /// Only the one with this code.
    pub code: Option<String>,
    /// Only those that are directly part of this one.
    pub parent_id: Option<DepartmentId>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of departments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DepartmentSort {
    /// By name.
    #[default]
    Name,
    /// By code.
    Code,
}

/// Who heads a department during a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The head.
    pub employee_id: EmployeeId,
    /// When.
    pub period: Period,
}

/// A department's head during a period, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeadView {
    /// The head.
    pub employee: EmployeeRef,
    /// First day.
    pub from: Date,
    /// First day after it; `null` while nobody else is named.
    pub to: Option<Date>,
}

/// Who headed, heads and will head a department, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DepartmentHeads {
    /// The heads.
    pub items: Vec<HeadView>,
}

/// Names a head of a department for a period.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewHead {
    /// The head; employed on the first day.
    pub employee_id: EmployeeId,
    /// First day.
    #[serde(deserialize_with = "crate::date::strict")]
    pub from: Date,
    /// First day after it; until further notice when absent.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub to: Option<Date>,
}

/// Why something about a department was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DepartmentError {
    /// The code is another department's.
    #[error("another department has this code")]
    CodeTaken,
    /// Other departments, heads or employment records still name it.
    #[error("departments, heads or employment records name this department")]
    InUse,
    /// It would become part of itself.
    #[error("a department can't be part of itself")]
    Cycle([FieldError; 1]),
    /// The head isn't employed on the first day.
    #[error("the head isn't employed on the first day")]
    HeadNotEmployed([FieldError; 1]),
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DepartmentError {
    /// The cycle, with the field at fault.
    #[must_use]
    pub fn cycle() -> Self {
        Self::Cycle([FieldError::new("/parent_id", "cycle", "this department is part of the one changed")])
    }

    /// The refused head, with the field at fault.
    #[must_use]
    pub fn head_not_employed() -> Self {
        Self::HeadNotEmployed([FieldError::new(
            "/from",
            "not-employed",
            "the head isn't employed on this day",
        )])
    }
}

impl DomainError for DepartmentError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::CodeTaken | Self::InUse => ErrorKind::Conflict,
            Self::Cycle(_) | Self::HeadNotEmployed(_) => ErrorKind::Invalid,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::CodeTaken => "department.code-taken",
            Self::InUse => "department.in-use",
            Self::Cycle(_) => "department.cycle",
            Self::HeadNotEmployed(_) => "department.head-not-employed",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Cycle(fields) | Self::HeadNotEmployed(fields) => fields,
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}

impl From<CommonError> for DepartmentError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for DepartmentError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("department_code_key") => Self::CodeTaken,
            _ => Self::Common(error.into()),
        }
    }
}

/// Departments in storage.
#[async_trait]
pub trait DepartmentRepo: Send {
    /// The department with this id.
    async fn get(&mut self, id: DepartmentId) -> Result<Option<Department>, StoreError>;
    /// The departments with these codes, in no particular order.
    async fn find_by_codes(&mut self, codes: &[String]) -> Result<Vec<Department>, StoreError>;
    /// Up to `limit + 1` departments in the order asked for.
    async fn list(
        &mut self,
        filter: &DepartmentFilter,
        page: &PageRequest<DepartmentSort>,
    ) -> Result<Vec<Department>, StoreError>;
    /// Adds departments, parents before children; `department_code_key` keeps codes unique.
    async fn insert_many(&mut self, departments: &[Department]) -> Result<(), StoreError>;
    /// Writes a department if its stored version is still `expected`.
    async fn update(&mut self, department: &Department, expected: Version) -> Result<(), StoreError>;
    /// Removes a department if its stored version is still `expected`.
    async fn remove(&mut self, id: DepartmentId, expected: Version) -> Result<(), StoreError>;

    /// Waits until no other unit of work of the tenant is changing the tree, and keeps it that way until
    /// this one ends.
    async fn lock_tree(&mut self) -> Result<(), StoreError>;
    /// The whole tree of the tenant.
    async fn tree(&mut self) -> Result<DepartmentTree, StoreError>;

    /// The heads of these departments over all time, oldest first; those without any are absent.
    async fn heads_of(
        &mut self,
        departments: &[DepartmentId],
    ) -> Result<HashMap<DepartmentId, Vec<Head>>, StoreError>;
    /// The heads of a department over all time with their names, oldest first: one statement.
    async fn list_heads(&mut self, department: DepartmentId) -> Result<Vec<HeadView>, StoreError>;
    /// Replaces all heads of each of these departments; `department_head_no_overlap` keeps periods apart.
    async fn replace_heads(&mut self, heads: &[(DepartmentId, Vec<Head>)]) -> Result<(), StoreError>;
}

/// Which department is part of which.
#[derive(Clone, Debug, Default)]
pub struct DepartmentTree(HashMap<DepartmentId, Option<DepartmentId>>);

impl FromIterator<(DepartmentId, Option<DepartmentId>)> for DepartmentTree {
    fn from_iter<T: IntoIterator<Item = (DepartmentId, Option<DepartmentId>)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl DepartmentTree {
    /// Whether there is such a department.
    #[must_use]
    pub fn contains(&self, id: DepartmentId) -> bool {
        self.0.contains_key(&id)
    }

    /// Makes a department part of another.
    pub fn set_parent(&mut self, id: DepartmentId, parent: Option<DepartmentId>) {
        self.0.insert(id, parent);
    }

    /// Whether `id` is `above`, or part of it at any depth.
    #[must_use]
    pub fn is_within(&self, id: DepartmentId, above: DepartmentId) -> bool {
        let mut at = Some(id);
        for _ in 0..=self.0.len() {
            match at {
                Some(here) if here == above => return true,
                Some(here) => at = self.0.get(&here).copied().flatten(),
                None => return false,
            }
        }
        false
    }

    /// The departments that `id` is part of, nearest first.
    #[must_use]
    pub fn above(&self, id: DepartmentId) -> Vec<DepartmentId> {
        let parent = |id: &DepartmentId| self.0.get(id).copied().flatten();
        // A tree has no longer way up than it has departments.
        std::iter::successors(parent(&id), parent).take(self.0.len()).collect()
    }

    /// Somebody's department that is part of itself, if there is one.
    #[must_use]
    pub fn cycle(&self) -> Option<DepartmentId> {
        self.0
            .iter()
            .find_map(|(&id, &parent)| parent.filter(|&parent| self.is_within(parent, id)).map(|_| id))
    }

    /// The department and everything that is part of it, at any depth.
    #[must_use]
    pub fn subtree(&self, top: DepartmentId) -> Vec<DepartmentId> {
        let mut children: HashMap<DepartmentId, Vec<DepartmentId>> = HashMap::new();
        for (&id, &parent) in &self.0 {
            if let Some(parent) = parent {
                children.entry(parent).or_default().push(id);
            }
        }
        let mut found = Vec::new();
        let mut open = vec![top];
        while let Some(id) = open.pop() {
            found.push(id);
            open.extend(children.remove(&id).into_iter().flatten().filter(|child| *child != top));
        }
        found
    }
}

/// The heads of a department over all time, as the audit log shows them.
pub(crate) struct Heads<'a>(pub(crate) &'a [Head]);

impl Audited for Heads<'_> {}

impl Serialize for Heads<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            employee_id: EmployeeId,
            from: Date,
            to: Option<Date>,
        }
        let show = |head: &Head| {
            let (from, to) = (head.period.from(), head.period.to());
            Shown { employee_id: head.employee_id, from, to }
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("heads", &self.0.iter().map(show).collect::<Vec<_>>())?;
        map.end()
    }
}

/// Makes `head` the head during its period: what others had of that period, they lose.
pub fn assign_head(heads: &mut Vec<Head>, head: Head) {
    let mut kept = Vec::with_capacity(heads.len() + 2);
    for old in heads.iter() {
        let cut = |period: Option<Period>| period.map(|period| Head { period, ..*old });
        kept.extend(cut(old.period.before(head.period.from())));
        kept.extend(cut(head.period.to().and_then(|to| old.period.starting(to))));
    }
    kept.push(head);
    kept.sort_by_key(|head| head.period.from());
    *heads = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use uuid::Uuid;

    fn department(n: u128) -> DepartmentId {
        DepartmentId::from_uuid(Uuid::from_u128(n))
    }

    fn head(n: u128, from: i16, to: Option<i16>) -> Head {
        let period = Period::new(date(from, 1, 1), to.map(|to| date(to, 1, 1))).unwrap();
        Head { employee_id: EmployeeId::from_uuid(Uuid::from_u128(n)), period }
    }

    #[test]
    fn a_tree_knows_what_is_part_of_what() {
        let mut tree: DepartmentTree = [
            (department(1), None),
            (department(2), Some(department(1))),
            (department(3), Some(department(2))),
        ]
        .into_iter()
        .collect();
        assert!(tree.is_within(department(3), department(1)));
        assert!(!tree.is_within(department(1), department(3)));
        assert_eq!(tree.cycle(), None);
        let mut below = tree.subtree(department(2));
        below.sort_unstable();
        assert_eq!(below, [department(2), department(3)]);
        tree.set_parent(department(1), Some(department(3)));
        assert!(tree.cycle().is_some());
        assert_eq!(tree.subtree(department(1)).len(), 3);
    }

    #[test]
    fn a_new_head_takes_their_period_from_the_others() {
        let mut heads = vec![head(1, 2000, Some(2005)), head(2, 2005, None)];
        assign_head(&mut heads, head(3, 2003, Some(2006)));
        assert_eq!(heads, [head(1, 2000, Some(2003)), head(3, 2003, Some(2006)), head(2, 2006, None)]);
        assign_head(&mut heads, head(4, 2001, Some(2002)));
        assert_eq!(heads.len(), 5);
    }
}
