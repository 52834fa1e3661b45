-- Accounts, operators, memberships and sessions.
-- The same tables as on PostgreSQL; there the roles and row-level security come on top.

CREATE TABLE user_account (
    id             BLOB    NOT NULL PRIMARY KEY,
    email          TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    password_hash  TEXT    NOT NULL,
    status         TEXT    NOT NULL CONSTRAINT user_account_status_check CHECK (status IN ('active', 'disabled')),
    created_at     TEXT    NOT NULL,
    updated_at     TEXT    NOT NULL,
    version        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX user_account_email_key ON user_account (email);

CREATE TABLE platform_operator (
    user_id     BLOB NOT NULL PRIMARY KEY,
    created_at  TEXT NOT NULL,
    CONSTRAINT platform_operator_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE operator_session (
    id            BLOB    NOT NULL PRIMARY KEY,
    user_id       BLOB    NOT NULL,
    family_hash   BLOB    NOT NULL,
    refresh_hash  BLOB    NOT NULL,
    generation    INTEGER NOT NULL,
    created_at    TEXT    NOT NULL,
    last_used_at  TEXT    NOT NULL,
    expires_at    TEXT    NOT NULL,
    ends_at       TEXT    NOT NULL,
    revoked_at    TEXT,
    address       TEXT,
    user_agent    TEXT,
    CONSTRAINT operator_session_user_fkey FOREIGN KEY (user_id) REFERENCES platform_operator (user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX operator_session_user_idx ON operator_session (user_id);

CREATE TABLE membership (
    tenant_id    BLOB    NOT NULL,
    user_id      BLOB    NOT NULL,
    email        TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    roles        TEXT    NOT NULL,
    employee_id  BLOB,
    status       TEXT    NOT NULL CONSTRAINT membership_status_check CHECK (status IN ('active', 'disabled')),
    created_at   TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    CONSTRAINT membership_pkey PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT membership_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT membership_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id),
    CONSTRAINT membership_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX membership_email_key ON membership (tenant_id, email);
CREATE UNIQUE INDEX membership_employee_key ON membership (tenant_id, employee_id);
CREATE INDEX membership_name_idx ON membership (tenant_id, name, user_id);

CREATE TABLE auth_session (
    tenant_id     BLOB    NOT NULL,
    id            BLOB    NOT NULL,
    user_id       BLOB    NOT NULL,
    family_hash   BLOB    NOT NULL,
    refresh_hash  BLOB    NOT NULL,
    generation    INTEGER NOT NULL,
    created_at    TEXT    NOT NULL,
    last_used_at  TEXT    NOT NULL,
    expires_at    TEXT    NOT NULL,
    ends_at       TEXT    NOT NULL,
    revoked_at    TEXT,
    address       TEXT,
    user_agent    TEXT,
    CONSTRAINT auth_session_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT auth_session_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT auth_session_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES membership (tenant_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX auth_session_user_idx ON auth_session (tenant_id, user_id);
