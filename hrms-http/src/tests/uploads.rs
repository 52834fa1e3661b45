//! Uploads, and bodies that are too much.

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{config, start, start_with};

#[tokio::test]
async fn encoded_bodies_are_refused() {
    let server = start().await;
    let post = async |path: &str, kind: &str, encoding: &str| {
        let headers = [("content-type", kind), ("content-encoding", encoding)];
        server.send(Method::POST, path, &headers, r#"{"name":"n"}"#).await
    };
    for encoding in ["gzip", "br", "deflate", "identity, gzip", "x"] {
        let refused = post("/t/things", "application/json", encoding).await;
        assert_eq!(refused.header("accept-encoding"), "identity");
        refused.problem(415, "http.encoding-not-supported");
        post("/t/files", "text/csv", encoding).await.problem(415, "http.encoding-not-supported");
    }
    for encoding in ["identity", "Identity"] {
        assert!(post("/t/things", "application/json", encoding).await.status.is_success());
    }
}

#[tokio::test]
async fn raw_csv_and_forms_are_taken() {
    let server = start().await;
    let raw =
        server.send(Method::POST, "/t/files", &[("content-type", "text/csv; charset=utf-8")], "a,b").await;
    assert_eq!(raw.json()["name"], "a,b|None|[]");

    let form = "--B\r\nContent-Disposition: form-data; name=\"dry_run\"\r\n\r\ntrue\r\n\
        --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p.csv\"\r\n\r\na,b\r\n--B--\r\n";
    let multipart = [("content-type", "multipart/form-data; boundary=B")];
    let got = server.send(Method::POST, "/t/files", &multipart, form).await;
    assert_eq!(got.json()["name"], "a,b|Some(\"p.csv\")|[(\"dry_run\", \"true\")]");

    for bad in ["", "--B\r\n", "--B--\r\n"] {
        let bad = server.send(Method::POST, "/t/files", &multipart, bad).await;
        bad.problem(400, "http.malformed-form");
    }
    let boundary = [("content-type", "multipart/form-data")];
    server.send(Method::POST, "/t/files", &boundary, form).await.problem(400, "http.malformed-form");
    let json = [("content-type", "application/json")];
    server.send(Method::POST, "/t/files", &json, "{}").await.problem(415, "http.unsupported-media-type");
}

#[tokio::test]
async fn a_huge_upload_is_refused_before_it_is_sent() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /t/files HTTP/1.1\r\nhost: t\r\nauthorization: Bearer hr\r\ncontent-type: text/csv\r\n\
        content-length: 209715200\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_body_without_length_is_cut_off_at_the_limit() {
    let mut config = config();
    config.upload_limit = 1000;
    let server = start_with(config).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /t/files HTTP/1.1\r\nhost: t\r\nauthorization: Bearer hr\r\ncontent-type: text/csv\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let chunk = format!("258\r\n{}\r\n", "x".repeat(600));
    stream.write_all(format!("{head}{chunk}{chunk}").as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn more_uploads_than_there_is_room_for_are_told_to_come_back() {
    let mut config = config();
    config.uploads_at_once = 0;
    let server = start_with(config).await;
    let busy = server.send(Method::POST, "/t/files", &[("content-type", "text/csv")], "a").await;
    busy.problem(503, "common.busy");
    assert_eq!(busy.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(busy.headers.contains_key("retry-after"));
}
