-- When a request was last edited: what it is counted beside, and by which rules, is told by this. NULL is when it was made.
ALTER TABLE leave_request ADD COLUMN asked_at timestamptz;
