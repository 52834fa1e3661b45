//! The server: connections around [`dispatch`](crate::dispatch).

use std::sync::Arc;

use hrms_core::Hrms;
use tokio::sync::{Semaphore, watch};
use utoipa::openapi::OpenApi;

use crate::TABLES;
use crate::api::{Api, BuildError};
use crate::auth::Authenticate;
use crate::config::Config;
use crate::dispatch::Shared;
use crate::endpoint::Endpoint;
use crate::idempotency::RunningKeys;

/// The HTTP API over an HR system.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    /// Puts the API together.
    ///
    /// # Errors
    /// [`BuildError`]: a setting that makes no sense, or a defect of this crate.
    pub fn new(
        hrms: Hrms,
        authenticate: impl Authenticate + 'static,
        config: Config,
    ) -> Result<Self, BuildError> {
        Self::with_tables(hrms, authenticate, config, TABLES.iter().copied())
    }

    pub(crate) fn with_tables(
        hrms: Hrms,
        authenticate: impl Authenticate + 'static,
        config: Config,
        tables: impl IntoIterator<Item = &'static [Endpoint]>,
    ) -> Result<Self, BuildError> {
        let shared = Shared {
            hrms,
            api: Api::new(tables)?,
            authenticate: Box::new(authenticate),
            uploads: Arc::new(Semaphore::new(config.uploads_at_once)),
            config,
            running_keys: RunningKeys::default(),
            stopping: watch::channel(false).0,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}

/// The OpenAPI document of the whole API.
///
/// # Errors
/// [`BuildError`] for a defect of this crate.
pub fn openapi() -> Result<OpenApi, BuildError> {
    Ok(Api::new(TABLES.iter().copied())?.document().clone())
}
