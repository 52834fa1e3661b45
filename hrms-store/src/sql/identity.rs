//! Accounts and sessions in SQL, across tenants.
//!
//! Sessions of members and of operators are two tables of the same shape: the one belongs to a tenant, the
//! other to none.

use std::net::IpAddr;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::identity::{Candidate, IdentityDirectory, NewSession, Proof, Rotation, Subject, Switched};
use hrms_core::operator::OperatorAccount;
use hrms_core::user::Account;
use hrms_core::{SessionId, StoreError, TenantId, UserId};

use crate::query::{Query, params};
use crate::sql::credential::{AccountDemands, MemberDemands, demands};
use crate::sql::operator::AccountRow;
use crate::store::SqlStore;

#[derive(FromRow)]
struct MemberRow {
    tenant_id: Uuid,
    id: Uuid,
    password_hash: String,
    #[sqlx(flatten)]
    account: AccountDemands,
    #[sqlx(flatten)]
    member: MemberDemands,
}

#[derive(FromRow)]
struct OperatorCandidateRow {
    id: Uuid,
    password_hash: String,
    #[sqlx(flatten)]
    account: AccountDemands,
}

#[async_trait]
impl IdentityDirectory for SqlStore {
    async fn candidate(
        &self,
        organization: Option<&str>,
        email: &str,
    ) -> Result<Option<Candidate>, StoreError> {
        let mut conn = self.directory_read().await?;
        if let Some(slug) = organization {
            let row: Option<MemberRow> = conn
                .optional(
                    "SELECT m.tenant_id, u.id, u.password_hash, u.password_needs_factor, u.password_changed_at, \
                       t.enrolled_at, m.password_due_since, m.roles, o.second_factor_required_for \
                     FROM user_account AS u \
                     JOIN membership AS m ON m.user_id = u.id JOIN organization AS o ON o.id = m.tenant_id \
                     LEFT JOIN account_totp AS t ON t.user_id = u.id \
                     WHERE u.email = $1 AND o.slug = $2 \
                       AND u.status = 'active' AND m.status = 'active' AND o.status = 'active'",
                    params![email, slug],
                )
                .await?;
            return Ok(row.map(|row| Candidate {
                tenant: Some(TenantId::from_uuid(row.tenant_id)),
                user: UserId::from_uuid(row.id),
                password_hash: row.password_hash,
                demands: demands(&row.account, Some(&row.member)),
            }));
        }
        let row: Option<OperatorCandidateRow> = conn
            .optional(
                "SELECT u.id, u.password_hash, u.password_needs_factor, u.password_changed_at, t.enrolled_at \
                 FROM user_account AS u JOIN platform_operator AS p ON p.user_id = u.id \
                 LEFT JOIN account_totp AS t ON t.user_id = u.id WHERE u.email = $1 AND u.status = 'active'",
                params![email],
            )
            .await?;
        Ok(row.map(|row| Candidate {
            tenant: None,
            user: UserId::from_uuid(row.id),
            password_hash: row.password_hash,
            demands: demands(&row.account, None),
        }))
    }

    async fn log_in_addresses(
        &self,
        tenant: Option<TenantId>,
        user: UserId,
        since: Timestamp,
    ) -> Result<Vec<IpAddr>, StoreError> {
        let mut conn = self.directory_read().await?;
        let rows: Vec<(String,)> = if let Some(tenant) = tenant {
            conn.all(
                "SELECT DISTINCT s.address FROM (SELECT address FROM auth_session \
                 WHERE tenant_id = $1 AND user_id = $2 AND created_at > $3 AND address IS NOT NULL \
                 ORDER BY created_at DESC LIMIT 200) AS s",
                params![tenant, user, since],
            )
            .await?
        } else {
            conn.all(
                "SELECT DISTINCT s.address FROM (SELECT address FROM operator_session \
                 WHERE user_id = $1 AND created_at > $2 AND address IS NOT NULL \
                 ORDER BY created_at DESC LIMIT 200) AS s",
                params![user, since],
            )
            .await?
        };
        // Text that is no address is none that anybody could come from.
        Ok(rows.into_iter().filter_map(|(address,)| address.parse().ok()).collect())
    }

