//! How people want to be told, in SQL.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Time;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::notification::{NotificationSettings, NotificationSettingsRepo, QuietHours};
use hrms_core::{StoreError, UserId, Version};

use crate::instant::Instant;
use crate::query::{Query, params};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct SettingsRow {
    user_id: Uuid,
    language: Option<String>,
    time_zone: Option<String>,
    quiet_from: Option<String>,
    quiet_to: Option<String>,
    digest_at: String,
    preferences: Value,
    updated_at: Instant,
    version: i64,
}

fn time(text: &str) -> Result<Time, StoreError> {
    text.parse().map_err(|error| corrupt("notification_settings", error))
}

impl TryFrom<SettingsRow> for NotificationSettings {
    type Error = StoreError;

    fn try_from(row: SettingsRow) -> Result<Self, StoreError> {
        let quiet_hours = match row.quiet_from.zip(row.quiet_to) {
            Some((from, to)) => Some(QuietHours { from: time(&from)?, to: time(&to)? }),
            None => None,
        };
        let preferences = serde_json::from_value(row.preferences);
        Ok(Self {
            user_id: UserId::from_uuid(row.user_id),
            language: row.language,
            time_zone: row.time_zone,
            quiet_hours,
            digest_at: time(&row.digest_at)?,
            preferences: preferences.map_err(|error| corrupt("notification_settings", error))?,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

fn preferences(settings: &NotificationSettings) -> Result<Value, StoreError> {
    serde_json::to_value(&settings.preferences).map_err(|error| corrupt("notification_settings", error))
}

impl SqlTx {
    async fn settings(
        &mut self,
        user: UserId,
        lock: &'static str,
    ) -> Result<Option<NotificationSettings>, StoreError> {
        let mut query = Query::with(
            "SELECT user_id, language, time_zone, quiet_from, quiet_to, digest_at, preferences, updated_at, version \
             FROM notification_settings WHERE tenant_id = $1 AND user_id = $2",
            params![self.tenant, user],
        );
        query.push(lock);
        let row: Option<SettingsRow> = query.optional(&mut self.conn).await?;
        row.map(TryInto::try_into).transpose()
    }
}

#[async_trait]
impl NotificationSettingsRepo for SqlTx {
    async fn get(&mut self, user: UserId) -> Result<Option<NotificationSettings>, StoreError> {
        self.settings(user, "").await
    }

    async fn hold(&mut self, user: UserId, now: Timestamp) -> Result<NotificationSettings, StoreError> {
        let new = NotificationSettings::of(user, now);
        self.conn
            .execute(
                "INSERT INTO notification_settings (tenant_id, user_id, digest_at, preferences, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, user_id) DO NOTHING",
                params![
                    self.tenant,
                    user,
                    new.digest_at.to_string(),
                    preferences(&new)?,
                    new.updated_at,
                    new.version,
                ],
            )
            .await?;
        let lock = self.conn.for_update();
        Ok(self.settings(user, lock).await?.unwrap_or(new))
    }

    async fn update(&mut self, settings: &NotificationSettings, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE notification_settings SET language = $4, time_zone = $5, quiet_from = $6, quiet_to = $7, \
                   digest_at = $8, preferences = $9, updated_at = $10, version = $11 \
                 WHERE tenant_id = $1 AND user_id = $2 AND version = $3",
                params![
                    self.tenant,
                    settings.user_id,
                    expected,
                    settings.language.as_deref(),
                    settings.time_zone.as_deref(),
                    settings.quiet_hours.map(|quiet| quiet.from.to_string()),
                    settings.quiet_hours.map(|quiet| quiet.to.to_string()),
                    settings.digest_at.to_string(),
                    preferences(settings)?,
                    settings.updated_at,
                    settings.version,
                ],
            )
            .await
    }
}
