//! Anchors: signed statements of where a log stood at an instant.
//!
//! Somebody with all rights on the database can write a chain anew from any entry on, or cut its end off and turn
//! the counter back. They can't sign for it, and they can't reach anchors that were shipped elsewhere: the server
//! writes each of them into its log too.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::TenantId;

/// Starts what is signed, so that the key's signatures under other things (such as access tokens) are no anchors.
const DOMAIN: &[u8] = b"hrms audit anchor 1\0";

/// Where a log stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Anchor {
    /// The organisation whose log it is; without one, the platform's.
    #[serde(default)]
    pub tenant: Option<TenantId>,
    /// The last entry then.
    pub sequence: i64,
    /// That entry's hash, in hexadecimal digits.
    #[serde(with = "super::hexadecimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub hash: Vec<u8>,
    /// When.
    pub time: Timestamp,
    /// Which key signed: its public half, in hexadecimal digits.
    #[serde(with = "super::hexadecimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: Vec<u8>,
    /// The signature, in hexadecimal digits.
    #[serde(with = "super::hexadecimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub signature: Vec<u8>,
}

impl Anchor {
    /// What is signed: every field of fixed length, so there is one way to read it.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let tenant = self.tenant.map(TenantId::as_uuid);
        let mut message = DOMAIN.to_vec();
        message.push(u8::from(tenant.is_some()));
        message.extend(tenant.unwrap_or_default().as_bytes());
        message.extend(self.sequence.to_be_bytes());
        message.extend(self.time.as_microsecond().to_be_bytes());
        // Last, as its length is what is left.
        message.extend(&self.hash);
        message
    }
}

/// Signs anchors. Without one, an [`Hrms`](crate::Hrms) writes none.
pub trait AnchorSigner: Send + Sync + fmt::Debug {
    /// The public half of the key, which says which key it is.
    fn key(&self) -> Vec<u8>;

    /// Signs a message.
    fn sign(&self, message: &[u8]) -> Vec<u8>;

    /// Whether this is a good signature under the message, by a key that this server knows as its own.
    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool;
}
