-- The audit logs: of each organisation, and of the platform. Each entry names the hash of the one before it
-- (docs/decisions/0006). Append-only: no role of the application may change or delete an entry or an anchor.
--
-- Purging a closed organisation is the one exception to come: audit_purge names the organisations whose log may be
-- deleted. Whoever purges gets DELETE and a policy on both tables that asks for that row, never without it.

-- The row 'audit' of an organisation: number and hash of the last entry. One statement locks it together with 'event'.
ALTER TABLE tenant_counter ADD COLUMN hash bytea;

CREATE TABLE audit_entry (
    tenant_id     uuid        NOT NULL,
    sequence      bigint      NOT NULL,
    id            uuid        NOT NULL,
    occurred_at   timestamptz NOT NULL,
    author_kind   text        COLLATE "C" NOT NULL,
    author_id     uuid,
    author_name   text,
    session_id    uuid,
    on_behalf_of  uuid,
    operator_id   uuid,
    cause         text        COLLATE "C" NOT NULL,
    job_id        uuid,
    action        text        COLLATE "C" NOT NULL,
    subject       text        COLLATE "C" NOT NULL,
    -- JSON as the text that was hashed: jsonb would write it anew.
    before        text,
    after         text,
    why           text,
    request_id    uuid        NOT NULL,
    address       text,
    outcome       text        COLLATE "C" NOT NULL,
    prev_hash     bytea       NOT NULL,
    hash          bytea       NOT NULL,
    format        bigint      NOT NULL,
    CONSTRAINT audit_entry_pkey PRIMARY KEY (tenant_id, sequence),
    CONSTRAINT audit_entry_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX audit_entry_id_key ON audit_entry (tenant_id, id);
CREATE INDEX audit_entry_author_idx ON audit_entry (tenant_id, author_id, sequence);
CREATE INDEX audit_entry_subject_idx ON audit_entry (tenant_id, subject, sequence);
CREATE INDEX audit_entry_request_idx ON audit_entry (tenant_id, request_id);
ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_entry FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_entry_tenant ON audit_entry
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON audit_entry TO hrms_app;

CREATE TABLE audit_anchor (
    tenant_id    uuid        NOT NULL,
    sequence     bigint      NOT NULL,
    hash         bytea       NOT NULL,
    anchored_at  timestamptz NOT NULL,
    key          bytea       NOT NULL,
    signature    bytea       NOT NULL,
    CONSTRAINT audit_anchor_pkey PRIMARY KEY (tenant_id, sequence),
    CONSTRAINT audit_anchor_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
ALTER TABLE audit_anchor ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_anchor FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_anchor_tenant ON audit_anchor
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON audit_anchor TO hrms_app;

CREATE TABLE audit_purge (
    tenant_id    uuid        NOT NULL,
    marked_at    timestamptz NOT NULL,
    CONSTRAINT audit_purge_pkey PRIMARY KEY (tenant_id)
);
ALTER TABLE audit_purge ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_purge FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_purge_tenant ON audit_purge
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);

-- The platform's own log: what operators do. hrms_app has no right on it at all.
CREATE TABLE platform_audit_entry (
    sequence      bigint      NOT NULL CONSTRAINT platform_audit_entry_pkey PRIMARY KEY,
    id            uuid        NOT NULL,
    occurred_at   timestamptz NOT NULL,
    author_kind   text        COLLATE "C" NOT NULL,
    author_id     uuid,
    author_name   text,
    session_id    uuid,
    on_behalf_of  uuid,
    operator_id   uuid,
    cause         text        COLLATE "C" NOT NULL,
    job_id        uuid,
    action        text        COLLATE "C" NOT NULL,
    subject       text        COLLATE "C" NOT NULL,
    before        text,
    after         text,
    why           text,
    request_id    uuid        NOT NULL,
    address       text,
    outcome       text        COLLATE "C" NOT NULL,
    prev_hash     bytea       NOT NULL,
    hash          bytea       NOT NULL,
    format        bigint      NOT NULL
);
CREATE UNIQUE INDEX platform_audit_entry_id_key ON platform_audit_entry (id);
CREATE INDEX platform_audit_entry_subject_idx ON platform_audit_entry (subject, sequence);
GRANT SELECT, INSERT ON platform_audit_entry TO hrms_directory;

-- One row, 'audit': number and hash of the last entry.
CREATE TABLE platform_counter (
    name   text   COLLATE "C" NOT NULL CONSTRAINT platform_counter_pkey PRIMARY KEY,
    value  bigint NOT NULL,
    hash   bytea
);
GRANT SELECT, INSERT, UPDATE ON platform_counter TO hrms_directory;

CREATE TABLE platform_audit_anchor (
    sequence     bigint      NOT NULL CONSTRAINT platform_audit_anchor_pkey PRIMARY KEY,
    hash         bytea       NOT NULL,
    anchored_at  timestamptz NOT NULL,
    key          bytea       NOT NULL,
    signature    bytea       NOT NULL
);
GRANT SELECT, INSERT ON platform_audit_anchor TO hrms_directory;
