//! `hrms-server worker`: the background jobs without the API, until a signal ends them.

use crate::cli::Failure;
use crate::command::serve::stopped;
use crate::config::Config;
use crate::start;
use crate::worker::Background;

/// Runs it.
///
/// # Errors
/// When the configuration names something that can't be opened, or no workers.
pub async fn run(config: Config) -> Result<(), Failure> {
    if config.workers == 0 {
        return Err(Failure::new("workers is 0: nothing would be done; set HRMS_WORKERS"));
    }
    let (hrms, store) = start::hrms(&config).await?;
    // Before anybody can know that it runs: a signal from now on ends it in order.
    let stop = stopped();
    let background = Background::start(hrms, start::jobs(), config.workers, config.job_retention);
    tracing::info!("running background jobs, {} at a time", config.workers);
    stop.await;
    background.stop().await;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}
