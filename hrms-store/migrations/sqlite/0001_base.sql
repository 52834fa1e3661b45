-- Organisations, locations, the event log, counters and kept answers.
-- The same tables as on PostgreSQL; there the roles and row-level security come on top.

CREATE TABLE organization (
    id          BLOB    NOT NULL PRIMARY KEY,
    slug        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    status      TEXT    NOT NULL CONSTRAINT organization_status_check CHECK (status IN ('active', 'suspended')),
    created_at  TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    version     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX organization_slug_key ON organization (slug);

CREATE TABLE location (
    tenant_id   BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    code        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    time_zone   TEXT    NOT NULL,
    created_at  TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    CONSTRAINT location_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT location_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX location_code_key ON location (tenant_id, code);
CREATE INDEX location_name_idx ON location (tenant_id, name, id);

CREATE TABLE tenant_counter (
    tenant_id   BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    value       INTEGER NOT NULL,
    CONSTRAINT tenant_counter_pkey PRIMARY KEY (tenant_id, name),
    CONSTRAINT tenant_counter_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    tenant_id     BLOB    NOT NULL,
    sequence      INTEGER NOT NULL,
    id            BLOB    NOT NULL,
    kind          TEXT    NOT NULL,
    occurred_at   TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    data          TEXT    NOT NULL,
    permission    TEXT    NOT NULL,
    owner_id      BLOB,
    manager_id    BLOB,
    department_id BLOB,
    caused_by     BLOB,
    request_id    BLOB    NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (tenant_id, sequence),
    CONSTRAINT event_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX event_id_key ON event (tenant_id, id);

CREATE TABLE idempotency_key (
    tenant_id   BLOB    NOT NULL,
    user_id     BLOB    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    answer      TEXT    NOT NULL,
    created_at  TEXT    NOT NULL,
    CONSTRAINT idempotency_key_pkey PRIMARY KEY (tenant_id, user_id, key),
    CONSTRAINT idempotency_key_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
