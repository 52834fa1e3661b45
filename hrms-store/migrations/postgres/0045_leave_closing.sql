-- Closed periods of leave. Days up to `through` are closed while a row isn't reopened; without a leave type, of all kinds of leave.
CREATE TABLE leave_closing (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    leave_type_id  uuid,
    through        date NOT NULL,
    note           text,
    closed_at      timestamptz NOT NULL,
    closed_by      uuid,
    reopened_at    timestamptz,
    reopened_by    uuid,
    reopen_note    text,
    CONSTRAINT leave_closing_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_closing_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_closing_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id)
);
CREATE INDEX leave_closing_type_idx ON leave_closing (tenant_id, leave_type_id);
ALTER TABLE leave_closing ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_closing FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_closing_tenant ON leave_closing TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON leave_closing TO hrms_app;
GRANT UPDATE (reopened_at, reopened_by, reopen_note) ON leave_closing TO hrms_app;

-- What accounts came to when a period was closed. Nobody changes or removes a row.
CREATE TABLE leave_closing_balance (
    tenant_id      uuid NOT NULL,
    closing_id     uuid NOT NULL,
    employee_id    uuid NOT NULL,
    leave_type_id  uuid NOT NULL,
    granted        bigint NOT NULL,
    taken          bigint NOT NULL,
    expired        bigint NOT NULL,
    encashed       bigint NOT NULL,
    available      bigint NOT NULL,
    CONSTRAINT leave_closing_balance_pkey PRIMARY KEY (tenant_id, closing_id, employee_id, leave_type_id),
    CONSTRAINT leave_closing_balance_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_closing_balance_closing_fkey FOREIGN KEY (tenant_id, closing_id) REFERENCES leave_closing (tenant_id, id),
    CONSTRAINT leave_closing_balance_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT leave_closing_balance_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id),
    CONSTRAINT leave_closing_balance_sum_check CHECK (granted = taken + expired + encashed + available)
);
CREATE INDEX leave_closing_balance_employee_idx ON leave_closing_balance (tenant_id, employee_id);
CREATE INDEX leave_closing_balance_type_idx ON leave_closing_balance (tenant_id, leave_type_id);
ALTER TABLE leave_closing_balance ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_closing_balance FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_closing_balance_tenant ON leave_closing_balance TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON leave_closing_balance TO hrms_app;

-- The last day that was closed when a posting was made: it isn't seen as of that day or earlier.
ALTER TABLE leave_posting ADD COLUMN closed_through date;
