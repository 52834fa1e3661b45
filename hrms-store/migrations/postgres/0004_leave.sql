-- Leave: types, holidays, lots and the append-only ledger, requests and the half days that they occupy.

CREATE TABLE leave_type (
    tenant_id               uuid        NOT NULL,
    id                      uuid        NOT NULL,
    code                    text COLLATE "C" NOT NULL,
    name                    text COLLATE "C" NOT NULL,
    paid                    boolean     NOT NULL,
    allow_negative_minutes  bigint      NOT NULL CONSTRAINT leave_type_allow_negative_check CHECK (allow_negative_minutes >= 0),
    minutes_per_day         bigint      NOT NULL CONSTRAINT leave_type_minutes_per_day_check CHECK (minutes_per_day BETWEEN 1 AND 1440),
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL,
    version                 bigint      NOT NULL,
    CONSTRAINT leave_type_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_type_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX leave_type_code_key ON leave_type (tenant_id, code);
CREATE INDEX leave_type_name_idx ON leave_type (tenant_id, name, id);
ALTER TABLE leave_type ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_type FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_type_tenant ON leave_type
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON leave_type TO hrms_app;

CREATE TABLE holiday (
    tenant_id    uuid        NOT NULL,
    location_id  uuid        NOT NULL,
    on_date      date        NOT NULL,
    name         text COLLATE "C" NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT holiday_pkey PRIMARY KEY (tenant_id, location_id, on_date),
    CONSTRAINT holiday_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT holiday_location_fkey FOREIGN KEY (tenant_id, location_id) REFERENCES location (tenant_id, id)
);
ALTER TABLE holiday ENABLE ROW LEVEL SECURITY;
ALTER TABLE holiday FORCE ROW LEVEL SECURITY;
CREATE POLICY holiday_tenant ON holiday
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON holiday TO hrms_app;

-- One row for each employee and leave type that has a ledger. Touching it locks the ledger.
CREATE TABLE leave_account (
    tenant_id      uuid        NOT NULL,
    employee_id    uuid        NOT NULL,
    leave_type_id  uuid        NOT NULL,
    changes        bigint      NOT NULL,
    CONSTRAINT leave_account_pkey PRIMARY KEY (tenant_id, employee_id, leave_type_id),
    CONSTRAINT leave_account_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_account_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT leave_account_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id)
);
CREATE INDEX leave_account_type_idx ON leave_account (tenant_id, leave_type_id);
ALTER TABLE leave_account ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_account FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_account_tenant ON leave_account
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON leave_account TO hrms_app;

CREATE TABLE leave_lot (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    employee_id    uuid        NOT NULL,
    leave_type_id  uuid        NOT NULL,
    source         text        NOT NULL CONSTRAINT leave_lot_source_check CHECK (source IN ('grant', 'opening', 'carry_over', 'compensatory')),
    minutes        bigint      NOT NULL CONSTRAINT leave_lot_minutes_check CHECK (minutes > 0),
    valid_from     date        NOT NULL,
    valid_to       date,
    granted_on     date        NOT NULL,
    note           text,
    created_at     timestamptz NOT NULL,
    CONSTRAINT leave_lot_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_lot_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_lot_account_fkey FOREIGN KEY (tenant_id, employee_id, leave_type_id) REFERENCES leave_account (tenant_id, employee_id, leave_type_id),
    CONSTRAINT leave_lot_period_check CHECK (valid_to > valid_from)
);
CREATE INDEX leave_lot_account_idx ON leave_lot (tenant_id, employee_id, leave_type_id);
ALTER TABLE leave_lot ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_lot FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_lot_tenant ON leave_lot
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
-- Append-only: the application may neither change nor delete what was recorded.
GRANT SELECT, INSERT ON leave_lot TO hrms_app;

