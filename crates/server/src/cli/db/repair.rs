//! `grantry db repair`: removes what was written while the clock was wrong.

use std::sync::Arc;

use protocol::line::Call;
use protocol::model::{Client, GrantId, User};
use protocol::operate::{CorrectClient, CorrectUser, EndGrant};
use protocol::time::UnixTime;
use serde_json::{Map, Value, json};
use store::moving::{Cell, Cells, Stretch, TABLES, Table};

use crate::cli::answer::{Answer, Stop};
use crate::cli::desk::{Desk, Rules, actor};
use crate::cli::{show, words};
use crate::plausible::BEHIND_MAX_MS;
use crate::{id_time, keys};

/// Tables whose rows are removed when their id is of a time that did not come yet.
const REMOVED: [&str; 6] = ["sessions", "codes", "grants", "access_tokens", "personal_tokens", "tickets"];
/// Rows that are read at once.
const STRETCH_ROWS: usize = 1_000;
/// A counter of failed attempts ends within this many seconds: a year is longer than any lockout.
const ATTEMPTS_MAX_S: u64 = 366 * 86_400;
/// A grant ends within this many seconds, unless it never does: twenty years are longer than any lifetime in use.
const GRANT_MAX_S: u64 = 20 * 366 * 86_400;
/// The columns of the table `grants` that are read here.
const IS_REVOKED: usize = 3;
const EXPIRES_AT: usize = 6;
/// The column of the table `attempts` that is read here.
const RESETS_AT: usize = 3;

/// What is to be done, and where from a row is one of the future.
struct Repair<'a> {
    desk: &'a Desk,
    is_dry_run: bool,
    now: UnixTime,
    /// The first id of the future: one day from now, because the clocks of nodes differ.
    first_wrong: i64,
    found: Vec<(&'static str, &'static str, usize)>,
}

/// Finds rows of the future, and removes or corrects them unless `is_dry_run`.
pub(super) async fn run(is_dry_run: bool, desk: &Desk) -> Result<Answer, Stop> {
    desk.check_clock_alone()?;
    let now = desk.now();
    let first_wrong = id_time::first_at(now.0 * 1000 + BEHIND_MAX_MS);
    let mut repair = Repair { desk, is_dry_run, now, first_wrong, found: Vec::new() };
    for name in REMOVED {
        repair.remove(name).await?;
    }
    repair.end_grants().await?;
    repair.forget_attempts().await?;
    repair.correct_users().await?;
    repair.correct_clients().await?;
    repair.rotate_keys().await?;
    if !is_dry_run && repair.found.iter().any(|(.., count)| *count > 0) {
        desk.store.settle().await?;
    }
    Ok(repair.told())
}

fn table(name: &str) -> Result<&'static Table, Stop> {
    TABLES.iter().find(|table| table.name == name).ok_or_else(|| Stop::no(format!("there is no table {name}")))
}

fn int(row: &[Cell], column: usize) -> i64 {
    match row.get(column) {
        Some(Cell::Int(number)) => *number,
        _ => 0,
    }
}

