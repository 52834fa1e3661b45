//! A request on its way to a handler, and who is behind it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use hrms_core::identity::{Client, Pending, Subject};
use hrms_core::{Actor, Hrms, RequestId, TenantId};
use http::header::USER_AGENT;
use http::request::Parts;

use crate::auth::{Caller, OperatorCaller};
use crate::bearer::subject_of;
use crate::config::Config;
use crate::dispatch::Shared;
use crate::forwarded::client_address;
use crate::problem::Problem;

/// The other end of the connection; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Where the request came from, as far as it is known for certain; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// A request whose body has been read: what handler arguments are made from.
#[derive(Debug)]
pub(crate) struct Input {
    /// Method, address, headers.
    pub(crate) parts: Parts,
    /// The variables of the path, still percent-encoded.
    pub(crate) vars: Vec<(String, String)>,
    /// The body; empty for endpoints that take none.
    pub(crate) body: Bytes,
    /// Its id.
    pub(crate) request: RequestId,
    /// The caller's tenant.
    pub(crate) tenant: Option<TenantId>,
    /// What all requests share.
    pub(crate) shared: Arc<Shared>,
}

impl Input {
    /// The client's address: the other end of the connection, or what trusted proxies say about it.
    pub(crate) fn client_address(&self) -> Option<IpAddr> {
        peer_address(&self.parts, &self.shared.config)
    }
}

/// The client's address: the other end of the connection, or what trusted proxies say about it.
pub(crate) fn peer_address(parts: &Parts, config: &Config) -> Option<IpAddr> {
    let Peer(peer) = parts.extensions.get()?;
    Some(client_address(peer.ip(), &parts.headers, &config.trusted_proxies))
}

/// The first argument of a handler. The row's access decides which one it is.
pub(crate) trait Context: Sized + Send + 'static {
    /// The context of a request by this caller.
    fn of(caller: Caller, input: &mut Input) -> Result<Self, Problem>;
}

/// Context of `requires …` and `signed_in` endpoints: a user acts in a tenant.
#[derive(Debug)]
pub(crate) struct Cx {
    /// The services.
    pub(crate) hrms: Hrms,
    /// Who acts.
    pub(crate) actor: Actor,
}

/// Context of `platform` endpoints: an operator of the service acts, in no tenant.
#[derive(Debug)]
pub(crate) struct PlatformCx {
    /// The services.
    pub(crate) hrms: Hrms,
    /// Who acts.
    pub(crate) operator: OperatorCaller,
    /// What all requests share.
    pub(crate) shared: Arc<Shared>,
}

/// Context of `public` endpoints: anybody may call.
#[derive(Debug)]
pub(crate) struct PublicCx {
    /// The services.
    pub(crate) hrms: Hrms,
    /// The client's address.
    pub(crate) address: Option<IpAddr>,
    /// The request.
    pub(crate) request: RequestId,
    /// What the caller's program calls itself.
    pub(crate) user_agent: Option<String>,
    /// What all requests share.
    pub(crate) shared: Arc<Shared>,
}

/// Context of `known` and `incomplete` endpoints: a user of an organisation or an operator of the service.
#[derive(Debug)]
pub(crate) struct AnyCx {
    /// The services.
    pub(crate) hrms: Hrms,
    /// Who calls; never anonymous, and with an incomplete session only where that is open to it.
    pub(crate) caller: Caller,
    /// The client's address.
    pub(crate) address: Option<IpAddr>,
    /// The request.
    pub(crate) request: RequestId,
    /// What all requests share.
    pub(crate) shared: Arc<Shared>,
}

/// The refusal of a request without a credential where one is needed.
pub(crate) fn credential_missing() -> Problem {
    Problem::unauthenticated("auth.credential-missing", "this needs a bearer token")
}

/// The refusal of a caller of the wrong sort: an operator in a tenant, a user on the platform.
pub(crate) fn wrong_caller() -> Problem {
    Problem::new(http::StatusCode::FORBIDDEN, "common.forbidden", "this isn't open to this kind of user")
}

/// The refusal of somebody whose session lacks something.
pub(crate) fn incomplete(pending: &[Pending]) -> Problem {
    if pending.contains(&Pending::Otp) {
        let detail = "pass the second factor first: POST /api/v1/auth/second-factor";
        let problem = Problem::new(http::StatusCode::FORBIDDEN, "auth.second-factor-required", detail);
        return problem.with_pending(pending);
    }
    let detail = "do first what `pending` names";
    Problem::new(http::StatusCode::FORBIDDEN, "auth.incomplete", detail).with_pending(pending)
}

impl AnyCx {
    /// The caller's session, for endpoints that are about it.
    pub(crate) fn subject(&self) -> Result<Subject, Problem> {
        subject_of(&self.caller).ok_or_else(|| {
            Problem::new(http::StatusCode::CONFLICT, "auth.no-session", "this credential has no session")
        })
    }

    /// From where it calls.
    pub(crate) fn client(&self) -> Client {
        Client { address: self.address, user_agent: None, request: Some(self.request) }
    }

    /// Forgets what is remembered of the session: it has just changed.
    pub(crate) fn forget(&self, subject: &Subject) {
        self.shared.authenticate.forget(subject);
    }
}

/// The refusal of an operator who acts through somebody's rights.
pub(crate) fn barred_to_support() -> Problem {
    let detail = "this isn't open to operators of the service who act through somebody's rights";
    Problem::new(http::StatusCode::FORBIDDEN, "support.barred", detail)
}

impl Context for Cx {
    fn of(caller: Caller, input: &mut Input) -> Result<Self, Problem> {
        match caller {
            Caller::User(actor) => Ok(Self { hrms: input.shared.hrms.clone(), actor }),
            Caller::Operator(_) => Err(wrong_caller()),
            Caller::Incomplete(caller) => Err(incomplete(&caller.pending)),
            Caller::Anonymous => Err(credential_missing()),
        }
    }
}

impl Context for PlatformCx {
    fn of(caller: Caller, input: &mut Input) -> Result<Self, Problem> {
        match caller {
            Caller::Operator(operator) => {
                Ok(Self { hrms: input.shared.hrms.clone(), operator, shared: Arc::clone(&input.shared) })
            }
            Caller::User(_) => Err(wrong_caller()),
            Caller::Incomplete(caller) => Err(incomplete(&caller.pending)),
            Caller::Anonymous => Err(credential_missing()),
        }
    }
}

impl Context for PublicCx {
    fn of(_: Caller, input: &mut Input) -> Result<Self, Problem> {
        let user_agent = input.parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Ok(Self {
            hrms: input.shared.hrms.clone(),
            address: input.client_address(),
            request: input.request,
            user_agent: user_agent.map(str::to_owned),
            shared: Arc::clone(&input.shared),
        })
    }
}

impl Context for AnyCx {
    fn of(caller: Caller, input: &mut Input) -> Result<Self, Problem> {
        match caller {
            Caller::User(_) | Caller::Operator(_) | Caller::Incomplete(_) => Ok(Self {
                hrms: input.shared.hrms.clone(),
                caller,
                address: input.client_address(),
                request: input.request,
                shared: Arc::clone(&input.shared),
            }),
            Caller::Anonymous => Err(credential_missing()),
        }
    }
}
