//! Applying changes, one after the other.

use std::sync::Arc;

use protocol::client::registration::secret_digest;
use protocol::line::{Changes, Rely, Write};
use protocol::model::{
    Attempts, Client, ClientKey, CodeId, Grant, GrantId, Refresh, SealKey, SigningKey, Ticket, TicketId, User, UserKey,
};
use protocol::secret::Digest;
use protocol::time::UnixTime;

use super::{Tables, logins};
use crate::CommitError;
use crate::names::{CLIENT_ID_OF_USER, SUB_OF_CLIENT};

/// Returns [`CommitError::Lost`] unless the condition holds.
fn must(holds: bool) -> Result<(), CommitError> {
    if holds { Ok(()) } else { Err(CommitError::Lost) }
}

impl Tables {
    /// Applies the changes. If it fails in the middle, the caller must undo what was applied.
    pub(super) fn apply(&mut self, changes: Changes) -> Result<(), CommitError> {
        must(changes.relied.into_iter().all(|rely| self.holds(rely)))?;
        changes.writes.into_iter().try_for_each(|write| self.write(write))
    }

    fn holds(&self, rely: Rely) -> bool {
        match rely {
            Rely::Client(key, version) => self.clients.row(&key).is_some_and(|row| row.version == version),
            Rely::User(key, version) => self.users.row(&key).is_some_and(|row| row.version == version),
            Rely::Session(id) => self.sessions.row(&id).is_some(),
            Rely::Grant(id) => self.is_grant_alive(id),
            Rely::Consent { user, client, id } => self.consents.row(&(user, client)).map(|row| row.id) == id,
            Rely::ClientsFewer { owner, than } => self.holdings(owner).clients < than,
            Rely::PersonalsFewer { user, than } => self.holdings(user).personals < than,
            Rely::CounterBelow { key, limit, now } => self.open_failures(key, now) < limit,
        }
    }

    /// Returns the number of failures that count at `now`.
    fn open_failures(&self, key: Digest, now: UnixTime) -> u32 {
        let open = |(row, _): &&(Attempts, _)| !now.is_past(row.resets_at);
        self.attempts.row(&key).filter(open).map_or(0, |(row, _)| row.failures)
    }

    fn write(&mut self, write: Write) -> Result<(), CommitError> {
        match write {
            Write::SpendCode(id) => self.spend_code(id)?,
            Write::RotateRefresh { grant, from, to, expires_at } => self.rotate_refresh(grant, from, to, expires_at)?,
            // A store in memory is not durable.
            Write::AwaitDurability => {}
            Write::CountFailure { key, limit, now, resets_at, user } => {
                must(self.open_failures(key, now) < limit)?;
                self.count_failure(key, now, Attempts { failures: 1, resets_at }, user);
            }
            Write::ForgetFailures(user) => {
                self.attempts.remove_where(usize::MAX, |_, (_, owner)| *owner == Some(user));
            }
            Write::ClearCounter { key, limit, now } => {
                self.attempts.remove_where(1, |own, (row, _)| {
                    *own == key && (row.failures < limit || now.is_past(row.resets_at))
                });
            }
            Write::PutClient(row) => self.put_client(*row)?,
            Write::PutUser(row) => self.put_user(*row)?,
            Write::PutCode(row) => must(self.codes.add(row.id, *row))?,
            Write::PutGrant(row) => must(self.grants.add(row.id, *row))?,
            Write::PutAccess(row) => must(self.accesses.add(row.id, *row))?,
            Write::PutPersonal(row) => must(self.personals.add(row.id, *row))?,
            Write::PutSession(row) => must(self.sessions.add(row.id, *row))?,
            Write::PutTicket(row) => must(self.tickets.add(row.id, *row))?,
            Write::ChangeTicket(row) => self.change_ticket(*row)?,
            Write::SpendTicket { id, version } => {
                must(self.is_ticket_unspent(id, version))?;
                self.tickets.edit(&id, |row| row.is_spent = true);
            }
            Write::PutIdentity(row) => must(self.identities.add(row.name.clone(), row))?,
            Write::BurnJti { jti, until } => must(self.used_jtis.add(jti, until))?,
            Write::PutConsent(row) => self.consents.put((row.user, row.client), row),
            Write::PutSealKey(row) => self.put_seal_key(row)?,
            Write::DropSealKey(number) => drop(self.seal_keys.remove_where(usize::MAX, |_, key| key.number == number)),
            Write::PutSigningKey(row) => self.put_signing_key(*row)?,
            Write::DropSigningKey(number) => self.signing_keys.remove(&number),
            Write::TouchSession { id, seen_at, idle_until } => {
                self.sessions.edit(&id, |row| (row.seen_at, row.idle_until) = (seen_at, idle_until));
            }
            Write::TouchPersonal { id, used_at } => drop(self.personals.edit(&id, |row| row.used_at = Some(used_at))),
            Write::TouchSecret { client, secret, used_at } => self.touch_secret(client, secret, used_at),
            Write::RevokeGrant(id) => drop(self.grants.edit(&id, |row| row.is_revoked = true)),
            Write::RevokeAccess(id) => self.accesses.remove(&id),
            Write::RevokePersonal(id) => self.personals.remove(&id),
            Write::WithdrawConsent { user, client } => self.withdraw_consent(user, client),
            Write::EndSession(id) => self.sessions.remove(&id),
            Write::EndSessions { user, but } => {
                self.sessions.remove_where(usize::MAX, |id, row| row.user == user && but != Some(*id));
            }
            Write::DropIdentity(name) => self.identities.remove(&name),
            Write::DeleteUser(key) => self.delete_user(key),
            Write::DeleteClient(key) => self.delete_client(key),
            Write::Enqueue(job) => must(self.jobs.add(job.id, (*job, None)))?,
            Write::Note(event) => self.note(event),
        }
        Ok(())
    }

