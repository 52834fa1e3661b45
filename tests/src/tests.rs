use std::convert::Infallible;

use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::*;

#[tokio::test]
async fn every_fresh_database_is_its_own_and_goes_away() {
    let url = service("HRMS_TEST_PG_URL");
    let (one, two) = (postgres().await, postgres().await);
    let name = |fresh: &Fresh| fresh.urls.as_ref().unwrap().0.rsplit_once('/').unwrap().1.to_owned();
    let names = vec![name(&one), name(&two)];
    assert_ne!(names[0], names[1]);
    let count = async || -> i64 {
        let mut conn = PgConnection::connect(&url).await.unwrap();
        let count = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = ANY ($1)");
        count.bind(&names).fetch_one(&mut conn).await.unwrap()
    };
    assert_eq!(count().await, 2);
    one.ping().await.unwrap();
    drop((one, two));
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn the_client_speaks_json_with_its_token() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let echo = service_fn(async |request: http::Request<hyper::body::Incoming>| {
            let (head, body) = request.into_parts();
            let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            let answer = json!({
                "method": head.method.as_str(), "path": head.uri.path(),
                "token": header("authorization"), "type": header("content-type"),
                "body": String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
            });
            Ok::<_, Infallible>(http::Response::new(Full::new(bytes::Bytes::from(answer.to_string()))))
        });
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), echo).await
    });
    let client = Client::new(&format!("http://{address}/")).with_token("t");
    let seen = client.patch("/x", &json!({"a": 1})).await.expect(200).json();
    let expected = json!({
        "method": "PATCH", "path": "/x", "token": "Bearer t",
        "type": "application/merge-patch+json", "body": "{\"a\":1}",
    });
    assert_eq!(seen, expected);
    assert_eq!(client.get("/y").await.json()["body"], "");
}

#[test]
fn the_real_server_is_found() {
    let output = server_command(&["--version"]).output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b"hrms-server "), "{output:?}");
}
