//! What a judge asks for ([`Wants`]), is given ([`Facts`]), works with ([`Turn`]) and decides ([`Change`]).

use std::sync::Arc;

use crate::client_auth::{Proven, Recalled};
use crate::keys::Keys;
use crate::login::attempts::Knock;
use crate::login::memo::Memo;
use crate::login::password;
use crate::model::{
    Access, AccessId, Attempts, Client, ClientKey, Code, CodeId, Consent, Event, EventKind, Grant, GrantId, Held,
    Identity, IdentityName, Personal, PersonalId, Refresh, SealKey, Session, SessionId, User, UserKey,
};
pub use crate::names::{login_forms, login_name};
use crate::policy::Policy;
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;

/// The keys of the rows that a call must be judged against. Made from the call alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// A client, by its public identifier.
    pub client_id: Option<String>,
    /// An authorization code.
    pub code: Option<CodeId>,
    /// A grant by its refresh token.
    pub grant: Option<GrantId>,
    /// An access token.
    pub access: Option<AccessId>,
    /// A personal access token.
    pub personal: Option<PersonalId>,
    /// A login session.
    pub session: Option<SessionId>,
    /// A user, by e-mail address or user name, as typed at sign-in.
    pub login: Option<String>,
    /// A user, by the public identifier.
    pub sub: Option<String>,
    /// A user, by who they are elsewhere.
    pub identity: Option<IdentityName>,
    /// Whether a token of an issuer elsewhere was used before.
    pub burned: Option<Digest>,
    /// Counters of failed attempts from an address (not those of an account: they come with the account).
    pub address_attempts: Option<Digest>,
    /// Counters of failed attempts against the account that [`Wants::consent`] names, or else against the name of `login`.
    pub knock: Option<Knock>,
    /// The counter of failed attempts with a client secret: of the claimed client from the caller's address.
    pub client_attempts: Option<Digest>,
    /// The counter of failed attempts with client secrets from the caller's address.
    pub client_address_attempts: Option<Digest>,
    /// What the account allowed the client of `client_id`. The account is that of `identity`, or else the one of `login`
    /// where a name is given, or else that of `session`.
    pub consent: bool,
    /// How many applications, personal tokens and identities the user of `session` has.
    pub holdings: bool,
}

impl Wants {
    /// Is nothing wanted? A request that names no row of this server's is judged without asking the store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The rows found for [`Wants`]. Each is present or absent.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The client with the wanted `client_id`.
    pub client: Option<Arc<Client>>,
    /// The code, with its client and user.
    pub code: Option<Held<Code>>,
    /// The grant, with its client and user.
    pub grant: Option<Held<Grant>>,
    /// The access token, with its client and user.
    pub access: Option<Held<Access>>,
    /// The personal token, with its user.
    pub personal: Option<Held<Personal>>,
    /// The session, with its user.
    pub session: Option<Held<Session>>,
    /// The user who wants to sign in.
    pub login: Option<Arc<User>>,
    /// The user with the wanted `sub`.
    pub subject: Option<Arc<User>>,
    /// The account elsewhere, with its user here.
    pub identity: Option<Held<Identity>>,
    /// Was the token of [`Wants::burned`] used before?
    pub is_burned: bool,
    /// The counters of [`Wants::knock`] that have rows.
    pub attempts: Vec<(Digest, Attempts)>,
    /// Failed attempts from the address.
    pub address_attempts: Option<Attempts>,
    /// Failed attempts with a secret of the claimed client from the address.
    pub client_attempts: Option<Attempts>,
    /// Failed attempts with client secrets from the address.
    pub client_address_attempts: Option<Attempts>,
    /// What the process remembers of the client's secrets. It is no row: the process adds it.
    pub recalled: Recalled,
    /// The remembered consent.
    pub consent: Option<Consent>,
    /// How much the user of the session has; absent without a session.
    pub holdings: Option<Holdings>,
}

