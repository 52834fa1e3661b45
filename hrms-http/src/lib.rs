#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod api;
mod api_key;
mod approval;
mod audit;
mod auth;
mod bearer;
mod calendar_feed;
mod config;
mod coverage;
mod cursor;
mod department;
mod designation;
mod dispatch;
mod employee;
mod employee_detail;
mod endpoint;
mod etag;
mod event;
mod export;
mod extract;
mod forwarded;
mod holiday;
mod host;
mod idempotency;
mod identity;
mod import;
mod invitation;
mod job;
mod leave;
mod leave_calendar;
mod leave_claim;
mod leave_closing;
mod leave_policy;
mod leave_report;
mod leave_type;
mod location;
mod membership;
mod notification;
mod openapi;
mod operator;
mod org_chart;
mod organization;
mod places;
mod platform;
mod policy;
mod problem;
mod rate;
mod request;
mod role;
mod schedule;
mod server;
mod service_account;
mod site;
mod support;
#[cfg(test)]
mod tests;
mod token;
mod user;
mod webhook;
mod websocket;
mod work_pattern;

pub use api::BuildError;
pub use auth::{AuthError, Authenticate, Caller, IncompleteCaller, OperatorCaller};
pub use bearer::BearerAuth;
pub use config::{Config, Rates};
pub use server::{Server, openapi};
pub use token::{KeyError, Tokens};
pub use webhook::{HttpWebhookSender, Resolve, SystemResolver, WebhookPolicy, WebhookSetupError};

use endpoint::Endpoint;

/// Every endpoint there is, by feature.
pub(crate) const TABLES: &[&[Endpoint]] = &[
    api_key::ENDPOINTS,
    audit::ENDPOINTS,
    department::ENDPOINTS,
    designation::ENDPOINTS,
    employee::ENDPOINTS,
    employee_detail::ENDPOINTS,
    event::ENDPOINTS,
    export::ENDPOINTS,
    holiday::ENDPOINTS,
    identity::ENDPOINTS,
    identity::email_change::ENDPOINTS,
    identity::member::ENDPOINTS,
    identity::password::ENDPOINTS,
    identity::second_factor::ENDPOINTS,
    identity::session::ENDPOINTS,
    import::ENDPOINTS,
    invitation::ENDPOINTS,
    job::ENDPOINTS,
    leave::ENDPOINTS,
    leave_calendar::ENDPOINTS,
    coverage::ENDPOINTS,
    calendar_feed::ENDPOINTS,
    leave_claim::ENDPOINTS,
    leave_closing::ENDPOINTS,
    leave_policy::ENDPOINTS,
    leave_report::ENDPOINTS,
    leave_type::ENDPOINTS,
    location::ENDPOINTS,
    membership::ENDPOINTS,
    notification::ENDPOINTS,
    org_chart::ENDPOINTS,
    organization::ENDPOINTS,
    platform::ENDPOINTS,
    policy::ENDPOINTS,
    role::ENDPOINTS,
    schedule::ENDPOINTS,
    service_account::ENDPOINTS,
    operator::ENDPOINTS,
    support::ENDPOINTS,
    user::ENDPOINTS,
    webhook::ENDPOINTS,
    work_pattern::ENDPOINTS,
    approval::ENDPOINTS,
];
