-- Policies that organisations write, with their history; the zone that they tell the time by; and what events tell
-- of a leave request, so that policies can decide who hears of it.

ALTER TABLE organization ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC';
ALTER TABLE event ADD COLUMN details jsonb;

CREATE TABLE policy (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    name         text        COLLATE "C" NOT NULL,
    description  text,
    text         text        NOT NULL,
    enabled      boolean     NOT NULL,
    valid_from   timestamptz,
    valid_to     timestamptz,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT policy_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT policy_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX policy_name_key ON policy (tenant_id, name);
ALTER TABLE policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE policy FORCE ROW LEVEL SECURITY;
CREATE POLICY policy_tenant ON policy TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON policy TO hrms_app;

-- Every text that was ever saved. Nobody changes or removes a row; it outlives its policy.
CREATE TABLE policy_version (
    tenant_id    uuid        NOT NULL,
    policy_id    uuid        NOT NULL,
    version      bigint      NOT NULL,
    name         text        NOT NULL,
    description  text,
    text         text        NOT NULL,
    enabled      boolean     NOT NULL,
    valid_from   timestamptz,
    valid_to     timestamptz,
    removed      boolean     NOT NULL,
    changed_at   timestamptz NOT NULL,
    changed_by   uuid,
    CONSTRAINT policy_version_pkey PRIMARY KEY (tenant_id, policy_id, version),
    CONSTRAINT policy_version_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
ALTER TABLE policy_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE policy_version FORCE ROW LEVEL SECURITY;
CREATE POLICY policy_version_tenant ON policy_version TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON policy_version TO hrms_app;
