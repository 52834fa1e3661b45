//! Leave over HTTP and live events over WebSockets, on real connections and every engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use hrms_core::audit::Change;
use hrms_core::employment::Facts;
use hrms_core::event::{DataField, DataForm, EventType, NewEvent};
use hrms_core::{Actor, EmployeeId, Hrms, Permission, RequestId, Resource, Role, TenantId};
use hrms_http::{AuthError, Authenticate, Caller, Config, Server};
use hrms_tests::Client;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::all::leave::{World, actor};
use crate::all::support;

/// Knows tokens by heart.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Mutex<HashMap<String, Actor>>>);

#[async_trait]
impl Authenticate for Tokens {
    async fn authenticate(&self, parts: &Parts, _: RequestId) -> Result<Caller, AuthError> {
        let Some(header) = parts.headers.get("authorization") else { return Ok(Caller::Anonymous) };
        let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
        let found = self.0.lock().unwrap().get(&token).cloned();
        found.map(Caller::User).ok_or(AuthError::Refused { code: "auth.token-expired", detail: "expired" })
    }
}

pub(crate) struct Api {
    pub(crate) client: Client,
    pub(crate) address: String,
    tokens: Tokens,
    _stop: tokio::sync::oneshot::Sender<()>,
}

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Api {
    pub(crate) async fn start(hrms: &Hrms) -> Self {
        Self::start_with(hrms, Config::new([1; 32])).await
    }

    pub(crate) async fn start_with(hrms: &Hrms, config: Config) -> Self {
        let tokens = Tokens::default();
        let server = Server::new(hrms.clone(), tokens.clone(), config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        tokio::spawn(server.serve(listener, async move { stopped.await.unwrap_or_default() }));
        Self { client: Client::new(&format!("http://{address}")), address, tokens, _stop: stop }
    }

    /// A client that acts as this actor.
    pub(crate) fn acting(&self, actor: Actor) -> (Client, String) {
        let token = hrms_core::contract::id().to_string();
        self.tokens.0.lock().unwrap().insert(token.clone(), actor);
        (self.client.with_token(&token), token)
    }

    pub(crate) async fn connect(&self, query: &str, token: Option<&str>) -> Result<Socket, Error> {
        let address = format!("ws://{}/api/v1/events{query}", self.address);
        let mut request = address.into_client_request().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        tokio_tungstenite::connect_async(request).await.map(|(socket, _)| socket)
    }

    pub(crate) async fn listen(&self, actor: Actor, query: &str) -> Socket {
        let (_, token) = self.acting(actor);
        self.connect(query, Some(&token)).await.unwrap()
    }

    pub(crate) async fn refused(&self, query: &str, token: Option<&str>) -> u16 {
        match self.connect(query, token).await {
            Err(Error::Http(answer)) => answer.status().as_u16(),
            other => panic!("{other:?}"),
        }
    }
}

/// The next message; pings are answered by the library and passed over.
async fn message(socket: &mut Socket) -> Message {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), socket.next()).await;
        match next.expect("nothing came").expect("it ended").unwrap() {
            Message::Ping(_) => {}
            other => return other,
        }
    }
}

