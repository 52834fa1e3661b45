//! An organisation with one employee and one kind of leave, made for a case.

use hrms_core::leave::{
    LeaveAccount, LeaveBalance, LeaveExplanation, LeaveTypePatch, NewLeavePolicy, SetLeaveRules,
};
use hrms_core::work_pattern::{AssignWorkPattern, NewWorkPattern};
use jiff::ToSpan;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::*;

/// The minutes of a day of leave here.
pub(super) const DAY: i64 = 480;

/// Where organisations are made.
pub(super) struct Bench<'a>(pub(super) &'a support::Fresh);

/// Which days are worked.
#[derive(Clone, Debug)]
pub(super) enum Week {
    /// All but these days of the week.
    Off(Vec<Weekday>),
    /// By a pattern, as over HTTP.
    Pattern(Value),
}

impl Week {
    /// Saturday and Sunday are off.
    pub(super) fn office() -> Self {
        Self::Off(vec![Weekday::Saturday, Weekday::Sunday])
    }

    /// Every day is worked.
    pub(super) const fn all() -> Self {
        Self::Off(Vec::new())
    }

    fn pattern(&self) -> Value {
        match self {
            Self::Pattern(pattern) => pattern.clone(),
            Self::Off(off) => {
                let minutes = |day: Weekday| if off.contains(&day) { 0 } else { DAY };
                json!({ "weeks": [{
                    "monday": minutes(Weekday::Monday), "tuesday": minutes(Weekday::Tuesday),
                    "wednesday": minutes(Weekday::Wednesday), "thursday": minutes(Weekday::Thursday),
                    "friday": minutes(Weekday::Friday), "saturday": minutes(Weekday::Saturday),
                    "sunday": minutes(Weekday::Sunday),
                }] })
            }
        }
    }
}

/// An organisation with one employee.
pub(super) struct Desk {
    store: SqlStore,
    pub(super) tenant: TenantId,
    pub(super) employee: EmployeeId,
    pub(super) leave_type: LeaveType,
    calendar: HolidayCalendarId,
    week: Week,
}

impl Bench<'_> {
    /// Somebody who joined on a day and works on these days.
    pub(super) async fn desk(&self, joined: Date, week: Week) -> Desk {
        self.desk_in(joined, None, week, "Asia/Kolkata").await
    }

    /// The same, until a last day and in a time zone.
    pub(super) async fn desk_in(&self, joined: Date, last_day: Option<Date>, week: Week, zone: &str) -> Desk {
        let store = SqlStore::clone(self.0);
        let tenant = tenant(&store).await;
        let office = hrms_core::location::Location { time_zone: zone.into(), ..location("office") };
        let person = Employee { hired_on: joined, ..person("1") };
        let facts = Facts { location_id: Some(office.id), ..Facts::default() };
        let mut timeline = Timeline::hired(joined, facts);
        if let Some(last_day) = last_day {
            timeline.end(last_day, None).unwrap();
        }
        let calendar = holiday_calendar("office");
        let always = [CalendarAssignment {
            holiday_calendar_id: calendar.id,
            period: Period::since(date(1950, 1, 1)),
        }];
        let mut tx = store.begin(tenant).await.unwrap();
        tx.locations().insert(&office).await.unwrap();
        tx.holidays().insert(&calendar).await.unwrap();
        tx.holidays().replace_of_location(office.id, &always).await.unwrap();
        tx.employees().insert_many(std::slice::from_ref(&person)).await.unwrap();
        tx.employment().replace_timelines(&[(person.id, timeline)]).await.unwrap();
        tx.commit().await.unwrap();
        let hr = actor(tenant, None, &[Role::Hr]);
        let hrms = Hrms::builder(store.clone()).clock(FixedClock::at(now())).build();
        let leave_type = hrms.leave_types().create(&hr, new_type("annual")).await.unwrap();
        let desk = Desk {
            store,
            tenant,
            employee: person.id,
            leave_type,
            calendar: calendar.id,
            week: week.clone(),
        };
        let mut pattern = week.pattern();
        pattern["code"] = "case".into();
        pattern["name"] = "case".into();
        let pattern: NewWorkPattern = serde_json::from_value(pattern).unwrap();
        let pattern = hrms.work_patterns().create(&hr, pattern).await.unwrap();
        let assign =
            AssignWorkPattern { work_pattern_id: Some(pattern.id), from: date(1950, 1, 1), to: None };
        hrms.work_patterns().assign_to_location(&hr, office.id, assign).await.unwrap();
        desk
    }
}

impl Desk {
    pub(super) fn hr(&self) -> Actor {
        actor(self.tenant, None, &[Role::Hr])
    }

    /// The system at noon of a day.
    pub(super) fn on(&self, day: Date) -> Hrms {
        let noon = day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        Hrms::builder(self.store.clone()).clock(FixedClock::at(noon)).build()
    }

    /// How far the balance may go below zero, in minutes.
    pub(super) async fn floor(&mut self, minutes: i64) {
        let floor =
            LeaveTypePatch { allow_negative_minutes: hrms_core::Patch::Set(minutes), ..Default::default() };
        let (id, version) = (self.leave_type.id, self.leave_type.version);
        let changed = self.on(date(2026, 1, 1)).leave_types().change(&self.hr(), id, version, floor).await;
        self.leave_type = changed.unwrap();
    }

    pub(super) async fn holiday(&self, on_date: Date) {
        let (kind, repeats) = Default::default();
        let new = NewHoliday { on_date, name: "Holiday".into(), kind, repeats, observed_for: None };
        self.on(on_date).holidays().add(&self.hr(), self.calendar, new).await.unwrap();
    }

