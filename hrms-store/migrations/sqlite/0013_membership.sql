-- Invitations; members who were removed.

ALTER TABLE membership ADD COLUMN removed_at TEXT;
DROP INDEX membership_email_key;
CREATE UNIQUE INDEX membership_email_key ON membership (tenant_id, email) WHERE removed_at IS NULL;

CREATE TABLE invitation (
    tenant_id    BLOB    NOT NULL,
    id           BLOB    NOT NULL,
    email        TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    roles        TEXT    NOT NULL,
    employee_id  BLOB,
    status       TEXT    NOT NULL CONSTRAINT invitation_status_check
                         CHECK (status IN ('pending', 'accepted', 'revoked', 'expired')),
    delivery     TEXT    NOT NULL CONSTRAINT invitation_delivery_check
                         CHECK (delivery IN ('queued', 'sent', 'failed')),
    inviter      TEXT    NOT NULL,
    accepted_by  BLOB,
    token_hash   BLOB,
    generation   INTEGER NOT NULL,
    created_at   TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL,
    requested_at TEXT    NOT NULL,
    expires_at   TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    CONSTRAINT invitation_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT invitation_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT invitation_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX invitation_pending_key ON invitation (tenant_id, email) WHERE status = 'pending';
CREATE INDEX invitation_created_idx ON invitation (tenant_id, created_at, id);
