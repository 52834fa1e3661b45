-- Leave policies: rules with versions by date, and who has which policy when.

CREATE TABLE leave_policy (
    tenant_id      uuid    NOT NULL,
    id             uuid    NOT NULL,
    leave_type_id  uuid    NOT NULL,
    code           text COLLATE "C"    NOT NULL,
    name           text COLLATE "C"    NOT NULL,
    applies_to     text    NOT NULL CONSTRAINT leave_policy_applies_to_check CHECK (applies_to IN ('everyone', 'assigned')),
    created_at     timestamptz    NOT NULL,
    updated_at     timestamptz    NOT NULL,
    version        bigint NOT NULL,
    CONSTRAINT leave_policy_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_policy_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_policy_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id)
);
-- What assignments refer to.
CREATE UNIQUE INDEX leave_policy_type_key ON leave_policy (tenant_id, id, leave_type_id);
CREATE UNIQUE INDEX leave_policy_code_key ON leave_policy (tenant_id, code);
CREATE UNIQUE INDEX leave_policy_everyone_key ON leave_policy (tenant_id, leave_type_id) WHERE applies_to = 'everyone';
CREATE INDEX leave_policy_type_idx ON leave_policy (tenant_id, leave_type_id);
CREATE INDEX leave_policy_name_idx ON leave_policy (tenant_id, name, id);
ALTER TABLE leave_policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_policy FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_policy_tenant ON leave_policy TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON leave_policy TO hrms_app;

-- The rules of a policy from a day on. Nobody changes or removes a row; of several for one day the last one counts.
CREATE TABLE leave_policy_version (
    tenant_id       uuid NOT NULL,
    id              uuid NOT NULL,
    policy_id       uuid NOT NULL,
    effective_from  date NOT NULL,
    rules           jsonb NOT NULL,
    recorded_at     timestamptz NOT NULL,
    recorded_by     uuid,
    CONSTRAINT leave_policy_version_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_policy_version_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_policy_version_policy_fkey FOREIGN KEY (tenant_id, policy_id) REFERENCES leave_policy (tenant_id, id)
);
CREATE INDEX leave_policy_version_policy_idx ON leave_policy_version (tenant_id, policy_id, effective_from);
ALTER TABLE leave_policy_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_policy_version FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_policy_version_tenant ON leave_policy_version TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON leave_policy_version TO hrms_app;

-- COALESCE changes no value: see employment_record.
CREATE TABLE leave_policy_assignment (
    tenant_id      uuid    NOT NULL,
    id             uuid    NOT NULL,
    employee_id    uuid    NOT NULL,
    leave_type_id  uuid    NOT NULL,
    policy_id      uuid    NOT NULL,
    valid_from     date    NOT NULL,
    valid_to       date,
    created_at     timestamptz    NOT NULL,
    updated_at     timestamptz    NOT NULL,
    version        bigint NOT NULL,
    CONSTRAINT leave_policy_assignment_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_policy_assignment_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_policy_assignment_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT leave_policy_assignment_policy_fkey FOREIGN KEY (tenant_id, policy_id, leave_type_id) REFERENCES leave_policy (tenant_id, id, leave_type_id),
    CONSTRAINT leave_policy_assignment_period_check CHECK (valid_to > valid_from),
    CONSTRAINT leave_policy_assignment_no_overlap EXCLUDE USING gist
        (tenant_id WITH =, (COALESCE(employee_id, tenant_id)) WITH =, (COALESCE(leave_type_id, tenant_id)) WITH =,
         daterange(valid_from, valid_to) WITH &&)
);
CREATE INDEX leave_policy_assignment_employee_idx ON leave_policy_assignment (tenant_id, employee_id, leave_type_id, valid_from);
CREATE INDEX leave_policy_assignment_policy_idx ON leave_policy_assignment (tenant_id, policy_id, leave_type_id);
ALTER TABLE leave_policy_assignment ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_policy_assignment FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_policy_assignment_tenant ON leave_policy_assignment TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON leave_policy_assignment TO hrms_app;
