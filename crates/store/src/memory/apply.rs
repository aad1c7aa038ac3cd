//! Changes, one after the other.

use std::sync::Arc;

use protocol::client::registration::secret_digest;
use protocol::line::{Change, Rely};
use protocol::model::{Attempts, Client, ClientKey, User, UserKey};
use protocol::secret::Digest;
use protocol::time::UnixTime;

use super::{Tables, logins};
use crate::CommitError;
use crate::names::{CLIENT_ID_OF_USER, SUB_OF_CLIENT};

/// Yes, or the turn is lost.
fn must(holds: bool) -> Result<(), CommitError> {
    if holds { Ok(()) } else { Err(CommitError::Lost) }
}

impl Tables {
    /// Makes the changes, or fails somewhere in between; the caller takes back what was done.
    pub(super) fn apply(&mut self, changes: Vec<Change>) -> Result<(), CommitError> {
        for change in &changes {
            match *change {
                Change::Rely(rely) => must(self.holds(rely))?,
                Change::PassCounter { key, limit, now, .. } => must(self.open_failures(key, now) < limit)?,
                _ => {}
            }
        }
        changes.into_iter().try_for_each(|change| self.change(change))
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
        }
    }

    /// Failures that count at `now`.
    fn open_failures(&self, key: Digest, now: UnixTime) -> u32 {
        let open = |(row, _): &&(Attempts, _)| !now.is_past(row.resets_at);
        self.attempts.row(&key).filter(open).map_or(0, |(row, _)| row.failures)
    }

    fn change(&mut self, change: Change) -> Result<(), CommitError> {
        match change {
            Change::SpendCode(id) => {
                must(self.codes.row(&id).is_some_and(|row| !row.is_spent))?;
                self.codes.edit(&id, |row| row.is_spent = true);
            }
            Change::RotateRefresh { grant, from, to, expires_at } => {
                let is_current = |row: &protocol::model::Refresh| row.current == from;
                must(
                    self.is_grant_alive(grant)
                        && self.grants.row(&grant).is_some_and(|row| row.refresh.as_ref().is_some_and(is_current)),
                )?;
                self.grants.edit(&grant, |row| {
                    row.refresh = Some(to);
                    row.expires_at = expires_at;
                });
            }
            // Compared before the first change was made.
            Change::Rely(_) | Change::Settle | Change::PassCounter { is_cleared: false, .. } => {}
            Change::PassCounter { key, .. } => self.attempts.remove(&key),
            Change::CountFailure { key, limit, now, resets_at, user } => {
                must(self.open_failures(key, now) < limit)?;
                self.count_failure(key, now, Attempts { failures: 1, resets_at }, user);
            }
            Change::PutClient(row) => self.put_client(*row)?,
            Change::PutUser(row) => self.put_user(*row)?,
            Change::PutCode(row) => must(self.codes.add(row.id, *row))?,
            Change::PutGrant(row) => must(self.grants.add(row.id, *row))?,
            Change::PutAccess(row) => must(self.accesses.add(row.id, *row))?,
            Change::PutPersonal(row) => must(self.personals.add(row.id, *row))?,
            Change::PutSession(row) => must(self.sessions.add(row.id, *row))?,
            Change::PutIdentity(row) => must(self.identities.add(row.name.clone(), row))?,
            Change::BurnJti { jti, until } => must(self.burned.add(jti, until))?,
            Change::DropIdentity(name) => self.identities.remove(&name),
            Change::PutConsent(row) => self.consents.put((row.user, row.client), row),
            Change::PutSealKey(row) => {
                must(self.seal_keys.rows().all(|(_, key)| key.number != row.number))?;
                let next = self.seal_keys.rows().next_back().map_or(0, |(at, _)| at + 1);
                self.seal_keys.put(next, row);
            }
            Change::DropSealKey(number) => {
                self.seal_keys.remove_where(usize::MAX, |_, key| key.number == number);
            }
            Change::Note(event) => {
                let next = self.events.rows().next_back().map_or(0, |(at, _)| at + 1);
                self.events.put(next, event);
            }
            ref other => self.end(other),
        }
        Ok(())
    }

    /// Changes that cannot fail: what is not there need not be touched or ended.
    fn end(&mut self, change: &Change) {
        match *change {
            Change::TouchSession { id, seen_at, idle_until } => {
                self.sessions.edit(&id, |row| {
                    row.seen_at = seen_at;
                    row.idle_until = idle_until;
                });
            }
            Change::TouchPersonal { id, used_at } => {
                self.personals.edit(&id, |row| row.used_at = Some(used_at));
            }
            Change::TouchSecret { client, secret, used_at } => {
                if self.clients.row(&client).is_some() {
                    let before = self.secret_uses.row(&secret).map_or(used_at, |(_, before)| *before);
                    self.secret_uses.put(secret, (client, used_at.max(before)));
                }
            }
            Change::RevokeGrant(id) => {
                self.grants.edit(&id, |row| row.is_revoked = true);
            }
            Change::ForgetFailures(user) => {
                self.attempts.remove_where(usize::MAX, |_, (_, owner)| *owner == Some(user));
            }
            Change::RevokeAccess(id) => self.accesses.remove(&id),
            Change::RevokePersonal(id) => self.personals.remove(&id),
            Change::WithdrawConsent { user, client } => self.withdraw_consent(user, client),
            Change::EndSession(id) => self.sessions.remove(&id),
            Change::EndSessions { user, but } => {
                self.sessions.remove_where(usize::MAX, |id, row| row.user == user && but != Some(*id));
            }
            Change::DeleteUser(key) => {
                self.users.remove(&key);
                self.sessions.remove_where(usize::MAX, |_, row| row.user == key);
                self.identities.remove_where(usize::MAX, |_, row| row.user == key);
                self.consents.remove_where(usize::MAX, |_, row| row.user == key);
                self.personals.remove_where(usize::MAX, |_, row| row.user == key);
                self.grants.remove_where(usize::MAX, |_, row| row.authorization.user == key);
                self.attempts.remove_where(usize::MAX, |_, (_, owner)| *owner == Some(key));
            }
            Change::DeleteClient(key) => {
                self.clients.remove(&key);
                self.secret_uses.remove_where(usize::MAX, |_, (client, _)| *client == key);
                self.consents.remove_where(usize::MAX, |_, row| row.client == key);
                self.grants.remove_where(usize::MAX, |_, row| row.authorization.client == key);
            }
            _ => unreachable!("`change` handles every change that can fail"),
        }
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
            must_be_above(row.revoked_below, accesses.chain(codes).chain(grants))?;
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
            must_be_above(row.revoked_below, accesses.chain(codes).chain(grants).chain(personals).chain(sessions))?;
        }
        self.users.put(row.key, Arc::new(row));
        Ok(())
    }

    /// Codes that were not redeemed yet go as well: they would begin a grant that the user no longer wants.
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

/// What is to be revoked by its id must have one that is small enough.
fn must_be_above(revoked_below: i64, ids: impl Iterator<Item = i64>) -> Result<(), CommitError> {
    match ids.max() {
        Some(greatest) if greatest >= revoked_below => Err(CommitError::Behind(greatest)),
        _ => Ok(()),
    }
}

/// May a row of this version take the place of the stored one?
fn is_next(version: u32, stored: Option<u32>) -> bool {
    match stored {
        None => version == 1,
        Some(stored) => stored.checked_add(1) == Some(version),
    }
}