impl Facts {
    /// Every user among the rows, some perhaps more than once.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        fn of<T>(held: &Option<Held<T>>) -> Option<&Arc<User>> {
            held.as_ref()?.user.as_ref()
        }
        let held = [
            of(&self.code),
            of(&self.grant),
            of(&self.access),
            of(&self.personal),
            of(&self.session),
            of(&self.identity),
            self.login.as_ref(),
            self.subject.as_ref(),
        ];
        held.into_iter().flatten()
    }

    /// Every client among the rows, some perhaps more than once.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        fn of<T>(held: &Option<Held<T>>) -> Option<&Arc<Client>> {
            held.as_ref()?.client.as_ref()
        }
        [self.client.as_ref(), of(&self.code), of(&self.grant), of(&self.access)].into_iter().flatten()
    }

    /// The greatest id below which something of these users and clients was revoked: whatever a turn makes for them must
    /// have a greater one, or it would be dead when it is born. Ids are drawn by clocks, and clocks differ.
    #[must_use]
    pub fn revoked_below(&self) -> i64 {
        fn of<T>(held: Option<&Held<T>>) -> i64 {
            let client = held.and_then(|held| held.client.as_ref()).map_or(0, |client| client.revoked_below);
            held.and_then(|held| held.user.as_ref()).map_or(0, |user| user.revoked_below).max(client)
        }
        let user = |user: &Option<Arc<User>>| user.as_ref().map_or(0, |user| user.revoked_below);
        [
            self.client.as_ref().map_or(0, |client| client.revoked_below),
            of(self.code.as_ref()),
            of(self.grant.as_ref()),
            of(self.session.as_ref()),
            of(self.identity.as_ref()),
            user(&self.login),
            user(&self.subject),
        ]
        .into_iter()
        .max()
        .unwrap_or(0)
    }
}

/// How much a user has of what is limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Applications that the user registered.
    pub clients: u32,
    /// Personal tokens, also those that are over and not swept away yet.
    pub personals: u32,
    /// Accounts elsewhere that open the user's account here.
    pub identities: u32,
}

/// The counter of all failures against an account: by user where there is one, so that the e-mail address and the user name
/// share it; by what was typed where there is none, so that nobody can tell the difference.
#[must_use]
pub fn account_attempts_key(user: Option<UserKey>, login: &str) -> Digest {
    // Not the keys of versions that had one counter per account: their limit is lower, and while an installation is upgraded
    // nodes of both kinds count in one database.
    match user {
        Some(user) => Digest::of(format!("account everywhere\0{}", user.0).as_bytes()),
        None => Digest::of(format!("login everywhere\0{}", login_name(login)).as_bytes()),
    }
}

/// Under which counter failures from a network address are kept.
#[must_use]
pub fn address_attempts_key(address: &str) -> Digest {
    Digest::of(format!("address\0{address}").as_bytes())
}

/// Randomness for one turn: a seed drawn from the operating system before the turn began, stretched by SHA-256 in
/// counter mode; and a block of row ids that nobody else has.
#[derive(Clone)]
pub struct Entropy {
    seed: [u8; 32],
    block: [u8; 32],
    counter: u32,
    left: usize,
    next_id: i64,
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy(…)")
    }
}

impl Entropy {
    /// How many ids a turn may use. Whoever reserves a block of ids reserves that many.
    pub const IDS_MAX: i64 = 8;

    /// Randomness from `seed`, and ids from `first_id` on.
    #[must_use]
    pub fn seeded(seed: [u8; 32], first_id: i64) -> Self {
        Self { seed, block: [0; 32], counter: 0, left: 0, next_id: first_id }
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.left == 0 {
                let mut input = [0; 36];
                input[..32].copy_from_slice(&self.seed);
                input[32..].copy_from_slice(&self.counter.to_be_bytes());
                self.block = Digest::of(&input).0;
                self.counter += 1;
                self.left = self.block.len();
            }
            self.left -= 1;
            *byte = self.block[self.left];
        }
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// The next row id, greater than all before it.
    pub fn next_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}

/// One request being judged: the time, the rules, the keys, the randomness, and the changes so far.
#[derive(Debug)]
pub struct Turn<'a> {
    /// What time it is.
    pub now: UnixTime,
    /// The rules of the dialect that was spoken.
    pub policy: &'a Policy,
    /// The installation's keys.
    pub keys: &'a Keys,
    /// Randomness and ids.
    pub entropy: Entropy,
    /// The network address of the caller.
    pub address: &'a str,
    /// Password hashes that an earlier attempt at the same turn computed.
    memo: Option<&'a Memo>,
    /// The client's secret that was right, once one was. The process remembers it.
    pub proven: Option<Proven>,
    changes: Vec<Change>,
}

impl<'a> Turn<'a> {
    /// A turn that has decided nothing yet.
    #[must_use]
    pub fn new(now: UnixTime, policy: &'a Policy, keys: &'a Keys, entropy: Entropy, address: &'a str) -> Self {
        Self { now, policy, keys, entropy, address, memo: None, proven: None, changes: Vec::new() }
    }

    /// The same turn, with the password hashes that an earlier attempt at it computed.
    #[must_use]
    pub fn with_memo(self, memo: &'a Memo) -> Self {
        Self { memo: Some(memo), ..self }
    }

