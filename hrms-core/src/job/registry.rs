//! Which kinds of jobs a worker can run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::job::{Job, JobContext, JobError, JobFault, Outcome};

/// From a kind's name to what runs it. Cheap to clone.
#[derive(Clone, Default)]
pub struct JobRegistry {
    runners: Arc<BTreeMap<&'static str, Arc<dyn Runner>>>,
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
        Self::empty().with::<crate::import::ImportJob>().with::<crate::invitation::InvitationMail>()
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

    /// The names of the kinds.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        self.runners.keys().copied().collect()
    }

    /// Decodes and runs a job.
    pub(crate) async fn run(&self, kind: &str, payload: Value, cx: &JobContext) -> Result<Outcome, JobError> {
        match self.runners.get(kind) {
            Some(runner) => runner.run(payload, cx).await,
            None => Err(JobError::GiveUp(JobFault {
                code: "job.unknown-kind".to_owned(),
                detail: "this worker can't run jobs of this kind".to_owned(),
            })),
        }
    }
}

#[async_trait]
trait Runner: Send + Sync {
    async fn run(&self, payload: Value, cx: &JobContext) -> Result<Outcome, JobError>;
}

struct Typed<J>(std::marker::PhantomData<fn() -> J>);

#[async_trait]
impl<J: Job> Runner for Typed<J> {
    async fn run(&self, payload: Value, cx: &JobContext) -> Result<Outcome, JobError> {
        let job: J = serde_json::from_value(payload).map_err(|error| {
            JobError::GiveUp(JobFault { code: "job.bad-payload".to_owned(), detail: error.to_string() })
        })?;
        job.run(cx).await
    }
}
