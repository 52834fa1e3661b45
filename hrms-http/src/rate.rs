//! How often requests are taken, and the headers that say so (`RateLimit` and `RateLimit-Policy`, structured
//! fields after draft-ietf-httpapi-ratelimit-headers).

use std::fmt::Write;
use std::net::IpAddr;

use hrms_core::rate_limit::{Charge, Left, Network, Quota, RateKey, Taken};
use hrms_core::{Actor, Hrms, Who};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::auth::{Caller, IncompleteCaller};
use crate::problem::Problem;

pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How often requests are taken; `None` means as often as they come.
///
/// The defaults stop what runs away and nothing else. An installation that knows its users sets them lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rates {
    /// From one address (IPv6: from one /64), before it is known who calls. Default 600,000 a minute.
    pub address: Option<Quota>,
    /// By one user, or with one API key, from wherever. Default 600,000 a minute.
    pub user: Option<Quota>,
    /// By all users of one organisation together. Default 1,200,000 a minute.
    pub organization: Option<Quota>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            address: Some(Quota::new(600_000, 60)),
            user: Some(Quota::new(600_000, 60)),
            organization: Some(Quota::new(1_200_000, 60)),
        }
    }
}

/// What one request was charged, for its answer's headers.
#[derive(Debug, Default)]
pub(crate) struct Meter(Vec<(&'static str, Quota, Left)>);

impl Meter {
    /// Charges the client's address.
    ///
    /// `strictly`: the request carries a credential to be tried, and mustn't go on uncounted.
    pub(crate) async fn charge_address(
        &mut self,
        hrms: &Hrms,
        rates: &Rates,
        address: IpAddr,
        strictly: bool,
    ) -> Result<(), Problem> {
        let Some(quota) = rates.address else { return Ok(()) };
        let charge = Charge { key: RateKey::Address(Network::of(address)), quota };
        self.charge(hrms, &[charge], strictly).await
    }

    /// Charges whoever calls.
    pub(crate) async fn charge_caller(
        &mut self,
        hrms: &Hrms,
        rates: &Rates,
        caller: &Caller,
    ) -> Result<(), Problem> {
        let keys = match caller {
            Caller::Anonymous => return Ok(()),
            Caller::User(actor) => [own_key(actor), Some(RateKey::Organization(actor.tenant()))],
            Caller::Operator(operator) => [Some(RateKey::User(None, operator.user)), None],
            Caller::Incomplete(IncompleteCaller { subject, .. }) => {
                [Some(RateKey::User(subject.tenant, subject.user)), subject.tenant.map(RateKey::Organization)]
            }
        };
        let quotas = [rates.user, rates.organization];
        let charges = keys.into_iter().zip(quotas).filter_map(|pair| match pair {
            (Some(key), Some(quota)) => Some(Charge { key, quota }),
            _ => None,
        });
        let charges: Vec<Charge> = charges.collect();
        if charges.is_empty() {
            return Ok(());
        }
        self.charge(hrms, &charges, false).await
    }

    async fn charge(&mut self, hrms: &Hrms, charges: &[Charge], strictly: bool) -> Result<(), Problem> {
        let (limits, now) = (hrms.rate_limits(), hrms.clock().now());
        let taken = match strictly {
            true => limits.take_strictly(charges, now).await.map_err(hrms_core::CommonError::from)?,
            false => limits.take(charges, now).await,
        };
        match taken {
            Taken::All(left) => {
                let charged = charges.iter().zip(left);
                self.0.extend(charged.map(|(charge, left)| (policy(&charge.key), charge.quota, left)));
                Ok(())
            }
            Taken::Nothing { short, wait } => {
                let Some(charge) = charges.get(short) else {
                    return Err(Problem::internal("a rate limiter named a charge that there isn't"));
                };
                let policy = policy(&charge.key);
                self.0.push((policy, charge.quota, Left { remaining: 0, reset: wait }));
                Err(limited(policy, wait))
            }
        }
    }

    /// Says in the answer's headers what there is and what is left.
    pub(crate) fn show(&self, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        let (mut policies, mut limits) = (String::with_capacity(96), String::with_capacity(96));
        for (at, (name, quota, left)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            // Writing into a string can't fail.
            let _ = write!(policies, "{comma}\"{name}\";q={};w={}", quota.tokens(), quota.seconds());
            let _ = write!(limits, "{comma}\"{name}\";r={};t={}", left.remaining, left.reset);
        }
        if let (Ok(policies), Ok(limits)) = (HeaderValue::try_from(policies), HeaderValue::try_from(limits)) {
            headers.insert(RATE_LIMIT_POLICY, policies);
            headers.insert(RATE_LIMIT, limits);
        }
    }
}

/// What is counted for the actor alone; the system has nothing but the organisation's share.
fn own_key(actor: &Actor) -> Option<RateKey> {
    match *actor.who() {
        Who::User { user, .. } => Some(RateKey::User(Some(actor.tenant()), user)),
        Who::Service { key, .. } => Some(RateKey::ApiKey(actor.tenant(), key)),
        _ => None,
    }
}

/// The name of a quota, as clients see it.
fn policy(key: &RateKey) -> &'static str {
    match key {
        RateKey::Address(_) => "address",
        RateKey::User(..) => "user",
        RateKey::ApiKey(..) => "api-key",
        RateKey::Organization(_) => "organization",
        _ => "other",
    }
}

fn limited(policy: &str, wait: u32) -> Problem {
    let whose = match policy {
        "address" => "from this address",
        "user" => "by this user",
        "api-key" => "with this API key",
        _ => "by this organisation",
    };
    let detail = format!("too many requests {whose}; try again in {wait} seconds");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "http.rate-limited", detail).with_retry_after(wait)
}
