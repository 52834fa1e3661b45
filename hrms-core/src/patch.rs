//! One field of a JSON merge patch (RFC 7396): absent, `null`, or a value.

use crate::error::CommonError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a merge patch says about one field. Use with `#[serde(default)]`, and for OpenAPI with
/// `#[schema(value_type = Option<T>)]`: in a document it is an optional, nullable `T`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// The field isn't in the patch: keep it.
    #[default]
    Keep,
    /// The field is `null`: clear it.
    Clear,
    /// The field has a value: set it.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether the patch leaves the field alone.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The value to set, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            _ => None,
        }
    }

    /// Applies the patch to a field that always has a value.
    ///
    /// # Errors
    /// When the patch clears it.
    pub fn required(self, pointer: &'static str, to: &mut T) -> Result<(), CommonError> {
        match self {
            Self::Keep => Ok(()),
            Self::Clear => Err(CommonError::invalid(pointer, "required", "this can't be cleared")),
            Self::Set(value) => {
                *to = value;
                Ok(())
            }
        }
    }

    /// Applies the patch to an optional field.
    pub fn apply(self, to: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *to = None,
            Self::Set(value) => *to = Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Clear, Self::Set))
    }
}

/// Written as the value or `null`; skip [`Patch::Keep`] with `skip_serializing_if`.
impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(to)
    }
}
