//! The log lines of refused requests. Strangers can cause any number of refusals, but must not be able to fill the log.
//! The first refusal of a kind in a minute gets a line. The others of that minute share one line with their number.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::http::StatusCode;
use protocol::refusal::{No, Refusal};
use protocol::wire::Param;

use crate::address::wider;
use crate::http::Request;

/// The period over which refusals of one kind share a line.
pub const EVERY: Duration = Duration::from_secs(60);
/// Maximum number of kinds per minute. With two lines of about 300 bytes each, this and the two limits below bound the
/// log of refusals to about 180 KB a minute.
const KINDS_MAX: usize = 128;
/// Maximum number of kinds per client address, or per IPv6 /48, so that one client cannot use up the kinds of all.
const KINDS_OF_ONE_MAX: usize = 32;
/// Further kinds that are reserved for alarms, so that noise cannot hide a replayed token.
const ALARMS_MAX: usize = 32;
/// Maximum number of kinds that are counted without the address once the kinds with an address are used up, so that
/// many callers of one sort cannot hide other refusals.
const BEYOND_MAX: usize = 128;
/// The address in the log line of a kind that is counted without the address.
const OTHERS: &str = "others";
/// Maximum length of request text that a log line repeats, in bytes.
const TEXT_BYTES_MAX: usize = 100;

/// The refusals of the current minute.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    /// For each kind, the number of refusals after its first line.
    kinds: HashMap<Kind, u64>,
    /// Number of kinds by client address.
    by_owner: HashMap<String, usize>,
    alarms: usize,
    /// For each kind that is counted without the address, the number of refusals after its first line.
    beyond: HashMap<Kind, u64>,
    /// Number of refusals that no kind had room for.
    others: u64,
}

/// The kind of a refusal: refusals with equal kinds share a log line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    no: No,
    address: String,
    dialect: String,
    endpoint: String,
}

/// The severity of a refusal in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loudness {
    /// The operator should investigate: somebody may have a stolen credential or guess one, or the server is
    /// overloaded.
    Alarm,
    /// Any other refusal.
    Notice,
}

impl Loudness {
    fn of(no: No) -> Self {
        match no {
            No::CodeReplayed | No::RefreshReplayed | No::RefreshAhead | No::LockedOut | No::Busy => Self::Alarm,
            _ => Self::Notice,
        }
    }
}

/// One refused request.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The HTTP request.
    pub request: &'a Request,
    /// The dialect and the endpoint. The dialect is empty if there is none.
    pub place: (&'a str, &'a str),
    /// The client address, as it is counted.
    pub address: &'a str,
    /// The refusal.
    pub refusal: &'a Refusal,
    /// The client ID, if the request named a client that exists.
    pub client_id: Option<&'a str>,
    /// The status of the answer.
    pub status: StatusCode,
    /// The time that handling the request took.
    pub took: Duration,
}

impl Refusals {
    /// Logs a refused request, or counts it if its kind already has a line.
    pub fn refused(&self, refused: &Refused<'_>) {
        let (dialect, endpoint) = refused.place;
        let kind = Kind {
            no: refused.refusal.no,
            address: refused.address.to_owned(),
            dialect: dialect.to_owned(),
            endpoint: endpoint.to_owned(),
        };
        let is_first = self.0.lock().unwrap_or_else(PoisonError::into_inner).count(kind);
        if is_first {
            refused.log();
        }
    }

    /// Ends the minute: logs the number of refusals of each kind beyond its first line.
    pub fn tell(&self) {
        let minute = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let told = minute.kinds.into_iter().chain(minute.beyond).filter(|(_, own)| *own > 0);
        for (Kind { no, address, dialect, endpoint }, repeated) in told {
            let refusal = no.row().name;
            match Loudness::of(no) {
                Loudness::Alarm => tracing::warn!(dialect, endpoint, refusal, address, repeated, "refused again"),
                Loudness::Notice => tracing::info!(dialect, endpoint, refusal, address, repeated, "refused again"),
            }
        }
        if minute.others > 0 {
            let repeated = minute.others;
            tracing::info!(refusal = "others", repeated, "refused, of more kinds than one minute has lines for");
        }
    }
}

impl Minute {
    /// Counts a refusal. Returns true if it is the first of its kind and gets a line of its own.
    fn count(&mut self, kind: Kind) -> bool {
        if let Some(repeated) = self.kinds.get_mut(&kind) {
            *repeated += 1;
            return false;
        }
        let owner = wider(&kind.address).map_or_else(|| kind.address.clone(), |[_, widest]| widest);
        let of_owner = self.by_owner.get(&owner).copied().unwrap_or(0);
        let is_alarm = Loudness::of(kind.no) == Loudness::Alarm;
        let has_room = if is_alarm {
            self.alarms < ALARMS_MAX || self.kinds.len() - self.alarms < KINDS_MAX
        } else {
            self.kinds.len() - self.alarms < KINDS_MAX
        };
        if !has_room || of_owner >= KINDS_OF_ONE_MAX {
            return self.count_beyond(Kind { address: OTHERS.to_owned(), ..kind });
        }
        self.alarms += usize::from(is_alarm && self.alarms < ALARMS_MAX);
        self.by_owner.insert(owner, of_owner + 1);
        self.kinds.insert(kind, 0);
        true
    }

