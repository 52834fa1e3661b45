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

mod access;
mod api_key;
mod approval;
mod audit;
mod calendar_feed;
mod coverage;
mod credential;
mod event_consumer;
mod fixture;
mod foundation;
mod holiday;
mod identity;
mod job;
mod leave;
mod leave_claim;
mod leave_closing;
mod leave_policy;
mod leave_search;
mod membership;
mod notification;
mod people;
mod platform;
mod policy;
mod role;
mod schedule;
mod webhook;
mod work_pattern;

pub use access::*;
pub use api_key::*;
pub use approval::*;
pub use audit::*;
pub use calendar_feed::*;
pub use coverage::*;
pub use credential::*;
pub use event_consumer::*;
pub use fixture::*;
pub use foundation::*;
pub use holiday::*;
pub use identity::*;
pub use job::*;
pub use leave::*;
pub use leave_claim::*;
pub use leave_closing::*;
pub use leave_policy::*;
pub use leave_search::*;
pub use membership::*;
pub use notification::*;
pub use people::*;
pub use platform::*;
pub use policy::*;
pub use role::*;
pub use schedule::*;
pub use webhook::*;
pub use work_pattern::*;

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
            consumers_keep_their_positions,
            a_log_that_grew_is_marked_until_consumers_are_told,
            consumers_that_lag_are_found,
            old_events_are_forgotten_once_everybody_read_them,
            kept_answers_are_found_once_and_expire,
            audit_entries_form_one_chain,
            dropped_work_leaves_no_audit_entry,
            parallel_writers_make_one_unbroken_chain,
            audit_logs_of_tenants_never_meet,
            the_audit_log_filters_and_pages,
            the_first_anchor_of_an_entry_is_kept,
            the_platform_has_an_audit_log_of_its_own,
            a_job_goes_from_queued_to_succeeded,
            p35_a_rolled_back_change_leaves_no_job,
            p35_parallel_claims_never_share_a_job,
            only_due_jobs_of_known_kinds_are_claimed,
            a_lost_lease_can_write_nothing,
            a_job_that_kills_its_workers_ends_as_failed,
            a_retry_waits_and_a_release_is_free,
            a_unique_key_holds_while_its_job_lives,
            cancelling_depends_on_the_state,
            p35_tenants_take_turns,
            priority_goes_before_age_within_a_tenant,
            jobs_of_later_versions_wait_for_newer_workers,
            a_unique_window_counts_jobs_that_have_ended,
            a_waiting_job_is_brought_forward,
            p35_a_kind_runs_no_more_often_than_it_allows,
            p35_a_kind_starts_no_more_often_than_its_rate,
            p35_slots_are_kept_for_tenants_that_hold_none,
            ends_are_recorded_together_under_their_leases,
            jobs_of_another_tenant_are_out_of_reach,
            schedules_read_back_as_written,
            p35_a_due_schedule_ticks_once,
            schedules_of_another_tenant_are_out_of_reach,
            a_failed_job_is_queued_again,
            ended_jobs_are_removed_in_time,
            job_lists_filter_and_sort,
            people_are_read_back_with_their_records,
            a_record_of_another_tenants_thing_is_refused,
            scopes_reach_down_the_tree_and_no_further,
            whoever_left_has_no_rights,
            keys_and_their_accounts_read_back_as_written,
            a_key_stands_for_what_is_alive,
            an_account_is_removed_with_its_keys,
            roles_read_back_as_written,
            a_role_in_use_stays,
            a_role_is_given_or_removed_but_not_both,
            grants_follow_the_organizations_own_roles,
            people_of_tenants_never_meet,
            p22_records_of_an_employee_never_overlap,
            heads_of_a_department_never_overlap,
            numbers_and_emails_are_unique_in_an_organization,
            a_stale_employee_is_not_written,
            the_list_of_employees_filters_sorts_and_pages,
            visibility_narrows_the_list_by_the_record_in_force,
            ten_thousand_people_are_written_in_bulk,
            users_read_back_as_written,
            an_email_has_one_account,
            dropped_work_leaves_no_account,
            memberships_never_cross_tenants,
            second_users_count_as_whoever_made_them,
            a_membership_names_a_real_employee,
            only_the_active_can_log_in,
            operators_stand_outside_tenants,
            a_refresh_token_is_used_once,
            reuse_ends_the_session,
            a_session_is_switched_once,
            an_address_is_changed_once,
            sessions_expire,
            log_ins_are_remembered_by_address,
            standing_follows_membership_and_organization,
            a_one_time_code_is_taken_once,
            a_recovery_code_is_taken_once,
            tries_of_one_time_codes_are_rationed,
            a_second_factor_is_set_up_and_removed,
            demands_follow_organization_and_membership,
            wrong_tries_end_a_session,
            a_changed_password_ends_other_sessions,
            a_reset_token_is_used_once,
            who_chose_a_password_is_known,
            sessions_belong_to_their_user,
            admins_are_held_until_commit,
            an_organization_comes_with_its_admin,
            an_account_has_memberships_of_its_own,
            the_removed_stay_readable_and_can_return,
            invitations_read_back_as_written,
            one_invitation_waits_for_an_address,
            invitations_of_tenants_never_meet,
            held_invitations_are_used_once,
            a_closed_organization_lets_nobody_in,
            a_purge_waits_for_the_hold_and_leaves_nothing,
            the_last_operator_stays,
            support_grants_read_back_and_end_once,
            jobs_of_a_suspended_organization_wait,
            holiday_calendars_are_read_back_as_written,
            p22_a_location_has_one_calendar_at_a_time,
            holiday_calendars_never_cross_tenants,
            holiday_choices_are_read_back_as_written,
            holiday_choices_never_cross_tenants,
            calendar_feeds_are_read_back_as_written,
            coverage_minimums_are_read_back_as_written,
            members_of_departments_are_found_by_day,
            who_is_on_leave_is_found,
            approval_chains_are_read_back_as_written,
            approval_cases_are_read_back_as_written,
            p15_approval_delegations_have_dates,
            approvals_never_cross_tenants,
            work_patterns_are_read_back_as_written,
            p22_work_patterns_never_overlap,
            work_patterns_never_cross_tenants,
            leave_is_read_back_as_it_was_written,
            leave_requests_never_overlap,
            hours_of_leave_never_overlap,
            a_leave_request_is_counted_anew,
            a_leave_request_is_edited,
            leave_rules_are_read_back_as_written,
            leave_claims_are_read_back_as_written,
            leave_claims_never_cross_tenants,
            payroll_facts_are_those_of_the_ledger,
            a_leave_posting_is_undone_once,
            leave_of_policies_is_written_once,
            leave_accounts_are_opened,
            closed_leave_periods_are_kept,
            leave_is_found_by_days_and_status,
            what_belongs_to_leave_never_crosses_tenants,
            leave_policies_are_read_back_as_they_were_written,
            leave_policies_never_overlap,
            leave_policies_of_tenants_never_meet,
            leave_of_tenants_never_meets,
            the_list_of_leave_requests_filters_and_pages,
            policies_are_read_back_as_written,
            the_history_of_a_policy_outlives_it,
            policies_never_cross_tenants,
            webhooks_read_back_as_written,
            deliveries_wait_in_the_order_of_events,
            deliveries_wait_in_lanes,
            webhooks_of_tenants_never_meet,
            each_event_is_told_once,
            what_is_gathered_comes_when_it_is_due,
            notification_settings_read_back_as_written,
            recipients_are_active_members,
            notifications_of_tenants_never_meet,
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
