-- Programs of organisations, and the keys by which they act. Of a key's secret there is a hash only.

CREATE TABLE service_account (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    name        text        COLLATE "C" NOT NULL,
    description text        NOT NULL,
    permissions jsonb       NOT NULL,
    status      text        NOT NULL CONSTRAINT service_account_status_check CHECK (status IN ('active', 'disabled')),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT service_account_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT service_account_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE INDEX service_account_name_idx ON service_account (tenant_id, name, id);
ALTER TABLE service_account ENABLE ROW LEVEL SECURITY;
ALTER TABLE service_account FORCE ROW LEVEL SECURITY;
CREATE POLICY service_account_tenant ON service_account TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON service_account TO hrms_app;

CREATE TABLE api_key (
    tenant_id          uuid        NOT NULL,
    id                 uuid        NOT NULL,
    service_account_id uuid        NOT NULL,
    name               text        COLLATE "C" NOT NULL,
    secret_hash        bytea       NOT NULL,
    permissions        jsonb       NOT NULL,
    created_by         uuid,
    created_at         timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    last_used_at       timestamptz,
    last_used_address  text,
    revoked_at         timestamptz,
    CONSTRAINT api_key_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT api_key_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT api_key_account_fkey FOREIGN KEY (tenant_id, service_account_id)
        REFERENCES service_account (tenant_id, id)
);
CREATE INDEX api_key_account_idx ON api_key (tenant_id, service_account_id);
CREATE INDEX api_key_name_idx ON api_key (tenant_id, name, id);
ALTER TABLE api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY api_key_tenant ON api_key TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
-- What a key is, and may be used for, never changes.
GRANT SELECT, INSERT, DELETE, UPDATE (expires_at, last_used_at, last_used_address, revoked_at) ON api_key TO hrms_app;
