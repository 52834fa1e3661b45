-- An assignment that was never to be in force is removed; the audit log keeps it.
GRANT DELETE ON leave_policy_assignment TO hrms_app;
