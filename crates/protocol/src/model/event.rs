//! Audit events.

use super::{ClientKey, UserKey};
use crate::time::UnixTime;

/// An audit event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When the event happened.
    pub at: UnixTime,
    /// What happened.
    pub kind: EventKind,
    /// The user whose account the event is about.
    pub user: Option<UserKey>,
    /// The client that the event is about.
    pub client: Option<ClientKey>,
    /// The network address of the request; empty for commands of the operator.
    pub address: String,
    /// More about the event, as text without secrets.
    pub detail: String,
    /// For commands of the operator, the operating system's account that ran the command, such as `root (uid 0)`.
    pub actor: Option<String>,
}

crate::wire::names! {
    /// The kinds of audit events.
    EventKind {
        /// A user signed in, with all factors of the account.
        SignedIn = "signed_in",
        /// A password or second factor was wrong.
        SignInFailed = "sign_in_failed",
        /// A password was right, but the second factor is still missing.
        PasswordProven = "password_proven",
        /// Too many failures: the account, address or device must wait.
        LockedOut = "locked_out",
        /// The operator ended all lockouts of an account.
        UserUnlocked = "user_unlocked",
        /// A session was ended.
        SignedOut = "signed_out",
        /// A user gave consent to a client.
        ConsentGiven = "consent_given",
        /// A user denied consent to a client.
        ConsentDenied = "consent_denied",
        /// A user or the operator withdrew a consent.
        ConsentWithdrawn = "consent_withdrawn",
        /// A code was redeemed and a grant began.
        GrantBegun = "grant_begun",
        /// A grant was revoked.
        GrantRevoked = "grant_revoked",
        /// An authorization code was presented twice, and its grant was revoked.
        CodeReplayed = "code_replayed",
        /// An old refresh token was presented, and its grant was revoked.
        RefreshReplayed = "refresh_replayed",
        /// A refresh token was refused because its user is disabled or deleted, or had all sessions ended.
        RefreshRefused = "refresh_refused",
        /// A token was revoked by its client.
        TokenRevoked = "token_revoked",
        /// A password was set or changed.
        PasswordChanged = "password_changed",
        /// A second factor was enabled.
        TotpEnabled = "totp_enabled",
        /// A second factor was disabled.
        TotpDisabled = "totp_disabled",
        /// New recovery codes were made.
        RecoveryRenewed = "recovery_renewed",
        /// A recovery code was used.
        RecoveryUsed = "recovery_used",
        /// A user's profile was changed.
        ProfileChanged = "profile_changed",
        /// A personal access token was made.
        PersonalCreated = "personal_created",
        /// A personal access token was revoked.
        PersonalRevoked = "personal_revoked",
        /// An account was made.
        UserAdded = "user_added",
        /// An account was linked to one at an upstream identity provider.
        IdentityLinked = "identity_linked",
        /// The link of an account to one at an upstream identity provider was removed.
        IdentityUnlinked = "identity_unlinked",
        /// A client read an account by the accounts API.
        AccountRead = "account_read",
        /// The operator changed an account, or a client did by the accounts API.
        UserChanged = "user_changed",
        /// An account was deleted.
        UserDeleted = "user_deleted",
        /// An application was registered.
        ClientAdded = "client_added",
        /// An application was changed.
        ClientChanged = "client_changed",
        /// An application was deleted.
        ClientDeleted = "client_deleted",
        /// A client sent a wrong secret. Several failures share an event; its detail has the count.
        ClientAuthFailed = "client_auth_failed",
        /// A new sealing key took over.
        KeyRotated = "key_rotated",
        /// The operator made a job due at once.
        JobRetried = "job_retried",
        /// The operator removed a job that was not done.
        JobDropped = "job_dropped",
    }
}
