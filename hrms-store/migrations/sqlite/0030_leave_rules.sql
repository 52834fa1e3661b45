-- What requests for a kind of leave have to keep to, by the first day of leave. Versions are added and never changed.
CREATE TABLE leave_rules (
    tenant_id       BLOB  NOT NULL,
    id              BLOB  NOT NULL,
    leave_type_id   BLOB  NOT NULL,
    effective_from  TEXT  NOT NULL,
    rules           TEXT  NOT NULL,
    recorded_at     TEXT  NOT NULL,
    recorded_by     BLOB,
    CONSTRAINT leave_rules_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_rules_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_rules_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX leave_rules_type_idx ON leave_rules (tenant_id, leave_type_id, effective_from, id);
