-- Messages to an endpoint take one of a few lanes, by what they are about; a job sends what waits in a lane. What waits from
-- before is all in the first one.
ALTER TABLE webhook_delivery ADD COLUMN lane INTEGER NOT NULL DEFAULT 0;
CREATE INDEX webhook_delivery_lane_idx ON webhook_delivery (tenant_id, webhook_id, lane, next_attempt_at, sequence)
    WHERE state = 'waiting';
