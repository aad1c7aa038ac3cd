//! `grantry event`: lists audit events.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use protocol::model::{ClientKey, EventKind, UserKey};
use protocol::person::attempts::Lockout;
use protocol::time::UnixTime;
use serde_json::{Value, json};
use store::{EventFilter, Fault, Noted};

use super::answer::{Answer, CommandError};
use super::installation::Installation;
use super::show;
use crate::address::UNIX_ADDRESS;
use crate::config::suggestion;
use crate::observe::sink;

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
  grantry event list --since 2026-11-30T08:00:00Z --until 2026-11-30T09:00:00Z
  grantry event list --address 203.0.113.9 --json
  grantry event list --follow --json       prints one JSON document per line, until you end it

An event names the user and the client by id, e-mail address or user name as they are now. Commands of the operator have no
address, and name the account of the operating system that ran them as actor. With --json, `until` says when a lockout ends.
`--kind '?'` lists all kinds.")]
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
    /// Only events at this time or later: a time such as 2026-11-30T08:00:00Z, or so long ago as 30m, 2h or 7d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before this time, in the same forms.
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    until: Option<String>,
    /// Only events from this network address.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// List at most so many events.
    #[arg(long, value_name = "NUMBER", default_value = LIMIT, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
    /// Only events before the one with this number, for the next page of a list: `id` with --json.
    #[arg(long, value_name = "ID", conflicts_with = "follow", allow_negative_numbers = true)]
    before: Option<i64>,
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
            let before = found.last().map_or(0, |noted| noted.id);
            text.push_str(&format!(
                "\nThese are the latest {}. The next page: --before {before}. Or list more at once: --limit NUMBER.",
                self.limit
            ));
        }
        Ok(Answer::new(Value::Array(rows), text))
    }

    async fn filter(&self, installation: &Installation) -> Result<EventFilter, CommandError> {
        let mut filter = EventFilter { before: self.before, ..EventFilter::default() };
        if let Some(name) = &self.user {
            filter.user = Some(installation.user(name).await?.key);
        }
        if let Some(client_id) = &self.client {
            filter.client = Some(installation.client(client_id).await?.key);
        }
        filter.kinds = self.kinds.iter().map(|word| kind(word)).collect::<Result<_, _>>()?;
        filter.since = self.since.as_deref().map(|text| time("--since", text, installation.now())).transpose()?;
        filter.until = self.until.as_deref().map(|text| time("--until", text, installation.now())).transpose()?;
        if let (Some(since), Some(until)) = (filter.since, filter.until)
            && since >= until
        {
            return Err(CommandError::usage("--since is not before --until, so there can be no events"));
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
        // Without a similar kind, the suggestion is the list of all kinds.
        CommandError::usage(format!("--kind cannot be `{word}`{}", suggestion(word, names())))
    })
}

/// A time in words: a timestamp of RFC 3339, or a duration before `now`.
fn time(option: &str, text: &str, now: UnixTime) -> Result<UnixTime, CommandError> {
    let text = text.trim();
    if let Some(seconds) = crate::config::duration(text) {
        return Ok(UnixTime(now.0.saturating_sub_unsigned(seconds)));
    }
    let at = text.parse::<Timestamp>().map_err(|_| {
        CommandError::usage(format!(
            "{option} is a duration before now, such as 2h, or a time with its offset, such as 2026-11-30T08:00:00Z, not \
             `{text}`"
        ))
    })?;
    Ok(UnixTime(at.as_second()))
}

/// Returns the latest events, up to `limit`.
async fn latest(installation: &Installation, filter: &EventFilter, limit: usize) -> Result<Vec<Noted>, CommandError> {
    let mut all: Vec<Noted> = Vec::new();
    while all.len() < limit {
        let rows_max = PAGE_ROWS.min(limit - all.len());
        let before = all.last().map(|noted| noted.id).or(filter.before);
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
    let mut earlier = if since.is_some() { latest(installation, &filter, limit).await? } else { Vec::new() };
    earlier.reverse();
    let mut fresh = names.documents(&earlier, installation).await?;
    // On PostgreSQL an event can become visible after one with a greater id. So each query starts where the query
    // before the last one ended.
    let (mut seen, mut after, mut next) = (HashSet::new(), newest, newest);
    let mut is_waiting = false;
    loop {
        let mut out = std::io::stdout().lock();
        for (id, document) in fresh.drain(..).filter(|(id, _)| seen.insert(*id)).collect::<Vec<_>>() {
            next = next.max(id);
            let line = if is_json { document.to_string() } else { show::row(&document, &COLUMNS) };
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                return Ok(Answer::new(Value::Null, ""));
            }
        }
        drop(out);
        tokio::time::sleep(FOLLOW_EVERY).await;
        match news(installation, &filter, after, names).await {
            Ok(found) => fresh = found,
            // The next look finds the same events.
            Err(fault @ Fault::Unavailable { .. }) => {
                if !is_waiting {
                    sink::say(&format!("the store cannot be read at the moment, and is asked again: {fault}"));
                }
                is_waiting = true;
                continue;
            }
            Err(fault) => return Err(fault.into()),
        }
        is_waiting = false;
        seen.retain(|id| *id > after);
        after = next;
    }
}

/// The events after the one with this number, page by page, as they are printed.
async fn news(
    installation: &Installation,
    filter: &EventFilter,
    mut after: i64,
    names: &mut Names,
) -> Result<Vec<(i64, Value)>, Fault> {
    let mut all = Vec::new();
    loop {
        let wanted = EventFilter { after: Some(after), rows_max: PAGE_ROWS, ..filter.clone() };
        let page = installation.store.events(wanted).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.id;
        all.extend(names.documents(&page, installation).await?);
    }
}

/// A cache of the public names of users and clients.
#[derive(Default)]
struct Names {
    users: HashMap<UserKey, Value>,
    clients: HashMap<ClientKey, Value>,
}

impl Names {
    /// Events as they are printed, with their numbers.
    async fn documents(&mut self, noted: &[Noted], installation: &Installation) -> Result<Vec<(i64, Value)>, Fault> {
        let mut all = Vec::with_capacity(noted.len());
        for own in noted {
            all.push((own.id, self.document(own, installation).await?));
        }
        Ok(all)
    }

    async fn document(&mut self, noted: &Noted, installation: &Installation) -> Result<Value, Fault> {
        let event = &noted.event;
        let user = match event.user {
            Some(key) => self.user(key, installation).await?,
            None => json!({"id": null, "name": null}),
        };
        let client = match event.client {
            Some(key) => self.client(key, installation).await?,
            None => Value::Null,
        };
        let lockout = Lockout::read(&event.detail).filter(|_| event.kind == EventKind::LockedOut);
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
            "until": lockout.map(|own| show::time(event.at.plus(own.for_s))),
        }))
    }

    async fn user(&mut self, key: UserKey, installation: &Installation) -> Result<Value, Fault> {
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

    async fn client(&mut self, key: ClientKey, installation: &Installation) -> Result<Value, Fault> {
        if let Some(known) = self.clients.get(&key) {
            return Ok(known.clone());
        }
        let found = installation.store.client(key).await?;
        let named = found.map_or_else(|| json!("(deleted)"), |client| json!(client.client_id));
        Ok(self.clients.entry(key).or_insert(named).clone())
    }
}
