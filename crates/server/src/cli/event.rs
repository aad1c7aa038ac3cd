//! `grantry event`: lists audit events.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, Subcommand};
use protocol::model::{ClientKey, EventKind, UserKey};
use protocol::time::UnixTime;
use serde_json::{Value, json};
use store::{EventFilter, Noted};

use super::answer::{Answer, CommandError};
use super::installation::Installation;
use super::show;
use crate::address::UNIX_ADDRESS;
use crate::config::suggestion;

/// Number of events that are read at once.
const PAGE_ROWS: usize = 500;
/// Default of `--limit`.
const LIMIT: &str = "1000";
/// Time between two queries for new events.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
const COLUMNS: [&str; 7] = ["at", "kind", "user", "client", "address", "actor", "detail"];

#[derive(Debug, Subcommand)]
pub(super) enum Event {
    /// List audit events, the latest first.
    #[command(after_help = "\
Examples:
  grantry event list --since 2h
  grantry event list --user alice --kind sign_in_failed --kind locked_out
  grantry event list --address 203.0.113.9 --json
  grantry event list --follow --json       prints one JSON document per line, until you end it

An event names the user and the client by id, e-mail address or user name as they are now. Commands of the operator have no
address, and name the account of the operating system that ran them as actor.")]
    List(List),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only events about this person's account: an id, an e-mail address or a user name.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only events about this application.
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// Only events of this kind, such as `signed_in`. Repeatable.
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// Only events of the last so many minutes, hours or days, such as 30m, 2h or 7d.
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// Only events from this network address.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// List at most so many events.
    #[arg(long, value_name = "NUMBER", default_value = LIMIT)]
    limit: usize,
    /// Go on and print new events as they happen. With --json, one document per line.
    #[arg(long)]
    follow: bool,
}

impl Event {
    pub(super) async fn run(self, installation: &Installation, is_json: bool) -> Result<Answer, CommandError> {
        let Self::List(list) = self;
        list.run(installation, is_json).await
    }
}

impl List {
    async fn run(self, installation: &Installation, is_json: bool) -> Result<Answer, CommandError> {
        let filter = self.filter(installation).await?;
        let mut names = Names::default();
        if self.follow {
            return follow(installation, filter, self.limit, is_json, &mut names).await;
        }
        let found = latest(installation, &filter, self.limit).await?;
        let mut rows = Vec::with_capacity(found.len());
        for noted in &found {
            rows.push(names.document(noted, installation).await?);
        }
        let mut text = show::table(&rows, &COLUMNS, "There are no such events.");
        if rows.len() == self.limit {
            text.push_str(&format!("\nThese are the latest {}: --limit lists more.", self.limit));
        }
        Ok(Answer::new(Value::Array(rows), text))
    }

    async fn filter(&self, installation: &Installation) -> Result<EventFilter, CommandError> {
        let mut filter = EventFilter::default();
        if let Some(name) = &self.user {
            filter.user = Some(installation.user(name).await?.key);
        }
        if let Some(client_id) = &self.client {
            filter.client = Some(installation.client(client_id).await?.key);
        }
        filter.kinds = self.kinds.iter().map(|word| kind(word)).collect::<Result<_, _>>()?;
        if let Some(text) = &self.since {
            let seconds = crate::config::duration(text)
                .ok_or_else(|| CommandError::usage(format!("--since is a duration such as 2h, not `{text}`")))?;
            filter.since = Some(UnixTime(installation.now().0.saturating_sub_unsigned(seconds)));
        }
        // Events hold addresses in the form in which failed attempts are counted: for IPv6, a network.
        filter.address = self.address.as_deref().map(counted).transpose()?;
        Ok(filter)
    }
}

/// Returns an address in the form of events: `unix`, an IPv4 address, or an IPv6 network.
fn counted(text: &str) -> Result<String, CommandError> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(crate::address::counted(address));
    }
    let network = text.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok());
    if text == UNIX_ADDRESS || network.is_some_and(|address| crate::address::counted(address) == text) {
        return Ok(text.to_owned());
    }
    Err(CommandError::usage(format!("--address is an IP address, or an IPv6 network as events have it, not `{text}`")))
}

