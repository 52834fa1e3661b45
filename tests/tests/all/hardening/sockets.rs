//! Live events: listeners who don't answer, don't read, or are there when the server stops.

use std::time::Duration;

use futures_util::StreamExt;
use hrms_core::audit::Change;
use hrms_core::event::NewEvent;
use hrms_core::{Hrms, Permission, Resource, TenantId};
use hrms_http::Config;
use hrms_tests::Fresh;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::all::leave::World;
use crate::all::live::{Api, close_code, emit, frame};

/// What must happen, within a time that is only reached when it doesn't.
async fn soon<T>(happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), happens).await.expect("this should have happened by now")
}

/// An open WebSocket whose frames nobody reads or answers but the test.
async fn mute(api: &Api, token: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // A client that doesn't read holds up the server soon.
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(api.address.parse().unwrap()).await.unwrap();
    let head = format!(
        "GET /api/v1/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        api.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(soon(stream.read_u8()).await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

#[tokio::test]
async fn who_answers_no_ping_is_closed_and_who_does_stays() {
    let store = hrms_tests::sqlite_memory().await;
    let w = World::new(&store).await;
    let mut config = Config::new([1; 32]);
    config.event_ping = Duration::from_millis(500);
    let api = Api::start_with(&w.hrms, config).await;
    let (_, token) = api.acting(w.hr());
    let mut mute = mute(&api, &token).await;
    // A ping without content (RFC 6455, section 5.2), and then the end of patience.
    let mut header = [0; 2];
    soon(mute.read_exact(&mut header)).await.unwrap();
    assert_eq!(header, [0x89, 0]);
    soon(mute.read_exact(&mut header)).await.unwrap();
    assert_eq!(header[0], 0x88, "a close frame");
    assert_eq!(soon(mute.read_u16()).await.unwrap(), 4001);

    let mut polite = api.connect("", Some(&token)).await.unwrap();
    let mut pings = 0;
    while pings < 5 {
        match soon(polite.next()).await.unwrap().unwrap() {
            Message::Ping(_) => pings += 1,
            other => panic!("{other:?}"),
        }
    }
    emit(&w.hrms, w.tenant, None, 7).await;
    assert_eq!(frame(&mut polite).await["data"]["n"], 7);
}

/// Events of 2 KiB each, in one change.
async fn emit_many(w: &World, hrms: &Hrms, tenant: TenantId, numbers: std::ops::Range<u32>) {
    let mut work = hrms.begin(&w.hr()).await.unwrap();
    for n in numbers {
        let data = json!({ "n": n, "text": "x".repeat(2048) });
        let (kind, subject) = ("test.happened", format!("tests/{n}"));
        let resource = Resource::organization();
        work.emit(NewEvent {
            kind,
            subject,
            data,
            permission: Permission::LeaveRead,
            resource,
            change: Change::none(),
        });
    }
    assert_eq!(work.actor().tenant(), tenant);
    work.commit(()).await.unwrap();
}

const ALL: u32 = 6000;

/// What a listener gets who begins to read only after another one has got everything: the number of the last event,
/// and the code that it was closed with.
async fn reads_late(store: &Fresh, patience: Duration) -> (u64, Option<u16>) {
    let w = World::new(store).await;
    let reading = Api::start(&w.hrms).await;
    let mut config = Config::new([1; 32]);
    config.event_patience = patience;
    config.event_ping = Duration::from_secs(3600);
    let late = Api::start_with(&w.hrms, config).await;
    let mut good = reading.listen(w.hr(), "").await;
    let (_, token) = late.acting(w.hr());
    let slow = mute(&late, &token).await;
    for first in (0..ALL).step_by(250) {
        emit_many(&w, &w.hrms, w.tenant, first..first + 250).await;
        for n in first..first + 250 {
            assert_eq!(soon(frame(&mut good)).await["data"]["n"], n);
        }
    }
    let mut slow = WebSocketStream::from_raw_socket(slow, Role::Client, None).await;
    let mut last = 0;
    loop {
        match soon(slow.next()).await {
            Some(Ok(Message::Text(text))) => {
                let event: serde_json::Value = serde_json::from_str(&text).unwrap();
                last = event["data"]["n"].as_u64().unwrap();
            }
            Some(Ok(Message::Close(close))) => return (last, close.map(|close| close.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return (last, None),
        }
    }
}

#[tokio::test]
async fn who_falls_too_far_behind_is_told_to_come_again() {
    let store = hrms_tests::sqlite_memory().await;
    let (last, code) = reads_late(&store, Duration::from_secs(3600)).await;
    assert_eq!(code, Some(4001));
    assert!(last < u64::from(ALL) - 1024, "{last}");
}

#[tokio::test]
async fn who_takes_nothing_is_not_waited_for() {
    let store = hrms_tests::sqlite_memory().await;
    let (last, code) = reads_late(&store, Duration::from_millis(1)).await;
    assert!(code.is_none_or(|code| code == 4001), "{code:?}");
    assert!(last < u64::from(ALL) - 1, "{last}");
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye() {
    let store = hrms_tests::sqlite_memory().await;
    let w = World::new(&store).await;
    let api = Api::start(&w.hrms).await;
    let mut ear = api.listen(w.hr(), "").await;
    emit(&w.hrms, w.tenant, None, 1).await;
    assert_eq!(frame(&mut ear).await["data"]["n"], 1);
    drop(api);
    assert_eq!(close_code(&mut ear).await, 1001);
    assert!(soon(ear.next()).await.is_none_or(|end| end.is_err()));
}
