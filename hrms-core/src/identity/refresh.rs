//! Refresh tokens: opaque, rotated at each use, kept only as hashes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::CommonError;
use crate::id::{SessionId, TenantId};
use crate::secret::{Secret, random};

const FAMILY: usize = 16;
const SECRET: usize = 32;

/// A refresh token in parts.
///
/// Tenant and session say where to look; `family` stays the same for the whole session and proves that the
/// token was once ours, so that an old one can be told from an invented one; `secret` changes at each use.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) tenant: Option<TenantId>,
    pub(crate) session: SessionId,
    family: [u8; FAMILY],
    secret: [u8; SECRET],
}

impl RefreshToken {
    /// The first token of a session.
    pub(crate) fn first(tenant: Option<TenantId>, session: SessionId) -> Result<Self, CommonError> {
        Ok(Self { tenant, session, family: random()?, secret: random()? })
    }

    /// The token that takes this one's place.
    pub(crate) fn next(&self) -> Result<Self, CommonError> {
        Ok(Self { secret: random()?, ..self.clone() })
    }

    /// What is stored of the part that stays.
    pub(crate) fn family_hash(&self) -> [u8; 32] {
        Sha256::digest(self.family).into()
    }

    /// What is stored of the part that changes. One pass will do: it has 256 random bits.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }

    /// The token as its holder keeps it.
    pub(crate) fn to_secret(&self) -> Secret {
        let tenant = self.tenant.map_or(Uuid::nil(), TenantId::as_uuid);
        let session = self.session.as_uuid();
        let parts = [&tenant.as_bytes()[..], &session.as_bytes()[..], &self.family, &self.secret];
        Secret::new(URL_SAFE_NO_PAD.encode(parts.concat()))
    }

    /// Reads a token; `None` for anything that can't be one.
    pub(crate) fn read(token: &Secret) -> Option<Self> {
        // Decoding only what can be a token: the length is known.
        let mut bytes = [0; 16 + 16 + FAMILY + SECRET];
        let length = URL_SAFE_NO_PAD.decode_slice(token.expose(), &mut bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        let (tenant, rest) = bytes.split_first_chunk::<16>()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (family, rest) = rest.split_first_chunk::<FAMILY>()?;
        let tenant = Uuid::from_bytes(*tenant);
        Some(Self {
            tenant: (!tenant.is_nil()).then(|| TenantId::from_uuid(tenant)),
            session: SessionId::from_uuid(Uuid::from_bytes(*session)),
            family: *family,
            secret: rest.try_into().ok()?,
        })
    }
}

/// Sessions that are being refreshed in this process at this moment.
///
/// Two requests of one client that cross each other are no theft: the second waits for the first, and is
/// refused without ending the session. A token that comes in *after* its rotation ends the session.
#[derive(Debug, Default)]
pub(crate) struct Refreshing(Mutex<HashMap<SessionId, Arc<Turn>>>);

#[derive(Debug, Default)]
struct Turn {
    turn: tokio::sync::Mutex<()>,
    rotations: AtomicU32,
}

/// A request's place in the queue of its session.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    all: &'a Refreshing,
    session: SessionId,
    turn: Arc<Turn>,
    rotations_at_entry: u32,
}

impl Refreshing {
    /// Queues up.
    pub(crate) fn enter(&self, session: SessionId) -> Place<'_> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = all.entry(session).or_default().clone();
        let rotations_at_entry = turn.rotations.load(Ordering::Acquire);
        Place { all: self, session, turn, rotations_at_entry }
    }
}

impl Place<'_> {
    /// Waits for those who came before.
    pub(crate) async fn wait(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.turn.lock().await
    }

    /// Says that the token was rotated.
    pub(crate) fn rotated(&self) {
        self.turn.rotations.fetch_add(1, Ordering::Release);
    }

    /// Whether somebody else rotated the token since this request came in.
    pub(crate) fn was_overtaken(&self) -> bool {
        self.turn.rotations.load(Ordering::Acquire) != self.rotations_at_entry
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and ours: nobody else is there.
        if Arc::strong_count(&self.turn) <= 2 {
            all.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{IdSource, RandomIds};

    fn session() -> SessionId {
        SessionId::from_uuid(RandomIds.next())
    }

    #[test]
    fn a_token_reads_back() {
        for tenant in [None, Some(TenantId::from_uuid(RandomIds.next()))] {
            let token = RefreshToken::first(tenant, session()).unwrap();
            assert!(RefreshToken::read(&token.to_secret()) == Some(token.clone()));
            let next = token.next().unwrap();
            assert_eq!(next.family_hash(), token.family_hash());
            assert_ne!(next.hash(), token.hash());
        }
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        let good = RefreshToken::first(None, session()).unwrap().to_secret();
        let good = good.expose();
        let mut wrong =
            vec![String::new(), "x".into(), format!("{good}A"), format!("{good}="), "=".repeat(good.len())];
        wrong.push(good[1..].to_owned());
        wrong.push("A".repeat(1 << 20));
        for token in wrong {
            assert!(RefreshToken::read(&Secret::new(token)).is_none());
        }
    }

    #[tokio::test]
    async fn who_waits_learns_that_they_were_overtaken() {
        let all = Refreshing::default();
        let id = session();
        let (first, second) = (all.enter(id), all.enter(id));
        let turn = first.wait().await;
        first.rotated();
        drop(turn);
        let _turn = second.wait().await;
        assert!(second.was_overtaken());
        let late = all.enter(id);
        assert!(!late.was_overtaken());
    }

    #[test]
    fn nothing_is_remembered_afterwards() {
        let all = Refreshing::default();
        let id = session();
        let (first, second) = (all.enter(id), all.enter(id));
        drop(first);
        drop(second);
        assert!(all.0.lock().unwrap().is_empty());
    }
}
