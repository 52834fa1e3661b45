-- Restricted holidays: how many of a calendar each employee may choose in a year, and who has chosen which.
CREATE TABLE holiday_choice_limit (
    tenant_id    BLOB    NOT NULL,
    calendar_id  BLOB    NOT NULL,
    from_year    INTEGER NOT NULL CONSTRAINT holiday_choice_limit_from_year_check CHECK (from_year BETWEEN 1900 AND 2199),
    most         INTEGER NOT NULL CONSTRAINT holiday_choice_limit_most_check CHECK (most BETWEEN 0 AND 366),
    notice_days  INTEGER NOT NULL CONSTRAINT holiday_choice_limit_notice_days_check CHECK (notice_days BETWEEN 0 AND 366),
    CONSTRAINT holiday_choice_limit_pkey PRIMARY KEY (tenant_id, calendar_id, from_year),
    CONSTRAINT holiday_choice_limit_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT holiday_choice_limit_calendar_fkey FOREIGN KEY (tenant_id, calendar_id) REFERENCES holiday_calendar (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- A choice names a day, not a calendar: it counts while the day is a restricted holiday where the employee works on it.
CREATE TABLE holiday_choice (
    tenant_id    BLOB NOT NULL,
    employee_id  BLOB NOT NULL,
    on_date      TEXT NOT NULL,
    chosen_at    TEXT NOT NULL,
    chosen_by    BLOB,
    CONSTRAINT holiday_choice_pkey PRIMARY KEY (tenant_id, employee_id, on_date),
    CONSTRAINT holiday_choice_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT holiday_choice_employee_fkey FOREIGN KEY (tenant_id, employee_id) REFERENCES employee (tenant_id, id)
) STRICT, WITHOUT ROWID;
