-- Restricted holidays: how many of a calendar each employee may choose in a year, and who has chosen which.
CREATE TABLE holiday_choice_limit (
    tenant_id    uuid    NOT NULL,
    calendar_id  uuid    NOT NULL,
    from_year    integer NOT NULL CONSTRAINT holiday_choice_limit_from_year_check CHECK (from_year BETWEEN 1900 AND 2199),
    most         integer NOT NULL CONSTRAINT holiday_choice_limit_most_check CHECK (most BETWEEN 0 AND 366),
    notice_days  integer NOT NULL CONSTRAINT holiday_choice_limit_notice_days_check CHECK (notice_days BETWEEN 0 AND 366),
    CONSTRAINT holiday_choice_limit_pkey PRIMARY KEY (tenant_id, calendar_id, from_year),
    CONSTRAINT holiday_choice_limit_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT holiday_choice_limit_calendar_fkey FOREIGN KEY (tenant_id, calendar_id) REFERENCES holiday_calendar (tenant_id, id)
);
ALTER TABLE holiday_choice_limit ENABLE ROW LEVEL SECURITY;
ALTER TABLE holiday_choice_limit FORCE ROW LEVEL SECURITY;
CREATE POLICY holiday_choice_limit_tenant ON holiday_choice_limit
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON holiday_choice_limit TO hrms_app;

-- A choice names a day, not a calendar: it counts while the day is a restricted holiday where the employee works on it.
CREATE TABLE holiday_choice (
    tenant_id    uuid        NOT NULL,
    employee_id  uuid        NOT NULL,
    on_date      date        NOT NULL,
    chosen_at    timestamptz NOT NULL,
    chosen_by    uuid,
    CONSTRAINT holiday_choice_pkey PRIMARY KEY (tenant_id, employee_id, on_date),
    CONSTRAINT holiday_choice_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT holiday_choice_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id)
);
ALTER TABLE holiday_choice ENABLE ROW LEVEL SECURITY;
ALTER TABLE holiday_choice FORCE ROW LEVEL SECURITY;
CREATE POLICY holiday_choice_tenant ON holiday_choice
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON holiday_choice TO hrms_app;
