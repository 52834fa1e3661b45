//! Requests that are edited while they wait, and approved leave of which days are given up.

use hrms_core::leave::{DayHours, LeaveRequestPatch, RecountCause, RequestRules, SandwichRule, ShortenLeave};
use hrms_core::{CommonError, Patch};
use jiff::ToSpan;

use super::*;

const NEXT_MONDAY: Date = date(2026, 12, 14);

fn days(starts_on: Date, ends_on: Date) -> LeaveRequestPatch {
    LeaveRequestPatch {
        starts_on: Patch::Set(starts_on),
        ends_on: Patch::Set(ends_on),
        ..LeaveRequestPatch::default()
    }
}

fn rest(starts_on: Date, ends_on: Date) -> ShortenLeave {
    ShortenLeave { starts_on, ends_on, start_part: DayPart::Full, end_part: None, note: None }
}

impl World {
    async fn edit(
        &self,
        actor: &Actor,
        of: &LeaveRequestView,
        patch: LeaveRequestPatch,
    ) -> Result<LeaveRequestView, LeaveError> {
        self.hrms.leave().change(actor, of.request.id, of.request.version, patch).await
    }

    async fn shorten(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        rest: ShortenLeave,
    ) -> Result<LeaveRequestView, LeaveError> {
        self.hrms.leave().shorten(actor, id, rest).await
    }

    async fn postings_of(&self) -> Vec<(PostingKind, i64)> {
        let account = self.hrms.leave().account(&self.hr(), self.asha, self.annual.id, None).await.unwrap();
        account.postings.iter().map(|posting| (posting.kind, posting.minutes)).collect()
    }
}

async fn a_pending_request_is_edited(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "5").await;
    let me = w.employee(w.asha);
    let first = w.submit(w.asha, MONDAY, MONDAY + 2.days()).await.unwrap();
    let note = Patch::Set("Moving house".to_owned());
    let edited = LeaveRequestPatch { note, ..days(FRIDAY, NEXT_MONDAY) };
    let edited = w.edit(&me, &first, edited).await.unwrap();
    assert_eq!((edited.request.days.as_str(), edited.request.note.as_deref()), ("2", Some("Moving house")));
    assert_eq!(edited.request.created_at, first.request.created_at);
    assert_eq!(w.hrms.leave().get(&me, first.request.id).await.unwrap(), edited);
    assert_eq!(w.balance(w.asha, None).await, ["5", "0", "2", "0", "3"]);
    // The days that it left are free, and those that it took aren't.
    let second = w.submit(w.asha, MONDAY, MONDAY).await.unwrap();
    assert_eq!(code(w.submit(w.asha, FRIDAY, FRIDAY).await), "leave.overlaps");
    let kinds: Vec<String> = w.events().await.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "leave_request.changed").count(), 1);

    // Whatever is refused changes nothing.
    let again = w.edit(&me, &first, days(MONDAY + 1.day(), MONDAY + 1.day())).await;
    assert!(matches!(again, Err(LeaveError::Common(CommonError::Stale))), "{again:?}");
    assert_eq!(code(w.edit(&me, &edited, days(MONDAY, FRIDAY)).await), "leave.overlaps");
    assert_eq!(
        code(w.edit(&me, &second, days(MONDAY, MONDAY + 3.days())).await),
        "leave.insufficient-balance"
    );
    assert_eq!(code(w.edit(&me, &second, days(FRIDAY, MONDAY)).await), "common.invalid");
    let saturday = MONDAY - 2.days();
    assert_eq!(code(w.edit(&me, &second, days(saturday, saturday)).await), "leave.no-working-day");
    let other = w.edit(&w.employee(w.colleague), &second, days(FRIDAY, FRIDAY)).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Hidden);
    let manager = w.edit(&w.manager(w.manager), &second, days(FRIDAY, FRIDAY)).await;
    assert_eq!(manager.unwrap_err().kind(), ErrorKind::Forbidden, "who decides doesn't write what is asked");
    let same = w.edit(&me, &second, LeaveRequestPatch::default()).await.unwrap();
    assert_eq!(same.request.version, second.request.version, "nothing was changed");
    let known = w.hrms.leave().get(&me, second.request.id).await.unwrap();
    assert_eq!(known, second);
    assert_eq!(w.balance(w.asha, None).await, ["5", "0", "3", "0", "2"]);

    // Half of one day instead, and the kind of leave.
    let half =
        LeaveRequestPatch { start_part: Patch::Set(DayPart::SecondHalf), ..LeaveRequestPatch::default() };
    let half = w.edit(&me, &second, half).await.unwrap();
    assert_eq!(half.request.days, "0.5");
    let sick = NewLeaveType { allow_negative_minutes: 4800, ..new_type("sick") };
    let sick = w.hrms.leave_types().create(&w.hr(), sick).await.unwrap();
    let kind = LeaveRequestPatch { leave_type_id: Patch::Set(sick.id), ..LeaveRequestPatch::default() };
    let moved = w.edit(&w.hr(), &half, kind).await.unwrap();
    assert_eq!(moved.request.leave_type_id, sick.id);
    assert_eq!(moved.request.submitted_by, second.request.submitted_by);
    assert_eq!(w.balance(w.asha, None).await, ["5", "0", "2", "0", "3"]);
    w.approve(&w.manager(w.manager), moved.request.id).await.unwrap();
    assert_eq!(code(w.edit(&me, &moved, days(MONDAY, MONDAY)).await), "common.stale");
    let now = w.hrms.leave().get(&me, moved.request.id).await.unwrap();
    assert_eq!(code(w.edit(&me, &now, days(MONDAY, MONDAY)).await), "leave.not-pending");
}

