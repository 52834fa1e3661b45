-- Who set an employee's work e-mail address since they were added: a user, a service account, or nil for the system. None as
-- long as it is the one they came with. An invitation to it counts as one to the employee themselves only if somebody
-- else than the inviter set it.
ALTER TABLE employee ADD COLUMN email_changed_by BLOB;

-- As whom a user counts besides themselves where nobody may do something for themselves: whoever made them, as long as
-- nobody else has linked them to an employee. `former_employee_id`: whom they were linked to last, if they aren't any more.
-- No foreign keys: members and employees are never deleted.
ALTER TABLE membership ADD COLUMN counts_as BLOB;
ALTER TABLE membership ADD COLUMN former_employee_id BLOB;

-- Those made so far count as before.
UPDATE membership SET counts_as = created_by WHERE employee_id IS NULL;
