//! Leave through its services: ledger, requests, decisions, and who may do what, on every engine.

use hrms_core::actor::{Actor, Cause, Who};
use hrms_core::contract::{holiday_calendar, id, location, tenant};
use hrms_core::employee::Employee;
use hrms_core::employment::{Facts, Timeline};
use hrms_core::event::Event;
use hrms_core::holiday::{CalendarAssignment, NewHoliday};
use hrms_core::leave::{
    DayPart, DecisionNote, GrantLeave, LeaveError, LeaveLotView, LeaveRequestQuery, LeaveRequestView,
    LeaveType, LotSource, NewLeaveType, PostingKind, RequestStatus, SubmitLeave,
};
use hrms_core::period::Period;
use hrms_core::{
    DomainError, EmployeeId, ErrorKind, FixedClock, HolidayCalendarId, Hrms, LeaveRequestId, LocationId,
    PageRequest, RequestId, Role, Store, TenantId, UserId, Version,
};
use hrms_store::SqlStore;
use jiff::civil::{Date, date};

use crate::all::support;

/// Monday 23 November 2026, 09:30 in Kolkata.
fn now() -> jiff::Timestamp {
    "2026-11-23T04:00:00Z".parse().unwrap()
}

/// An organisation with a manager, two reports of theirs, and somebody in human resources.
pub(super) struct World {
    pub(super) hrms: Hrms,
    store: SqlStore,
    pub(super) tenant: TenantId,
    pub(super) manager: EmployeeId,
    pub(super) asha: EmployeeId,
    pub(super) colleague: EmployeeId,
    office: LocationId,
    calendar: HolidayCalendarId,
    pub(super) annual: LeaveType,
}

pub(super) fn person(number: &str) -> Employee {
    Employee {
        id: EmployeeId::from_uuid(id()),
        number: number.into(),
        given_name: "Some".into(),
        family_name: "Body".into(),
        email: None,
        email_changed_by: None,
        birth_date: None,
        gender: None,
        hired_on: date(2020, 1, 1),
        created_at: now(),
        updated_at: now(),
        version: Version::FIRST,
    }
}

pub(super) fn actor(tenant: TenantId, employee: Option<EmployeeId>, roles: &[Role]) -> Actor {
    let who = Who::User { user: UserId::from_uuid(id()), session: None, employee };
    Actor::user(tenant, who, roles, Cause::Request, RequestId::from_uuid(id()))
}

impl World {
    pub(super) async fn new(store: &SqlStore) -> Self {
        let tenant = tenant(store).await;
        let hrms = Hrms::builder(store.clone()).clock(FixedClock::at(now()));
        let hrms = hrms.event_type(crate::all::live::TEST_HAPPENED).build();
        let (office, people) = (location("pune"), [person("1"), person("2"), person("3")]);
        let [manager, asha, colleague] = people.each_ref().map(|person| person.id);
        let facts = |manager_id| Facts { location_id: Some(office.id), manager_id, ..Facts::default() };
        let hired = |manager_id| Timeline::hired(date(2020, 1, 1), facts(manager_id));
        let timelines =
            [(manager, hired(None)), (asha, hired(Some(manager))), (colleague, hired(Some(manager)))];
        let mut tx = store.begin(tenant).await.unwrap();
        tx.locations().insert(&office).await.unwrap();
        let calendar = holiday_calendar("pune");
        tx.holidays().insert(&calendar).await.unwrap();
        let period = Period::since(date(2020, 1, 1));
        let assigned = [CalendarAssignment { holiday_calendar_id: calendar.id, period }];
        tx.holidays().replace_of_location(office.id, &assigned).await.unwrap();
        tx.employees().insert_many(&people).await.unwrap();
        tx.employment().replace_timelines(&timelines).await.unwrap();
        tx.commit().await.unwrap();
        let hr = actor(tenant, None, &[Role::Hr]);
        let annual = hrms.leave_types().create(&hr, new_type("annual")).await.unwrap();
        let (store, office, calendar) = (store.clone(), office.id, calendar.id);
        Self { hrms, store, tenant, manager, asha, colleague, office, calendar, annual }
    }

    pub(super) async fn holiday(&self, on_date: Date, name: &str) {
        let (kind, repeats) = Default::default();
        let new = NewHoliday { on_date, name: name.into(), kind, repeats, observed_for: None };
        self.hrms.holidays().add(&self.hr(), self.calendar, new).await.unwrap();
    }

