//! `/api/v1/employees/{id}/…`: groups of an employee's data with permissions of their own.

use hrms_core::EmployeeId;
use hrms_core::employee::{
    BankDetails, BankDetailsPatch, CompensationDetails, CompensationDetailsPatch, Detail, EmployeeError,
    IdentityDetails, IdentityDetailsPatch, MedicalDetails, MedicalDetailsPatch, PersonalDetails,
    PersonalDetailsPatch,
};

use crate::answer::Found;
use crate::endpoints;
use crate::extract::{Id, IfMatch, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "employees";

    /// Read how to reach an employee in private.
    GET "/api/v1/employees/{id}/personal" => personal, requires EmployeeReadPersonal;

    /// Change how to reach an employee in private.
    PATCH "/api/v1/employees/{id}/personal" => change_personal, requires EmployeeManagePersonal;

    /// Read what an employee is paid.
    GET "/api/v1/employees/{id}/compensation" => compensation, requires EmployeeReadCompensation;

    /// Change what an employee is paid. Nobody changes their own.
    PATCH "/api/v1/employees/{id}/compensation" => change_compensation, requires EmployeeManageCompensation, confirmed;

    /// Read an employee's bank details.
    GET "/api/v1/employees/{id}/bank" => bank, requires EmployeeReadBank;

    /// Change an employee's bank details.
    PATCH "/api/v1/employees/{id}/bank" => change_bank, requires EmployeeManageBank, confirmed;

    /// Read the numbers that authorities know an employee by.
    GET "/api/v1/employees/{id}/identity" => identity, requires EmployeeReadIdentity;

    /// Change the numbers that authorities know an employee by.
    PATCH "/api/v1/employees/{id}/identity" => change_identity, requires EmployeeManageIdentity;

    /// Read what the employer has to know of an employee's health.
    GET "/api/v1/employees/{id}/medical" => medical, requires EmployeeReadMedical;

    /// Change what the employer has to know of an employee's health.
    PATCH "/api/v1/employees/{id}/medical" => change_medical, requires EmployeeManageMedical;
}

/// The two handlers of a group.
macro_rules! group {
    ($get:ident, $change:ident: $group:ty, $patch:ty) => {
        async fn $get(cx: Cx, Id(id): Id<EmployeeId>) -> Result<Found<Detail<$group>>, EmployeeError> {
            cx.hrms.employee_details().get(&cx.actor, id).await.map(Found)
        }

        async fn $change(
            cx: Cx,
            Id(id): Id<EmployeeId>,
            IfMatch(version): IfMatch,
            MergePatch(patch): MergePatch<$patch>,
        ) -> Result<Found<Detail<$group>>, EmployeeError> {
            cx.hrms.employee_details().change::<$group>(&cx.actor, id, version, patch).await.map(Found)
        }
    };
}

group!(personal, change_personal: PersonalDetails, PersonalDetailsPatch);
group!(compensation, change_compensation: CompensationDetails, CompensationDetailsPatch);
group!(bank, change_bank: BankDetails, BankDetailsPatch);
group!(identity, change_identity: IdentityDetails, IdentityDetailsPatch);
group!(medical, change_medical: MedicalDetails, MedicalDetailsPatch);
