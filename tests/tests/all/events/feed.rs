//! The change feed over HTTP: whole, in order, and nothing that isn't for whoever asks.

use std::collections::BTreeSet;

use hrms_core::event::{EVENT_TYPES, EventDirectory};
use hrms_core::jiff::SignedDuration;
use hrms_core::jiff::civil::date;
use hrms_tests::{Client, Fresh};
use serde_json::{Value, json};

use crate::all::leave::World;
use crate::all::live::{Api, emit, frame};

async fn page(client: &Client, query: &str) -> Value {
    client.get(&format!("/api/v1/events/log{query}")).await.expect(200).json()
}

fn types(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// All events from a place on, page by page.
async fn follow(client: &Client, mut since: Option<String>, limit: usize) -> (Vec<Value>, String) {
    let mut all = Vec::new();
    loop {
        let from = since.map(|since| format!("&since={since}")).unwrap_or_default();
        let page = page(client, &format!("?limit={limit}{from}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() == limit || page["more"] == false, "pages are full while there is more: {page}");
        all.extend(items.iter().cloned());
        let next = page["next_cursor"].as_str().unwrap().to_owned();
        if page["more"] == false {
            return (all, next);
        }
        since = Some(next);
    }
}

async fn pages_are_whole_and_in_order(store: &Fresh) {
    let w = World::new(store).await;
    let api = Api::start(&w.hrms).await;
    let (hr, _) = api.acting(w.hr());
    for n in 0..450 {
        emit(&w.hrms, w.tenant, (n % 5 == 0).then_some(w.asha), n).await;
    }
    let (all, end) = follow(&hr, None, 7).await;
    assert_eq!(all[0]["type"], "leave_type.created");
    let numbers: Vec<i64> = all.iter().filter_map(|event| event["data"]["n"].as_i64()).collect();
    assert_eq!(numbers, (0..450).collect::<Vec<_>>());
    let event = &all[1];
    assert_eq!(
        (&event["specversion"], &event["datacontenttype"]),
        (&json!("1.0"), &json!("application/json"))
    );
    assert_eq!(event["source"], format!("/organizations/{}", w.tenant));
    assert_eq!(event.get("sequence"), None, "gaps would tell how much one doesn't see");

    // Who may see only a part gets that part, all of it, in full pages.
    let (asha, _) = api.acting(w.employee(w.asha));
    let (own, own_end) = follow(&asha, None, 7).await;
    let numbers: Vec<i64> = own.iter().filter_map(|event| event["data"]["n"].as_i64()).collect();
    assert_eq!(numbers, (0..450).filter(|n| n % 5 == 0).collect::<Vec<_>>());

    // At the end there is nothing, and the place stays; then it goes on from there.
    for (client, end) in [(&hr, &end), (&asha, &own_end)] {
        let nothing = page(client, &format!("?since={end}")).await;
        assert_eq!(
            (types(&nothing).len(), &nothing["more"], &nothing["next_cursor"]),
            (0, &json!(false), &json!(end))
        );
    }
    emit(&w.hrms, w.tenant, None, 450).await;
    let next = page(&hr, &format!("?since={end}")).await;
    assert_eq!(next["items"][0]["data"]["n"], 450);
    // What isn't for them moves them on all the same.
    let hidden = page(&asha, &format!("?since={own_end}")).await;
    assert_eq!((types(&hidden).len(), &hidden["more"]), (0, &json!(false)));
    assert_ne!(hidden["next_cursor"], json!(own_end));
}

async fn the_feed_says_what_the_socket_says(store: &Fresh) {
    let w = World::new(store).await;
    let api = Api::start(&w.hrms).await;
    let (start, _) = {
        let (hr, _) = api.acting(w.hr());
        follow(&hr, None, 50).await
    };
    let since = start.last().unwrap()["id"].as_str().unwrap().to_owned();
    w.grant(w.asha, "10").await;
    w.grant(w.colleague, "10").await;
    w.submit(w.asha, date(2026, 12, 7), date(2026, 12, 8)).await.unwrap();
    w.submit(w.colleague, date(2026, 12, 7), date(2026, 12, 7)).await.unwrap();
    let stranger = World::new(store).await;
    // Whose event each of them hears of, to see that nothing comes before it.
    let listeners = [
        (w.hr(), None, 4),
        (w.manager(w.manager), Some(w.manager), 4),
        (w.employee(w.asha), Some(w.asha), 2),
        (w.employee(w.colleague), Some(w.colleague), 2),
        (w.employee(w.manager), Some(w.manager), 0),
    ];
    for (actor, _, count) in &listeners {
        let (client, _) = api.acting(actor.clone());
        let (read, _) = follow(&client, Some(since.clone()), 2).await;
        assert_eq!(read.len(), *count);
        let mut socket = api.listen(actor.clone(), &format!("?since={since}")).await;
        for event in &read {
            assert_eq!(frame(&mut socket).await, *event);
        }
    }
    for (actor, owner, _) in listeners {
        let latest = {
            let (client, _) = api.acting(w.hr());
            follow(&client, None, 50).await.0.last().unwrap()["id"].as_str().unwrap().to_owned()
        };
        let mut socket = api.listen(actor, &format!("?since={latest}")).await;
        emit(&w.hrms, w.tenant, owner, 7).await;
        assert_eq!(frame(&mut socket).await["data"]["n"], 7);
    }
    let (client, _) = api.acting(stranger.hr());
    assert_eq!(client.get(&format!("/api/v1/events/log?since={since}")).await.status, 410);
}

async fn places_and_filters_are_checked(store: &Fresh) {
    let w = World::new(store).await;
    let other = World::new(store).await;
    let api = Api::start(&w.hrms).await;
    let (hr, _) = api.acting(w.hr());
    let (stranger, _) = api.acting(other.hr());
    for n in 0..3 {
        emit(&w.hrms, w.tenant, None, n).await;
    }
    assert_eq!(types(&page(&hr, "?types=test.happened").await), ["test.happened"; 3]);
    assert_eq!(types(&page(&hr, "?types=leave_type.created,%20nothing").await), ["leave_type.created"]);
    assert_eq!(page(&hr, "?subject=tests/1").await["items"][0]["data"]["n"], 1);
    assert_eq!(types(&page(&hr, "?types=test.happened&subject=tests/9").await).len(), 0);
    let latest = page(&hr, "?since=latest").await;
    assert_eq!((types(&latest).len(), &latest["more"]), (0, &json!(false)));

    let first = page(&hr, "?limit=1").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let id = first["items"][0]["id"].as_str().unwrap();
    assert_eq!(types(&page(&hr, &format!("?since={id}")).await), ["test.happened"; 3]);
    // A place is good whatever is asked for from there.
    assert_eq!(types(&page(&hr, &format!("?since={cursor}&types=test.happened&limit=2")).await).len(), 2);
    let never = hrms_core::contract::id();
    for (client, query, status, code) in [
        (&hr, format!("?since={never}"), 410, "event.unknown-position"),
        (&stranger, format!("?since={id}"), 410, "event.unknown-position"),
        (&stranger, format!("?since={cursor}"), 422, "cursor.invalid"),
        (&hr, "?since=garbage".into(), 422, "cursor.invalid"),
        (&hr, format!("?since={cursor}A"), 422, "cursor.invalid"),
        (&hr, "?since=".into(), 422, "cursor.invalid"),
        (&hr, "?limit=0".into(), 422, "common.invalid"),
        (&hr, "?limit=201".into(), 422, "common.invalid"),
        (&hr, "?limit=x".into(), 422, "common.invalid"),
    ] {
        let reply = client.get(&format!("/api/v1/events/log{query}")).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (status, &json!(code)), "{query}");
    }
}

async fn what_was_forgotten_is_gone(store: &Fresh) {
    let w = World::new(store).await;
    let api = Api::start(&w.hrms).await;
    let (hr, _) = api.acting(w.hr());
    for n in 0..4 {
        emit(&w.hrms, w.tenant, None, n).await;
    }
    let first = page(&hr, "?limit=1").await;
    let second = page(&hr, "?limit=2").await;
    let id = first["items"][0]["id"].as_str().unwrap();
    let soon = w.hrms.clock().now() + SignedDuration::from_secs(1);
    assert_eq!(store.forget_events(w.tenant, &[], soon, 2).await.unwrap(), 2);
    for since in [id, first["next_cursor"].as_str().unwrap()] {
        let reply = hr.get(&format!("/api/v1/events/log?since={since}")).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (410, &json!("event.unknown-position")));
    }
    // Right behind what was forgotten nothing is missing.
    let next = page(&hr, &format!("?since={}", second["next_cursor"].as_str().unwrap())).await;
    assert_eq!(next["items"][0]["data"]["n"], 1);
    let rest = page(&hr, "").await;
    assert_eq!(rest["items"][0]["data"]["n"], 1, "without a place it begins with what there is");
    assert_eq!(store.forget_events(w.tenant, &[], soon, 100).await.unwrap(), 3);
    let nothing = page(&hr, "").await;
    assert_eq!((types(&nothing).len(), &nothing["more"]), (0, &json!(false)));
    emit(&w.hrms, w.tenant, None, 9).await;
    let next = page(&hr, &format!("?since={}", nothing["next_cursor"].as_str().unwrap())).await;
    assert_eq!(next["items"][0]["data"]["n"], 9);
}

async fn types_are_published(store: &Fresh) {
    let w = World::new(store).await;
    let api = Api::start(&w.hrms).await;
    let (client, _) = api.acting(w.employee(w.asha));
    let listed = client.get("/api/v1/events/types").await.expect(200).json();
    let names: BTreeSet<&str> =
        listed["items"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert!(names.contains("test.happened"), "one's own are listed too");
    let document = client.get("/api/openapi.json").await.expect(200).json();
    let webhooks = document["webhooks"].as_object().unwrap();
    for known in EVENT_TYPES {
        assert!(names.contains(known.name), "{}", known.name);
        if known.is_addressed() {
            assert!(!webhooks.contains_key(known.name), "it is for one person, who hears of it");
            continue;
        }
        let schema =
            &webhooks[known.name]["post"]["requestBody"]["content"]["application/cloudevents+json"]["schema"];
        assert_eq!(schema["allOf"][0]["$ref"], "#/components/schemas/EventFrame");
        let about = &schema["allOf"][1]["properties"];
        assert_eq!(about["type"]["enum"], json!([known.name]));
        for field in known.data {
            let described = &about["data"]["properties"][field.name];
            assert!(
                described["type"].is_string() || described["type"].is_array(),
                "{}: {}",
                known.name,
                field.name
            );
        }
    }
    let approved = &webhooks["leave_request.approved"]["post"]["requestBody"]["content"];
    let data = &approved["application/cloudevents+json"]["schema"]["allOf"][1]["properties"]["data"];
    assert_eq!(data["properties"]["employee_id"]["format"], "uuid");
    assert_eq!(data["properties"]["changed"]["items"]["type"], "string");
    let required: Vec<&str> =
        data["required"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(required, ["leave_request_id", "employee_id", "leave_type_id", "status"]);
}

hrms_tests::on_every_engine!(
    pages_are_whole_and_in_order,
    the_feed_says_what_the_socket_says,
    places_and_filters_are_checked,
    what_was_forgotten_is_gone,
    types_are_published,
);
