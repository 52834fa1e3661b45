-- The day of an account's opening balance, which replaces whatever was before.
ALTER TABLE leave_account ADD COLUMN opens_on TEXT;

-- Organisations that have leave policies get the schedule that new ones get with their first policy.
INSERT INTO job_schedule (tenant_id, id, name, kind, kind_version, payload, cron, time_zone, enabled, requester, next_at,
                          created_at, updated_at, version)
SELECT tenant_id, randomblob(16), 'Leave accrual', 'leave.accrue', 1, '{}', '30 0 * * *', NULL, 1,
       '{"who": "system", "permissions": ["leave.grant"]}', strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'),
       strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'), strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'), 1
FROM leave_policy AS p
WHERE NOT EXISTS (SELECT 1 FROM job_schedule AS s
                  WHERE s.tenant_id = p.tenant_id AND (s.kind = 'leave.accrue' OR s.name = 'Leave accrual'))
GROUP BY tenant_id;
