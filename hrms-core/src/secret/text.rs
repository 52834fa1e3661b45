//! The text of a secret that names what it is for, such as an API key: `hrms_<organisation and key>_<secret><checksum>`.
//!
//! Letters, digits and underscores only, so that it is one word everywhere; a prefix that scanners for leaked
//! secrets can know; and a checksum, so that what was never a key costs no look into the database.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::CommonError;
use crate::id::TenantId;
use crate::secret::{Secret, random};

/// Digits of 128 bits to the base 62.
const WIDE: usize = 22;
/// Digits of 32 bits to the base 62.
const SHORT: usize = 6;
/// Of all but the prefix.
const LENGTH: usize = 2 * WIDE + 1 + 2 * WIDE + SHORT;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A secret text in parts: where to look for what it is of, and 256 random bits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretText {
    pub(crate) tenant: TenantId,
    /// The id of the key, or whatever else it is of.
    pub(crate) id: Uuid,
    secret: [u128; 2],
}

impl SecretText {
    /// A new one.
    pub(crate) fn new(tenant: TenantId, id: Uuid) -> Result<Self, CommonError> {
        let halves: [[u8; 16]; 2] = [random()?, random()?];
        Ok(Self { tenant, id, secret: halves.map(u128::from_be_bytes) })
    }

    /// What is stored of the secret. One pass will do: it has 256 random bits.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let bytes = self.secret.map(u128::to_be_bytes);
        Sha256::digest(bytes.as_flattened()).into()
    }

    /// The text as its holder keeps it; `prefix` says of what kind it is.
    pub(crate) fn to_secret(&self, prefix: &str) -> Secret {
        let mut text = public_part(prefix, self.tenant, self.id);
        text.push('_');
        self.secret.iter().for_each(|&half| push(&mut text, half, WIDE));
        let sum = checksum(&text);
        push(&mut text, sum.into(), SHORT);
        Secret::new(text)
    }

    /// Reads a text of this kind; `None` for anything that can't be one.
    pub(crate) fn read(prefix: &str, text: &str) -> Option<Self> {
        if text.len() != prefix.len() + LENGTH || !text.is_ascii() {
            return None;
        }
        let (signed, sum) = text.split_at_checked(text.len() - SHORT)?;
        if digits(sum)? != u128::from(checksum(signed)) {
            return None;
        }
        let (place, secret) = signed.strip_prefix(prefix)?.split_once('_')?;
        let (tenant, id) = place.split_at_checked(WIDE)?;
        let (high, low) = secret.split_at_checked(WIDE)?;
        if id.len() != WIDE || low.len() != WIDE {
            return None;
        }
        Some(Self {
            tenant: TenantId::from_uuid(Uuid::from_u128(digits(tenant)?)),
            id: Uuid::from_u128(digits(id)?),
            secret: [digits(high)?, digits(low)?],
        })
    }
}

/// The part that is no secret, and tells it from all others.
pub(crate) fn public_part(prefix: &str, tenant: TenantId, id: Uuid) -> String {
    let mut text = String::with_capacity(prefix.len() + LENGTH);
    text.push_str(prefix);
    push(&mut text, tenant.as_uuid().as_u128(), WIDE);
    push(&mut text, id.as_u128(), WIDE);
    text
}

/// Whether two hashes are the same, in a time that doesn't tell where they differ.
pub(crate) fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
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

    const PREFIX: &str = "hrms_";
    const WHOLE: usize = PREFIX.len() + LENGTH;

    fn key() -> SecretText {
        SecretText::new(TenantId::from_uuid(RandomIds.next()), RandomIds.next()).unwrap()
    }

    #[test]
    fn a_key_reads_back() {
        for _ in 0..100 {
            let key = key();
            let text = key.to_secret(PREFIX);
            assert_eq!(text.expose().len(), WHOLE);
            assert!(text.expose().starts_with(&public_part(PREFIX, key.tenant, key.id)));
            assert!(SecretText::read("hrmz_", text.expose()).is_none(), "of another kind");
            assert!(SecretText::read(PREFIX, text.expose()) == Some(key));
        }
        for secret in [[0, 0], [u128::MAX, u128::MAX]] {
            let key = SecretText { secret, ..key() };
            assert!(SecretText::read(PREFIX, key.to_secret(PREFIX).expose()) == Some(key));
        }
    }

    #[test]
    fn what_is_no_key_is_not_read() {
        let good = key().to_secret(PREFIX);
        let good = good.expose();
        let mut wrong = vec![String::new(), PREFIX.into(), format!("{good}0"), "é".repeat(WHOLE / 2)];
        wrong.push("z".repeat(WHOLE));
        for at in 0..WHOLE {
            wrong.push(good[..at].to_owned());
            let other = if &good[at..=at] == "0" { "1" } else { "0" };
            wrong.push(format!("{}{other}{}", &good[..at], &good[at + 1..]));
        }
        for text in wrong {
            assert!(SecretText::read(PREFIX, &text).is_none(), "{text}");
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
