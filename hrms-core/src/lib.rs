#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod actor;
pub mod api_key;
pub mod approval;
pub mod audit;
pub mod calendar_feed;
pub mod clock;
#[cfg(feature = "contract")]
#[cfg_attr(docsrs, doc(cfg(feature = "contract")))]
pub mod contract;
pub mod date;
pub mod department;
pub mod designation;
pub mod email;
pub mod employee;
pub mod employment;
pub mod error;
pub mod event;
pub mod export;
pub mod hint;
pub mod holiday;
pub mod hrms;
mod icalendar;
pub mod id;
pub mod idempotency;
pub mod identity;
pub mod import;
pub mod invitation;
pub mod job;
pub mod leave;
pub mod location;
pub mod mail;
pub mod membership;
pub mod notification;
mod object;
pub mod operator;
pub mod org_chart;
pub mod organization;
pub mod page;
pub mod password;
pub mod patch;
pub mod period;
pub mod policy;
pub mod rate_limit;
pub mod role;
pub mod schedule;
pub mod sealed;
pub mod secret;
pub mod service_account;
pub mod store;
pub mod support;
mod threads;
pub mod trace;
pub mod user;
pub mod validate;
pub mod webhook;
pub mod work_pattern;

pub use actor::{Actor, Cause, Who};
pub use clock::{Clock, FixedClock, SystemClock};
pub use error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
pub use hrms::{Hrms, Work};
pub use id::*;
pub use operator::Operator;
pub use page::{Page, PageRequest, Position};
pub use patch::Patch;
pub use period::Period;
pub use policy::{
    Decision, Grant, Permission, Policy, Resource, Role, RoleName, RolePolicy, Scope, Visibility,
};
pub use secret::Secret;
pub use store::{Directory, Store, Tx, Version, Versioned};

/// The date and time library of the public types.
pub use jiff;
/// The identifier type behind every id.
pub use uuid;
