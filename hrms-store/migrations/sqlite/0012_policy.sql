-- Policies that organisations write, with their history; the zone that they tell the time by; and what events tell
-- of a leave request, so that policies can decide who hears of it.

ALTER TABLE organization ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC';
ALTER TABLE event ADD COLUMN details TEXT;

CREATE TABLE policy (
    tenant_id    BLOB    NOT NULL,
    id           BLOB    NOT NULL,
    name         TEXT    NOT NULL,
    description  TEXT,
    text         TEXT    NOT NULL,
    enabled      INTEGER NOT NULL,
    valid_from   TEXT,
    valid_to     TEXT,
    created_at   TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    CONSTRAINT policy_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT policy_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX policy_name_key ON policy (tenant_id, name);

-- Every text that was ever saved. Nobody changes or removes a row; it outlives its policy.
CREATE TABLE policy_version (
    tenant_id    BLOB    NOT NULL,
    policy_id    BLOB    NOT NULL,
    version      INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    description  TEXT,
    text         TEXT    NOT NULL,
    enabled      INTEGER NOT NULL,
    valid_from   TEXT,
    valid_to     TEXT,
    removed      INTEGER NOT NULL,
    changed_at   TEXT    NOT NULL,
    changed_by   BLOB,
    CONSTRAINT policy_version_pkey PRIMARY KEY (tenant_id, policy_id, version),
    CONSTRAINT policy_version_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