    pub(super) fn hr(&self) -> Actor {
        actor(self.tenant, None, &[Role::Hr])
    }

    pub(super) fn employee(&self, employee: EmployeeId) -> Actor {
        actor(self.tenant, Some(employee), &[Role::Employee])
    }

    pub(super) fn manager(&self, employee: EmployeeId) -> Actor {
        actor(self.tenant, Some(employee), &[Role::Employee, Role::Manager])
    }

    pub(super) async fn grant(&self, employee: EmployeeId, days: &str) {
        self.grant_as(&self.hr(), employee, days).await.unwrap();
    }

    async fn grant_as(
        &self,
        actor: &Actor,
        employee: EmployeeId,
        days: &str,
    ) -> Result<LeaveLotView, LeaveError> {
        let grant = GrantLeave {
            employee_id: employee,
            leave_type_id: self.annual.id,
            days: Some(days.into()),
            minutes: None,
            valid_from: date(2026, 1, 1),
            valid_to: Some(date(2027, 4, 1)),
            source: LotSource::Grant,
            note: None,
            refuse_overlap: false,
        };
        self.hrms.leave().grant(actor, grant).await
    }

    pub(super) fn ask(&self, starts_on: Date, ends_on: Date) -> SubmitLeave {
        SubmitLeave {
            employee_id: None,
            leave_type_id: self.annual.id,
            starts_on,
            ends_on,
            start_part: DayPart::Full,
            end_part: None,
            hours: None,
            note: None,
        }
    }

    pub(super) async fn submit(
        &self,
        employee: EmployeeId,
        first: Date,
        last: Date,
    ) -> Result<LeaveRequestView, LeaveError> {
        self.hrms.leave().submit(&self.employee(employee), self.ask(first, last)).await
    }

    async fn approve(&self, actor: &Actor, id: LeaveRequestId) -> Result<LeaveRequestView, LeaveError> {
        self.hrms.leave().approve(actor, id, DecisionNote::default()).await
    }

    async fn cancel(&self, actor: &Actor, id: LeaveRequestId) -> Result<LeaveRequestView, LeaveError> {
        self.hrms.leave().cancel(actor, id, DecisionNote::default()).await
    }

    /// (granted, taken, pending, expired, available) in days.
    async fn balance(&self, employee: EmployeeId, as_of: Option<Date>) -> [String; 5] {
        let hr = self.hr();
        let balance = self.hrms.leave().balances(&hr, Some(employee), as_of).await.unwrap().remove(0);
        let m = balance.minutes;
        assert_eq!(m.granted, m.available + m.taken + m.pending + m.expired + m.encashed);
        [balance.granted, balance.taken, balance.pending, balance.expired, balance.available]
    }

    async fn events(&self) -> Vec<Event> {
        let mut tx = self.store.read(self.tenant).await.unwrap();
        tx.events().after(0, 1000).await.unwrap()
    }
}

fn new_type(code: &str) -> NewLeaveType {
    NewLeaveType {
        code: code.into(),
        name: "Annual leave".into(),
        paid: true,
        allow_negative_minutes: 0,
        minutes_per_day: 480,
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, LeaveError>) -> &'static str {
    result.unwrap_err().code()
}

const MONDAY: Date = date(2026, 12, 7);
const FRIDAY: Date = date(2026, 12, 11);

