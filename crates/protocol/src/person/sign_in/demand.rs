//! The demands of a sign-in, and how an upstream identity provider is told them.

/// What a caller demands of a sign-in: how new the proof must be, and of which kind. The default accepts every live session
/// with all its factors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// True if the user must prove anew who they are: `prompt=login` of OpenID Connect Core §3.1.2.1.
    pub is_proof_new: bool,
    /// The greatest age of the proof in seconds: `max_age` of OpenID Connect Core §3.1.2.1. 0 demands a new proof.
    pub max_age_s: Option<u64>,
    /// True if the user must choose an account: `prompt=select_account`. They need not prove anew that it is theirs.
    pub is_choice: bool,
    /// True if the user confirms who they are before a sensitive change. The word of an upstream identity provider may not be
    /// enough for that.
    pub is_confirmation: bool,
    /// The subjects of which one must be the user; `None` for every user. If another user is signed in, the browser's user
    /// must sign in once more.
    pub subjects: Option<Vec<String>>,
    /// Text for the name field of the sign-in page.
    pub login_hint: String,
}

/// A demand as an upstream identity provider is told it, by `prompt` and `max_age`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInWish {
    /// Any session at the identity provider is enough.
    Any,
    /// The user chooses an account. They need not prove anew that it is theirs.
    Choice,
    /// The user authenticated at most `max_age_s` seconds ago.
    Fresh {
        /// `max_age` of OpenID Connect Core §3.1.2.1, in seconds. 0 is `prompt=login`.
        max_age_s: u64,
    },
}

impl Demand {
    /// Returns the demand in the form for an upstream identity provider.
    #[must_use]
    pub fn wish(&self) -> SignInWish {
        if self.is_confirmation || self.is_proof_new {
            return SignInWish::Fresh { max_age_s: 0 };
        }
        match self.max_age_s {
            Some(max_age_s) => SignInWish::Fresh { max_age_s },
            None if self.is_choice => SignInWish::Choice,
            None => SignInWish::Any,
        }
    }
}
