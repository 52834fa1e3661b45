-- Consumers of events: how far each has come in a tenant's log, and which logs have grown since they were told.

-- Set by the statement that numbers new events; cleared by the relay once every consumer has a job that will read them.
ALTER TABLE tenant_counter ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
-- Up to where consumers were told: a new one that isn't to see the past begins here.
ALTER TABLE tenant_counter ADD COLUMN relayed INTEGER NOT NULL DEFAULT 0;
UPDATE tenant_counter SET relayed = value WHERE name = 'event';
CREATE INDEX tenant_counter_pending_idx ON tenant_counter (tenant_id) WHERE pending;

CREATE TABLE event_consumer (
    tenant_id    BLOB    NOT NULL,
    consumer     TEXT    NOT NULL,
    -- The sequence number of the last event whose effects are committed.
    position     INTEGER NOT NULL,
    updated_at   TEXT    NOT NULL,
    CONSTRAINT event_consumer_pkey PRIMARY KEY (tenant_id, consumer),
    CONSTRAINT event_consumer_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
