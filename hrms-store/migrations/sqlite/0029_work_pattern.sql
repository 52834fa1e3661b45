-- Working patterns, and who has which when. What a pattern says is fixed once it exists; code and name may change.

CREATE TABLE work_pattern (
    tenant_id   BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    code        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    rule        TEXT    NOT NULL,
    created_at  TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    CONSTRAINT work_pattern_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT work_pattern_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX work_pattern_code_key ON work_pattern (tenant_id, code);
CREATE INDEX work_pattern_name_idx ON work_pattern (tenant_id, name, id);

CREATE TABLE location_work_pattern (
    tenant_id        BLOB  NOT NULL,
    location_id      BLOB  NOT NULL,
    valid_from       TEXT  NOT NULL,
    valid_to         TEXT,
    work_pattern_id  BLOB  NOT NULL,
    CONSTRAINT location_work_pattern_pkey PRIMARY KEY (tenant_id, location_id, valid_from),
    CONSTRAINT location_work_pattern_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT location_work_pattern_location_fkey FOREIGN KEY (tenant_id, location_id) REFERENCES location (tenant_id, id),
    CONSTRAINT location_work_pattern_pattern_fkey FOREIGN KEY (tenant_id, work_pattern_id) REFERENCES work_pattern (tenant_id, id),
    CONSTRAINT location_work_pattern_period_check CHECK (valid_to > valid_from)
) STRICT, WITHOUT ROWID;
CREATE INDEX location_work_pattern_pattern_idx ON location_work_pattern (tenant_id, work_pattern_id);
CREATE TRIGGER location_work_pattern_no_overlap_insert BEFORE INSERT ON location_work_pattern BEGIN
    SELECT RAISE(ABORT, 'location_work_pattern_no_overlap') WHERE EXISTS (
        SELECT 1 FROM location_work_pattern AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.location_id = NEW.location_id
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;
CREATE TRIGGER location_work_pattern_no_overlap_update BEFORE UPDATE ON location_work_pattern BEGIN
    SELECT RAISE(ABORT, 'location_work_pattern_no_overlap') WHERE EXISTS (
        SELECT 1 FROM location_work_pattern AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.location_id = NEW.location_id AND other.valid_from <> OLD.valid_from
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;

CREATE TABLE employee_work_pattern (
    tenant_id        BLOB  NOT NULL,
    employee_id      BLOB  NOT NULL,
    valid_from       TEXT  NOT NULL,
    valid_to         TEXT,
    work_pattern_id  BLOB  NOT NULL,
    CONSTRAINT employee_work_pattern_pkey PRIMARY KEY (tenant_id, employee_id, valid_from),
    CONSTRAINT employee_work_pattern_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT employee_work_pattern_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT employee_work_pattern_pattern_fkey FOREIGN KEY (tenant_id, work_pattern_id) REFERENCES work_pattern (tenant_id, id),
    CONSTRAINT employee_work_pattern_period_check CHECK (valid_to > valid_from)
) STRICT, WITHOUT ROWID;
CREATE INDEX employee_work_pattern_pattern_idx ON employee_work_pattern (tenant_id, work_pattern_id);
CREATE TRIGGER employee_work_pattern_no_overlap_insert BEFORE INSERT ON employee_work_pattern BEGIN
    SELECT RAISE(ABORT, 'employee_work_pattern_no_overlap') WHERE EXISTS (
        SELECT 1 FROM employee_work_pattern AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.employee_id = NEW.employee_id
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;
CREATE TRIGGER employee_work_pattern_no_overlap_update BEFORE UPDATE ON employee_work_pattern BEGIN
    SELECT RAISE(ABORT, 'employee_work_pattern_no_overlap') WHERE EXISTS (
        SELECT 1 FROM employee_work_pattern AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.employee_id = NEW.employee_id AND other.valid_from <> OLD.valid_from
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;