    fn spend_code(&mut self, id: CodeId) -> Result<(), CommitError> {
        must(self.codes.row(&id).is_some_and(|row| !row.is_spent))?;
        must(self.codes.edit(&id, |row| row.is_spent = true))
    }

    fn is_ticket_unspent(&self, id: TicketId, version: u32) -> bool {
        self.tickets.row(&id).is_some_and(|row| !row.is_spent && row.version == version)
    }

    fn change_ticket(&mut self, row: Ticket) -> Result<(), CommitError> {
        must(row.version.checked_sub(1).is_some_and(|before| self.is_ticket_unspent(row.id, before)))?;
        let Ticket { id, user, client, expires_at, version, document, .. } = row;
        must(self.tickets.edit(&id, |own| {
            *own = Ticket { user, client, expires_at, version, document, ..own.clone() };
        }))
    }

    fn rotate_refresh(
        &mut self,
        id: GrantId,
        from: Digest,
        to: Refresh,
        expires_at: UnixTime,
    ) -> Result<(), CommitError> {
        let is_current = |row: &Grant| row.refresh.as_ref().is_some_and(|refresh| refresh.current == from);
        must(self.is_grant_alive(id) && self.grants.row(&id).is_some_and(is_current))?;
        must(self.grants.edit(&id, |row| (row.refresh, row.expires_at) = (Some(to), expires_at)))
    }

    fn put_seal_key(&mut self, row: SealKey) -> Result<(), CommitError> {
        must(self.seal_keys.rows().all(|(_, key)| key.number != row.number))?;
        let next = self.seal_keys.rows().next_back().map_or(0, |(at, _)| at + 1);
        self.seal_keys.put(next, row);
        Ok(())
    }

    fn put_signing_key(&mut self, row: SigningKey) -> Result<(), CommitError> {
        if row.version == 1 {
            return must(self.signing_keys.add(row.number, row));
        }
        must(self.signing_keys.row(&row.number).is_some_and(|own| own.version + 1 == row.version))?;
        let SigningKey { number, version, active_at, retired_at, .. } = row;
        must(self.signing_keys.edit(&number, |own| {
            *own = SigningKey { version, active_at, retired_at, ..own.clone() };
        }))
    }

    fn touch_secret(&mut self, client: ClientKey, secret: Digest, used_at: UnixTime) {
        if self.clients.row(&client).is_some() {
            let before = self.secret_uses.row(&secret).map_or(used_at, |(_, before)| *before);
            self.secret_uses.put(secret, (client, used_at.max(before)));
        }
    }

    fn delete_user(&mut self, key: UserKey) {
        self.users.remove(&key);
        self.sessions.remove_where(usize::MAX, |_, row| row.user == key);
        self.identities.remove_where(usize::MAX, |_, row| row.user == key);
        self.consents.remove_where(usize::MAX, |_, row| row.user == key);
        self.personals.remove_where(usize::MAX, |_, row| row.user == key);
        self.grants.remove_where(usize::MAX, |_, row| row.authorization.user == key);
        self.tickets.remove_where(usize::MAX, |_, row| row.user == Some(key));
        self.attempts.remove_where(usize::MAX, |_, (_, owner)| *owner == Some(key));
    }

    fn delete_client(&mut self, key: ClientKey) {
        self.clients.remove(&key);
        self.secret_uses.remove_where(usize::MAX, |_, (client, _)| *client == key);
        self.consents.remove_where(usize::MAX, |_, row| row.client == key);
        self.grants.remove_where(usize::MAX, |_, row| row.authorization.client == key);
        self.tickets.remove_where(usize::MAX, |_, row| row.client == Some(key));
    }

    fn count_failure(&mut self, key: Digest, now: UnixTime, first: Attempts, user: Option<UserKey>) {
        let row = match self.attempts.row(&key) {
            Some((row, owner)) if !now.is_past(row.resets_at) => {
                (Attempts { failures: row.failures + 1, ..*row }, user.or(*owner))
            }
            _ => (first, user),
        };
        self.attempts.put(key, row);
    }

