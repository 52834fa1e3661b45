//! Roles of an organisation's own, over HTTP; and that no sequence of changes raises anybody by itself.

mod graph;

use hrms_tests::Fresh;
use serde_json::{Value, json};

use crate::all::api::{Api, change, code};

fn role(code: &str, grants: &[(&str, &str)]) -> Value {
    let grants: Vec<_> =
        grants.iter().map(|(what, scope)| json!({ "permission": what, "scope": scope })).collect();
    json!({ "code": code, "name": format!("Role {code}"), "grants": grants })
}

async fn a_role_lives_and_takes_effect(store: &Fresh) {
    let api = Api::new(store).await;
    let new = role(
        "team-lead",
        &[("leave.decide", "reports"), ("leave.read", "reports"), ("leave.read", "reports")],
    );
    let made = api.owner.post("/api/v1/roles", &new).await.expect(201);
    let path = made.header("location").unwrap().to_owned();
    let made = made.json();
    assert_eq!(made["grants"].as_array().unwrap().len(), 2, "each once");
    assert_eq!((&made["built_in"], &made["code"]), (&json!(false), &json!("team-lead")));
    assert_eq!(api.owner.get(&path).await.expect(200).json(), made);
    assert_eq!(code(&api.owner.post("/api/v1/roles", &new).await.expect(409)), "role.code-taken");

    let (jane, as_jane) = api.person("jane", &["employee", "team-lead"]).await;
    let me = as_jane.get("/api/v1/auth/me").await.expect(200).json();
    assert_eq!(me["roles"], json!(["employee", "team-lead"]));
    let held = |me: &Value, permission: &str, scope: &str| {
        me["permissions"].as_array().unwrap().contains(&json!({ "permission": permission, "scope": scope }))
    };
    assert!(held(&me, "leave.decide", "reports") && !held(&me, "employee.read", "organization"));
    as_jane.get("/api/v1/users").await.expect(403);

    // What the role grants from now on is what she may do from now on; of the old, nothing stays.
    let grants = json!({ "grants": [{ "permission": "user.read", "scope": "organization" }] });
    change(&api.owner, &api.owner, &path, Some(&grants)).await.expect(200);
    api.wait();
    as_jane.get("/api/v1/users").await.expect(200);
    let me = as_jane.get("/api/v1/auth/me").await.expect(200).json();
    assert!(held(&me, "user.read", "organization") && !held(&me, "leave.decide", "reports"));

    assert_eq!(code(&change(&api.owner, &api.owner, &path, None).await.expect(409)), "role.in-use");
    let roles = json!({ "roles": ["employee"] });
    let user = format!("/api/v1/users/{}", jane["id"].as_str().unwrap());
    change(&api.owner, &api.owner, &user, Some(&roles)).await.expect(200);
    change(&api.owner, &api.owner, &path, None).await.expect(204);
    api.owner.get(&path).await.expect(404);
    let again = change(&api.owner, &api.owner, &user, Some(&json!({ "roles": ["team-lead"] }))).await;
    assert_eq!(again.expect(422).json()["errors"][0]["pointer"], "/roles/0");
    api.wait();
    as_jane.get("/api/v1/users").await.expect(403);
}

