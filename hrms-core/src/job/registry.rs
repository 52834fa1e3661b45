//! Which kinds of jobs a worker can run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::event::Subscriber;
use crate::event::subscriber::Consumer;
use crate::job::{Job, JobContext, JobError, JobFault, JobKind, Outcome};

/// From a kind's name to what runs it. Cheap to clone.
#[derive(Clone, Default)]
pub struct JobRegistry {
    runners: Arc<BTreeMap<&'static str, Arc<dyn Runner>>>,
    consumers: Arc<Vec<Arc<dyn Consumer>>>,
}

impl fmt::Debug for JobRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.runners.keys()).finish()
    }
}

impl JobRegistry {
    /// Every kind that this library brings along.
    #[must_use]
    pub fn standard() -> Self {
        Self::empty()
            .with::<crate::approval::FollowCase>()
            .with::<crate::approval::FollowEmployee>()
            .with::<crate::audit::AuditVerifyJob>()
            .with::<crate::import::ImportJob>()
            .with::<crate::invitation::InvitationMail>()
            .with::<crate::leave::AccrueLeave>()
            .with::<crate::leave::RecountLeave>()
            .with::<crate::notification::DeliverNotifications>()
            .with::<crate::webhook::DeliverWebhooks>()
            .with_subscriber(crate::approval::FollowPeople)
            .with_subscriber(crate::notification::Notifications)
            .with_subscriber(crate::webhook::Webhooks)
    }

    /// No kinds; for those who want to choose.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds a kind.
    #[must_use]
    pub fn with<J: Job>(mut self) -> Self {
        Arc::make_mut(&mut self.runners).insert(J::KIND, Arc::new(Typed::<J>(std::marker::PhantomData)));
        self
    }

    /// Adds a subscriber to events, and the kind of job that it runs as.
    #[must_use]
    pub fn with_subscriber(mut self, subscriber: impl Subscriber) -> Self {
        let consumer: Arc<dyn Consumer> = Arc::new(subscriber);
        Arc::make_mut(&mut self.runners).insert(consumer.name(), Arc::new(Consuming(Arc::clone(&consumer))));
        Arc::make_mut(&mut self.consumers).push(consumer);
        self
    }

    /// The subscribers to events.
    pub(crate) fn consumers(&self) -> &[Arc<dyn Consumer>] {
        &self.consumers
    }

    /// The kinds, in the order of their names.
    #[must_use]
    pub fn kinds(&self) -> Vec<JobKind> {
        self.runners.values().map(|runner| runner.kind()).collect()
    }

    /// The kind with this name.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<JobKind> {
        self.runners.get(name).map(|runner| runner.kind())
    }

    /// Whether a payload that the present version of a kind wrote can be decoded.
    ///
    /// # Errors
    /// [`JobError::GiveUp`] that says what is wrong.
    pub fn check(&self, kind: &str, payload: &Value) -> Result<(), JobError> {
        match self.runners.get(kind) {
            Some(runner) => runner.check(payload.clone()),
            None => Err(unknown_kind()),
        }
    }

    /// Decodes and runs a job whose payload was written by this version of its kind.
    pub(crate) async fn run(
        &self,
        kind: &str,
        version: u16,
        payload: Value,
        cx: &JobContext,
    ) -> Result<Outcome, JobError> {
        match self.runners.get(kind) {
            Some(runner) => runner.run(version, payload, cx).await,
            None => Err(unknown_kind()),
        }
    }
}

fn unknown_kind() -> JobError {
    JobError::GiveUp(JobFault {
        code: "job.unknown-kind".to_owned(),
        detail: "this worker can't run jobs of this kind".to_owned(),
    })
}

#[async_trait]
trait Runner: Send + Sync {
    fn kind(&self) -> JobKind;
    fn check(&self, payload: Value) -> Result<(), JobError>;
    async fn run(&self, version: u16, payload: Value, cx: &JobContext) -> Result<Outcome, JobError>;
}

struct Typed<J>(std::marker::PhantomData<fn() -> J>);

fn decoded<J: Job>(payload: Value) -> Result<J, JobError> {
    serde_json::from_value(payload).map_err(|error| {
        JobError::GiveUp(JobFault { code: "job.bad-payload".to_owned(), detail: error.to_string() })
    })
}

#[async_trait]
impl<J: Job> Runner for Typed<J> {
    fn kind(&self) -> JobKind {
        JobKind::of::<J>()
    }

    fn check(&self, payload: Value) -> Result<(), JobError> {
        decoded::<J>(payload).map(|_| ())
    }

    async fn run(&self, version: u16, payload: Value, cx: &JobContext) -> Result<Outcome, JobError> {
        let payload = if version < J::VERSION { J::upgrade(payload, version)? } else { payload };
        decoded::<J>(payload)?.run(cx).await
    }
}

struct Consuming(Arc<dyn Consumer>);

#[async_trait]
impl Runner for Consuming {
    fn kind(&self) -> JobKind {
        JobKind::unlimited(self.0.name())
    }

    fn check(&self, _: Value) -> Result<(), JobError> {
        Ok(())
    }

    async fn run(&self, _: u16, _: Value, cx: &JobContext) -> Result<Outcome, JobError> {
        self.0.run(cx).await
    }
}