pub(crate) async fn frame(socket: &mut Socket) -> Value {
    match message(socket).await {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn close_code(socket: &mut Socket) -> u16 {
    match message(socket).await {
        Message::Close(Some(frame)) => frame.code.into(),
        other => panic!("{other:?}"),
    }
}

async fn kinds<const N: usize>(socket: &mut Socket) -> [String; N] {
    let mut kinds = [const { String::new() }; N];
    for kind in &mut kinds {
        *kind = frame(socket).await["type"].as_str().unwrap().to_owned();
    }
    kinds
}

/// A type of event for tests, which nothing stands behind.
pub(crate) const TEST_HAPPENED: EventType = EventType {
    name: "test.happened",
    about: "A test made it.",
    subject: "tests/{n}",
    permissions: &[Permission::LeaveRead],
    data: &[
        DataField { name: "n", form: DataForm::Number, optional: false },
        DataField { name: "text", form: DataForm::Text, optional: true },
    ],
};

/// An event without anything behind it.
pub(crate) async fn emit(hrms: &Hrms, tenant: TenantId, owner: Option<EmployeeId>, n: i64) {
    let hr = actor(tenant, None, &[Role::Hr]);
    let mut work = hrms.begin(&hr).await.unwrap();
    let resource = owner.map_or(Resource::organization(), |owner| Resource::of(owner, Facts::default()));
    let data = json!({ "n": n });
    let (kind, subject) = ("test.happened", format!("tests/{n}"));
    work.emit(NewEvent {
        kind,
        subject,
        data,
        change: Change::none(),
        permission: Permission::LeaveRead,
        resource,
    });
    work.commit(()).await.unwrap();
}

async fn the_story_of_a_request_reaches_those_who_may_read_it(store: &support::Fresh) {
    let w = World::new(store).await;
    let other = World::new(store).await;
    let api = Api::start(&w.hrms).await;
    let (asha, _) = api.acting(w.employee(w.asha));
    let (manager, _) = api.acting(w.manager(w.manager));
    let (hr, _) = api.acting(w.hr());
    let (stranger, _) = api.acting(other.hr());
    let mut ears = [
        api.listen(w.employee(w.asha), "").await,
        api.listen(w.manager(w.manager), "").await,
        api.listen(w.hr(), "").await,
    ];
    let mut deaf = api.listen(w.employee(w.colleague), "").await;
    let mut foreign = api.listen(other.hr(), "").await;

    let grant = json!({ "employee_id": w.asha, "leave_type_id": w.annual.id, "days": "2.5",
        "valid_from": "2026-01-01", "valid_to": "2027-04-01" });
    assert_eq!(hr.post("/api/v1/leave-grants", &grant).await.expect(201).json()["days"], "2.5");
    manager.post("/api/v1/leave-grants", &grant).await.expect(403);
    let ask = json!({ "leave_type_id": w.annual.id, "starts_on": "2026-12-11", "ends_on": "2026-12-14" });
    let asked = asha.post("/api/v1/leave-requests", &ask).await.expect(201);
    let path = asked.header("location").unwrap().to_owned();
    assert_eq!((&asked.json()["days"], &asked.json()["status"]), (&json!("2"), &json!("pending")));
    assert_eq!(asked.json()["day_count"][1]["reason"], "weekly_off");
    assert_eq!(asha.post("/api/v1/leave-requests", &ask).await.expect(409).json()["code"], "leave.overlaps");
    let more = json!({ "leave_type_id": w.annual.id, "starts_on": "2026-12-21", "ends_on": "2026-12-21" });
    let short = asha.post("/api/v1/leave-requests", &more).await.expect(409).json();
    assert_eq!(short["code"], "leave.insufficient-balance");

    let waiting = manager.get("/api/v1/leave-requests?decidable_by_me=true&status=pending").await.expect(200);
    assert_eq!(waiting.json()["items"].as_array().unwrap().len(), 1);
    stranger.get(&path).await.expect(404);
    stranger.post(&format!("{path}/approve"), &json!({})).await.expect(404);
    asha.post(&format!("{path}/approve"), &json!({})).await.expect(403);
    manager.post(&format!("{path}/approve"), &json!({ "minutes": 1 })).await.expect(422);
    let approved = manager.post(&format!("{path}/approve"), &json!({ "note": "Enjoy" })).await.expect(200);
    assert_eq!(
        (&approved.json()["status"], &approved.json()["decision_note"]),
        (&json!("approved"), &json!("Enjoy"))
    );
    let balances = asha.get("/api/v1/leave-balances").await.expect(200).json();
    let balance = &balances["items"][0];
    assert_eq!((&balance["taken"], &balance["available"]), (&json!("2"), &json!("0.5")));
    let account = format!("/api/v1/leave-balances/{}/{}", w.asha, w.annual.id);
    assert_eq!(manager.get(&account).await.expect(200).json()["postings"].as_array().unwrap().len(), 3);
    // Without a body, too.
    asha.call(http::Method::POST, &format!("{path}/cancel"), &[], None).await.expect(200);

    for ear in &mut ears {
        assert_eq!(
            kinds(ear).await,
            ["leave.granted", "leave_request.submitted", "leave_request.approved", "leave_request.cancelled"]
        );
    }
    // Nobody else heard a thing: the first thing that they hear is their own.
    emit(&w.hrms, w.tenant, Some(w.colleague), 7).await;
    assert_eq!(frame(&mut deaf).await["data"]["n"], 7);
    emit(&w.hrms, other.tenant, None, 8).await;
    assert_eq!(frame(&mut foreign).await["data"]["n"], 8);
}

async fn what_was_missed_is_replayed_and_then_it_goes_on(store: &support::Fresh) {
    let w = World::new(store).await;
    let other = World::new(store).await;
    let api = Api::start(&w.hrms).await;
    let mut ear = api.listen(w.hr(), "").await;
    emit(&w.hrms, w.tenant, None, 1).await;
    let first = frame(&mut ear).await;
    drop(ear);
    for n in 2..=450 {
        emit(&w.hrms, w.tenant, None, n).await;
    }
    let since = first["id"].as_str().unwrap();
    let mut ear = api.listen(w.hr(), &format!("?since={since}")).await;
    emit(&w.hrms, w.tenant, None, 451).await;
    for n in 2..=451 {
        assert_eq!(frame(&mut ear).await["data"]["n"], n);
    }
    let mut picky =
        api.listen(w.hr(), &format!("?since={since}&types=a,test.happened&subject=tests/9")).await;
    assert_eq!(frame(&mut picky).await["data"]["n"], 9);
    // An unknown id and one of another organisation are the same.
    let (_, token) = api.acting(w.hr());
    let (_, stranger) = api.acting(other.hr());
    assert_eq!(api.refused(&format!("?since={}", hrms_core::contract::id()), Some(&token)).await, 410);
    assert_eq!(api.refused(&format!("?since={since}"), Some(&stranger)).await, 410);
    assert_eq!(api.refused("?since=x", Some(&token)).await, 422);
    assert_eq!(api.refused("", None).await, 401);
}

/// Sockets come and go while the log grows: each sees every event behind its place once, in order.
async fn nothing_is_lost_or_doubled_between_replay_and_live(store: &support::Fresh) {
    const LAST: i64 = 300;
    let w = World::new(store).await;
    let api = Arc::new(Api::start(&w.hrms).await);
    emit(&w.hrms, w.tenant, None, 0).await;
    let start = w.hrms.events().after(w.tenant, 0, 200).await.unwrap().pop().unwrap().id;
    let (hrms, tenant) = (w.hrms.clone(), w.tenant);
    let writer = tokio::spawn(async move {
        for n in 1..=LAST {
            emit(&hrms, tenant, None, n).await;
        }
    });
    let mut readers = Vec::new();
    for reader in 0..12_i64 {
        let (api, hr) = (api.clone(), w.hr());
        readers.push(tokio::spawn(async move {
            let (mut since, mut next) = (start.to_string(), 1);
            while next <= LAST {
                let mut ear = api.listen(hr.clone(), &format!("?since={since}")).await;
                // Some stay, some leave after a while and come back.
                for _ in 0..(20 + 40 * reader) {
                    let got = frame(&mut ear).await;
                    assert_eq!(got["data"]["n"], next, "reader {reader}");
                    since = got["id"].as_str().unwrap().to_owned();
                    next += 1;
                    if next > LAST {
                        break;
                    }
                }
            }
        }));
    }
    writer.await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
}

async fn a_change_that_is_undone_says_nothing(store: &support::Fresh) {
    let w = World::new(store).await;
    let api = Api::start(&w.hrms).await;
    let mut ear = api.listen(w.hr(), "").await;
    let mut work = w.hrms.begin(&w.hr()).await.unwrap();
    let resource = Resource::organization();
    let (kind, subject, permission) = ("test.undone", "tests/0".to_owned(), Permission::LeaveRead);
    work.emit(NewEvent { kind, subject, data: json!({}), change: Change::none(), permission, resource });
    drop(work);
    assert!(w.submit(w.asha, jiff::civil::date(2026, 12, 7), jiff::civil::date(2026, 12, 7)).await.is_err());
    emit(&w.hrms, w.tenant, None, 1).await;
    assert_eq!(frame(&mut ear).await["type"], "test.happened");
}

async fn a_ticket_opens_one_connection_as_its_owner(store: &support::Fresh) {
    let w = World::new(store).await;
    let api = Api::start(&w.hrms).await;
    let (asha, token) = api.acting(w.employee(w.asha));
    let ticket = asha.post("/api/v1/events/tickets", &json!({})).await.expect(200).json();
    assert_eq!(ticket["expires_in"], 30);
    let query = format!("?ticket={}", ticket["ticket"].as_str().unwrap());
    let mut ear = api.connect(&query, None).await.unwrap();
    assert_eq!(api.refused(&query, None).await, 401);
    assert_eq!(api.refused("?ticket=nonsense", Some(&token)).await, 401);
    emit(&w.hrms, w.tenant, Some(w.colleague), 1).await;
    emit(&w.hrms, w.tenant, Some(w.asha), 2).await;
    assert_eq!(frame(&mut ear).await["data"]["n"], 2);
}

/// P31: on open sockets, too.
async fn lost_rights_are_felt_on_open_sockets(store: &support::Fresh) {
    let w = World::new(store).await;
    let api = Api::start(&w.hrms).await;
    let (_, token) = api.acting(w.hr());
    let mut ear = api.connect("", Some(&token)).await.unwrap();
    let mut chatty = api.listen(w.hr(), "").await;
    chatty.send(Message::text("hello")).await.unwrap();
    assert_eq!(close_code(&mut chatty).await, 1003);
    emit(&w.hrms, w.tenant, None, 1).await;
    assert_eq!(frame(&mut ear).await["data"]["n"], 1);
    api.tokens.0.lock().unwrap().remove(&token);
    assert_eq!(close_code(&mut ear).await, 4401);
}

hrms_tests::on_every_engine!(
    the_story_of_a_request_reaches_those_who_may_read_it,
    what_was_missed_is_replayed_and_then_it_goes_on,
    nothing_is_lost_or_doubled_between_replay_and_live,
    a_change_that_is_undone_says_nothing,
    a_ticket_opens_one_connection_as_its_owner,
    lost_rights_are_felt_on_open_sockets,
);
