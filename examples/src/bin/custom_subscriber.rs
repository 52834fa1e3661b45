//! A subscriber of your own: each event has its effect once, also when the process dies in between.
//!
//! Opening an office emits an event; the subscriber orders a plant for each, by a job that is written with its position.
//!
//! Run it with `cargo run -p hrms-examples --bin custom_subscriber`.
#![expect(clippy::print_stdout, reason = "an example tells its story")]

use std::error::Error;

use hrms_core::event::{Event, Subscriber};
use hrms_core::job::{EnqueueOptions, Job, JobContext, JobError, JobRegistry, Outcome, run_until_idle};
use hrms_core::location::NewLocation;
use hrms_core::organization::{NewAdmin, NewOrganization};
use hrms_core::{Actor, Cause, Hrms, Operator, RequestId, Role, Who, Work};
use hrms_store::SqlStore;
use serde::{Deserialize, Serialize};

/// Orders a plant for each new office.
struct Plants;

impl Subscriber for Plants {
    const NAME: &'static str = "example.plants";
    const TYPES: Option<&'static [&'static str]> = Some(&["location.created"]);

    async fn handle(&self, work: &mut Work, events: &[Event]) -> Result<(), JobError> {
        for event in events {
            println!("  event {}: {}", event.sequence, event.kind);
            // Written with the position in the log: the order is there once, or the event comes again.
            work.enqueue(&OrderPlant { reason: event.kind.clone() }, EnqueueOptions::default()).await?;
        }
        Ok(())
    }
}

/// What reaches outside is a job: it may run again, so it should be harmless when it does.
#[derive(Debug, Serialize, Deserialize)]
struct OrderPlant {
    reason: String,
}

impl Job for OrderPlant {
    const KIND: &'static str = "example.order-plant";

    async fn run(&self, _: &JobContext) -> Result<Outcome, JobError> {
        println!("  one plant ordered");
        Outcome::done(serde_json::json!({}))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hrms = Hrms::new(SqlStore::sqlite_memory().await?);
    let admin = organization(&hrms).await?;
    // The server's worker drives this by itself; here we run it by hand.
    let registry = JobRegistry::empty().with::<OrderPlant>().with_subscriber(Plants);
    for city in ["Pune", "Dublin"] {
        let new = NewLocation {
            code: city.to_uppercase(),
            name: format!("{city} office"),
            time_zone: "Etc/UTC".into(),
        };
        hrms.locations().create(&admin, new).await?;
    }
    println!("two offices:");
    run_until_idle(&hrms, &registry).await?;
    println!("nothing new: {} runs", run_until_idle(&hrms, &registry).await?);
    Ok(())
}

/// Creates an organisation; gives its first user, as an actor.
async fn organization(hrms: &Hrms) -> Result<Actor, Box<dyn Error>> {
    let request = RequestId::from_uuid(hrms.ids().next());
    let admin = NewAdmin { email: "admin@acme.example".into(), name: "Ada Min".into(), password: None };
    let new = NewOrganization { slug: "acme".into(), name: "Acme Ltd".into(), admin };
    let created = hrms.organizations().create(&Operator::command(request), new).await?;
    let who = Who::User { user: created.admin.id, session: None, employee: None };
    Ok(Actor::user(created.organization.id, who, &[Role::Admin], Cause::Embedder, request))
}