    /// Rules for requests, as over HTTP.
    pub(super) async fn rules(&self, rules: Value) -> super::Played<()> {
        let rules = SetLeaveRules {
            effective_from: date(1950, 1, 1),
            rules: serde_json::from_value(rules).map_err(|error| error.to_string())?,
        };
        let (hrms, id) = (self.on(date(2026, 1, 1)), self.leave_type.id);
        hrms.leave_types().set_rules(&self.hr(), id, rules).await.map(drop).map_err(|error| error.to_string())
    }

    /// A policy for everyone from a day on, with rules as over HTTP.
    pub(super) async fn policy(&self, from: Date, rules: Value) -> super::Played<()> {
        let new = NewLeavePolicy {
            leave_type_id: self.leave_type.id,
            code: "case".into(),
            name: "case".into(),
            applies_to: hrms_core::leave::AppliesTo::Everyone,
            effective_from: from,
            rules: serde_json::from_value(rules.clone()).map_err(|error| format!("{error}: {rules}"))?,
        };
        let added = self.on(from).leave_policies().create(&self.hr(), new).await;
        added.map(drop).map_err(|error| format!("{:?}", error.fields()))
    }

    /// Grants leave by hand, usable up to and including a day.
    pub(super) async fn grant(
        &self,
        days: &str,
        from: Date,
        last: Option<Date>,
    ) -> Result<LeaveLotView, LeaveError> {
        let new = json!({
            "employee_id": self.employee, "leave_type_id": self.leave_type.id, "days": days,
            "valid_from": from, "valid_to": last.map(|last| last.tomorrow().unwrap()), "source": "opening",
        });
        self.on(from).leave().grant(&self.hr(), serde_json::from_value(new).unwrap()).await
    }

    /// A request, with more of it as over HTTP.
    pub(super) fn request(&self, from: Date, to: Date, more: Value) -> SubmitLeave {
        let mut ask = json!({
            "employee_id": self.employee, "leave_type_id": self.leave_type.id, "starts_on": from, "ends_on": to,
        });
        ask.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        serde_json::from_value(ask).unwrap()
    }

    pub(super) async fn submit(&self, today: Date, ask: SubmitLeave) -> Result<LeaveRequestView, LeaveError> {
        self.on(today).leave().submit(&self.hr(), ask).await
    }

    pub(super) async fn approve(
        &self,
        today: Date,
        id: LeaveRequestId,
    ) -> Result<LeaveRequestView, LeaveError> {
        self.on(today).leave().approve(&self.hr(), id, DecisionNote::default()).await
    }

    pub(super) async fn cancel(&self, today: Date, id: LeaveRequestId) {
        self.on(today).leave().cancel(&self.hr(), id, DecisionNote::default()).await.unwrap();
    }

    fn works(&self, day: Date) -> bool {
        match &self.week {
            Week::Off(off) => !off.contains(&day.weekday()),
            Week::Pattern(_) => true,
        }
    }

    /// Takes so many working days from one on; a rest of half a day is the first half of the last one.
    pub(super) async fn take(&self, from: Date, days: f64) -> super::Played<Vec<LeaveRequestId>> {
        let halves = (days * 2.0).round();
        if (halves / 2.0 - days).abs() > 1e-9 || halves < 0.0 {
            return Err(format!("leave is taken in halves, not {days}"));
        }
        if halves == 0.0 {
            return Ok(Vec::new());
        }
        let mut left = halves as i64;
        let (mut last, mut day) = (from, from);
        while left > 0 {
            if self.works(day) {
                last = day;
                left -= 2;
            }
            day = day.tomorrow().unwrap();
        }
        let first = (0..7).map(|ahead| from + ahead.days()).find(|day| self.works(*day)).unwrap();
        let more = match (left < 0, first == last) {
            (false, _) => json!({}),
            (true, true) => json!({ "start_part": "first_half" }),
            (true, false) => json!({ "end_part": "first_half" }),
        };
        let asked = self.submit(first, self.request(first, last, more)).await;
        let id = asked.map_err(|error| format!("{days} days from {from}: {error}"))?.request.id;
        self.approve(first, id).await.map_err(|error| error.to_string())?;
        Ok(vec![id])
    }

    pub(super) async fn balance(&self, as_of: Date) -> LeaveBalance {
        let all = self.on(as_of).leave().balances(&self.hr(), Some(self.employee), Some(as_of)).await;
        all.unwrap().remove(0)
    }

    pub(super) async fn account(&self, as_of: Date) -> LeaveAccount {
        let (hr, id) = (self.hr(), self.leave_type.id);
        self.on(as_of).leave().account(&hr, self.employee, id, Some(as_of)).await.unwrap()
    }

    pub(super) async fn explain(&self, as_of: Date) -> LeaveExplanation {
        let (hr, id) = (self.hr(), self.leave_type.id);
        self.on(as_of).leave().explain(&hr, self.employee, id, Some(as_of)).await.unwrap()
    }

    /// Days of the lot that was carried over to a day.
    pub(super) async fn carried_on(&self, day: Date) -> Option<LeaveLotView> {
        let lots = self.account(day).await.lots;
        lots.into_iter().find(|lot| lot.source == LotSource::CarryOver && lot.valid_from == day)
    }
}

/// Days of minutes.
pub(super) fn days(minutes: i64) -> f64 {
    minutes as f64 / DAY as f64
}

/// The minutes of a number of days.
pub(super) fn minutes(days: f64) -> i64 {
    (days * DAY as f64).round() as i64
}
