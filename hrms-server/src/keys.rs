//! The key that signs access tokens: made once, kept in a file that only the server can read.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use hrms_core::audit::{Anchor, AnchorSigner};
use sha2::Sha256;

/// An Ed25519 private key.
pub struct SigningKey(ed25519_dalek::SigningKey);

/// Signs anchors of audit logs with the signing key.
pub struct KeySigner {
    key: ed25519_dalek::SigningKey,
    /// Public halves of keys that signed before.
    former: Vec<Vec<u8>>,
}

impl AnchorSigner for KeySigner {
    fn key(&self) -> Vec<u8> {
        self.key.verifying_key().to_bytes().to_vec()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).to_bytes().to_vec()
    }

    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let known = key == self.key() || self.former.iter().any(|former| former == key);
        known && is_signature(key, message, signature)
    }
}

/// Whether an anchor is signed by one of these keys (public halves).
#[must_use]
pub fn has_signed(keys: &[Vec<u8>], anchor: &Anchor) -> bool {
    keys.contains(&anchor.key) && is_signature(&anchor.key, &anchor.message(), &anchor.signature)
}

fn is_signature(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = <&[u8; 32]>::try_from(key).ok().and_then(|key| VerifyingKey::from_bytes(key).ok());
    let signature = Signature::from_slice(signature).ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify_strict(message, &signature).is_ok())
}

impl fmt::Debug for KeySigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySigner([redacted])")
    }
}

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file or its directory can't be read or written.
    #[error("the signing key {} can't be read or made: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Other users may read or change the key.
    #[error(
        "the signing key {} is open to other users (mode {mode:04o}): run `chmod 600` on it, and replace it \
         if somebody else may have read it",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "{} is not an Ed25519 private key in PKCS#8 PEM; restore it, or move it away to have a new one made \
         (everybody has to log in again then)",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gives no random bytes.
    #[error("no random bytes for a new signing key: {0}")]
    Random(getrandom::Error),
}

impl SigningKey {
    /// Reads the key in `path`, or makes one there with mode 0600 if the file doesn't exist.
    ///
    /// Processes that start at the same time end up with the same key.
    ///
    /// # Errors
    /// If the key can't be read, is open to other users or is malformed; an existing file is never replaced.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::create(path)?;
                // Whoever was first: the file decides.
                Self::load(path)
            }
            loaded => loaded,
        }
    }

    /// Reads the key in `path`.
    ///
    /// # Errors
    /// If it isn't there, can't be read, is open to other users or is malformed.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let in_file = |source| KeyError::File { path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(in_file)?;
        refuse_exposed(path, &file.metadata().map_err(in_file)?)?;
        let malformed = || KeyError::Malformed { path: path.to_owned() };
        let text = io::read_to_string(file).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => malformed(),
            _ => in_file(error),
        })?;
        ed25519_dalek::SigningKey::from_pkcs8_pem(text.trim()).map(Self).map_err(|_| malformed())
    }

    /// Writes a complete file beside `path` and gives it the name, unless the name is taken by then.
    fn create(path: &Path) -> Result<(), KeyError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(KeyError::Random)?;
        let key = Self(ed25519_dalek::SigningKey::from_bytes(&secret));
        let in_file = |source| KeyError::File { path: path.to_owned(), source };
        let pem = key.0.to_pkcs8_pem(LineEnding::LF).map_err(|error| in_file(io::Error::other(error)))?;
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut file =
            tempfile::Builder::new().prefix(".signing-key-").tempfile_in(directory).map_err(in_file)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(in_file)?;
        match file.persist_noclobber(path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(in_file(error.error)),
            _ => Ok(()),
        }
    }

    /// The key as PKCS#8 DER, the form that signs tokens.
    ///
    /// # Errors
    /// If the key can't be encoded.
    pub fn to_pkcs8_der(&self) -> Result<Vec<u8>, ed25519_dalek::pkcs8::Error> {
        Ok(self.0.to_pkcs8_der()?.as_bytes().to_vec())
    }

    /// The public half: 32 bytes, to be shown to anybody.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// What signs anchors of audit logs; anchors by `former` keys (public halves) are good too.
    #[must_use]
    pub fn anchor_signer(&self, former: Vec<Vec<u8>>) -> KeySigner {
        KeySigner { key: self.0.clone(), former }
    }

    /// Another secret key for `purpose`, the same in every process that has this signing key.
    ///
    /// # Errors
    /// Never in practice: HMAC takes keys of any length.
    pub fn derive(&self, purpose: &str) -> Result<[u8; 32], sha2::digest::InvalidLength> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes())?;
        mac.update(b"hrms derived key: ");
        mac.update(purpose.as_bytes());
        Ok(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

/// The group may read (secrets mounted by a container platform often need that), nobody else anything.
#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
    if mode & 0o027 == 0 { Ok(()) } else { Err(KeyError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_path: &Path, _metadata: &fs::Metadata) -> Result<(), KeyError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_key_is_made_once_and_closed_to_others() {
        let directory = directory();
        let path = directory.path().join("key.pem");
        let made = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let read = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(made.public_key(), read.public_key());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn processes_that_start_together_agree() {
        let directory = directory();
        let path = directory.path().join("key.pem");
        let start = std::sync::Barrier::new(8);
        let keys: std::collections::BTreeSet<[u8; 32]> = std::thread::scope(|scope| {
            let one = || {
                start.wait();
                SigningKey::load_or_create(&path).unwrap().public_key()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn a_key_open_to_others_is_refused() {
        let directory = directory();
        let path = directory.path().join("key.pem");
        SigningKey::load_or_create(&path).unwrap();
        for (mode, refused) in [(0o644, true), (0o660, true), (0o604, true), (0o640, false), (0o400, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let exposed = matches!(SigningKey::load_or_create(&path), Err(KeyError::Exposed { .. }));
            assert_eq!(exposed, refused, "{mode:o}");
        }
    }

    #[test]
    fn a_broken_file_is_refused_and_kept() {
        let directory = directory();
        let path = directory.path().join("key.pem");
        for content in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(SigningKey::load_or_create(&path), Err(KeyError::Malformed { .. })));
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let path = directory().path().join("gone/key.pem");
        assert!(matches!(SigningKey::load_or_create(&path), Err(KeyError::File { .. })));
    }

    #[test]
    fn tokens_signed_with_the_key_verify_with_its_public_half() {
        use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
        let directory = directory();
        let key = SigningKey::load_or_create(&directory.path().join("key.pem")).unwrap();
        let claims = serde_json::json!({"sub": "somebody", "exp": 32_503_680_000_u64});
        let private = EncodingKey::from_ed_der(&key.to_pkcs8_der().unwrap());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &private).unwrap();
        let public = DecodingKey::from_ed_der(&key.public_key());
        let read =
            jsonwebtoken::decode::<serde_json::Value>(&token, &public, &Validation::new(Algorithm::EdDSA));
        assert_eq!(read.unwrap().claims, claims);
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_repeat() {
        let directory = directory();
        let path = directory.path().join("key.pem");
        let derive = |purpose| SigningKey::load_or_create(&path).unwrap().derive(purpose).unwrap();
        assert_eq!(derive("cursors"), derive("cursors"));
        assert_ne!(derive("cursors"), derive("something else"));
    }

    #[test]
    fn debug_shows_nothing() {
        let directory = directory();
        let key = SigningKey::load_or_create(&directory.path().join("key.pem")).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
    }
}
