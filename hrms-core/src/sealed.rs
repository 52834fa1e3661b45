//! Secrets that must be read again, such as those of second factors, encrypted before they are stored.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};

use crate::error::{CommonError, StoreError};
use crate::secret::random;

/// Encrypts what is stored, and decrypts what was.
///
/// `bound_to` says what the secret belongs to. It isn't stored with it: a secret that is copied to another
/// owner's row doesn't open there.
pub trait SecretBox: Send + Sync + fmt::Debug {
    /// Encrypts.
    ///
    /// # Errors
    /// When there is no key, or no randomness.
    fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, CommonError>;

    /// Decrypts.
    ///
    /// # Errors
    /// When it was changed, was sealed with another key, or belongs to something else.
    fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, CommonError>;

    /// Whether anything can be sealed at all.
    fn is_configured(&self) -> bool {
        true
    }
}

/// The first byte of what is sealed: which way. Another way, or a change of keys, gets another one.
const FORMAT: u8 = 1;
const NONCE: usize = 24;

/// Seals with one key: XChaCha20-Poly1305 under a random nonce.
///
/// Whoever loses the key loses what was sealed with it.
pub struct KeyBox {
    key: XChaCha20Poly1305,
    former: Vec<XChaCha20Poly1305>,
}

impl KeyBox {
    /// Seals with this key. All processes over one store need the same one, at every start.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { key: XChaCha20Poly1305::new(&Key::from(key)), former: Vec::new() }
    }

    /// Opens what was sealed with this former key, too.
    #[must_use]
    pub fn and_open(mut self, key: [u8; 32]) -> Self {
        self.former.push(XChaCha20Poly1305::new(&Key::from(key)));
        self
    }
}

impl fmt::Debug for KeyBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBox([redacted])")
    }
}

fn broken() -> CommonError {
    StoreError::Corrupt { table: "sealed", what: "this doesn't open with the present key".into() }.into()
}

impl SecretBox for KeyBox {
    fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, CommonError> {
        let nonce = random::<NONCE>()?;
        let payload = Payload { msg: plain, aad: bound_to };
        let sealed = self.key.encrypt(&XNonce::from(nonce), payload).map_err(|_| broken())?;
        Ok([&[FORMAT][..], &nonce, &sealed].concat())
    }

    fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, CommonError> {
        let (&format, rest) = sealed.split_first().ok_or_else(broken)?;
        let (&nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or_else(broken)?;
        if format != FORMAT {
            return Err(broken());
        }
        let nonce = XNonce::from(nonce);
        let mut keys = [&self.key].into_iter().chain(&self.former);
        keys.find_map(|key| key.decrypt(&nonce, Payload { msg: rest, aad: bound_to }).ok()).ok_or_else(broken)
    }
}

/// Seals nothing: without a key there are no second factors.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBox;

impl SecretBox for NoBox {
    fn seal(&self, _: &[u8], _: &[u8]) -> Result<Vec<u8>, CommonError> {
        Err(broken())
    }

    fn open(&self, _: &[u8], _: &[u8]) -> Result<Vec<u8>, CommonError> {
        Err(broken())
    }

    fn is_configured(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_owner_only() {
        let keys = KeyBox::new([1; 32]);
        let sealed = keys.seal(b"secret", b"jane").unwrap();
        assert_eq!(keys.open(&sealed, b"jane").unwrap(), b"secret");
        assert!(keys.open(&sealed, b"john").is_err(), "another owner");
        assert!(KeyBox::new([2; 32]).open(&sealed, b"jane").is_err(), "another key");
        let renewed = KeyBox::new([2; 32]).and_open([1; 32]);
        assert_eq!(renewed.open(&sealed, b"jane").unwrap(), b"secret");
        let anew = renewed.seal(b"secret", b"jane").unwrap();
        assert!(keys.open(&anew, b"jane").is_err(), "sealed with the new key");
        assert_ne!(keys.seal(b"secret", b"jane").unwrap(), sealed, "the nonce is random");
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(keys.open(&changed, b"jane").is_err(), "changed at {position}");
            assert!(keys.open(&sealed[..position], b"jane").is_err(), "cut at {position}");
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", KeyBox::new([7; 32])), "KeyBox([redacted])");
    }
}
