//! Logs the audit events of commands. A command is a process of its own, and its events would otherwise be in no log that
//! somebody collects.

use protocol::model::Event;
use protocol::time::UnixTime;
use store::{EventFilter, Fault, Noted, Store};

use super::task::{Failure, Next, Node};
use crate::observe::audit::{Followed, Line};

/// A first look goes back so many seconds: the node that did this before may have ended as long ago as its lease is valid.
const FIRST_LOOK_S: u64 = 95;
/// Events that are read from the store at once.
const PAGE_ROWS: usize = 200;

/// Logs the events since the last look.
pub(super) async fn log(node: &Node) -> Result<Next, Failure> {
    let app = &node.app;
    let followed = app.trail.followed().clone();
    match look(&*app.store, followed, app.clock.now()).await {
        Ok((lines, followed)) => {
            *app.trail.followed() = Some(followed);
            app.trail.tell(&lines, &app.metrics);
            Ok(Next::Usual)
        }
        Err(fault) => {
            app.note_fault(&fault);
            Err(Failure::new("the events of commands could not be read", &fault))
        }
    }
}

/// Reads the events of commands that have no line yet. On PostgreSQL an event can become visible after one with a greater
/// number: each look goes back to where the look before the last one ended.
async fn look(store: &dyn Store, followed: Option<Followed>, now: UnixTime) -> Result<(Vec<Line>, Followed), Fault> {
    let newest = store.events(EventFilter { rows_max: 1, ..EventFilter::default() }).await?;
    let newest = newest.first().map_or(i64::MIN, |noted| noted.id);
    let since = UnixTime(now.0.saturating_sub_unsigned(FIRST_LOOK_S));
    let first = Followed { after: i64::MIN, next: i64::MIN, seen: Vec::new(), since };
    let Followed { after, next, mut seen, since } = followed.unwrap_or(first);
    let (mut lines, mut behind) = (Vec::new(), after);
    loop {
        let filter = EventFilter { has_actor: true, since: Some(since), after: Some(behind), ..EventFilter::default() };
        let page = store.events(EventFilter { rows_max: PAGE_ROWS, ..filter }).await?;
        let Some(last) = page.last() else { break };
        behind = last.id;
        for Noted { id, event } in page {
            if !seen.contains(&id) {
                seen.push(id);
                lines.push(line(event, store).await?);
            }
        }
    }
    seen.retain(|id| *id > next);
    Ok((lines, Followed { after: next, next: newest.max(next), seen, since }))
}

async fn line(event: Event, store: &dyn Store) -> Result<Line, Fault> {
    let user = match event.user {
        Some(key) => store.user(key).await?,
        None => None,
    };
    let client = match event.client {
        Some(key) => store.client(key).await?,
        None => None,
    };
    let sub = user.map_or_else(String::new, |user| user.sub.clone());
    let client_id = client.map_or_else(String::new, |client| client.client_id.clone());
    Ok(Line::new(event, sub, client_id))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::line::Write;
    use protocol::model::EventKind;
    use store::Memory;

    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn note(at: UnixTime, actor: Option<&str>) -> Write {
        Write::Note(Event {
            at,
            kind: EventKind::UserChanged,
            user: None,
            client: None,
            address: String::new(),
            detail: "disabled".to_owned(),
            actor: actor.map(ToOwned::to_owned),
        })
    }

    #[tokio::test]
    async fn each_event_of_a_command_is_logged_once_and_those_of_requests_are_not_logged_again() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let by = Some("root (uid 0)");
        let old = UnixTime(NOW.0 - 3600);
        store.commit([note(old, by), note(NOW, by), note(NOW, None)].into()).await.unwrap();
        let (lines, mut followed) = look(&*store, None, NOW).await.unwrap();
        assert_eq!(lines.len(), 1, "an event from before the last server ended has its line there");
        let rounds = [
            (vec![], 0),
            (vec![note(NOW, by), note(NOW, None)], 1),
            (vec![], 0),
            (vec![], 0),
            (vec![note(NOW, by)], 1),
        ];
        for (news, expected) in rounds {
            if !news.is_empty() {
                store.commit(news.into()).await.unwrap();
            }
            let (lines, next) = look(&*store, Some(followed), NOW).await.unwrap();
            assert_eq!(lines.len(), expected);
            followed = next;
        }
    }
}
