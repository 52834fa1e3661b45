-- Deliveries that wait although they are due are looked for across tenants.
CREATE INDEX notification_delivery_overdue_idx ON notification_delivery (due_at) WHERE state = 'waiting';
CREATE POLICY notification_delivery_directory ON notification_delivery TO hrms_directory USING (true) WITH CHECK (false);
GRANT SELECT (tenant_id, id, state, due_at) ON notification_delivery TO hrms_directory;
