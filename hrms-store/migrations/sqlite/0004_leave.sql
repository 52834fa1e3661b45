-- Leave: types, holidays, lots and the append-only ledger, requests and the half days that they occupy.

CREATE TABLE leave_type (
    tenant_id               BLOB    NOT NULL,
    id                      BLOB    NOT NULL,
    code                    TEXT    NOT NULL,
    name                    TEXT    NOT NULL,
    paid                    INTEGER NOT NULL,
    allow_negative_minutes  INTEGER NOT NULL CONSTRAINT leave_type_allow_negative_check CHECK (allow_negative_minutes >= 0),
    minutes_per_day         INTEGER NOT NULL CONSTRAINT leave_type_minutes_per_day_check CHECK (minutes_per_day BETWEEN 1 AND 1440),
    created_at              TEXT    NOT NULL,
    updated_at              TEXT    NOT NULL,
    version                 INTEGER NOT NULL,
    CONSTRAINT leave_type_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_type_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX leave_type_code_key ON leave_type (tenant_id, code);
CREATE INDEX leave_type_name_idx ON leave_type (tenant_id, name, id);

CREATE TABLE holiday (
    tenant_id    BLOB  NOT NULL,
    location_id  BLOB  NOT NULL,
    on_date      TEXT  NOT NULL,
    name         TEXT  NOT NULL,
    created_at   TEXT  NOT NULL,
    CONSTRAINT holiday_pkey PRIMARY KEY (tenant_id, location_id, on_date),
    CONSTRAINT holiday_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT holiday_location_fkey FOREIGN KEY (tenant_id, location_id) REFERENCES location (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- One row for each employee and leave type that has a ledger. Touching it locks the ledger.
CREATE TABLE leave_account (
    tenant_id      BLOB    NOT NULL,
    employee_id    BLOB    NOT NULL,
    leave_type_id  BLOB    NOT NULL,
    changes        INTEGER NOT NULL,
    CONSTRAINT leave_account_pkey PRIMARY KEY (tenant_id, employee_id, leave_type_id),
    CONSTRAINT leave_account_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_account_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT leave_account_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX leave_account_type_idx ON leave_account (tenant_id, leave_type_id);

CREATE TABLE leave_lot (
    tenant_id      BLOB    NOT NULL,
    id             BLOB    NOT NULL,
    employee_id    BLOB    NOT NULL,
    leave_type_id  BLOB    NOT NULL,
    source         TEXT    NOT NULL CONSTRAINT leave_lot_source_check CHECK (source IN ('grant', 'opening', 'carry_over', 'compensatory')),
    minutes        INTEGER NOT NULL CONSTRAINT leave_lot_minutes_check CHECK (minutes > 0),
    valid_from     TEXT    NOT NULL,
    valid_to       TEXT,
    granted_on     TEXT    NOT NULL,
    note           TEXT,
    created_at     TEXT    NOT NULL,
    CONSTRAINT leave_lot_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_lot_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_lot_account_fkey FOREIGN KEY (tenant_id, employee_id, leave_type_id) REFERENCES leave_account (tenant_id, employee_id, leave_type_id),
    CONSTRAINT leave_lot_period_check CHECK (valid_to > valid_from)
) STRICT, WITHOUT ROWID;
CREATE INDEX leave_lot_account_idx ON leave_lot (tenant_id, employee_id, leave_type_id);

CREATE TABLE leave_request (
    tenant_id      BLOB    NOT NULL,
    id             BLOB    NOT NULL,
    employee_id    BLOB    NOT NULL,
    leave_type_id  BLOB    NOT NULL,
    starts_on      TEXT    NOT NULL,
    ends_on        TEXT    NOT NULL,
    start_part     TEXT    NOT NULL CONSTRAINT leave_request_start_part_check CHECK (start_part IN ('full', 'first_half', 'second_half')),
    end_part       TEXT    NOT NULL CONSTRAINT leave_request_end_part_check CHECK (end_part IN ('full', 'first_half', 'second_half')),
    minutes        INTEGER NOT NULL CONSTRAINT leave_request_minutes_check CHECK (minutes > 0),
    day_count      TEXT    NOT NULL,
    status         TEXT    NOT NULL CONSTRAINT leave_request_status_check CHECK (
        status IN ('pending', 'approved', 'rejected', 'cancelled', 'withdrawn')),
    note           TEXT,
    submitted_by   BLOB,
    submitted_on   TEXT    NOT NULL,
    decided_by     BLOB,
    decided_at     TEXT,
    decision_note  TEXT,
    created_at     TEXT    NOT NULL,
    updated_at     TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    CONSTRAINT leave_request_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_request_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_request_account_fkey FOREIGN KEY (tenant_id, employee_id, leave_type_id) REFERENCES leave_account (tenant_id, employee_id, leave_type_id),
    CONSTRAINT leave_request_period_check CHECK (ends_on >= starts_on)
) STRICT, WITHOUT ROWID;
CREATE INDEX leave_request_employee_idx ON leave_request (tenant_id, employee_id, status);
CREATE INDEX leave_request_starts_on_idx ON leave_request (tenant_id, starts_on, id);
CREATE INDEX leave_request_created_at_idx ON leave_request (tenant_id, created_at, id);
CREATE INDEX leave_request_pending_idx ON leave_request (tenant_id, status, starts_on, id);

-- The half days (1 before the break, 2 after it) that pending and approved requests occupy.
CREATE TABLE leave_slot (
    tenant_id    BLOB    NOT NULL,
    request_id   BLOB    NOT NULL,
    employee_id  BLOB    NOT NULL,
    day          TEXT    NOT NULL,
    half         INTEGER NOT NULL CONSTRAINT leave_slot_half_check CHECK (half IN (1, 2)),
    CONSTRAINT leave_slot_pkey PRIMARY KEY (tenant_id, request_id, day, half),
    CONSTRAINT leave_slot_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_slot_request_fkey FOREIGN KEY (tenant_id, request_id) REFERENCES leave_request (tenant_id, id),
    CONSTRAINT leave_slot_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX leave_request_no_overlap ON leave_slot (tenant_id, employee_id, day, half);

CREATE TABLE leave_posting (
    tenant_id      BLOB    NOT NULL,
    id             BLOB    NOT NULL,
    employee_id    BLOB    NOT NULL,
    leave_type_id  BLOB    NOT NULL,
    lot_id         BLOB,
    request_id     BLOB,
    kind           TEXT    NOT NULL CONSTRAINT leave_posting_kind_check CHECK (kind IN ('grant', 'consumption', 'reversal', 'adjustment')),
    minutes        INTEGER NOT NULL,
    effective_on   TEXT    NOT NULL,
    booked_on      TEXT    NOT NULL,
    posted_at      TEXT    NOT NULL,
    posted_by      BLOB,
    reverses_id    BLOB,
    CONSTRAINT leave_posting_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_posting_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_posting_account_fkey FOREIGN KEY (tenant_id, employee_id, leave_type_id) REFERENCES leave_account (tenant_id, employee_id, leave_type_id),
    CONSTRAINT leave_posting_lot_fkey FOREIGN KEY (tenant_id, lot_id) REFERENCES leave_lot (tenant_id, id),
    CONSTRAINT leave_posting_request_fkey FOREIGN KEY (tenant_id, request_id) REFERENCES leave_request (tenant_id, id),
    CONSTRAINT leave_posting_reverses_fkey FOREIGN KEY (tenant_id, reverses_id) REFERENCES leave_posting (tenant_id, id),
    CONSTRAINT leave_posting_sign_check CHECK (
        (kind = 'grant' AND minutes > 0) OR (kind = 'consumption' AND minutes < 0) OR kind IN ('reversal', 'adjustment')),
    CONSTRAINT leave_posting_reversal_check CHECK ((kind = 'reversal') = (reverses_id IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX leave_posting_undone_once ON leave_posting (tenant_id, reverses_id);
CREATE INDEX leave_posting_account_idx ON leave_posting (tenant_id, employee_id, leave_type_id, id);
CREATE INDEX leave_posting_lot_idx ON leave_posting (tenant_id, lot_id);
CREATE INDEX leave_posting_request_idx ON leave_posting (tenant_id, request_id);

-- Lots and postings are only ever added. On PostgreSQL the application has no right to do more.
CREATE TRIGGER leave_lot_append_only_update BEFORE UPDATE ON leave_lot BEGIN
    SELECT RAISE(ABORT, 'leave_lot_append_only');
END;
CREATE TRIGGER leave_lot_append_only_delete BEFORE DELETE ON leave_lot BEGIN
    SELECT RAISE(ABORT, 'leave_lot_append_only');
END;
CREATE TRIGGER leave_posting_append_only_update BEFORE UPDATE ON leave_posting BEGIN
    SELECT RAISE(ABORT, 'leave_posting_append_only');
END;
CREATE TRIGGER leave_posting_append_only_delete BEFORE DELETE ON leave_posting BEGIN
    SELECT RAISE(ABORT, 'leave_posting_append_only');
END;
