-- Groups of an employee's data with permissions of their own: private contact, pay, bank, identity, health.
CREATE TABLE employee_detail (
    tenant_id    uuid        NOT NULL,
    employee_id  uuid        NOT NULL,
    field_group  text        COLLATE "C" NOT NULL
        CONSTRAINT employee_detail_group_check CHECK (field_group IN ('personal', 'compensation', 'bank', 'identity', 'medical')),
    data         jsonb       NOT NULL,
    updated_at   timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT employee_detail_pkey PRIMARY KEY (tenant_id, employee_id, field_group),
    CONSTRAINT employee_detail_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT employee_detail_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id)
);
ALTER TABLE employee_detail ENABLE ROW LEVEL SECURITY;
ALTER TABLE employee_detail FORCE ROW LEVEL SECURITY;
CREATE POLICY employee_detail_tenant ON employee_detail
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON employee_detail TO hrms_app;
