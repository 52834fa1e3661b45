-- Holiday calendars that locations share, from a day on. Each location with holidays gets a calendar of its own with the same
-- id, code and name, for all time: what was true stays true.

CREATE TABLE holiday_calendar (
    tenant_id   BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    code        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    revision    INTEGER NOT NULL CONSTRAINT holiday_calendar_revision_check CHECK (revision >= 0),
    created_at  TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    CONSTRAINT holiday_calendar_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT holiday_calendar_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX holiday_calendar_code_key ON holiday_calendar (tenant_id, code);
CREATE INDEX holiday_calendar_name_idx ON holiday_calendar (tenant_id, name, id);
INSERT INTO holiday_calendar (tenant_id, id, code, name, revision, created_at, updated_at, version)
    SELECT l.tenant_id, l.id, l.code, l.name, 0, MIN(h.created_at), MIN(h.created_at), 1
    FROM holiday AS h JOIN location AS l ON l.tenant_id = h.tenant_id AND l.id = h.location_id
    GROUP BY l.tenant_id, l.id, l.code, l.name;

CREATE TABLE location_holiday_calendar (
    tenant_id    BLOB  NOT NULL,
    location_id  BLOB  NOT NULL,
    valid_from   TEXT  NOT NULL,
    valid_to     TEXT,
    calendar_id  BLOB  NOT NULL,
    CONSTRAINT location_holiday_calendar_pkey PRIMARY KEY (tenant_id, location_id, valid_from),
    CONSTRAINT location_holiday_calendar_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT location_holiday_calendar_location_fkey FOREIGN KEY (tenant_id, location_id) REFERENCES location (tenant_id, id),
    CONSTRAINT location_holiday_calendar_calendar_fkey FOREIGN KEY (tenant_id, calendar_id) REFERENCES holiday_calendar (tenant_id, id),
    CONSTRAINT location_holiday_calendar_period_check CHECK (valid_to > valid_from)
) STRICT, WITHOUT ROWID;
CREATE INDEX location_holiday_calendar_calendar_idx ON location_holiday_calendar (tenant_id, calendar_id);
INSERT INTO location_holiday_calendar (tenant_id, location_id, valid_from, valid_to, calendar_id)
    SELECT tenant_id, id, '1900-01-01', NULL, id FROM holiday_calendar;
CREATE TRIGGER location_holiday_calendar_no_overlap_insert BEFORE INSERT ON location_holiday_calendar BEGIN
    SELECT RAISE(ABORT, 'location_holiday_calendar_no_overlap') WHERE EXISTS (
        SELECT 1 FROM location_holiday_calendar AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.location_id = NEW.location_id
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;
CREATE TRIGGER location_holiday_calendar_no_overlap_update BEFORE UPDATE ON location_holiday_calendar BEGIN
    SELECT RAISE(ABORT, 'location_holiday_calendar_no_overlap') WHERE EXISTS (
        SELECT 1 FROM location_holiday_calendar AS other
        WHERE other.tenant_id = NEW.tenant_id AND other.location_id = NEW.location_id AND other.valid_from <> OLD.valid_from
          AND (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to)
          AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from));
END;

ALTER TABLE holiday RENAME TO holiday_of_location;
CREATE TABLE holiday (
    tenant_id     BLOB    NOT NULL,
    calendar_id   BLOB    NOT NULL,
    on_date       TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    kind          TEXT    NOT NULL CONSTRAINT holiday_kind_check CHECK (kind IN ('public', 'company', 'restricted')),
    repeats       TEXT    NOT NULL CONSTRAINT holiday_repeats_check CHECK (repeats IN ('fixed_date', 'movable')),
    observed_for  TEXT,
    uid           TEXT    NOT NULL,
    created_at    TEXT    NOT NULL,
    updated_at    TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    CONSTRAINT holiday_pkey PRIMARY KEY (tenant_id, calendar_id, on_date),
    CONSTRAINT holiday_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT holiday_calendar_fkey FOREIGN KEY (tenant_id, calendar_id) REFERENCES holiday_calendar (tenant_id, id),
    CONSTRAINT holiday_observed_for_check CHECK (observed_for <> on_date)
) STRICT, WITHOUT ROWID;
INSERT INTO holiday (tenant_id, calendar_id, on_date, name, kind, repeats, observed_for, uid, created_at, updated_at, version)
    SELECT tenant_id, location_id, on_date, name, 'public', 'movable', NULL, lower(hex(location_id)) || '-' || on_date,
           created_at, created_at, 1
    FROM holiday_of_location;
DROP TABLE holiday_of_location;

-- What was done to the holidays of a calendar at once. Rows are added and never changed.
CREATE TABLE holiday_revision (
    tenant_id    BLOB    NOT NULL,
    calendar_id  BLOB    NOT NULL,
    revision     INTEGER NOT NULL CONSTRAINT holiday_revision_revision_check CHECK (revision > 0),
    changed_at   TEXT    NOT NULL,
    changed_by   BLOB,
    changes      TEXT    NOT NULL,
    CONSTRAINT holiday_revision_pkey PRIMARY KEY (tenant_id, calendar_id, revision),
    CONSTRAINT holiday_revision_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT holiday_revision_calendar_fkey FOREIGN KEY (tenant_id, calendar_id) REFERENCES holiday_calendar (tenant_id, id)
) STRICT, WITHOUT ROWID;
