-- Who added or invited a user. Somebody who is no employee counts as that person where nobody may decide for
-- themselves. No foreign key: members are never deleted.
ALTER TABLE membership ADD COLUMN created_by BLOB;
