//! What the promises start from.

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::Event;
use crate::id::{EventId, IdSource, LocationId, RandomIds, RequestId, TenantId};
use crate::location::Location;
use crate::organization::{Organization, OrganizationStatus};
use crate::policy::{Permission, Resource};
use crate::store::{Directory, Store, Version};

/// A store that can be put under contract.
pub trait Subject: Store + Directory {}
impl<T: Store + Directory> Subject for T {}

/// A new id.
#[must_use]
pub fn id() -> Uuid {
    RandomIds.next()
}

/// A fixed instant with microseconds, offset by some seconds.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_microsecond(1_790_000_000_123_456 + seconds * 1_000_000).unwrap()
}

/// A new organisation in the store.
pub async fn tenant(store: &impl Subject) -> TenantId {
    let id = TenantId::from_uuid(id());
    let organization = Organization {
        id,
        slug: format!("org-{}", id.as_uuid().simple()),
        name: "Contract Ltd".into(),
        status: OrganizationStatus::Active,
        second_factor_required_for: Vec::new(),
        closing: None,
        support_access_allowed: true,
        time_zone: "UTC".to_owned(),
        language: "en".to_owned(),
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    };
    store.insert_organization(&organization).await.unwrap();
    id
}

/// A location that isn't stored yet.
#[must_use]
pub fn location(code: &str) -> Location {
    Location {
        id: LocationId::from_uuid(id()),
        code: code.into(),
        name: format!("Office {code}"),
        time_zone: "Asia/Kolkata".into(),
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// An event that isn't stored yet.
#[must_use]
pub fn event(kind: &str) -> Event {
    Event {
        sequence: 0,
        id: EventId::from_uuid(id()),
        kind: kind.into(),
        time: at(0),
        subject: format!("things/{kind}"),
        data: serde_json::json!({ "n": 1 }),
        permission: Permission::LeaveRead,
        resource: Resource::organization(),
        caused_by: None,
        request: RequestId::from_uuid(id()),
    }
}

/// Runs futures side by side, on any runtime; their results in order.
pub async fn all_at_once<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, result) in &mut running {
            if result.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *result = Some(ready);
            }
        }
        if running.iter().all(|(_, result)| result.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    running.into_iter().filter_map(|(_, result)| result).collect()
}
