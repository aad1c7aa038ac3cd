//! Writes: what a turn changes.

use crate::model::{
    Access, AccessId, Client, ClientKey, Code, CodeId, Consent, Event, EventKind, Grant, GrantId, Identity,
    IdentityName, Job, Personal, PersonalId, Refresh, SealKey, Session, SessionId, Ticket, TicketId, User, UserKey,
};
use crate::secret::Digest;
use crate::time::UnixTime;

/// One write, named after the decision. A store commits the writes of a turn together or not at all. Writes marked ◆ carry a
/// precondition of their own: if it does not hold, nothing of the turn is written and the turn is lost.
///
/// Stores match this type without a wildcard, so that a new write does not compile until every store makes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
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
    /// Changes no row. The commit returns only after everything that the turn read is as durable as a write of its own
    /// would be. It is for an answer that says "done" because a row shows that it was done before: a store may show rows
    /// whose commit has not been acknowledged yet, and a failover could still lose them.
    AwaitDurability,
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
    /// The failures of a counter are forgotten, unless the counter is full: a door that was shut since the turn looked at it
    /// stays shut.
    ClearCounter {
        /// The key of the counter.
        key: Digest,
        /// The number of failures at which the counter is full.
        limit: u32,
        /// The time of the attempt.
        now: UnixTime,
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
    /// A new ticket.
    PutTicket(Box<Ticket>),
    /// ◆ The stored ticket is unspent and has the version before this row's. User, client, expiry and document are replaced.
    ChangeTicket(Box<Ticket>),
    /// ◆ The ticket is unspent and has this version.
    SpendTicket {
        /// Which.
        id: TicketId,
        /// The version that was judged.
        version: u32,
    },
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
        /// Which: see [`crate::client::registration::secret_digest`].
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
    /// A new job. It exists if and only if the rest of the turn is written.
    Enqueue(Box<Job>),
    /// Audit.
    Note(Event),
}

/// What a write means for the rest of its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It only records that something was seen.
    Skippable,
    /// It adds or changes something.
    Ordinary,
    /// It ends something, or replaces a user or a client.
    Ending,
}

impl Write {
    fn weight(&self) -> Weight {
        match self {
            Self::TouchSession { .. } | Self::TouchPersonal { .. } | Self::TouchSecret { .. } => Weight::Skippable,
            Self::Note(event) if event.kind == EventKind::AccountRead => Weight::Skippable,
            Self::PutClient(row) if row.version > 1 => Weight::Ending,
            Self::PutUser(row) if row.version > 1 => Weight::Ending,
            Self::DropSealKey(_)
            | Self::RevokeGrant(_)
            | Self::RevokeAccess(_)
            | Self::RevokePersonal(_)
            | Self::WithdrawConsent { .. }
            | Self::EndSession(_)
            | Self::EndSessions { .. }
            | Self::DropIdentity(_)
            | Self::DeleteUser(_)
            | Self::DeleteClient(_) => Weight::Ending,
            Self::SpendCode(_)
            | Self::RotateRefresh { .. }
            | Self::AwaitDurability
            | Self::CountFailure { .. }
            | Self::ForgetFailures(_)
            | Self::ClearCounter { .. }
            | Self::PutClient(_)
            | Self::PutUser(_)
            | Self::PutCode(_)
            | Self::PutGrant(_)
            | Self::PutAccess(_)
            | Self::PutPersonal(_)
            | Self::PutSession(_)
            | Self::PutTicket(_)
            | Self::ChangeTicket(_)
            | Self::SpendTicket { .. }
            | Self::PutIdentity(_)
            | Self::BurnJti { .. }
            | Self::PutConsent(_)
            | Self::PutSealKey(_)
            | Self::Enqueue(_)
            | Self::Note(_) => Weight::Ordinary,
        }
    }

    /// Returns true if the answer may be given although this write failed. Such a write only records that somebody was
    /// seen. If the store takes no writes, losing it costs precision; refusing the request would cost every reader.
    #[must_use]
    pub fn is_skippable(&self) -> bool {
        self.weight() == Weight::Skippable
    }

    /// Returns true if the write ends something, or replaces a user or a client, as a new password or a retired secret
    /// does. A turn with such a write must not lose again and again to traffic that depends on the same rows.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.weight() == Weight::Ending
    }

    /// Returns when a client's secret was used, if the write records that.
    #[must_use]
    pub fn secret_used_at(&self) -> Option<UnixTime> {
        if let Self::TouchSecret { used_at, .. } = self { Some(*used_at) } else { None }
    }
}
