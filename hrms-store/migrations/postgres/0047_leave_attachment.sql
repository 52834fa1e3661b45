-- Files that belong to requests for leave. Nothing in them is looked at but what they are.
CREATE TABLE leave_attachment (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    request_id  uuid NOT NULL,
    name        text NOT NULL,
    media_type  text NOT NULL CONSTRAINT leave_attachment_media_type_check
        CHECK (media_type IN ('pdf', 'jpeg', 'png')),
    bytes       bigint NOT NULL CONSTRAINT leave_attachment_bytes_check CHECK (bytes > 0),
    sha256      text NOT NULL,
    content     bytea NOT NULL,
    added_by    uuid,
    created_at  timestamptz NOT NULL,
    CONSTRAINT leave_attachment_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_attachment_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_attachment_request_fkey FOREIGN KEY (tenant_id, request_id) REFERENCES leave_request (tenant_id, id)
);
CREATE INDEX leave_attachment_request_idx ON leave_attachment (tenant_id, request_id);
ALTER TABLE leave_attachment ENABLE ROW LEVEL SECURITY;
ALTER TABLE leave_attachment FORCE ROW LEVEL SECURITY;
CREATE POLICY leave_attachment_tenant ON leave_attachment
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON leave_attachment TO hrms_app;
