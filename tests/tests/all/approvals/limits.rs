//! Reminders and escalation after so many working hours of whoever is asked.

use hrms_core::job::{JobRegistry, run_until_idle};

use super::*;

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

impl Office {
    /// Reminds after four working hours and gives up after eight.
    async fn limited(&self) {
        let level = json!({ "approvers": [{ "type": "manager" }], "remind_after_hours": 4, "escalate_after_hours": 8 });
        self.chain("limited", json!({ "levels": [level] })).await;
    }

    async fn waiting(&self, person: &Person) -> Vec<(String, String)> {
        waiting(&self.w.again(person).await).await
    }

    async fn trail(&self, path: &str) -> Vec<String> {
        trail(&self.w.again(&self.w.asha).await, path).await
    }
}

fn reminders(titles: &[String]) -> usize {
    titles.iter().filter(|title| title.starts_with("Reminder:")).count()
}

/// It is Monday, 09:30, where all of them work from 09:00 to 17:00.
async fn what_waits_too_long_goes_up(store: &Fresh) {
    let o = Office::new(store).await;
    o.limited().await;
    let w = &o.w;
    o.delegate(&w.meera, &w.ravi, "2026-11-23", "2026-11-30").await;
    let path = o.ask(&w.asha, 1, 1).await;
    w.after(minutes(239)).await;
    assert_eq!(reminders(&titles(&w.again(&w.meera).await).await), 0);
    w.after(minutes(1)).await;
    assert_eq!(reminders(&titles(&w.again(&w.meera).await).await), 1);
    assert_eq!(reminders(&titles(&w.again(&w.ravi).await).await), 1, "the delegate, too");
    assert_eq!(o.trail(&path).await, ["started", "asked", "reminded"]);
    // Until 17:00 it is seven and a half hours; the eighth ends on Tuesday at 09:30.
    w.after(minutes(20 * 60 - 1)).await;
    assert_eq!(o.waiting(&w.meera).await.len(), 1);
    w.after(minutes(1)).await;
    assert_eq!(o.waiting(&w.meera).await, []);
    assert_eq!(o.waiting(&o.uma).await, [(path.clone(), "employee".to_owned())]);
    assert_eq!(o.trail(&path).await, ["started", "asked", "reminded", "escalated"]);
    let meera = w.again(&w.meera).await;
    problem(meera.post(&format!("{path}/approve"), &json!({})).await, 403, "approval.not-yours", &[]);
    meera.get(&path).await.expect(200);
    // It isn't moved back to the manager when people are followed, and goes up to the organisation at last.
    o.hari.client.get("/api/v1/approval-tasks").await;
    let owner = w.owner_again().await;
    let change = json!({ "from": "2021-01-01", "job_title": null });
    drop(owner.post(&format!("/api/v1/employees/{}/changes", w.asha.employee), &change).await);
    run_until_idle(&w.hrms, &JobRegistry::standard()).await.unwrap();
    assert_eq!(o.waiting(&o.uma).await.len(), 1);
    w.after(minutes(24 * 60)).await;
    assert_eq!(o.waiting(&o.uma).await, []);
    assert_eq!(o.waiting(&o.hari).await, [(path.clone(), "organization".to_owned())]);
    // There it stays, and is reminded of.
    w.after(minutes(7 * 24 * 60)).await;
    let acts = o.trail(&path).await;
    assert_eq!(acts.iter().filter(|act| *act == "escalated").count(), 2, "{acts:?}");
    assert_eq!(acts.last().map(String::as_str), Some("reminded"));
    assert_eq!(approve(&w.again(&o.hari).await, &path).await, "approved");
    let done = o.trail(&path).await;
    w.after(minutes(7 * 24 * 60)).await;
    assert_eq!(o.trail(&path).await, done, "nobody is reminded of what was decided");
}

