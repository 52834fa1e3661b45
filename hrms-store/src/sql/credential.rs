//! What sessions have proved, second factors, passwords and their resets, across tenants.
//!
//! Sessions of members and of operators are two tables of the same shape. A statement for either is written
//! for a member's, and again without the tenant.

mod demands;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::identity::{
    AccountFacts, CredentialDirectory, NewPassword, SessionInfo, SessionState, StoredTotp, Subject,
};
use hrms_core::{SessionId, StoreError, UserId};

use crate::engine::Conn;
use crate::instant::Instant;
use crate::query::{Param, insert_many, params};
use crate::store::SqlStore;

pub(crate) use demands::{AccountDemands, MemberDemands, demands};
use demands::{MemberStateRow, StateRow};

#[derive(FromRow)]
struct SessionRow {
    id: Uuid,
    created_at: Instant,
    last_used_at: Instant,
    address: Option<String>,
    user_agent: Option<String>,
}

#[derive(FromRow)]
struct AccountRow {
    email: String,
    name: String,
    password_hash: String,
    password_needs_factor: bool,
    password_chosen_by: Option<Uuid>,
    enrolled_at: Option<Instant>,
    operator_id: Option<Uuid>,
    memberships: i64,
}

#[derive(FromRow)]
struct TotpRow {
    secret: Option<Vec<u8>>,
    pending_secret: Option<Vec<u8>>,
    pending_at: Option<Instant>,
}

pub(crate) const REMOVE_CODES: &str = "DELETE FROM account_recovery_code WHERE user_id = $1";
pub(crate) const REMOVE_TOTP: &str = "DELETE FROM account_totp WHERE user_id = $1 AND secret IS NOT NULL";

/// Ends an account's sessions in every organisation and as an operator, apart from one.
pub(crate) async fn end_sessions(
    conn: &mut Conn,
    user: UserId,
    keep: Option<SessionId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let keep = keep.unwrap_or(SessionId::from_uuid(Uuid::nil()));
    conn.execute(
        "UPDATE auth_session SET revoked_at = $3 WHERE revoked_at IS NULL AND id <> $2 AND user_id = $1 \
         AND tenant_id IN (SELECT tenant_id FROM membership WHERE user_id = $1)",
        params![user, keep, now],
    )
    .await?;
    conn.execute(
        "UPDATE operator_session SET revoked_at = $3 WHERE revoked_at IS NULL AND id <> $2 AND user_id = $1",
        params![user, keep, now],
    )
    .await?;
    Ok(())
}

/// Removes a second factor and its recovery codes; whether there was one.
async fn remove_totp(conn: &mut Conn, user: UserId) -> Result<bool, StoreError> {
    conn.execute(REMOVE_CODES, params![user]).await?;
    Ok(conn.execute(REMOVE_TOTP, params![user]).await? > 0)
}

/// Puts new recovery codes in the place of the former ones.
async fn replace_codes(
    conn: &mut Conn,
    user: UserId,
    hashes: &[[u8; 32]],
    now: Timestamp,
) -> Result<(), StoreError> {
    conn.execute(REMOVE_CODES, params![user]).await?;
    let rows: Vec<[Param; 3]> = hashes.iter().map(|hash| params![user, hash.to_vec(), now]).collect();
    insert_many(conn, "INSERT INTO account_recovery_code (user_id, code_hash, created_at) VALUES ", rows, "")
        .await?;
    Ok(())
}

/// Writes a new password.
async fn write_password(
    conn: &mut Conn,
    user: UserId,
    new: NewPassword<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE user_account SET password_hash = $2, password_needs_factor = $3, password_changed_at = $4, \
           updated_at = $4, version = version + 1 WHERE id = $1",
        params![user, new.hash, new.needs_factor, now],
    )
    .await?;
    conn.execute("DELETE FROM password_reset WHERE user_id = $1", params![user]).await?;
    Ok(())
}

