-- Second factors, step-up, forced change and reset of passwords.
-- The same tables as on PostgreSQL; there the roles and row-level security come on top.

ALTER TABLE user_account ADD COLUMN password_changed_at TEXT;
ALTER TABLE user_account ADD COLUMN password_needs_factor INTEGER NOT NULL DEFAULT 0;

CREATE TABLE account_totp (
    user_id         BLOB    NOT NULL PRIMARY KEY,
    secret          BLOB,
    enrolled_at     TEXT,
    last_step       INTEGER NOT NULL,
    pending_secret  BLOB,
    pending_at      TEXT,
    failures        INTEGER NOT NULL,
    failed_at       TEXT,
    CONSTRAINT account_totp_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id),
    CONSTRAINT account_totp_secret_check CHECK ((secret IS NULL) = (enrolled_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE account_recovery_code (
    user_id     BLOB NOT NULL,
    code_hash   BLOB NOT NULL,
    created_at  TEXT NOT NULL,
    used_at     TEXT,
    CONSTRAINT account_recovery_code_pkey PRIMARY KEY (user_id, code_hash),
    CONSTRAINT account_recovery_code_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE password_reset (
    user_id     BLOB NOT NULL PRIMARY KEY,
    token_hash  BLOB NOT NULL,
    created_at  TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    CONSTRAINT password_reset_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX password_reset_token_key ON password_reset (token_hash);

ALTER TABLE operator_session ADD COLUMN confirmed_at TEXT;
ALTER TABLE operator_session ADD COLUMN second_factor_at TEXT;
ALTER TABLE operator_session ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE auth_session ADD COLUMN confirmed_at TEXT;
ALTER TABLE auth_session ADD COLUMN second_factor_at TEXT;
ALTER TABLE auth_session ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;

ALTER TABLE membership ADD COLUMN password_due_since TEXT;
CREATE INDEX membership_account_idx ON membership (user_id);

ALTER TABLE organization ADD COLUMN second_factor_required_for TEXT NOT NULL DEFAULT '[]';