    /// Returns true if `stored` is the hash of the password `typed`. Slow, unless an earlier attempt compared the two.
    pub fn is_right_password(&self, stored: &str, typed: &Secret) -> bool {
        let compare = || password::is_right(stored, typed);
        self.memo.map_or_else(compare, |memo| memo.is_right(stored, typed, compare))
    }

    /// Hashes a password. Slow, unless an earlier attempt hashed the same password.
    pub fn hash_password(&mut self, text: &Secret) -> String {
        let memo = self.memo;
        let mut hash = || password::hash(text, &mut self.entropy);
        match memo {
            Some(memo) => memo.hash(text, hash),
            None => hash(),
        }
    }

    /// Decides a change.
    pub fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Makes what is decided depend on the account being as it was seen. A turn that writes the account depends on that
    /// already, and on an older version than the one that it goes on with.
    pub fn rely_on(&mut self, user: &User) {
        let is_written = |change: &Change| matches!(change, Change::PutUser(own) if own.key == user.key);
        if !self.changes.iter().any(is_written) {
            self.change(Change::Rely(Rely::User(user.key, user.version)));
        }
    }

    /// Notes an event for the auditor.
    pub fn note(
        &mut self,
        kind: EventKind,
        user: Option<UserKey>,
        client: Option<ClientKey>,
        detail: impl Into<String>,
    ) {
        let (at, address, detail) = (self.now, self.address.to_owned(), detail.into());
        let event = Event { at, kind, user, client, address, detail, actor: None };
        self.change(Change::Note(event));
    }

    /// Hands over what was decided.
    #[must_use]
    pub fn into_changes(self) -> Vec<Change> {
        self.changes
    }
}

/// One decided write, named after the decision. The changes of a turn are committed together or not at all. Those marked
/// ◆ carry a precondition; when it does not hold, nothing of the turn is written and the turn is lost.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// ◆ The code exists and is unspent.
    SpendCode(CodeId),
    /// ◆ `from` is the grant's current refresh token, and the grant is not revoked. `expires_at` is the grant's new end.
    RotateRefresh {
        /// Whose.
        grant: GrantId,
        /// The current token.
        from: Digest,
        /// What comes in its place.
        to: Refresh,
        /// When the grant's row is of no more use.
        expires_at: UnixTime,
    },
    /// ◆ The row is as it was when it was loaded.
    Rely(Rely),
    /// Nothing changes, but what the turn saw is as safe as what it would write, before anybody is told. For an answer that
    /// says "done" because it was done before: the store shows what it wrote, also where the write itself was not answered
    /// yet, and a failover might still lose it.
    Settle,
    /// ◆ Fewer than `limit` failures are counted, or their window is over. Counts one more.
    CountFailure {
        /// Which counter.
        key: Digest,
        /// At so many the door is shut.
        limit: u32,
        /// The time of the attempt.
        now: UnixTime,
        /// When the failures are forgotten.
        resets_at: UnixTime,
        /// The account with which the counter can be found and cleared.
        user: Option<UserKey>,
    },
    /// All counters of the account's are cleared: whoever was locked out of it may try again.
    ForgetFailures(UserKey),
    /// ◆ Fewer than `limit` failures are counted, or their window is over. Forgets them if `is_cleared`.
    PassCounter {
        /// Which counter.
        key: Digest,
        /// At so many the door is shut.
        limit: u32,
        /// The time of the attempt.
        now: UnixTime,
        /// Forget the failures?
        is_cleared: bool,
    },
    /// ◆ The stored version is the one before this row's; a row with version 1 is new. Its `client_id` is nobody else's.
    PutClient(Box<Client>),
    /// ◆ As for a client; user name and e-mail address are nobody else's.
    PutUser(Box<User>),
    /// A new code.
    PutCode(Box<Code>),
    /// A new grant.
    PutGrant(Box<Grant>),
    /// A new access token.
    PutAccess(Box<Access>),
    /// A new personal token.
    PutPersonal(Box<Personal>),
    /// A new session.
    PutSession(Box<Session>),
    /// ◆ Nobody has this identity yet.
    PutIdentity(Identity),
    /// ◆ The token of an issuer elsewhere was never seen. It is good once.
    BurnJti {
        /// Which.
        jti: Digest,
        /// From then on it is refused for its age, and need not be remembered.
        until: UnixTime,
    },
    /// A new consent, or a wider one in its place.
    PutConsent(Consent),
    /// A new sealing key, which is the current one from now on.
    PutSealKey(SealKey),
    /// The sealing key may no longer open anything.
    DropSealKey(u32),
    /// The session was seen.
    TouchSession {
        /// Which.
        id: SessionId,
        /// When.
        seen_at: UnixTime,
        /// How long it may now be idle.
        idle_until: UnixTime,
    },
    /// The personal token was used.
    TouchPersonal {
        /// Which.
        id: PersonalId,
        /// When.
        used_at: UnixTime,
    },
    /// The client's secret was used.
    TouchSecret {
        /// Whose.
        client: ClientKey,
        /// Which: see [`crate::registration::secret_digest`].
        secret: Digest,
        /// When, to the hour.
        used_at: UnixTime,
    },
    /// The grant and all its tokens are dead, also those that a concurrent turn is about to issue.
    RevokeGrant(GrantId),
    /// The access token is dead.
    RevokeAccess(AccessId),
    /// The personal token is dead.
    RevokePersonal(PersonalId),
    /// The consent is forgotten, and all grants of this user to this client are revoked.
    WithdrawConsent {
        /// Whose.
        user: UserKey,
        /// From whom.
        client: ClientKey,
    },
    /// The session is over.
    EndSession(SessionId),
    /// All sessions of the user are over, but for one.
    EndSessions {
        /// Whose.
        user: UserKey,
        /// The one that stays.
        but: Option<SessionId>,
    },
    /// The identity no longer opens anybody's account.
    DropIdentity(IdentityName),
    /// The user, and every row that hangs on it, is gone.
    DeleteUser(UserKey),
    /// The client, and every row that hangs on it, is gone.
    DeleteClient(ClientKey),
    /// Audit.
    Note(Event),
}

