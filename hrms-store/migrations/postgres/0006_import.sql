-- Imports: how a file is to be read and how far that has come, the file itself in parts until it is read,
-- and the remarks about its rows.

CREATE TABLE import (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    job_id       uuid        NOT NULL,
    requested_by uuid,
    settings     jsonb       NOT NULL,
    bytes        bigint      NOT NULL,
    units_done   bigint,
    rows_done    bigint      NOT NULL,
    counts       jsonb       NOT NULL,
    remarks      bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT import_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT import_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT import_job_fkey FOREIGN KEY (tenant_id, job_id) REFERENCES job (tenant_id, id)
);
CREATE INDEX import_job_idx ON import (tenant_id, job_id);
ALTER TABLE import ENABLE ROW LEVEL SECURITY;
ALTER TABLE import FORCE ROW LEVEL SECURITY;
CREATE POLICY import_tenant ON import
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON import TO hrms_app;

CREATE TABLE import_part (
    tenant_id    uuid        NOT NULL,
    import_id    uuid        NOT NULL,
    part         bigint      NOT NULL,
    content      bytea       NOT NULL,
    CONSTRAINT import_part_pkey PRIMARY KEY (tenant_id, import_id, part),
    CONSTRAINT import_part_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT import_part_import_fkey FOREIGN KEY (tenant_id, import_id) REFERENCES import (tenant_id, id)
);
ALTER TABLE import_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_part FORCE ROW LEVEL SECURITY;
CREATE POLICY import_part_tenant ON import_part
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON import_part TO hrms_app;

CREATE TABLE import_error (
    tenant_id    uuid        NOT NULL,
    import_id    uuid        NOT NULL,
    row_number   bigint      NOT NULL,
    position     bigint      NOT NULL,
    column_name  text,
    severity     text        COLLATE "C" NOT NULL CONSTRAINT import_error_severity_check
                             CHECK (severity IN ('error', 'warning')),
    code         text        COLLATE "C" NOT NULL,
    detail       text        NOT NULL,
    CONSTRAINT import_error_pkey PRIMARY KEY (tenant_id, import_id, row_number, position),
    CONSTRAINT import_error_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT import_error_import_fkey FOREIGN KEY (tenant_id, import_id) REFERENCES import (tenant_id, id)
);
ALTER TABLE import_error ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_error FORCE ROW LEVEL SECURITY;
CREATE POLICY import_error_tenant ON import_error
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON import_error TO hrms_app;
