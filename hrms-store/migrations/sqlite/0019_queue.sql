-- The whole of a job queue: priorities, versions, limits per kind, schedules, retention (docs/decisions/0011).
-- The same tables as on PostgreSQL.

ALTER TABLE job ADD COLUMN kind_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE job ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;
ALTER TABLE job ADD COLUMN trace TEXT;
ALTER TABLE job ADD COLUMN schedule_id BLOB;
DROP INDEX job_queued_idx;
CREATE INDEX job_queued_idx ON job (tenant_id, kind, priority, run_at, id) WHERE state = 'queued';
CREATE INDEX job_window_idx ON job (tenant_id, kind, unique_key, created_at) WHERE unique_key IS NOT NULL;
CREATE INDEX job_finished_idx ON job (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX job_failed_idx ON job (tenant_id, created_at, id) WHERE state = 'failed';
CREATE INDEX job_schedule_idx ON job (tenant_id, schedule_id, created_at, id) WHERE schedule_id IS NOT NULL;

CREATE TABLE job_limit (
    kind       TEXT NOT NULL,
    paid_until TEXT NOT NULL,
    CONSTRAINT job_limit_pkey PRIMARY KEY (kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_schedule (
    tenant_id    BLOB    NOT NULL,
    id           BLOB    NOT NULL,
    name         TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    kind_version INTEGER NOT NULL,
    payload      TEXT    NOT NULL,
    cron         TEXT    NOT NULL,
    time_zone    TEXT,
    enabled      INTEGER NOT NULL,
    requester    TEXT    NOT NULL,
    next_at      TEXT,
    last_at      TEXT,
    last_job_id  BLOB,
    created_at   TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    CONSTRAINT job_schedule_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT job_schedule_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX job_schedule_name_key ON job_schedule (tenant_id, name);
CREATE INDEX job_schedule_due_idx ON job_schedule (next_at) WHERE next_at IS NOT NULL;
