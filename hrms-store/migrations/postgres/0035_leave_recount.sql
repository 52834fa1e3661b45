-- Requests that are counted anew. Theirs may come to nothing, which the check on `minutes` doesn't allow: that column stays what was
-- counted first.
ALTER TABLE leave_request ADD COLUMN recounted_minutes bigint
    CONSTRAINT leave_request_recounted_minutes_check CHECK (recounted_minutes >= 0);

-- What a request was, what it is, and why. Rows are added and never changed.
CREATE TABLE leave_recount (
    tenant_id       uuid        NOT NULL,
    request_id      uuid        NOT NULL,
    version         bigint      NOT NULL,
    recounted_at    timestamptz NOT NULL,
    recounted_by    uuid,
    because         jsonb       NOT NULL,
    minutes_before  bigint      NOT NULL CONSTRAINT leave_recount_minutes_before_check CHECK (minutes_before >= 0),
    minutes_after   bigint      NOT NULL CONSTRAINT leave_recount_minutes_after_check CHECK (minutes_after >= 0),
    changes         jsonb       NOT NULL,
    CONSTRAINT leave_recount_pkey PRIMARY KEY (tenant_id, request_id, version),
    CONSTRAINT leave_recount_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_recount_request_fkey FOREIGN KEY (tenant_id, request_id) REFERENCES leave_request (tenant_id, id)
);
ALTER TABLE leave_recount ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_recount FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_recount_tenant ON leave_recount
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
-- Append-only: the application may neither change nor delete what was recorded.
GRANT SELECT, INSERT ON leave_recount TO hrms_app;
