-- Working patterns, and who has which when. What a pattern says is fixed once it exists; code and name may change.

CREATE TABLE work_pattern (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    code        text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    rule        jsonb       NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT work_pattern_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT work_pattern_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX work_pattern_code_key ON work_pattern (tenant_id, code);
CREATE INDEX work_pattern_name_idx ON work_pattern (tenant_id, name, id);
ALTER TABLE work_pattern ENABLE ROW LEVEL SECURITY;
ALTER TABLE work_pattern FORCE ROW LEVEL SECURITY;
CREATE POLICY work_pattern_tenant ON work_pattern
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON work_pattern TO hrms_app;

CREATE TABLE location_work_pattern (
    tenant_id        uuid NOT NULL,
    location_id      uuid NOT NULL,
    valid_from       date NOT NULL,
    valid_to         date,
    work_pattern_id  uuid NOT NULL,
    CONSTRAINT location_work_pattern_pkey PRIMARY KEY (tenant_id, location_id, valid_from),
    CONSTRAINT location_work_pattern_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT location_work_pattern_location_fkey FOREIGN KEY (tenant_id, location_id) REFERENCES location (tenant_id, id),
    CONSTRAINT location_work_pattern_pattern_fkey FOREIGN KEY (tenant_id, work_pattern_id) REFERENCES work_pattern (tenant_id, id),
    CONSTRAINT location_work_pattern_period_check CHECK (valid_to > valid_from),
    CONSTRAINT location_work_pattern_no_overlap EXCLUDE USING gist
        (tenant_id WITH =, (COALESCE(location_id, tenant_id)) WITH =, daterange(valid_from, valid_to) WITH &&)
);
CREATE INDEX location_work_pattern_pattern_idx ON location_work_pattern (tenant_id, work_pattern_id);
ALTER TABLE location_work_pattern ENABLE ROW LEVEL SECURITY;
ALTER TABLE location_work_pattern FORCE ROW LEVEL SECURITY;
CREATE POLICY location_work_pattern_tenant ON location_work_pattern
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON location_work_pattern TO hrms_app;

CREATE TABLE employee_work_pattern (
    tenant_id        uuid NOT NULL,
    employee_id      uuid NOT NULL,
    valid_from       date NOT NULL,
    valid_to         date,
    work_pattern_id  uuid NOT NULL,
    CONSTRAINT employee_work_pattern_pkey PRIMARY KEY (tenant_id, employee_id, valid_from),
    CONSTRAINT employee_work_pattern_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT employee_work_pattern_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT employee_work_pattern_pattern_fkey FOREIGN KEY (tenant_id, work_pattern_id) REFERENCES work_pattern (tenant_id, id),
    CONSTRAINT employee_work_pattern_period_check CHECK (valid_to > valid_from),
    CONSTRAINT employee_work_pattern_no_overlap EXCLUDE USING gist
        (tenant_id WITH =, (COALESCE(employee_id, tenant_id)) WITH =, daterange(valid_from, valid_to) WITH &&)
);
CREATE INDEX employee_work_pattern_pattern_idx ON employee_work_pattern (tenant_id, work_pattern_id);
ALTER TABLE employee_work_pattern ENABLE ROW LEVEL SECURITY;
ALTER TABLE employee_work_pattern FORCE ROW LEVEL SECURITY;
CREATE POLICY employee_work_pattern_tenant ON employee_work_pattern
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON employee_work_pattern TO hrms_app;
