-- What employees claim that isn't time off: compensatory leave for work on a day off, and leave to be paid out.
CREATE TABLE leave_claim (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    kind           text COLLATE "C" NOT NULL CONSTRAINT leave_claim_kind_check CHECK (kind IN ('compensatory', 'encashment')),
    employee_id    uuid        NOT NULL,
    leave_type_id  uuid        NOT NULL,
    worked_on      date,
    asked_minutes  bigint      NOT NULL CONSTRAINT leave_claim_asked_minutes_check CHECK (asked_minutes > 0),
    minutes        bigint      NOT NULL CONSTRAINT leave_claim_minutes_check CHECK (minutes > 0 AND minutes <= asked_minutes),
    status         text COLLATE "C" NOT NULL
        CONSTRAINT leave_claim_status_check CHECK (status IN ('pending', 'approved', 'rejected', 'cancelled', 'withdrawn')),
    note           text COLLATE "C",
    submitted_by   uuid,
    submitted_on   date        NOT NULL,
    decided_by     uuid,
    decided_at     timestamptz,
    decision_note  text COLLATE "C",
    lot_id         uuid,
    posting_ids    jsonb       NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    version        bigint      NOT NULL,
    CONSTRAINT leave_claim_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_claim_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_claim_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT leave_claim_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id),
    CONSTRAINT leave_claim_lot_fkey FOREIGN KEY (tenant_id, lot_id) REFERENCES leave_lot (tenant_id, id),
    CONSTRAINT leave_claim_worked_on_check CHECK ((kind = 'compensatory') = (worked_on IS NOT NULL))
);
CREATE UNIQUE INDEX leave_claim_worked_on_key ON leave_claim (tenant_id, employee_id, worked_on)
    WHERE worked_on IS NOT NULL AND status IN ('pending', 'approved');
CREATE INDEX leave_claim_employee_idx ON leave_claim (tenant_id, employee_id, leave_type_id);
CREATE INDEX leave_claim_created_at_idx ON leave_claim (tenant_id, created_at, id);
-- What payroll has to know, by date.
CREATE INDEX leave_posting_effective_on_idx ON leave_posting (tenant_id, effective_on, id);
ALTER TABLE leave_claim ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_claim FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_claim_tenant ON leave_claim
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON leave_claim TO hrms_app;