    async fn insert_session(&self, session: &NewSession, proof: Proof<'_>) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let Subject { tenant, user, session: id } = session.subject;
        // Whoever changes the password meanwhile waits for us, and ends this session too.
        let mut same = Query::with(
            "SELECT id FROM user_account WHERE id = $1 AND password_hash = $2",
            params![user, proof.hash],
        );
        same.push(conn.for_update());
        let same: Option<(Uuid,)> = same.optional(&mut conn).await?;
        if same.is_none() {
            return Ok(false);
        }
        if let Some(hash) = proof.renewed {
            conn.execute(
                "UPDATE user_account SET password_hash = $2, updated_at = $3 WHERE id = $1",
                params![user, hash, session.created_at],
            )
            .await?;
        }
        let family_hash = session.family_hash.to_vec();
        let refresh_hash = session.refresh_hash.to_vec();
        let (created_at, expires_at, ends_at) = (session.created_at, session.expires_at, session.ends_at);
        let address = session.address.map(|address| address.to_string());
        let user_agent = session.user_agent.as_deref();
        let confirmed_at = session.confirmed.then_some(created_at);
        let second_factor_at = session.second_factor.then_some(created_at);
        if let Some(tenant) = tenant {
            conn.execute(
                "INSERT INTO auth_session (tenant_id, id, user_id, family_hash, refresh_hash, generation, \
                 created_at, last_used_at, expires_at, ends_at, address, user_agent, confirmed_at, second_factor_at) \
                 VALUES ($1, $2, $3, $4, $5, 1, $6, $6, $7, $8, $9, $10, $11, $12)",
                params![
                    tenant,
                    id,
                    user,
                    family_hash,
                    refresh_hash,
                    created_at,
                    expires_at,
                    ends_at,
                    address,
                    user_agent,
                    confirmed_at,
                    second_factor_at
                ],
            )
            .await?;
        } else {
            conn.execute(
                "INSERT INTO operator_session (id, user_id, family_hash, refresh_hash, generation, \
                 created_at, last_used_at, expires_at, ends_at, address, user_agent, confirmed_at, second_factor_at) \
                 VALUES ($1, $2, $3, $4, 1, $5, $5, $6, $7, $8, $9, $10, $11)",
                params![
                    id,
                    user,
                    family_hash,
                    refresh_hash,
                    created_at,
                    expires_at,
                    ends_at,
                    address,
                    user_agent,
                    confirmed_at,
                    second_factor_at
                ],
            )
            .await?;
        }
        conn.commit().await?;
        Ok(true)
    }

    async fn rotate_session(&self, rotation: &Rotation) -> Result<Option<UserId>, StoreError> {
        let mut conn = self.directory().await?;
        let Rotation { session, now, expires_at, .. } = *rotation;
        let [family, presented, next] =
            [rotation.family_hash, rotation.presented, rotation.next].map(|hash| hash.to_vec());
        let row: Option<(Uuid,)> = if let Some(tenant) = rotation.tenant {
            conn.optional(
                "UPDATE auth_session SET refresh_hash = $5, generation = generation + 1, last_used_at = $6, \
                   expires_at = CASE WHEN ends_at < $7 THEN ends_at ELSE $7 END \
                 WHERE tenant_id = $1 AND id = $2 AND family_hash = $3 AND refresh_hash = $4 \
                   AND revoked_at IS NULL AND expires_at > $6 AND EXISTS (\
                     SELECT 1 FROM membership AS m JOIN organization AS o ON o.id = m.tenant_id \
                     JOIN user_account AS u ON u.id = m.user_id \
                     WHERE m.tenant_id = auth_session.tenant_id AND m.user_id = auth_session.user_id \
                       AND m.status = 'active' AND o.status = 'active' AND u.status = 'active') \
                 RETURNING user_id",
                params![tenant, session, family, presented, next, now, expires_at],
            )
            .await?
        } else {
            conn.optional(
                "UPDATE operator_session SET refresh_hash = $4, generation = generation + 1, last_used_at = $5, \
                   expires_at = CASE WHEN ends_at < $6 THEN ends_at ELSE $6 END \
                 WHERE id = $1 AND family_hash = $2 AND refresh_hash = $3 \
                   AND revoked_at IS NULL AND expires_at > $5 AND EXISTS (\
                     SELECT 1 FROM user_account AS u WHERE u.id = operator_session.user_id AND u.status = 'active') \
                 RETURNING user_id",
                params![session, family, presented, next, now, expires_at],
            )
            .await?
        };
        conn.commit().await?;
        Ok(row.map(|(user,)| UserId::from_uuid(user)))
    }

