-- The audit logs: of each organisation, and of the platform. Each entry names the hash of the one before it
-- (docs/decisions/0006). Append-only; on PostgreSQL no role of the application has the right to do more.
--
-- Purging a closed organisation is the one exception: audit_purge names the organisations whose log may be deleted.

-- The row 'audit' of an organisation: number and hash of the last entry. One statement locks it together with 'event'.
ALTER TABLE tenant_counter ADD COLUMN hash BLOB;

CREATE TABLE audit_entry (
    tenant_id     BLOB        NOT NULL,
    sequence      INTEGER     NOT NULL,
    id            BLOB        NOT NULL,
    occurred_at   TEXT        NOT NULL,
    author_kind   TEXT        NOT NULL,
    author_id     BLOB,
    author_name   TEXT,
    session_id    BLOB,
    on_behalf_of  BLOB,
    operator_id   BLOB,
    cause         TEXT        NOT NULL,
    job_id        BLOB,
    action        TEXT        NOT NULL,
    subject       TEXT        NOT NULL,
    -- JSON as the text that was hashed: jsonb would write it anew.
    before        TEXT,
    after         TEXT,
    why           TEXT,
    request_id    BLOB        NOT NULL,
    address       TEXT,
    outcome       TEXT        NOT NULL,
    prev_hash     BLOB        NOT NULL,
    hash          BLOB        NOT NULL,
    format        INTEGER     NOT NULL,
    CONSTRAINT audit_entry_pkey PRIMARY KEY (tenant_id, sequence),
    CONSTRAINT audit_entry_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX audit_entry_id_key ON audit_entry (tenant_id, id);
CREATE INDEX audit_entry_author_idx ON audit_entry (tenant_id, author_id, sequence);
CREATE INDEX audit_entry_subject_idx ON audit_entry (tenant_id, subject, sequence);
CREATE INDEX audit_entry_request_idx ON audit_entry (tenant_id, request_id);

CREATE TABLE audit_anchor (
    tenant_id    BLOB        NOT NULL,
    sequence     INTEGER     NOT NULL,
    hash         BLOB        NOT NULL,
    anchored_at  TEXT        NOT NULL,
    key          BLOB        NOT NULL,
    signature    BLOB        NOT NULL,
    CONSTRAINT audit_anchor_pkey PRIMARY KEY (tenant_id, sequence),
    CONSTRAINT audit_anchor_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_purge (
    tenant_id    BLOB        NOT NULL,
    marked_at    TEXT        NOT NULL,
    CONSTRAINT audit_purge_pkey PRIMARY KEY (tenant_id)
) STRICT, WITHOUT ROWID;

-- The platform's own log: what operators do. hrms_app has no right on it at all.
CREATE TABLE platform_audit_entry (
    sequence      INTEGER     NOT NULL CONSTRAINT platform_audit_entry_pkey PRIMARY KEY,
    id            BLOB        NOT NULL,
    occurred_at   TEXT        NOT NULL,
    author_kind   TEXT        NOT NULL,
    author_id     BLOB,
    author_name   TEXT,
    session_id    BLOB,
    on_behalf_of  BLOB,
    operator_id   BLOB,
    cause         TEXT        NOT NULL,
    job_id        BLOB,
    action        TEXT        NOT NULL,
    subject       TEXT        NOT NULL,
    before        TEXT,
    after         TEXT,
    why           TEXT,
    request_id    BLOB        NOT NULL,
    address       TEXT,
    outcome       TEXT        NOT NULL,
    prev_hash     BLOB        NOT NULL,
    hash          BLOB        NOT NULL,
    format        INTEGER     NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX platform_audit_entry_id_key ON platform_audit_entry (id);
CREATE INDEX platform_audit_entry_subject_idx ON platform_audit_entry (subject, sequence);

-- One row, 'audit': number and hash of the last entry.
CREATE TABLE platform_counter (
    name   TEXT   NOT NULL CONSTRAINT platform_counter_pkey PRIMARY KEY,
    value  INTEGER     NOT NULL,
    hash   BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE platform_audit_anchor (
    sequence     INTEGER     NOT NULL CONSTRAINT platform_audit_anchor_pkey PRIMARY KEY,
    hash         BLOB        NOT NULL,
    anchored_at  TEXT        NOT NULL,
    key          BLOB        NOT NULL,
    signature    BLOB        NOT NULL
) STRICT, WITHOUT ROWID;

-- INSERT OR REPLACE would delete without a word: what is there already is refused.
CREATE TRIGGER audit_entry_append_only_insert BEFORE INSERT ON audit_entry
WHEN EXISTS (SELECT 1 FROM audit_entry WHERE tenant_id = NEW.tenant_id AND (sequence = NEW.sequence OR id = NEW.id)) BEGIN
    SELECT RAISE(ABORT, 'audit_entry_pkey');
END;
CREATE TRIGGER audit_entry_append_only_update BEFORE UPDATE ON audit_entry BEGIN
    SELECT RAISE(ABORT, 'audit_entry_append_only');
END;
CREATE TRIGGER audit_entry_append_only_delete BEFORE DELETE ON audit_entry
WHEN NOT EXISTS (SELECT 1 FROM audit_purge WHERE tenant_id = OLD.tenant_id) BEGIN
    SELECT RAISE(ABORT, 'audit_entry_append_only');
END;
CREATE TRIGGER audit_anchor_append_only_insert BEFORE INSERT ON audit_anchor
WHEN EXISTS (SELECT 1 FROM audit_anchor WHERE tenant_id = NEW.tenant_id AND sequence = NEW.sequence) BEGIN
    SELECT RAISE(ABORT, 'audit_anchor_pkey');
END;
CREATE TRIGGER audit_anchor_append_only_update BEFORE UPDATE ON audit_anchor BEGIN
    SELECT RAISE(ABORT, 'audit_anchor_append_only');
END;
CREATE TRIGGER audit_anchor_append_only_delete BEFORE DELETE ON audit_anchor
WHEN NOT EXISTS (SELECT 1 FROM audit_purge WHERE tenant_id = OLD.tenant_id) BEGIN
    SELECT RAISE(ABORT, 'audit_anchor_append_only');
END;
CREATE TRIGGER platform_audit_entry_append_only_insert BEFORE INSERT ON platform_audit_entry
WHEN EXISTS (SELECT 1 FROM platform_audit_entry WHERE sequence = NEW.sequence OR id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'platform_audit_entry_pkey');
END;
CREATE TRIGGER platform_audit_entry_append_only_update BEFORE UPDATE ON platform_audit_entry BEGIN
    SELECT RAISE(ABORT, 'platform_audit_entry_append_only');
END;
CREATE TRIGGER platform_audit_entry_append_only_delete BEFORE DELETE ON platform_audit_entry BEGIN
    SELECT RAISE(ABORT, 'platform_audit_entry_append_only');
END;
CREATE TRIGGER platform_audit_anchor_append_only_insert BEFORE INSERT ON platform_audit_anchor
WHEN EXISTS (SELECT 1 FROM platform_audit_anchor WHERE sequence = NEW.sequence) BEGIN
    SELECT RAISE(ABORT, 'platform_audit_anchor_pkey');
END;
CREATE TRIGGER platform_audit_anchor_append_only_update BEFORE UPDATE ON platform_audit_anchor BEGIN
    SELECT RAISE(ABORT, 'platform_audit_anchor_append_only');
END;
CREATE TRIGGER platform_audit_anchor_append_only_delete BEFORE DELETE ON platform_audit_anchor BEGIN
    SELECT RAISE(ABORT, 'platform_audit_anchor_append_only');
END;
