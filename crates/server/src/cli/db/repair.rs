//! `grantry db repair`: removes or corrects rows that were written while the clock was wrong.

use std::sync::Arc;

use protocol::line::Call;
use protocol::model::{Client, GrantId, User};
use protocol::operate::{CorrectClient, CorrectUser, EndGrant};
use protocol::time::UnixTime;
use serde_json::{Map, Value, json};
use store::moving::{Cell, Cells, Stretch, TABLES, Table};

use crate::cli::answer::{Answer, CommandError};
use crate::cli::installation::{Installation, Rules, actor};
use crate::cli::{show, words};
use crate::plausible::BEHIND_MAX_MS;
use crate::{id_time, keys};

/// Tables whose rows are removed if their id is of a time in the future.
const REMOVED: [&str; 6] = ["sessions", "codes", "grants", "access_tokens", "personal_tokens", "tickets"];
/// Number of rows that are read at once.
const STRETCH_ROWS: usize = 1_000;
/// Maximum remaining window of a counter of failed attempts, in seconds. One year is longer than any lockout.
const ATTEMPTS_MAX_S: u64 = 366 * 86_400;
/// Maximum remaining lifetime of a grant, in seconds, unless it never expires. Twenty years are longer than any
/// lifetime in use.
const GRANT_MAX_S: u64 = 20 * 366 * 86_400;
/// Columns of the table `grants`.
const IS_REVOKED: usize = 3;
const EXPIRES_AT: usize = 6;
/// Column of the table `attempts`.
const RESETS_AT: usize = 3;

/// A run of the repair.
struct Repair<'a> {
    installation: &'a Installation,
    is_dry_run: bool,
    now: UnixTime,
    /// The lowest id that counts as of the future: one day from now, because the clocks of nodes differ.
    first_wrong: i64,
    found: Vec<(&'static str, &'static str, usize)>,
}

/// Runs `grantry db repair`: finds rows of the future, and removes or corrects them unless `is_dry_run`.
pub(super) async fn run(is_dry_run: bool, installation: &Installation) -> Result<Answer, CommandError> {
    installation.check_clock_alone()?;
    let now = installation.now();
    let first_wrong = id_time::first_at(now.0 * 1000 + BEHIND_MAX_MS);
    let mut repair = Repair { installation, is_dry_run, now, first_wrong, found: Vec::new() };
    for name in REMOVED {
        repair.remove(name).await?;
    }
    repair.end_grants().await?;
    repair.forget_attempts().await?;
    repair.correct_users().await?;
    repair.correct_clients().await?;
    repair.rotate_keys().await?;
    if !is_dry_run && repair.found.iter().any(|(.., count)| *count > 0) {
        installation.store.settle().await?;
    }
    Ok(repair.told())
}

fn table(name: &str) -> Result<&'static Table, CommandError> {
    TABLES.iter().find(|table| table.name == name).ok_or_else(|| CommandError::no(format!("there is no table {name}")))
}

fn int(row: &[Cell], column: usize) -> i64 {
    match row.get(column) {
        Some(Cell::Int(number)) => *number,
        _ => 0,
    }
}

