//! What organisations of sweeps have besides.

use super::*;

/// Two claims for work on days off; and two days of unpaid leave, for payroll.
pub(super) async fn leave_claims(client: &Client, ids: &mut BTreeMap<&'static str, String>) {
    let (kept, policy) = (ids["leave-types"].clone(), ids["leave-policies"].clone());
    let (employee, request) = (ids["employees"].clone(), ids["leave-requests"].clone());
    let comp = create(ids, client, "leave-types", &json!({ "code": "CO", "name": "CO" })).await;
    let new = json!({
        "leave_type_id": comp, "code": "CO", "name": "CO", "applies_to": "everyone", "effective_from": "2020-01-01",
        "rules": { "compensatory": {} },
    });
    create(ids, client, "leave-policies", &new).await;
    for day in ["2026-09-19", "2026-09-20"] {
        let new = json!({
            "kind": "compensatory", "employee_id": employee, "leave_type_id": comp, "worked_on": day, "days": "1",
        });
        create(ids, client, "leave-claims", &new).await;
    }
    let unpaid = json!({ "code": "LOP", "name": "LOP", "paid": false, "allow_negative_minutes": 9600 });
    let unpaid = create(ids, client, "leave-types", &unpaid).await;
    let ask = json!({
        "employee_id": employee, "leave_type_id": unpaid, "starts_on": "2026-11-18", "ends_on": "2026-11-19",
    });
    let asked = create(ids, client, "leave-requests", &ask).await;
    client.post(&format!("/api/v1/leave-requests/{asked}/approve"), &json!({})).await.expect(200);
    ids.extend([("leave-types", kept), ("leave-policies", policy), ("leave-requests", request)]);
    ids.insert("compensatory-types", comp);
}

/// Two service accounts, and clients with keys of them.
pub(super) async fn programs(
    ids: &mut BTreeMap<&'static str, String>,
    by: &Client,
    nobody: &Client,
) -> (Client, Client) {
    let mut clients = Vec::new();
    for permissions in [json!(["location.read"]), json!([])] {
        let new = json!({ "name": "Payroll bridge", "permissions": ["location.read", "employee.read"] });
        let account = create(ids, by, "service-accounts", &new).await;
        let new = json!({ "service_account_id": account, "name": "Key", "permissions": permissions });
        let made = by.post("/api/v1/api-keys", &new).await.expect(201).json();
        clients.push(nobody.with_token(made["secret"].as_str().unwrap()));
        // Another one, to be revoked.
        create(ids, by, "api-keys", &new).await;
    }
    let [reader, powerless] = clients.try_into().unwrap_or_else(|_| panic!("two clients"));
    (powerless, reader)
}
