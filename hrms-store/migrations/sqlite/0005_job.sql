-- Background jobs. A row is written in the transaction of the change that causes it.

CREATE TABLE job (
    tenant_id        BLOB    NOT NULL,
    id               BLOB    NOT NULL,
    kind             TEXT    NOT NULL,
    payload          TEXT    NOT NULL,
    requester        TEXT    NOT NULL,
    requested_by     BLOB,
    request_id       BLOB    NOT NULL,
    unique_key       TEXT,
    state            TEXT    NOT NULL CONSTRAINT job_state_check
                             CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    attempts         INTEGER NOT NULL,
    max_attempts     INTEGER NOT NULL,
    run_at           TEXT    NOT NULL,
    -- Counts the claims: the token that a worker must show to write anything.
    lease            INTEGER NOT NULL,
    lease_until      TEXT,
    worker           TEXT,
    cancel_requested INTEGER NOT NULL,
    done             INTEGER NOT NULL,
    total            INTEGER,
    message          TEXT,
    result           TEXT,
    error_code       TEXT,
    error_detail     TEXT,
    created_at       TEXT    NOT NULL,
    updated_at       TEXT    NOT NULL,
    started_at       TEXT,
    finished_at      TEXT,
    CONSTRAINT job_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT job_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX job_unique_key ON job (tenant_id, kind, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('queued', 'running');
CREATE INDEX job_queued_idx ON job (tenant_id, run_at, id) WHERE state = 'queued';
CREATE INDEX job_lease_idx ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_created_idx ON job (tenant_id, created_at, id);
