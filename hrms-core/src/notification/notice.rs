//! Who is to be told what about an event.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::error::CommonError;
use crate::event::Event;
use crate::hrms::Work;
use crate::id::{EmployeeId, UserId};
use crate::notification::NotificationType;
use crate::policy::{Permission, RoleName};

/// Something that people are to be told.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The name of its type.
    pub kind: &'static str,
    /// Whom: the first of these among whom somebody may be told.
    pub to: Vec<To>,
    /// The values of the type's variables; dates as in `2026-11-21`. What isn't there, or empty, isn't shown.
    pub values: BTreeMap<&'static str, String>,
    /// Whether whoever caused it is told too. For what concerns security they are anyway.
    pub to_causer: bool,
    /// The employee whom it isn't for, nor anybody who counts as them, whatever they may see.
    pub not_to: Option<EmployeeId>,
    /// What people must be allowed to do about it, besides reading of it.
    pub needs: Option<Permission>,
    /// Whether those it is for are asked for something: then they hear of it even where their roles show them nothing.
    pub asks: bool,
}

/// Whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// These users.
    Users(Vec<UserId>),
    /// The users who are these employees.
    Employees(Vec<EmployeeId>),
    /// The users who have one of these roles.
    Roles(Vec<RoleName>),
    /// The users whose roles grant this in the whole organisation.
    Holders(Permission),
}

impl Notice {
    /// A notice without values, for others than whoever caused it.
    #[must_use]
    pub fn new(kind: &'static str, to: To) -> Self {
        Self {
            kind,
            to: vec![to],
            values: BTreeMap::new(),
            to_causer: false,
            not_to: None,
            needs: None,
            asks: false,
        }
    }

    /// The same with a value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.values.insert(name, value.to_string());
        self
    }

    /// The same for these, where nobody else is there to be told.
    #[must_use]
    pub fn or(mut self, to: To) -> Self {
        self.to.push(to);
        self
    }
}

/// Turns events into notices. Add your own with [`Builder::notifier`](crate::hrms::Builder::notifier).
///
/// Nobody is told of what they may not read: whom a notice names is still asked about.
#[async_trait]
pub trait Notifier: Send + Sync + fmt::Debug {
    /// The types of its notices.
    fn types(&self) -> &'static [NotificationType];

    /// What is to be told about an event. It reads through `work`, as the system.
    ///
    /// # Errors
    /// The event comes again later.
    async fn notices(&self, work: &mut Work, event: &Event) -> Result<Vec<Notice>, CommonError>;
}
