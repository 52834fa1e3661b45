-- Designations, departments with their heads, employees and their effective-dated employment record.
-- Periods are half-open; an open end is NULL.

-- Equality on uuid inside an exclusion constraint. The extension is a trusted one.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE designation (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    code        text        COLLATE "C" NOT NULL,
    name        text        COLLATE "C" NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT designation_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT designation_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX designation_code_key ON designation (tenant_id, code);
CREATE INDEX designation_name_idx ON designation (tenant_id, name, id);
ALTER TABLE designation ENABLE ROW LEVEL SECURITY;
ALTER TABLE designation FORCE ROW LEVEL SECURITY;
CREATE POLICY designation_tenant ON designation
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON designation TO hrms_app;

CREATE TABLE department (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    code        text        COLLATE "C" NOT NULL,
    name        text        COLLATE "C" NOT NULL,
    parent_id   uuid,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT department_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT department_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT department_parent_fkey FOREIGN KEY (tenant_id, parent_id) REFERENCES department (tenant_id, id),
    CONSTRAINT department_own_parent_check CHECK (parent_id <> id)
);
CREATE UNIQUE INDEX department_code_key ON department (tenant_id, code);
CREATE INDEX department_name_idx ON department (tenant_id, name, id);
CREATE INDEX department_parent_idx ON department (tenant_id, parent_id);
ALTER TABLE department ENABLE ROW LEVEL SECURITY;
ALTER TABLE department FORCE ROW LEVEL SECURITY;
CREATE POLICY department_tenant ON department
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON department TO hrms_app;

-- The keys are folded forms of names, number and e-mail, to sort, compare and search by. Nobody is deleted.
CREATE TABLE employee (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    number       text        COLLATE "C" NOT NULL,
    given_name   text        NOT NULL,
    family_name  text        NOT NULL,
    email        text,
    birth_date   date,
    gender       text        CONSTRAINT employee_gender_check CHECK (gender IN ('male', 'female', 'other', 'undisclosed')),
    hired_on     date        NOT NULL,
    name_key     text        COLLATE "C" NOT NULL,
    email_key    text        COLLATE "C",
    search_key   text        COLLATE "C" NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT employee_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT employee_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX employee_number_key ON employee (tenant_id, number);
CREATE UNIQUE INDEX employee_email_key ON employee (tenant_id, email_key);
CREATE INDEX employee_name_idx ON employee (tenant_id, name_key, id);
CREATE INDEX employee_hired_on_idx ON employee (tenant_id, hired_on, id);
ALTER TABLE employee ENABLE ROW LEVEL SECURITY;
ALTER TABLE employee FORCE ROW LEVEL SECURITY;
CREATE POLICY employee_tenant ON employee
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON employee TO hrms_app;

-- COALESCE changes no value: an expression keeps the planner from reading by this index, which is many times
-- slower than the primary key.
-- A day without a row is a day without employment. A change writes the employee's rows anew.
CREATE TABLE employment_record (
    tenant_id        uuid        NOT NULL,
    employee_id      uuid        NOT NULL,
    valid_from       date        NOT NULL,
    valid_to         date,
    department_id    uuid,
    designation_id   uuid,
    location_id      uuid,
    manager_id       uuid,
    employment_type  text        NOT NULL CONSTRAINT employment_record_type_check CHECK (
        employment_type IN ('full_time', 'part_time', 'contract', 'temporary', 'intern')),
    status           text        NOT NULL CONSTRAINT employment_record_status_check CHECK (
        status IN ('active', 'on_notice', 'suspended')),
    corrected        boolean     NOT NULL,
    end_reason       text        CONSTRAINT employment_record_end_reason_check CHECK (
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
    CONSTRAINT employment_record_end_check CHECK (end_reason IS NULL OR valid_to IS NOT NULL),
    CONSTRAINT employment_record_no_overlap EXCLUDE USING gist
        (tenant_id WITH =, (COALESCE(employee_id, tenant_id)) WITH =, daterange(valid_from, valid_to) WITH &&)
);
CREATE INDEX employment_record_manager_idx ON employment_record (tenant_id, manager_id);
CREATE INDEX employment_record_department_idx ON employment_record (tenant_id, department_id);
CREATE INDEX employment_record_designation_idx ON employment_record (tenant_id, designation_id);
CREATE INDEX employment_record_location_idx ON employment_record (tenant_id, location_id);
ALTER TABLE employment_record ENABLE ROW LEVEL SECURITY;
ALTER TABLE employment_record FORCE ROW LEVEL SECURITY;
CREATE POLICY employment_record_tenant ON employment_record
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON employment_record TO hrms_app;

CREATE TABLE department_head (
    tenant_id      uuid        NOT NULL,
    department_id  uuid        NOT NULL,
    valid_from     date        NOT NULL,
    valid_to       date,
    employee_id    uuid        NOT NULL,
    CONSTRAINT department_head_pkey PRIMARY KEY (tenant_id, department_id, valid_from),
    CONSTRAINT department_head_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT department_head_department_fkey FOREIGN KEY (tenant_id, department_id) REFERENCES department (tenant_id, id),
    CONSTRAINT department_head_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT department_head_period_check CHECK (valid_to > valid_from),
    CONSTRAINT department_head_no_overlap EXCLUDE USING gist
        (tenant_id WITH =, (COALESCE(department_id, tenant_id)) WITH =, daterange(valid_from, valid_to) WITH &&)
);
CREATE INDEX department_head_employee_idx ON department_head (tenant_id, employee_id);
ALTER TABLE department_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE department_head FORCE ROW LEVEL SECURITY;
CREATE POLICY department_head_tenant ON department_head
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON department_head TO hrms_app;
