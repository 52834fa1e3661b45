//! The message that takes an invitation to its address.

use serde::{Deserialize, Serialize};

use crate::id::InvitationId;
use crate::invitation::token::Token;
use crate::invitation::{Delivery, Invitation, InvitationStatus, write};
use crate::job::{Job, JobContext, JobError, JobFault, Outcome};
use crate::mail::{Language, Letter, MailError, Message};
use crate::secret::Secret;

/// Sends an invitation. The token is made here, so that no job holds one.
///
/// A message goes out at least once: when a worker dies right after handing it over, another one is sent, and
/// the token in the newest one is good.
#[derive(Debug, Serialize, Deserialize)]
pub struct InvitationMail {
    /// The invitation.
    pub invitation: InvitationId,
    /// Which request to send it this is; later ones take its place.
    pub generation: i64,
}

/// Refused by the mail server, or given up.
fn fault(detail: &str) -> JobFault {
    JobFault { code: "mail.failed".to_owned(), detail: detail.to_owned() }
}

impl Job for InvitationMail {
    const KIND: &'static str = "mail.invitation";
    /// With the pauses between them, about an hour.
    const MAX_ATTEMPTS: u16 = 12;

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        let token = Token::new(cx.actor().tenant(), self.invitation)?;
        let Some((invitation, organization)) = self.prepare(cx, &token).await? else {
            return Outcome::done(serde_json::json!({ "sent": false }));
        };
        let message = message(&invitation, &organization, &token.to_secret(), cx.hrms().public_url());
        match cx.hrms().mailer().send(message).await {
            Ok(()) => {
                self.record(cx, Delivery::Sent).await?;
                Outcome::done(serde_json::json!({ "sent": true }))
            }
            Err(error) => {
                // Its text may name the address, and never holds the token.
                tracing::warn!(error = &error as &dyn std::error::Error, job = %cx.id(), "an invitation wasn't sent");
                let last = cx.attempt() >= Self::MAX_ATTEMPTS;
                if let MailError::Unavailable(_) = error
                    && !last
                {
                    return Err(JobError::Retry(fault("the mail server is unavailable")));
                }
                self.record(cx, Delivery::Failed).await?;
                Err(JobError::GiveUp(fault(match error {
                    MailError::Unavailable(_) => "the mail server was unavailable for too long",
                    MailError::Refused(_) => "the mail server refused the message",
                })))
            }
        }
    }
}

impl InvitationMail {
    /// Makes the token good before anybody can have it. `None` when there is nothing to send any more.
    async fn prepare(
        &self,
        cx: &JobContext,
        token: &Token,
    ) -> Result<Option<(Invitation, String)>, JobError> {
        let mut work = cx.hrms().begin(cx.actor()).await?;
        let now = work.now();
        let Some(mut stored) = work.invitations().hold(self.invitation).await? else { return Ok(None) };
        let invitation = &stored.invitation;
        let waits = invitation.status == InvitationStatus::Pending && invitation.expires_at > now;
        if !waits || stored.generation != self.generation {
            return Ok(None);
        }
        let Some(organization) = work.organization().get().await? else { return Ok(None) };
        stored.token_hash = Some(token.hash());
        write(&mut work, &mut stored).await?;
        work.commit(()).await?;
        Ok(Some((stored.invitation, organization.name)))
    }

    /// Notes how it went, unless it was sent again, accepted or revoked meanwhile.
    async fn record(&self, cx: &JobContext, delivery: Delivery) -> Result<(), JobError> {
        let mut work = cx.hrms().begin(cx.actor()).await?;
        if let Some(mut stored) = work.invitations().hold(self.invitation).await?
            && stored.generation == self.generation
        {
            stored.invitation.delivery = delivery;
            write(&mut work, &mut stored).await?;
            work.commit(()).await?;
        }
        Ok(())
    }
}

fn message(invitation: &Invitation, organization: &str, token: &Secret, public_url: Option<&str>) -> Message {
    letter(Language::English, invitation, organization, token, public_url)
}

fn letter(
    language: Language,
    invitation: &Invitation,
    organization: &str,
    token: &Secret,
    public_url: Option<&str>,
) -> Message {
    let token = token.expose();
    match language {
        Language::English => {
            let letter = Letter::new(format!("Your invitation to {organization}"))
                .paragraph(&format!("Hello {},", invitation.name))
                .paragraph(&format!("you are invited to join {organization}."));
            // Behind a '#': what follows it is never sent to a server, and so isn't in anybody's log.
            let letter = match public_url {
                Some(url) => letter
                    .paragraph("Open this link to accept:")
                    .line(&format!("{url}/accept-invitation#token={token}")),
                None => letter.paragraph("Accept with this code:").line(token),
            };
            letter
                .paragraph(
                    "It is good once, within seven days. If you don't know what this is about, do nothing.",
                )
                .to(&invitation.email)
        }
    }
}
