//! The store in memory, for tests and trials. It is the reference that the other stores are compared with: one lock,
//! ordered maps, and linear searches.

mod apply;
mod jobs;
mod list;
mod table;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use protocol::line::{Changes, Facts, Key, OwnedCounts, Row, Wants};
use protocol::model::{
    Access, AccessId, Attempts, Client, ClientKey, Code, CodeId, Consent, Event, Grant, GrantId, Identity,
    IdentityName, Job, JobId, JobState, Personal, PersonalId, SealKey, Session, SessionId, SigningKey, Ticket,
    TicketId, User, UserKey, WithOwners,
};
use protocol::names::login_name;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use self::table::Table;
use crate::{
    CommitError, DEAD_JOB_KEPT_S, DEAD_TOKEN_KEPT_S, EVENT_KEPT_S, Fault, JobBurial, JobChange, JobClaim, JobEnd,
    PEN_MAX, Pen, Query, Rows, SPENT_CODE_KEPT_S, Store, USED_JTI_KEPT_S, pen_is_gone,
};

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    tables: Arc<Mutex<Tables>>,
    /// The lock of writers. Waiting writers get it in the order of their requests.
    writing: Arc<tokio::sync::Mutex<()>>,
    master_fingerprint: Mutex<Option<Digest>>,
    /// Retention of events in seconds, if it is not [`EVENT_KEPT_S`].
    events_kept_s: OnceLock<u64>,
}

/// The exclusive right to write to a [`Memory`].
struct MemoryPen {
    tables: Arc<Mutex<Tables>>,
    writing: Option<OwnedMutexGuard<()>>,
    end: Instant,
}

#[async_trait]
impl Pen for MemoryPen {
    async fn commit(&mut self, changes: Changes) -> Result<(), CommitError> {
        if self.writing.is_none() || Instant::now() >= self.end {
            self.writing = None;
            return Err(pen_is_gone().into());
        }
        write(&self.tables, changes)?;
        self.writing = None;
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Tables {
    clients: Table<ClientKey, Arc<Client>>,
    users: Table<UserKey, Arc<User>>,
    sessions: Table<SessionId, Session>,
    identities: Table<IdentityName, Identity>,
    consents: Table<(UserKey, ClientKey), Consent>,
    codes: Table<CodeId, Code>,
    grants: Table<GrantId, Grant>,
    accesses: Table<AccessId, Access>,
    personals: Table<PersonalId, Personal>,
    tickets: Table<TicketId, Ticket>,
    /// Counters of failed attempts, each with its account.
    attempts: Table<Digest, (Attempts, Option<UserKey>)>,
    /// The last use of each client secret.
    secret_uses: Table<Digest, (ClientKey, UnixTime)>,
    /// Used token ids, and until when each must be remembered.
    used_jtis: Table<Digest, UnixTime>,
    /// Sealing keys in the order in which they were added.
    seal_keys: Table<u64, SealKey>,
    /// Signing keys by their numbers.
    signing_keys: Table<u32, SigningKey>,
    /// Jobs, each with the claim on it if there is one: by whom, and until when.
    jobs: Table<JobId, (Job, Option<(i64, UnixTime)>)>,
    /// Events in their order.
    events: Table<u64, Event>,
}

impl Memory {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        lock(&self.tables)
    }
}

/// A panic under the lock cannot leave a turn half written: `write` takes back changes that were not made final.
fn lock(tables: &Mutex<Tables>) -> MutexGuard<'_, Tables> {
    let mut tables = tables.lock().unwrap_or_else(PoisonError::into_inner);
    tables.take_back();
    tables
}

/// Writes one turn completely or not at all.
fn write(tables: &Mutex<Tables>, changes: Changes) -> Result<(), CommitError> {
    let mut tables = lock(tables);
    let applied = tables.apply(changes);
    match applied {
        Ok(()) => tables.keep(),
        Err(_) => tables.take_back(),
    }
    applied
}

#[async_trait]
impl Store for Memory {
    async fn load(&self, wants: Wants) -> Result<Facts, Fault> {
        Ok(self.tables().load(wants))
    }

    async fn commit(&self, changes: Changes) -> Result<(), CommitError> {
        let _writing = self.writing.lock().await;
        write(&self.tables, changes)
    }

    async fn pen(&self) -> Result<Box<dyn Pen>, Fault> {
        let writing = Some(Arc::clone(&self.writing).lock_owned().await);
        Ok(Box::new(MemoryPen { tables: Arc::clone(&self.tables), writing, end: Instant::now() + PEN_MAX }))
    }

    async fn list(&self, query: &Query) -> Result<Rows, Fault> {
        Ok(self.tables().list(query))
    }

