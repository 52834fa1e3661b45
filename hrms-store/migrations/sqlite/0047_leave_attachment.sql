-- Files that belong to requests for leave. Nothing in them is looked at but what they are.
CREATE TABLE leave_attachment (
    tenant_id   BLOB NOT NULL,
    id          BLOB NOT NULL,
    request_id  BLOB NOT NULL,
    name        TEXT NOT NULL,
    media_type  TEXT NOT NULL CONSTRAINT leave_attachment_media_type_check
        CHECK (media_type IN ('pdf', 'jpeg', 'png')),
    bytes       INTEGER NOT NULL CONSTRAINT leave_attachment_bytes_check CHECK (bytes > 0),
    sha256      TEXT NOT NULL,
    content     BLOB NOT NULL,
    added_by    BLOB,
    created_at  TEXT NOT NULL,
    CONSTRAINT leave_attachment_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT leave_attachment_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_attachment_request_fkey FOREIGN KEY (tenant_id, request_id) REFERENCES leave_request (tenant_id, id)
) STRICT;
CREATE INDEX leave_attachment_request_idx ON leave_attachment (tenant_id, request_id);
