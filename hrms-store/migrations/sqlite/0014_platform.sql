-- Closing and purging of organisations, and the access of operators inside them (docs/decisions/0008).
-- The same tables as on PostgreSQL; there the roles, row-level security and the function that purges come on top.

ALTER TABLE organization ADD COLUMN closed_at TEXT;
ALTER TABLE organization ADD COLUMN purge_after TEXT;
ALTER TABLE organization ADD COLUMN close_reason TEXT;
ALTER TABLE organization ADD COLUMN support_access_allowed INTEGER NOT NULL DEFAULT 1;
CREATE INDEX organization_purge_idx ON organization (purge_after) WHERE purge_after IS NOT NULL;

CREATE TABLE support_grant (
    tenant_id      BLOB    NOT NULL,
    id             BLOB    NOT NULL,
    operator_id    BLOB    NOT NULL,
    operator_name  TEXT    NOT NULL,
    user_id        BLOB    NOT NULL,
    session_id     BLOB    NOT NULL,
    reason         TEXT    NOT NULL,
    created_at     TEXT    NOT NULL,
    expires_at     TEXT    NOT NULL,
    ended_at       TEXT,
    ended_by       BLOB,
    updated_at     TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    CONSTRAINT support_grant_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT support_grant_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT support_grant_operator_fkey FOREIGN KEY (operator_id) REFERENCES platform_operator (user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX support_grant_created_idx ON support_grant (tenant_id, created_at, id);
