//! Requests that are edited while somebody has agreed already.

use super::*;

/// Who agreed, agreed to something else.
async fn editing_begins_anew(store: &Fresh) {
    let o = Office::new(store).await;
    o.two_levels().await;
    let (asha, meera, uma) = (&o.w.asha, &o.w.meera, &o.uma);
    let path = o.ask(asha, 1, 3).await;
    assert_eq!(approve(&meera.client, &path).await, "pending");
    let seen = asha.client.get(&path).await.expect(200);
    let merge = ("content-type", "application/merge-patch+json");
    let if_match = [("if-match", seen.header("etag").unwrap()), merge];
    let days = json!({ "starts_on": "2026-12-01", "ends_on": "2026-12-04" });
    let edit = || asha.client.call(Method::PATCH, &path, &if_match, Some(&days));
    let edited = edit().await.expect(200).json();
    assert_eq!((&edited["days"], &edited["status"]), (&json!("4"), &json!("pending")));
    problem(edit().await, 412, "common.stale", &[]);
    assert_eq!(waiting(&uma.client).await, []);
    assert_eq!(waiting(&meera.client).await, [(path.clone(), "employee".to_owned())]);
    assert_eq!(
        trail(&asha.client, &path).await,
        ["started", "asked", "approved", "asked", "changed", "asked"]
    );
    // What was seen isn't what is asked for any more.
    let old = json!({ "version": seen.json()["version"] });
    problem(meera.client.post(&format!("{path}/approve"), &old).await, 412, "common.stale", &[]);
    assert_eq!(approve(&meera.client, &path).await, "pending");
    assert_eq!(approve(&uma.client, &path).await, "approved");
    // Two days don't need the head: the conditions are looked at anew.
    let short = o.ask(asha, 8, 10).await;
    let one = json!({ "starts_on": "2026-12-08", "ends_on": "2026-12-08" });
    let etag = asha.client.get(&short).await.expect(200).header("etag").unwrap().to_owned();
    asha.client.call(Method::PATCH, &short, &[("if-match", &etag), merge], Some(&one)).await.expect(200);
    assert_eq!(approve(&meera.client, &short).await, "approved");
}

hrms_tests::on_every_engine!(editing_begins_anew);
