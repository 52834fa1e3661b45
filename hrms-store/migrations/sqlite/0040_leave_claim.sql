-- What employees claim that isn't time off: compensatory leave for work on a day off, and leave to be paid out.
CREATE TABLE leave_claim (
    tenant_id      BLOB        NOT NULL,
    id             BLOB        NOT NULL,
    kind           TEXT NOT NULL CONSTRAINT leave_claim_kind_check CHECK (kind IN ('compensatory', 'encashment')),
    employee_id    BLOB        NOT NULL,
    leave_type_id  BLOB        NOT NULL,
    worked_on      TEXT,
    asked_minutes  INTEGER      NOT NULL CONSTRAINT leave_claim_asked_minutes_check CHECK (asked_minutes > 0),
    minutes        INTEGER      NOT NULL CONSTRAINT leave_claim_minutes_check CHECK (minutes > 0 AND minutes <= asked_minutes),
    status         TEXT NOT NULL
        CONSTRAINT leave_claim_status_check CHECK (status IN ('pending', 'approved', 'rejected', 'cancelled', 'withdrawn')),
    note           TEXT,
    submitted_by   BLOB,
    submitted_on   TEXT        NOT NULL,
    decided_by     BLOB,
    decided_at     TEXT,
    decision_note  TEXT,
    lot_id         BLOB,
    posting_ids    TEXT       NOT NULL,
    created_at     TEXT NOT NULL,
    updated_at     TEXT NOT NULL,
    version        INTEGER      NOT NULL,
    CONSTRAINT leave_claim_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_claim_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_claim_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT leave_claim_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id),
    CONSTRAINT leave_claim_lot_fkey FOREIGN KEY (tenant_id, lot_id) REFERENCES leave_lot (tenant_id, id),
    CONSTRAINT leave_claim_worked_on_check CHECK ((kind = 'compensatory') = (worked_on IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX leave_claim_worked_on_key ON leave_claim (tenant_id, employee_id, worked_on)
    WHERE worked_on IS NOT NULL AND status IN ('pending', 'approved');
CREATE INDEX leave_claim_employee_idx ON leave_claim (tenant_id, employee_id, leave_type_id);
CREATE INDEX leave_claim_created_at_idx ON leave_claim (tenant_id, created_at, id);
-- What payroll has to know, by date.
CREATE INDEX leave_posting_effective_on_idx ON leave_posting (tenant_id, effective_on, id);
