-- Approvals: chains as data, what waits for decisions, whose decision it is, what happened, who decides in whose place.

CREATE TABLE approval_chain (
    tenant_id   BLOB        NOT NULL,
    id          BLOB        NOT NULL,
    kind        TEXT        NOT NULL,
    code        TEXT NOT NULL,
    name        TEXT NOT NULL,
    position    INTEGER     NOT NULL,
    conditions  TEXT       NOT NULL,
    levels      TEXT       NOT NULL,
    active      INTEGER     NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    version     INTEGER      NOT NULL,
    CONSTRAINT approval_chain_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_chain_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX approval_chain_code_key ON approval_chain (tenant_id, kind, code);
CREATE INDEX approval_chain_name_idx ON approval_chain (tenant_id, name, id);

-- The chain may be gone: the levels are the case's own.
CREATE TABLE approval_case (
    tenant_id    BLOB        NOT NULL,
    id           BLOB        NOT NULL,
    kind         TEXT        NOT NULL,
    subject_id   BLOB        NOT NULL,
    employee_id  BLOB        NOT NULL,
    chain_id     BLOB,
    levels       TEXT       NOT NULL,
    level        INTEGER     NOT NULL,
    status       TEXT        NOT NULL,
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    version      INTEGER      NOT NULL,
    CONSTRAINT approval_case_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_case_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT approval_case_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT approval_case_status_check CHECK (status IN ('open', 'approved', 'rejected', 'withdrawn'))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX approval_case_subject_key ON approval_case (tenant_id, kind, subject_id);
CREATE INDEX approval_case_employee_idx ON approval_case (tenant_id, employee_id) WHERE status = 'open';

CREATE TABLE approval_task (
    tenant_id      BLOB        NOT NULL,
    id             BLOB        NOT NULL,
    case_id        BLOB        NOT NULL,
    level          INTEGER     NOT NULL,
    approver       INTEGER     NOT NULL,
    assignee_type  TEXT        NOT NULL,
    assignee_id    BLOB,
    assignee_role  TEXT,
    forwarded      INTEGER     NOT NULL,
    status         TEXT        NOT NULL,
    decided_by     BLOB,
    on_behalf_of   BLOB,
    ended_at       TEXT,
    created_at     TEXT NOT NULL,
    CONSTRAINT approval_task_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_task_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT approval_task_case_fkey FOREIGN KEY (tenant_id, case_id) REFERENCES approval_case (tenant_id, id),
    CONSTRAINT approval_task_assignee_check CHECK (
        (assignee_type IN ('employee', 'user') AND assignee_id IS NOT NULL AND assignee_role IS NULL)
        OR (assignee_type = 'role' AND assignee_id IS NULL AND assignee_role IS NOT NULL)
        OR (assignee_type = 'organization' AND assignee_id IS NULL AND assignee_role IS NULL)),
    CONSTRAINT approval_task_status_check CHECK (
        status IN ('open', 'approved', 'rejected', 'forwarded', 'moved', 'closed')),
    CONSTRAINT approval_task_ended_check CHECK ((status = 'open') = (ended_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX approval_task_case_idx ON approval_task (tenant_id, case_id, created_at, id);
CREATE INDEX approval_task_assignee_idx ON approval_task (tenant_id, assignee_id, created_at, id) WHERE status = 'open';
CREATE INDEX approval_task_role_idx ON approval_task (tenant_id, assignee_type, assignee_role, created_at, id) WHERE status = 'open';

-- Append-only: what happened isn't changed.
CREATE TABLE approval_trail (
    tenant_id     BLOB        NOT NULL,
    id            BLOB        NOT NULL,
    case_id       BLOB        NOT NULL,
    at            TEXT NOT NULL,
    act           TEXT        NOT NULL,
    level         INTEGER     NOT NULL,
    user_id       BLOB,
    on_behalf_of  BLOB,
    in_place      INTEGER     NOT NULL,
    assignee      TEXT,
    note          TEXT,
    CONSTRAINT approval_trail_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_trail_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT approval_trail_case_fkey FOREIGN KEY (tenant_id, case_id) REFERENCES approval_case (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX approval_trail_case_idx ON approval_trail (tenant_id, case_id, at, id);
CREATE TRIGGER approval_trail_append_only BEFORE UPDATE ON approval_trail BEGIN
    SELECT RAISE(ABORT, 'approval_trail_append_only');
END;

CREATE TABLE approval_delegation (
    tenant_id     BLOB        NOT NULL,
    id            BLOB        NOT NULL,
    delegator_id  BLOB        NOT NULL,
    delegate_id   BLOB        NOT NULL,
    valid_from    TEXT        NOT NULL,
    valid_to      TEXT        NOT NULL,
    note          TEXT,
    revoked_at    TEXT,
    created_at    TEXT NOT NULL,
    CONSTRAINT approval_delegation_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_delegation_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT approval_delegation_delegator_fkey FOREIGN KEY (tenant_id, delegator_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT approval_delegation_delegate_fkey FOREIGN KEY (tenant_id, delegate_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT approval_delegation_period_check CHECK (valid_to > valid_from),
    CONSTRAINT approval_delegation_other_check CHECK (delegator_id <> delegate_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX approval_delegation_delegator_idx ON approval_delegation (tenant_id, delegator_id);
CREATE INDEX approval_delegation_delegate_idx ON approval_delegation (tenant_id, delegate_id);
CREATE INDEX approval_delegation_created_idx ON approval_delegation (tenant_id, created_at, id);
