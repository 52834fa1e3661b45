-- Leave in hours. A request occupies minutes of days now: half days are those before and after midday.

ALTER TABLE leave_request ADD COLUMN start_minute INTEGER
    CONSTRAINT leave_request_start_minute_check CHECK (start_minute BETWEEN 0 AND 1440);
ALTER TABLE leave_request ADD COLUMN end_minute INTEGER
    CONSTRAINT leave_request_end_minute_check CHECK (end_minute BETWEEN 0 AND 1440);
ALTER TABLE leave_request ADD COLUMN asked_minutes INTEGER
    CONSTRAINT leave_request_asked_minutes_check CHECK (asked_minutes BETWEEN 1 AND 1440);

ALTER TABLE leave_slot ADD COLUMN from_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE leave_slot ADD COLUMN to_minute INTEGER NOT NULL DEFAULT 1440
    CONSTRAINT leave_slot_minutes_check CHECK (to_minute > from_minute);
UPDATE leave_slot SET from_minute = 720 WHERE half = 2;
UPDATE leave_slot SET to_minute = 720 WHERE half = 1;
DROP INDEX leave_request_no_overlap;
CREATE INDEX leave_slot_day_idx ON leave_slot (tenant_id, employee_id, day);
CREATE TRIGGER leave_request_no_overlap_insert BEFORE INSERT ON leave_slot BEGIN
    SELECT RAISE(ABORT, 'leave_request_no_overlap') WHERE EXISTS (
        SELECT 1 FROM leave_slot AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.employee_id = NEW.employee_id AND other.day = NEW.day
          AND other.from_minute < NEW.to_minute AND other.to_minute > NEW.from_minute);
END;
CREATE TRIGGER leave_request_no_overlap_update BEFORE UPDATE ON leave_slot BEGIN
    SELECT RAISE(ABORT, 'leave_request_no_overlap') WHERE EXISTS (
        SELECT 1 FROM leave_slot AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.employee_id = NEW.employee_id AND other.day = NEW.day
          AND (other.request_id <> OLD.request_id OR other.day <> OLD.day OR other.half <> OLD.half)
          AND other.from_minute < NEW.to_minute AND other.to_minute > NEW.from_minute);
END;

-- What is only ever added goes when its organisation is purged, as the audit log does: until now a ledger stood in the way.
DROP TRIGGER leave_lot_append_only_delete;
CREATE TRIGGER leave_lot_append_only_delete BEFORE DELETE ON leave_lot
WHEN NOT EXISTS (SELECT 1 FROM audit_purge WHERE tenant_id = OLD.tenant_id) BEGIN
    SELECT RAISE(ABORT, 'leave_lot_append_only');
END;
DROP TRIGGER leave_posting_append_only_delete;
CREATE TRIGGER leave_posting_append_only_delete BEFORE DELETE ON leave_posting
WHEN NOT EXISTS (SELECT 1 FROM audit_purge WHERE tenant_id = OLD.tenant_id) BEGIN
    SELECT RAISE(ABORT, 'leave_posting_append_only');
END;
