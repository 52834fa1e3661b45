-- Requests that are counted anew. Theirs may come to nothing, which the check on `minutes` doesn't allow: that column stays what was
-- counted first.
ALTER TABLE leave_request ADD COLUMN recounted_minutes INTEGER
    CONSTRAINT leave_request_recounted_minutes_check CHECK (recounted_minutes >= 0);

-- What a request was, what it is, and why. Rows are added and never changed.
CREATE TABLE leave_recount (
    tenant_id       BLOB    NOT NULL,
    request_id      BLOB    NOT NULL,
    version         INTEGER NOT NULL,
    recounted_at    TEXT    NOT NULL,
    recounted_by    BLOB,
    because         TEXT    NOT NULL,
    minutes_before  INTEGER NOT NULL CONSTRAINT leave_recount_minutes_before_check CHECK (minutes_before >= 0),
    minutes_after   INTEGER NOT NULL CONSTRAINT leave_recount_minutes_after_check CHECK (minutes_after >= 0),
    changes         TEXT    NOT NULL,
    CONSTRAINT leave_recount_pkey PRIMARY KEY (tenant_id, request_id, version),
    CONSTRAINT leave_recount_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT leave_recount_request_fkey FOREIGN KEY (tenant_id, request_id) REFERENCES leave_request (tenant_id, id)
) STRICT, WITHOUT ROWID;
