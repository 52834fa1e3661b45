-- The whole of a job queue: priorities, versions, limits per kind, schedules, retention (docs/decisions/0011).

-- `priority`: 0 high, 1 normal, 2 low. `trace`: W3C traceparent of the request. `schedule_id`: no reference, since a job
-- outlives the schedule that started it.
ALTER TABLE job
    ADD COLUMN kind_version bigint NOT NULL DEFAULT 1,
    ADD COLUMN priority     bigint NOT NULL DEFAULT 1,
    ADD COLUMN trace        text,
    ADD COLUMN schedule_id  uuid;
-- A claim jumps from one (tenant, kind, priority) to the next, however many wait in each.
DROP INDEX job_queued_idx;
CREATE INDEX job_queued_idx ON job (tenant_id, kind, priority, run_at, id) WHERE state = 'queued';
-- Unique keys with a window look at jobs that have ended too.
CREATE INDEX job_window_idx ON job (tenant_id, kind, unique_key, created_at) WHERE unique_key IS NOT NULL;
-- Throughput and retention.
CREATE INDEX job_finished_idx ON job (finished_at) WHERE finished_at IS NOT NULL;
-- The dead letters.
CREATE INDEX job_failed_idx ON job (tenant_id, created_at, id) WHERE state = 'failed';
CREATE INDEX job_schedule_idx ON job (tenant_id, schedule_id, created_at, id) WHERE schedule_id IS NOT NULL;
-- Each job leaves dead rows behind; a long queue of them makes claims slow.
ALTER TABLE job SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
GRANT DELETE ON job TO hrms_app;
-- Ends of several tenants' jobs are recorded in one statement, each under its lease.
GRANT UPDATE (result) ON job TO hrms_directory;

-- Kinds with a limit. The row is locked while jobs of its kind are claimed; `paid_until` says how far ahead of the
-- clock the starts so far are, by the kind's rate.
CREATE TABLE job_limit (
    kind       text        COLLATE "C" NOT NULL,
    paid_until timestamptz NOT NULL,
    CONSTRAINT job_limit_pkey PRIMARY KEY (kind)
);
GRANT SELECT, INSERT, UPDATE ON job_limit TO hrms_directory;

-- What an organisation wants to happen again and again. `next_at` is null while it is disabled, or if its time
-- never comes again. `time_zone` null: the organisation's.
CREATE TABLE job_schedule (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    name         text        COLLATE "C" NOT NULL,
    kind         text        COLLATE "C" NOT NULL,
    kind_version bigint      NOT NULL,
    payload      jsonb       NOT NULL,
    cron         text        NOT NULL,
    time_zone    text,
    enabled      boolean     NOT NULL,
    requester    jsonb       NOT NULL,
    next_at      timestamptz,
    last_at      timestamptz,
    last_job_id  uuid,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT job_schedule_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT job_schedule_name_key UNIQUE (tenant_id, name),
    CONSTRAINT job_schedule_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE INDEX job_schedule_due_idx ON job_schedule (next_at) WHERE next_at IS NOT NULL;
ALTER TABLE job_schedule ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_schedule FORCE ROW LEVEL SECURITY;
CREATE POLICY job_schedule_tenant ON job_schedule TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
CREATE POLICY job_schedule_directory ON job_schedule TO hrms_directory USING (true) WITH CHECK (false);
GRANT SELECT, INSERT, UPDATE, DELETE ON job_schedule TO hrms_app;
GRANT SELECT (tenant_id, id, next_at) ON job_schedule TO hrms_directory;
