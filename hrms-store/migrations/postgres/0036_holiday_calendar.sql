-- Holiday calendars that locations share, from a day on. Each location with holidays gets a calendar of its own with the same
-- id, code and name, for all time: what was true stays true.

-- The owner of a table sees its rows only while that isn't forced.
ALTER TABLE holiday NO FORCE ROW LEVEL SECURITY;
ALTER TABLE location NO FORCE ROW LEVEL SECURITY;
ALTER TABLE organization NO FORCE ROW LEVEL SECURITY;

CREATE TABLE holiday_calendar (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    code        text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    revision    bigint      NOT NULL CONSTRAINT holiday_calendar_revision_check CHECK (revision >= 0),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT holiday_calendar_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT holiday_calendar_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX holiday_calendar_code_key ON holiday_calendar (tenant_id, code);
CREATE INDEX holiday_calendar_name_idx ON holiday_calendar (tenant_id, name, id);
INSERT INTO holiday_calendar (tenant_id, id, code, name, revision, created_at, updated_at, version)
    SELECT l.tenant_id, l.id, l.code, l.name, 0, MIN(h.created_at), MIN(h.created_at), 1
    FROM holiday AS h JOIN location AS l ON l.tenant_id = h.tenant_id AND l.id = h.location_id
    GROUP BY l.tenant_id, l.id, l.code, l.name;

CREATE TABLE location_holiday_calendar (
    tenant_id    uuid NOT NULL,
    location_id  uuid NOT NULL,
    valid_from   date NOT NULL,
    valid_to     date,
    calendar_id  uuid NOT NULL,
    CONSTRAINT location_holiday_calendar_pkey PRIMARY KEY (tenant_id, location_id, valid_from),
    CONSTRAINT location_holiday_calendar_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT location_holiday_calendar_location_fkey FOREIGN KEY (tenant_id, location_id) REFERENCES location (tenant_id, id),
    CONSTRAINT location_holiday_calendar_calendar_fkey FOREIGN KEY (tenant_id, calendar_id) REFERENCES holiday_calendar (tenant_id, id),
    CONSTRAINT location_holiday_calendar_period_check CHECK (valid_to > valid_from),
    CONSTRAINT location_holiday_calendar_no_overlap EXCLUDE USING gist
        (tenant_id WITH =, (COALESCE(location_id, tenant_id)) WITH =, daterange(valid_from, valid_to) WITH &&)
);
CREATE INDEX location_holiday_calendar_calendar_idx ON location_holiday_calendar (tenant_id, calendar_id);
INSERT INTO location_holiday_calendar (tenant_id, location_id, valid_from, valid_to, calendar_id)
    SELECT tenant_id, id, '1900-01-01', NULL, id FROM holiday_calendar;

ALTER TABLE holiday RENAME COLUMN location_id TO calendar_id;
ALTER TABLE holiday DROP CONSTRAINT holiday_location_fkey;
ALTER TABLE holiday ADD CONSTRAINT holiday_calendar_fkey
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES holiday_calendar (tenant_id, id);
ALTER TABLE holiday
    ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'public'
        CONSTRAINT holiday_kind_check CHECK (kind IN ('public', 'company', 'restricted')),
    ADD COLUMN repeats text COLLATE "C" NOT NULL DEFAULT 'movable'
        CONSTRAINT holiday_repeats_check CHECK (repeats IN ('fixed_date', 'movable')),
    ADD COLUMN observed_for date CONSTRAINT holiday_observed_for_check CHECK (observed_for <> on_date),
    ADD COLUMN uid text COLLATE "C",
    ADD COLUMN updated_at timestamptz,
    ADD COLUMN version bigint NOT NULL DEFAULT 1;
UPDATE holiday SET uid = replace(calendar_id::text, '-', '') || '-' || on_date, updated_at = created_at;
ALTER TABLE holiday
    ALTER COLUMN kind DROP DEFAULT,
    ALTER COLUMN repeats DROP DEFAULT,
    ALTER COLUMN version DROP DEFAULT,
    ALTER COLUMN uid SET NOT NULL,
    ALTER COLUMN updated_at SET NOT NULL;
GRANT UPDATE ON holiday TO hrms_app;

ALTER TABLE holiday FORCE ROW LEVEL SECURITY;
ALTER TABLE location FORCE ROW LEVEL SECURITY;
ALTER TABLE organization FORCE ROW LEVEL SECURITY;
ALTER TABLE holiday_calendar ENABLE ROW LEVEL SECURITY;
ALTER TABLE holiday_calendar FORCE ROW LEVEL SECURITY;
CREATE POLICY holiday_calendar_tenant ON holiday_calendar
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON holiday_calendar TO hrms_app;
ALTER TABLE location_holiday_calendar ENABLE ROW LEVEL SECURITY;
ALTER TABLE location_holiday_calendar FORCE ROW LEVEL SECURITY;
CREATE POLICY location_holiday_calendar_tenant ON location_holiday_calendar
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON location_holiday_calendar TO hrms_app;

-- What was done to the holidays of a calendar at once. Rows are added and never changed.
CREATE TABLE holiday_revision (
    tenant_id    uuid        NOT NULL,
    calendar_id  uuid        NOT NULL,
    revision     bigint      NOT NULL CONSTRAINT holiday_revision_revision_check CHECK (revision > 0),
    changed_at   timestamptz NOT NULL,
    changed_by   uuid,
    changes      jsonb       NOT NULL,
    CONSTRAINT holiday_revision_pkey PRIMARY KEY (tenant_id, calendar_id, revision),
    CONSTRAINT holiday_revision_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT holiday_revision_calendar_fkey FOREIGN KEY (tenant_id, calendar_id) REFERENCES holiday_calendar (tenant_id, id)
);
ALTER TABLE holiday_revision ENABLE ROW LEVEL SECURITY;
ALTER TABLE holiday_revision FORCE ROW LEVEL SECURITY;
CREATE POLICY holiday_revision_tenant ON holiday_revision
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
-- Append-only: the application may neither change nor delete what was recorded.
GRANT SELECT, INSERT ON holiday_revision TO hrms_app;
