-- Messages to an endpoint take one of a few lanes, by what they are about; a job sends what waits in a lane. What waits from
-- before is all in the first one.
ALTER TABLE webhook_delivery ADD COLUMN lane bigint NOT NULL DEFAULT 0;
CREATE INDEX webhook_delivery_lane_idx ON webhook_delivery (tenant_id, webhook_id, lane, next_attempt_at, sequence)
    WHERE state = 'waiting';
-- Where something waits that should have been sent is looked for across tenants.
CREATE POLICY webhook_delivery_directory ON webhook_delivery TO hrms_directory USING (true) WITH CHECK (false);
GRANT SELECT (tenant_id, webhook_id, state, next_attempt_at) ON webhook_delivery TO hrms_directory;
