//! Files of requests over HTTP: what can be attached, who sees it, and leave that isn't approved without one.

use http::Method;
use serde_json::json;

use crate::all::notifications::world::{World, text};
use crate::all::people::http::problem;
use hrms_tests::Fresh;

const PDF: &[u8] = b"%PDF-1.7 a doctor's certificate";
const PNG: &[u8] = &[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3];

async fn files_belong_to_requests(store: &Fresh) {
    let w = World::new(store).await;
    let request = w.ask(&w.asha, "2026-12-01").await;
    let files = format!("{request}/attachments");
    let (asha, meera, ravi) = (&w.asha.client, &w.meera.client, &w.ravi.client);
    let made = asha.upload_form(&files, "attest 🏥.pdf", PDF).await.expect(201).json();
    assert_eq!((&made["name"], &made["media_type"]), (&json!("attest 🏥.pdf"), &json!("pdf")));
    assert_eq!(made["bytes"], json!(PDF.len()));
    // What it is is told by its content, whatever it is called.
    let picture = asha.upload_form(&files, "scan.pdf", PNG).await.expect(201).json();
    assert_eq!(picture["media_type"], "png");
    for wrong in [&b"<script>alert(1)</script>"[..], b"MZ", b"GIF89a"] {
        problem(asha.upload_form(&files, "x.pdf", wrong).await, 422, "leave.attachment-type", &[]);
    }
    problem(asha.upload_form(&files, "x.pdf", b"").await, 422, "common.invalid", &["/file"]);
    problem(asha.upload_form(&files, &"x".repeat(201), PDF).await, 422, "common.invalid", &["/name"]);

    // The manager decides and reads; peers don't know of it, and nobody but the employee and human resources adds to it.
    let listed = meera.get(&files).await.expect(200).json();
    assert_eq!(listed["items"], json!([made, picture]));
    let one = format!("{files}/{}", text(&made["id"]));
    let file = meera.get(&one).await.expect(200);
    assert_eq!(&file.body[..], PDF);
    assert_eq!(file.header("content-type"), Some("application/pdf"));
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"attest__.pdf\""));
    assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    problem(meera.upload_form(&files, "x.pdf", PDF).await, 403, "common.forbidden", &[]);
    problem(meera.delete(&one).await, 403, "common.forbidden", &[]);
    for reply in [ravi.get(&files).await, ravi.get(&one).await, ravi.delete(&one).await] {
        problem(reply, 404, "common.not-found", &[]);
    }
    problem(ravi.upload_form(&files, "x.pdf", PDF).await, 404, "common.not-found", &[]);
    // A file of another request isn't one of this.
    let other = w.ask(&w.ravi, "2026-12-01").await;
    let elsewhere = format!("{other}/attachments/{}", text(&made["id"]));
    problem(ravi.get(&elsewhere).await, 404, "common.not-found", &[]);
    problem(ravi.delete(&elsewhere).await, 404, "common.not-found", &[]);

    asha.delete(&one).await.expect(204);
    problem(asha.get(&one).await, 404, "common.not-found", &[]);
    for _ in 0..9 {
        asha.upload_form(&files, "more.png", PNG).await.expect(201);
    }
    problem(asha.upload_form(&files, "more.png", PNG).await, 409, "leave.too-many-attachments", &[]);
    meera.post(&format!("{request}/approve"), &json!({})).await.expect(200);
    let rest = format!("{files}/{}", text(&picture["id"]));
    problem(asha.delete(&rest).await, 409, "leave.not-pending", &[]);
    asha.get(&rest).await.expect(200);
}

/// Up to two days need no file.
async fn long_leave_needs_a_file(store: &Fresh) {
    let w = World::new(store).await;
    let rules = json!({ "effective_from": "2020-01-01", "rules": { "attachment_over_days": "2" } });
    w.owner.post(&format!("/api/v1/leave-types/{}/rules", w.leave_type), &rules).await.expect(200);
    let ask =
        |last: &str| json!({ "leave_type_id": w.leave_type, "starts_on": "2026-12-01", "ends_on": last });
    let (asha, meera) = (&w.asha.client, &w.meera.client);
    let made = asha.post("/api/v1/leave-requests", &ask("2026-12-03")).await.expect(201);
    let request = made.header("location").unwrap().to_owned();
    let approve = format!("{request}/approve");
    problem(meera.post(&approve, &json!({})).await, 409, "leave.attachment-missing", &[]);
    assert_eq!(meera.get(&request).await.expect(200).json()["status"], "pending");
    // Two days need none, and three with a file can be approved.
    let merge = ("content-type", "application/merge-patch+json");
    let edit = async |last: &str| {
        let etag = asha.get(&request).await.expect(200).header("etag").unwrap().to_owned();
        let to = json!({ "ends_on": last });
        asha.call(Method::PATCH, &request, &[("if-match", &etag), merge], Some(&to)).await.expect(200)
    };
    let file = asha.upload_form(&format!("{request}/attachments"), "a.pdf", PDF).await.expect(201).json();
    asha.delete(&format!("{request}/attachments/{}", text(&file["id"]))).await.expect(204);
    problem(meera.post(&approve, &json!({})).await, 409, "leave.attachment-missing", &[]);
    edit("2026-12-02").await;
    edit("2026-12-03").await;
    asha.upload_form(&format!("{request}/attachments"), "a.pdf", PDF).await.expect(201);
    meera.post(&approve, &json!({})).await.expect(200);
    let short = json!({ "leave_type_id": w.leave_type, "starts_on": "2026-12-01", "ends_on": "2026-12-02" });
    let short = w.ravi.client.post("/api/v1/leave-requests", &short).await.expect(201);
    let short = short.header("location").unwrap().to_owned();
    meera.post(&format!("{short}/approve"), &json!({})).await.expect(200);
    // What was taken back needs no file.
    let gone = w.ask(&w.ravi, "2026-12-07").await;
    w.ravi.client.post(&format!("{gone}/cancel"), &json!({})).await.expect(200);
    let late = w.ravi.client.upload_form(&format!("{gone}/attachments"), "a.pdf", PDF).await;
    problem(late, 409, "leave.not-pending", &[]);
    let wrong = json!({ "effective_from": "2020-01-01", "rules": { "attachment_over_days": "-1" } });
    let refused = w.owner.post(&format!("/api/v1/leave-types/{}/rules", w.leave_type), &wrong).await;
    problem(refused, 422, "common.invalid", &["/rules/attachment_over_days"]);
}

hrms_tests::on_every_engine!(files_belong_to_requests, long_leave_needs_a_file);
