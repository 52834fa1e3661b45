//! The job that checks an organisation's audit log, to be put on a schedule.

use serde::{Deserialize, Serialize};

use crate::job::{Job, JobContext, JobError, JobFault, Outcome};

/// Checks the end of the organisation's audit log, as `AuditService::verify_recent` does, and fails if it isn't as it
/// was written.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditVerifyJob {}

impl Job for AuditVerifyJob {
    const KIND: &'static str = "audit.verify";
    const SCHEDULABLE: bool = true;

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        let found = cx.hrms().audit().verify_recent(cx.actor()).await?;
        if found.intact {
            return Outcome::done(found);
        }
        tracing::error!(tenant = %cx.actor().tenant(), sequence = found.sequence, "an audit log isn't as it was written");
        let fault = JobFault {
            code: "audit.not-intact".to_owned(),
            detail: "the audit log isn't as it was written".to_owned(),
        };
        let work = cx.hrms().begin(cx.actor()).await?;
        cx.commit_failed(work, fault, found).await
    }
}
