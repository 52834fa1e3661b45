-- Consumers of events: how far each has come in a tenant's log, and which logs have grown since they were told.

-- Set by the statement that numbers new events; cleared by the relay once every consumer has a job that will read them.
ALTER TABLE tenant_counter ADD COLUMN pending boolean NOT NULL DEFAULT false;
-- Up to where consumers were told: a new one that isn't to see the past begins here.
ALTER TABLE tenant_counter ADD COLUMN relayed bigint NOT NULL DEFAULT 0;
-- What happened before there were consumers is past. The owner is bound by the policy as long as it is forced.
ALTER TABLE tenant_counter NO FORCE ROW LEVEL SECURITY;
UPDATE tenant_counter SET relayed = value WHERE name = 'event';
ALTER TABLE tenant_counter FORCE ROW LEVEL SECURITY;
CREATE INDEX tenant_counter_pending_idx ON tenant_counter (tenant_id) WHERE pending;
CREATE POLICY tenant_counter_directory ON tenant_counter TO hrms_directory USING (true) WITH CHECK (false);
GRANT SELECT (tenant_id, name, value, pending) ON tenant_counter TO hrms_directory;

CREATE TABLE event_consumer (
    tenant_id    uuid        NOT NULL,
    consumer     text        COLLATE "C" NOT NULL,
    -- The sequence number of the last event whose effects are committed.
    position     bigint      NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT event_consumer_pkey PRIMARY KEY (tenant_id, consumer),
    CONSTRAINT event_consumer_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
ALTER TABLE event_consumer ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_consumer FORCE ROW LEVEL SECURITY;
CREATE POLICY event_consumer_tenant ON event_consumer
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
CREATE POLICY event_consumer_directory ON event_consumer TO hrms_directory USING (true) WITH CHECK (false);
GRANT SELECT, INSERT, UPDATE ON event_consumer TO hrms_app;
GRANT SELECT (tenant_id, consumer, position) ON event_consumer TO hrms_directory;

-- Removes those of an organisation's oldest events that happened before an instant and that all of these consumers (a
-- list of names) have read; how many. Runs as the owner, bound to one tenant by the policies: the application's roles may
-- neither change nor remove what happened, and the directory can't read it.
CREATE FUNCTION forget_events(organization_id uuid, consumers jsonb, before timestamptz, at_most bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant_before text := coalesce(current_setting('hrms.tenant_id', true), '');
    forgotten     bigint;
BEGIN
    PERFORM set_config('hrms.tenant_id', organization_id::text, true);
    DELETE FROM public.event AS e WHERE e.tenant_id = organization_id AND e.sequence IN (
        SELECT oldest.sequence FROM (SELECT o.sequence, o.occurred_at FROM public.event AS o
            WHERE o.tenant_id = organization_id ORDER BY o.sequence LIMIT at_most) AS oldest
        WHERE oldest.occurred_at < before AND NOT EXISTS (SELECT FROM public.event_consumer AS c
            WHERE c.tenant_id = organization_id AND c.position < oldest.sequence AND consumers ? c.consumer));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    PERFORM set_config('hrms.tenant_id', tenant_before, true);
    RETURN forgotten;
END $$;
REVOKE ALL ON FUNCTION forget_events(uuid, jsonb, timestamptz, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_events(uuid, jsonb, timestamptz, bigint) TO hrms_directory;
