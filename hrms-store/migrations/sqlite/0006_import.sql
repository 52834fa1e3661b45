-- Imports: how a file is to be read and how far that has come, the file itself in parts until it is read,
-- and the remarks about its rows.

CREATE TABLE import (
    tenant_id    BLOB    NOT NULL,
    id           BLOB    NOT NULL,
    job_id       BLOB    NOT NULL,
    requested_by BLOB,
    settings     TEXT    NOT NULL,
    bytes        INTEGER NOT NULL,
    units_done   INTEGER,
    rows_done    INTEGER NOT NULL,
    counts       TEXT    NOT NULL,
    remarks      INTEGER NOT NULL,
    created_at   TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL,
    CONSTRAINT import_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT import_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT import_job_fkey FOREIGN KEY (tenant_id, job_id) REFERENCES job (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX import_job_idx ON import (tenant_id, job_id);

CREATE TABLE import_part (
    tenant_id    BLOB    NOT NULL,
    import_id    BLOB    NOT NULL,
    part         INTEGER NOT NULL,
    content      BLOB    NOT NULL,
    CONSTRAINT import_part_pkey PRIMARY KEY (tenant_id, import_id, part),
    CONSTRAINT import_part_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT import_part_import_fkey FOREIGN KEY (tenant_id, import_id) REFERENCES import (tenant_id, id)
) STRICT;

CREATE TABLE import_error (
    tenant_id    BLOB    NOT NULL,
    import_id    BLOB    NOT NULL,
    row_number   INTEGER NOT NULL,
    position     INTEGER NOT NULL,
    column_name  TEXT,
    severity     TEXT    NOT NULL CONSTRAINT import_error_severity_check
                         CHECK (severity IN ('error', 'warning')),
    code         TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    CONSTRAINT import_error_pkey PRIMARY KEY (tenant_id, import_id, row_number, position),
    CONSTRAINT import_error_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT import_error_import_fkey FOREIGN KEY (tenant_id, import_id) REFERENCES import (tenant_id, id)
) STRICT, WITHOUT ROWID;
