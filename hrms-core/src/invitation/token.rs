//! The token in the message: which invitation, and a secret of 256 bits of which only the hash is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::CommonError;
use crate::id::{InvitationId, TenantId};
use crate::secret::{Secret, random};

const SECRET: usize = 32;

/// An invitation's token in parts. Tenant and invitation only say where to look: neither is believed
/// before the secret is.
pub(super) struct Token {
    pub(super) tenant: TenantId,
    pub(super) invitation: InvitationId,
    secret: [u8; SECRET],
}

impl Token {
    pub(super) fn new(tenant: TenantId, invitation: InvitationId) -> Result<Self, CommonError> {
        Ok(Self { tenant, invitation, secret: random()? })
    }

    /// What is stored. One pass will do: it has 256 random bits.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }

    /// The token as its holder gets it.
    pub(super) fn to_secret(&self) -> Secret {
        let (tenant, invitation) = (self.tenant.as_uuid(), self.invitation.as_uuid());
        let parts = [&tenant.as_bytes()[..], &invitation.as_bytes()[..], &self.secret];
        Secret::new(URL_SAFE_NO_PAD.encode(parts.concat()))
    }

    /// Reads a token; `None` for anything that can't be one.
    pub(super) fn read(token: &Secret) -> Option<Self> {
        let mut bytes = [0; 16 + 16 + SECRET];
        let length = URL_SAFE_NO_PAD.decode_slice(token.expose(), &mut bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        let (tenant, rest) = bytes.split_first_chunk::<16>()?;
        let (invitation, rest) = rest.split_first_chunk::<16>()?;
        Some(Self {
            tenant: TenantId::from_uuid(Uuid::from_bytes(*tenant)),
            invitation: InvitationId::from_uuid(Uuid::from_bytes(*invitation)),
            secret: rest.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{IdSource, RandomIds};

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
        let ids = (TenantId::from_uuid(RandomIds.next()), InvitationId::from_uuid(RandomIds.next()));
        let token = Token::new(ids.0, ids.1).unwrap();
        let text = token.to_secret();
        let read = Token::read(&text).unwrap();
        assert_eq!((read.tenant, read.invitation, read.hash()), (ids.0, ids.1, token.hash()));
        assert_ne!(Token::new(ids.0, ids.1).unwrap().hash(), token.hash());
        let good = text.expose();
        for wrong in ["", "x", &good[1..], &format!("{good}A"), &format!("{good}="), &"A".repeat(1 << 20)] {
            assert!(Token::read(&Secret::new(wrong)).is_none());
        }
    }
}
