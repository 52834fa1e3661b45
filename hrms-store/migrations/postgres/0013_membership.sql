-- Invitations; members who were removed.

-- Kept, so that what somebody did stays readable. `status` is 'disabled' then.
ALTER TABLE membership ADD COLUMN removed_at timestamptz;
-- Somebody removed doesn't keep their address from whoever has it now.
DROP INDEX membership_email_key;
CREATE UNIQUE INDEX membership_email_key ON membership (tenant_id, email) WHERE removed_at IS NULL;

-- `inviter`: who invited, and with which rights if they are no user here. `token_hash`: of the latest message;
-- `generation` counts the requests to send one. Whether a pending one has expired is for `expires_at` to say.
CREATE TABLE invitation (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    email        text        COLLATE "C" NOT NULL,
    name         text        NOT NULL,
    roles        jsonb       NOT NULL,
    employee_id  uuid,
    status       text        COLLATE "C" NOT NULL CONSTRAINT invitation_status_check
                             CHECK (status IN ('pending', 'accepted', 'revoked', 'expired')),
    delivery     text        COLLATE "C" NOT NULL CONSTRAINT invitation_delivery_check
                             CHECK (delivery IN ('queued', 'sent', 'failed')),
    inviter      jsonb       NOT NULL,
    accepted_by  uuid,
    token_hash   bytea,
    generation   bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    requested_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT invitation_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT invitation_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT invitation_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id)
);
CREATE UNIQUE INDEX invitation_pending_key ON invitation (tenant_id, email) WHERE status = 'pending';
CREATE INDEX invitation_created_idx ON invitation (tenant_id, created_at, id);
ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation FORCE ROW LEVEL SECURITY;
CREATE POLICY invitation_tenant ON invitation
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON invitation TO hrms_app;
