//! What a judge decides: the writes of one turn, and what they depend on.

use crate::model::{
    Access, AccessId, Client, ClientKey, Code, CodeId, Consent, Event, EventKind, Grant, GrantId, Identity,
    IdentityName, Personal, PersonalId, Refresh, SealKey, Session, SessionId, User, UserKey,
};
use crate::secret::Digest;
use crate::time::UnixTime;

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
