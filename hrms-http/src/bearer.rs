//! Who calls, by an access token of ours: the token's signature, and what its session is worth right now.

mod cache;

use async_trait::async_trait;
use hrms_core::actor::{Channel, Context, Support};
use hrms_core::api_key::looks_like_a_key;
use hrms_core::identity::Subject;
use hrms_core::jiff::{SignedDuration, Timestamp};
use hrms_core::{Actor, Cause, Hrms, RequestId, SessionId, Who};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use sha2::{Digest, Sha256};

use crate::auth::{AuthError, Authenticate, Caller, IncompleteCaller, OperatorCaller};
use crate::request::ClientAddress;
use crate::token::{Refusal, Tokens, Verified};
use cache::Cache;

/// How long a session's standing is believed before it is looked up again: with it, what was revoked on
/// another node ends within 5 seconds.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_secs(3);
/// Tokens and sessions that are remembered.
const REMEMBERED: usize = 20_000;

/// Authenticates by `Authorization: Bearer <access token>`, and issues those tokens at log-in.
///
/// A request with a token that was seen before costs no signature check, and no look into the database
/// when its session was looked up in the last 3 seconds.
#[derive(Debug)]
pub struct BearerAuth {
    hrms: Hrms,
    tokens: Tokens,
    verified: Cache<String, Verified>,
    /// Good API keys, by digest: their text isn't kept.
    keys: Cache<[u8; 32], Actor>,
    /// By everything that a token says, not by session alone: its claims must all be true together.
    callers: Cache<(Subject, Option<Support>), Option<Caller>>,
}

impl BearerAuth {
    /// Authenticates sessions of this HR system.
    #[must_use]
    pub fn new(hrms: Hrms, tokens: Tokens) -> Self {
        Self {
            hrms,
            tokens,
            verified: Cache::new(REMEMBERED),
            callers: Cache::new(REMEMBERED),
            keys: Cache::new(REMEMBERED),
        }
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<(Subject, Option<Support>), AuthError> {
        if let Some(known) = self.verified.get(token, now) {
            return Ok((known.subject, known.support));
        }
        let verified = self.tokens.verify(token, now).map_err(|refusal| match refusal {
            Refusal::Invalid => invalid(),
            Refusal::Expired => AuthError::Refused {
                code: "auth.token-expired",
                detail: "the access token has expired; refresh it",
            },
        })?;
        self.verified.insert(token.to_owned(), verified, now, verified.expires_at);
        Ok((verified.subject, verified.support))
    }

    /// The program that holds an API key.
    async fn program(
        &self,
        key: &str,
        parts: &Parts,
        request: RequestId,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        let digest: [u8; 32] = Sha256::digest(key).into();
        if let Some(known) = self.keys.get(&digest, now) {
            return Ok(Caller::User(known.in_request(request)));
        }
        let address = parts.extensions.get::<ClientAddress>().map(|ClientAddress(address)| *address);
        let holder = self.hrms.api_keys().holder(key, address).await?;
        let holder = holder.ok_or(AuthError::Refused {
            code: "auth.api-key-invalid",
            detail: "this is not a valid API key, or not any more",
        })?;
        let actor = holder.actor(Cause::Request, request);
        let until = now.saturating_add(BELIEVED_FOR).unwrap_or(now);
        self.keys.insert(digest, actor.clone(), now, until);
        Ok(Caller::User(actor))
    }

    /// What the session is worth in the store, as a caller.
    async fn look_up(
        &self,
        (subject, support): (Subject, Option<Support>),
        request: RequestId,
    ) -> Result<Option<Caller>, AuthError> {
        if let Some(support) = support {
            return self.look_up_support(subject, support, request).await;
        }
        let identity = self.hrms.identity();
        let Some(state) = identity.session(&subject).await? else {
            return Ok(None);
        };
        let Subject { tenant, user, session } = subject;
        let (pending, confirmed_at) = (state.pending(), state.confirmed_at);
        if !pending.is_empty() {
            return Ok(Some(Caller::Incomplete(IncompleteCaller {
                subject,
                pending,
                confirmed_at,
                request,
            })));
        }
        let Some(tenant) = tenant else {
            return Ok(Some(Caller::Operator(OperatorCaller {
                user,
                session: Some(session),
                confirmed_at,
                request,
                address: None,
            })));
        };
        let standing = identity.standing(tenant, user, session).await?;
        Ok(standing.map(|standing| {
            let who = Who::User { user, session: Some(session), employee: standing.employee };
            let actor =
                Actor::with_grants(tenant, who, standing.roles, standing.grants, Cause::Request, request);
            let mut context = Context::default();
            context.confirmed_at = confirmed_at;
            context.second_factor = state.second_factor_at.is_some();
            context.channel = Channel::Api;
            let actor = actor.with_facts(standing.facts).also_counting_as(standing.counts_as);
            Caller::User(actor.with_context(context))
        }))
    }
}

impl BearerAuth {
    /// What a grant of support access is worth in the store, as a caller.
    async fn look_up_support(
        &self,
        subject: Subject,
        support: Support,
        request: RequestId,
    ) -> Result<Option<Caller>, AuthError> {
        let Subject { tenant: Some(tenant), user, session } = subject else { return Ok(None) };
        let standing = self.hrms.support().standing(&subject, support).await?;
        Ok(standing.map(|standing| {
            let who = Who::User { user, session: Some(session), employee: standing.employee };
            let actor =
                Actor::with_grants(tenant, who, standing.roles, standing.grants, Cause::Request, request);
            let actor = actor.with_facts(standing.facts).also_counting_as(standing.counts_as);
            Caller::User(actor.with_support(support))
        }))
    }
}

#[async_trait]
impl Authenticate for BearerAuth {
    async fn authenticate(&self, parts: &Parts, request: RequestId) -> Result<Caller, AuthError> {
        let Some(token) = bearer(&parts.headers)? else {
            return Ok(Caller::Anonymous);
        };
        let now = self.hrms.clock().now();
        if looks_like_a_key(token) {
            return self.program(token, parts, request, now).await;
        }
        let subject = self.verify(token, now)?;
        let caller = match self.callers.get(&subject, now) {
            Some(known) => known.map(|caller| in_request(caller, request)),
            None => {
                let caller = self.look_up(subject, request).await?;
                // Who lacks something may have done it on another node: they are looked up each time.
                if !matches!(caller, Some(Caller::Incomplete(_))) {
                    let until = now.saturating_add(BELIEVED_FOR).unwrap_or(now);
                    self.callers.insert(subject, caller.clone(), now, until);
                }
                caller
            }
        };
        caller.ok_or(AuthError::Refused {
            code: "auth.session-ended",
            detail: "the session has ended; log in again",
        })
    }