impl Repair<'_> {
    /// Is an id, a key or a limit of revocation of a time that did not come yet? Those below zero ran over.
    fn is_wrong(&self, id: i64) -> bool {
        id < 0 || id >= self.first_wrong
    }

    fn note(&mut self, what: &'static str, done: &'static str, count: usize) {
        self.found.push((what, done, count));
    }

    /// Removes the rows of the future from a table.
    async fn remove(&mut self, name: &'static str) -> Result<(), Stop> {
        let table = table(name)?;
        let (last_right, overrun) = ([Cell::Int(self.first_wrong - 1)], [Cell::Int(-1)]);
        let stretches =
            [Stretch { after: Some(&last_right), until: None }, Stretch { after: None, until: Some(&overrun) }];
        let mut count = 0;
        for stretch in stretches {
            let rows = self.count(table, stretch).await?;
            if rows > 0 && !self.is_dry_run {
                self.desk.store.replace_stretch(table, stretch, Vec::new()).await?;
            }
            count += rows;
        }
        self.note(name, "removed", count);
        Ok(())
    }

    async fn count(&self, table: &'static Table, stretch: Stretch<'_>) -> Result<usize, Stop> {
        let (mut count, mut after) = (0, stretch.after.map(<[Cell]>::to_vec));
        loop {
            let rest = Stretch { after: after.as_deref(), until: stretch.until };
            let rows = self.desk.store.read_stretch(table, rest, STRETCH_ROWS).await?;
            count += rows.len();
            match rows.last() {
                Some(last) if rows.len() == STRETCH_ROWS => after = Some(table.key_of(last)),
                _ => return Ok(count),
            }
        }
    }

    /// Finds the keys of rows by reading a whole table.
    async fn keys(&self, name: &str, is_wrong: impl Fn(&Cells) -> bool) -> Result<Vec<i64>, Stop> {
        let table = table(name)?;
        let (mut found, mut after) = (Vec::new(), None::<Cells>);
        loop {
            let rest = Stretch { after: after.as_deref(), until: None };
            let rows = self.desk.store.read_stretch(table, rest, STRETCH_ROWS).await?;
            found.extend(rows.iter().filter(|row| is_wrong(row)).map(|row| int(row, 0)));
            match rows.last() {
                Some(last) if rows.len() == STRETCH_ROWS => after = Some(table.key_of(last)),
                _ => return Ok(found),
            }
        }
    }

    /// Revokes older grants that were refreshed by the wrong clock: their refresh tokens would live for decades.
    async fn end_grants(&mut self) -> Result<(), Stop> {
        let end = self.now.plus(GRANT_MAX_S);
        let is_wrong = |row: &Cells| {
            let expires_at = UnixTime(int(row, EXPIRES_AT));
            !self.is_wrong(int(row, 0))
                && int(row, IS_REVOKED) == 0
                && expires_at > end
                && expires_at != UnixTime::NEVER
        };
        let found = self.keys("grants", is_wrong).await?;
        if !self.is_dry_run {
            for id in &found {
                self.ask(&EndGrant(GrantId(*id))).await?;
            }
        }
        self.note("grants that end decades from now", "revoked", found.len());
        Ok(())
    }

    /// Forgets failed attempts that would be counted until a time that did not come yet.
    async fn forget_attempts(&mut self) -> Result<(), Stop> {
        let end = self.now.plus(ATTEMPTS_MAX_S);
        let found = self.keys("attempts", |row| UnixTime(int(row, RESETS_AT)) > end).await?;
        if !self.is_dry_run {
            for id in &found {
                let (after, until) = ([Cell::Int(id - 1)], [Cell::Int(*id)]);
                let stretch = Stretch { after: Some(&after), until: Some(&until) };
                self.desk.store.replace_stretch(table("attempts")?, stretch, Vec::new()).await?;
            }
        }
        self.note("counters of failed attempts", "removed", found.len());
        Ok(())
    }

    /// Gives users of the future a key of now, and takes back limits of revocation. Whatever was issued until now stays or
    /// becomes revoked, so nothing comes to life again.
    async fn correct_users(&mut self) -> Result<(), Stop> {
        let users = self.desk.users().await?;
        let of_future = users.iter().filter(|user| self.is_wrong(user.key.0)).count();
        let revoked =
            users.iter().filter(|user| !self.is_wrong(user.key.0) && self.is_wrong(user.revoked_below)).count();
        if !self.is_dry_run {
            for user in users.iter().filter(|user| self.is_wrong(user.key.0) || self.is_wrong(user.revoked_below)) {
                self.correct_user(user).await?;
            }
        }
        self.note("users added by the wrong clock", "given a new key; their consents are forgotten", of_future);
        self.note("users whose tokens were revoked until a later time", "corrected; their tokens are dead", revoked);
        Ok(())
    }

    async fn correct_user(&self, user: &Arc<User>) -> Result<(), Stop> {
        self.ask(&CorrectUser {
            user: Arc::clone(user),
            is_key_wrong: self.is_wrong(user.key.0),
            identities: self.desk.store.identities(user.key).await?,
            owned: self.desk.clients(Some(user.key)).await?,
        })
        .await
    }

    /// As [`Repair::correct_users`], for clients.
    async fn correct_clients(&mut self) -> Result<(), Stop> {
        let clients: Vec<Arc<Client>> = self.desk.clients(None).await?;
        let of_future = clients.iter().filter(|client| self.is_wrong(client.key.0)).count();
        let is_revoked = |client: &&Arc<Client>| !self.is_wrong(client.key.0) && self.is_wrong(client.revoked_below);
        let revoked = clients.iter().filter(is_revoked).count();
        if !self.is_dry_run {
            for client in clients.iter().filter(|own| self.is_wrong(own.key.0) || self.is_wrong(own.revoked_below)) {
                self.correct_client(client).await?;
            }
        }
        self.note("clients added by the wrong clock", "given a new key; consents to them are forgotten", of_future);
        self.note("clients whose tokens were revoked until a later time", "corrected; their tokens are dead", revoked);
        Ok(())
    }

    async fn correct_client(&self, client: &Arc<Client>) -> Result<(), Stop> {
        let is_key_wrong = self.is_wrong(client.key.0);
        self.ask(&CorrectClient { client: Arc::clone(client), is_key_wrong }).await
    }

    /// Asks a judge whatever the clock says: what is above the ids of now is what is to be repaired.
    async fn ask<C: Call<Yes = ()>>(&self, call: &C) -> Result<(), Stop> {
        let done = self.desk.ask(call, Rules::of(&self.desk.house_policy()).by_any_clock()).await?;
        done.map_err(|refusal| words::of(&refusal, ""))
    }

    /// A sealing key of the future would not be rotated until that time.
    async fn rotate_keys(&mut self) -> Result<(), Stop> {
        let ring = self.desk.store.seal_keys().await?;
        let end = UnixTime(self.now.0.saturating_add(BEHIND_MAX_MS / 1000));
        let is_wrong = ring.last().is_some_and(|key| key.created_at > end);
        if is_wrong && !self.is_dry_run {
            keys::rotate(&*self.desk.store, actor()).await.map_err(Stop::no)?;
        }
        self.note("sealing keys made by the wrong clock", "rotated", usize::from(is_wrong));
        Ok(())
    }

    fn told(&self) -> Answer {
        let total: usize = self.found.iter().map(|(.., count)| count).sum();
        let now = show::time(self.now);
        let mut text = format!("By the clock of this machine it is {}.\n", now.as_str().unwrap_or_default());
        if total == 0 {
            text.push_str("No row is from a time that did not come yet. There is nothing to repair.");
        }
        for (what, done, count) in self.found.iter().filter(|(.., count)| *count > 0) {
            let will = if self.is_dry_run { "to be " } else { "" };
            text.push_str(&format!("{count} {what}: {will}{done}\n"));
        }
        if total > 0 && self.is_dry_run {
            text.push_str(
                "\nNothing was changed. Check the time above: rows that are more than a day after it are taken for wrong. \
                 Make a backup, stop all servers, and run `grantry db repair`.",
            );
        } else if total > 0 {
            text.push_str("\nStart the servers again. People whose sessions were removed sign in again.");
        }
        let found: Map<String, Value> =
            self.found.iter().map(|(what, _, count)| ((*what).to_owned(), json!(count))).collect();
        Answer::new(json!({"is_dry_run": self.is_dry_run, "now": now, "total": total, "found": found}), text)
    }
}