/// Who decides says which version they saw: what was edited in between isn't approved unseen.
async fn an_edited_request_is_not_approved_unseen(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "5").await;
    let seen = w.submit(w.asha, MONDAY, MONDAY).await.unwrap();
    let edited = w.edit(&w.employee(w.asha), &seen, days(MONDAY, FRIDAY)).await.unwrap();
    let decide =
        |of: &LeaveRequestView| DecisionNote { version: Some(of.request.version), ..DecisionNote::default() };
    let manager = w.manager(w.manager);
    let leave = w.hrms.leave();
    assert_eq!(code(leave.approve(&manager, seen.request.id, decide(&seen)).await), "common.stale");
    assert_eq!(w.balance(w.asha, None).await, ["5", "0", "5", "0", "0"]);
    leave.approve(&manager, seen.request.id, decide(&edited)).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["5", "5", "0", "0", "0"]);
}

/// P5, P14: what is given up goes back to the lot that it came from.
async fn days_of_approved_leave_are_given_up(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "5").await;
    let id = w.approved(MONDAY, FRIDAY).await;
    let me = w.employee(w.asha);
    let view = w.shorten(&me, id, rest(MONDAY, MONDAY + 2.days())).await.unwrap();
    assert_eq!((view.request.days.as_str(), view.day_count.len()), ("3", 3));
    assert_eq!(view.request.status, RequestStatus::Approved);
    assert_eq!(w.balance(w.asha, None).await, ["5", "3", "0", "0", "2"]);
    let reversed = |kind: &PostingKind| *kind == PostingKind::Reversal;
    let postings = w.postings_of().await;
    assert_eq!(postings.iter().filter(|(kind, _)| reversed(kind)).count(), 2);
    let trail = w.hrms.leave().recounts(&me, id).await.unwrap();
    assert_eq!(trail.iter().map(|one| one.because.clone()).collect::<Vec<_>>(), [RecountCause::Shortened]);
    w.submit(w.asha, FRIDAY, FRIDAY).await.unwrap();

    // Half of the first day, too.
    let afternoon =
        ShortenLeave { start_part: DayPart::SecondHalf, ..rest(MONDAY + 1.day(), MONDAY + 2.days()) };
    let view = w.shorten(&me, id, afternoon).await.unwrap();
    assert_eq!(view.request.days, "1.5");
    assert_eq!(w.balance(w.asha, None).await, ["5", "1.5", "1", "0", "2.5"]);
    for wrong in [
        rest(MONDAY, MONDAY + 2.days()),
        rest(MONDAY + 1.day(), FRIDAY),
        ShortenLeave { start_part: DayPart::SecondHalf, ..rest(MONDAY + 1.day(), MONDAY + 2.days()) },
        rest(MONDAY + 1.day(), MONDAY + 2.days()),
    ] {
        assert_eq!(code(w.shorten(&me, id, wrong).await), "leave.not-within");
    }
    let other = w.shorten(&w.employee(w.colleague), id, rest(MONDAY + 2.days(), MONDAY + 2.days())).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Hidden);
    assert_eq!(w.balance(w.asha, None).await, ["5", "1.5", "1", "0", "2.5"]);
    // What remains is cancelled as usual.
    w.cancel(&me, id).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["5", "0", "1", "0", "4"]);
    let gone = w.shorten(&me, id, rest(MONDAY + 2.days(), MONDAY + 2.days())).await;
    assert_eq!(code(gone), "leave.not-cancellable");
}