async fn a_request_is_approved_and_cancelled_and_the_balance_follows(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "10").await;
    // Friday to Tuesday: three working days.
    let asked = w.submit(w.asha, FRIDAY, date(2026, 12, 15)).await.unwrap();
    assert_eq!((asked.request.days.as_str(), asked.day_count.len()), ("3", 5));
    assert_eq!(w.balance(w.asha, None).await, ["10", "0", "3", "0", "7"]);

    let approved = w.approve(&w.manager(w.manager), asked.request.id).await.unwrap();
    assert_eq!(approved.request.status, RequestStatus::Approved);
    assert_eq!(w.balance(w.asha, None).await, ["10", "3", "0", "0", "7"]);
    assert_eq!(w.balance(w.asha, Some(date(2027, 4, 1))).await, ["10", "3", "0", "7", "0"]);
    assert_eq!(code(w.approve(&w.hr(), asked.request.id).await), "leave.not-pending");

    let cancelled = w.cancel(&w.employee(w.asha), asked.request.id).await.unwrap();
    assert_eq!(cancelled.request.status, RequestStatus::Cancelled);
    assert_eq!(w.balance(w.asha, None).await, ["10", "0", "0", "0", "10"]);
    let account = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, None).await.unwrap();
    let count = |kind| account.postings.iter().filter(|posting| posting.kind == kind).count();
    assert_eq!((count(PostingKind::Consumption), count(PostingKind::Reversal)), (3, 3));
    assert_eq!(account.postings.iter().map(|posting| posting.minutes).sum::<i64>(), 4800);

    let events = w.events().await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).skip(1).collect();
    assert_eq!(
        kinds,
        ["leave.granted", "leave_request.submitted", "leave_request.approved", "leave_request.cancelled"]
    );
    for event in events.iter().skip(1) {
        assert_eq!((event.resource.owner, event.resource.facts.manager_id), (Some(w.asha), Some(w.manager)));
    }
    // The days are free again, and a withdrawn request leaves no posting.
    let again = w.submit(w.asha, FRIDAY, FRIDAY).await.unwrap();
    let withdrawn = w.cancel(&w.employee(w.asha), again.request.id).await.unwrap();
    assert_eq!(withdrawn.request.status, RequestStatus::Withdrawn);
    assert_eq!(code(w.cancel(&w.employee(w.asha), again.request.id).await), "leave.not-cancellable");
}

/// P16: by no path.
async fn nobody_decides_on_their_own_leave(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.manager, "5").await;
    let own = w.submit(w.manager, MONDAY, MONDAY).await.unwrap().request.id;
    let all = [Role::Admin, Role::Hr, Role::Manager, Role::Employee];
    for roles in [&all[..], &[Role::Hr], &[Role::Manager, Role::Employee]] {
        let me = actor(w.tenant, Some(w.manager), roles);
        assert_eq!(code(w.approve(&me, own).await), "leave.self-approval", "{roles:?}");
        assert_eq!(
            code(w.hrms.leave().reject(&me, own, DecisionNote::default()).await),
            "leave.self-approval"
        );
    }
    // A report can't decide on the manager's leave and doesn't learn of it.
    assert_eq!(w.approve(&w.manager(w.asha), own).await.unwrap_err().kind(), ErrorKind::Hidden);
    w.approve(&w.hr(), own).await.unwrap();
    for roles in [&all[..], &[Role::Hr], &[Role::Admin]] {
        let me = actor(w.tenant, Some(w.manager), roles);
        assert_eq!(code(w.grant_as(&me, w.manager, "1").await), "leave.self-grant", "{roles:?}");
        w.grant_as(&me, w.asha, "1").await.unwrap();
    }
}

async fn only_the_line_and_human_resources_see_a_request(store: &support::Fresh) {
    let w = World::new(store).await;
    let other = World::new(store).await;
    w.grant(w.asha, "5").await;
    let id = w.submit(w.asha, MONDAY, MONDAY).await.unwrap().request.id;
    let unknown = LeaveRequestId::from_uuid(hrms_core::contract::id());
    let leave = w.hrms.leave();
    let page = PageRequest::default();
    for actor in [w.employee(w.asha), w.manager(w.manager), w.hr()] {
        assert_eq!(leave.get(&actor, id).await.unwrap().request.id, id);
        assert_eq!(leave.list(&actor, &LeaveRequestQuery::default(), &page).await.unwrap().items.len(), 1);
    }
    for actor in [w.employee(w.colleague), w.manager(w.colleague), other.hr(), other.manager(other.manager)] {
        let (foreign, random) =
            (leave.get(&actor, id).await.unwrap_err(), leave.get(&actor, unknown).await.unwrap_err());
        // In another organisation there is nothing to hide.
        let kind = if actor.tenant() == w.tenant { ErrorKind::Hidden } else { ErrorKind::NotFound };
        assert_eq!(foreign.kind(), kind);
        assert_eq!((foreign.code(), foreign.to_string()), (random.code(), random.to_string()));
        assert_eq!(w.cancel(&actor, id).await.unwrap_err().kind(), kind);
        assert!(leave.list(&actor, &LeaveRequestQuery::default(), &page).await.unwrap().items.is_empty());
        assert_eq!(leave.balances(&actor, Some(w.asha), None).await.unwrap_err().kind(), kind);
    }
    let decidable = LeaveRequestQuery { decidable_by_me: true, ..Default::default() };
    assert_eq!(leave.list(&w.manager(w.manager), &decidable, &page).await.unwrap().items.len(), 1);
    let asha_in_hr = actor(w.tenant, Some(w.asha), &[Role::Hr]);
    assert!(leave.list(&asha_in_hr, &decidable, &page).await.unwrap().items.is_empty());
    assert_eq!(
        leave.list(&w.employee(w.asha), &decidable, &page).await.unwrap_err().kind(),
        ErrorKind::Forbidden
    );
    // Asking in somebody else's name is for human resources; ids of others look like ids of nobody.
    let in_the_name_of = |employee| {
        let mut ask = w.ask(FRIDAY, FRIDAY);
        ask.employee_id = Some(employee);
        ask
    };
    for employee in [w.colleague, other.asha, EmployeeId::from_uuid(hrms_core::contract::id())] {
        let refused = leave.submit(&w.employee(w.asha), in_the_name_of(employee)).await.unwrap_err();
        assert_eq!(refused.fields().first().map(|field| field.code.as_ref()), Some("unknown-reference"));
    }
    leave.submit(&w.hr(), in_the_name_of(w.asha)).await.unwrap();
    let mut foreign_type = w.ask(FRIDAY, FRIDAY);
    foreign_type.leave_type_id = other.annual.id;
    let refused = leave.submit(&w.employee(w.asha), foreign_type).await.unwrap_err();
    assert_eq!(refused.fields().first().map(|field| field.pointer.as_ref()), Some("/leave_type_id"));
}

