-- Organisations, locations, the event log, counters and kept answers.
-- Roles are created by the migration runner: hrms_owner owns everything here, hrms_app works inside
-- one tenant, hrms_directory does the few things that cross tenants.

CREATE TABLE organization (
    id          uuid        NOT NULL CONSTRAINT organization_pkey PRIMARY KEY,
    slug        text        COLLATE "C" NOT NULL,
    name        text        NOT NULL,
    status      text        NOT NULL CONSTRAINT organization_status_check CHECK (status IN ('active', 'suspended')),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL
);
CREATE UNIQUE INDEX organization_slug_key ON organization (slug);
ALTER TABLE organization ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization FORCE ROW LEVEL SECURITY;
CREATE POLICY organization_tenant ON organization TO hrms_app
    USING (id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
CREATE POLICY organization_directory ON organization TO hrms_directory USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON organization TO hrms_app;
GRANT SELECT, INSERT, UPDATE ON organization TO hrms_directory;

CREATE TABLE location (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    code        text        COLLATE "C" NOT NULL,
    name        text        COLLATE "C" NOT NULL,
    time_zone   text        NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT location_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT location_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX location_code_key ON location (tenant_id, code);
CREATE INDEX location_name_idx ON location (tenant_id, name, id);
ALTER TABLE location ENABLE ROW LEVEL SECURITY;
ALTER TABLE location FORCE ROW LEVEL SECURITY;
CREATE POLICY location_tenant ON location
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON location TO hrms_app;

CREATE TABLE tenant_counter (
    tenant_id   uuid        NOT NULL,
    name        text        COLLATE "C" NOT NULL,
    value       bigint      NOT NULL,
    CONSTRAINT tenant_counter_pkey PRIMARY KEY (tenant_id, name),
    CONSTRAINT tenant_counter_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
ALTER TABLE tenant_counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_counter FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_counter_tenant ON tenant_counter
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON tenant_counter TO hrms_app;

-- Append-only: the application may neither change nor delete what happened.
CREATE TABLE event (
    tenant_id     uuid        NOT NULL,
    sequence      bigint      NOT NULL,
    id            uuid        NOT NULL,
    kind          text        COLLATE "C" NOT NULL,
    occurred_at   timestamptz NOT NULL,
    subject       text        COLLATE "C" NOT NULL,
    data          jsonb       NOT NULL,
    permission    text        COLLATE "C" NOT NULL,
    owner_id      uuid,
    manager_id    uuid,
    department_id uuid,
    caused_by     uuid,
    request_id    uuid        NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (tenant_id, sequence),
    CONSTRAINT event_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX event_id_key ON event (tenant_id, id);
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
ALTER TABLE event FORCE ROW LEVEL SECURITY;
CREATE POLICY event_tenant ON event
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON event TO hrms_app;

CREATE TABLE idempotency_key (
    tenant_id   uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    key         text        COLLATE "C" NOT NULL,
    fingerprint bytea       NOT NULL,
    answer      text        NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT idempotency_key_pkey PRIMARY KEY (tenant_id, user_id, key),
    CONSTRAINT idempotency_key_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_key FORCE ROW LEVEL SECURITY;
CREATE POLICY idempotency_key_tenant ON idempotency_key
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON idempotency_key TO hrms_app;