    async fn master_fingerprint(&self) -> Result<Option<Digest>, Fault> {
        Ok(*self.master_fingerprint.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn note_master_fingerprint(&self, own: Digest) -> Result<Digest, Fault> {
        Ok(*self.master_fingerprint.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(own))
    }

    async fn replace_master_fingerprint(&self, old: Digest, new: Digest) -> Result<bool, Fault> {
        let mut noted = self.master_fingerprint.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = *noted == Some(old);
        if is_old {
            *noted = Some(new);
        }
        Ok(is_old)
    }

    async fn sweep(&self, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        let _writing = self.writing.lock().await;
        let mut tables = self.tables();
        let events_kept_s = self.events_kept_s.get().copied().unwrap_or(EVENT_KEPT_S);
        let removed = tables.sweep(now, rows_max, events_kept_s);
        tables.keep();
        Ok(removed)
    }

    async fn claim_jobs(&self, claim: JobClaim) -> Result<Vec<Job>, Fault> {
        let _writing = self.writing.lock().await;
        let mut tables = self.tables();
        let claimed = tables.claim_jobs(claim);
        tables.keep();
        Ok(claimed)
    }

    async fn end_job(&self, id: JobId, holder: i64, end: JobEnd) -> Result<bool, Fault> {
        let _writing = self.writing.lock().await;
        let mut tables = self.tables();
        let is_held = tables.end_job(id, holder, end);
        tables.keep();
        Ok(is_held)
    }

    async fn bury_jobs(&self, burial: JobBurial) -> Result<usize, Fault> {
        let _writing = self.writing.lock().await;
        let mut tables = self.tables();
        let buried = tables.bury_jobs(burial);
        tables.keep();
        Ok(buried)
    }

    async fn change_job(&self, id: JobId, change: JobChange, event: Event) -> Result<bool, Fault> {
        let _writing = self.writing.lock().await;
        let mut tables = self.tables();
        let is_changed = tables.change_job(id, change);
        if is_changed {
            tables.note(event);
        }
        tables.keep();
        Ok(is_changed)
    }

    fn keep_events(&self, for_s: u64) {
        let _ = self.events_kept_s.set(for_s);
    }
}

impl Tables {
    fn load(&self, wants: Wants) -> Facts {
        let mut facts = Facts::of(wants);
        let Ok(()) = facts.look(|key, so_far| Ok::<_, Infallible>(self.row(key, so_far)));
        facts
    }

    fn row(&self, key: &Key, so_far: &Facts) -> Row {
        match key {
            Key::Client(client_id) => self.client_by_id(client_id).into(),
            Key::Code(id) => self.codes.row(id).map(|row| self.held_code(row)).into(),
            Key::Grant(id) => self.grants.row(id).map(|row| self.held_grant(row)).into(),
            Key::GrantOf(id) => {
                let grant = self.accesses.row(id).and_then(|access| access.grant);
                grant.and_then(|id| self.grants.row(&id)).map(|row| self.held_grant(row)).into()
            }
            Key::Access(id) => self.accesses.row(id).map(|row| self.held_access(row)).into(),
            Key::Personal(id) => self.personals.row(id).map(|row| self.held_of_user(row, row.user)).into(),
            Key::Session(id) => self.sessions.row(id).map(|row| self.held_of_user(row, row.user)).into(),
            Key::Ticket(id) => self.tickets.row(id).map(|row| self.held_ticket(row)).into(),
            Key::Login(typed) => self.user_by_login(typed).into(),
            Key::Sub(sub) => self.user_by_sub(sub).into(),
            Key::Identity(name) => self.identities.row(name).map(|row| self.held_of_user(row, row.user)).into(),
            Key::UsedJti(jti) => Row::used_jti(self.used_jtis.row(jti).is_some()),
            Key::Failures(counter) => self.attempts.row(counter).map(|(row, _)| *row).into(),
            Key::Consent(client_id) => {
                let pair = so_far.account().zip(so_far.client(client_id).map(|client| client.key));
                pair.and_then(|pair| self.consents.row(&pair)).cloned().into()
            }
            Key::OwnedCounts => so_far.account().map(|user| self.holdings(user)).into(),
        }
    }

    fn client(&self, key: ClientKey) -> Option<Arc<Client>> {
        self.clients.row(&key).cloned()
    }

    fn user(&self, key: UserKey) -> Option<Arc<User>> {
        self.users.row(&key).cloned()
    }

    fn client_by_id(&self, client_id: &str) -> Option<Arc<Client>> {
        self.clients.rows().map(|(_, client)| client).find(|client| client.client_id == client_id).cloned()
    }

    fn user_by_sub(&self, sub: &str) -> Option<Arc<User>> {
        self.users.rows().map(|(_, user)| user).find(|user| user.sub == sub).cloned()
    }

    fn user_by_login(&self, typed: &str) -> Option<Arc<User>> {
        let wanted = login_name(typed);
        self.users.rows().map(|(_, user)| user).find(|user| logins(user).any(|(_, own)| own == wanted)).cloned()
    }

    fn held_grant(&self, row: &Grant) -> WithOwners<Grant> {
        WithOwners {
            row: row.clone(),
            client: self.client(row.authorization.client),
            user: self.user(row.authorization.user),
            is_grant_revoked: row.is_revoked,
        }
    }

    fn held_code(&self, row: &Code) -> WithOwners<Code> {
        WithOwners {
            row: row.clone(),
            client: self.client(row.authorization.client),
            user: self.user(row.authorization.user),
            is_grant_revoked: self.grants.row(&row.grant).is_some_and(|grant| grant.is_revoked),
        }
    }

    fn held_access(&self, row: &Access) -> WithOwners<Access> {
        WithOwners {
            row: row.clone(),
            client: self.client(row.client),
            user: row.user.and_then(|user| self.user(user)),
            is_grant_revoked: row.grant.is_some_and(|grant| !self.is_grant_alive(grant)),
        }
    }

    fn held_ticket(&self, row: &Ticket) -> WithOwners<Ticket> {
        WithOwners {
            row: row.clone(),
            client: row.client.and_then(|client| self.client(client)),
            user: row.user.and_then(|user| self.user(user)),
            is_grant_revoked: false,
        }
    }

    /// A row that depends on its user alone.
    fn held_of_user<T: Clone>(&self, row: &T, user: UserKey) -> WithOwners<T> {
        WithOwners { row: row.clone(), client: None, user: self.user(user), is_grant_revoked: false }
    }

    fn holdings(&self, user: UserKey) -> OwnedCounts {
        let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
        OwnedCounts {
            clients: count(self.clients.rows().filter(|(_, row)| row.owner == Some(user)).count()),
            personals: count(self.personals.rows().filter(|(_, row)| row.user == user).count()),
            identities: count(self.identities.rows().filter(|(_, row)| row.user == user).count()),
        }
    }

    /// Returns true if the grant exists and is not revoked.
    fn is_grant_alive(&self, id: GrantId) -> bool {
        self.grants.row(&id).is_some_and(|grant| !grant.is_revoked)
    }

    fn sweep(&mut self, now: UnixTime, rows_max: usize, events_kept_s: u64) -> usize {
        let Self { clients, users, sessions, codes, grants, accesses, personals, attempts, .. } = self;
        let far = now.plus(DEAD_TOKEN_KEPT_S);
        let mut left = rows_max;
        left -= accesses.remove_where(left, |_, row| {
            let is_dead = || {
                clients.row(&row.client).is_none()
                    || row.user.is_some_and(|user| users.row(&user).is_none())
                    || row.grant.is_some_and(|id| grants.row(&id).is_none_or(|grant| grant.is_revoked))
            };
            now.is_past(row.expires_at) || (row.expires_at > far && is_dead())
        });
        left -= codes.remove_where(left, |_, row| {
            let kept_s = if row.is_spent { SPENT_CODE_KEPT_S } else { 0 };
            now.is_past(row.expires_at.plus(kept_s))
        });
        left -= grants.remove_where(left, |_, row| now.is_past(row.expires_at));
        left -= sessions.remove_where(left, |_, row| now.is_past(row.idle_until.min(row.expires_at)));
        left -= personals.remove_where(left, |_, row| now.is_past(row.expires_at));
        left -= self.tickets.remove_where(left, |_, row| now.is_past(row.expires_at));
        left -= attempts.remove_where(left, |_, (row, _)| now.is_past(row.resets_at));
        left -= self.used_jtis.remove_where(left, |_, until| now.is_past(until.plus(USED_JTI_KEPT_S)));
        left -= self.jobs.remove_where(left, |_, (row, _)| {
            row.state == JobState::Dead && now.is_past(row.due_at.plus(DEAD_JOB_KEPT_S))
        });
        left -= self.events.remove_where(left, |_, row| now.is_past(row.at.plus(events_kept_s)));
        rows_max - left
    }

    fn keep(&mut self) {
        self.each(Undo::Keep);
    }

    fn take_back(&mut self) {
        self.each(Undo::TakeBack);
    }

    fn each(&mut self, undo: Undo) {
        let Self {
            clients,
            users,
            sessions,
            identities,
            consents,
            codes,
            grants,
            accesses,
            personals,
            tickets,
            attempts,
            secret_uses,
            used_jtis,
            seal_keys,
            signing_keys,
            jobs,
            events,
        } = self;
        undo.of(clients);
        undo.of(users);
        undo.of(sessions);
        undo.of(identities);
        undo.of(consents);
        undo.of(codes);
        undo.of(grants);
        undo.of(accesses);
        undo.of(personals);
        undo.of(tickets);
        undo.of(attempts);
        undo.of(secret_uses);
        undo.of(used_jtis);
        undo.of(seal_keys);
        undo.of(signing_keys);
        undo.of(jobs);
        undo.of(events);
    }
}

/// The fate of changes that are not final yet.
#[derive(Clone, Copy)]
enum Undo {
    Keep,
    TakeBack,
}

impl Undo {
    fn of<K: Ord + Clone, V: Clone>(self, table: &mut Table<K, V>) {
        match self {
            Self::Keep => table.keep(),
            Self::TakeBack => table.take_back(),
        }
    }
}

/// Returns the sign-in names of a user in their normal form, each with the name of its field.
fn logins(user: &User) -> impl Iterator<Item = (&'static str, String)> {
    let username = user.username.as_deref().map(|name| ("username", login_name(name)));
    let email = user.email.as_deref().map(|name| ("email", login_name(name)));
    username.into_iter().chain(email)
}
