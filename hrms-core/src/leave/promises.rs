//! The promises of leave, P1 to P12 and P14, on random rules, calendars, employments and years of history.
//!
//! [`random`] makes what is valid, [`account`] keeps an account as the services keep it. P13 is a matter of the store. Which test
//! holds which promise is said in `docs/leave.md`.

mod account;
mod accrual;
mod days;
mod history;
mod order;
mod random;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::leave::BalanceMinutes;

/// The minutes that a day of leave stands for.
const DAY: i64 = 480;

/// Days from one up to but not including another, in steps of so many days.
fn days(from: Date, to: Date, step: i64) -> impl Iterator<Item = Date> {
    from.series(step.days()).take_while(move |day| *day < to)
}

/// What a balance is made of.
fn sum(balance: &BalanceMinutes) -> i64 {
    balance.available + balance.taken + balance.pending + balance.expired + balance.encashed
}
