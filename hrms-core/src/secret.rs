//! Text that must never be shown: passwords and refresh tokens.

pub(crate) mod text;

use std::fmt;

use serde::{Deserialize, Deserializer};

/// A secret text. It can't be printed or serialised by accident; [`Secret::expose`] is where it comes out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The text itself. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self)
    }
}

/// `bytes` bytes from the operating system's randomness.
///
/// # Errors
/// When the system has none to give.
pub(crate) fn random<const BYTES: usize>() -> Result<[u8; BYTES], crate::CommonError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        crate::StoreError::Unavailable(format!("the system's randomness failed: {error}").into())
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("open sesame")), "[redacted]");
    }
}
