-- Approvals: chains as data, what waits for decisions, whose decision it is, what happened, who decides in whose place.

CREATE TABLE approval_chain (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    kind        text        NOT NULL,
    code        text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    position    integer     NOT NULL,
    conditions  jsonb       NOT NULL,
    levels      jsonb       NOT NULL,
    active      boolean     NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT approval_chain_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_chain_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX approval_chain_code_key ON approval_chain (tenant_id, kind, code);
CREATE INDEX approval_chain_name_idx ON approval_chain (tenant_id, name, id);
ALTER TABLE approval_chain ENABLE ROW LEVEL SECURITY;
ALTER TABLE approval_chain FORCE ROW LEVEL SECURITY;
CREATE POLICY approval_chain_tenant ON approval_chain
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON approval_chain TO hrms_app;

-- The chain may be gone: the levels are the case's own.
CREATE TABLE approval_case (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    kind         text        NOT NULL,
    subject_id   uuid        NOT NULL,
    employee_id  uuid        NOT NULL,
    chain_id     uuid,
    levels       jsonb       NOT NULL,
    level        integer     NOT NULL,
    status       text        NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT approval_case_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_case_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT approval_case_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT approval_case_status_check CHECK (status IN ('open', 'approved', 'rejected', 'withdrawn'))
);
CREATE UNIQUE INDEX approval_case_subject_key ON approval_case (tenant_id, kind, subject_id);
CREATE INDEX approval_case_employee_idx ON approval_case (tenant_id, employee_id) WHERE status = 'open';
ALTER TABLE approval_case ENABLE ROW LEVEL SECURITY;
ALTER TABLE approval_case FORCE ROW LEVEL SECURITY;
CREATE POLICY approval_case_tenant ON approval_case
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON approval_case TO hrms_app;

CREATE TABLE approval_task (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    case_id        uuid        NOT NULL,
    level          integer     NOT NULL,
    approver       integer     NOT NULL,
    assignee_type  text        NOT NULL,
    assignee_id    uuid,
    assignee_role  text COLLATE "C",
    forwarded      boolean     NOT NULL,
    status         text        NOT NULL,
    decided_by     uuid,
    on_behalf_of   uuid,
    ended_at       timestamptz,
    created_at     timestamptz NOT NULL,
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
);
CREATE INDEX approval_task_case_idx ON approval_task (tenant_id, case_id, created_at, id);
CREATE INDEX approval_task_assignee_idx ON approval_task (tenant_id, assignee_id, created_at, id) WHERE status = 'open';
CREATE INDEX approval_task_role_idx ON approval_task (tenant_id, assignee_type, assignee_role, created_at, id) WHERE status = 'open';
ALTER TABLE approval_task ENABLE ROW LEVEL SECURITY;
ALTER TABLE approval_task FORCE ROW LEVEL SECURITY;
CREATE POLICY approval_task_tenant ON approval_task
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON approval_task TO hrms_app;

-- Append-only: what happened isn't changed.
CREATE TABLE approval_trail (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    case_id       uuid        NOT NULL,
    at            timestamptz NOT NULL,
    act           text        NOT NULL,
    level         integer     NOT NULL,
    user_id       uuid,
    on_behalf_of  uuid,
    in_place      boolean     NOT NULL,
    assignee      jsonb,
    note          text,
    CONSTRAINT approval_trail_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_trail_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT approval_trail_case_fkey FOREIGN KEY (tenant_id, case_id) REFERENCES approval_case (tenant_id, id)
);
CREATE INDEX approval_trail_case_idx ON approval_trail (tenant_id, case_id, at, id);
ALTER TABLE approval_trail ENABLE ROW LEVEL SECURITY;
ALTER TABLE approval_trail FORCE ROW LEVEL SECURITY;
CREATE POLICY approval_trail_tenant ON approval_trail
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT ON approval_trail TO hrms_app;

CREATE TABLE approval_delegation (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    delegator_id  uuid        NOT NULL,
    delegate_id   uuid        NOT NULL,
    valid_from    date        NOT NULL,
    valid_to      date        NOT NULL,
    note          text,
    revoked_at    timestamptz,
    created_at    timestamptz NOT NULL,
    CONSTRAINT approval_delegation_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_delegation_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT approval_delegation_delegator_fkey FOREIGN KEY (tenant_id, delegator_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT approval_delegation_delegate_fkey FOREIGN KEY (tenant_id, delegate_id) REFERENCES employee (tenant_id, id),
    CONSTRAINT approval_delegation_period_check CHECK (valid_to > valid_from),
    CONSTRAINT approval_delegation_other_check CHECK (delegator_id <> delegate_id)
);
CREATE INDEX approval_delegation_delegator_idx ON approval_delegation (tenant_id, delegator_id);
CREATE INDEX approval_delegation_delegate_idx ON approval_delegation (tenant_id, delegate_id);
CREATE INDEX approval_delegation_created_idx ON approval_delegation (tenant_id, created_at, id);
ALTER TABLE approval_delegation ENABLE ROW LEVEL SECURITY;
ALTER TABLE approval_delegation FORCE ROW LEVEL SECURITY;
CREATE POLICY approval_delegation_tenant ON approval_delegation
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON approval_delegation TO hrms_app;
