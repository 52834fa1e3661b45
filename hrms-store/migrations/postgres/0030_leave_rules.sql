-- What requests for a kind of leave have to keep to, by the first day of leave. Versions are added and never changed.
CREATE TABLE leave_rules (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    leave_type_id   uuid        NOT NULL,
    effective_from  date        NOT NULL,
    rules           jsonb       NOT NULL,
    recorded_at     timestamptz NOT NULL,
    recorded_by     uuid,
    CONSTRAINT leave_rules_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_rules_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_rules_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id)
);
CREATE INDEX leave_rules_type_idx ON leave_rules (tenant_id, leave_type_id, effective_from, id);
ALTER TABLE leave_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_rules FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_rules_tenant ON leave_rules
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
-- Append-only: the application may neither change nor delete what was recorded.
GRANT SELECT, INSERT ON leave_rules TO hrms_app;