/// The manager of the day of the decision decides, not the one of the day of asking.
async fn a_new_manager_takes_over_what_is_open(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "5").await;
    let id = w.submit(w.asha, MONDAY, MONDAY).await.unwrap().request.id;
    let mut tx = store.begin(w.tenant).await.unwrap();
    let mut timeline = tx.employment().timelines_of(&[w.asha]).await.unwrap().remove(&w.asha).unwrap();
    let change = hrms_core::employment::Change {
        manager_id: hrms_core::Patch::Set(w.colleague),
        ..Default::default()
    };
    timeline.change_from(date(2026, 11, 23), &change).unwrap();
    tx.employment().replace_timelines(&[(w.asha, timeline)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.approve(&w.manager(w.manager), id).await.unwrap_err().kind(), ErrorKind::Hidden);
    w.approve(&w.manager(w.colleague), id).await.unwrap();
}

/// Leave of days on which nobody is employed can be rejected or taken back, and not approved.
async fn leave_after_the_end_of_an_employment_is_not_approved(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "5").await;
    let tuesday = MONDAY.tomorrow().unwrap();
    let kept = w.submit(w.asha, MONDAY, MONDAY).await.unwrap().request.id;
    let lost = w.submit(w.asha, tuesday, tuesday).await.unwrap().request.id;
    let mut tx = store.begin(w.tenant).await.unwrap();
    let mut timeline = tx.employment().timelines_of(&[w.asha]).await.unwrap().remove(&w.asha).unwrap();
    timeline.end(MONDAY, None).unwrap();
    tx.employment().replace_timelines(&[(w.asha, timeline)]).await.unwrap();
    tx.commit().await.unwrap();
    let manager = w.manager(w.manager);
    assert_eq!(code(w.approve(&manager, lost).await), "leave.not-employed");
    assert_eq!(w.balance(w.asha, None).await[1], "0", "nothing was taken");
    w.approve(&manager, kept).await.unwrap();
    w.hrms.leave().reject(&manager, lost, DecisionNote::default()).await.unwrap();
}

async fn half_days_overlap_only_when_they_are_the_same(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "5").await;
    let half = |part| SubmitLeave { start_part: part, ..w.ask(MONDAY, MONDAY) };
    let me = w.employee(w.asha);
    let first = w.hrms.leave().submit(&me, half(DayPart::FirstHalf)).await.unwrap();
    assert_eq!(first.request.days, "0.5");
    assert_eq!(code(w.submit(w.asha, MONDAY, FRIDAY).await), "leave.overlaps");
    let preview = w.hrms.leave().preview(&me, w.ask(MONDAY, MONDAY)).await.unwrap();
    assert_eq!(preview.refusal.map(|refusal| refusal.code).as_deref(), Some("leave.overlaps"));
    assert_eq!(code(w.hrms.leave().submit(&me, half(DayPart::FirstHalf)).await), "leave.overlaps");
    w.hrms.leave().submit(&me, half(DayPart::SecondHalf)).await.unwrap();
    // A colleague is on leave on the same day.
    w.grant(w.colleague, "1").await;
    w.submit(w.colleague, MONDAY, MONDAY).await.unwrap();
    // A rejected request occupies nothing.
    let manager = w.manager(w.manager);
    w.hrms.leave().reject(&manager, first.request.id, DecisionNote::default()).await.unwrap();
    w.hrms.leave().submit(&me, half(DayPart::FirstHalf)).await.unwrap();
}

