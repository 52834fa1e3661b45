-- Who chose an account's password, as long as nobody who reads the account's mail has chosen another one since: whoever added
-- the user knows it, so nobody else links that account to an employee. No foreign key: it outlives the members.
ALTER TABLE user_account ADD COLUMN password_chosen_by uuid;
