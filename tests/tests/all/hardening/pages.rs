//! The documentation in a real browser: both readers work under their content security policy.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use hrms_core::Hrms;
use hrms_http::{BearerAuth, Config, Server, Tokens};
use hrms_store::SqlStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const BROWSERS: [&str; 3] = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/// What a page looks like in the end, and what the browser says about it.
async fn show(browser: &'static str, address: String) -> (String, String) {
    let shown = tokio::task::spawn_blocking(move || {
        let profile = tempfile::tempdir().unwrap();
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
            .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--virtual-time-budget=20000"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--dump-dom", &address])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    });
    shown.await.unwrap()
}

/// What the page's console says.
fn console(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.contains("CONSOLE")).collect()
}

/// A page that breaks its own policy, to see that it would be noticed.
async fn broken_page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let page = "<!doctype html><p>page</p><script>document.title = 'ran'</script>";
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\
                     content-security-policy: default-src 'none'\r\n\r\n{page}",
                    page.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_works_in_a_browser_under_its_policy() {
    let Some(browser) = BROWSERS.into_iter().find(|browser| Path::new(browser).exists()) else {
        writeln!(std::io::stderr(), "skipped: no Chromium is installed, the pages were NOT looked at").ok();
        return;
    };
    let (page, said) = show(browser, broken_page().await).await;
    assert!(page.contains("<p>page</p>"), "{said}");
    assert!(console(&said).iter().any(|line| line.contains("Content Security Policy")), "{said}");

    let hrms = Hrms::new(SqlStore::sqlite_memory().await.unwrap());
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend_from_slice(&[3; 32]);
    let tokens = BearerAuth::new(hrms.clone(), Tokens::from_pkcs8(&der, "hrms").unwrap());
    let server = Server::new(hrms, tokens, Config::new([7; 32])).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(server.serve(listener, std::future::pending()));
    // What only a reader that has run has put there.
    for (path, mark) in [("/api/docs/", "opblock-summary-path"), ("/api/redoc/", "data-section-id")] {
        let (page, said) = show(browser, format!("{base}{path}")).await;
        assert!(page.matches(mark).count() > 20, "{path} wasn't drawn: {said}");
        assert!(page.contains("/api/v1/auth/login"), "{path} doesn't show the endpoints");
        assert!(console(&said).is_empty(), "{path}: {said}");
    }
}
