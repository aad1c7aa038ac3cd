//! Turns that are written together: those whose changes are all of the frequent kinds. One statement for each kind does the
//! work of all of them, in one transaction. When any of them loses, the transaction is undone and the halves are tried, so
//! that nobody suffers from a neighbour. That takes a race, and races are rare.

mod statements;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use protocol::line::{Changes, Rely, Write};
use protocol::model::{Access, Code, Consent, Event, Grant, Job, Session, Ticket};
use protocol::secret::Digest;
use protocol::time::UnixTime;

use super::link::{Link, Sql, Values};
use super::stop::Stop;
use super::{gate, insert};
pub(super) use statements::STATEMENTS;
use statements::{
    ABSENT, AWAIT_DURABILITY, CLEAR, CLIENTS, CONSENTS, GRANTS, PASS, ROTATE, SESSIONS, SPEND, SPEND_TICKETS,
    TOUCH_PERSONALS, TOUCH_SECRETS, TOUCH_SESSIONS, UNREVOKED, USERS, USERS_ALONE, USERS_SHARED,
};

/// A refresh token that takes the place of another: grant, before, the new row's parts, the new end.
struct Rotation<'c> {
    grant: i64,
    before: &'c Digest,
    to: &'c protocol::model::Refresh,
    expires_at: UnixTime,
}

/// The changes of many turns, by kind.
#[derive(Default)]
pub(super) struct Batch<'c> {
    clients: BTreeSet<(i64, i64)>,
    users: BTreeSet<(i64, i64)>,
    sessions: BTreeSet<i64>,
    unrevoked: BTreeSet<i64>,
    consents: BTreeSet<(i64, i64, i64)>,
    /// Users and clients between whom there must be no consent.
    absent: BTreeSet<(i64, i64)>,
    /// Users to whom consents are added, whose absence another turn may rely on.
    users_alone: BTreeSet<i64>,
    new_consents: Vec<&'c Consent>,
    new_sessions: Vec<&'c Session>,
    new_tickets: Vec<&'c Ticket>,
    spent: Vec<i64>,
    /// Tickets that are spent, each in the version that was judged.
    spent_tickets: Vec<(i64, i64)>,
    rotated: Vec<Rotation<'c>>,
    codes: Vec<&'c Code>,
    grants: Vec<&'c Grant>,
    accesses: Vec<&'c Access>,
    jobs: Vec<&'c Job>,
    events: Vec<&'c Event>,
    sessions_seen: Vec<(i64, i64, i64)>,
    personals_used: Vec<(i64, i64)>,
    /// By secret: whose, and when.
    secrets_used: BTreeMap<[u8; 32], (i64, i64)>,
    /// Counters that must be below a limit at a time.
    passed: BTreeSet<([u8; 32], i64, i64)>,
    /// Counters that are forgotten, unless they have reached a limit at a time.
    cleared: BTreeSet<([u8; 32], i64, i64)>,
    awaits_durability: bool,
}

/// Returns true if this turn may be written together with others.
pub(super) fn is_frequent(changes: &Changes) -> bool {
    let Changes { relied, writes } = changes;
    relied.iter().all(|rely| is_relied_frequently(*rely))
        && writes.iter().all(is_written_frequently)
        && !depends_on_order(writes)
}

/// Returns true if a write may be about a row that another write of the same turn adds. A batch makes writes by kind, and
/// spends and rotates before it adds.
fn depends_on_order(writes: &[Write]) -> bool {
    let has = |is_it: fn(&Write) -> bool| writes.iter().any(is_it);
    let spends = has(|write| matches!(write, Write::SpendCode(_))) && has(|write| matches!(write, Write::PutCode(_)));
    let uses_tickets =
        has(|write| matches!(write, Write::SpendTicket { .. })) && has(|write| matches!(write, Write::PutTicket(_)));
    let rotates = has(|write| matches!(write, Write::RotateRefresh { .. }));
    spends || uses_tickets || (rotates && has(|write| matches!(write, Write::PutGrant(_))))
}

fn is_relied_frequently(rely: Rely) -> bool {
    match rely {
        Rely::Client(..)
        | Rely::User(..)
        | Rely::Session(_)
        | Rely::Grant(_)
        | Rely::Consent { .. }
        | Rely::CounterBelow { .. } => true,
        Rely::ClientsFewer { .. } | Rely::PersonalsFewer { .. } => false,
    }
}

