//! Audit events in the log: one line with the target `audit` for each event that was committed, and a warning for each
//! lockout. The rows of the table `events` are the record; the lines are for whoever collects logs.

use jiff::Timestamp;
use protocol::line::{Changes, Facts, Write};
use protocol::model::{Client, ClientKey, Event, EventKind, User, UserKey};
use protocol::person::attempts::Lockout;

use super::metrics::{Metrics, SignIn};

/// An event on its way to the log, with the public names of those whom it is about.
#[derive(Debug)]
pub(crate) struct Line {
    event: Event,
    sub: String,
    client_id: String,
}

/// The events among the changes of a turn. Their rows have keys that never leave the server; the names are those of the rows
/// that the turn was judged against, or that it writes.
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

/// Writes the lines of events that were committed, and counts sign-ins and lockouts.
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
