//! What can be done with feeds, and what is read by one.

use jiff::Timestamp;

use super::{
    CalendarFeed, CalendarFeedError, CalendarFeedKind, IssuedCalendarFeed, MOST_FEEDS, NewCalendarFeed,
};
use crate::actor::{Actor, Cause, Context, Who};
use crate::audit::{Act, Change};
use crate::error::CommonError;
use crate::event::subject;
use crate::hrms::{Hrms, Work};
use crate::id::{CalendarFeedId, RequestId, UserId};
use crate::leave::FeedOf;
use crate::secret::text::{SecretText, same};
use crate::validate::Check;

/// What the secret of every feed begins with.
const PREFIX: &str = "hrmscal_";

const NOT_FOUND: CommonError = CommonError::NotFound { what: "calendar feed" };
const HIDDEN: CommonError = CommonError::Hidden { what: "calendar feed" };

/// What can be done with calendar feeds.
#[derive(Clone, Copy, Debug)]
pub struct CalendarFeedService<'a>(&'a Hrms);

impl Hrms {
    /// Calendar feeds.
    #[must_use]
    pub fn calendar_feeds(&self) -> CalendarFeedService<'_> {
        CalendarFeedService(self)
    }
}

impl CalendarFeedService<'_> {
    /// The actor's own feeds, oldest first.
    ///
    /// # Errors
    /// When the actor isn't a user.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<CalendarFeed>, CalendarFeedError> {
        let user = user_of(actor)?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.calendar_feeds().of_user(user).await?)
    }

    /// One of the actor's own feeds.
    ///
    /// # Errors
    /// When it isn't there or is somebody else's.
    pub async fn get(&self, actor: &Actor, id: CalendarFeedId) -> Result<CalendarFeed, CalendarFeedError> {
        let mut tx = self.0.read(actor).await?;
        let feed = tx.calendar_feeds().get(id).await?.ok_or(NOT_FOUND)?;
        Ok(own(actor, feed)?)
    }

    /// Makes a feed. Its address is in the answer, and nowhere else.
    ///
    /// # Errors
    /// [`CalendarFeedError::TooMany`]; faulty fields; when the actor isn't a member of the organisation.
    pub async fn create(
        &self,
        actor: &Actor,
        new: NewCalendarFeed,
    ) -> Result<IssuedCalendarFeed, CalendarFeedError> {
        let user = user_of(actor)?;
        let mut check = Check::new();
        if new.department_id.is_some() && new.kind != CalendarFeedKind::Department {
            check.fault("/department_id", "contradicts", "this is for feeds of a department");
        }
        if let Some(name) = &new.name {
            check.text("/name", name, 1..=100);
        }
        check.done()?;
        let mut work = self.0.begin(actor).await?;
        if let Some(department) = new.department_id {
            let known = work.departments().get(department).await?;
            known.ok_or_else(|| CommonError::unknown_reference("/department_id"))?;
        }
        if work.users().rights(user, self.0.today()).await?.is_none() {
            return Err(CommonError::NotFound { what: "user" }.into());
        }
        if work.calendar_feeds().of_user(user).await?.len() >= MOST_FEEDS {
            return Err(CalendarFeedError::TooMany);
        }
        let name = new.name.unwrap_or_else(|| usual_name(new.kind).to_owned());
        let feed = CalendarFeed {
            id: CalendarFeedId::from_uuid(self.0.ids().next()),
            user_id: user,
            kind: new.kind,
            department_id: new.department_id,
            name,
            created_at: work.now(),
            renewed_at: None,
        };
        let text = SecretText::new(actor.tenant(), feed.id.as_uuid())?;
        work.calendar_feeds().insert(&feed, &text.hash()).await?;
        record(&mut work, "calendar_feed.created", &feed, Change::created(&feed));
        self.issued(work, feed, &text).await
    }

    /// Gives a feed another address; there is nothing at the old one from then on. What is in it keeps its identity.
    ///
    /// # Errors
    /// When it isn't there or is somebody else's.
    pub async fn renew(
        &self,
        actor: &Actor,
        id: CalendarFeedId,
    ) -> Result<IssuedCalendarFeed, CalendarFeedError> {
        let mut work = self.0.begin(actor).await?;
        let before = own(actor, work.calendar_feeds().get(id).await?.ok_or(NOT_FOUND)?)?;
        let feed = CalendarFeed { renewed_at: Some(work.now()), ..before.clone() };
        let text = SecretText::new(actor.tenant(), id.as_uuid())?;
        work.calendar_feeds().renew(&feed, &text.hash()).await?;
        record(&mut work, "calendar_feed.renewed", &feed, Change::changed(&before, &feed));
        self.issued(work, feed, &text).await
    }

    /// Revokes a feed: there is nothing at its address from then on.
    ///
    /// # Errors
    /// When it isn't there or is somebody else's.
    pub async fn revoke(&self, actor: &Actor, id: CalendarFeedId) -> Result<(), CalendarFeedError> {
        let mut work = self.0.begin(actor).await?;
        let feed = own(actor, work.calendar_feeds().get(id).await?.ok_or(NOT_FOUND)?)?;
        work.calendar_feeds().remove(id).await?;
        record(&mut work, "calendar_feed.revoked", &feed, Change::removed(&feed));
        Ok(work.commit(()).await?)
    }

    async fn issued(
        &self,
        work: Work,
        feed: CalendarFeed,
        text: &SecretText,
    ) -> Result<IssuedCalendarFeed, CalendarFeedError> {
        // What is kept for a repeated request lacks the address.
        let mut issued = work.commit(IssuedCalendarFeed { feed, url: None }).await?;
        let base = self.0.public_url().unwrap_or_default();
        issued.url = Some(format!("{base}/api/v1/calendars/{}.ics", text.to_secret(PREFIX).expose()));
        Ok(issued)
    }

    /// The calendar (iCalendar, RFC 5545) at an address that ends with this, read with the rights that its user has now.
    ///
    /// # Errors
    /// The same for every address at which there is nothing: one that never was, a revoked one, one of somebody who may do
    /// nothing here any more, or of an organisation that isn't in use.
    pub async fn read(
        &self,
        file: &str,
        request: RequestId,
        context: Context,
    ) -> Result<String, CalendarFeedError> {
        let token = file.strip_suffix(".ics").unwrap_or(file);
        let text = SecretText::read(PREFIX, token).ok_or(NOT_FOUND)?;
        let mut tx = self.0.store().read(text.tenant).await?;
        let found = tx.calendar_feeds().with_hash(CalendarFeedId::from_uuid(text.id)).await?;
        let (feed, _) = found.filter(|(_, hash)| same(hash, &text.hash())).ok_or(NOT_FOUND)?;
        let standing = tx.users().rights(feed.user_id, self.0.today()).await?.ok_or(NOT_FOUND)?;
        drop(tx);
        if standing.roles.is_empty() {
            // Whoever has left is still a member.
            return Err(NOT_FOUND.into());
        }
        let who = Who::User { user: feed.user_id, session: None, employee: standing.employee };
        let (roles, grants) = (standing.roles, standing.grants);
        let actor = Actor::with_grants(text.tenant, who, roles, grants, Cause::Request, request);
        let now: Timestamp = self.0.clock().now();
        let mut actor = actor
            .with_facts(standing.facts)
            .also_counting_as(standing.counts_as)
            .with_context(Context { at: Some(now), ..context });
        if let Some(rules) = self.0.rules_of(text.tenant).await? {
            actor = actor.with_rules(rules);
        }
        let of = match (feed.kind, standing.employee) {
            (_, None) => FeedOf::Nobody,
            (CalendarFeedKind::Personal, Some(me)) => FeedOf::Own(me),
            (CalendarFeedKind::Reports, Some(me)) => FeedOf::Reports(me),
            (CalendarFeedKind::Department, Some(_)) => {
                let department = feed.department_id.or(standing.facts.department_id);
                department.map_or(FeedOf::Nobody, FeedOf::Department)
            }
        };
        Ok(self.0.leave().feed(&actor, &feed, of).await?)
    }
}

fn usual_name(kind: CalendarFeedKind) -> &'static str {
    match kind {
        CalendarFeedKind::Personal => "My leave",
        CalendarFeedKind::Reports => "Away: my reports",
        CalendarFeedKind::Department => "Away: department",
    }
}

fn user_of(actor: &Actor) -> Result<UserId, CommonError> {
    actor.user_id().ok_or(CommonError::NotFound { what: "user" })
}

fn own(actor: &Actor, feed: CalendarFeed) -> Result<CalendarFeed, CommonError> {
    if actor.user_id() == Some(feed.user_id) { Ok(feed) } else { Err(HIDDEN) }
}

fn record(work: &mut Work, action: &'static str, feed: &CalendarFeed, change: Change) {
    let subject = subject("calendar-feeds", feed.id.as_uuid());
    work.record(Act { action: action.into(), subject, change });
}
