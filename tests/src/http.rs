//! The least of HTTP/1.1 that a test needs: one request on a connection of its own, written byte by byte as the test says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::Installation;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Reads an answer, if these bytes are one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(own, value)| own.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|fault| panic!("{fault}: {self:?}"))
    }
}

/// The way to one server, or to several that share a store and are asked in turn.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    host: String,
    addresses: Vec<String>,
    turn: Arc<AtomicUsize>,
}

impl Door {
    /// To a server that is called `host`.
    pub(crate) fn new(address: &str, host: &str) -> Self {
        Self { host: host.to_owned(), addresses: vec![address.to_owned()], turn: Arc::default() }
    }

    /// To several of the same name.
    pub(crate) fn among(servers: &[Installation]) -> Self {
        let addresses = servers.iter().map(|server| server.address.clone()).collect();
        Self { addresses, ..servers[0].door() }
    }

    /// What the servers are called.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request. Of several servers, one that does not take the connection is passed over, as a balancer would.
    /// `None` when there is no whole answer.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
        let text = request(method, path, &[&[("Host", self.host.as_str())], headers].concat(), body);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.addresses.len();
        let mut in_turn = self.addresses.iter().cycle().skip(turn).take(self.addresses.len());
        ask(in_turn.find_map(|address| TcpStream::connect(address).ok())?, &text)
    }

    /// Posts a form, as [`Door::send`].
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Option<Answer> {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        self.send("POST", path, &[&[kind], headers].concat(), &form(fields))
    }
}

/// Sends a request and reads until the server closes the connection. `None` when there is no whole answer, such as from a
/// server that is being killed.
#[must_use]
pub fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
    let is_named = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host: &[_] = if is_named { &[] } else { &[("Host", address)] };
    let text = request(method, path, &[host, headers].concat(), body);
    ask(TcpStream::connect(address).ok()?, &text)
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() || method == "POST" {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text.push_str("\r\n");
    text.push_str(body);
    text
}

/// Sends a request over a connection, and reads until the server closes it.
fn ask(mut stream: TcpStream, text: &str) -> Option<Answer> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    // A server that refuses early may close before everything is written; its answer is there all the same.
    let _ = stream.write_all(text.as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let answer = Answer::parse(&bytes)?;
    let length = answer.header("content-length").and_then(|text| text.parse::<usize>().ok());
    length.is_none_or(|length| length == answer.body.len()).then_some(answer)
}

/// Fields as a form body.
#[must_use]
pub fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| {
        text.bytes()
            .map(|b| match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect::<String>()
    };
    fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

/// The fields of a form body or a query.
///
/// # Panics
/// When it is neither.
#[must_use]
pub fn form_fields(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            let (byte, next) = match (first, after) {
                (b'%', [high, low, next @ ..]) => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).expect("two digits");
                    (u8::from_str_radix(digits, 16).expect("two digits"), next)
                }
                (b'+', next) => (b' ', next),
                (other, next) => (*other, next),
            };
            bytes.push(byte);
            rest = next;
        }
        String::from_utf8(bytes).expect("it is text")
    };
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decode(name), decode(value))).collect()
}
