-- How many people of a department have to be there, from a day on. Rows are added and never changed.

CREATE TABLE coverage_minimum (
    tenant_id       BLOB NOT NULL,
    id              BLOB NOT NULL,
    department_id   BLOB NOT NULL,
    location_id     BLOB,
    effective_from  TEXT NOT NULL,
    people          INTEGER,
    percent         INTEGER,
    rule            TEXT NOT NULL,
    created_at      TEXT NOT NULL,
    created_by      BLOB,
    CONSTRAINT coverage_minimum_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT coverage_minimum_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT coverage_minimum_department_fkey FOREIGN KEY (tenant_id, department_id) REFERENCES department (tenant_id, id),
    CONSTRAINT coverage_minimum_location_fkey FOREIGN KEY (tenant_id, location_id) REFERENCES location (tenant_id, id),
    CONSTRAINT coverage_minimum_people_check CHECK (people > 0),
    CONSTRAINT coverage_minimum_percent_check CHECK (percent BETWEEN 1 AND 100),
    CONSTRAINT coverage_minimum_one_check CHECK (people IS NULL OR percent IS NULL),
    CONSTRAINT coverage_minimum_rule_check CHECK (rule IN ('warn', 'block'))
) STRICT, WITHOUT ROWID;
CREATE INDEX coverage_minimum_department_idx ON coverage_minimum (tenant_id, department_id, effective_from);
CREATE INDEX coverage_minimum_location_idx ON coverage_minimum (tenant_id, location_id);