impl Change {
    /// May an answer be given although this could not be written? That somebody was seen decides nothing that is asked
    /// now: where the store takes no writes, it costs precision, and to refuse for its sake would cost every reader.
    #[must_use]
    pub fn is_only_noticed(&self) -> bool {
        let is_read = |event: &Event| event.kind == EventKind::AccountRead;
        matches!(self, Self::TouchSession { .. } | Self::TouchPersonal { .. } | Self::TouchSecret { .. })
            || matches!(self, Self::Note(event) if is_read(event))
    }

    /// When a client's secret was used, if the change notes that.
    #[must_use]
    pub fn secret_used_at(&self) -> Option<UnixTime> {
        match self {
            Self::TouchSecret { used_at, .. } => Some(*used_at),
            _ => None,
        }
    }

    /// True if the change ends something, or replaces a user or a client, as a new password or a retired secret does. A turn
    /// with such a change must not lose again and again to traffic that hangs on the same rows.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        match self {
            Self::PutClient(row) => row.version > 1,
            Self::PutUser(row) => row.version > 1,
            Self::DropSealKey(_)
            | Self::RevokeGrant(_)
            | Self::RevokeAccess(_)
            | Self::RevokePersonal(_)
            | Self::WithdrawConsent { .. }
            | Self::EndSession(_)
            | Self::EndSessions { .. }
            | Self::DropIdentity(_)
            | Self::DeleteUser(_)
            | Self::DeleteClient(_) => true,
            _ => false,
        }
    }
}

/// Which row a decision relied on. Every turn that issues something relies on the rows that let it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rely {
    /// The client still has this version.
    Client(ClientKey, u32),
    /// The user still has this version.
    User(UserKey, u32),
    /// The session is not ended.
    Session(SessionId),
    /// The grant is not revoked.
    Grant(GrantId),
    /// The consent is the one that was seen, or still absent.
    Consent {
        /// Whose.
        user: UserKey,
        /// To whom.
        client: ClientKey,
        /// The number of the consent, if there was one.
        id: Option<i64>,
    },
    /// The user has fewer applications than this.
    ClientsFewer {
        /// Whose.
        owner: UserKey,
        /// How many would be too many.
        than: u32,
    },
    /// The user has fewer personal tokens than this.
    PersonalsFewer {
        /// Whose.
        user: UserKey,
        /// How many would be too many.
        than: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_however_they_are_drawn() {
        let mut one = Entropy::seeded([9; 32], 1);
        let mut other = Entropy::seeded([9; 32], 1);
        let whole: [u8; 80] = one.bytes();
        let mut parts = [0; 80];
        other.fill(&mut parts[..33]);
        other.fill(&mut parts[33..]);
        assert_eq!(whole, parts);
    }

    #[test]
    fn an_account_has_one_counter_under_both_its_names() {
        let user = Some(UserKey(3));
        assert_eq!(account_attempts_key(user, "alice"), account_attempts_key(user, "alice@example.com"));
        assert_eq!(account_attempts_key(None, " Nobody "), account_attempts_key(None, "nobody"));
    }
}