/// Nothing but a weekend isn't leave.
async fn something_has_to_remain(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "5").await;
    let id = w.approved(FRIDAY, NEXT_MONDAY).await;
    let weekend = rest(FRIDAY + 1.day(), FRIDAY + 2.days());
    assert_eq!(code(w.shorten(&w.employee(w.asha), id, weekend).await), "leave.no-working-day");
    assert_eq!(w.balance(w.asha, None).await, ["5", "2", "0", "0", "3"]);
    assert_eq!(w.days(id).await, "2");
    // Hours of a day are given up as a whole.
    w.rules(RequestRules { hours: true, ..RequestRules::default() }).await;
    let hours = DayHours { minutes: Some(120), ..DayHours::default() };
    let ask = SubmitLeave { hours: Some(hours), ..w.ask(MONDAY, MONDAY) };
    let asked = w.hrms.leave().submit(&w.employee(w.asha), ask).await.unwrap();
    let id = w.approve(&w.manager(w.manager), asked.request.id).await.unwrap().request.id;
    let morning = ShortenLeave { start_part: DayPart::FirstHalf, ..rest(MONDAY, MONDAY) };
    assert_eq!(code(w.shorten(&w.employee(w.asha), id, morning).await), "leave.not-within");
}

/// Today is Monday 23 November 2026 where Asha works.
async fn leave_that_has_begun_is_given_up_as_the_rules_say(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "10").await;
    let (today, me) = (date(2026, 11, 23), w.employee(w.asha));
    let id = w.approved(today, today + 4.days()).await;
    assert_eq!(code(w.cancel(&me, id).await), "leave.not-cancellable");
    assert_eq!(
        code(w.shorten(&me, id, rest(today + 1.day(), today + 4.days())).await),
        "leave.not-cancellable"
    );
    // Nor do they by what they may decide about others.
    let own = actor(w.tenant, Some(w.asha), &[Role::Hr, Role::Employee]);
    assert_eq!(code(w.cancel(&own, id).await), "leave.not-cancellable");
    let in_a_week = w.approved(today + 7.days(), today + 7.days()).await;
    w.rules(RequestRules { cancel_notice_days: 7, ..RequestRules::default() }).await;
    w.cancel(&me, in_a_week).await.unwrap();
    w.rules(RequestRules::default()).await;
    w.shorten(&me, id, rest(today, today + 2.days())).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await[1], "3");
    // Whoever decides calls them back today.
    let morning = ShortenLeave { start_part: DayPart::FirstHalf, ..rest(today, today) };
    w.shorten(&w.manager(w.manager), id, morning).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await[1], "0.5");

    let week = RequestRules { cancel_notice_days: 7, ..RequestRules::default() };
    w.rules(week).await;
    let soon = w.approved(today + 3.days(), today + 3.days()).await;
    assert_eq!(code(w.cancel(&me, soon).await), "leave.not-cancellable");
    let late = w.approved(MONDAY, FRIDAY).await;
    w.cancel(&me, late).await.unwrap();
    w.rules(RequestRules { cancel_notice_days: -1, ..RequestRules::default() }).await;
    w.cancel(&me, soon).await.unwrap();
    w.cancel(&me, id).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["10", "0", "0", "0", "10"]);
}

/// P9: leave that paid for the weekend between is given it back when it isn't between any more.
async fn leave_beside_what_was_given_up_is_counted_anew(store: &support::Fresh) {
    let w = World::new(store).await;
    w.sandwich(SandwichRule::Weekends).await;
    w.grant(w.asha, "20").await;
    let first = w.approved(MONDAY, FRIDAY).await;
    let second = w.approved(NEXT_MONDAY, NEXT_MONDAY + 1.day()).await;
    assert_eq!((w.days(first).await, w.days(second).await), ("5".into(), "4".into()));
    w.shorten(&w.employee(w.asha), first, rest(MONDAY, MONDAY + 3.days())).await.unwrap();
    assert_eq!((w.days(first).await, w.days(second).await), ("4".into(), "2".into()));
    assert_eq!(w.balance(w.asha, None).await, ["20", "6", "0", "0", "14"]);
    // Editing does the same, to what waits.
    let third = w.submit(w.asha, NEXT_MONDAY + 2.days(), NEXT_MONDAY + 4.days()).await.unwrap();
    let fourth = w.submit(w.asha, NEXT_MONDAY + 7.days(), NEXT_MONDAY + 7.days()).await.unwrap();
    assert_eq!(fourth.request.days, "3");
    let thursday = NEXT_MONDAY + 3.days();
    w.edit(&w.employee(w.asha), &third, days(NEXT_MONDAY + 2.days(), thursday)).await.unwrap();
    assert_eq!(w.days(fourth.request.id).await, "1");
    assert_eq!(w.balance(w.asha, None).await, ["20", "6", "3", "0", "11"]);
}

hrms_tests::on_every_engine!(
    a_pending_request_is_edited,
    an_edited_request_is_not_approved_unseen,
    days_of_approved_leave_are_given_up,
    something_has_to_remain,
    leave_that_has_begun_is_given_up_as_the_rules_say,
    leave_beside_what_was_given_up_is_counted_anew,
);