#[async_trait]
impl CredentialDirectory for SqlStore {
    async fn session(&self, of: &Subject, now: Timestamp) -> Result<Option<SessionState>, StoreError> {
        let mut conn = self.directory_read().await?;
        let Subject { tenant, user, session } = *of;
        if let Some(tenant) = tenant {
            let row: Option<MemberStateRow> = conn
                .optional(
                    "SELECT s.created_at, s.confirmed_at, s.second_factor_at, u.password_needs_factor, \
                       u.password_changed_at, t.enrolled_at, m.password_due_since, m.roles, \
                       o.second_factor_required_for \
                     FROM auth_session AS s JOIN user_account AS u ON u.id = s.user_id \
                     JOIN membership AS m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id \
                     JOIN organization AS o ON o.id = s.tenant_id \
                     LEFT JOIN account_totp AS t ON t.user_id = u.id \
                     WHERE s.tenant_id = $1 AND s.id = $2 AND s.user_id = $3 AND s.revoked_at IS NULL \
                       AND s.expires_at > $4 AND u.status = 'active' AND m.status = 'active' \
                       AND o.status = 'active'",
                    params![tenant, session, user, now],
                )
                .await?;
            return Ok(row.map(|row| row.state.with(Some(&row.member))));
        }
        let row: Option<StateRow> = conn
            .optional(
                "SELECT s.created_at, s.confirmed_at, s.second_factor_at, u.password_needs_factor, \
                   u.password_changed_at, t.enrolled_at \
                 FROM operator_session AS s JOIN user_account AS u ON u.id = s.user_id \
                 JOIN platform_operator AS p ON p.user_id = u.id \
                 LEFT JOIN account_totp AS t ON t.user_id = u.id \
                 WHERE s.id = $1 AND s.user_id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3 \
                   AND u.status = 'active'",
                params![session, user, now],
            )
            .await?;
        Ok(row.map(|row| row.with(None)))
    }

    async fn sessions(&self, of: &Subject, now: Timestamp) -> Result<Vec<SessionInfo>, StoreError> {
        let mut conn = self.directory_read().await?;
        let rows: Vec<SessionRow> = if let Some(tenant) = of.tenant {
            conn.all(
                "SELECT id, created_at, last_used_at, address, user_agent FROM auth_session \
                 WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3 \
                 ORDER BY created_at DESC, id DESC LIMIT 200",
                params![tenant, of.user, now],
            )
            .await?
        } else {
            conn.all(
                "SELECT id, created_at, last_used_at, address, user_agent FROM operator_session \
                 WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 \
                 ORDER BY created_at DESC, id DESC LIMIT 200",
                params![of.user, now],
            )
            .await?
        };
        let info = |row: SessionRow| SessionInfo {
            id: SessionId::from_uuid(row.id),
            created_at: row.created_at.0,
            last_used_at: row.last_used_at.0,
            address: row.address,
            user_agent: row.user_agent,
            current: row.id == of.session.as_uuid(),
        };
        Ok(rows.into_iter().map(info).collect())
    }

    async fn end_other_sessions(&self, of: &Subject, now: Timestamp) -> Result<u64, StoreError> {
        let mut conn = self.directory().await?;
        let ended = if let Some(tenant) = of.tenant {
            conn.execute(
                "UPDATE auth_session SET revoked_at = $4 WHERE tenant_id = $1 AND user_id = $2 AND id <> $3 \
                   AND revoked_at IS NULL AND expires_at > $4",
                params![tenant, of.user, of.session, now],
            )
            .await?
        } else {
            conn.execute(
                "UPDATE operator_session SET revoked_at = $3 WHERE user_id = $1 AND id <> $2 \
                   AND revoked_at IS NULL AND expires_at > $3",
                params![of.user, of.session, now],
            )
            .await?
        };
        conn.commit().await?;
        Ok(ended)
    }

    async fn confirm_session(
        &self,
        of: &Subject,
        second_factor: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut conn = self.directory().await?;
        let passed = second_factor.then_some(now);
        if let Some(tenant) = of.tenant {
            conn.execute(
                "UPDATE auth_session SET confirmed_at = $4, second_factor_at = coalesce($5, second_factor_at), \
                   failures = 0 WHERE tenant_id = $1 AND user_id = $2 AND id = $3 AND revoked_at IS NULL",
                params![tenant, of.user, of.session, now, passed],
            )
            .await?;
        } else {
            conn.execute(
                "UPDATE operator_session SET confirmed_at = $3, \
                   second_factor_at = coalesce($4, second_factor_at), failures = 0 \
                 WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL",
                params![of.user, of.session, now, passed],
            )
            .await?;
        }
        conn.commit().await
    }

    async fn prolong_session(
        &self,
        of: &Subject,
        expires_at: Timestamp,
        ends_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut conn = self.directory().await?;
        if let Some(tenant) = of.tenant {
            conn.execute(
                "UPDATE auth_session SET expires_at = $4, ends_at = $5 WHERE tenant_id = $1 AND user_id = $2 \
                   AND id = $3 AND revoked_at IS NULL AND ends_at < $5",
                params![tenant, of.user, of.session, expires_at, ends_at],
            )
            .await?;
        } else {
            conn.execute(
                "UPDATE operator_session SET expires_at = $3, ends_at = $4 WHERE user_id = $1 AND id = $2 \
                   AND revoked_at IS NULL AND ends_at < $4",
                params![of.user, of.session, expires_at, ends_at],
            )
            .await?;
        }
        conn.commit().await
    }

