//! The keys of the rows that a call must be judged against.

use crate::model::{AccessId, CodeId, GrantId, IdentityName, PersonalId, SessionId};
use crate::person::knock::Knock;
use crate::secret::Digest;

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