fn kind(word: &str) -> Result<EventKind, CommandError> {
    let names = || EventKind::ALL.iter().map(|kind| kind.as_str());
    EventKind::from_name(word).ok_or_else(|| {
        let near = suggestion(word, names());
        CommandError::usage(format!("--kind cannot be `{word}`{near}"))
    })
}

/// Returns the latest events, up to `limit`.
async fn latest(installation: &Installation, filter: &EventFilter, limit: usize) -> Result<Vec<Noted>, CommandError> {
    let mut all: Vec<Noted> = Vec::new();
    while all.len() < limit {
        let rows_max = PAGE_ROWS.min(limit - all.len());
        let before = all.last().map(|noted| noted.id);
        let page = installation.store.events(EventFilter { before, rows_max, ..filter.clone() }).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    Ok(all)
}

/// Prints events as they happen, until the process ends or standard output is closed.
async fn follow(
    installation: &Installation,
    filter: EventFilter,
    limit: usize,
    is_json: bool,
    names: &mut Names,
) -> Result<Answer, CommandError> {
    // Without `--since`, print only events from now on. One query finds the latest event so far.
    let since = filter.since;
    let newest = latest(installation, &EventFilter::default(), 1).await?.first().map_or(i64::MIN, |noted| noted.id);
    let mut fresh = if since.is_some() { latest(installation, &filter, limit).await? } else { Vec::new() };
    fresh.reverse();
    // On PostgreSQL an event can become visible after one with a greater id. So each query starts where the query
    // before the last one ended.
    let (mut seen, mut after, mut next) = (HashSet::new(), newest, newest);
    loop {
        let mut out = std::io::stdout().lock();
        for noted in fresh.drain(..).filter(|noted| seen.insert(noted.id)).collect::<Vec<_>>() {
            next = next.max(noted.id);
            let document = names.document(&noted, installation).await?;
            let line = if is_json { document.to_string() } else { show::row(&document, &COLUMNS) };
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                return Ok(Answer::new(Value::Null, ""));
            }
        }
        drop(out);
        tokio::time::sleep(FOLLOW_EVERY).await;
        let mut behind = after;
        loop {
            let wanted = EventFilter { after: Some(behind), rows_max: PAGE_ROWS, ..filter.clone() };
            let page = installation.store.events(wanted).await?;
            let Some(last) = page.last() else { break };
            behind = last.id;
            fresh.extend(page);
        }
        seen.retain(|id| *id > after);
        after = next;
    }
}

/// A cache of the public names of users and clients.
#[derive(Default)]
struct Names {
    users: HashMap<UserKey, Value>,
    clients: HashMap<ClientKey, Value>,
}

impl Names {
    async fn document(&mut self, noted: &Noted, installation: &Installation) -> Result<Value, CommandError> {
        let event = &noted.event;
        let user = match event.user {
            Some(key) => self.user(key, installation).await?,
            None => json!({"id": null, "name": null}),
        };
        let client = match event.client {
            Some(key) => self.client(key, installation).await?,
            None => Value::Null,
        };
        Ok(json!({
            "id": noted.id.to_string(),
            "at": show::time(event.at),
            "kind": event.kind.as_str(),
            "user": user["name"],
            "user_id": user["id"],
            "client": client,
            "address": if event.address.is_empty() { Value::Null } else { json!(event.address) },
            "actor": event.actor,
            "detail": event.detail,
        }))
    }

    async fn user(&mut self, key: UserKey, installation: &Installation) -> Result<Value, CommandError> {
        if let Some(known) = self.users.get(&key) {
            return Ok(known.clone());
        }
        let found = installation.store.user(key).await?;
        let named = found.map_or_else(
            || json!({"id": null, "name": "(deleted)"}),
            |user| json!({"id": user.sub, "name": show::name_of(&user)}),
        );
        Ok(self.users.entry(key).or_insert(named).clone())
    }

    async fn client(&mut self, key: ClientKey, installation: &Installation) -> Result<Value, CommandError> {
        if let Some(known) = self.clients.get(&key) {
            return Ok(known.clone());
        }
        let found = installation.store.client(key).await?;
        let named = found.map_or_else(|| json!("(deleted)"), |client| json!(client.client_id));
        Ok(self.clients.entry(key).or_insert(named).clone())
    }
}
