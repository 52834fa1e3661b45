//! One click that stops messages of a type (RFC 8058): a link that needs no log-in.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::error::CommonError;
use crate::hrms::Hrms;
use crate::id::{TenantId, UserId};

/// What a link stops, sealed, so that nobody can make one up.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stop {
    #[serde(rename = "t")]
    pub(super) tenant: TenantId,
    #[serde(rename = "u")]
    pub(super) user: UserId,
    #[serde(rename = "k")]
    pub(super) kind: String,
    #[serde(rename = "c")]
    pub(super) channel: String,
}

const BOUND_TO: &[u8] = b"notification unsubscribe";

/// The link; `None` where nothing can be reached, or sealed.
pub(super) fn link(
    hrms: &Hrms,
    tenant: TenantId,
    user: UserId,
    kind: &str,
    channel: &str,
) -> Result<Option<String>, CommonError> {
    let (Some(url), true) = (hrms.public_url(), hrms.secret_box().is_configured()) else { return Ok(None) };
    let stop = Stop { tenant, user, kind: kind.to_owned(), channel: channel.to_owned() };
    let sealed = hrms.secret_box().seal(&serde_json::to_vec(&stop)?, BOUND_TO)?;
    Ok(Some(format!("{url}/api/v1/notifications/unsubscribe/{}", URL_SAFE_NO_PAD.encode(sealed))))
}

/// What a token stops; `None` for one that isn't ours.
pub(super) fn open(hrms: &Hrms, token: &str) -> Option<Stop> {
    if token.len() > 1000 || !hrms.secret_box().is_configured() {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
    serde_json::from_slice(&hrms.secret_box().open(&sealed, BOUND_TO).ok()?).ok()
}
