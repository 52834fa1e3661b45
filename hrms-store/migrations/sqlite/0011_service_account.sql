-- Programs of organisations, and the keys by which they act. Of a key's secret there is a hash only.

CREATE TABLE service_account (
    tenant_id   BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    permissions TEXT    NOT NULL,
    status      TEXT    NOT NULL CONSTRAINT service_account_status_check CHECK (status IN ('active', 'disabled')),
    created_at  TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    CONSTRAINT service_account_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT service_account_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX service_account_name_idx ON service_account (tenant_id, name, id);

CREATE TABLE api_key (
    tenant_id          BLOB NOT NULL,
    id                 BLOB NOT NULL,
    service_account_id BLOB NOT NULL,
    name               TEXT NOT NULL,
    secret_hash        BLOB NOT NULL,
    permissions        TEXT NOT NULL,
    created_by         BLOB,
    created_at         TEXT NOT NULL,
    expires_at         TEXT NOT NULL,
    last_used_at       TEXT,
    last_used_address  TEXT,
    revoked_at         TEXT,
    CONSTRAINT api_key_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT api_key_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT api_key_account_fkey FOREIGN KEY (tenant_id, service_account_id)
        REFERENCES service_account (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_account_idx ON api_key (tenant_id, service_account_id);
CREATE INDEX api_key_name_idx ON api_key (tenant_id, name, id);
