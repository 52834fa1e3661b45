//! Entity tags: `"<version>-<short hash>"` for objects with a version, `"<short hash>"` otherwise.
//!
//! The version is what `If-Match` compares, the hash is what `If-None-Match` adds: it changes when a
//! part of the object changes that isn't counted by its version (a joined name, say).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hrms_core::Version;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// The tag of a body.
pub(crate) fn of(body: &[u8], version: Option<i64>) -> HeaderValue {
    let digest = Sha256::digest(body);
    let short = digest.first_chunk::<9>().map(|head| URL_SAFE_NO_PAD.encode(head));
    let short = short.unwrap_or_default();
    let tag = match version {
        Some(version) => format!("\"{version}-{short}\""),
        None => format!("\"{short}\""),
    };
    // Digits, hyphens and letters only: always a header value.
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether `If-None-Match` names the tag (weak comparison, as RFC 9110 asks), so that 304 is right.
pub(crate) fn none_match(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let Ok(value) = value.to_str() else {
            return false;
        };
        value.split(',').map(str::trim).any(|candidate| {
            candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate).as_bytes() == tag.as_bytes()
        })
    })
}

/// The version that the caller read, from `If-Match`.
///
/// One entity tag of ours, strong or weakened on the way by a proxy. A well-formed tag that can't be
/// ours means that the object isn't the one that the caller read: 412. `*`, lists and malformed values
/// are refused (422): "whatever it is now" is what `If-Match` is there to prevent.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Version, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let value = values.next().ok_or_else(|| {
        Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "http.if-match-required",
            "send the ETag of the object that you read in If-Match",
        )
    })?;
    let malformed = || {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "http.if-match-invalid",
            "If-Match must be exactly one entity tag, as the ETag header gave it",
        )
    };
    let text = value.to_str().map_err(|_| malformed())?.trim();
    let strong = text.strip_prefix("W/").unwrap_or(text);
    let tag = strong
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|tag| !tag.contains('"'))
        .ok_or_else(malformed)?;
    if values.next().is_some() {
        return Err(malformed());
    }
    tag.split_once('-')
        .and_then(|(version, _)| version.parse().ok())
        .map(Version::from_i64)
        .ok_or_else(|| hrms_core::CommonError::Stale.into())
}
