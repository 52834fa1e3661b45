-- Notifications: what people were told, how they want to be told, what was sent, and an organisation's own texts.

-- What people are told in unless they choose: a BCP 47 tag.
ALTER TABLE organization ADD COLUMN language text COLLATE "C" NOT NULL DEFAULT 'en';

CREATE TABLE notification (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    kind       text        COLLATE "C" NOT NULL,
    title      text        NOT NULL,
    body       text        NOT NULL,
    language   text        COLLATE "C" NOT NULL,
    subject    text        COLLATE "C" NOT NULL,
    -- The latest event of its kind that it tells of; the event itself may be gone before it is.
    event_id   uuid        NOT NULL,
    times      bigint      NOT NULL,
    in_inbox   boolean     NOT NULL,
    read_at    timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT notification_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT notification_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT notification_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES membership (tenant_id, user_id)
);
CREATE UNIQUE INDEX notification_event_key ON notification (tenant_id, user_id, event_id, kind);
CREATE INDEX notification_inbox_idx ON notification (tenant_id, user_id, created_at, id) WHERE in_inbox;
CREATE INDEX notification_unread_idx ON notification (tenant_id, user_id, created_at) WHERE read_at IS NULL;
CREATE INDEX notification_created_idx ON notification (tenant_id, created_at);

CREATE TABLE notification_delivery (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    notification_id uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    kind            text        COLLATE "C" NOT NULL,
    channel         text        COLLATE "C" NOT NULL,
    state           text        COLLATE "C" NOT NULL CONSTRAINT notification_delivery_state_check
                                CHECK (state IN ('waiting', 'sent', 'failed', 'dropped')),
    digest          boolean     NOT NULL,
    attempts        bigint      NOT NULL,
    due_at          timestamptz,
    error           text,
    sent_at         timestamptz,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    -- What waits has a time, and only what was handed over counts as sent.
    CONSTRAINT notification_delivery_due_check CHECK ((state = 'waiting') = (due_at IS NOT NULL)),
    CONSTRAINT notification_delivery_sent_check CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
    CONSTRAINT notification_delivery_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT notification_delivery_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT notification_delivery_notification_fkey FOREIGN KEY (tenant_id, notification_id)
        REFERENCES notification (tenant_id, id)
);
CREATE UNIQUE INDEX notification_delivery_channel_key ON notification_delivery (tenant_id, notification_id, channel);
CREATE INDEX notification_delivery_gathered_idx ON notification_delivery (tenant_id, user_id, channel, due_at)
    WHERE state = 'waiting';
CREATE INDEX notification_delivery_created_idx ON notification_delivery (tenant_id, created_at, id);

CREATE TABLE notification_settings (
    tenant_id   uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    language    text        COLLATE "C",
    time_zone   text        COLLATE "C",
    -- Times of day, as in 22:00:00.
    quiet_from  text        COLLATE "C",
    quiet_to    text        COLLATE "C",
    digest_at   text        COLLATE "C" NOT NULL,
    preferences jsonb       NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT notification_settings_quiet_check CHECK ((quiet_from IS NULL) = (quiet_to IS NULL)),
    CONSTRAINT notification_settings_pkey PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT notification_settings_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT notification_settings_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES membership (tenant_id, user_id)
);

CREATE TABLE notification_template (
    tenant_id  uuid        NOT NULL,
    kind       text        COLLATE "C" NOT NULL,
    language   text        COLLATE "C" NOT NULL,
    subject    text        NOT NULL,
    body       text        NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT notification_template_pkey PRIMARY KEY (tenant_id, kind, language),
    CONSTRAINT notification_template_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);

ALTER TABLE notification ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification FORCE ROW LEVEL SECURITY;
CREATE POLICY notification_tenant ON notification TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON notification TO hrms_app;

ALTER TABLE notification_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification_delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY notification_delivery_tenant ON notification_delivery TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON notification_delivery TO hrms_app;

ALTER TABLE notification_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification_settings FORCE ROW LEVEL SECURITY;
CREATE POLICY notification_settings_tenant ON notification_settings TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON notification_settings TO hrms_app;

ALTER TABLE notification_template ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification_template FORCE ROW LEVEL SECURITY;
CREATE POLICY notification_template_tenant ON notification_template TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON notification_template TO hrms_app;

CREATE TABLE notification_channel (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    name        text        COLLATE "C" NOT NULL,
    url         text        NOT NULL,
    description text,
    -- Sealed.
    secret      bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    -- Its name is never another's: people chose it by that.
    removed_at  timestamptz,
    version     bigint      NOT NULL,
    CONSTRAINT notification_channel_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT notification_channel_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX notification_channel_name_key ON notification_channel (tenant_id, name);
ALTER TABLE notification_channel ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification_channel FORCE ROW LEVEL SECURITY;
CREATE POLICY notification_channel_tenant ON notification_channel TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON notification_channel TO hrms_app;
