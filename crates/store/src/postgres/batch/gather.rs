//! The turns of a batch, taken apart: what they rely on and what they write, by kind.
//!
//! All preconditions of a batch are compared before any of its writes is made, as if every turn that relies on a row came
//! before the turn that changes it. Turns that each change what the other relies on have no such order, so they are never in
//! the same batch.

use std::collections::{BTreeMap, BTreeSet};

use protocol::line::{Changes, Rely, Write};
use protocol::model::{Access, Code, Consent, Event, Grant, Identity, Job, Session, Ticket, User};
use protocol::names::login_forms;
use protocol::secret::Digest;
use protocol::time::UnixTime;

use super::counters::Counters;
use crate::postgres::error::PostgresError;

/// A refresh token that takes the place of another: grant, before, the new row's parts, the new end.
pub(super) struct Rotation<'c> {
    pub(super) grant: i64,
    pub(super) before: &'c Digest,
    pub(super) to: &'c protocol::model::Refresh,
    pub(super) expires_at: UnixTime,
}

/// The changes of many turns, by kind.
#[derive(Default)]
pub(crate) struct Batch<'c> {
    pub(super) clients: BTreeSet<(i64, i64)>,
    pub(super) users: BTreeSet<(i64, i64)>,
    pub(super) sessions: BTreeSet<i64>,
    pub(super) unrevoked: BTreeSet<i64>,
    pub(super) consents: BTreeSet<(i64, i64, i64)>,
    /// Users and clients between whom there must be no consent.
    pub(super) absent: BTreeSet<(i64, i64)>,
    /// Users who are written, or to whom consents are added, whose absence another turn may rely on.
    pub(super) users_alone: BTreeSet<i64>,
    /// Users in the place of their versions before.
    pub(super) changed_users: Vec<&'c User>,
    pub(super) new_users: Vec<&'c User>,
    /// All forms of the names that new users get.
    pub(super) new_names: BTreeSet<String>,
    pub(super) new_consents: Vec<&'c Consent>,
    pub(super) new_sessions: Vec<&'c Session>,
    pub(super) new_tickets: Vec<&'c Ticket>,
    pub(super) identities: Vec<&'c Identity>,
    /// Tokens of issuers elsewhere, and until when they are remembered.
    pub(super) burned: Vec<(&'c Digest, i64)>,
    pub(super) spent: Vec<i64>,
    /// Tickets that are spent, each in the version that was judged.
    pub(super) spent_tickets: Vec<(i64, i64)>,
    pub(super) rotated: Vec<Rotation<'c>>,
    pub(super) codes: Vec<&'c Code>,
    pub(super) grants: Vec<&'c Grant>,
    pub(super) accesses: Vec<&'c Access>,
    pub(super) jobs: Vec<&'c Job>,
    pub(super) events: Vec<&'c Event>,
    pub(super) sessions_seen: Vec<(i64, i64, i64)>,
    pub(super) personals_used: Vec<(i64, i64)>,
    /// By secret: whose, and when.
    pub(super) secrets_used: BTreeMap<[u8; 32], (i64, i64)>,
    /// Counters that must be below a limit at a time.
    pub(super) passed: BTreeSet<([u8; 32], i64, i64)>,
    pub(super) counters: Counters,
    pub(super) ended_sessions: BTreeSet<i64>,
    pub(super) revoked_grants: BTreeSet<i64>,
    pub(super) revoked_accesses: Vec<i64>,
    pub(super) revoked_personals: Vec<i64>,
    pub(super) awaits_durability: bool,
}

/// The fault of a turn that reached a batch although it is not frequent. Nothing of its batch is written.
fn misplaced() -> PostgresError {
    PostgresError::Unreadable("a change of a rare kind cannot be made in a batch".to_owned())
}

fn names(row: &User) -> impl Iterator<Item = String> {
    [&row.username, &row.email].into_iter().flatten().flat_map(|name| login_forms(name))
}

impl<'c> Batch<'c> {
    /// Gathers turns that are frequent, up to the first one that would have to come both before and after others. Returns
    /// how many there are, at least one.
    ///
    /// # Errors
    /// When a turn is not frequent.
    pub(crate) fn of(turns: &'c [Changes]) -> Result<(Self, usize), PostgresError> {
        let mut batch = Self::default();
        let mut count = 0;
        for turn in turns {
            if batch.is_entangled_with(turn) {
                break;
            }
            turn.relied.iter().try_for_each(|rely| batch.rely_on(*rely))?;
            turn.writes.iter().try_for_each(|write| batch.write(write))?;
            count += 1;
        }
        // Two batches that touch the same rows do so in the same order, so that one waits for the other.
        batch.spent.sort_unstable();
        batch.spent_tickets.sort_unstable();
        batch.rotated.sort_unstable_by_key(|rotation| rotation.grant);
        Ok((batch, count))
    }

