//! The text of an API key: `hrms_<organisation and key>_<secret><checksum>`.
//!
//! Letters, digits and underscores only, so that it is one word everywhere; a prefix that scanners for leaked
//! secrets can know; and a checksum, so that what was never a key costs no look into the database.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::CommonError;
use crate::id::{ApiKeyId, TenantId};
use crate::secret::{Secret, random};

/// What every key begins with.
pub(super) const PREFIX: &str = "hrms_";
/// Digits of 128 bits to the base 62.
const WIDE: usize = 22;
/// Digits of 32 bits to the base 62.
const SHORT: usize = 6;
const LENGTH: usize = PREFIX.len() + 2 * WIDE + 1 + 2 * WIDE + SHORT;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key in parts: where to look for it, and 256 random bits.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct KeyText {
    pub(super) tenant: TenantId,
    pub(super) key: ApiKeyId,
    secret: [u128; 2],
}

impl KeyText {
    /// A new key's.
    pub(super) fn new(tenant: TenantId, key: ApiKeyId) -> Result<Self, CommonError> {
        let halves: [[u8; 16]; 2] = [random()?, random()?];
        Ok(Self { tenant, key, secret: halves.map(u128::from_be_bytes) })
    }

    /// What is stored of the secret. One pass will do: it has 256 random bits.
    pub(super) fn hash(&self) -> [u8; 32] {
        let bytes = self.secret.map(u128::to_be_bytes);
        Sha256::digest(bytes.as_flattened()).into()
    }

    /// The text as its holder keeps it.
    pub(super) fn to_secret(&self) -> Secret {
        let mut text = public_part(self.tenant, self.key);
        text.push('_');
        self.secret.iter().for_each(|&half| push(&mut text, half, WIDE));
        let sum = checksum(&text);
        push(&mut text, sum.into(), SHORT);
        Secret::new(text)
    }

    /// Reads a key; `None` for anything that can't be one.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() != LENGTH || !text.is_ascii() {
            return None;
        }
        let (signed, sum) = text.split_at_checked(LENGTH - SHORT)?;
        if digits(sum)? != u128::from(checksum(signed)) {
            return None;
        }
        let (place, secret) = signed.strip_prefix(PREFIX)?.split_once('_')?;
        let (tenant, key) = place.split_at_checked(WIDE)?;
        let (high, low) = secret.split_at_checked(WIDE)?;
        if key.len() != WIDE || low.len() != WIDE {
            return None;
        }
        Some(Self {
            tenant: TenantId::from_uuid(Uuid::from_u128(digits(tenant)?)),
            key: ApiKeyId::from_uuid(Uuid::from_u128(digits(key)?)),
            secret: [digits(high)?, digits(low)?],
        })
    }
}

/// The part of a key that is no secret, and tells it from all others.
#[must_use]
pub fn public_part(tenant: TenantId, key: ApiKeyId) -> String {
    let mut text = String::with_capacity(LENGTH);
    text.push_str(PREFIX);
    push(&mut text, tenant.as_uuid().as_u128(), WIDE);
    push(&mut text, key.as_uuid().as_u128(), WIDE);
    text
}

/// Whether two hashes are the same, in a time that doesn't tell where they differ.
pub(super) fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn checksum(text: &str) -> u32 {
    let digest: [u8; 32] = Sha256::digest(text).into();
    digest.first_chunk().map_or(0, |head| u32::from_be_bytes(*head))
}

/// Appends a number of so many digits.
fn push(text: &mut String, mut number: u128, width: usize) {
    let mut reversed = Vec::with_capacity(width);
    for _ in 0..width {
        let digit = usize::try_from(number % 62).unwrap_or_default();
        reversed.push(DIGITS.get(digit).copied().unwrap_or(b'0'));
        number /= 62;
    }
    text.extend(reversed.into_iter().rev().map(char::from));
}

/// The number that digits spell; `None` for other characters, and when it is too large.
fn digits(text: &str) -> Option<u128> {
    text.bytes().try_fold(0_u128, |number, byte| {
        let digit = DIGITS.iter().position(|&digit| digit == byte)?;
        number.checked_mul(62)?.checked_add(u128::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{IdSource, RandomIds};

    fn key() -> KeyText {
        KeyText::new(TenantId::from_uuid(RandomIds.next()), ApiKeyId::from_uuid(RandomIds.next())).unwrap()
    }

    #[test]
    fn a_key_reads_back() {
        for _ in 0..100 {
            let key = key();
            let text = key.to_secret();
            assert_eq!(text.expose().len(), LENGTH);
            assert!(text.expose().starts_with(&public_part(key.tenant, key.key)));
            assert!(KeyText::read(text.expose()) == Some(key));
        }
        for secret in [[0, 0], [u128::MAX, u128::MAX]] {
            let key = KeyText { secret, ..key() };
            assert!(KeyText::read(key.to_secret().expose()) == Some(key));
        }
    }

    #[test]
    fn what_is_no_key_is_not_read() {
        let good = key().to_secret();
        let good = good.expose();
        let mut wrong = vec![String::new(), PREFIX.into(), format!("{good}0"), "é".repeat(LENGTH / 2)];
        wrong.push("z".repeat(LENGTH));
        for at in 0..LENGTH {
            wrong.push(good[..at].to_owned());
            let other = if &good[at..=at] == "0" { "1" } else { "0" };
            wrong.push(format!("{}{other}{}", &good[..at], &good[at + 1..]));
        }
        for text in wrong {
            assert!(KeyText::read(&text).is_none(), "{text}");
        }
    }

    #[test]
    fn hashes_are_compared_whole() {
        let hash = key().hash();
        assert!(same(&hash, &hash));
        for at in 0..32 {
            let mut other = hash;
            other[at] ^= 1;
            assert!(!same(&hash, &other));
        }
    }
}
