//! HTTP/2 by hand: a client that sends whatever frames a test wants, also those that no library would send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How every connection begins, RFC 9113 §3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames, RFC 9113 §6.
pub mod kind {
    #![allow(missing_docs, reason = "the names are those of the RFC")]
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    #![allow(missing_docs, reason = "the names are those of the RFC")]
    pub const NONE: u8 = 0;
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;
}

/// A frame that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What is in it.
    pub payload: Vec<u8>,
}

/// A frame as bytes.
///
/// # Panics
/// When the payload is longer than a frame can be.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).ok().filter(|length| *length < 1 << 24).expect("it fits into a frame");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header field, literal and not to be remembered: RFC 7541 §6.2.2.
///
/// # Panics
/// When name or value is longer than 10,000 bytes.
#[must_use]
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        let length = text.len();
        assert!(length < 10_000, "the length has two digits at most");
        if length < 127 {
            bytes.push(u8::try_from(length).expect("it is small"));
        } else {
            // RFC 7541 §5.1: 127, and what is left in digits of seven bits.
            let rest = length - 127;
            bytes.extend([127, u8::try_from(rest % 128).expect("it is small") | 128]);
            bytes.push(u8::try_from(rest / 128).expect("it is small"));
        }
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// The fields of a request.
#[must_use]
pub fn request(method: &str, host: &str, path: &str) -> Vec<u8> {
    [field(":method", method), field(":scheme", "http"), field(":path", path), field(":authority", host)].concat()
}

/// A connection.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Connects and agrees on HTTP/2.
    ///
    /// # Panics
    /// When the server does not listen.
    #[must_use]
    pub fn open(address: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        stream.set_write_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        stream.write_all(PREFACE).expect("it takes the preface");
        stream.write_all(&frame(kind::SETTINGS, flag::NONE, 0, &[])).expect("it takes settings");
        Self { stream, received: Vec::new() }
    }

    /// Sends bytes. Says whether the server took them.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Ends the sending side.
    pub fn end(&mut self) {
        // A connection that the server closed has ended already.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// The next frame; `None` when the connection ends or nothing comes for long.
    pub fn receive(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            let mut piece = [0; 16_384];
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.received.extend_from_slice(&piece[..length]),
            }
        }
    }

    /// The next frame of a type; `None` when the connection ends first.
    pub fn wait_for(&mut self, kind: u8) -> Option<Frame> {
        std::iter::from_fn(|| self.receive()).find(|frame| frame.kind == kind)
    }

    /// Sends a request and waits for its status, which a server writes as an indexed field: RFC 7541 appendix A.
    pub fn status(&mut self, stream: u32, fields: &[u8]) -> Option<u16> {
        self.send(&frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, fields));
        let answer = std::iter::from_fn(|| self.receive()).find(|frame| {
            frame.kind == kind::GOAWAY || (frame.stream == stream && frame.kind != kind::WINDOW_UPDATE)
        })?;
        if answer.kind != kind::HEADERS {
            return None;
        }
        status_of(&answer.payload)
    }

    fn take(&mut self) -> Option<Frame> {
        let [a, b, c, kind, flags, s0, s1, s2, s3] = *self.received.first_chunk::<9>()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let payload = self.received.get(9..9 + length)?.to_vec();
        self.received.drain(..9 + length);
        Some(Frame { kind, flags, stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]), payload })
    }
}

/// The status of an answer: the first field, indexed, or literal with the indexed name `:status`.
fn status_of(block: &[u8]) -> Option<u16> {
    let index = block.iter().position(|byte| !(0x20..0x40).contains(byte))?;
    match block[index..] {
        [0x88, ..] => Some(200),
        [0x89, ..] => Some(204),
        [0x8b, ..] => Some(304),
        [0x8c, ..] => Some(400),
        [0x8d, ..] => Some(404),
        [0x8e, ..] => Some(500),
        // Three digits, as they are or in Huffman's code, where 0, 1 and 2 have five bits and 3 to 9 have six.
        [0x48 | 0x08, 3, a, b, c, ..] => std::str::from_utf8(&[a, b, c]).ok()?.parse().ok(),
        [0x48 | 0x08, length, ref rest @ ..] if length & 0x80 != 0 => {
            huffman_digits(rest.get(..usize::from(length & 0x7f))?)?.parse().ok()
        }
        _ => None,
    }
}

fn huffman_digits(bytes: &[u8]) -> Option<String> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let number = |bits: &[u8]| bits.iter().fold(0_u8, |sum, bit| sum << 1 | bit);
    let (mut at, mut text) = (0, String::new());
    while text.len() < 3 {
        let five = number(bits.get(at..at + 5)?);
        // RFC 7541 appendix B: '0' is 00000, '1' 00001, '2' 00010; '3' is 011001, up to '9', which is 011111.
        if five < 3 {
            text.push(char::from(b'0' + five));
            at += 5;
        } else {
            let six = number(bits.get(at..at + 6)?);
            text.push(char::from(b'3' + six.checked_sub(0b01_1001).filter(|digit| *digit < 7)?));
            at += 6;
        }
    }
    Some(text)
}
