//! A connection that is kept: requests one after the other, as a client library sends them.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tests::{Answer, form};

/// No answer takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A client with a connection of its own, which it opens again when the server has closed it.
pub(crate) struct Wire {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Wire {
    pub(crate) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None }
    }

    /// Asks, on a new connection where the one so far was closed meanwhile.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, Error> {
        let is_new = self.stream.is_none();
        match self.exchange(method, path, headers, body) {
            Err(_) if !is_new => {
                self.stream = None;
                self.exchange(method, path, headers, body)
            }
            done => done,
        }
        .inspect_err(|_| self.stream = None)
    }

    /// Posts a form.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Answer, Error> {
        self.ask("POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], &form(fields))
    }

    /// Closes the connection, in the middle of whatever it is.
    pub(crate) fn hang_up(&mut self, words: &str) -> Result<(), Error> {
        self.open()?.get_mut().write_all(words.as_bytes())?;
        self.stream = None;
        Ok(())
    }

    fn open(&mut self) -> Result<&mut BufReader<TcpStream>, Error> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(ANSWER_MAX))?;
            self.stream = Some(BufReader::new(stream));
        }
        self.stream.as_mut().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn exchange(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer, Error> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if method == "POST" {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        text += "\r\n";
        text += body;
        let stream = self.open()?;
        stream.get_mut().write_all(text.as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let parsed = Answer::parse(head.as_bytes()).ok_or(ErrorKind::InvalidData)?;
        let length = parsed.header("content-length").and_then(|text| text.parse::<usize>().ok()).unwrap_or_default();
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes)?;
        if parsed.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.stream = None;
        }
        Ok(Answer { body: String::from_utf8_lossy(&bytes).into_owned(), ..parsed })
    }
}
