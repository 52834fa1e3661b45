-- Addresses from which calendar programs read leave. The secret in one is kept as a hash.

CREATE TABLE calendar_feed (
    tenant_id      BLOB NOT NULL,
    id             BLOB NOT NULL,
    user_id        BLOB NOT NULL,
    kind           TEXT NOT NULL,
    -- It may be gone: then there is nothing in the feed.
    department_id  BLOB,
    name           TEXT NOT NULL,
    secret_hash    BLOB NOT NULL,
    created_at     TEXT NOT NULL,
    renewed_at     TEXT,
    CONSTRAINT calendar_feed_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT calendar_feed_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT calendar_feed_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES membership (tenant_id, user_id),
    CONSTRAINT calendar_feed_kind_check CHECK (kind IN ('personal', 'reports', 'department')),
    CONSTRAINT calendar_feed_department_check CHECK (department_id IS NULL OR kind = 'department'),
    CONSTRAINT calendar_feed_secret_hash_check CHECK (length(secret_hash) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX calendar_feed_user_idx ON calendar_feed (tenant_id, user_id, created_at, id);

-- What ended lately: calendars are told that it is cancelled.
CREATE INDEX leave_request_ended_idx ON leave_request (tenant_id, employee_id, decided_at)
    WHERE status IN ('rejected', 'cancelled', 'withdrawn');
