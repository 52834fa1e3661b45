-- Leave policies: rules with versions by date, and who has which policy when.

CREATE TABLE leave_policy (
    tenant_id      BLOB    NOT NULL,
    id             BLOB    NOT NULL,
    leave_type_id  BLOB    NOT NULL,
    code           TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    applies_to     TEXT    NOT NULL CONSTRAINT leave_policy_applies_to_check CHECK (applies_to IN ('everyone', 'assigned')),
    created_at     TEXT    NOT NULL,
    updated_at     TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    CONSTRAINT leave_policy_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_policy_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_policy_type_fkey FOREIGN KEY (tenant_id, leave_type_id) REFERENCES leave_type (tenant_id, id)
) STRICT, WITHOUT ROWID;
-- What assignments refer to.
CREATE UNIQUE INDEX leave_policy_type_key ON leave_policy (tenant_id, id, leave_type_id);
CREATE UNIQUE INDEX leave_policy_code_key ON leave_policy (tenant_id, code);
CREATE UNIQUE INDEX leave_policy_everyone_key ON leave_policy (tenant_id, leave_type_id) WHERE applies_to = 'everyone';
CREATE INDEX leave_policy_type_idx ON leave_policy (tenant_id, leave_type_id);
CREATE INDEX leave_policy_name_idx ON leave_policy (tenant_id, name, id);

-- The rules of a policy from a day on. Nobody changes or removes a row; of several for one day the last one counts.
CREATE TABLE leave_policy_version (
    tenant_id       BLOB NOT NULL,
    id              BLOB NOT NULL,
    policy_id       BLOB NOT NULL,
    effective_from  TEXT NOT NULL,
    rules           TEXT NOT NULL,
    recorded_at     TEXT NOT NULL,
    recorded_by     BLOB,
    CONSTRAINT leave_policy_version_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_policy_version_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_policy_version_policy_fkey FOREIGN KEY (tenant_id, policy_id) REFERENCES leave_policy (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX leave_policy_version_policy_idx ON leave_policy_version (tenant_id, policy_id, effective_from);
CREATE TRIGGER leave_policy_version_append_only_update BEFORE UPDATE ON leave_policy_version BEGIN
    SELECT RAISE(ABORT, 'leave_policy_version_append_only');
END;
-- It goes when its organisation is purged, as the audit log does.
CREATE TRIGGER leave_policy_version_append_only_delete BEFORE DELETE ON leave_policy_version
WHEN NOT EXISTS (SELECT 1 FROM audit_purge WHERE tenant_id = OLD.tenant_id) BEGIN
    SELECT RAISE(ABORT, 'leave_policy_version_append_only');
END;

CREATE TABLE leave_policy_assignment (
    tenant_id      BLOB    NOT NULL,
    id             BLOB    NOT NULL,
    employee_id    BLOB    NOT NULL,
    leave_type_id  BLOB    NOT NULL,
    policy_id      BLOB    NOT NULL,
    valid_from     TEXT    NOT NULL,
    valid_to       TEXT,
    created_at     TEXT    NOT NULL,
    updated_at     TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    CONSTRAINT leave_policy_assignment_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_policy_assignment_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_policy_assignment_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT leave_policy_assignment_policy_fkey FOREIGN KEY (tenant_id, policy_id, leave_type_id) REFERENCES leave_policy (tenant_id, id, leave_type_id),
    CONSTRAINT leave_policy_assignment_period_check CHECK (valid_to > valid_from)
) STRICT, WITHOUT ROWID;
CREATE INDEX leave_policy_assignment_employee_idx ON leave_policy_assignment (tenant_id, employee_id, leave_type_id, valid_from);
CREATE INDEX leave_policy_assignment_policy_idx ON leave_policy_assignment (tenant_id, policy_id, leave_type_id);
CREATE TRIGGER leave_policy_assignment_no_overlap_insert BEFORE INSERT ON leave_policy_assignment BEGIN
    SELECT RAISE(ABORT, 'leave_policy_assignment_no_overlap') WHERE EXISTS (
        SELECT 1 FROM leave_policy_assignment AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.employee_id = NEW.employee_id
          AND other.leave_type_id = NEW.leave_type_id
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;
CREATE TRIGGER leave_policy_assignment_no_overlap_update BEFORE UPDATE ON leave_policy_assignment BEGIN
    SELECT RAISE(ABORT, 'leave_policy_assignment_no_overlap') WHERE EXISTS (
        SELECT 1 FROM leave_policy_assignment AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.employee_id = NEW.employee_id
          AND other.leave_type_id = NEW.leave_type_id AND other.id <> OLD.id
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;
