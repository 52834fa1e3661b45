//! The whole server in about forty lines: store, services, and the HTTP API with log-in and documentation.
//!
//! Run it with `cargo run -p hrms-examples --bin whole_server -- 8080` (0 takes a free port); with `--once`
//! behind the port it logs in to itself and ends. Nothing is kept: the database is in memory.
#![expect(clippy::print_stdout, reason = "an example tells its story")]

use std::error::Error;
use std::net::SocketAddr;

use hrms_core::organization::{NewAdmin, NewOrganization};
use hrms_core::{Hrms, Operator, RequestId};
use hrms_http::{BearerAuth, Config, Server, Tokens};
use hrms_store::SqlStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const EMAIL: &str = "admin@acme.example";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8080), |port| port.parse())?;
    let once = std::env::args().any(|argument| argument == "--once");

    let hrms = Hrms::new(SqlStore::sqlite_memory().await?);
    let operator = Operator::command(RequestId::from_uuid(hrms.ids().next()));
    let admin = NewAdmin { email: EMAIL.into(), name: "Ada Min".into(), password: None };
    let acme = NewOrganization { slug: "acme".into(), name: "Acme Ltd".into(), admin };
    let acme = hrms.organizations().create(&operator, acme).await?;
    let password = acme.admin.password.unwrap_or_default();

    // Both keys are made up here, so tokens and cursors end with the process. Keep yours in a safe place:
    // `Tokens::from_pem` reads the key that signs tokens.
    let mut cursor_key = [0; 32];
    getrandom::fill(&mut cursor_key)?;
    // Your own users instead of ours? Implement `hrms_http::Authenticate`.
    let auth = BearerAuth::new(hrms.clone(), Tokens::with_new_key("whole_server")?);
    let server = Server::new(hrms, auth, Config::new(cursor_key))?;

    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    println!("http://{address}/api/docs/ : organisation acme, {EMAIL}, password {password}");
    // The server stops when this future ends.
    let stop = async {
        let ended = if once { log_in(address, &password).await } else { tokio::signal::ctrl_c().await };
        if let Err(error) = ended {
            println!("failed: {error}");
        }
    };
    server.serve(listener, stop).await;
    Ok(())
}

/// Logs in by hand, to show what goes over the wire.
async fn log_in(address: SocketAddr, password: &str) -> std::io::Result<()> {
    let body =
        serde_json::json!({ "organization": "acme", "email": EMAIL, "password": password }).to_string();
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json";
    let request = format!("{head}\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    println!("log-in: {}", answer.lines().next().unwrap_or_default());
    Ok(())
}