    async fn end_reused_session(&self, rotation: &Rotation) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let Rotation { session, now, .. } = *rotation;
        let [family, presented] = [rotation.family_hash, rotation.presented].map(|hash| hash.to_vec());
        let ended = if let Some(tenant) = rotation.tenant {
            conn.execute(
                "UPDATE auth_session SET revoked_at = $5 WHERE tenant_id = $1 AND id = $2 \
                 AND family_hash = $3 AND refresh_hash <> $4 AND revoked_at IS NULL",
                params![tenant, session, family, presented, now],
            )
            .await?
        } else {
            conn.execute(
                "UPDATE operator_session SET revoked_at = $4 WHERE id = $1 \
                 AND family_hash = $2 AND refresh_hash <> $3 AND revoked_at IS NULL",
                params![session, family, presented, now],
            )
            .await?
        };
        if ended > 0 {
            conn.commit().await?;
        }
        Ok(ended > 0)
    }

    async fn switch_session(&self, from: &Rotation, to: &Switched) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let Some(tenant) = from.tenant else { return Ok(false) };
        let [family, presented, to_family, to_refresh] =
            [from.family_hash, from.presented, to.family_hash, to.refresh_hash].map(|hash| hash.to_vec());
        let ended = conn
            .execute(
                "UPDATE auth_session SET revoked_at = $6 WHERE tenant_id = $1 AND id = $2 AND user_id = $3 \
                 AND family_hash = $4 AND refresh_hash = $5 AND revoked_at IS NULL AND expires_at > $6",
                params![tenant, from.session, to.user, family, presented, from.now],
            )
            .await?;
        if ended == 0 {
            return Ok(false);
        }
        let opened = conn
            .execute(
                "INSERT INTO auth_session (tenant_id, id, user_id, family_hash, refresh_hash, generation, \
                   created_at, last_used_at, expires_at, ends_at, address, user_agent, confirmed_at, \
                   second_factor_at, failures) \
                 SELECT $3, $4, user_id, $5, $6, 1, created_at, $7, \
                   CASE WHEN ends_at < $8 THEN ends_at ELSE $8 END, \
                   CASE WHEN ends_at < $9 THEN ends_at ELSE $9 END, $10, user_agent, confirmed_at, \
                   second_factor_at, failures \
                 FROM auth_session WHERE tenant_id = $1 AND id = $2",
                params![
                    tenant,
                    from.session,
                    to.tenant,
                    to.session,
                    to_family,
                    to_refresh,
                    from.now,
                    to.expires_at,
                    to.ends_at,
                    to.address.map(|address| address.to_string()),
                ],
            )
            .await?;
        if opened > 0 {
            conn.commit().await?;
        }
        Ok(opened > 0)
    }

    async fn end_session(&self, subject: &Subject, now: Timestamp) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let Subject { tenant, user, session } = *subject;
        let ended = if let Some(tenant) = tenant {
            conn.execute(
                "UPDATE auth_session SET revoked_at = coalesce(revoked_at, $4) \
                 WHERE tenant_id = $1 AND id = $2 AND user_id = $3",
                params![tenant, session, user, now],
            )
            .await?
        } else {
            conn.execute(
                "UPDATE operator_session SET revoked_at = coalesce(revoked_at, $3) \
                 WHERE id = $1 AND user_id = $2",
                params![session, user, now],
            )
            .await?
        };
        if ended > 0 {
            conn.commit().await?;
        }
        Ok(ended > 0)
    }

    async fn operator(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Option<OperatorAccount>, StoreError> {
        let row: Option<AccountRow> = self
            .directory_read()
            .await?
            .optional(
                "SELECT u.id, u.email, u.name, u.status, u.created_at, u.updated_at, u.version FROM operator_session AS s \
                 JOIN platform_operator AS p ON p.user_id = s.user_id JOIN user_account AS u ON u.id = p.user_id \
                 WHERE s.id = $1 AND s.user_id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3 \
                   AND u.status = 'active'",
                params![session, user, now],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn insert_operator(&self, account: &Account) -> Result<(), StoreError> {
        let mut conn = self.directory().await?;
        conn.execute(
            "INSERT INTO user_account (id, email, name, password_hash, status, created_at, updated_at, version) \
             VALUES ($1, $2, $3, $4, 'active', $5, $5, 1)",
            params![
                account.id,
                account.email.as_str(),
                account.name.as_str(),
                account.password_hash.as_str(),
                account.created_at,
            ],
        )
        .await?;
        conn.execute(
            "INSERT INTO platform_operator (user_id, created_at) VALUES ($1, $2)",
            params![account.id, account.created_at],
        )
        .await?;
        conn.commit().await
    }
}