    async fn count_failure(&self, of: &Subject, most: i64, now: Timestamp) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let row: Option<(i64,)> = if let Some(tenant) = of.tenant {
            conn.optional(
                "UPDATE auth_session SET failures = failures + 1, \
                   revoked_at = CASE WHEN failures + 1 >= $4 THEN $5 ELSE revoked_at END \
                 WHERE tenant_id = $1 AND user_id = $2 AND id = $3 AND revoked_at IS NULL RETURNING failures",
                params![tenant, of.user, of.session, most, now],
            )
            .await?
        } else {
            conn.optional(
                "UPDATE operator_session SET failures = failures + 1, \
                   revoked_at = CASE WHEN failures + 1 >= $3 THEN $4 ELSE revoked_at END \
                 WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING failures",
                params![of.user, of.session, most, now],
            )
            .await?
        };
        let ended = row.is_none_or(|(failures,)| failures >= most);
        // What is on record is the end.
        if ended {
            conn.commit().await?
        } else {
            conn.commit_unrecorded().await?
        }
        Ok(ended)
    }

    async fn account(&self, user: UserId) -> Result<Option<AccountFacts>, StoreError> {
        let row: Option<AccountRow> = self
            .directory_read()
            .await?
            .optional(
                "SELECT u.email, u.name, u.password_hash, u.password_needs_factor, u.password_chosen_by, t.enrolled_at, \
                   p.user_id AS operator_id, \
                   (SELECT count(*) FROM membership AS m WHERE m.user_id = u.id) AS memberships \
                 FROM user_account AS u LEFT JOIN account_totp AS t ON t.user_id = u.id \
                 LEFT JOIN platform_operator AS p ON p.user_id = u.id \
                 WHERE u.id = $1 AND u.status = 'active'",
                params![user],
            )
            .await?;
        Ok(row.map(|row| AccountFacts {
            email: row.email,
            name: row.name,
            password_hash: row.password_hash,
            password_needs_factor: row.password_needs_factor,
            password_chosen_by: row.password_chosen_by.map(UserId::from_uuid),
            enrolled: row.enrolled_at.is_some(),
            operator: row.operator_id.is_some(),
            memberships: row.memberships,
        }))
    }

    async fn totp(&self, user: UserId) -> Result<StoredTotp, StoreError> {
        let row: Option<TotpRow> = self
            .directory_read()
            .await?
            .optional(
                "SELECT secret, pending_secret, pending_at FROM account_totp WHERE user_id = $1",
                params![user],
            )
            .await?;
        Ok(row.map_or_else(StoredTotp::default, |row| StoredTotp {
            secret: row.secret,
            pending: row.pending_secret.zip(row.pending_at.map(|at| at.0)),
        }))
    }

    async fn charge_totp(
        &self,
        user: UserId,
        free: i64,
        paused_before: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let charged = conn
            .execute(
                "UPDATE account_totp SET failures = failures + 1, failed_at = $2 \
                 WHERE user_id = $1 AND secret IS NOT NULL AND (failures < $3 OR failed_at <= $4)",
                params![user, now, free, paused_before],
            )
            .await?;
        conn.commit().await?;
        Ok(charged > 0)
    }

    async fn use_totp_step(&self, user: UserId, step: i64) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let used = conn
            .execute(
                "UPDATE account_totp SET last_step = $2, failures = 0 \
                 WHERE user_id = $1 AND secret IS NOT NULL AND last_step < $2",
                params![user, step],
            )
            .await?;
        conn.commit().await?;
        Ok(used > 0)
    }

    async fn start_totp(&self, user: UserId, sealed: &[u8], now: Timestamp) -> Result<(), StoreError> {
        let mut conn = self.directory().await?;
        conn.execute(
            "INSERT INTO account_totp (user_id, last_step, failures, pending_secret, pending_at) \
             VALUES ($1, 0, 0, $2, $3) \
             ON CONFLICT (user_id) DO UPDATE SET pending_secret = excluded.pending_secret, \
               pending_at = excluded.pending_at",
            params![user, sealed.to_vec(), now],
        )
        .await?;
        conn.commit().await
    }

    async fn enrol_totp(
        &self,
        by: &Subject,
        sealed: &[u8],
        step: i64,
        recovery_hashes: &[[u8; 32]],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let enrolled = conn
            .execute(
                "UPDATE account_totp SET secret = pending_secret, enrolled_at = $3, last_step = $4, \
                   failures = 0, pending_secret = NULL, pending_at = NULL \
                 WHERE user_id = $1 AND pending_secret = $2",
                params![by.user, sealed.to_vec(), now, step],
            )
            .await?;
        if enrolled == 0 {
            return Ok(false);
        }
        replace_codes(&mut conn, by.user, recovery_hashes, now).await?;
        // Session ids are unique, whatever the organisation.
        conn.execute(
            "UPDATE auth_session SET second_factor_at = CASE WHEN id = $2 THEN $3 END \
             WHERE user_id = $1 AND tenant_id IN (SELECT tenant_id FROM membership WHERE user_id = $1) \
               AND revoked_at IS NULL",
            params![by.user, by.session, now],
        )
        .await?;
        conn.execute(
            "UPDATE operator_session SET second_factor_at = CASE WHEN id = $2 THEN $3 END \
             WHERE user_id = $1 AND revoked_at IS NULL",
            params![by.user, by.session, now],
        )
        .await?;
        conn.commit().await?;
        Ok(true)
    }

    async fn remove_totp(&self, user: UserId) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let removed = remove_totp(&mut conn, user).await?;
        if removed {
            conn.commit().await?;
        }
        Ok(removed)
    }

    async fn reset_totp(&self, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let removed = remove_totp(&mut conn, user).await?;
        if removed {
            end_sessions(&mut conn, user, None, now).await?;
            conn.commit().await?;
        }
        Ok(removed)
    }

    async fn replace_recovery_codes(
        &self,
        user: UserId,
        hashes: &[[u8; 32]],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut conn = self.directory().await?;
        replace_codes(&mut conn, user, hashes, now).await?;
        conn.commit().await
    }

    async fn use_recovery_code(
        &self,
        user: UserId,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let used = conn
            .execute(
                "UPDATE account_recovery_code SET used_at = $3 \
                 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL",
                params![user, hash.to_vec(), now],
            )
            .await?;
        if used > 0 {
            conn.commit().await?;
        }
        Ok(used > 0)
    }

    async fn second_factor_required_anywhere(&self, user: UserId) -> Result<bool, StoreError> {
        let rows: Vec<MemberDemands> = self
            .directory_read()
            .await?
            .all(
                "SELECT m.password_due_since, m.roles, o.second_factor_required_for \
                 FROM membership AS m JOIN organization AS o ON o.id = m.tenant_id \
                 WHERE m.user_id = $1 AND m.status = 'active' AND o.status = 'active'",
                params![user],
            )
            .await?;
        Ok(rows.iter().any(MemberDemands::second_factor_required))
    }

    async fn change_password(
        &self,
        user: UserId,
        old: &str,
        new: NewPassword<'_>,
        keep: &Subject,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        // One after the other: the second one finds another hash.
        let same = conn
            .execute(
                "UPDATE user_account SET updated_at = $3 WHERE id = $1 AND password_hash = $2 AND status = 'active'",
                params![user, old, now],
            )
            .await?;
        if same == 0 {
            return Ok(false);
        }
        write_password(&mut conn, user, new, now).await?;
        end_sessions(&mut conn, user, Some(keep.session), now).await?;
        conn.commit().await?;
        Ok(true)
    }

    async fn end_account_sessions(&self, user: UserId, now: Timestamp) -> Result<(), StoreError> {
        let mut conn = self.directory().await?;
        end_sessions(&mut conn, user, None, now).await?;
        conn.commit().await
    }

    async fn start_reset(
        &self,
        email: &str,
        token_hash: [u8; 32],
        spaced_from: Timestamp,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let started = conn
            .execute(
                "INSERT INTO password_reset (user_id, token_hash, created_at, expires_at) \
                 SELECT id, $2, $3, $4 FROM user_account WHERE email = $1 AND status = 'active' \
                 ON CONFLICT (user_id) DO UPDATE SET token_hash = excluded.token_hash, \
                   created_at = excluded.created_at, expires_at = excluded.expires_at \
                 WHERE password_reset.created_at <= $5",
                params![email, token_hash.to_vec(), now, expires_at, spaced_from],
            )
            .await?;
        if started > 0 {
            conn.commit().await?;
        }
        Ok(started > 0)
    }

    async fn resettable(&self, token_hash: [u8; 32], now: Timestamp) -> Result<Option<UserId>, StoreError> {
        let row: Option<(Uuid,)> = self
            .directory_read()
            .await?
            .optional(
                "SELECT user_id FROM password_reset WHERE token_hash = $1 AND expires_at > $2",
                params![token_hash.to_vec(), now],
            )
            .await?;
        Ok(row.map(|(user,)| UserId::from_uuid(user)))
    }

    async fn reset_password(
        &self,
        token_hash: [u8; 32],
        new: NewPassword<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let used: Option<(Uuid,)> = conn
            .optional(
                "DELETE FROM password_reset WHERE token_hash = $1 AND expires_at > $2 RETURNING user_id",
                params![token_hash.to_vec(), now],
            )
            .await?;
        let Some((user,)) = used else { return Ok(false) };
        let user = UserId::from_uuid(user);
        write_password(&mut conn, user, new, now).await?;
        // Whoever reads the account's mail chose it.
        conn.execute("UPDATE user_account SET password_chosen_by = NULL WHERE id = $1", params![user])
            .await?;
        end_sessions(&mut conn, user, None, now).await?;
        conn.commit().await?;
        Ok(true)
    }
}
