//! Audit events in the log: one line with the target `audit` for each committed event, and a warning for each lockout.
//! The table `events` is the authoritative record. The lines are for log collectors.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use protocol::line::{Changes, Facts, Write};
use protocol::model::{Client, ClientKey, Event, EventKind, User, UserKey};
use protocol::person::attempts::Lockout;
use protocol::person::failure::Failure;
use protocol::time::UnixTime;

use super::metrics::{Metrics, SignIn};

/// Maximum number of lines in a minute about events that strangers can cause. With about 300 bytes each, that is some 180 KB.
const STRANGERS_LINES_MAX: u64 = 600;

/// An audit event with the public identifiers of its user and client.
#[derive(Debug)]
pub(crate) struct Line {
    event: Event,
    sub: String,
    client_id: String,
}

impl Line {
    /// An event of a command, whose user and client were looked up.
    pub(crate) fn new(event: Event, sub: String, client_id: String) -> Self {
        Self { event, sub, client_id }
    }

    /// True if the event says that somebody failed or was refused.
    pub(crate) fn is_failure(&self) -> bool {
        is_of_strangers(self.event.kind)
            || matches!(
                self.event.kind,
                EventKind::CodeReplayed | EventKind::RefreshReplayed | EventKind::RefreshRefused
            )
    }

    /// The public identifier of the user, if there is one.
    pub(crate) fn user(&self) -> Option<&str> {
        Some(&*self.sub).filter(|sub| !sub.is_empty())
    }
}

/// True if people without an account or a client can cause events of this kind, as many as they like.
fn is_of_strangers(kind: EventKind) -> bool {
    matches!(kind, EventKind::SignInFailed | EventKind::ClientAuthFailed | EventKind::LockedOut)
}

/// Collects the events among the changes of a turn. Event rows refer to users and clients by internal keys. The public
/// identifiers come from the rows that the turn loaded or writes.
pub(crate) fn lines(facts: &Facts, changes: &Changes) -> Vec<Line> {
    let events =
        changes.writes.iter().filter_map(|write| if let Write::Note(event) = write { Some(event) } else { None });
    let line = |event: &Event| Line {
        event: event.clone(),
        sub: event.user.and_then(|key| sub(key, facts, changes)).unwrap_or_default(),
        client_id: event.client.and_then(|key| client_id(key, facts, changes)).unwrap_or_default(),
    };
    events.map(line).collect()
}

fn sub(key: UserKey, facts: &Facts, changes: &Changes) -> Option<String> {
    let mut put =
        changes.writes.iter().filter_map(|write| if let Write::PutUser(row) = write { Some(&**row) } else { None });
    let written = put.find(|user| user.key == key);
    let found = || facts.users().map(|user| &**user).find(|user: &&User| user.key == key);
    written.or_else(found).map(|user| user.sub.clone())
}

fn client_id(key: ClientKey, facts: &Facts, changes: &Changes) -> Option<String> {
    let mut put =
        changes.writes.iter().filter_map(|write| if let Write::PutClient(row) = write { Some(&**row) } else { None });
    let written = put.find(|client| client.key == key);
    let found = || facts.clients().map(|client| &**client).find(|client: &&Client| client.key == key);
    written.or_else(found).map(|client| client.client_id.clone())
}

/// Writes the lines about audit events, and bounds those that strangers can cause.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// Events of this minute that strangers can cause.
    strangers: AtomicU64,
    /// Number of events without a line since the process started.
    without_line: AtomicU64,
    /// How far the events of commands were logged.
    followed: Mutex<Option<Followed>>,
}

/// How far the events of commands were logged.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    /// Everything up to this number was looked at.
    pub(crate) after: i64,
    /// Everything up to this number will have been looked at by the next look.
    pub(crate) next: i64,
    /// The events above `after` that have a line.
    pub(crate) seen: Vec<i64>,
    /// Events before this time have their line from an earlier process, or have none.
    pub(crate) since: UnixTime,
}

impl Trail {
    /// Logs events that were committed, and counts them.
    pub(crate) fn tell(&self, lines: &[Line], metrics: &Metrics) {
        for line in lines {
            count(line, metrics);
            if is_of_strangers(line.event.kind) && self.strangers.fetch_add(1, Relaxed) >= STRANGERS_LINES_MAX {
                self.without_line.fetch_add(1, Relaxed);
            } else {
                log(line);
            }
        }
    }

    /// Ends the minute: logs the number of events that had no line.
    pub(crate) fn end_minute(&self) {
        let left_out = self.strangers.swap(0, Relaxed).saturating_sub(STRANGERS_LINES_MAX);
        if left_out > 0 {
            tracing::warn!(left_out, "audit events without a line in the log: see grantry event list");
        }
    }

    /// Returns the number of events without a line since the process started.
    pub(super) fn without_line(&self) -> u64 {
        self.without_line.load(Relaxed)
    }

    /// How far the events of commands were logged; `None` before the first look.
    pub(crate) fn followed(&self) -> MutexGuard<'_, Option<Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(Line { event, .. }: &Line, metrics: &Metrics) {
    metrics.noted(event.kind);
    match event.kind {
        EventKind::SignedIn => metrics.signed_in(SignIn::Ok),
        EventKind::SignInFailed => {
            metrics.signed_in(SignIn::Failed);
            if let Some(failure) = Failure::read(&event.detail) {
                metrics.sign_in_failed(failure);
            }
        }
        EventKind::PasswordProven => metrics.signed_in(SignIn::SecondFactorMissing),
        EventKind::LockedOut => {
            if let Some(lockout) = Lockout::read(&event.detail) {
                metrics.locked_out(lockout.by);
            }
        }
        _ => {}
    }
}

fn log(Line { event, sub, client_id }: &Line) {
    let Event { at, kind, address, detail, actor, .. } = event;
    let actor = actor.as_deref();
    let lockout = Lockout::read(detail).filter(|_| *kind == EventKind::LockedOut);
    let until = lockout.and_then(|own| Timestamp::from_second(at.plus(own.for_s).0).ok()).map(|at| at.to_string());
    let until = until.as_deref();
    tracing::info!(
        target: "audit", kind = kind.as_str(), user = sub, client = client_id, address, actor, until, detail, "audit"
    );
    if let Some(Lockout { by, .. }) = lockout {
        tracing::warn!(by = by.as_str(), user = sub, client = client_id, address, until, detail, "locked out");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: EventKind) -> Line {
        let (address, detail) = ("192.0.2.1".to_owned(), String::new());
        let event = Event { at: UnixTime(1), kind, user: None, client: None, address, detail, actor: None };
        Line::new(event, String::new(), String::new())
    }

    #[test]
    fn strangers_cannot_fill_the_log_with_audit_lines_and_those_of_others_are_never_left_out() {
        let metrics = Metrics::for_tests();
        let trail = Trail::default();
        for _ in 0..STRANGERS_LINES_MAX + 7 {
            trail.tell(&[line(EventKind::SignInFailed), line(EventKind::ConsentGiven)], &metrics);
        }
        assert_eq!(trail.without_line(), 7);
        trail.end_minute();
        trail.tell(&[line(EventKind::SignInFailed)], &metrics);
        assert_eq!(trail.without_line(), 7, "the next minute has lines again");
    }
}
