//! Turns that are written together: those whose changes are all of the frequent kinds. One statement for each kind does the
//! work of all turns, in one transaction. If a turn loses, the transaction is undone and the halves of the batch are tried, so
//! that no turn suffers from another one. Only turns that race with others lose, and that is rare.

mod counters;
mod gather;
mod held;
mod kinds;
mod people;
mod statements;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use self::counters::Counters;
pub(super) use self::gather::Batch;
pub(super) use self::held::{grants as hold_grants, sessions as hold_sessions};
pub(super) use self::kinds::is_frequent;
pub(super) use self::people::give_names;
pub(super) use self::statements::STATEMENTS;
use self::statements::{
    ABSENT, AWAIT_DURABILITY, BURN, CLIENTS, CONSENTS, END_SESSIONS, PASS, REVOKE_ACCESSES, REVOKE_GRANTS,
    REVOKE_PERSONALS, ROTATE, SESSIONS, SPEND, SPEND_TICKETS, TOUCH_PERSONALS, TOUCH_SECRETS, TOUCH_SESSIONS,
    UNREVOKED, USERS, all, some,
};
use super::error::PostgresError;
use super::link::{Link, Values};
use super::{gate, insert};

impl Batch<'_> {
    /// Writes all of it in a transaction of its own, with one trip to the server: the end of the transaction goes along. When a
    /// statement fails, the server fails those behind it too, and the end of the transaction undoes them.
    ///
    /// # Errors
    /// [`PostgresError::Lost`] when any precondition of any turn does not hold, or an id is taken. Whatever it is, nothing was
    /// written and the transaction is over, except with [`PostgresError::Unanswered`].
    pub(super) async fn commit(&self, link: &Link) -> Result<(), PostgresError> {
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
            Err(stop) if stop.is_broken() && is_ending.load(Ordering::Relaxed) => Err(PostgresError::Unanswered),
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
    pub(super) async fn write_inside(&self, link: &Link) -> Result<(), PostgresError> {
        let written = tokio::try_join!(
            biased;
            self.rely(link),
            // Rows for which transactions may wait are written in one order everywhere.
            self.counters.hold(link),
            self.spend(link),
            self.rotate(link),
            self.write_accounts(link),
            insert::consents(link, &self.new_consents),
            insert::sessions(link, &self.new_sessions),
            insert::tickets(link, &self.new_tickets),
            insert::codes(link, &self.codes),
            insert::grants(link, &self.grants),
            insert::accesses(link, &self.accesses),
            self.end(link),
            self.touch(link),
            insert::jobs(link, &self.jobs),
            insert::events(link, &self.events),
            some(link, &AWAIT_DURABILITY, usize::from(self.awaits_durability), &[]),
        );
        match written {
            Ok(_) => Ok(()),
            Err(stop) if stop.is_conflict() || stop.is_shortfall() => Err(PostgresError::Lost),
            Err(stop) => Err(stop),
        }
    }

    async fn rely(&self, link: &Link) -> Result<(), PostgresError> {
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
        let mut held_users: BTreeSet<i64> = without.iter().copied().collect();
        if !(without.is_empty() && self.users_alone.is_empty()) {
            held_users.extend(&users);
        }
        let rotated = self.rotated.iter().map(|rotation| rotation.grant);
        tokio::try_join!(
            biased;
            // The order of `apply::lock`.
            // Users are held for what their versions do not say: a consent that stays absent, and a user who is written.
            held::users(link, held_users, &self.users_alone),
            all(link, &USERS, users.len(), of_users),
            all(link, &CLIENTS, clients.len(), of_clients),
            held::sessions(link, sessions.iter().copied(), &self.ended_sessions),
            all(link, &SESSIONS, sessions.len(), of_sessions),
            held::grants(link, unrevoked.iter().copied(), rotated, &self.revoked_grants),
            all(link, &UNREVOKED, unrevoked.len(), of_grants),
            all(link, &CONSENTS, ids.len(), of_consents),
            some(link, &ABSENT, without.len(), of_absent),
            self.pass(link),
        )
        .map(drop)
    }

    /// Writes counters, users, used tokens of other issuers, and identities. Most batches have none of them.
    async fn write_accounts(&self, link: &Link) -> Result<(), PostgresError> {
        let has_users = !(self.changed_users.is_empty() && self.new_users.is_empty());
        if self.counters.is_empty() && self.burned.is_empty() && self.identities.is_empty() && !has_users {
            return Ok(());
        }
        // Boxed, so that the other batches need no room for it.
        let written = Box::pin(async {
            tokio::try_join!(
                biased;
                self.counters.write(link),
                people::change(link, &self.changed_users),
                self.burn(link),
                insert::identities(link, &self.identities),
                people::add(link, &self.new_users, self.new_names.iter().map(String::as_str)),
            )
        });
        written.await.map(drop)
    }

    async fn burn(&self, link: &Link) -> Result<(), PostgresError> {
        let (jtis, ends): (Vec<&[u8]>, Vec<i64>) =
            self.burned.iter().map(|(jti, until)| (jti.0.as_slice(), *until)).unzip();
        some(link, &BURN, jtis.len(), &[&jtis, &ends]).await
    }

    /// Ends sessions and revokes. It comes after everything that is added, so that nothing escapes.
    async fn end(&self, link: &Link) -> Result<(), PostgresError> {
        let is_revoking = !(self.revoked_accesses.is_empty() && self.revoked_personals.is_empty());
        if self.ended_sessions.is_empty() && self.revoked_grants.is_empty() && !is_revoking {
            return Ok(());
        }
        let grants: Vec<i64> = self.revoked_grants.iter().copied().collect();
        let sessions: Vec<i64> = self.ended_sessions.iter().copied().collect();
        let (accesses, personals) = (&self.revoked_accesses, &self.revoked_personals);
        let of_sessions: Values<'_> = &[&sessions];
        let of_grants: Values<'_> = &[&grants];
        let of_accesses: Values<'_> = &[accesses];
        let of_personals: Values<'_> = &[personals];
        let ended = Box::pin(async {
            tokio::try_join!(
                biased;
                some(link, &END_SESSIONS, sessions.len(), of_sessions),
                some(link, &REVOKE_GRANTS, grants.len(), of_grants),
                some(link, &REVOKE_ACCESSES, accesses.len(), of_accesses),
                some(link, &REVOKE_PERSONALS, personals.len(), of_personals),
            )
        });
        ended.await.map(drop)
    }

    async fn pass(&self, link: &Link) -> Result<(), PostgresError> {
        let keys: Vec<&[u8]> = self.passed.iter().map(|(key, _, _)| key.as_slice()).collect();
        let limits: Vec<i64> = self.passed.iter().map(|(_, limit, _)| *limit).collect();
        let times: Vec<i64> = self.passed.iter().map(|(_, _, now)| *now).collect();
        all(link, &PASS, keys.len(), &[&keys, &limits, &times]).await
    }

    async fn spend(&self, link: &Link) -> Result<(), PostgresError> {
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

    async fn rotate(&self, link: &Link) -> Result<(), PostgresError> {
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

    async fn touch(&self, link: &Link) -> Result<(), PostgresError> {
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
