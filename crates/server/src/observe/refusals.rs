//! The log lines of refused requests. Strangers can cause any number of refusals, but must not be able to fill the log.
//! The first refusals of a kind in a minute get a line each. The others of that minute share one line with their number.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::http::StatusCode;
use protocol::refusal::{No, Refusal};

use super::details::{Details, METHOD_BYTES_MAX, cut};
use crate::address::wider;
use crate::http::Request;

/// The period over which refusals of one kind share a line.
pub const EVERY: Duration = Duration::from_secs(60);
/// Maximum number of lines in a minute, as the limits below add up: each kind has a first line and a line with the number of
/// the others. With about 400 bytes each, that is some 350 KB a minute.
#[cfg(test)]
const LINES_MAX: usize = 2 * (KINDS_MAX + ALARMS_MAX + BEYOND_MAX) + MORE_MAX + 1;
/// Maximum number of lines of one kind, beside the one with the number of the others.
const LINES_OF_KIND_MAX: u32 = 10;
/// Maximum number of lines per minute beyond the first of each kind, for all kinds together.
const MORE_MAX: usize = 256;
/// Maximum number of such lines per client address, or per IPv6 /48.
const MORE_OF_ONE_MAX: usize = 64;
/// Maximum number of kinds per minute.
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

/// The refusals of the current minute.
#[derive(Debug, Default)]
pub struct Refusals {
    minute: Mutex<Minute>,
    /// Number of refusals without a line of their own since the process started.
    without_line: AtomicU64,
}

#[derive(Debug, Default)]
struct Minute {
    kinds: HashMap<Kind, Told>,
    by_owner: HashMap<String, Share>,
    alarms: usize,
    /// Number of lines beyond the first of each kind.
    more: usize,
    /// For each kind that is counted without the address, the number of refusals after its first line.
    beyond: HashMap<Kind, u64>,
    /// Number of refusals that no kind had room for.
    others: u64,
}

/// What the log told of a kind.
#[derive(Debug, Default)]
struct Told {
    lines: u32,
    /// Number of refusals without a line.
    repeated: u64,
}

/// The share of one client address in the lines of a minute.
#[derive(Debug, Default)]
struct Share {
    kinds: usize,
    more: usize,
}

/// The kind of a refusal: refusals with equal kinds share a log line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    no: No,
    address: String,
    dialect: String,
    endpoint: String,
    /// The client, if it exists.
    client_id: Option<String>,
    /// The user, if it is known.
    user: Option<String>,
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
            No::CodeReplayed
            | No::RefreshReplayed
            | No::RefreshAhead
            | No::LockedOut
            | No::ClientLockedOut
            | No::Busy => Self::Alarm,
            _ => Self::Notice,
        }
    }
}

/// One refused request.
#[derive(Clone, Copy)]
pub(crate) struct Refused<'a> {
    /// The HTTP request.
    pub(crate) request: &'a Request,
    /// The dialect and the endpoint. The dialect is empty if there is none.
    pub(crate) place: (&'a str, &'a str),
    /// The client address, as it is counted.
    pub(crate) address: &'a str,
    /// The refusal.
    pub(crate) refusal: &'a Refusal,
    /// The client ID, if the client exists.
    pub(crate) client_id: Option<&'a str>,
    /// The public identifier of the user whom the request is about, if that is known.
    pub(crate) user: Option<&'a str>,
    /// Reads what else the line tells.
    pub(crate) details: &'a dyn Fn() -> Details,
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// The time that handling the request took.
    pub(crate) took: Duration,
}

impl Refusals {
    /// Logs a refused request, or counts it if its kind already has a line.
    pub(crate) fn refused(&self, refused: &Refused<'_>) {
        let (dialect, endpoint) = refused.place;
        let kind = Kind {
            no: refused.refusal.no,
            address: refused.address.to_owned(),
            dialect: dialect.to_owned(),
            endpoint: endpoint.to_owned(),
            client_id: refused.client_id.map(ToOwned::to_owned),
            user: refused.user.map(ToOwned::to_owned),
        };
        let has_line = self.minute.lock().unwrap_or_else(PoisonError::into_inner).count(kind);
        if has_line {
            refused.log();
        } else {
            self.without_line.fetch_add(1, Relaxed);
        }
    }

    /// Returns the number of refusals without a line of their own since the process started.
    pub(super) fn without_line(&self) -> u64 {
        self.without_line.load(Relaxed)
    }

    /// Ends the minute: logs the number of refusals of each kind that had no line.
    pub fn tell(&self) {
        let minute = std::mem::take(&mut *self.minute.lock().unwrap_or_else(PoisonError::into_inner));
        let kinds = minute.kinds.into_iter().map(|(kind, told)| (kind, told.repeated));
        let repeated = kinds.chain(minute.beyond).filter(|(_, repeated)| *repeated > 0);
        for (Kind { no, address, dialect, endpoint, client_id, user }, repeated) in repeated {
            let (refusal, client_id, user) = (no.row().name, client_id.as_deref(), user.as_deref());
            macro_rules! line {
                ($level:ident) => {
                    tracing::$level!(dialect, endpoint, refusal, address, client_id, user, repeated, "refused again")
                };
            }
            match Loudness::of(no) {
                Loudness::Alarm => line!(warn),
                Loudness::Notice => line!(info),
            }
        }
        if minute.others > 0 {
            let repeated = minute.others;
            tracing::info!(refusal = "others", repeated, "refused, of more kinds than one minute has lines for");
        }
    }
}

