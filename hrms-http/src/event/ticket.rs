//! Tickets: a credential that a browser can put into an address, because it is good once and for seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hrms_core::CommonError;
use http::HeaderValue;
use tokio::time::Instant;

use crate::problem::Problem;

/// How long a ticket is good for.
pub(super) const GOOD_FOR: Duration = Duration::from_secs(30);

/// Tickets at the same time; more are told to come back.
const MOST: usize = 10_000;

/// Unused tickets of one credential at the same time, so that nobody can use up what there is for all.
const MOST_OF_ONE: usize = 20;

/// The tickets of this process: who connects must come to the node that gave the ticket.
#[derive(Debug, Default)]
pub(super) struct Tickets(Mutex<HashMap<String, Ticket>>);

struct Ticket {
    credential: HeaderValue,
    until: Instant,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl Tickets {
    /// A new ticket that stands for a credential.
    pub(super) fn issue(&self, credential: HeaderValue) -> Result<String, Problem> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(Problem::internal)?;
        let text = URL_SAFE_NO_PAD.encode(random);
        let now = Instant::now();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, ticket| ticket.until > now);
        let own = tickets.values().filter(|ticket| ticket.credential == credential).count();
        if own >= MOST_OF_ONE || tickets.len() >= MOST {
            return Err(CommonError::Busy.into());
        }
        tickets.insert(text.clone(), Ticket { credential, until: now + GOOD_FOR });
        Ok(text)
    }

    /// The credential that a ticket stands for, once.
    pub(super) fn redeem(&self, text: &str) -> Option<HeaderValue> {
        self.redeem_at(text, Instant::now())
    }

    fn redeem_at(&self, text: &str, now: Instant) -> Option<HeaderValue> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = tickets.remove(text)?;
        (ticket.until > now).then_some(ticket.credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_seconds() {
        let tickets = Tickets::default();
        let credential = HeaderValue::from_static("Bearer x");
        let one = tickets.issue(credential.clone()).unwrap();
        let two = tickets.issue(credential.clone()).unwrap();
        assert_ne!(one, two);
        assert_eq!(tickets.redeem("nonsense"), None);
        assert_eq!(tickets.redeem(&one), Some(credential));
        assert_eq!(tickets.redeem(&one), None);
        let three = tickets.issue(HeaderValue::from_static("Bearer y")).unwrap();
        assert!(tickets.redeem_at(&two, Instant::now() + GOOD_FOR / 2).is_some());
        assert_eq!(tickets.redeem_at(&three, Instant::now() + GOOD_FOR), None);
    }

    #[test]
    fn one_credential_does_not_use_up_the_tickets() {
        let tickets = Tickets::default();
        let greedy = HeaderValue::from_static("Bearer x");
        let first = tickets.issue(greedy.clone()).unwrap();
        for _ in 1..MOST_OF_ONE {
            tickets.issue(greedy.clone()).unwrap();
        }
        assert!(tickets.issue(greedy.clone()).is_err());
        assert!(tickets.issue(HeaderValue::from_static("Bearer y")).is_ok());
        tickets.redeem(&first).unwrap();
        assert!(tickets.issue(greedy).is_ok(), "a used ticket makes room");
    }
}
