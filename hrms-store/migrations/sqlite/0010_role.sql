-- Roles that organisations make for themselves.

CREATE TABLE role (
    tenant_id   BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    code        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    grants      TEXT    NOT NULL,
    created_at  TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    CONSTRAINT role_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT role_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX role_code_key ON role (tenant_id, code);
CREATE INDEX role_name_idx ON role (tenant_id, name, id);
