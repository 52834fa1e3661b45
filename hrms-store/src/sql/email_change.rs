//! Changes of log-in addresses in SQL, across tenants.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use hrms_core::identity::{EmailChangeDirectory, NewEmailChange, WaitingEmailChange};
use hrms_core::{SessionId, StoreError, UserId};

use crate::query::params;
use crate::sql::credential::end_sessions;
use crate::store::SqlStore;

/// The log-in that asked for the change `$c` still lives at `$2`: whoever ends it takes the request back.
macro_rules! asker_lives {
    ($c:literal) => {
        concat!(
            " AND (EXISTS (SELECT 1 FROM auth_session AS s WHERE s.id = ",
            $c,
            ".session_id AND s.user_id = ",
            $c,
            ".user_id AND s.tenant_id IN (SELECT m.tenant_id FROM membership AS m WHERE m.user_id = ",
            $c,
            ".user_id) AND s.revoked_at IS NULL AND s.expires_at > $2) \
             OR EXISTS (SELECT 1 FROM operator_session AS s WHERE s.id = ",
            $c,
            ".session_id AND s.user_id = ",
            $c,
            ".user_id AND s.revoked_at IS NULL AND s.expires_at > $2))"
        )
    };
}

#[async_trait]
impl EmailChangeDirectory for SqlStore {
    async fn start_email_change(
        &self,
        change: &NewEmailChange,
        spaced_from: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let started = conn
            .execute(
                "INSERT INTO email_change (user_id, email, session_id, token_hash, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (user_id) DO UPDATE SET email = excluded.email, session_id = excluded.session_id, \
               token_hash = excluded.token_hash, created_at = excluded.created_at, \
               expires_at = excluded.expires_at \
             WHERE email_change.created_at <= $7",
                params![
                    change.user,
                    change.email.as_str(),
                    change.session,
                    change.token_hash.to_vec(),
                    change.created_at,
                    change.expires_at,
                    spaced_from,
                ],
            )
            .await?;
        if started > 0 {
            conn.commit().await?;
        }
        Ok(started > 0)
    }

    async fn waiting_email_change(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<WaitingEmailChange>, StoreError> {
        let row: Option<(Uuid, String, String)> = self
        .directory_read()
        .await?
        .optional(
            concat!(
                "SELECT u.id, u.email, c.email FROM email_change AS c JOIN user_account AS u ON u.id = c.user_id \
                 WHERE c.token_hash = $1 AND c.expires_at > $2 AND u.status = 'active'",
                asker_lives!("c")
            ),
            params![token_hash.to_vec(), now],
        )
        .await?;
        Ok(row.map(|(user, from, to)| WaitingEmailChange { user: UserId::from_uuid(user), from, to }))
    }

    async fn change_email(&self, token_hash: [u8; 32], now: Timestamp) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let used: Option<(Uuid, String, Uuid)> = conn
            .optional(
                concat!(
                    "DELETE FROM email_change WHERE token_hash = $1 AND expires_at > $2",
                    asker_lives!("email_change"),
                    " RETURNING user_id, email, session_id"
                ),
                params![token_hash.to_vec(), now],
            )
            .await?;
        let Some((user, email, session)) = used else { return Ok(false) };
        let (user, email) = (UserId::from_uuid(user), email.as_str());
        let changed = conn
            .execute(
                "UPDATE user_account SET email = $2, updated_at = $3, version = version + 1 \
             WHERE id = $1 AND status = 'active'",
                params![user, email, now],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        // Organisations that the account has left keep the address under which they knew it.
        conn.execute(
            "UPDATE membership SET email = $2, updated_at = $3, version = version + 1 \
         WHERE user_id = $1 AND removed_at IS NULL",
            params![user, email, now],
        )
        .await?;
        conn.execute("DELETE FROM password_reset WHERE user_id = $1", params![user]).await?;
        end_sessions(&mut conn, user, Some(SessionId::from_uuid(session)), now).await?;
        conn.commit().await?;
        Ok(true)
    }
}
