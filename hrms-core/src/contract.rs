//! Promises that every store must keep, as public test functions.
//!
//! Run them against a store of your own with [`crate::store_contract!`]: one named test per promise.
//! Not covered by semantic versioning.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::allow_attributes,
    reason = "test code: a broken promise panics"
)]

mod fixture;
mod foundation;

pub use fixture::*;
pub use foundation::*;

/// One `#[tokio::test]` per promise, named after it. `$make` is an expression whose future makes a
/// fresh store (or a guard that dereferences to one).
#[macro_export]
macro_rules! store_contract {
    ($make:expr) => {
        $crate::store_contract! { @each $make,
            committed_rows_are_read_back,
            dropped_work_leaves_no_trace,
            tenants_never_see_each_other,
            a_duplicate_code_names_its_constraint,
            a_stale_version_changes_nothing,
            pages_visit_every_row_once_in_order,
            read_work_refuses_writes,
            instants_and_text_survive_unchanged,
            events_are_numbered_in_commit_order_without_gaps,
            kept_answers_are_found_once_and_expire,
        }
    };
    (@each $make:expr, $($promise:ident,)+) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let store = $make.await;
                $crate::contract::$promise(&*store).await;
            }
        )+
    };
}
