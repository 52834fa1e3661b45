//! Cursors: opaque positions in a collection that only we can make.
//!
//! A cursor is the position with an HMAC-SHA256 over it, the tenant, the path, and every query
//! parameter except `cursor` and `limit`. So it is good for the next page of the same list, and for
//! nothing else. It is sealed as well (the tag is the synthetic initialisation vector of a stream of HMACs), because a
//! page that policies kept from filling goes on behind a row that its reader may not see.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use hrms_core::{Position, TenantId};
use http::StatusCode;
use sha2::Sha256;
use uuid::Uuid;

use crate::problem::Problem;

type HmacSha256 = Hmac<Sha256>;

/// Bytes of the tag that a cursor carries; 128 bits can't be guessed.
const TAG: usize = 16;

/// Opens and closes the cursors of one list request.
#[derive(Clone)]
pub(crate) struct Seal {
    tags: HmacSha256,
    streams: HmacSha256,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(..)")
    }
}

impl Seal {
    /// The seal for a list: whose, where, and which (the query without `cursor` and `limit`).
    pub(crate) fn new(
        key: &[u8; 32],
        tenant: Option<TenantId>,
        path: &str,
        query: &mut [(String, String)],
    ) -> Self {
        let mut mac = keyed(key);
        mac.update(tenant.map(TenantId::as_uuid).unwrap_or_default().as_bytes());
        update_text(&mut mac, path);
        query.sort_unstable();
        let filters = query.iter().filter(|(name, _)| name != "cursor" && name != "limit");
        for (name, value) in filters {
            update_text(&mut mac, name);
            update_text(&mut mac, value);
        }
        // Ends the filters, so that no position can be read as one more of them.
        mac.update(&u64::MAX.to_be_bytes());
        let mut derived = keyed(key);
        derived.update(b"what cursors are sealed with");
        let derived: [u8; 32] = derived.finalize().into_bytes().into();
        Self { tags: mac, streams: keyed(&derived) }
    }

    /// The cursor for a position.
    pub(crate) fn close(&self, position: &Position) -> String {
        let mut bytes = Vec::with_capacity(TAG + 16 + position.key.len());
        bytes.extend_from_slice(position.id.as_bytes());
        bytes.extend_from_slice(position.key.as_bytes());
        let tag = self.tag(&bytes);
        self.veil(&tag, &mut bytes);
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a cursor that was closed with the same seal.
    pub(crate) fn open(&self, cursor: &str) -> Result<Position, Problem> {
        self.try_open(cursor).ok_or_else(|| {
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "cursor.invalid",
                "this cursor isn't one of this list; start again without it",
            )
        })
    }

    fn try_open(&self, cursor: &str) -> Option<Position> {
        let mut bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (position, tag) = bytes.split_last_chunk_mut::<TAG>()?;
        self.veil(tag, position);
        let mut mac = self.tags.clone();
        mac.update(position);
        mac.verify_truncated_left(&*tag).ok()?;
        let (id, key) = position.split_first_chunk::<16>()?;
        Some(Position { key: String::from_utf8(key.to_vec()).ok()?, id: Uuid::from_bytes(*id) })
    }

    /// Veils a position, or unveils it: the stream is the same both ways.
    fn veil(&self, tag: &[u8; TAG], position: &mut [u8]) {
        for (number, block) in position.chunks_mut(32).enumerate() {
            let mut mac = self.streams.clone();
            mac.update(tag);
            mac.update(&u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes());
            for (byte, stream) in block.iter_mut().zip(mac.finalize().into_bytes()) {
                *byte ^= stream;
            }
        }
    }

    fn tag(&self, position: &[u8]) -> [u8; TAG] {
        let mut mac = self.tags.clone();
        mac.update(position);
        let full = mac.finalize().into_bytes();
        full.first_chunk::<TAG>().copied().unwrap_or_default()
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn keyed(key: &[u8; 32]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// Length first, so that two texts can't be split differently.
fn update_text(mac: &mut HmacSha256, text: &str) {
    mac.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
    mac.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_doesnt_show_the_position() {
        let seal = Seal::new(&[7; 32], None, "/api/v1/employees", &mut []);
        let key = "Hidden, Person of a rather long name that takes more than one block";
        let position = Position { key: key.to_owned(), id: Uuid::from_u128(5) };
        let cursor = seal.close(&position);
        assert_eq!(seal.open(&cursor).ok(), Some(position));
        let bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap_or_default();
        assert!(!bytes.windows(4).any(|window| key.as_bytes().windows(4).any(|part| part == window)));
        let other = Seal::new(&[7; 32], None, "/api/v1/users", &mut []);
        assert!(other.open(&cursor).is_err());
    }
}