async fn built_in_roles_are_among_them_and_stay(store: &Fresh) {
    let api = Api::new(store).await;
    for name in ["aa", "zz"] {
        api.owner.post("/api/v1/roles", &role(name, &[("leave.read", "own")])).await.expect(201);
    }
    for (sort, first) in [("code", "aa"), ("-code", "zz")] {
        let (mut codes, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                api.owner.get(&format!("/api/v1/roles?limit=2&sort={sort}{cursor}")).await.expect(200).json();
            codes.extend(
                page["items"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let mut expected = ["aa", "admin", "auditor", "employee", "hr", "manager", "owner", "payroll", "zz"]
            .map(str::to_owned);
        if sort == "-code" {
            expected.reverse();
        }
        assert_eq!(codes, expected);
        assert_eq!(codes[0], first);
    }
    let count = async |query: &str| {
        let page = api.owner.get(&format!("/api/v1/roles?{query}")).await.expect(200).json();
        page["items"].as_array().unwrap().len()
    };
    assert_eq!((count("built_in=true").await, count("built_in=false").await), (7, 2));
    assert_eq!((count("code=hr").await, count("code=nobody").await), (1, 0));
    let hr = api.owner.get("/api/v1/roles?code=hr").await.expect(200).json()["items"][0].clone();
    assert_eq!(hr["built_in"], true);
    let path = format!("/api/v1/roles/{}", hr["id"].as_str().unwrap());
    assert_eq!(api.owner.get(&path).await.expect(200).json(), hr);
    let renamed = change(&api.owner, &api.owner, &path, Some(&json!({ "name": "HR" }))).await;
    assert_eq!(code(&renamed.expect(409)), "role.built-in");
    assert_eq!(code(&change(&api.owner, &api.owner, &path, None).await.expect(409)), "role.built-in");
    let all = api.owner.get("/api/v1/permissions").await.expect(200).json();
    let decide = all["items"].as_array().unwrap().iter().find(|one| one["permission"] == "leave.decide");
    assert!(!decide.unwrap()["scopes"].as_array().unwrap().contains(&json!("own")));
}

async fn faulty_roles_are_refused(store: &Fresh) {
    let api = Api::new(store).await;
    let good = || role("good", &[("leave.read", "own")]);
    let with = |field: &str, value: Value| {
        let mut role = good();
        role[field] = value;
        role
    };
    let grant = |what: &str, scope: &str| json!([{ "permission": what, "scope": scope }]);
    for (body, pointer) in [
        (with("code", json!("0wner")), "/code"),
        (with("code", json!("Owner")), "/code"),
        (with("code", json!("x%")), "/code"),
        (with("code", json!("x".repeat(65))), "/code"),
        (with("code", json!("👑👑")), "/code"),
        (with("name", json!("ＯＷＮＥＲ")), "/name"),
        (with("name", json!("")), "/name"),
        (with("name", json!("x".repeat(201))), "/name"),
        (with("description", json!("x".repeat(1001))), "/description"),
        (with("grants", json!([])), "/grants"),
        (with("grants", grant("user.manage", "own")), "/grants/0/scope"),
        (with("grants", grant("leave.decide", "own")), "/grants/0/scope"),
        (with("grants", grant("fly", "own")), "/grants/0/permission"),
        (with("grants", grant("leave.read", "galaxy")), "/grants/0/scope"),
    ] {
        let refused = api.owner.post("/api/v1/roles", &body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}: {refused}");
    }
    let page = api.owner.get("/api/v1/roles?built_in=false").await.expect(200).json();
    assert_eq!(page["items"], json!([]));
}

/// Nobody makes, changes, removes or gives what they don't hold; not even to themselves.
async fn nobody_raises_anybody_by_roles(store: &Fresh) {
    let api = Api::new(store).await;
    let powers = [
        ("role.read", "organization"),
        ("role.manage", "organization"),
        ("user.read", "organization"),
        ("user.manage", "organization"),
        ("leave.read", "reports_tree"),
    ];
    api.owner.post("/api/v1/roles", &role("clerk", &powers)).await.expect(201);
    let strong = role("strong", &[("employee.read-compensation", "organization")]);
    let strong =
        api.owner.post("/api/v1/roles", &strong).await.expect(201).header("location").unwrap().to_owned();
    let (me, clerk) = api.person("clerk", &["clerk"]).await;
    for (wanted, fine) in [
        (("leave.read", "reports"), true),
        (("leave.read", "reports_tree"), true),
        (("employee.read", "own"), true),
        (("leave.read", "organization"), false),
        (("leave.decide", "reports"), false),
        (("policy.manage", "organization"), false),
    ] {
        let made = clerk.post("/api/v1/roles", &role("mine", &[wanted])).await;
        if !fine {
            assert_eq!(code(&made.expect(403)), "role.not-yours", "{wanted:?}");
            continue;
        }
        let path = made.expect(201).header("location").unwrap().to_owned();
        let raised = json!({ "grants": [{ "permission": "leave.grant", "scope": "organization" }] });
        let raised = change(&clerk, &clerk, &path, Some(&raised)).await;
        assert_eq!(code(&raised.expect(403)), "role.not-yours");
        change(&clerk, &clerk, &path, None).await.expect(204);
    }
    // A role that holds more than they do is out of reach altogether, also to be made smaller.
    for patch in [Some(json!({ "grants": [{ "permission": "leave.read", "scope": "own" }] })), None] {
        let refused = change(&clerk, &clerk, &strong, patch.as_ref()).await;
        assert_eq!(code(&refused.expect(403)), "role.not-yours");
    }
    let own = format!("/api/v1/users/{}", me["id"].as_str().unwrap());
    let refused = change(&clerk, &clerk, &own, Some(&json!({ "roles": ["clerk", "strong"] }))).await;
    assert_eq!(code(&refused.expect(403)), "user.role-not-yours");
    // Their own role, raised by themselves.
    let path = clerk.get("/api/v1/roles?code=clerk").await.expect(200).json()["items"][0]["id"].clone();
    let path = format!("/api/v1/roles/{}", path.as_str().unwrap());
    let raised = json!({ "grants": [{ "permission": "leave.read", "scope": "organization" }] });
    assert_eq!(code(&change(&clerk, &clerk, &path, Some(&raised)).await.expect(403)), "role.not-yours");
}

hrms_tests::on_every_engine!(
    a_role_lives_and_takes_effect,
    built_in_roles_are_among_them_and_stay,
    faulty_roles_are_refused,
    nobody_raises_anybody_by_roles,
);
