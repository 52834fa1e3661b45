//! A background job of your own: it exists if and only if the change that asked for it was committed.
//!
//! Opening an office enqueues a job that prints its door sign. A change that is dropped leaves no job; a job
//! that fails is tried again.
//!
//! Run it with `cargo run -p hrms-examples --bin custom_job`.
#![expect(clippy::print_stdout, reason = "an example tells its story")]

use std::error::Error;
use std::sync::Arc;

use hrms_core::audit::Change;
use hrms_core::event::{NewEvent, subject};
use hrms_core::jiff::SignedDuration;
use hrms_core::job::{EnqueueOptions, Job, JobContext, JobError, JobRegistry, Outcome, run_until_idle};
use hrms_core::location::Location;
use hrms_core::organization::{NewAdmin, NewOrganization};
use hrms_core::{
    Actor, Cause, Clock, FixedClock, Hrms, JobId, LocationId, Operator, Permission, RequestId, Resource,
    Role, SystemClock, Version, Who, Work,
};
use hrms_store::SqlStore;
use serde::{Deserialize, Serialize};

/// Prints the sign for an office's door. The fields are the payload: they are stored as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct PrintDoorSign {
    location_id: LocationId,
}

impl Job for PrintDoorSign {
    const KIND: &'static str = "example.print-door-sign";
    const MAX_ATTEMPTS: u16 = 3;

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        // A job acts as the user who asked for it, with the rights of that user. `?` on a refusal ends the
        // job for good; on an outage it is tried again.
        let office = cx.hrms().locations().get(cx.actor(), self.location_id).await?;
        if cx.attempt() == 1 {
            println!("  attempt 1: the printer is out of paper");
            return Err(JobError::retry(std::io::Error::other("out of paper")));
        }
        println!("  attempt {}: printed \"{}\"", cx.attempt(), office.name);
        Outcome::done(serde_json::json!({ "pages": 1 }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A clock that we move: nobody waits here until the second attempt is due.
    let clock = Arc::new(FixedClock::at(SystemClock.now()));
    let hrms = Hrms::builder(SqlStore::sqlite_memory().await?).clock(clock.clone()).build();
    let admin = organization(&hrms).await?;
    // Which jobs a worker knows. The server's worker runs them by itself; here we run them by hand.
    let registry = JobRegistry::empty().with::<PrintDoorSign>();

    let mut work = hrms.begin(&admin).await?;
    open_office(&mut work, "Pune").await?;
    drop(work); // neither the office nor the job was ever there
    println!("dropped change: {} runs", run_until_idle(&hrms, &registry).await?);

    let mut work = hrms.begin(&admin).await?;
    let job = open_office(&mut work, "Dublin").await?;
    work.commit(()).await?;
    println!("committed change:");
    run_until_idle(&hrms, &registry).await?;
    show(&hrms, &admin, job).await?;

    clock.advance(SignedDuration::from_mins(5));
    run_until_idle(&hrms, &registry).await?;
    show(&hrms, &admin, job).await
}

/// A change of one's own: rows, an event and a job, in one unit of work.
async fn open_office(work: &mut Work, city: &str) -> Result<JobId, Box<dyn Error>> {
    // Services check permissions; who writes through repositories does so first.
    work.hrms().require(work.actor(), Permission::LocationManage, &Resource::organization())?;
    let office = Location {
        id: LocationId::from_uuid(work.hrms().ids().next()),
        code: city.to_uppercase(),
        name: format!("{city} office"),
        time_zone: "Etc/UTC".into(),
        created_at: work.now(),
        updated_at: work.now(),
        version: Version::FIRST,
    };
    work.locations().insert(&office).await?;
    work.emit(NewEvent {
        kind: "location.created",
        subject: subject("locations", office.id.as_uuid()),
        data: serde_json::json!({ "location_id": office.id }),
        change: Change::created(&office),
        permission: Permission::LocationRead,
        resource: Resource::organization(),
    });
    let sign = PrintDoorSign { location_id: office.id };
    Ok(work.enqueue(&sign, EnqueueOptions::default()).await?)
}

async fn show(hrms: &Hrms, actor: &Actor, id: JobId) -> Result<(), Box<dyn Error>> {
    let job = hrms.jobs().get(actor, id).await?;
    let result = job.result.map(|result| result.to_string());
    println!("  the job is {}; result: {}", job.state.code(), result.as_deref().unwrap_or("none yet"));
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
