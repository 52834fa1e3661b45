-- How many people of a department have to be there, from a day on. Rows are added and never changed.

CREATE TABLE coverage_minimum (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    department_id   uuid        NOT NULL,
    location_id     uuid,
    effective_from  date        NOT NULL,
    people          bigint,
    percent         bigint,
    rule            text        NOT NULL,
    created_at      timestamptz NOT NULL,
    created_by      uuid,
    CONSTRAINT coverage_minimum_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT coverage_minimum_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT coverage_minimum_department_fkey FOREIGN KEY (tenant_id, department_id) REFERENCES department (tenant_id, id),
    CONSTRAINT coverage_minimum_location_fkey FOREIGN KEY (tenant_id, location_id) REFERENCES location (tenant_id, id),
    CONSTRAINT coverage_minimum_people_check CHECK (people > 0),
    CONSTRAINT coverage_minimum_percent_check CHECK (percent BETWEEN 1 AND 100),
    CONSTRAINT coverage_minimum_one_check CHECK (people IS NULL OR percent IS NULL),
    CONSTRAINT coverage_minimum_rule_check CHECK (rule IN ('warn', 'block'))
);
CREATE INDEX coverage_minimum_department_idx ON coverage_minimum (tenant_id, department_id, effective_from);
CREATE INDEX coverage_minimum_location_idx ON coverage_minimum (tenant_id, location_id);
ALTER TABLE coverage_minimum ENABLE ROW LEVEL SECURITY;
ALTER TABLE coverage_minimum FORCE ROW LEVEL SECURITY;
CREATE POLICY coverage_minimum_tenant ON coverage_minimum
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON coverage_minimum TO hrms_app;
