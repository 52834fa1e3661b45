-- Roles that organisations make for themselves.

CREATE TABLE role (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    code        text        COLLATE "C" NOT NULL,
    name        text        COLLATE "C" NOT NULL,
    description text        NOT NULL,
    grants      jsonb       NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT role_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT role_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX role_code_key ON role (tenant_id, code);
CREATE INDEX role_name_idx ON role (tenant_id, name, id);
ALTER TABLE role ENABLE ROW LEVEL SECURITY;
ALTER TABLE role FORCE ROW LEVEL SECURITY;
CREATE POLICY role_tenant ON role TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON role TO hrms_app;