CREATE TABLE leave_request (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    employee_id    uuid        NOT NULL,
    leave_type_id  uuid        NOT NULL,
    starts_on      date        NOT NULL,
    ends_on        date        NOT NULL,
    start_part     text        NOT NULL CONSTRAINT leave_request_start_part_check CHECK (start_part IN ('full', 'first_half', 'second_half')),
    end_part       text        NOT NULL CONSTRAINT leave_request_end_part_check CHECK (end_part IN ('full', 'first_half', 'second_half')),
    minutes        bigint      NOT NULL CONSTRAINT leave_request_minutes_check CHECK (minutes > 0),
    day_count      jsonb       NOT NULL,
    status         text        NOT NULL CONSTRAINT leave_request_status_check CHECK (
        status IN ('pending', 'approved', 'rejected', 'cancelled', 'withdrawn')),
    note           text,
    submitted_by   uuid,
    submitted_on   date        NOT NULL,
    decided_by     uuid,
    decided_at     timestamptz,
    decision_note  text,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    version        bigint      NOT NULL,
    CONSTRAINT leave_request_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_request_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_request_account_fkey FOREIGN KEY (tenant_id, employee_id, leave_type_id) REFERENCES leave_account (tenant_id, employee_id, leave_type_id),
    CONSTRAINT leave_request_period_check CHECK (ends_on >= starts_on)
);
CREATE INDEX leave_request_employee_idx ON leave_request (tenant_id, employee_id, status);
CREATE INDEX leave_request_starts_on_idx ON leave_request (tenant_id, starts_on, id);
CREATE INDEX leave_request_created_at_idx ON leave_request (tenant_id, created_at, id);
CREATE INDEX leave_request_pending_idx ON leave_request (tenant_id, status, starts_on, id);
ALTER TABLE leave_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_request FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_request_tenant ON leave_request
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON leave_request TO hrms_app;

-- The half days (1 before the break, 2 after it) that pending and approved requests occupy.
CREATE TABLE leave_slot (
    tenant_id    uuid        NOT NULL,
    request_id   uuid        NOT NULL,
    employee_id  uuid        NOT NULL,
    day          date        NOT NULL,
    half         bigint      NOT NULL CONSTRAINT leave_slot_half_check CHECK (half IN (1, 2)),
    CONSTRAINT leave_slot_pkey PRIMARY KEY (tenant_id, request_id, day, half),
    CONSTRAINT leave_slot_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_slot_request_fkey FOREIGN KEY (tenant_id, request_id) REFERENCES leave_request (tenant_id, id),
    CONSTRAINT leave_slot_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id)
);
CREATE UNIQUE INDEX leave_request_no_overlap ON leave_slot (tenant_id, employee_id, day, half);
ALTER TABLE leave_slot ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_slot FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_slot_tenant ON leave_slot
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON leave_slot TO hrms_app;

CREATE TABLE leave_posting (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    employee_id    uuid        NOT NULL,
    leave_type_id  uuid        NOT NULL,
    lot_id         uuid,
    request_id     uuid,
    kind           text        NOT NULL CONSTRAINT leave_posting_kind_check CHECK (kind IN ('grant', 'consumption', 'reversal', 'adjustment')),
    minutes        bigint      NOT NULL,
    effective_on   date        NOT NULL,
    booked_on      date        NOT NULL,
    posted_at      timestamptz NOT NULL,
    posted_by      uuid,
    reverses_id    uuid,
    CONSTRAINT leave_posting_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_posting_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_posting_account_fkey FOREIGN KEY (tenant_id, employee_id, leave_type_id) REFERENCES leave_account (tenant_id, employee_id, leave_type_id),
    CONSTRAINT leave_posting_lot_fkey FOREIGN KEY (tenant_id, lot_id) REFERENCES leave_lot (tenant_id, id),
    CONSTRAINT leave_posting_request_fkey FOREIGN KEY (tenant_id, request_id) REFERENCES leave_request (tenant_id, id),
    CONSTRAINT leave_posting_reverses_fkey FOREIGN KEY (tenant_id, reverses_id) REFERENCES leave_posting (tenant_id, id),
    CONSTRAINT leave_posting_sign_check CHECK (
        (kind = 'grant' AND minutes > 0) OR (kind = 'consumption' AND minutes < 0) OR kind IN ('reversal', 'adjustment')),
    CONSTRAINT leave_posting_reversal_check CHECK ((kind = 'reversal') = (reverses_id IS NOT NULL))
);
CREATE UNIQUE INDEX leave_posting_undone_once ON leave_posting (tenant_id, reverses_id);
CREATE INDEX leave_posting_account_idx ON leave_posting (tenant_id, employee_id, leave_type_id, id);
CREATE INDEX leave_posting_lot_idx ON leave_posting (tenant_id, lot_id);
CREATE INDEX leave_posting_request_idx ON leave_posting (tenant_id, request_id);
ALTER TABLE leave_posting ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_posting FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_posting_tenant ON leave_posting
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
-- Append-only: the application may neither change nor delete what was recorded.
GRANT SELECT, INSERT ON leave_posting TO hrms_app;