    fn rely_on(&mut self, rely: Rely) -> Result<(), PostgresError> {
        match rely {
            Rely::Client(key, version) => drop(self.clients.insert((key.0, i64::from(version)))),
            Rely::User(key, version) => drop(self.users.insert((key.0, i64::from(version)))),
            Rely::Session(id) => drop(self.sessions.insert(id.0)),
            Rely::Grant(id) => drop(self.unrevoked.insert(id.0)),
            Rely::Consent { user, client, id: Some(id) } => drop(self.consents.insert((user.0, client.0, id))),
            Rely::CounterBelow { key, limit, now } => drop(self.passed.insert((key.0, i64::from(limit), now.0))),
            Rely::Consent { user, client, id: None } => drop(self.absent.insert((user.0, client.0))),
            Rely::ClientsFewer { .. } | Rely::PersonalsFewer { .. } => {
                return Err(misplaced());
            }
        }
        Ok(())
    }

    /// Adds one write of a frequent kind.
    ///
    /// # Errors
    /// When the write is of another kind.
    pub(crate) fn write(&mut self, write: &'c Write) -> Result<(), PostgresError> {
        match write {
            Write::AwaitDurability => self.awaits_durability = true,
            Write::SpendCode(id) => self.spent.push(id.0),
            Write::RotateRefresh { grant, from, to, expires_at } => {
                self.rotated.push(Rotation { grant: grant.0, before: from, to, expires_at: *expires_at });
            }
            Write::CountFailure { key, limit, now, resets_at, user } => {
                self.counters.count(key, *limit, (*now, *resets_at), *user);
            }
            Write::ClearCounter { key, limit, now } => self.counters.clear(key, *limit, *now),
            Write::PutUser(row) if row.version > 1 => {
                self.users_alone.insert(row.key.0);
                self.changed_users.push(row);
            }
            Write::PutUser(row) => {
                self.new_names.extend(names(row));
                self.new_users.push(row);
            }
            Write::PutCode(row) => self.codes.push(row),
            Write::PutGrant(row) => self.grants.push(row),
            Write::PutAccess(row) => self.accesses.push(row),
            Write::PutSession(row) => self.new_sessions.push(row),
            Write::PutTicket(row) => self.new_tickets.push(row),
            Write::SpendTicket { id, version } => self.spent_tickets.push((id.0, i64::from(*version))),
            Write::PutConsent(row) => {
                self.users_alone.insert(row.user.0);
                self.new_consents.push(row);
            }
            Write::PutIdentity(row) => self.identities.push(row),
            Write::BurnJti { jti, until } => self.burned.push((jti, until.0)),
            Write::Enqueue(job) => self.jobs.push(job),
            Write::Note(event) => self.events.push(event),
            Write::TouchSession { id, seen_at, idle_until } => {
                self.sessions_seen.push((id.0, seen_at.0, idle_until.0));
            }
            Write::TouchPersonal { id, used_at } => self.personals_used.push((id.0, used_at.0)),
            Write::TouchSecret { client, secret, used_at } => {
                let used = self.secrets_used.entry(secret.0).or_insert((client.0, used_at.0));
                *used = (client.0, used.1.max(used_at.0));
            }
            Write::RevokeGrant(id) => drop(self.revoked_grants.insert(id.0)),
            Write::RevokeAccess(id) => self.revoked_accesses.push(id.0),
            Write::RevokePersonal(id) => self.revoked_personals.push(id.0),
            Write::EndSession(id) => drop(self.ended_sessions.insert(id.0)),
            Write::ForgetFailures(_)
            | Write::PutClient(_)
            | Write::PutPersonal(_)
            | Write::ChangeTicket(_)
            | Write::PutSealKey(_)
            | Write::DropSealKey(_)
            | Write::PutSigningKey(_)
            | Write::DropSigningKey(_)
            | Write::WithdrawConsent { .. }
            | Write::EndSessions { .. }
            | Write::DropIdentity(_)
            | Write::DeleteUser(_)
            | Write::DeleteClient(_) => return Err(misplaced()),
        }
        Ok(())
    }

    /// Returns true if the turn would have to come both before and after other turns of the batch.
    fn is_entangled_with(&self, turn: &Changes) -> bool {
        turn.writes.iter().any(|write| self.must_come_before(write))
            && (turn.relied.iter().any(|rely| self.must_come_after_rely(*rely))
                || turn.writes.iter().any(|write| self.must_come_after(write)))
    }

    fn is_changed(&self, user: i64) -> bool {
        self.changed_users.iter().any(|row| row.key.0 == user)
    }

