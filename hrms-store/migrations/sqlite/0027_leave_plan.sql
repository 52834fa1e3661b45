-- What leave policies write into the ledger is named, so that it can be written once only, and the ledger knows
-- transfers, lapses and encashment: adjustments that say what for.

ALTER TABLE leave_lot ADD COLUMN plan_key TEXT;
CREATE UNIQUE INDEX leave_lot_plan_key ON leave_lot (tenant_id, employee_id, leave_type_id, plan_key);

ALTER TABLE leave_posting ADD COLUMN plan_key TEXT;
ALTER TABLE leave_posting ADD COLUMN purpose TEXT CONSTRAINT leave_posting_purpose_check CHECK (
    purpose IS NULL OR (kind = 'adjustment' AND purpose IN ('transfer', 'lapse', 'encashment')));
