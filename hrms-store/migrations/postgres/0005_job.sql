-- Background jobs. A row is written in the transaction of the change that causes it.
-- Workers act across tenants as hrms_directory, which may see jobs and change only what a claim
-- needs; what a job writes, its progress and its outcome go through hrms_app.

CREATE TABLE job (
    tenant_id        uuid        NOT NULL,
    id               uuid        NOT NULL,
    kind             text        COLLATE "C" NOT NULL,
    payload          jsonb       NOT NULL,
    requester        jsonb       NOT NULL,
    requested_by     uuid,
    request_id       uuid        NOT NULL,
    unique_key       text        COLLATE "C",
    state            text        COLLATE "C" NOT NULL CONSTRAINT job_state_check
                                 CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    attempts         bigint      NOT NULL,
    max_attempts     bigint      NOT NULL,
    run_at           timestamptz NOT NULL,
    -- Counts the claims: the token that a worker must show to write anything.
    lease            bigint      NOT NULL,
    lease_until      timestamptz,
    worker           text,
    cancel_requested boolean     NOT NULL,
    done             bigint      NOT NULL,
    total            bigint,
    message          text,
    result           jsonb,
    error_code       text,
    error_detail     text,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    started_at       timestamptz,
    finished_at      timestamptz,
    CONSTRAINT job_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT job_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX job_unique_key ON job (tenant_id, kind, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('queued', 'running');
CREATE INDEX job_queued_idx ON job (tenant_id, run_at, id) WHERE state = 'queued';
CREATE INDEX job_lease_idx ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_created_idx ON job (tenant_id, created_at, id);
ALTER TABLE job ENABLE ROW LEVEL SECURITY;
ALTER TABLE job FORCE ROW LEVEL SECURITY;
CREATE POLICY job_tenant ON job TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
CREATE POLICY job_directory ON job TO hrms_directory USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON job TO hrms_app;
GRANT SELECT ON job TO hrms_directory;
GRANT UPDATE (state, attempts, run_at, lease, lease_until, worker, error_code, error_detail, updated_at, started_at, finished_at)
    ON job TO hrms_directory;