fn is_written_frequently(write: &Write) -> bool {
    match write {
        Write::AwaitDurability
        | Write::SpendCode(_)
        | Write::RotateRefresh { .. }
        | Write::PutCode(_)
        | Write::PutGrant(_)
        | Write::PutAccess(_)
        | Write::PutSession(_)
        | Write::PutTicket(_)
        | Write::SpendTicket { .. }
        | Write::PutConsent(_)
        | Write::ClearCounter { .. }
        | Write::Enqueue(_)
        | Write::Note(_)
        | Write::TouchSession { .. }
        | Write::TouchPersonal { .. }
        | Write::TouchSecret { .. } => true,
        Write::CountFailure { .. }
        | Write::ForgetFailures(_)
        | Write::PutClient(_)
        | Write::PutUser(_)
        | Write::PutPersonal(_)
        | Write::ChangeTicket(_)
        | Write::PutIdentity(_)
        | Write::BurnJti { .. }
        | Write::PutSealKey(_)
        | Write::DropSealKey(_)
        | Write::RevokeGrant(_)
        | Write::RevokeAccess(_)
        | Write::RevokePersonal(_)
        | Write::WithdrawConsent { .. }
        | Write::EndSession(_)
        | Write::EndSessions { .. }
        | Write::DropIdentity(_)
        | Write::DeleteUser(_)
        | Write::DeleteClient(_) => false,
    }
}

/// The fault of a turn that reached a batch although it is not frequent. Nothing of its batch is written.
fn misplaced() -> Stop {
    Stop::Unreadable("a change of a rare kind cannot be made in a batch".to_owned())
}

impl<'c> Batch<'c> {
    /// Adds the changes of a turn that [`is_frequent`].
    ///
    /// # Errors
    /// When the turn is not frequent.
    pub(super) fn add(&mut self, changes: &'c Changes) -> Result<(), Stop> {
        changes.relied.iter().try_for_each(|rely| self.rely_on(*rely))?;
        changes.writes.iter().try_for_each(|write| self.write(write))?;
        // Two batches that touch the same rows do so in the same order, so that one waits for the other.
        self.spent.sort_unstable();
        self.spent_tickets.sort_unstable();
        self.rotated.sort_unstable_by_key(|rotation| rotation.grant);
        Ok(())
    }

