//! The trusted upstream identity provider, as the operator configures it.

use super::id_token::IdToken;

/// An identity provider that the operator trusts. Its metadata and keys are outside documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The issuer identifier of the provider.
    pub name: String,
    /// This server's client identifier there.
    pub client_id: String,
    /// Whose first sign-in makes an account here.
    pub sign_up: SignUp,
}

/// Whose first sign-in by way of an upstream identity provider makes an account here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SignUp {
    /// Everybody whom the provider knows.
    #[default]
    Anybody,
    /// People with an address of one of these domains, in lower case, of which the provider knows that it is theirs today.
    Domains(Vec<String>),
    /// Nobody: accounts are made by the operator.
    Nobody,
}

impl SignUp {
    /// Returns true if somebody with this token may get an account.
    pub(super) fn is_for(&self, token: &IdToken) -> bool {
        let Self::Domains(domains) = self else { return *self == Self::Anybody };
        let is_listed = |domain: &str| domains.iter().any(|own| own.eq_ignore_ascii_case(domain));
        let domain = token.email.as_deref().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
        // If the provider names a domain, it must be a listed one as well: that domain manages the account.
        token.is_email_current && domain.is_some_and(is_listed) && token.hosted_domain.as_deref().is_none_or(is_listed)
    }
}