impl Minute {
    /// Counts a refusal. Returns true if it gets a line of its own.
    fn count(&mut self, kind: Kind) -> bool {
        let owner = wider(&kind.address).map_or_else(|| kind.address.clone(), |[_, widest]| widest);
        if let Some(told) = self.kinds.get_mut(&kind) {
            let share = self.by_owner.entry(owner).or_default();
            let has_line = told.lines < LINES_OF_KIND_MAX && self.more < MORE_MAX && share.more < MORE_OF_ONE_MAX;
            if has_line {
                told.lines += 1;
                share.more += 1;
                self.more += 1;
            } else {
                told.repeated += 1;
            }
            return has_line;
        }
        let kinds_of_owner = self.by_owner.get(&owner).map_or(0, |share| share.kinds);
        let is_alarm = Loudness::of(kind.no) == Loudness::Alarm;
        let has_room = if is_alarm {
            self.alarms < ALARMS_MAX || self.kinds.len() - self.alarms < KINDS_MAX
        } else {
            self.kinds.len() - self.alarms < KINDS_MAX
        };
        if !has_room || kinds_of_owner >= KINDS_OF_ONE_MAX {
            return self.count_beyond(Kind { address: OTHERS.to_owned(), client_id: None, user: None, ..kind });
        }
        self.alarms += usize::from(is_alarm && self.alarms < ALARMS_MAX);
        self.by_owner.entry(owner).or_default().kinds += 1;
        self.kinds.insert(kind, Told { lines: 1, repeated: 0 });
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
    /// Writes the line of the refusal. The details are read only now: most refusals of a flood have no line.
    fn log(&self) {
        let Self { request, place: (dialect, endpoint), address, refusal, client_id, user, status, took, .. } = *self;
        let details = (self.details)();
        let method = cut(request.method.as_str().as_bytes(), METHOD_BYTES_MAX);
        let (id, method, status) = (request.id.as_str(), method.as_str(), status.as_u16());
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let name = refusal.row().name;
        let Details { auth_method, param, .. } = details;
        let client_id_unverified = details.claimed_client.as_deref().filter(|_| client_id.is_none());
        let (value, path) = (details.value.as_deref(), details.path.as_deref());
        let (content_type, host, hosts) =
            (details.content_type.as_deref(), details.host.as_deref(), details.hosts.as_deref());
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    id,
                    method,
                    dialect,
                    endpoint,
                    path,
                    status,
                    refusal = name,
                    address,
                    client_id,
                    client_id_unverified,
                    user,
                    auth_method,
                    param,
                    value,
                    content_type,
                    host,
                    hosts,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(no: No, address: &str, endpoint: &str) -> Kind {
        let (dialect, endpoint) = ("standard".to_owned(), endpoint.to_owned());
        Kind { no, address: address.to_owned(), dialect, endpoint, client_id: None, user: None }
    }

    #[test]
    fn the_first_refusals_of_a_kind_have_lines_and_the_others_of_the_minute_are_counted() {
        let mut minute = Minute::default();
        let usual = || kind(No::ClientSecretWrong, "192.0.2.1", "token");
        for own in [
            usual(),
            kind(No::ClientSecretWrong, "192.0.2.1", "introspect"),
            kind(No::ClientSecretWrong, "192.0.2.2", "token"),
            kind(No::ClientDisabled, "192.0.2.1", "token"),
            Kind { client_id: Some("web".to_owned()), ..usual() },
            Kind { client_id: Some("other".to_owned()), ..usual() },
            Kind { user: Some("alice".to_owned()), ..usual() },
        ] {
            let lines = (0..15).filter(|_| minute.count(own.clone())).count();
            assert_eq!(lines, LINES_OF_KIND_MAX as usize, "{own:?}");
            assert_eq!(minute.kinds[&own].repeated, 5);
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
    fn no_flood_makes_more_lines_in_a_minute_than_the_guide_says() {
        let mut minute = Minute::default();
        let mut lines = 0;
        for round in 0..40_u32 {
            for (at, row) in protocol::refusal::TABLE.iter().enumerate() {
                for host in 0..20 {
                    let address = format!("10.{}.{}.{host}", at % 256, round % 4);
                    lines += usize::from(minute.count(kind(row.no, &address, "token")));
                }
            }
        }
        lines += minute.kinds.values().filter(|told| told.repeated > 0).count();
        lines += minute.beyond.values().filter(|repeated| **repeated > 0).count();
        lines += usize::from(minute.others > 0);
        assert!(lines <= LINES_MAX && LINES_MAX < 850, "{lines} of {LINES_MAX}");
    }
}
