//! The main job, end to end, on the real server and real people: an organisation is created, 10,000 people
//! with their history are imported, one of them asks for leave, the right manager approves it, the balance
//! changes, and a live client sees it happen. On both engines.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use hrms_tests::{Client, Reply, Server, server_command, shared_dir};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Runs a command of the real program; what it printed.
fn command(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = server_command(arguments).envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn ok(reply: &Reply, status: StatusCode) -> Value {
    assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap_or(Value::Null)
}

async fn log_in(client: &Client, email: &str, password: &str) -> Client {
    let body = json!({ "organization": "acme", "email": email, "password": password });
    let answer = ok(&client.post("/api/v1/auth/login", &body).await, StatusCode::OK);
    client.with_token(answer["access_token"].as_str().unwrap())
}

/// Uploads a CSV file and waits for its job; the job's result.
async fn import(client: &Client, file: &Path, query: &[(&str, &str)]) -> Value {
    let text = std::fs::read(file).unwrap();
    let query = serde_urlencoded(query);
    let reply = client.upload(&format!("/api/v1/imports?{query}"), "text/csv", text).await;
    let accepted = ok(&reply, StatusCode::ACCEPTED);
    let location = reply.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(location, format!("/api/v1/jobs/{}", accepted["job_id"].as_str().unwrap()));
    for _ in 0..3000 {
        let job = ok(&client.get(&location).await, StatusCode::OK);
        match job["state"].as_str().unwrap() {
            "succeeded" => return job["result"].clone(),
            "failed" | "cancelled" => panic!("{job}"),
            // The worker runs in another process.
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("the import of {} doesn't end", file.display());
}

fn serde_urlencoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn rows(file: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let head = lines.next().unwrap();
    lines.map(|line| head.iter().cloned().zip(line).collect()).collect()
}

/// Imports everything of the data set but pay.
async fn import_everything(hr: &Client, data: &Path, work: &Path) {
    let locations = work.join("locations.csv");
    std::fs::write(&locations, "code,name,time_zone\nHQ,Head office,America/Los_Angeles\n").unwrap();
    import(hr, &locations, &[("kind", "locations")]).await;
    let mapping = r#"{"dept_no":"code","dept_name":"name"}"#;
    let result =
        import(hr, &data.join("departments.csv"), &[("kind", "departments"), ("mapping", mapping)]).await;
    assert_eq!((&result["created"], &result["failed"]), (&json!(9), &json!(0)), "{result}");

    let mapping =
        r#"{"emp_no":"number","first_name":"given_name","last_name":"family_name","hire_date":"hired_on"}"#;
    let query = [
        ("kind", "employees"),
        ("mapping", mapping),
        ("defaults", r#"{"location":"HQ"}"#),
        ("mode", "all_or_nothing"),
    ];
    let result = import(hr, &data.join("employees.csv"), &query).await;
    assert_eq!((&result["created"], &result["failed"]), (&json!(10_000), &json!(0)), "{result}");

    let mapping = r#"{"emp_no":"employee","dept_no":"department","from_date":"from","to_date":"to"}"#;
    let query = [("kind", "employment_history"), ("mapping", mapping)];
    let result = import(hr, &data.join("dept_emp.csv"), &query).await;
    // Rows without length can't be stored, and are told one by one; nothing else is kept out.
    let empty =
        |file: &str| rows(&data.join(file)).iter().filter(|row| row["from_date"] == row["to_date"]).count();
    assert_eq!(
        (&result["rows"], &result["failed"]),
        (&json!(11_051), &json!(empty("dept_emp.csv"))),
        "{result}"
    );

    let mapping = r#"{"emp_no":"employee","title":"designation","from_date":"from","to_date":"to"}"#;
    let query = [("kind", "employment_history"), ("mapping", mapping), ("create_missing", "designation")];
    let result = import(hr, &data.join("titles.csv"), &query).await;
    // Rows without length can't be stored, and are told one by one; nothing else is kept out.
    let empty =
        rows(&data.join("titles.csv")).iter().filter(|row| row["from_date"] == row["to_date"]).count();
    assert_eq!((&result["rows"], &result["failed"]), (&json!(14_782), &json!(empty)), "{result}");

    let mapping = r#"{"emp_no":"employee","dept_no":"department","from_date":"from","to_date":"to"}"#;
    let query = [("kind", "department_heads"), ("mapping", mapping), ("assign_managers", "true")];
    let result = import(hr, &data.join("dept_manager.csv"), &query).await;
    assert_eq!((&result["rows"], &result["failed"]), (&json!(24), &json!(0)), "{result}");
}

/// Everybody, page by page.
async fn everybody(hr: &Client, filter: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = ok(&hr.get(&format!("/api/v1/employees?limit=200{filter}{cursor}")).await, StatusCode::OK);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// What the data set's own description says of it.
async fn the_facts_hold(hr: &Client, data: &Path) {
    let all = everybody(hr, "&sort=number").await;
    assert_eq!(all.len(), 10_000);
    let open = |one: &&Value| {
        !one["employment"]["department"].is_null() && !one["employment"]["designation"].is_null()
    };
    assert_eq!(all.iter().filter(open).count(), 8_064, "people with an open row in both files");
    let mut names: HashMap<String, u32> = HashMap::new();
    for one in &all {
        *names.entry(format!("{} {}", one["given_name"], one["family_name"])).or_default() += 1;
    }
    assert_eq!(names.values().filter(|count| **count > 1).count(), 18, "duplicate full names");
    let hired: Vec<&str> = all.iter().map(|one| one["hired_on"].as_str().unwrap()).collect();
    assert_eq!(hired.iter().min(), Some(&"1985-02-02"));
    assert_eq!(hired.iter().max(), Some(&"1999-12-31"));

    // Department and title as the files say, on dates in the middle of the history.
    let by_number: HashMap<&str, &Value> =
        all.iter().map(|one| (one["number"].as_str().unwrap(), one)).collect();
    let departments = ok(&hr.get("/api/v1/departments").await, StatusCode::OK);
    let code: HashMap<String, String> = departments["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap().to_owned(), one["code"].as_str().unwrap().to_owned()))
        .collect();
    let (moves, titles) = (rows(&data.join("dept_emp.csv")), rows(&data.join("titles.csv")));
    let of = |rows: &[BTreeMap<String, String>], number: &str, day: &str| {
        rows.iter()
            .find(|row| {
                row["emp_no"] == number && row["from_date"].as_str() <= day && day < row["to_date"].as_str()
            })
            .cloned()
    };
    for number in ["10001", "10010", "10050", "10144", "12345", "15999", "19999"] {
        let id = by_number[number]["id"].as_str().unwrap();
        for day in ["1990-06-30", "1995-01-01", "1999-12-31", "2002-08-01", "2026-01-01"] {
            let seen = ok(&hr.get(&format!("/api/v1/employees/{id}?as_of={day}")).await, StatusCode::OK);
            let department = seen["employment"]["department"]["id"].as_str().map(|id| code[id].clone());
            assert_eq!(
                department,
                of(&moves, number, day).map(|row| row["dept_no"].clone()),
                "{number} {day}"
            );
            let title = seen["employment"]["designation"]["name"].as_str().map(str::to_owned);
            assert_eq!(title, of(&titles, number, day).map(|row| row["title"].clone()), "{number} {day}");
        }
    }
}

struct Cast {
    /// Somebody with a department, a manager by the files, and what the files say about them.
    employee: Value,
    manager: Value,
    /// Somebody of the same department, who has no say.
    colleague: Value,
}

/// Picks people whose manager the files know: the department's head of today.
async fn cast(hr: &Client, data: &Path) -> Cast {
    let all = everybody(hr, "").await;
    let heads: HashMap<String, String> = rows(&data.join("dept_manager.csv"))
        .into_iter()
        .filter(|row| row["to_date"] == "9999-01-01")
        .map(|row| (row["dept_no"].clone(), row["emp_no"].clone()))
        .collect();
    let departments = ok(&hr.get("/api/v1/departments").await, StatusCode::OK);
    let sales = departments["items"].as_array().unwrap().iter().find(|one| one["code"] == "d007").unwrap();
    let mut members = all.iter().filter(|one| one["employment"]["department"]["id"] == sales["id"]);
    let head = &heads["d007"];
    let mut ordinary = members.by_ref().filter(|one| !heads.values().any(|head| one["number"] == **head));
    let (employee, colleague) = (ordinary.next().unwrap().clone(), ordinary.next().unwrap().clone());
    assert_eq!(
        employee["employment"]["manager"]["number"], **head,
        "the head of the department by the files"
    );
    let manager = all.iter().find(|one| one["number"] == **head).unwrap().clone();
    Cast { employee, manager, colleague }
}

/// A live client: everything that it is told, by type.
struct Live(tokio::sync::mpsc::UnboundedReceiver<Value>);

impl Live {
    async fn connect(client: &Client, base_url: &str) -> Self {
        let ticket = ok(&client.post("/api/v1/events/tickets", &json!({})).await, StatusCode::OK);
        let address = base_url.replacen("http", "ws", 1);
        let ticket = ticket["ticket"].as_str().unwrap();
        let request = format!("{address}/api/v1/events?ticket={ticket}").into_client_request().unwrap();
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                if let Ok(text) = message.to_text()
                    && let Ok(frame) = serde_json::from_str(text)
                {
                    let _ = sender.send(frame);
                }
            }
        });
        Self(receiver)
    }

    async fn next(&mut self) -> Value {
        tokio::time::timeout(Duration::from_secs(20), self.0.recv()).await.expect("no event came").unwrap()
    }
}

async fn leave_is_asked_for_and_granted(
    base: &Client,
    base_url: &str,
    admin: &Client,
    hr: &Client,
    data: &Path,
) {
    let Cast { employee, manager, colleague } = cast(hr, data).await;
    let password = "a phrase long enough to log in";
    let mut clients = Vec::new();
    for (person, email, roles) in [
        (&employee, "employee@acme.example", json!(["employee"])),
        (&manager, "manager@acme.example", json!(["manager", "employee"])),
        (&colleague, "colleague@acme.example", json!(["employee"])),
    ] {
        let body = json!({
            "email": email, "name": person["given_name"], "roles": roles,
            "employee_id": person["id"], "password": password,
        });
        ok(&admin.post("/api/v1/users", &body).await, StatusCode::CREATED);
        clients.push(log_in(base, email, password).await);
    }
    let [own, boss, peer] = clients.as_slice() else { panic!() };

    let kind = json!({ "code": "ANNUAL", "name": "Annual leave" });
    let kind = ok(&hr.post("/api/v1/leave-types", &kind).await, StatusCode::CREATED);
    let grant = json!({
        "employee_id": employee["id"], "leave_type_id": kind["id"], "days": "10", "valid_from": "2027-01-01",
    });
    ok(&hr.post("/api/v1/leave-grants", &grant).await, StatusCode::CREATED);

    let mut seen_by_own = Live::connect(own, base_url).await;
    let mut seen_by_boss = Live::connect(boss, base_url).await;
    let mut seen_by_peer = Live::connect(peer, base_url).await;

    // Friday to Monday: two working days.
    let ask = json!({ "leave_type_id": kind["id"], "starts_on": "2027-03-05", "ends_on": "2027-03-08" });
    let request = ok(&own.post("/api/v1/leave-requests", &ask).await, StatusCode::CREATED);
    assert_eq!((&request["days"], &request["status"]), (&json!("2"), &json!("pending")), "{request}");
    let address = format!("/api/v1/leave-requests/{}", request["id"].as_str().unwrap());
    let balance = |client: Client| {
        let path = format!(
            "/api/v1/leave-balances?employee_id={}&as_of=2027-06-30",
            employee["id"].as_str().unwrap()
        );
        async move {
            let answer = ok(&client.get(&path).await, StatusCode::OK);
            let row = answer["items"][0].clone();
            (row["available"].clone(), row["pending"].clone(), row["taken"].clone())
        }
    };
    assert_eq!(balance(own.clone()).await, (json!("8"), json!("2"), json!("0")));

    // Nobody decides on their own, and who has no say doesn't learn that it exists.
    let decision = json!({ "note": "Enjoy" });
    let refused = own.post(&format!("{address}/approve"), &decision).await;
    assert!([StatusCode::FORBIDDEN, StatusCode::CONFLICT].contains(&refused.status), "{}", refused.status);
    let refused = peer.post(&format!("{address}/approve"), &decision).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(peer.get(&address).await.status, StatusCode::NOT_FOUND);

    let open = ok(&boss.get("/api/v1/leave-requests?decidable_by_me=true").await, StatusCode::OK);
    assert_eq!(open["items"][0]["id"], request["id"]);
    let approved = ok(&boss.post(&format!("{address}/approve"), &decision).await, StatusCode::OK);
    assert_eq!(approved["status"], "approved");
    assert_eq!(balance(own.clone()).await, (json!("8"), json!("0"), json!("2")));
    assert_eq!(boss.post(&format!("{address}/approve"), &decision).await.status, StatusCode::CONFLICT);

    for live in [&mut seen_by_own, &mut seen_by_boss] {
        for kind in ["leave_request.submitted", "leave_request.approved"] {
            let mut event = live.next().await;
            // That they are told of it, too, comes when it comes.
            while event["type"] == "notification.created" {
                event = live.next().await;
            }
            assert_eq!(event["type"], kind);
            assert_eq!(event["subject"], format!("leave-requests/{}", request["id"].as_str().unwrap()));
        }
    }
    // What the colleague is told first is their own request, not somebody else's.
    let grant = json!({
        "employee_id": colleague["id"], "leave_type_id": kind["id"], "days": "1", "valid_from": "2027-01-01",
    });
    ok(&hr.post("/api/v1/leave-grants", &grant).await, StatusCode::CREATED);
    let event = seen_by_peer.next().await;
    assert_eq!(event["type"], "leave.granted", "{event}");
    assert_eq!(event["data"]["employee_id"], colleague["id"]);
}

async fn story(variables: &[(&str, &str)]) {
    let Some(shared) = shared_dir() else { return };
    let data = shared.join("data/employees");
    let work = tempfile::tempdir().unwrap();
    let directory = work.path().join("data").to_str().unwrap().to_owned();
    let variables = [variables, &[("HRMS_DATA_DIR", directory.as_str())]].concat();
    let arguments = [
        "organization",
        "create",
        "--slug",
        "acme",
        "--name",
        "Acme Ltd",
        "--admin-email",
        "admin@acme.example",
        "--json",
    ];
    let made: Value = serde_json::from_str(&command(&arguments, &variables)).unwrap();

    let server = Server::start(&variables).await;
    let base = server.client();
    let password = made["admin"]["password"].as_str().unwrap();
    let admin = log_in(&base, "admin@acme.example", password).await;
    let body = json!({
        "email": "hr@acme.example", "name": "Human Resources", "roles": ["hr"],
        "password": "another phrase that is long",
    });
    ok(&admin.post("/api/v1/users", &body).await, StatusCode::CREATED);
    let hr = log_in(&base, "hr@acme.example", "another phrase that is long").await;

    import_everything(&hr, &data, work.path()).await;
    the_facts_hold(&hr, &data).await;
    leave_is_asked_for_and_granted(&base, &server.base_url(), &admin, &hr, &data).await;
    let health = base.call(Method::GET, "/health/ready", &[], None).await;
    assert_eq!(health.status, StatusCode::OK);
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    story(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    let fresh = hrms_tests::postgres().await;
    let (_, application) = fresh.urls.as_ref().unwrap();
    story(&[("HRMS_DATABASE_URL", application.as_str())]).await;
}
