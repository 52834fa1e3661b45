-- The day of an account's opening balance, which replaces whatever was before.
ALTER TABLE leave_account ADD COLUMN opens_on date;

-- Organisations that have leave policies get the schedule that new ones get with their first policy. The owner of a table sees its rows
-- only while that isn't forced.
ALTER TABLE leave_policy NO FORCE ROW LEVEL SECURITY;
ALTER TABLE job_schedule NO FORCE ROW LEVEL SECURITY;
INSERT INTO job_schedule (tenant_id, id, name, kind, kind_version, payload, cron, time_zone, enabled, requester, next_at,
                          created_at, updated_at, version)
SELECT DISTINCT ON (tenant_id) tenant_id, gen_random_uuid(), 'Leave accrual', 'leave.accrue', 1, '{}'::jsonb, '30 0 * * *', NULL::text, true,
       '{"who": "system", "permissions": ["leave.grant"]}'::jsonb, now(), now(), now(), 1
FROM leave_policy AS p
WHERE NOT EXISTS (SELECT 1 FROM job_schedule AS s
                  WHERE s.tenant_id = p.tenant_id AND (s.kind = 'leave.accrue' OR s.name = 'Leave accrual'));
ALTER TABLE leave_policy FORCE ROW LEVEL SECURITY;
ALTER TABLE job_schedule FORCE ROW LEVEL SECURITY;
