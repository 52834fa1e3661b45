//! A mail server that keeps what it is given, on loopback.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mail_parser::MessageParser;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How the server treats messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// It takes them.
    #[default]
    Takes,
    /// It says to come back later, after all of the message was sent.
    Busy,
    /// It knows no recipient.
    Refuses,
    /// It hangs up whatever is said.
    HangsUp,
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its recipients, by the envelope.
    pub to: Vec<String>,
    /// The message as it came.
    pub raw: String,
}

impl Received {
    /// The value of a header, decoded.
    #[must_use]
    pub fn subject(&self) -> String {
        self.parsed().subject().unwrap_or_default().to_owned()
    }

    /// The decoded text part.
    #[must_use]
    pub fn text(&self) -> String {
        self.parsed().body_text(0).unwrap_or_default().into_owned()
    }

    /// The decoded HTML part.
    #[must_use]
    pub fn html(&self) -> String {
        self.parsed().body_html(0).unwrap_or_default().into_owned()
    }

    /// The token behind the `#token=` of the text's link.
    #[must_use]
    pub fn token(&self) -> String {
        let text = self.text();
        let (_, rest) = text.split_once("#token=").unwrap_or_else(|| panic!("no link in {text}"));
        rest.split_whitespace().next().unwrap().to_owned()
    }

    fn parsed(&self) -> mail_parser::Message<'_> {
        MessageParser::default().parse(self.raw.as_bytes()).unwrap()
    }
}

/// A running mail server.
#[derive(Clone, Debug)]
pub struct SmtpSink {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    received: Vec<Received>,
    attempts: usize,
}

impl SmtpSink {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&sink.state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                // A client that goes away is its own affair.
                tokio::spawn(async move { converse(stream, &state).await.ok() });
            }
        });
        sink
    }

    /// As `mail_url` of the server's configuration.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp-plain://{}", self.address)
    }

    /// Treats messages like this from now on.
    pub fn mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// What was taken since this was last asked.
    #[must_use]
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.lock().unwrap().received)
    }

    /// How often somebody tried to hand something over.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.state.lock().unwrap().attempts
    }
}

async fn converse(stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mood = || state.lock().unwrap().mood;
    if mood() == Mood::HangsUp {
        state.lock().unwrap().attempts += 1;
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink ESMTP\r\n").await?;
    let mut to = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if mood() == Mood::HangsUp {
            state.lock().unwrap().attempts += usize::from(line.starts_with("MAIL"));
            return Ok(());
        }
        let verb = line.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "MAIL" => {
                state.lock().unwrap().attempts += 1;
                to.clear();
                b"250 fine\r\n"
            }
            "RCPT" if mood() == Mood::Refuses => b"550 no such mailbox\r\n",
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                to.push(address.to_owned());
                b"250 fine\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let raw = data(&mut stream).await?;
                if mood() == Mood::Busy {
                    b"451 come back later\r\n"
                } else {
                    // Before it is said to be taken, so that whoever waits for that finds it.
                    let received = Received { to: std::mem::take(&mut to), raw };
                    state.lock().unwrap().received.push(received);
                    b"250 taken\r\n"
                }
            }
            "NOOP" | "RSET" => b"250 fine\r\n",
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"502 unknown\r\n",
        };
        stream.write_all(answer).await?;
    }
}

/// What comes until a lonely dot, without the dots that protect lines (RFC 5321, section 4.5.2).
async fn data(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut raw = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.strip_prefix('.') {
            Some("\r\n") => return Ok(raw),
            Some(rest) => raw.push_str(rest),
            None => raw.push_str(&line),
        }
    }
}