    fn count_beyond(&mut self, kind: Kind) -> bool {
        if let Some(repeated) = self.beyond.get_mut(&kind) {
            *repeated += 1;
            return false;
        }
        if self.beyond.len() >= BEYOND_MAX {
            self.others += 1;
            return false;
        }
        self.beyond.insert(kind, 0);
        true
    }
}

impl Refused<'_> {
    fn log(&self) {
        let Self { request, place: (dialect, endpoint), address, refusal, client_id, status, took } = *self;
        let (id, method, status) = (request.id.as_str(), request.method.as_str(), status.as_u16());
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let (name, param) = (refusal.row().name, refusal.param.map(Param::as_str));
        let client_id = client_id.map(|text| cut(text.as_bytes()));
        let client_id = client_id.as_deref();
        let host = (refusal.no == No::HostUnknown).then(|| cut(&came_host(request)));
        let host = host.as_deref();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    id,
                    method,
                    dialect,
                    endpoint,
                    status,
                    refusal = name,
                    address,
                    client_id,
                    param,
                    host,
                    took_us,
                    "refused"
                )
            };
        }
        match Loudness::of(refusal.no) {
            Loudness::Alarm => line!(warn),
            Loudness::Notice => line!(info),
        }
    }
}

/// Returns the host as the client sent it, even if it is malformed.
fn came_host(request: &Request) -> Vec<u8> {
    let authority = request.uri.authority().map(|own| own.as_str().as_bytes());
    let lines = request.headers.get_all(::http::header::HOST).iter().map(::http::HeaderValue::as_bytes);
    authority.into_iter().chain(lines).collect::<Vec<_>>().join(&b", "[..])
}

/// Returns the beginning of untrusted text in printable ASCII.
fn cut(text: &[u8]) -> String {
    let mut out = text[..text.len().min(TEXT_BYTES_MAX)].escape_ascii().to_string();
    if text.len() > TEXT_BYTES_MAX {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(no: No, address: &str, endpoint: &str) -> Kind {
        Kind { no, address: address.to_owned(), dialect: "standard".to_owned(), endpoint: endpoint.to_owned() }
    }

    #[test]
    fn the_first_refusal_of_a_kind_has_a_line_and_the_others_of_the_minute_are_counted() {
        let mut minute = Minute::default();
        for (no, address, endpoint) in [
            (No::ClientUnknown, "192.0.2.1", "token"),
            (No::ClientUnknown, "192.0.2.1", "introspect"),
            (No::ClientUnknown, "192.0.2.2", "token"),
            (No::ClientDisabled, "192.0.2.1", "token"),
        ] {
            let own = kind(no, address, endpoint);
            assert!(minute.count(own.clone()), "{own:?}");
            assert!((0..3).all(|_| !minute.count(own.clone())), "{own:?}");
            assert_eq!(minute.kinds[&own], 3);
        }
        assert_eq!(minute.others, 0);
    }

    #[test]
    fn one_client_has_a_bounded_number_of_lines_and_leaves_those_of_others() {
        let mut minute = Minute::default();
        for host in 0..1_000 {
            minute.count(kind(No::HostUnknown, &format!("2001:db8:1:{host:x}::/64"), "host"));
        }
        assert_eq!(minute.kinds.len(), KINDS_OF_ONE_MAX);
        let beyond = kind(No::HostUnknown, OTHERS, "host");
        assert_eq!(minute.beyond[&beyond], 1_000 - KINDS_OF_ONE_MAX as u64 - 1);
        assert!(minute.count(kind(No::HostUnknown, "192.0.2.1", "host")));
    }

    #[test]
    fn many_clients_have_a_bounded_number_of_lines_and_an_alarm_still_has_one() {
        let mut minute = Minute::default();
        for host in 0..10_000 {
            minute.count(kind(No::ClientUnknown, &format!("10.0.{}.{}", host / 256, host % 256), "token"));
        }
        assert_eq!(minute.kinds.len(), KINDS_MAX);
        assert!(minute.count(kind(No::RefreshReplayed, "192.0.2.1", "token")));
        for host in 0..10_000 {
            minute.count(kind(No::LockedOut, &format!("10.0.{}.{}", host / 256, host % 256), "token"));
        }
        assert_eq!(minute.kinds.len(), KINDS_MAX + ALARMS_MAX);
        let beyond: u64 = minute.beyond.values().map(|repeated| repeated + 1).sum();
        assert_eq!(beyond, 20_000 - KINDS_MAX as u64 - ALARMS_MAX as u64 + 1);
        assert!(minute.count(kind(No::HostUnknown, "192.0.2.1", "host")), "another refusal has its line all the same");
    }

    #[test]
    fn the_kinds_without_an_address_are_bounded_too() {
        let mut minute = Minute::default();
        for endpoint in 0..1_000 {
            minute.count(kind(No::AddressUnknown, "192.0.2.1", &endpoint.to_string()));
        }
        assert_eq!((minute.kinds.len(), minute.beyond.len()), (KINDS_OF_ONE_MAX, BEYOND_MAX));
        assert_eq!(minute.others, 1_000 - KINDS_OF_ONE_MAX as u64 - BEYOND_MAX as u64);
    }

    #[test]
    fn what_a_stranger_wrote_is_cut_and_printable() {
        assert_eq!(cut(b"evil.example"), "evil.example");
        assert_eq!(cut("a\nb\u{202e}\x1b[31m".as_bytes()), "a\\nb\\xe2\\x80\\xae\\x1b[31m");
        assert_eq!(cut(&[b'x'; 1_000]).len(), TEXT_BYTES_MAX + 3);
    }
}