    /// Returns true if turns of the batch must come before this write: they rely on the row as it was before.
    fn must_come_before(&self, write: &Write) -> bool {
        let from = i64::MIN;
        match write {
            Write::PutUser(row) if row.version > 1 => {
                let key = row.key.0;
                self.is_changed(key) || self.users.range((key, from)..).next().is_some_and(|own| own.0 == key)
            }
            Write::PutUser(row) => names(row).any(|name| self.new_names.contains(&name)),
            Write::PutConsent(row) => {
                let (user, client) = (row.user.0, row.client.0);
                let found = self.consents.range((user, client, from)..).next();
                found.is_some_and(|own| (own.0, own.1) == (user, client)) || self.absent.contains(&(user, client))
            }
            // A batch clears before it counts, and counts in the order of its turns.
            Write::CountFailure { key, .. } => {
                let is_passed = self.passed.range((key.0, from, from)..).next().is_some_and(|own| own.0 == key.0);
                is_passed || self.counters.clears(key) || self.counters.counts(key)
            }
            Write::RevokeGrant(id) => {
                self.unrevoked.contains(&id.0) || self.rotated.iter().any(|rotation| rotation.grant == id.0)
            }
            Write::EndSession(id) => self.sessions.contains(&id.0),
            // A new row is relied on by nobody, and a code, ticket or refresh token only by whoever uses it.
            Write::AwaitDurability
            | Write::SpendCode(_)
            | Write::RotateRefresh { .. }
            | Write::ForgetFailures(_)
            | Write::ClearCounter { .. }
            | Write::PutClient(_)
            | Write::PutCode(_)
            | Write::PutGrant(_)
            | Write::PutAccess(_)
            | Write::PutPersonal(_)
            | Write::PutSession(_)
            | Write::PutTicket(_)
            | Write::ChangeTicket(_)
            | Write::SpendTicket { .. }
            | Write::PutIdentity(_)
            | Write::BurnJti { .. }
            | Write::PutSealKey(_)
            | Write::DropSealKey(_)
            | Write::PutSigningKey(_)
            | Write::DropSigningKey(_)
            | Write::TouchSession { .. }
            | Write::TouchPersonal { .. }
            | Write::TouchSecret { .. }
            | Write::RevokeAccess(_)
            | Write::RevokePersonal(_)
            | Write::WithdrawConsent { .. }
            | Write::EndSessions { .. }
            | Write::DropIdentity(_)
            | Write::DeleteUser(_)
            | Write::DeleteClient(_)
            | Write::Enqueue(_)
            | Write::Note(_) => false,
        }
    }

    /// Returns true if turns of the batch must come after this precondition: they change the row.
    fn must_come_after_rely(&self, rely: Rely) -> bool {
        match rely {
            Rely::User(key, _) => self.is_changed(key.0),
            Rely::Session(id) => self.ended_sessions.contains(&id.0),
            Rely::Grant(id) => self.revoked_grants.contains(&id.0),
            Rely::Consent { user, client, .. } => {
                self.new_consents.iter().any(|row| (row.user, row.client) == (user, client))
            }
            Rely::CounterBelow { key, .. } => self.counters.counts(&key),
            Rely::Client(..) | Rely::ClientsFewer { .. } | Rely::PersonalsFewer { .. } => false,
        }
    }

    /// Returns true if turns of the batch must come after this write: they change a row that it relies on or changes.
    fn must_come_after(&self, write: &Write) -> bool {
        match write {
            Write::PutUser(row) if row.version > 1 => self.is_changed(row.key.0),
            Write::PutUser(row) => names(row).any(|name| self.new_names.contains(&name)),
            Write::RotateRefresh { grant, .. } => self.revoked_grants.contains(&grant.0),
            Write::ClearCounter { key, .. } => self.counters.counts(key),
            Write::CountFailure { .. }
            | Write::AwaitDurability
            | Write::SpendCode(_)
            | Write::ForgetFailures(_)
            | Write::PutClient(_)
            | Write::PutCode(_)
            | Write::PutGrant(_)
            | Write::PutAccess(_)
            | Write::PutPersonal(_)
            | Write::PutSession(_)
            | Write::PutTicket(_)
            | Write::ChangeTicket(_)
            | Write::SpendTicket { .. }
            | Write::PutIdentity(_)
            | Write::BurnJti { .. }
            | Write::PutConsent(_)
            | Write::PutSealKey(_)
            | Write::DropSealKey(_)
            | Write::PutSigningKey(_)
            | Write::DropSigningKey(_)
            | Write::TouchSession { .. }
            | Write::TouchPersonal { .. }
            | Write::TouchSecret { .. }
            | Write::RevokeGrant(_)
            | Write::RevokeAccess(_)
            | Write::RevokePersonal(_)
            | Write::WithdrawConsent { .. }
            | Write::EndSession(_)
            | Write::EndSessions { .. }
            | Write::DropIdentity(_)
            | Write::DeleteUser(_)
            | Write::DeleteClient(_)
            | Write::Enqueue(_)
            | Write::Note(_) => false,
        }
    }
}
