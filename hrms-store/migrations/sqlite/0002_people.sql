-- Designations, departments with their heads, employees and their effective-dated employment record.
-- Periods are half-open; an open end is NULL. Triggers do here what exclusion constraints do on PostgreSQL.

CREATE TABLE designation (
    tenant_id   BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    code        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    created_at  TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    CONSTRAINT designation_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT designation_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX designation_code_key ON designation (tenant_id, code);
CREATE INDEX designation_name_idx ON designation (tenant_id, name, id);

CREATE TABLE department (
    tenant_id   BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    code        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    parent_id   BLOB,
    created_at  TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    CONSTRAINT department_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT department_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT department_parent_fkey FOREIGN KEY (tenant_id, parent_id) REFERENCES department (tenant_id, id),
    CONSTRAINT department_own_parent_check CHECK (parent_id <> id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX department_code_key ON department (tenant_id, code);
CREATE INDEX department_name_idx ON department (tenant_id, name, id);
CREATE INDEX department_parent_idx ON department (tenant_id, parent_id);

-- The keys are folded forms of names, number and e-mail, to sort, compare and search by. Nobody is deleted.
CREATE TABLE employee (
    tenant_id    BLOB    NOT NULL,
    id           BLOB    NOT NULL,
    number       TEXT    NOT NULL,
    given_name   TEXT    NOT NULL,
    family_name  TEXT    NOT NULL,
    email        TEXT,
    birth_date   TEXT,
    gender       TEXT    CONSTRAINT employee_gender_check CHECK (gender IN ('male', 'female', 'other', 'undisclosed')),
    hired_on     TEXT    NOT NULL,
    name_key     TEXT    NOT NULL,
    email_key    TEXT,
    search_key   TEXT    NOT NULL,
    created_at   TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    CONSTRAINT employee_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT employee_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX employee_number_key ON employee (tenant_id, number);
CREATE UNIQUE INDEX employee_email_key ON employee (tenant_id, email_key);
CREATE INDEX employee_name_idx ON employee (tenant_id, name_key, id);
CREATE INDEX employee_hired_on_idx ON employee (tenant_id, hired_on, id);

-- A day without a row is a day without employment. A change writes the employee's rows anew.
CREATE TABLE employment_record (
    tenant_id        BLOB    NOT NULL,
    employee_id      BLOB    NOT NULL,
    valid_from       TEXT    NOT NULL,
    valid_to         TEXT,
    department_id    BLOB,
    designation_id   BLOB,
    location_id      BLOB,
    manager_id       BLOB,
    employment_type  TEXT    NOT NULL CONSTRAINT employment_record_type_check CHECK (
        employment_type IN ('full_time', 'part_time', 'contract', 'temporary', 'intern')),
    status           TEXT    NOT NULL CONSTRAINT employment_record_status_check CHECK (
        status IN ('active', 'on_notice', 'suspended')),
    corrected        INTEGER NOT NULL,
    end_reason       TEXT    CONSTRAINT employment_record_end_reason_check CHECK (
        end_reason IN ('resignation', 'dismissal', 'retirement', 'end_of_contract', 'death', 'other')),
    CONSTRAINT employment_record_pkey PRIMARY KEY (tenant_id, employee_id, valid_from),
    CONSTRAINT employment_record_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT employment_record_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT employment_record_department_fkey FOREIGN KEY (tenant_id, department_id) REFERENCES department (tenant_id, id),
    CONSTRAINT employment_record_designation_fkey FOREIGN KEY (tenant_id, designation_id) REFERENCES designation (tenant_id, id),
    CONSTRAINT employment_record_location_fkey FOREIGN KEY (tenant_id, location_id) REFERENCES location (tenant_id, id),
    CONSTRAINT employment_record_manager_fkey FOREIGN KEY (tenant_id, manager_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT employment_record_period_check CHECK (valid_to > valid_from),
    CONSTRAINT employment_record_own_manager_check CHECK (manager_id <> employee_id),
    CONSTRAINT employment_record_end_check CHECK (end_reason IS NULL OR valid_to IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX employment_record_manager_idx ON employment_record (tenant_id, manager_id);
CREATE INDEX employment_record_department_idx ON employment_record (tenant_id, department_id);
CREATE INDEX employment_record_designation_idx ON employment_record (tenant_id, designation_id);
CREATE INDEX employment_record_location_idx ON employment_record (tenant_id, location_id);
CREATE TRIGGER employment_record_no_overlap_insert BEFORE INSERT ON employment_record BEGIN
    SELECT RAISE(ABORT, 'employment_record_no_overlap') WHERE EXISTS (
        SELECT 1 FROM employment_record AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.employee_id = NEW.employee_id
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;
CREATE TRIGGER employment_record_no_overlap_update BEFORE UPDATE ON employment_record BEGIN
    SELECT RAISE(ABORT, 'employment_record_no_overlap') WHERE EXISTS (
        SELECT 1 FROM employment_record AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.employee_id = NEW.employee_id AND other.valid_from <> OLD.valid_from
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;

CREATE TABLE department_head (
    tenant_id      BLOB    NOT NULL,
    department_id  BLOB    NOT NULL,
    valid_from     TEXT    NOT NULL,
    valid_to       TEXT,
    employee_id    BLOB    NOT NULL,
    CONSTRAINT department_head_pkey PRIMARY KEY (tenant_id, department_id, valid_from),
    CONSTRAINT department_head_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT department_head_department_fkey FOREIGN KEY (tenant_id, department_id) REFERENCES department (tenant_id, id),
    CONSTRAINT department_head_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT department_head_period_check CHECK (valid_to > valid_from)
) STRICT, WITHOUT ROWID;
CREATE INDEX department_head_employee_idx ON department_head (tenant_id, employee_id);
CREATE TRIGGER department_head_no_overlap_insert BEFORE INSERT ON department_head BEGIN
    SELECT RAISE(ABORT, 'department_head_no_overlap') WHERE EXISTS (
        SELECT 1 FROM department_head AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.department_id = NEW.department_id
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;
CREATE TRIGGER department_head_no_overlap_update BEFORE UPDATE ON department_head BEGIN
    SELECT RAISE(ABORT, 'department_head_no_overlap') WHERE EXISTS (
        SELECT 1 FROM department_head AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.department_id = NEW.department_id AND other.valid_from <> OLD.valid_from
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;
