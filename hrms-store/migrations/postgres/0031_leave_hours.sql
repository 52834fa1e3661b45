-- Leave in hours. A request occupies minutes of days now: half days are those before and after midday.

ALTER TABLE leave_request ADD COLUMN start_minute bigint
    CONSTRAINT leave_request_start_minute_check CHECK (start_minute BETWEEN 0 AND 1440);
ALTER TABLE leave_request ADD COLUMN end_minute bigint
    CONSTRAINT leave_request_end_minute_check CHECK (end_minute BETWEEN 0 AND 1440);
ALTER TABLE leave_request ADD COLUMN asked_minutes bigint
    CONSTRAINT leave_request_asked_minutes_check CHECK (asked_minutes BETWEEN 1 AND 1440);

ALTER TABLE leave_slot ADD COLUMN from_minute bigint NOT NULL DEFAULT 0;
ALTER TABLE leave_slot ADD COLUMN to_minute bigint NOT NULL DEFAULT 1440;
-- The owner of a table sees its rows only while that isn't forced.
ALTER TABLE leave_slot NO FORCE ROW LEVEL SECURITY;
UPDATE leave_slot SET from_minute = 720 WHERE half = 2;
UPDATE leave_slot SET to_minute = 720 WHERE half = 1;
ALTER TABLE leave_slot FORCE ROW LEVEL SECURITY;
DROP INDEX leave_request_no_overlap;
ALTER TABLE leave_slot ADD CONSTRAINT leave_slot_minutes_check CHECK (to_minute > from_minute);
ALTER TABLE leave_slot ADD CONSTRAINT leave_request_no_overlap EXCLUDE USING gist
    (tenant_id WITH =, (COALESCE(employee_id, tenant_id)) WITH =, day WITH =, int8range(from_minute, to_minute) WITH &&);
CREATE INDEX leave_slot_day_idx ON leave_slot (tenant_id, employee_id, day);
