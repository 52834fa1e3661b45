-- Webhooks: where events are sent, and what became of it.

CREATE TABLE webhook (
    tenant_id           BLOB    NOT NULL,
    id                  BLOB    NOT NULL,
    url                 TEXT    NOT NULL,
    description         TEXT,
    types               TEXT    NOT NULL,
    status              TEXT    NOT NULL CONSTRAINT webhook_status_check
                                    CHECK (status IN ('enabled', 'disabled')),
    disabled_reason     TEXT,
    disabled_at         TEXT,
    failing_since       TEXT,
    -- Sealed; the one before the present one signs too for a while.
    secret              BLOB    NOT NULL,
    former_secret       BLOB,
    former_secret_until TEXT,
    created_at          TEXT    NOT NULL,
    updated_at          TEXT    NOT NULL,
    version             INTEGER NOT NULL,
    CONSTRAINT webhook_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_delivery (
    tenant_id           BLOB    NOT NULL,
    id                  BLOB    NOT NULL,
    webhook_id          BLOB    NOT NULL,
    event_id            BLOB    NOT NULL,
    -- The event's place in the log; the event itself may be gone before the delivery is.
    sequence            INTEGER NOT NULL,
    kind                TEXT    NOT NULL,
    subject             TEXT    NOT NULL,
    state               TEXT    NOT NULL CONSTRAINT webhook_delivery_state_check
                                 CHECK (state IN ('waiting', 'succeeded', 'failed')),
    attempts            INTEGER NOT NULL,
    next_attempt_at     TEXT,
    response_status     INTEGER,
    response_excerpt    TEXT,
    error               TEXT,
    duration_ms         INTEGER,
    created_at          TEXT    NOT NULL,
    updated_at          TEXT    NOT NULL,
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_delivery_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT webhook_delivery_webhook_fkey FOREIGN KEY (tenant_id, webhook_id) REFERENCES webhook (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX webhook_delivery_event_key ON webhook_delivery (tenant_id, webhook_id, event_id);
CREATE INDEX webhook_delivery_waiting_idx ON webhook_delivery (tenant_id, webhook_id, subject, sequence)
    WHERE state = 'waiting';
CREATE INDEX webhook_delivery_created_idx ON webhook_delivery (tenant_id, webhook_id, created_at, id);
CREATE INDEX webhook_delivery_ended_idx ON webhook_delivery (tenant_id, updated_at) WHERE state <> 'waiting';
