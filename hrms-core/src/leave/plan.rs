//! Leave policies: rules as data, and what they come to, as pure functions.
//!
//! [`PolicyRules`] is what a policy says. [`credits`] is what an employee earns by it up to a day, with the derivation
//! of every amount. Neither knows of storage or of today (P6).

mod amount;
mod books;
mod calendar;
mod check;
mod credit;
mod replay;
mod rules;
mod service;
#[cfg(test)]
mod tests;

pub use amount::{Amount, Exact, Quantity, Rounding, RoundingMode, RoundingOf};
pub(super) use calendar::year_starts;
pub use credit::{Credit, Derivation, credits};
pub use replay::{Account, Replayed, replay};
pub use rules::{
    AboveNewCap, AccrualLevel, AccrualPlan, CarryDate, CarryLimit, CarryOver, CompensatoryRules,
    CompensatoryStart, CreditDay, Earning, Eligibility, EncashmentRules, Excess, Frequency, LeaveYear,
    Length, LevelChange, LossOfPay, MonthCutoff, MonthDay, OpenGrants, PeriodStart, PolicyRules, Proration,
    WorkedDays, WorkedHours,
};
pub use service::{DayWork, PlanFacts, Term};
