//! Groups of an employee's data with permissions of their own: private contact, pay, bank, identity, health.
//!
//! What can't be read isn't there: each group is read and changed by itself, under its own permission, and
//! no list, filter, order or event shows any of it. Values never get into the audit log, only that they changed.

#[cfg(feature = "openapi")]
mod schema;
mod service;

use async_trait::async_trait;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::Audited;
use crate::error::{CommonError, StoreError};
use crate::id::EmployeeId;
use crate::patch::Patch;
use crate::policy::Permission;
use crate::store::{Version, Versioned};
use crate::validate::Check;

pub use service::DetailService;

/// One group of an employee's data.
pub trait FieldGroup: Audited + Clone + Default + DeserializeOwned + PartialEq + Send + Sync {
    /// The stable name, as in `bank`.
    const CODE: &'static str;
    /// The permission to see it.
    const READ: Permission;
    /// The permission to change it; whoever changes it must see it too.
    const MANAGE: Permission;
    /// Whether people who may change it may change their own.
    const OWN: bool;
    /// New values for some fields.
    type Patch: Send;

    /// Sets the fields that the patch names.
    fn apply(&mut self, patch: Self::Patch);

    /// Records the faults of the values.
    fn check(&self, check: &mut Check);
}

/// Declares a group: its fields, their longest texts, its patch.
macro_rules! field_group {
    (
        $(#[$meta:meta])*
        $name:ident, $patch:ident: $code:literal, $read:ident, $manage:ident, own $own:literal {
            $($(#[$field_meta:meta])* $field:ident: $type:ty => $check:ident $(($($limit:expr),*))?,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(default)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: Option<$type>,)+
        }

        /// New values for some of the fields; `null` clears one.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(deny_unknown_fields, default)]
        pub struct $patch {
            $(
                $(#[$field_meta])*
                #[cfg_attr(feature = "openapi", schema(value_type = Option<$type>))]
                pub $field: Patch<$type>,
            )+
        }

        impl Audited for $name {
            const MASKED: &'static [&'static str] = &[$(stringify!($field)),+];
        }

        impl FieldGroup for $name {
            const CODE: &'static str = $code;
            const READ: Permission = Permission::$read;
            const MANAGE: Permission = Permission::$manage;
            const OWN: bool = $own;
            type Patch = $patch;

            fn apply(&mut self, patch: $patch) {
                $(patch.$field.apply(&mut self.$field);)+
            }

            fn check(&self, check: &mut Check) {
                $(if let Some(value) = &self.$field {
                    $check(check, concat!("/", stringify!($field)), value $($(, $limit)*)?);
                })+
            }
        }
    };
}

field_group! {
    /// How to reach somebody in private.
    PersonalDetails, PersonalDetailsPatch: "personal", EmployeeReadPersonal, EmployeeManagePersonal, own true {
        /// Private e-mail address.
        private_email: String => email,
        /// Private telephone number, at most 40 characters.
        private_phone: String => text(40),
        /// Home address, at most 500 characters.
        home_address: String => text(500),
        /// Whom to call in an emergency, at most 200 characters.
        emergency_contact_name: String => text(200),
        /// Their telephone number, at most 40 characters.
        emergency_contact_phone: String => text(40),
    }
}

field_group! {
    /// What somebody is paid. Nobody changes their own.
    CompensationDetails, CompensationDetailsPatch: "compensation", EmployeeReadCompensation,
        EmployeeManageCompensation, own false {
        /// Pay before tax, for one `pay_period`.
        base_pay: PayAmount => pay,
        /// What `base_pay` is paid for.
        pay_period: PayPeriod => any,
        /// Pay grade, at most 40 characters.
        pay_grade: String => text(40),
    }
}

field_group! {
    /// Where pay goes.
    BankDetails, BankDetailsPatch: "bank", EmployeeReadBank, EmployeeManageBank, own true {
        /// In whose name the account is, at most 200 characters.
        account_holder: String => text(200),
        /// IBAN or national account number: letters and digits, at most 34 (ISO 13616).
        account_number: String => alphanumeric(34),
        /// BIC, routing number or the like: letters and digits, at most 20.
        bank_code: String => alphanumeric(20),
        /// Name of the bank, at most 200 characters.
        bank_name: String => text(200),
    }
}

field_group! {
    /// Numbers that authorities know somebody by.
    IdentityDetails, IdentityDetailsPatch: "identity", EmployeeReadIdentity, EmployeeManageIdentity, own true {
        /// Tax number, at most 40 characters.
        tax_number: String => text(40),
        /// Social security or insurance number, at most 40 characters.
        social_security_number: String => text(40),
        /// Number of the national identity card, at most 40 characters.
        national_id_number: String => text(40),
        /// Number of the passport, at most 40 characters.
        passport_number: String => text(40),
    }
}

field_group! {
    /// What the employer has to know of somebody's health.
    MedicalDetails, MedicalDetailsPatch: "medical", EmployeeReadMedical, EmployeeManageMedical, own true {
        /// Blood group, at most 10 characters.
        blood_group: String => text(10),
        /// Allergies, at most 1,000 characters.
        allergies: String => text(1000),
        /// Degree and kind of a disability, at most 1,000 characters.
        disability: String => text(1000),
        /// What first aiders must know, at most 1,000 characters.
        emergency_notes: String => text(1000),
    }
}

/// An amount of pay: exact, never a float.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PayAmount {
    /// A decimal of at most four places, as in `"1234.50"`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub amount: Decimal,
    /// Currency by its ISO 4217 code, as in `INR`.
    pub currency: String,
}

crate::employment::coded! {
    /// What an amount of pay is paid for.
    PayPeriod {
        /// An hour.
        Hour = "hour",
        /// A week.
        Week = "week",
        /// A month.
        Month = "month",
        /// A year.
        Year = "year",
    }
}

fn text(check: &mut Check, pointer: &'static str, value: &str, longest: usize) {
    check.text(pointer, value, 1..=longest);
}

fn email(check: &mut Check, pointer: &'static str, value: &str) {
    check.email(pointer, value);
}

fn alphanumeric(check: &mut Check, pointer: &'static str, value: &str, longest: usize) {
    check.text(pointer, value, 1..=longest);
    if !value.chars().all(|c| c.is_ascii_alphanumeric()) {
        check.fault(pointer, "not-alphanumeric", "this may only have the letters A to Z and digits");
    }
}

fn pay(check: &mut Check, pointer: &'static str, value: &PayAmount) {
    let most = Decimal::from(1_000_000_000_000_i64);
    if value.amount.is_sign_negative() || value.amount > most || value.amount.scale() > 4 {
        let detail = "this must lie between 0 and 1000000000000, with at most four decimal places";
        check.fault(pointer, "out-of-range", detail);
    }
    if value.currency.len() != 3 || !value.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        check.fault(pointer, "not-a-currency", "this needs a currency code of three letters such as INR");
    }
}

fn any(_: &mut Check, _: &'static str, _: &PayPeriod) {}

/// A group of an employee's data, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail<G> {
    /// Whose.
    pub employee_id: EmployeeId,
    /// The values; `null` where there is none.
    #[serde(flatten)]
    pub fields: G,
    /// When it last changed; `null` when it was never set.
    pub updated_at: Option<Timestamp>,
    /// Counts changes; 0 when it was never set.
    pub version: Version,
}

impl<G> Versioned for Detail<G> {
    fn version(&self) -> Version {
        self.version
    }
}

/// A group as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDetail {
    /// The fields that have a value.
    pub data: Value,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

/// Groups of employees' data in storage.
#[async_trait]
pub trait DetailRepo: Send {
    /// A group of an employee's data, if it was ever set.
    async fn get(&mut self, employee: EmployeeId, group: &str) -> Result<Option<StoredDetail>, StoreError>;

    /// Writes a group if its stored version is still `expected`: 0 for one that was never set.
    ///
    /// # Errors
    /// [`StoreError::Stale`]; [`StoreError::Conflict`] when there is no such employee.
    async fn put(
        &mut self,
        employee: EmployeeId,
        group: &str,
        detail: &StoredDetail,
        expected: Version,
    ) -> Result<(), StoreError>;
}

/// Reads what was stored.
fn read<G: FieldGroup>(employee: EmployeeId, stored: Option<StoredDetail>) -> Result<Detail<G>, CommonError> {
    let Some(stored) = stored else {
        let (fields, version) = (G::default(), Version::from_i64(0));
        return Ok(Detail { employee_id: employee, fields, updated_at: None, version });
    };
    let fields = serde_json::from_value(stored.data)
        .map_err(|error| StoreError::Corrupt { table: "employee_detail", what: error.to_string() })?;
    Ok(Detail { employee_id: employee, fields, updated_at: Some(stored.updated_at), version: stored.version })
}
