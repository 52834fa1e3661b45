-- Changes of log-in addresses; what ends with an operator (docs/decisions/0010).

-- One an account: the newest. `email`: the address to be, once whoever reads its mail has said so. `session_id`: the log-in
-- that asked, and outlives the change.
CREATE TABLE email_change (
    user_id     uuid        NOT NULL CONSTRAINT email_change_pkey PRIMARY KEY,
    email       text        COLLATE "C" NOT NULL,
    session_id  uuid        NOT NULL,
    token_hash  bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT email_change_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id)
);
CREATE UNIQUE INDEX email_change_token_key ON email_change (token_hash);
GRANT SELECT, INSERT, UPDATE, DELETE ON email_change TO hrms_directory;

-- An account's address is shown to each of its organisations, and changes in all of them at once.
GRANT UPDATE (email, updated_at, version) ON membership TO hrms_directory;

-- Whoever disables an operator has to find the operator's grants, in whichever organisation: where they are, no more.
CREATE INDEX support_grant_operator_idx ON support_grant (operator_id) WHERE ended_at IS NULL;
CREATE POLICY support_grant_directory ON support_grant FOR SELECT TO hrms_directory USING (true);
GRANT SELECT (tenant_id, id, operator_id, expires_at, ended_at) ON support_grant TO hrms_directory;
