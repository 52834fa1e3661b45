-- Closed periods of leave. Days up to `through` are closed while a row isn't reopened; without a leave type, of all kinds of leave.
CREATE TABLE leave_closing (
    tenant_id      BLOB NOT NULL,
    id             BLOB NOT NULL,
    leave_type_id  BLOB,
    through        TEXT NOT NULL,
    note           TEXT,
    closed_at      TEXT NOT NULL,
    closed_by      BLOB,
    reopened_at    TEXT,
    reopened_by    BLOB,
    reopen_note    TEXT,
    CONSTRAINT leave_closing_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_closing_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_closing_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX leave_closing_type_idx ON leave_closing (tenant_id, leave_type_id);

-- What accounts came to when a period was closed. Nobody changes or removes a row.
CREATE TABLE leave_closing_balance (
    tenant_id      BLOB NOT NULL,
    closing_id     BLOB NOT NULL,
    employee_id    BLOB NOT NULL,
    leave_type_id  BLOB NOT NULL,
    granted        INTEGER NOT NULL,
    taken          INTEGER NOT NULL,
    expired        INTEGER NOT NULL,
    encashed       INTEGER NOT NULL,
    available      INTEGER NOT NULL,
    CONSTRAINT leave_closing_balance_pkey PRIMARY KEY (tenant_id, closing_id, employee_id, leave_type_id),
    CONSTRAINT leave_closing_balance_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_closing_balance_closing_fkey FOREIGN KEY (tenant_id, closing_id) REFERENCES leave_closing (tenant_id, id),
    CONSTRAINT leave_closing_balance_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT leave_closing_balance_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id),
    CONSTRAINT leave_closing_balance_sum_check CHECK (granted = taken + expired + encashed + available)
) STRICT, WITHOUT ROWID;
CREATE INDEX leave_closing_balance_employee_idx ON leave_closing_balance (tenant_id, employee_id);
CREATE INDEX leave_closing_balance_type_idx ON leave_closing_balance (tenant_id, leave_type_id);

-- The last day that was closed when a posting was made: it isn't seen as of that day or earlier.
ALTER TABLE leave_posting ADD COLUMN closed_through TEXT;
