#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(dead_code, reason = "kinds of arguments and answers that no feature needs yet")]

mod answer;
mod api;
mod auth;
mod config;
mod cursor;
mod department;
mod designation;
mod dispatch;
mod employee;
mod endpoint;
mod etag;
mod event;
mod export;
mod extract;
mod idempotency;
mod import;
mod job;
mod leave;
mod leave_type;
mod location;
mod openapi;
mod org_chart;
mod problem;
mod request;
mod server;
mod site;
#[cfg(test)]
mod tests;
mod websocket;

pub use api::BuildError;
pub use auth::{AuthError, Authenticate, Caller, OperatorCaller};
pub use config::Config;
pub use server::{Server, openapi};

use endpoint::Endpoint;

/// Every endpoint there is, by feature.
pub(crate) const TABLES: &[&[Endpoint]] = &[
    department::ENDPOINTS,
    designation::ENDPOINTS,
    employee::ENDPOINTS,
    location::ENDPOINTS,
    org_chart::ENDPOINTS,
    job::ENDPOINTS,
    import::ENDPOINTS,
    export::ENDPOINTS,
    event::ENDPOINTS,
    leave::ENDPOINTS,
    leave_type::ENDPOINTS,
];
