//! Typed identifiers over UUIDv7, and the injected source that makes them.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is known to name this kind of thing.
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID inside, for stores.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// One customer of the service: the isolation boundary (an *organisation* to people).
    TenantId;
    /// Somebody who can log in; belongs to the platform, not to a tenant.
    UserId;
    /// A living log-in: the family of one refresh token.
    SessionId;
    /// An invitation to join an organisation.
    InvitationId;
    /// A role that an organisation made.
    RoleId;
    /// A policy that an organisation wrote.
    PolicyId;
    /// An account of an integration in one organisation.
    ServiceAccountId;
    /// A key of a service account.
    ApiKeyId;
    /// An operator's time-boxed access to one organisation.
    SupportGrantId;
    /// A row of the audit log.
    AuditEntryId;
    /// A workplace with a time zone.
    LocationId;
    /// A node of the department tree.
    DepartmentId;
    /// A job title.
    DesignationId;
    /// Who decides on something, in which order.
    ApprovalChainId;
    /// Something that waits for decisions.
    ApprovalCaseId;
    /// A decision that somebody is asked for.
    ApprovalTaskId;
    /// Something that happened to a case.
    TrailEntryId;
    /// Somebody's deciding in somebody else's place.
    ApprovalDelegationId;
    /// A person's employment in a tenant.
    EmployeeId;
    /// One period of an employee's effective-dated employment record.
    EmploymentRecordId;
    /// A working pattern.
    WorkPatternId;
    /// A holiday calendar.
    HolidayCalendarId;
    /// How many people of a department have to be there.
    CoverageMinimumId;
    /// A feed for calendar programs.
    CalendarFeedId;
    /// A kind of leave.
    LeaveTypeId;
    /// A leave policy: rules by which leave of one type is earned and used.
    LeavePolicyId;
    /// The rules of a leave policy from a day on.
    LeavePolicyVersionId;
    /// An employee's leave policy during a period.
    LeavePolicyAssignmentId;
    /// A version of the rules of a leave type.
    LeaveRulesId;
    /// Identifies a file that belongs to a request for leave.
    LeaveAttachmentId;
    /// A period of leave that was closed.
    LeaveClosingId;
    /// A dated grant of leave with its own validity.
    LeaveLotId;
    /// A signed row of the leave ledger.
    LeavePostingId;
    /// An employee's request for leave.
    LeaveRequestId;
    /// What an employee claims that isn't time off.
    LeaveClaimId;
    /// A unit of background work.
    JobId;
    /// What an organisation wants to happen again and again.
    ScheduleId;
    /// An uploaded import.
    ImportId;
    /// A domain event in the tenant's log.
    EventId;
    /// An endpoint that events are sent to.
    WebhookId;
    /// Something that somebody was told.
    NotificationId;
    /// A notification on its way by one channel.
    NotificationDeliveryId;
    /// A program elsewhere that passes notifications on.
    NotificationChannelId;
    /// The sending of one event to one endpoint.
    WebhookDeliveryId;
    /// One request to the API or one run of an internal cause; ties logs, events and jobs together.
    RequestId;
}

/// Where identifiers come from; injected, so that tests can repeat a run.
pub trait IdSource: Send + Sync + fmt::Debug {
    /// A new UUIDv7, unique and increasing within this source.
    fn next(&self) -> Uuid;
}

/// Identifiers from the operating system's clock and randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "this is the injected source")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}