    fn put_client(&mut self, row: Client) -> Result<(), CommitError> {
        must(is_next(row.version, self.clients.row(&row.key).map(|old| old.version)))?;
        if self.clients.rows().any(|(key, other)| *key != row.key && other.client_id == row.client_id) {
            return Err(CommitError::Taken("client_id"));
        }
        let is_new = self.clients.row(&row.key).is_none_or(|old| old.client_id != row.client_id);
        if is_new && self.user_by_sub(&row.client_id).is_some() {
            return Err(CommitError::Taken(CLIENT_ID_OF_USER));
        }
        let before = self.clients.row(&row.key).map_or(0, |old| old.revoked_below);
        if row.revoked_below > before {
            let accesses = self.accesses.rows().filter(|(_, own)| own.client == row.key).map(|(id, _)| id.0);
            let codes = self.codes.rows().filter(|(_, own)| own.authorization.client == row.key).map(|(id, _)| id.0);
            let grants = self.grants.rows().filter(|(_, own)| own.authorization.client == row.key).map(|(id, _)| id.0);
            let tickets = self.tickets.rows().filter(|(_, own)| own.client == Some(row.key)).map(|(id, _)| id.0);
            must_be_above(row.revoked_below, accesses.chain(codes).chain(grants).chain(tickets))?;
        }
        let kept: Vec<Digest> = row.secrets.iter().map(secret_digest).collect();
        self.secret_uses.remove_where(usize::MAX, |secret, (client, _)| *client == row.key && !kept.contains(secret));
        self.clients.put(row.key, Arc::new(row));
        Ok(())
    }

    fn put_user(&mut self, row: User) -> Result<(), CommitError> {
        must(is_next(row.version, self.users.row(&row.key).map(|old| old.version)))?;
        for (_, other) in self.users.rows().filter(|(key, _)| **key != row.key) {
            if other.sub == row.sub {
                return Err(CommitError::Taken("sub"));
            }
        }
        let is_new = self.users.row(&row.key).is_none_or(|old| old.sub != row.sub);
        if is_new && self.client_by_id(&row.sub).is_some() {
            return Err(CommitError::Taken(SUB_OF_CLIENT));
        }
        for (what, own) in logins(&row) {
            let is_taken = |(key, other): (&UserKey, &Arc<User>)| {
                *key != row.key && logins(other).any(|(_, theirs)| theirs == own)
            };
            if self.users.rows().any(is_taken) {
                return Err(CommitError::Taken(what));
            }
        }
        let before = self.users.row(&row.key).map_or(0, |old| old.revoked_below);
        if row.revoked_below > before {
            let accesses = self.accesses.rows().filter(|(_, own)| own.user == Some(row.key)).map(|(id, _)| id.0);
            let codes = self.codes.rows().filter(|(_, own)| own.authorization.user == row.key).map(|(id, _)| id.0);
            let grants = self.grants.rows().filter(|(_, own)| own.authorization.user == row.key).map(|(id, _)| id.0);
            let personals = self.personals.rows().filter(|(_, own)| own.user == row.key).map(|(id, _)| id.0);
            let sessions = self.sessions.rows().filter(|(_, own)| own.user == row.key).map(|(id, _)| id.0);
            let tickets = self.tickets.rows().filter(|(_, own)| own.user == Some(row.key)).map(|(id, _)| id.0);
            let others = personals.chain(sessions).chain(tickets);
            must_be_above(row.revoked_below, accesses.chain(codes).chain(grants).chain(others))?;
        }
        self.users.put(row.key, Arc::new(row));
        Ok(())
    }

    /// Removes a consent and revokes its grants. Removes unredeemed codes too, because they would begin a grant that
    /// the user no longer wants.
    fn withdraw_consent(&mut self, user: UserKey, client: ClientKey) {
        self.consents.remove(&(user, client));
        self.codes.remove_where(usize::MAX, |_, row| {
            !row.is_spent && row.authorization.user == user && row.authorization.client == client
        });
        let grants: Vec<_> = self
            .grants
            .rows()
            .filter(|(_, row)| row.authorization.user == user && row.authorization.client == client)
            .map(|(id, _)| *id)
            .collect();
        for id in grants {
            self.grants.edit(&id, |row| row.is_revoked = true);
        }
    }
}

/// Checks that everything to be revoked has a smaller id than `revoked_below`.
fn must_be_above(revoked_below: i64, ids: impl Iterator<Item = i64>) -> Result<(), CommitError> {
    match ids.max() {
        Some(greatest) if greatest >= revoked_below => Err(CommitError::Behind(greatest)),
        _ => Ok(()),
    }
}

/// Returns true if a row with this version may replace the stored one.
fn is_next(version: u32, stored: Option<u32>) -> bool {
    match stored {
        None => version == 1,
        Some(stored) => stored.checked_add(1) == Some(version),
    }
}
