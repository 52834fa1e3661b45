-- Notifications: what people were told, how they want to be told, what was sent, and an organisation's own texts.

-- What people are told in unless they choose: a BCP 47 tag.
ALTER TABLE organization ADD COLUMN language TEXT NOT NULL DEFAULT 'en';

CREATE TABLE notification (
    tenant_id  BLOB    NOT NULL,
    id         BLOB    NOT NULL,
    user_id    BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    title      TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    language   TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    -- The latest event of its kind that it tells of; the event itself may be gone before it is.
    event_id   BLOB    NOT NULL,
    times      INTEGER NOT NULL,
    in_inbox   INTEGER NOT NULL,
    read_at    TEXT,
    created_at TEXT    NOT NULL,
    updated_at TEXT    NOT NULL,
    CONSTRAINT notification_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT notification_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT notification_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES membership (tenant_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX notification_event_key ON notification (tenant_id, user_id, event_id, kind);
CREATE INDEX notification_inbox_idx ON notification (tenant_id, user_id, created_at, id) WHERE in_inbox;
CREATE INDEX notification_unread_idx ON notification (tenant_id, user_id, created_at) WHERE read_at IS NULL;
CREATE INDEX notification_created_idx ON notification (tenant_id, created_at);

CREATE TABLE notification_delivery (
    tenant_id       BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    notification_id BLOB    NOT NULL,
    user_id         BLOB    NOT NULL,
    kind            TEXT    NOT NULL,
    channel         TEXT    NOT NULL,
    state           TEXT    NOT NULL CONSTRAINT notification_delivery_state_check
                                CHECK (state IN ('waiting', 'sent', 'failed', 'dropped')),
    digest          INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    due_at          TEXT,
    error           TEXT,
    sent_at         TEXT,
    created_at      TEXT    NOT NULL,
    updated_at      TEXT    NOT NULL,
    -- What waits has a time, and only what was handed over counts as sent.
    CONSTRAINT notification_delivery_due_check CHECK ((state = 'waiting') = (due_at IS NOT NULL)),
    CONSTRAINT notification_delivery_sent_check CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
    CONSTRAINT notification_delivery_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT notification_delivery_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT notification_delivery_notification_fkey FOREIGN KEY (tenant_id, notification_id)
        REFERENCES notification (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX notification_delivery_channel_key ON notification_delivery (tenant_id, notification_id, channel);
CREATE INDEX notification_delivery_gathered_idx ON notification_delivery (tenant_id, user_id, channel, due_at)
    WHERE state = 'waiting';
CREATE INDEX notification_delivery_created_idx ON notification_delivery (tenant_id, created_at, id);

CREATE TABLE notification_settings (
    tenant_id   BLOB    NOT NULL,
    user_id     BLOB    NOT NULL,
    language    TEXT       ,
    time_zone   TEXT       ,
    -- Times of day, as in 22:00:00.
    quiet_from  TEXT       ,
    quiet_to    TEXT       ,
    digest_at   TEXT    NOT NULL,
    preferences TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    CONSTRAINT notification_settings_quiet_check CHECK ((quiet_from IS NULL) = (quiet_to IS NULL)),
    CONSTRAINT notification_settings_pkey PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT notification_settings_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT notification_settings_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES membership (tenant_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE notification_template (
    tenant_id  BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    language   TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    updated_at TEXT    NOT NULL,
    CONSTRAINT notification_template_pkey PRIMARY KEY (tenant_id, kind, language),
    CONSTRAINT notification_template_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE notification_channel (
    tenant_id   BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    url         TEXT    NOT NULL,
    description TEXT,
    -- Sealed.
    secret      BLOB    NOT NULL,
    created_at  TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    -- Its name is never another's: people chose it by that.
    removed_at  TEXT,
    version     INTEGER NOT NULL,
    CONSTRAINT notification_channel_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT notification_channel_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX notification_channel_name_key ON notification_channel (tenant_id, name);
