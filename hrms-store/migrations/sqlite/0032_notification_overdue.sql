-- Deliveries that wait although they are due are looked for across tenants.
CREATE INDEX notification_delivery_overdue_idx ON notification_delivery (due_at) WHERE state = 'waiting';
