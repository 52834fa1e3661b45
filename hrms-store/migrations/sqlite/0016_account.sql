-- Changes of log-in addresses; what ends with an operator (docs/decisions/0010).
-- The same tables as on PostgreSQL; there the rights of the roles come on top.

CREATE TABLE email_change (
    user_id     BLOB NOT NULL PRIMARY KEY,
    email       TEXT NOT NULL,
    session_id  BLOB NOT NULL,
    token_hash  BLOB NOT NULL,
    created_at  TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    CONSTRAINT email_change_user_fkey FOREIGN KEY (user_id) REFERENCES user_account (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX email_change_token_key ON email_change (token_hash);

CREATE INDEX support_grant_operator_idx ON support_grant (operator_id) WHERE ended_at IS NULL;