async fn bad_input_is_named_and_changes_nothing(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "2").await;
    let before = w.events().await.len();
    let field = |result: Result<LeaveRequestView, LeaveError>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let field = error.fields().first().expect("a field").clone();
        (field.pointer.into_owned(), field.code.into_owned())
    };
    assert_eq!(field(w.submit(w.asha, FRIDAY, MONDAY).await), ("/ends_on".into(), "before-start".into()));
    let far = date(9999, 12, 31);
    assert_eq!(field(w.submit(w.asha, far, far).await), ("/starts_on".into(), "out-of-range".into()));
    assert_eq!(code(w.submit(w.asha, date(2026, 12, 1), date(2027, 12, 2)).await), "leave.too-long");
    assert_eq!(code(w.submit(w.asha, date(2026, 12, 5), date(2026, 12, 6)).await), "leave.no-working-day");
    assert_eq!(code(w.submit(w.asha, date(2019, 12, 31), date(2020, 1, 2)).await), "leave.not-employed");
    let short = w.submit(w.asha, MONDAY, FRIDAY).await.unwrap_err();
    assert_eq!(short.to_string(), "5 days were asked for, 2 are left");
    assert_eq!((short.code(), short.kind()), ("leave.insufficient-balance", ErrorKind::Conflict));
    let many = w.grant_as(&w.hr(), w.asha, "100000000").await.unwrap_err();
    let detail = "a grant is at least a minute, and at most 1440000 minutes, here 3000 days";
    assert_eq!(many.fields()[0].detail, detail);
    let carried = GrantLeave {
        employee_id: w.asha,
        leave_type_id: w.annual.id,
        days: None,
        minutes: Some(480),
        valid_from: date(2026, 1, 1),
        valid_to: None,
        source: LotSource::CarryOver,
        note: None,
        refuse_overlap: false,
    };
    let carried = w.hrms.leave().grant(&w.hr(), carried).await.unwrap_err();
    assert_eq!(carried.fields()[0].code, "not-by-hand");
    let gap = SubmitLeave { start_part: DayPart::FirstHalf, ..w.ask(MONDAY, FRIDAY) };
    let gap = w.hrms.leave().submit(&w.employee(w.asha), gap).await;
    assert_eq!(field(gap), ("/start_part".into(), "leaves-a-gap".into()));
    assert_eq!(w.balance(w.asha, None).await, ["2", "0", "0", "0", "2"]);
    assert_eq!(w.events().await.len(), before, "a refused request emits nothing");
    let page = PageRequest::default();
    let all = w.hrms.leave().list(&w.hr(), &LeaveRequestQuery::default(), &page).await.unwrap();
    assert!(all.items.is_empty());
}

async fn holidays_of_the_workplace_do_not_count(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "5").await;
    w.holiday(date(2026, 12, 25), "Christmas Day").await;
    let christmas = w.ask(date(2026, 12, 24), date(2026, 12, 28));
    let preview = w.hrms.leave().preview(&w.employee(w.asha), christmas).await.unwrap();
    assert_eq!((preview.days.as_str(), preview.refusal), ("2", None));
    assert_eq!((preview.available_before.as_str(), preview.available_after.as_str()), ("5", "3"));
    assert_eq!(preview.day_count[1].holiday.as_deref(), Some("Christmas Day"));
    assert_eq!(w.balance(w.asha, None).await[2], "0", "a preview holds nothing");
}

hrms_tests::on_every_engine!(
    a_request_is_approved_and_cancelled_and_the_balance_follows,
    nobody_decides_on_their_own_leave,
    only_the_line_and_human_resources_see_a_request,
    a_new_manager_takes_over_what_is_open,
    leave_after_the_end_of_an_employment_is_not_approved,
    half_days_overlap_only_when_they_are_the_same,
    bad_input_is_named_and_changes_nothing,
    holidays_of_the_workplace_do_not_count,
);

mod attachments;
mod cases;
mod cases_replayed;
mod closings;
mod corrections;
mod counting;
mod edits;
mod engines;
mod openings;
mod parallel;
mod plans;
mod policies;
mod projections;
mod promised;
mod recounts;
