//! Audit events in the log: one line with the target `audit` for each committed event, and a warning for each lockout.
//! The table `events` is the authoritative record. The lines are for log collectors.

use jiff::Timestamp;
use protocol::line::{Changes, Facts, Write};
use protocol::model::{Client, ClientKey, Event, EventKind, User, UserKey};
use protocol::person::attempts::Lockout;

use super::metrics::{Metrics, SignIn};

/// An audit event with the public identifiers of its user and client.
#[derive(Debug)]
pub(crate) struct Line {
    event: Event,
    sub: String,
    client_id: String,
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

/// Logs events that were committed, and counts sign-ins and lockouts.
pub(crate) fn tell(lines: &[Line], metrics: &Metrics) {
    for Line { event, sub, client_id } in lines {
        let Event { at, kind, address, detail, .. } = event;
        tracing::info!(target: "audit", kind = kind.as_str(), user = sub, client = client_id, address, detail, "audit");
        match kind {
            EventKind::SignedIn => metrics.signed_in(SignIn::Ok),
            EventKind::SignInFailed => metrics.signed_in(SignIn::Failed),
            EventKind::PasswordProven => metrics.signed_in(SignIn::SecondFactorMissing),
            EventKind::LockedOut => {
                let Some(Lockout { by, for_s }) = Lockout::read(detail) else { continue };
                metrics.locked_out(by);
                let until =
                    Timestamp::from_second(at.plus(for_s).0).map_or_else(|_| String::new(), |at| at.to_string());
                tracing::warn!(by = by.as_str(), user = sub, address, until, detail, "locked out");
            }
            _ => {}
        }
    }
}
