//! What an auditor wants to know.

use super::{ClientKey, UserKey};
use crate::time::UnixTime;

/// Something that happened and matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: UnixTime,
    /// What, one of a closed list of words such as `signed_in`.
    pub kind: EventKind,
    /// Whose account.
    pub user: Option<UserKey>,
    /// Which application.
    pub client: Option<ClientKey>,
    /// From which network address; empty for commands of the operator.
    pub address: String,
    /// More, in words, without secrets.
    pub detail: String,
    /// Who ran the command, for commands of the operator: the account of the operating system, such as `root (0)`.
    pub actor: Option<String>,
}

crate::wire::names! {
    /// What can happen that matters to an auditor.
    EventKind {
        /// A password, and the second factor where there is one, were right.
        SignedIn = "signed_in",
        /// A password or second factor was wrong.
        SignInFailed = "sign_in_failed",
        /// A password was right, and the second factor is missing: somebody knows the password.
        PasswordProven = "password_proven",
        /// Too many failures: the account, address or device must wait.
        LockedOut = "locked_out",
        /// The operator ended all lock-outs of an account.
        UserUnlocked = "user_unlocked",
        /// A session was ended.
        SignedOut = "signed_out",
        /// A user allowed a client something.
        ConsentGiven = "consent_given",
        /// A user refused.
        ConsentDenied = "consent_denied",
        /// A user, or the operator, withdrew what a client was allowed.
        ConsentWithdrawn = "consent_withdrawn",
        /// A code was redeemed and a grant began.
        GrantBegun = "grant_begun",
        /// A grant was revoked.
        GrantRevoked = "grant_revoked",
        /// A code came twice; its grant was revoked.
        CodeReplayed = "code_replayed",
        /// An old refresh token came back; its grant was revoked.
        RefreshReplayed = "refresh_replayed",
        /// A refresh token was refused because its user is disabled or deleted, or had all sessions ended.
        RefreshRefused = "refresh_refused",
        /// A token was revoked by its client.
        TokenRevoked = "token_revoked",
        /// A password was set or changed.
        PasswordChanged = "password_changed",
        /// A second factor was switched on.
        TotpEnabled = "totp_enabled",
        /// A second factor was switched off.
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
        /// An account elsewhere was linked to one here.
        IdentityLinked = "identity_linked",
        /// An account elsewhere no longer opens one here.
        IdentityUnlinked = "identity_unlinked",
        /// A program of the operator's read an account.
        AccountRead = "account_read",
        /// An account was changed by the operator, or by a program of the operator's.
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