/// Holidays of the approver's workplace aren't working time, and nodes that stood still remind once.
async fn hours_are_those_of_the_approver(store: &Fresh) {
    let o = Office::new(store).await;
    o.limited().await;
    let w = &o.w;
    let calendar = json!({ "code": "PNQ", "name": "Pune" });
    let calendar = w.owner.post("/api/v1/holiday-calendars", &calendar).await.expect(201);
    let calendar = calendar.header("location").unwrap().to_owned();
    let tuesday = json!({ "on_date": "2026-11-24", "name": "Feast" });
    w.owner.post(&format!("{calendar}/holidays"), &tuesday).await.expect(201);
    let place = text(&w.owner.get("/api/v1/locations").await.expect(200).json()["items"][0]["id"]);
    let id = calendar.rsplit('/').next().unwrap();
    let assign = json!({ "holiday_calendar_id": id, "from": "2020-01-01" });
    w.owner.post(&format!("/api/v1/locations/{place}/holiday-calendars"), &assign).await.expect(200);
    let path = o.ask(&w.asha, 1, 1).await;
    // The jobs didn't run on Monday: one reminder, on Tuesday.
    w.after(minutes(24 * 60 + 60)).await;
    assert_eq!(o.trail(&path).await, ["started", "asked", "reminded"]);
    w.after(minutes(23 * 60)).await;
    assert_eq!(o.trail(&path).await, ["started", "asked", "reminded", "escalated"], "on Wednesday at 09:30");
    assert_eq!(o.waiting(&o.uma).await.len(), 1);
}

/// It goes to the next above who can decide and isn't the employee.
async fn it_goes_up_past_the_employee(store: &Fresh) {
    let o = Office::new(store).await;
    let w = &o.w;
    let ravi = json!([{ "type": "user", "user_id": w.ravi.user }]);
    o.chain("ravi", json!({ "levels": [{ "approvers": ravi, "escalate_after_hours": 8 }] })).await;
    // Above Ravi there are Asha, whose leave it is, Meera, who is suspended, and Uma.
    o.change(&w.ravi, json!({ "manager_id": w.asha.employee })).await;
    o.change(&w.meera, json!({ "status": "suspended" })).await;
    let path = o.ask(&w.asha, 1, 1).await;
    w.after(minutes(24 * 60)).await;
    assert_eq!(o.trail(&path).await, ["started", "asked", "escalated"]);
    assert_eq!(o.waiting(&o.uma).await, [(path, "employee".to_owned())]);
}

/// Whoever is asked twice is reminded once at a time, and ten times at most.
async fn reminders_come_to_an_end(store: &Fresh) {
    let o = Office::new(store).await;
    let w = &o.w;
    let twice = json!([{ "type": "manager" }, { "type": "user", "user_id": w.meera.user }]);
    let level = json!({ "approvers": twice, "needed": "all", "remind_after_hours": 4 });
    o.chain("twice", json!({ "levels": [level] })).await;
    let path = o.ask(&w.asha, 30, 30).await;
    w.after(minutes(4 * 60)).await;
    assert_eq!(o.trail(&path).await, ["started", "asked", "asked", "reminded"]);
    // Two each day, from Monday to Friday: after two weeks no more.
    for _ in 0..28 {
        w.after(minutes(12 * 60)).await;
    }
    let acts = o.trail(&path).await;
    assert_eq!(acts.iter().filter(|act| *act == "reminded").count(), 10, "{acts:?}");
}

async fn time_limits_make_sense(store: &Fresh) {
    let o = Office::new(store).await;
    for (limits, code) in [
        (json!({ "remind_after_hours": 0 }), "out-of-range"),
        (json!({ "escalate_after_hours": 2001 }), "out-of-range"),
        (json!({ "remind_after_hours": 8, "escalate_after_hours": 8 }), "contradicts"),
    ] {
        let mut level = json!({ "approvers": [{ "type": "manager" }] });
        level.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        let new = json!({ "kind": "leave_request", "code": "x", "name": "x", "levels": [level] });
        let refused = o.hari.client.post("/api/v1/approval-chains", &new).await.expect(422).json();
        assert_eq!(refused["errors"][0]["code"], code, "{refused}");
    }
}

hrms_tests::on_every_engine!(
    what_waits_too_long_goes_up,
    hours_are_those_of_the_approver,
    it_goes_up_past_the_employee,
    reminders_come_to_an_end,
    time_limits_make_sense,
);
