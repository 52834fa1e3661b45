-- Accounts, operators, memberships and sessions.
-- user_account, platform_operator and operator_session belong to the platform and have no tenant: hrms_app
-- has no right on them at all. Hashes of refresh tokens are out of its reach too.

CREATE TABLE user_account (
    id             uuid        NOT NULL CONSTRAINT user_account_pkey PRIMARY KEY,
    email          text        COLLATE "C" NOT NULL,
    name           text        NOT NULL,
    password_hash  text        NOT NULL,
    status         text        NOT NULL CONSTRAINT user_account_status_check CHECK (status IN ('active', 'disabled')),
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    version        bigint      NOT NULL
);
CREATE UNIQUE INDEX user_account_email_key ON user_account (email);
GRANT SELECT, INSERT, UPDATE ON user_account TO hrms_directory;

CREATE TABLE platform_operator (
    user_id     uuid        NOT NULL CONSTRAINT platform_operator_pkey PRIMARY KEY,
    created_at  timestamptz NOT NULL,
    CONSTRAINT platform_operator_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id)
);
GRANT SELECT, INSERT ON platform_operator TO hrms_directory;

CREATE TABLE operator_session (
    id            uuid        NOT NULL CONSTRAINT operator_session_pkey PRIMARY KEY,
    user_id       uuid        NOT NULL,
    family_hash   bytea       NOT NULL,
    refresh_hash  bytea       NOT NULL,
    generation    bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    revoked_at    timestamptz,
    address       text,
    user_agent    text,
    CONSTRAINT operator_session_user_fkey FOREIGN KEY (user_id) REFERENCES platform_operator (user_id)
);
CREATE INDEX operator_session_user_idx ON operator_session (user_id);
GRANT SELECT, INSERT, UPDATE ON operator_session TO hrms_directory;

-- What an organisation sees of a user: nothing of it comes from, or goes to, another organisation.
CREATE TABLE membership (
    tenant_id    uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    email        text        COLLATE "C" NOT NULL,
    name         text        COLLATE "C" NOT NULL,
    roles        jsonb       NOT NULL,
    employee_id  uuid,
    status       text        NOT NULL CONSTRAINT membership_status_check CHECK (status IN ('active', 'disabled')),
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT membership_pkey PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT membership_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT membership_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id),
    CONSTRAINT membership_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id)
);
CREATE UNIQUE INDEX membership_email_key ON membership (tenant_id, email);
CREATE UNIQUE INDEX membership_employee_key ON membership (tenant_id, employee_id);
CREATE INDEX membership_name_idx ON membership (tenant_id, name, user_id);
ALTER TABLE membership ENABLE ROW LEVEL SECURITY;
ALTER TABLE membership FORCE ROW LEVEL SECURITY;
CREATE POLICY membership_tenant ON membership TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
CREATE POLICY membership_directory ON membership TO hrms_directory USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON membership TO hrms_app;
GRANT SELECT, INSERT ON membership TO hrms_directory;

-- A log-in in an organisation: the family of one refresh token.
CREATE TABLE auth_session (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    family_hash   bytea       NOT NULL,
    refresh_hash  bytea       NOT NULL,
    generation    bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    revoked_at    timestamptz,
    address       text,
    user_agent    text,
    CONSTRAINT auth_session_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT auth_session_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT auth_session_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES membership (tenant_id, user_id)
);
CREATE INDEX auth_session_user_idx ON auth_session (tenant_id, user_id);
ALTER TABLE auth_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth_session FORCE ROW LEVEL SECURITY;
CREATE POLICY auth_session_tenant ON auth_session TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
CREATE POLICY auth_session_directory ON auth_session TO hrms_directory USING (true) WITH CHECK (true);
GRANT SELECT (tenant_id, id, user_id, generation, created_at, last_used_at, expires_at, ends_at, revoked_at, address, user_agent),
    UPDATE (revoked_at) ON auth_session TO hrms_app;
GRANT SELECT, INSERT, UPDATE ON auth_session TO hrms_directory;
