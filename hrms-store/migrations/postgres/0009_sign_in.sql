-- Second factors, step-up, forced change and reset of passwords.
-- A second factor belongs to the account, and so to the platform: hrms_app has no right on its tables at all.

ALTER TABLE user_account ADD COLUMN password_changed_at timestamptz;
-- Whether the password is long enough only together with a second factor.
ALTER TABLE user_account ADD COLUMN password_needs_factor boolean NOT NULL DEFAULT false;

-- The secrets are sealed by the application. `pending_secret` is one whose first code hasn't been seen yet;
-- `last_step` is the last time step whose code was taken; `failures` counts wrong codes since the last good one.
CREATE TABLE account_totp (
    user_id         uuid        NOT NULL CONSTRAINT account_totp_pkey PRIMARY KEY,
    secret          bytea,
    enrolled_at     timestamptz,
    last_step       bigint      NOT NULL,
    pending_secret  bytea,
    pending_at      timestamptz,
    failures        bigint      NOT NULL,
    failed_at       timestamptz,
    CONSTRAINT account_totp_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id),
    CONSTRAINT account_totp_secret_check CHECK ((secret IS NULL) = (enrolled_at IS NULL))
);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_totp TO hrms_directory;

CREATE TABLE account_recovery_code (
    user_id     uuid        NOT NULL,
    code_hash   bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    used_at     timestamptz,
    CONSTRAINT account_recovery_code_pkey PRIMARY KEY (user_id, code_hash),
    CONSTRAINT account_recovery_code_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_recovery_code TO hrms_directory;

-- One an account: the newest.
CREATE TABLE password_reset (
    user_id     uuid        NOT NULL CONSTRAINT password_reset_pkey PRIMARY KEY,
    token_hash  bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT password_reset_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id)
);
CREATE UNIQUE INDEX password_reset_token_key ON password_reset (token_hash);
GRANT SELECT, INSERT, UPDATE, DELETE ON password_reset TO hrms_directory;

-- `confirmed_at`: when the person last proved who they are; `second_factor_at`: when with a second factor;
-- `failures`: wrong one-time codes and passwords in this session since the last good one.
ALTER TABLE operator_session ADD COLUMN confirmed_at timestamptz;
ALTER TABLE operator_session ADD COLUMN second_factor_at timestamptz;
ALTER TABLE operator_session ADD COLUMN failures bigint NOT NULL DEFAULT 0;
ALTER TABLE auth_session ADD COLUMN confirmed_at timestamptz;
ALTER TABLE auth_session ADD COLUMN second_factor_at timestamptz;
ALTER TABLE auth_session ADD COLUMN failures bigint NOT NULL DEFAULT 0;
GRANT SELECT (confirmed_at, second_factor_at) ON auth_session TO hrms_app;

-- The password must have been changed since.
ALTER TABLE membership ADD COLUMN password_due_since timestamptz;
-- To end all of an account's sessions, across organisations.
CREATE INDEX membership_account_idx ON membership (user_id);

-- Names of roles whose holders need a second factor.
ALTER TABLE organization ADD COLUMN second_factor_required_for jsonb NOT NULL DEFAULT '[]';
