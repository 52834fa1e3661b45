//! Files that belong to a request for leave, such as a doctor's certificate.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::request::{LeaveRequest, RequestStatus};
use super::rules_version::rules_on;
use super::{LeaveError, LeaveService, coded};
use crate::actor::Actor;
use crate::audit::{Audited, Change, hex};
use crate::error::CommonError;
use crate::event::{NewEvent, subject};
use crate::id::{LeaveAttachmentId, LeaveRequestId, UserId};
use crate::policy::{Permission, Resource};
use crate::store::Tx;
use crate::validate::Check;

/// The most bytes of one file.
pub const MAX_ATTACHMENT: usize = 10 << 20;
/// The most files of one request.
const MOST: usize = 10;

const NOT_FOUND: CommonError = CommonError::NotFound { what: "attachment" };

coded! {
    /// What a file is, told by its content.
    AttachmentType {
        /// A PDF document.
        Pdf = "pdf",
        /// A JPEG picture.
        Jpeg = "jpeg",
        /// A PNG picture.
        Png = "png",
    }
}

impl AttachmentType {
    /// Its media type, as in `application/pdf`.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// What a content is; `None` for anything else than what can be attached.
    #[must_use]
    pub fn of(content: &[u8]) -> Option<Self> {
        let begins: [(&[u8], Self); 3] = [
            (b"%PDF-", Self::Pdf),
            (&[0xff, 0xd8, 0xff], Self::Jpeg),
            (&[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a], Self::Png),
        ];
        begins.into_iter().find(|(begin, _)| content.starts_with(begin)).map(|(_, kind)| kind)
    }
}

/// A file that belongs to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveAttachment {
    /// Its id.
    pub id: LeaveAttachmentId,
    /// The request that it belongs to.
    pub leave_request_id: LeaveRequestId,
    /// Its name, as whoever added it called it.
    pub name: String,
    /// What it is.
    pub media_type: AttachmentType,
    /// How long it is.
    pub bytes: i64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// The user who added it, if a user did.
    pub added_by: Option<UserId>,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Audited for LeaveAttachment {
    // Names of files can tell of somebody's health.
    const MASKED: &'static [&'static str] = &["name"];
}

impl LeaveService<'_> {
    /// Adds a file to a pending or approved request.
    ///
    /// # Errors
    /// [`LeaveError::AttachmentType`] for anything but PDF, JPEG and PNG; [`LeaveError::TooManyAttachments`]; a file that is empty or
    /// larger than [`MAX_ATTACHMENT`]; [`LeaveError::NotPending`] for a request that is neither.
    pub async fn attach(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        name: &str,
        content: Vec<u8>,
    ) -> Result<LeaveAttachment, LeaveError> {
        let mut check = Check::new();
        check.text("/name", name, 1..=200);
        if content.is_empty() || content.len() > MAX_ATTACHMENT {
            check.fault("/file", "length", "a file has 1 byte to 10 MiB");
        }
        check.done()?;
        let mut work = self.0.begin(actor).await?;
        let (view, _, resource) = self.request_for_change(&mut work, actor, id).await?;
        self.0.require(actor, Permission::LeaveSubmit, &resource)?;
        if !view.request.status.occupies_days() {
            return Err(LeaveError::NotPending);
        }
        let media_type = AttachmentType::of(&content).ok_or(LeaveError::AttachmentType)?;
        if work.leave_requests().attachments(id).await?.len() >= MOST {
            return Err(LeaveError::TooManyAttachments);
        }
        let attachment = LeaveAttachment {
            id: LeaveAttachmentId::from_uuid(self.0.ids().next()),
            leave_request_id: id,
            name: name.to_owned(),
            media_type,
            bytes: i64::try_from(content.len()).unwrap_or(i64::MAX),
            sha256: hex(&Sha256::digest(&content)),
            added_by: actor.user_id(),
            created_at: work.now(),
        };
        work.leave_requests().attach(&attachment, content).await?;
        work.emit(event("leave_attachment.added", &attachment, &resource, Change::created(&attachment)));
        Ok(work.commit(attachment).await?)
    }

    /// The files of a request, in the order in which they were added.
    ///
    /// # Errors
    /// When the request isn't there or may not be seen.
    pub async fn attachments(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
    ) -> Result<Vec<LeaveAttachment>, LeaveError> {
        self.get(actor, id).await?;
        Ok(self.0.read(actor).await?.leave_requests().attachments(id).await?)
    }

    /// A file and its content.
    ///
    /// # Errors
    /// When it isn't there, or its request may not be seen.
    pub async fn attachment(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        attachment: LeaveAttachmentId,
    ) -> Result<(LeaveAttachment, Vec<u8>), LeaveError> {
        self.get(actor, id).await?;
        let found = self.0.read(actor).await?.leave_requests().attachment(attachment).await?;
        Ok(found.filter(|(one, _)| one.leave_request_id == id).ok_or(NOT_FOUND)?)
    }

    /// Removes a file of a request that is still pending.
    ///
    /// # Errors
    /// [`LeaveError::NotPending`]; when it isn't there.
    pub async fn detach(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        attachment: LeaveAttachmentId,
    ) -> Result<(), LeaveError> {
        let mut work = self.0.begin(actor).await?;
        let (view, _, resource) = self.request_for_change(&mut work, actor, id).await?;
        self.0.require(actor, Permission::LeaveSubmit, &resource)?;
        let all = work.leave_requests().attachments(id).await?;
        let attachment = all.into_iter().find(|one| one.id == attachment).ok_or(NOT_FOUND)?;
        if view.request.status != RequestStatus::Pending {
            return Err(LeaveError::NotPending);
        }
        work.leave_requests().detach(attachment.id).await?;
        work.emit(event("leave_attachment.removed", &attachment, &resource, Change::removed(&attachment)));
        Ok(work.commit(()).await?)
    }
}

/// Refuses to approve a request that needs a file and has none.
pub(super) async fn check_attached(tx: &mut dyn Tx, request: &LeaveRequest) -> Result<(), LeaveError> {
    let rules = rules_on(tx, request.leave_type_id, request.starts_on).await?;
    let Some(over) = rules.attachment_over_days else { return Ok(()) };
    let days: Decimal = request.days.parse().unwrap_or(Decimal::MAX);
    if days > over && tx.leave_requests().attachments(request.id).await?.is_empty() {
        return Err(LeaveError::AttachmentMissing { over });
    }
    Ok(())
}

fn event(kind: &'static str, attachment: &LeaveAttachment, resource: &Resource, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("leave-requests", attachment.leave_request_id.as_uuid()),
        data: serde_json::json!({
            "leave_request_id": attachment.leave_request_id,
            "leave_attachment_id": attachment.id,
        }),
        change,
        permission: Permission::LeaveRead,
        resource: resource.clone(),
    }
}
