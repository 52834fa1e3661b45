-- Addresses from which calendar programs read leave. The secret in one is kept as a hash.

CREATE TABLE calendar_feed (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    user_id        uuid        NOT NULL,
    kind           text        NOT NULL,
    -- It may be gone: then there is nothing in the feed.
    department_id  uuid,
    name           text COLLATE "C" NOT NULL,
    secret_hash    bytea       NOT NULL,
    created_at     timestamptz NOT NULL,
    renewed_at     timestamptz,
    CONSTRAINT calendar_feed_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT calendar_feed_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT calendar_feed_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES membership (tenant_id, user_id),
    CONSTRAINT calendar_feed_kind_check CHECK (kind IN ('personal', 'reports', 'department')),
    CONSTRAINT calendar_feed_department_check CHECK (department_id IS NULL OR kind = 'department'),
    CONSTRAINT calendar_feed_secret_hash_check CHECK (octet_length(secret_hash) = 32)
);
CREATE INDEX calendar_feed_user_idx ON calendar_feed (tenant_id, user_id, created_at, id);
ALTER TABLE calendar_feed ENABLE ROW LEVEL SECURITY;
ALTER TABLE calendar_feed FORCE ROW LEVEL SECURITY;
CREATE POLICY calendar_feed_tenant ON calendar_feed
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON calendar_feed TO hrms_app;

-- What ended lately: calendars are told that it is cancelled.
CREATE INDEX leave_request_ended_idx ON leave_request (tenant_id, employee_id, decided_at)
    WHERE status IN ('rejected', 'cancelled', 'withdrawn');
