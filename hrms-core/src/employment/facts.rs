//! The facts of one employment record, and changes of some of them.

use serde::{Deserialize, Serialize};

use crate::id::{DepartmentId, DesignationId, EmployeeId, LocationId};
use crate::patch::Patch;

/// An enum with stable text codes, the same in JSON and in storage.
macro_rules! coded {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name, as in JSON.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The value with this stable name.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use coded;

coded! {
    /// The kind of contract.
    #[derive(Default)]
    EmploymentType {
        /// Permanent, full time.
        #[default]
        FullTime = "full_time",
        /// Permanent, part time.
        PartTime = "part_time",
        /// Contractor.
        Contract = "contract",
        /// Employed for a limited time.
        Temporary = "temporary",
        /// Intern or trainee.
        Intern = "intern",
    }
}

coded! {
    /// How an employment stands while it lasts.
    #[derive(Default)]
    EmploymentStatus {
        /// At work.
        #[default]
        Active = "active",
        /// Notice was given; still employed.
        OnNotice = "on_notice",
        /// Still employed, but not to work.
        Suspended = "suspended",
    }
}

coded! {
    /// Why an employment ended.
    EndReason {
        /// The employee gave notice.
        Resignation = "resignation",
        /// The employer gave notice.
        Dismissal = "dismissal",
        /// Retired.
        Retirement = "retirement",
        /// The contract ran out.
        EndOfContract = "end_of_contract",
        /// Died.
        Death = "death",
        /// Anything else.
        Other = "other",
    }
}

/// What is true of an employment for a while. Imported history may lack the optional ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Facts {
    /// Where in the organisation.
    pub department_id: Option<DepartmentId>,
    /// With which job title.
    pub designation_id: Option<DesignationId>,
    /// At which workplace.
    pub location_id: Option<LocationId>,
    /// Whom the employee reports to: the one source of the reporting line.
    pub manager_id: Option<EmployeeId>,
    /// Kind of contract.
    pub employment_type: EmploymentType,
    /// How the employment stands.
    pub status: EmploymentStatus,
}

/// New values for some facts; the others stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Where in the organisation.
    pub department_id: Patch<DepartmentId>,
    /// With which job title.
    pub designation_id: Patch<DesignationId>,
    /// At which workplace.
    pub location_id: Patch<LocationId>,
    /// Whom the employee reports to.
    pub manager_id: Patch<EmployeeId>,
    /// Kind of contract.
    pub employment_type: Option<EmploymentType>,
    /// How the employment stands.
    pub status: Option<EmploymentStatus>,
}

impl Change {
    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The facts with this change made.
    #[must_use]
    pub fn applied_to(&self, facts: &Facts) -> Facts {
        let mut new = *facts;
        self.department_id.apply(&mut new.department_id);
        self.designation_id.apply(&mut new.designation_id);
        self.location_id.apply(&mut new.location_id);
        self.manager_id.apply(&mut new.manager_id);
        new.employment_type = self.employment_type.unwrap_or(new.employment_type);
        new.status = self.status.unwrap_or(new.status);
        new
    }

    /// The same change as one change for each fact that it names.
    pub(crate) fn single_facts(self) -> impl Iterator<Item = Self> {
        let none = Self::default();
        [
            Self { department_id: self.department_id, ..none },
            Self { designation_id: self.designation_id, ..none },
            Self { location_id: self.location_id, ..none },
            Self { manager_id: self.manager_id, ..none },
            Self { employment_type: self.employment_type, ..none },
            Self { status: self.status, ..none },
        ]
        .into_iter()
        .filter(|single| !single.is_empty())
    }

    /// Whether two sets of facts agree in every fact that this change names.
    pub(crate) fn names_equal_facts_of(&self, one: &Facts, two: &Facts) -> bool {
        (self.department_id.is_keep() || one.department_id == two.department_id)
            && (self.designation_id.is_keep() || one.designation_id == two.designation_id)
            && (self.location_id.is_keep() || one.location_id == two.location_id)
            && (self.manager_id.is_keep() || one.manager_id == two.manager_id)
            && (self.employment_type.is_none() || one.employment_type == two.employment_type)
            && (self.status.is_none() || one.status == two.status)
    }
}

impl From<&Facts> for Change {
    /// The change that sets every fact.
    fn from(facts: &Facts) -> Self {
        fn set<T>(value: Option<T>) -> Patch<T> {
            value.map_or(Patch::Clear, Patch::Set)
        }
        Self {
            department_id: set(facts.department_id),
            designation_id: set(facts.designation_id),
            location_id: set(facts.location_id),
            manager_id: set(facts.manager_id),
            employment_type: Some(facts.employment_type),
            status: Some(facts.status),
        }
    }
}
