//! Passwords: what is accepted, how they are kept, and the bounded place where they are hashed.

mod pool;
mod rule;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use unicode_normalization::UnicodeNormalization;

use crate::error::{CommonError, StoreError};
use crate::secret::{Secret, random};

pub use pool::HashingPool;
pub use rule::{MAX_CHARACTERS, MIN_CHARACTERS, MIN_WITH_SECOND_FACTOR, check, check_new};

/// Memory (KiB), passes and lanes of new hashes: OWASP's first choice for Argon2id.
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// What is verified when there is no account, so that the answer takes as much work as with one.
/// No password is known to match it.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCBhY2NvdW50IQ$5aqHVhHZPBTVBIxcCGIeyILjvyyYzdJ7gmyv0prQ1tE";

/// How a password compares with a stored hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It isn't the one.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, and should be stored under this new hash: the old one was cheaper than we make them now.
    RightButStale(String),
}

fn argon2() -> Result<Argon2<'static>, CommonError> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> CommonError {
    StoreError::Backend(error.into()).into()
}

/// The form of a password that is hashed: NFC, so that it doesn't matter how a keyboard composes.
fn normal_form(password: &Secret) -> String {
    password.expose().nfc().collect()
}

/// Hashes a password; the parameters and a random salt are part of the result. Takes tens of milliseconds.
fn hash(password: &Secret) -> Result<String, CommonError> {
    let salt = random::<16>()?;
    let hash = argon2()?.hash_password_with_salt(normal_form(password).as_bytes(), &salt);
    Ok(hash.map_err(failed)?.to_string())
}

/// Compares a password with a stored hash, or does the same work where there is none.
fn verify(password: &Secret, stored: Option<&str>) -> Result<Verdict, CommonError> {
    let parsed = PasswordHash::new(stored.unwrap_or(NOBODY)).map_err(failed)?;
    let matches = argon2()?.verify_password(normal_form(password).as_bytes(), &parsed).is_ok();
    if !matches || stored.is_none() {
        return Ok(Verdict::Wrong);
    }
    let current = Params::try_from(&parsed)
        .is_ok_and(|params| (params.m_cost(), params.t_cost(), params.p_cost()) == COST)
        && parsed.algorithm == Algorithm::Argon2id.ident();
    if current { Ok(Verdict::Right) } else { Ok(Verdict::RightButStale(hash(password)?)) }
}

/// A password of 144 random bits, for accounts that are given one; to be shown once.
///
/// # Errors
/// When the system has no randomness to give.
pub fn generate() -> Result<Secret, CommonError> {
    use base64::Engine as _;
    Ok(Secret::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random::<18>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let stored = hash(&Secret::new("correct horse battery")).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(verify(&Secret::new("correct horse battery"), Some(&stored)).unwrap(), Verdict::Right);
        assert_eq!(verify(&Secret::new("correct horse batterx"), Some(&stored)).unwrap(), Verdict::Wrong);
        assert_ne!(hash(&Secret::new("correct horse battery")).unwrap(), stored, "the salt is random");
    }

    #[test]
    fn composition_of_characters_does_not_matter() {
        let stored = hash(&Secret::new("Z\u{fc}rich am See 1848")).unwrap();
        let verdict = verify(&Secret::new("Zu\u{308}rich am See 1848"), Some(&stored)).unwrap();
        assert_eq!(verdict, Verdict::Right);
    }

    #[test]
    fn a_cheaper_hash_is_renewed() {
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let stored = cheap.hash_password_with_salt(b"correct horse battery", b"0123456789abcdef").unwrap();
        let password = Secret::new("correct horse battery");
        let Verdict::RightButStale(renewed) = verify(&password, Some(&stored.to_string())).unwrap() else {
            panic!("not renewed");
        };
        assert_eq!(verify(&password, Some(&renewed)).unwrap(), Verdict::Right);
    }

    #[test]
    fn nobody_has_the_cost_of_everybody() {
        let parsed = PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&parsed).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), COST);
        assert_eq!(parsed.hash.unwrap().len(), 32);
        assert_eq!(verify(&Secret::new("anything at all"), None).unwrap(), Verdict::Wrong);
    }

    #[test]
    fn generated_passwords_pass_the_rule() {
        let password = generate().unwrap();
        assert!(check(&password, &["acme"]).is_ok());
        assert_ne!(generate().unwrap(), password);
    }
}
