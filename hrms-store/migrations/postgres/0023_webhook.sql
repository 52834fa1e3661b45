-- Webhooks: where events are sent, and what became of it.

CREATE TABLE webhook (
    tenant_id           uuid        NOT NULL,
    id                  uuid        NOT NULL,
    url                 text        NOT NULL,
    description         text,
    types               jsonb       NOT NULL,
    status              text        COLLATE "C" NOT NULL CONSTRAINT webhook_status_check
                                    CHECK (status IN ('enabled', 'disabled')),
    disabled_reason     text        COLLATE "C",
    disabled_at         timestamptz,
    failing_since       timestamptz,
    -- Sealed; the one before the present one signs too for a while.
    secret              bytea       NOT NULL,
    former_secret       bytea,
    former_secret_until timestamptz,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    version             bigint      NOT NULL,
    CONSTRAINT webhook_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
ALTER TABLE webhook ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook FORCE ROW LEVEL SECURITY;
CREATE POLICY webhook_tenant ON webhook TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook TO hrms_app;

CREATE TABLE webhook_delivery (
    tenant_id        uuid        NOT NULL,
    id               uuid        NOT NULL,
    webhook_id       uuid        NOT NULL,
    event_id         uuid        NOT NULL,
    -- The event's place in the log; the event itself may be gone before the delivery is.
    sequence         bigint      NOT NULL,
    kind             text        COLLATE "C" NOT NULL,
    subject          text        COLLATE "C" NOT NULL,
    state            text        COLLATE "C" NOT NULL CONSTRAINT webhook_delivery_state_check
                                 CHECK (state IN ('waiting', 'succeeded', 'failed')),
    attempts         bigint      NOT NULL,
    next_attempt_at  timestamptz,
    response_status  bigint,
    response_excerpt text,
    error            text,
    duration_ms      bigint,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_delivery_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT webhook_delivery_webhook_fkey FOREIGN KEY (tenant_id, webhook_id) REFERENCES webhook (tenant_id, id)
);
CREATE UNIQUE INDEX webhook_delivery_event_key ON webhook_delivery (tenant_id, webhook_id, event_id);
CREATE INDEX webhook_delivery_waiting_idx ON webhook_delivery (tenant_id, webhook_id, subject, sequence)
    WHERE state = 'waiting';
CREATE INDEX webhook_delivery_created_idx ON webhook_delivery (tenant_id, webhook_id, created_at, id);
CREATE INDEX webhook_delivery_ended_idx ON webhook_delivery (tenant_id, updated_at) WHERE state <> 'waiting';
ALTER TABLE webhook_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY webhook_delivery_tenant ON webhook_delivery TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_delivery TO hrms_app;