    fn rely_on(&mut self, rely: Rely) -> Result<(), Stop> {
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
    pub(super) fn write(&mut self, write: &'c Write) -> Result<(), Stop> {
        match write {
            Write::AwaitDurability => self.awaits_durability = true,
            Write::SpendCode(id) => self.spent.push(id.0),
            Write::RotateRefresh { grant, from, to, expires_at } => {
                self.rotated.push(Rotation { grant: grant.0, before: from, to, expires_at: *expires_at });
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
            Write::ClearCounter { key, limit, now } => drop(self.cleared.insert((key.0, i64::from(*limit), now.0))),
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
            Write::CountFailure { .. }
            | Write::ForgetFailures(_)
            | Write::PutClient(_)
            | Write::PutUser(_)
            | Write::PutPersonal(_)
            | Write::ChangeTicket(_)
            | Write::PutIdentity(_)
            | Write::BurnJti { .. }
            | Write::PutSealKey(_)
            | Write::DropSealKey(_)
            | Write::RevokeGrant(_)
            | Write::RevokeAccess(_)
            | Write::RevokePersonal(_)
            | Write::WithdrawConsent { .. }
            | Write::EndSession(_)
            | Write::EndSessions { .. }
            | Write::DropIdentity(_)
            | Write::DeleteUser(_)
            | Write::DeleteClient(_) => return Err(misplaced()),
        }
        Ok(())
    }

    /// Writes all of it in a transaction of its own, with one trip to the server: the end of the transaction goes along. When a
    /// statement fails, the server fails those behind it too, and the end of the transaction undoes them.
    ///
    /// # Errors
    /// [`Stop::Lost`] when any precondition of any turn does not hold, or an id is taken. Whatever it is, nothing was written
    /// and the transaction is over, except with [`Stop::Unanswered`].
    pub(super) async fn commit(&self, link: &Link) -> Result<(), Stop> {
        let is_ending = AtomicBool::new(false);
        let end = async {
            // What cannot be sent ends all of this before it comes here.
            is_ending.store(true, Ordering::Relaxed);
            gate::commit(link).await
        };
        if link.is_pooled() {
            // Nothing else makes sure here that there is a transaction around what follows.
            link.begin(gate::BEGIN).await?;
        }
        let begin = async { if link.is_pooled() { Ok(()) } else { link.begin(gate::BEGIN).await } };
        let done = tokio::try_join!(biased; begin, gate::enter(link), self.write_inside(link), end);
        match done {
            Ok(_) => Ok(()),
            // The connection broke before the first answer, or between two.
            Err(stop) if stop.is_broken() && is_ending.load(Ordering::Relaxed) => Err(Stop::Unanswered),
            Err(stop) => {
                if !stop.is_gone() && !is_ending.load(Ordering::Relaxed) {
                    // It was refused before the end was sent.
                    link.simple("ROLLBACK").await?;
                }
                Err(stop)
            }
        }
    }

    /// Writes all of it inside a transaction that was begun. Everything is sent at the first poll.
    pub(super) async fn write_inside(&self, link: &Link) -> Result<(), Stop> {
        let written = tokio::try_join!(
            biased;
            self.rely(link),
            self.spend(link),
            self.rotate(link),
            self.clear(link),
            insert::consents(link, &self.new_consents),
            insert::sessions(link, &self.new_sessions),
            insert::tickets(link, &self.new_tickets),
            insert::codes(link, &self.codes),
            insert::grants(link, &self.grants),
            insert::accesses(link, &self.accesses),
            self.touch(link),
            insert::jobs(link, &self.jobs),
            insert::events(link, &self.events),
            some(link, &AWAIT_DURABILITY, usize::from(self.awaits_durability), &[]),
        );
        match written {
            Ok(_) => Ok(()),
            Err(stop) if stop.is_conflict() || stop.is_shortfall() => Err(Stop::Lost),
            Err(stop) => Err(stop),
        }
    }

    async fn rely(&self, link: &Link) -> Result<(), Stop> {
        let (clients, client_versions): (Vec<i64>, Vec<i64>) = self.clients.iter().copied().unzip();
        let (users, user_versions): (Vec<i64>, Vec<i64>) = self.users.iter().copied().unzip();
        let sessions: Vec<i64> = self.sessions.iter().copied().collect();
        let unrevoked: Vec<i64> = self.unrevoked.iter().copied().collect();
        let (mut of, mut to, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for (user, client, id) in &self.consents {
            of.push(*user);
            to.push(*client);
            ids.push(*id);
        }
        let of_clients: Values<'_> = &[&clients, &client_versions];
        let of_users: Values<'_> = &[&users, &user_versions];
        let of_sessions: Values<'_> = &[&sessions];
        let of_grants: Values<'_> = &[&unrevoked];
        let of_consents: Values<'_> = &[&of, &to, &ids];
        let (without, and): (Vec<i64>, Vec<i64>) = self.absent.iter().copied().unzip();
        let of_absent: Values<'_> = &[&without, &and];
        let mut mixed: Vec<i64> = Vec::new();
        if !unrevoked.is_empty() && !self.rotated.is_empty() {
            mixed = self.rotated.iter().map(|rotation| rotation.grant).chain(unrevoked.iter().copied()).collect();
        }
        let all_grants: Values<'_> = &[&mixed];
        tokio::try_join!(
            biased;
            // The order of `apply::lock`.
            self.hold_users(link),
            all(link, &USERS, users.len(), of_users),
            all(link, &CLIENTS, clients.len(), of_clients),
            all(link, &SESSIONS, sessions.len(), of_sessions),
            async {
                // Whether they are there is asked by those who need them.
                if mixed.is_empty() { Ok(()) } else { link.execute(&GRANTS, all_grants).await.map(drop) }
            },
            all(link, &UNREVOKED, unrevoked.len(), of_grants),
            all(link, &CONSENTS, ids.len(), of_consents),
            some(link, &ABSENT, without.len(), of_absent),
            self.pass(link),
        )
        .map(drop)
    }

    /// Holds users for what their versions do not say. All users of the batch are taken by one statement and in one order: a
    /// batch that took some alone and then shared others could wait for one that did so the other way round.
    async fn hold_users(&self, link: &Link) -> Result<(), Stop> {
        let shared = self.absent.iter().map(|(user, _)| *user).chain(self.users.iter().map(|(user, _)| *user));
        let all: BTreeSet<i64> = shared.chain(self.users_alone.iter().copied()).collect();
        let keys: Vec<i64> = all.into_iter().collect();
        match (self.users_alone.is_empty(), self.absent.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => link.execute(&USERS_SHARED, &[&keys]).await.map(drop),
            (false, _) => link.execute(&USERS_ALONE, &[&keys]).await.map(drop),
        }
    }

    async fn clear(&self, link: &Link) -> Result<(), Stop> {
        let keys: Vec<&[u8]> = self.cleared.iter().map(|(key, _, _)| key.as_slice()).collect();
        let limits: Vec<i64> = self.cleared.iter().map(|(_, limit, _)| *limit).collect();
        let times: Vec<i64> = self.cleared.iter().map(|(_, _, now)| *now).collect();
        some(link, &CLEAR, keys.len(), &[&keys, &limits, &times]).await
    }

    async fn pass(&self, link: &Link) -> Result<(), Stop> {
        let keys: Vec<&[u8]> = self.passed.iter().map(|(key, _, _)| key.as_slice()).collect();
        let limits: Vec<i64> = self.passed.iter().map(|(_, limit, _)| *limit).collect();
        let times: Vec<i64> = self.passed.iter().map(|(_, _, now)| *now).collect();
        all(link, &PASS, keys.len(), &[&keys, &limits, &times]).await
    }

    async fn spend(&self, link: &Link) -> Result<(), Stop> {
        let (tickets, versions): (Vec<i64>, Vec<i64>) = self.spent_tickets.iter().copied().unzip();
        let of_codes: Values<'_> = &[&self.spent];
        let of_tickets: Values<'_> = &[&tickets, &versions];
        tokio::try_join!(
            biased;
            all(link, &SPEND, self.spent.len(), of_codes),
            all(link, &SPEND_TICKETS, tickets.len(), of_tickets),
        )
        .map(drop)
    }

    async fn rotate(&self, link: &Link) -> Result<(), Stop> {
        let rows = &self.rotated;
        let ids: Vec<i64> = rows.iter().map(|row| row.grant).collect();
        let before: Vec<&[u8]> = rows.iter().map(|row| row.before.0.as_slice()).collect();
        let current: Vec<&[u8]> = rows.iter().map(|row| row.to.current.0.as_slice()).collect();
        let previous: Vec<Option<&[u8]>> =
            rows.iter().map(|row| row.to.previous.as_ref().map(|digest| digest.0.as_slice())).collect();
        let answers: Vec<Option<&[u8]>> = rows.iter().map(|row| row.to.answer.as_deref()).collect();
        let idle_until: Vec<i64> = rows.iter().map(|row| row.to.idle_until.0).collect();
        let expires_at: Vec<i64> = rows.iter().map(|row| row.expires_at.0).collect();
        let generations: Vec<i64> = rows.iter().map(|row| i64::from(row.to.generation)).collect();
        let values: Values<'_> =
            &[&ids, &before, &current, &previous, &answers, &idle_until, &expires_at, &generations];
        all(link, &ROTATE, rows.len(), values).await
    }

    async fn touch(&self, link: &Link) -> Result<(), Stop> {
        let (mut sessions, mut seen_at, mut idle_until) = (Vec::new(), Vec::new(), Vec::new());
        for seen in &self.sessions_seen {
            sessions.push(seen.0);
            seen_at.push(seen.1);
            idle_until.push(seen.2);
        }
        let (personals, used_at): (Vec<i64>, Vec<i64>) = self.personals_used.iter().copied().unzip();
        let secrets: Vec<&[u8]> = self.secrets_used.keys().map(<[u8; 32]>::as_slice).collect();
        let (clients, used_by): (Vec<i64>, Vec<i64>) = self.secrets_used.values().copied().unzip();
        let of_secrets: Values<'_> = &[&secrets, &clients, &used_by];
        let of_sessions: Values<'_> = &[&sessions, &seen_at, &idle_until];
        let of_personals: Values<'_> = &[&personals, &used_at];
        tokio::try_join!(
            biased;
            some(link, &TOUCH_SESSIONS, sessions.len(), of_sessions),
            some(link, &TOUCH_PERSONALS, personals.len(), of_personals),
            some(link, &TOUCH_SECRETS, secrets.len(), of_secrets),
        )
        .map(drop)
    }
}

/// Runs a statement that must find a row for each of `count`; none, none is run.
async fn all(link: &Link, sql: &'static Sql, count: usize, values: Values<'_>) -> Result<(), Stop> {
    let expected = i64::try_from(count).unwrap_or(i64::MAX);
    let mut values = values.to_vec();
    values.push(&expected);
    some(link, sql, count, &values).await
}

/// Runs a statement on `count` rows, unless there are none.
async fn some(link: &Link, sql: &'static Sql, count: usize, values: Values<'_>) -> Result<(), Stop> {
    if count == 0 { Ok(()) } else { link.execute(sql, values).await.map(drop) }
}