    fn tokens(&self) -> Option<&Tokens> {
        Some(&self.tokens)
    }

    fn forget(&self, subject: &Subject) {
        self.callers.remove(&(*subject, None));
    }
}

/// The same caller in another request.
fn in_request(caller: Caller, request: RequestId) -> Caller {
    match caller {
        Caller::User(actor) => Caller::User(actor.in_request(request)),
        Caller::Operator(operator) => Caller::Operator(OperatorCaller { request, ..operator }),
        Caller::Incomplete(incomplete) => Caller::Incomplete(IncompleteCaller { request, ..incomplete }),
        Caller::Anonymous => Caller::Anonymous,
    }
}

fn invalid() -> AuthError {
    AuthError::Refused { code: "auth.token-invalid", detail: "this is not a valid access token" }
}

/// The bearer token of a request that carries exactly one credential.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid());
    }
    let value = value.to_str().map_err(|_| invalid())?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => {
            Ok(Some(token))
        }
        _ => Err(invalid()),
    }
}

/// Whether a subject is of this session; for callers who know only that.
#[must_use]
pub(crate) fn subject_of(caller: &Caller) -> Option<Subject> {
    let (tenant, user, session): (_, _, Option<SessionId>) = match caller {
        Caller::User(actor) => (Some(actor.tenant()), actor.user_id()?, actor.session()),
        Caller::Operator(operator) => (None, operator.user, operator.session),
        Caller::Incomplete(incomplete) => return Some(incomplete.subject),
        Caller::Anonymous => return None,
    };
    Some(Subject { tenant, user, session: session? })
}
