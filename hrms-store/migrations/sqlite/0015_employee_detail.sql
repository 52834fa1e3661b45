-- Groups of an employee's data with permissions of their own: private contact, pay, bank, identity, health.
CREATE TABLE employee_detail (
    tenant_id    BLOB    NOT NULL,
    employee_id  BLOB    NOT NULL,
    field_group  TEXT    NOT NULL
        CONSTRAINT employee_detail_group_check CHECK (field_group IN ('personal', 'compensation', 'bank', 'identity', 'medical')),
    data         TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    CONSTRAINT employee_detail_pkey PRIMARY KEY (tenant_id, employee_id, field_group),
    CONSTRAINT employee_detail_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT employee_detail_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id)
) STRICT, WITHOUT ROWID;
