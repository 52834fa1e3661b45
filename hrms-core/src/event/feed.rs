//! The change feed: what happened, page by page, as far as whoever asks may know.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::actor::Actor;
use crate::error::CommonError;
use crate::event::{Event, EventService};
use crate::id::{EventId, UserId};
use crate::policy::{Decision, Details, Grant, Permission, Resource, Scope};
use crate::store::Tx;

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// With the oldest event that is kept.
    #[default]
    Beginning,
    /// Behind the newest: to follow what happens from now on.
    Latest,
    /// Behind this event.
    Event(EventId),
    /// Behind the event with this sequence number.
    Position(i64),
}

/// What to read of the feed.
#[derive(Clone, Debug, Default)]
pub struct FeedQuery {
    /// Where to begin.
    pub since: Since,
    /// Only events of these types.
    pub types: Option<Vec<String>>,
    /// Only events about this.
    pub subject: Option<String>,
    /// At most this many events.
    pub limit: u16,
}

impl FeedQuery {
    fn asks_for(&self, event: &Event) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&event.kind))
            && self.subject.as_ref().is_none_or(|subject| *subject == event.subject)
    }
}

/// A page of the feed.
#[derive(Clone, Debug)]
pub struct FeedPage {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// Where the next page begins: always further than this one began, unless this one was at the end.
    pub position: i64,
    /// Whether there was more to look at when this page was read.
    pub more: bool,
}

/// Events looked at in one go.
const BATCH: u16 = 200;

/// Events looked at for one page; it may stay short then, with a place to go on from.
const LOOKED_AT: usize = 4000;

impl EventService<'_> {
    /// A page of what happened, as far as the actor may receive it; `None` when the log doesn't have the place to
    /// begin, or not any more.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn feed(&self, actor: &Actor, query: &FeedQuery) -> Result<Option<FeedPage>, CommonError> {
        let mut tx = self.0.read(actor).await?;
        let (first, last) = (tx.events().first().await?, tx.events().last().await?);
        let start = match query.since {
            Since::Beginning => Some(first.map_or(last, |first| first - 1)),
            Since::Latest => Some(last),
            Since::Event(event) => tx.events().sequence_of(event).await?,
            Since::Position(position) => {
                let kept = position == last || first.is_some_and(|first| position + 1 >= first);
                (kept && position <= last).then_some(position)
            }
        };
        let Some(mut position) = start else { return Ok(None) };
        let (mut events, mut looked_at) = (Vec::new(), 0);
        while position < last && looked_at < LOOKED_AT {
            let batch = tx.events().after(position, BATCH).await?;
            let Some(end) = batch.last().map(|event| event.sequence) else { break };
            looked_at += batch.len();
            let wanted = batch.into_iter().filter(|event| query.asks_for(event)).collect();
            for event in self.receivable(&mut *tx, actor, wanted).await? {
                if events.len() == usize::from(query.limit) {
                    // The page is full, and there is one more.
                    return Ok(Some(FeedPage { events, position, more: true }));
                }
                position = event.sequence;
                events.push(event);
            }
            position = end;
        }
        Ok(Some(FeedPage { events, position, more: position < last }))
    }

    /// Whether an actor may receive an event: when they may read what it is about.
    ///
    /// Asks storage only for an actor whose grants reach further than the event tells by itself.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn may_receive(&self, actor: &Actor, event: &Event) -> Result<bool, CommonError> {
        if let Some(user) = addressee(event) {
            return Ok(is(actor, user));
        }
        let policy = self.0.policy();
        let narrow = policy.decide(actor, event.permission, &event.resource);
        if narrow == Decision::Allow || !reaches_far(actor, event.permission) {
            return Ok(narrow == Decision::Allow);
        }
        let mut tx = self.0.read(actor).await?;
        Ok(!self.receivable(&mut *tx, actor, vec![event.clone()]).await?.is_empty())
    }

    /// The same in a unit of work.
    ///
    /// # Errors
    /// When storage fails.
    pub(crate) async fn may_receive_in(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        event: &Event,
    ) -> Result<bool, CommonError> {
        Ok(!self.receivable(tx, actor, vec![event.clone()]).await?.is_empty())
    }

    /// Those of the events that an actor may receive, in the same order.
    async fn receivable(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        mut events: Vec<Event>,
    ) -> Result<Vec<Event>, CommonError> {
        let policy = self.0.policy();
        let allows =
            |permission, resource: &Resource| policy.decide(actor, permission, resource) == Decision::Allow;
        // What the event doesn't tell by itself is looked up, for all events of a day at once.
        let mut unsure: BTreeMap<Date, Vec<(i64, Permission, Resource)>> = BTreeMap::new();
        events.retain(|event| {
            if let Some(user) = addressee(event) {
                return is(actor, user);
            }
            let narrow = allows(event.permission, &event.resource);
            if !narrow && reaches_far(actor, event.permission) {
                let on = event.time.to_zoned(TimeZone::UTC).date();
                let facts = (event.sequence, event.permission, event.resource.clone());
                unsure.entry(on).or_default().push(facts);
                return true;
            }
            narrow
        });
        for (on, facts) in &mut unsure {
            self.0.complete(tx, actor, facts.iter_mut().map(|(_, _, resource)| resource), *on).await?;
        }
        let refused =
            unsure.values().flatten().filter(|(_, permission, resource)| !allows(*permission, resource));
        let refused: Vec<i64> = refused.map(|(sequence, _, _)| *sequence).collect();
        events.retain(|event| !refused.contains(&event.sequence));
        Ok(events)
    }
}

/// For whom an event is, if it is for one user and nobody else.
fn addressee(event: &Event) -> Option<UserId> {
    match event.resource.details {
        Details::User(user) => Some(user),
        _ => None,
    }
}

/// Whether an actor is this user: not whoever acts through them.
fn is(actor: &Actor, user: UserId) -> bool {
    actor.user_id() == Some(user) && actor.support().is_none()
}

/// Whether an actor's grants of a permission reach further than an event tells by itself.
fn reaches_far(actor: &Actor, permission: Permission) -> bool {
    let far = |grant: &Grant| {
        grant.permission == permission && matches!(grant.scope, Scope::ReportsTree | Scope::DepartmentTree)
    };
    actor.grants().iter().any(far)
}
