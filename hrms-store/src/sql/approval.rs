//! Approvals in SQL.

mod case;
mod chain;
mod delegation;
