//! Writes: the changes of rows that a turn can decide.

use crate::model::{
    Access, AccessId, Client, ClientKey, Code, CodeId, Consent, Event, EventKind, Grant, GrantId, Identity,
    IdentityName, Job, Personal, PersonalId, Refresh, SealKey, Session, SessionId, SigningKey, Ticket, TicketId, User,
    UserKey,
};
use crate::secret::Digest;
use crate::time::UnixTime;

/// One write, named after the decision. A store commits the writes of a turn together or not at all. Writes marked ◆ carry a
/// precondition of their own: if it does not hold, nothing of the turn is written and the turn is lost.
///
/// Stores match this type without a wildcard, so that a new write does not compile until every store makes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Marks the code as spent. ◆ The code exists and is unspent.
    SpendCode(CodeId),
    /// Replaces the refresh token of a grant. ◆ `from` is the current refresh token, and the grant is not revoked.
    RotateRefresh {
        /// The grant.
        grant: GrantId,
        /// Digest of the current token.
        from: Digest,
        /// The new state of the grant's refresh tokens.
        to: Refresh,
        /// The new expiry time of the grant, after which its row can be removed.
        expires_at: UnixTime,
    },
    /// Changes no row. The commit returns only after everything that the turn read is as durable as a write of its own
    /// would be. It is for an answer that says "done" because a row shows that it was done before: a store may show rows
    /// whose commit has not been acknowledged yet, and a failover could still lose them.
    AwaitDurability,
    /// Adds a failure to a counter. ◆ The counter has fewer than `limit` failures, or its window is over.
    CountFailure {
        /// The key of the counter.
        key: Digest,
        /// The number of failures at which the counter is full.
        limit: u32,
        /// The time of the attempt.
        now: UnixTime,
        /// The end of the window, after which the failures no longer count.
        resets_at: UnixTime,
        /// The account that the counter belongs to, if any. [`Write::ForgetFailures`] clears all counters of an
        /// account.
        user: Option<UserKey>,
    },
    /// Clears all counters of an account, so that users who were locked out may try again.
    ForgetFailures(UserKey),
    /// Clears a counter, unless the counter is full by now: a lockout that began after the turn loaded the counter
    /// stays.
    ClearCounter {
        /// The key of the counter.
        key: Digest,
        /// The number of failures at which the counter is full.
        limit: u32,
        /// The time of the attempt.
        now: UnixTime,
    },
    /// Writes a client. ◆ The stored version is one below that of this row, or the row is new and has version 1. No
    /// other client has its `client_id`.
    PutClient(Box<Client>),
    /// Writes a user. ◆ As for a client. No other user has its user name or e-mail address.
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
    /// Links an identity to a user. ◆ The identity is not linked yet.
    PutIdentity(Identity),
    /// Marks the ID token of an upstream identity provider as used. ◆ The token was not used before.
    BurnJti {
        /// Digest of the token.
        jti: Digest,
        /// The expiry time of the token, after which the row can be removed.
        until: UnixTime,
    },
    /// A new consent, or a wider one in its place.
    PutConsent(Consent),
    /// A new sealing key, which becomes the current one.
    PutSealKey(SealKey),
    /// Removes a sealing key, so that its seals can no longer be opened.
    DropSealKey(u32),
    /// A new signing key, or another state of one. ◆ The stored version is one below that of this row, or the row is new and has
    /// version 1.
    PutSigningKey(Box<SigningKey>),
    /// Removes a signing key, so that what it signed can no longer be verified.
    DropSigningKey(u32),
    /// Records that a session was used.
    TouchSession {
        /// The session.
        id: SessionId,
        /// The time of the use.
        seen_at: UnixTime,
        /// The time until which the session may stay unused.
        idle_until: UnixTime,
    },
    /// Records that a personal access token was used.
    TouchPersonal {
        /// The token.
        id: PersonalId,
        /// The time of the use.
        used_at: UnixTime,
    },
    /// Records that a client secret was used.
    TouchSecret {
        /// The client that has the secret.
        client: ClientKey,
        /// The secret, by its [`secret_digest`](crate::client::registration::secret_digest).
        secret: Digest,
        /// The time of the use, rounded down to the hour.
        used_at: UnixTime,
    },
    /// Revokes a grant and all its tokens, including those that a concurrent turn is about to issue.
    RevokeGrant(GrantId),
    /// Revokes an access token.
    RevokeAccess(AccessId),
    /// Revokes a personal access token.
    RevokePersonal(PersonalId),
    /// Removes a consent, and revokes all grants of the user to the client.
    WithdrawConsent {
        /// The user who gave the consent.
        user: UserKey,
        /// The client that loses the consent.
        client: ClientKey,
    },
    /// Ends a session.
    EndSession(SessionId),
    /// Ends all sessions of a user, except for one if named.
    EndSessions {
        /// The user.
        user: UserKey,
        /// The session that stays.
        but: Option<SessionId>,
    },
    /// Removes the link of an identity.
    DropIdentity(IdentityName),
    /// Deletes a user with every row that depends on the user.
    DeleteUser(UserKey),
    /// Deletes a client with every row that depends on the client.
    DeleteClient(ClientKey),
    /// A new job. It exists if and only if the rest of the turn is written.
    Enqueue(Box<Job>),
    /// Adds an audit event.
    Note(Event),
}

/// The importance of a write for its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// The write only records that a row was used.
    Skippable,
    /// The write adds or changes a row.
    Ordinary,
    /// The write ends something, or replaces a user or a client.
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
            | Self::DropSigningKey(_)
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
            | Self::PutSigningKey(_)
            | Self::Enqueue(_)
            | Self::Note(_) => Weight::Ordinary,
        }
    }

    /// Returns true if the answer may be given although this write failed. Such a write only records that a row was
    /// used. Losing it costs precision, while refusing the request would lock out every reader whenever the store takes
    /// no writes.
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