impl Repair<'_> {
    /// Returns true if an id, a key or a `revoked_below` value is of a time in the future. Negative values overflowed.
    fn is_wrong(&self, id: i64) -> bool {
        id < 0 || id >= self.first_wrong
    }

    fn note(&mut self, what: &'static str, done: &'static str, count: usize) {
        self.found.push((what, done, count));
    }

    /// Removes the rows of the future from a table.
    async fn remove(&mut self, name: &'static str) -> Result<(), CommandError> {
        let table = table(name)?;
        let (last_right, overrun) = ([Cell::Int(self.first_wrong - 1)], [Cell::Int(-1)]);
        let stretches =
            [Stretch { after: Some(&last_right), until: None }, Stretch { after: None, until: Some(&overrun) }];
        let mut count = 0;
        for stretch in stretches {
            let rows = self.count(table, stretch).await?;
            if rows > 0 && !self.is_dry_run {
                self.installation.store.replace_stretch(table, stretch, Vec::new()).await?;
            }
            count += rows;
        }
        self.note(name, "removed", count);
        Ok(())
    }

    async fn count(&self, table: &'static Table, stretch: Stretch<'_>) -> Result<usize, CommandError> {
        let (mut count, mut after) = (0, stretch.after.map(<[Cell]>::to_vec));
        loop {
            let rest = Stretch { after: after.as_deref(), until: stretch.until };
            let rows = self.installation.store.read_stretch(table, rest, STRETCH_ROWS).await?;
            count += rows.len();
            match rows.last() {
                Some(last) if rows.len() == STRETCH_ROWS => after = Some(table.key_of(last)),
                _ => return Ok(count),
            }
        }
    }

    /// Returns the keys of the rows for which `is_wrong` returns true. Reads the whole table.
    async fn keys(&self, name: &str, is_wrong: impl Fn(&Cells) -> bool) -> Result<Vec<i64>, CommandError> {
        let table = table(name)?;
        let (mut found, mut after) = (Vec::new(), None::<Cells>);
        loop {
            let rest = Stretch { after: after.as_deref(), until: None };
            let rows = self.installation.store.read_stretch(table, rest, STRETCH_ROWS).await?;
            found.extend(rows.iter().filter(|row| is_wrong(row)).map(|row| int(row, 0)));
            match rows.last() {
                Some(last) if rows.len() == STRETCH_ROWS => after = Some(table.key_of(last)),
                _ => return Ok(found),
            }
        }
    }

    /// Revokes older grants that were refreshed while the clock was wrong. Their refresh tokens would be valid for
    /// decades.
    async fn end_grants(&mut self) -> Result<(), CommandError> {
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

    /// Removes counters of failed attempts whose window ends too far in the future.
    async fn forget_attempts(&mut self) -> Result<(), CommandError> {
        let end = self.now.plus(ATTEMPTS_MAX_S);
        let found = self.keys("attempts", |row| UnixTime(int(row, RESETS_AT)) > end).await?;
        if !self.is_dry_run {
            for id in &found {
                let (after, until) = ([Cell::Int(id - 1)], [Cell::Int(*id)]);
                let stretch = Stretch { after: Some(&after), until: Some(&until) };
                self.installation.store.replace_stretch(table("attempts")?, stretch, Vec::new()).await?;
            }
        }
        self.note("counters of failed attempts", "removed", found.len());
        Ok(())
    }

    /// Replaces keys and `revoked_below` values of users that are of the future. Everything issued until now is
    /// revoked, so nothing becomes valid again.
    async fn correct_users(&mut self) -> Result<(), CommandError> {
        let users = self.installation.users().await?;
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

    async fn correct_user(&self, user: &Arc<User>) -> Result<(), CommandError> {
        self.ask(&CorrectUser {
            user: Arc::clone(user),
            is_key_wrong: self.is_wrong(user.key.0),
            identities: self.installation.store.identities(user.key).await?,
            owned: self.installation.clients(Some(user.key)).await?,
        })
        .await
    }

    /// As [`Repair::correct_users`], for clients.
    async fn correct_clients(&mut self) -> Result<(), CommandError> {
        let clients: Vec<Arc<Client>> = self.installation.clients(None).await?;
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

    async fn correct_client(&self, client: &Arc<Client>) -> Result<(), CommandError> {
        let is_key_wrong = self.is_wrong(client.key.0);
        self.ask(&CorrectClient { client: Arc::clone(client), is_key_wrong }).await
    }

    /// Asks a judge without checking the clock, because the rows of the future make that check fail.
    async fn ask<C: Call<Yes = ()>>(&self, call: &C) -> Result<(), CommandError> {
        let done = self.installation.ask(call, Rules::of(&self.installation.house_policy()).by_any_clock()).await?;
        done.map_err(|refusal| words::of(&refusal, ""))
    }

    /// Rotates a current sealing key of the future, because the server would not rotate it before that time.
    async fn rotate_keys(&mut self) -> Result<(), CommandError> {
        let ring = self.installation.store.seal_keys().await?;
        let end = UnixTime(self.now.0.saturating_add(BEHIND_MAX_MS / 1000));
        let is_wrong = ring.last().is_some_and(|key| key.created_at > end);
        if is_wrong && !self.is_dry_run {
            keys::rotate(&*self.installation.store, actor()).await.map_err(CommandError::no)?;
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
