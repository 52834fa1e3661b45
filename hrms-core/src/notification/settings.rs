//! How somebody wants to be told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Time, time};
use serde::{Deserialize, Serialize};

use crate::audit::Audited;
use crate::error::{CommonError, FieldError};
use crate::hrms::Hrms;
use crate::id::UserId;
use crate::notification::{INBOX, Mode, NotificationType, QuietHours};
use crate::patch::Patch;
use crate::store::{Version, Versioned};
use crate::validate::Check;

/// What somebody has chosen: for types of notifications, by channels.
pub type Preferences = BTreeMap<String, BTreeMap<String, Mode>>;

/// Changes of it; `null` goes back to what holds for everybody.
pub type PreferencesPatch = BTreeMap<String, Option<BTreeMap<String, Option<Mode>>>>;

/// When digests are sent unless somebody says otherwise.
const DIGEST_AT: Time = time(8, 0, 0, 0);

/// How somebody wants to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NotificationSettings {
    /// Whose they are.
    #[serde(skip)]
    pub user_id: UserId,
    /// The language, as in `de` or `pt-BR`; `null` for the organisation's.
    pub language: Option<String>,
    /// IANA time zone of quiet hours and digests; `null` for that of the workplace, or else the organisation's.
    pub time_zone: Option<String>,
    /// When nothing is sent. What concerns security is, and the inbox is never quiet.
    pub quiet_hours: Option<QuietHours>,
    /// The time of day at which what was gathered is sent.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "08:00:00"))]
    pub digest_at: Time,
    /// What was chosen, by type and channel. `GET /api/v1/notification-types` shows what holds.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, BTreeMap<String, Mode>>))]
    pub preferences: Preferences,
    /// When they last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for NotificationSettings {}

impl Versioned for NotificationSettings {
    fn version(&self) -> Version {
        self.version
    }
}

/// What can be changed of how somebody wants to be told.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NotificationSettingsPatch {
    /// The language, as in `de` or `pt-BR`.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub language: Patch<String>,
    /// IANA time zone.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub time_zone: Patch<String>,
    /// When nothing is sent.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<QuietHours>))]
    pub quiet_hours: Patch<QuietHours>,
    /// When what was gathered is sent.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub digest_at: Patch<Time>,
    /// What is chosen, by type and channel; `null` goes back to what holds for everybody.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, BTreeMap<String, Mode>>>))]
    pub preferences: Patch<PreferencesPatch>,
}

impl NotificationSettings {
    /// Those of somebody who chose nothing.
    #[must_use]
    pub fn of(user_id: UserId, now: Timestamp) -> Self {
        Self {
            user_id,
            language: None,
            time_zone: None,
            quiet_hours: None,
            digest_at: DIGEST_AT,
            preferences: Preferences::new(),
            updated_at: now,
            version: Version::FIRST,
        }
    }

    /// What holds for a type by a channel.
    #[must_use]
    pub fn mode(&self, kind: &NotificationType, channel: &str) -> Mode {
        let default = default_mode(kind, channel);
        if is_fixed(kind, channel) {
            return default;
        }
        let chosen = self.preferences.get(kind.name).and_then(|channels| channels.get(channel));
        chosen.copied().unwrap_or(default)
    }

    /// Applies a patch.
    ///
    /// # Errors
    /// Faulty fields. `channels` are those that there are.
    pub(super) fn apply(
        &mut self,
        hrms: &Hrms,
        channels: &[String],
        patch: NotificationSettingsPatch,
    ) -> Result<(), CommonError> {
        patch.language.apply(&mut self.language);
        patch.time_zone.apply(&mut self.time_zone);
        patch.quiet_hours.apply(&mut self.quiet_hours);
        match patch.digest_at {
            Patch::Keep => {}
            Patch::Clear => self.digest_at = DIGEST_AT,
            Patch::Set(at) => self.digest_at = at,
        }
        let mut check = Check::new();
        match patch.preferences {
            Patch::Keep => {}
            Patch::Clear => self.preferences.clear(),
            Patch::Set(patch) => choose(&mut self.preferences, hrms, channels, patch, &mut check),
        }
        if let Some(language) = &self.language {
            check.language("/language", language);
        }
        if let Some(zone) = &self.time_zone {
            check.zone("/time_zone", zone);
        }
        if self.quiet_hours.is_some_and(|quiet| !quiet.leave_an_hour()) {
            check.fault("/quiet_hours", "out-of-range", "quiet hours last from a minute to 23 hours");
        }
        check.done()
    }
}

/// What holds by a channel when nobody chose: an organisation's own channels are asked for by those who want them.
pub(super) fn default_mode(kind: &NotificationType, channel: &str) -> Mode {
    match channel {
        INBOX => Mode::Immediate,
        super::EMAIL => kind.default,
        _ => Mode::Off,
    }
}

/// Whether nobody can choose otherwise.
pub(super) fn is_fixed(kind: &NotificationType, channel: &str) -> bool {
    kind.security && matches!(channel, INBOX | super::EMAIL)
}

fn choose(
    chosen: &mut Preferences,
    hrms: &Hrms,
    channels: &[String],
    patch: PreferencesPatch,
    check: &mut Check,
) {
    for (name, choices) in patch {
        let Some(kind) = hrms.notification_type(&name) else {
            check.add(Err(fault(&[&name], "unknown-type", "there are no notifications of this type")));
            continue;
        };
        let Some(choices) = choices else {
            chosen.remove(&name);
            continue;
        };
        let of_type = chosen.entry(name.clone()).or_default();
        for (channel, mode) in choices {
            let at = [name.as_str(), channel.as_str()];
            if !channels.contains(&channel) {
                check.add(Err(fault(&at, "unknown-channel", "there is no such channel")));
            } else if is_fixed(kind, &channel) && mode.is_some() {
                check.add(Err(fault(&at, "fixed", "this is about security and is always told")));
            } else if channel == INBOX && mode == Some(Mode::Digest) {
                check.add(Err(fault(&at, "not-gathered", "nothing is gathered for the inbox")));
            } else if let Some(mode) = mode {
                of_type.insert(channel, mode);
            } else {
                of_type.remove(&channel);
            }
        }
        if of_type.is_empty() {
            chosen.remove(&name);
        }
    }
}

/// A fault below `/preferences`.
fn fault(at: &[&str], code: &'static str, detail: &'static str) -> FieldError {
    let escaped = at.iter().map(|part| part.replace('~', "~0").replace('/', "~1"));
    let pointer = escaped.fold("/preferences".to_owned(), |pointer, part| format!("{pointer}/{part}"));
    FieldError::new(pointer, code, detail)
}
