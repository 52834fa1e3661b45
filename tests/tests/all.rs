//! The one test binary of the workspace's cross-crate suites.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::type_complexity,
    clippy::allow_attributes,
    reason = "tests: a broken assumption panics"
)]

mod all {
    mod access;
    mod api;
    mod api_keys;
    mod approvals;
    mod audit;
    mod catalogue;
    mod chaos;
    mod contract;
    mod ended;
    mod events;
    mod golden;
    mod hardening;
    mod holiday_choices;
    mod holidays;
    mod identity;
    mod imports;
    mod invitations;
    mod isolation;
    mod jobs;
    mod leave;
    mod leave_calendar;
    mod leave_claims;
    mod live;
    mod model;
    mod nodes;
    mod notifications;
    mod on_record;
    mod people;
    mod platform;
    mod policies;
    mod real_people;
    mod roles;
    mod schedules;
    mod story;
    mod support;
    mod sweep;
    mod webhooks;
    mod work_patterns;
}
