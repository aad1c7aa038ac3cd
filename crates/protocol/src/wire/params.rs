//! The parameters of one request.

use super::Param;
use crate::crypto::keys::Presented;
use crate::refusal::Refusal;
use crate::secret::Secret;

/// Client credentials from an `Authorization: Basic` header (RFC 6749 §2.3.1), percent-decoded.
#[derive(Clone, Debug)]
pub struct Basic {
    /// The client identifier.
    pub client_id: String,
    /// The client password.
    pub secret: Secret,
    /// The client password as it was sent, where form-decoding changed it or failed.
    pub raw_secret: Option<Secret>,
}

impl Basic {
    /// Credentials whose password reads the same with and without form-decoding.
    #[must_use]
    pub fn new(client_id: impl Into<String>, secret: Secret) -> Self {
        Self { client_id: client_id.into(), secret, raw_secret: None }
    }
}

/// The parameters of one request under canonical names, each at most once, but for [`Param::Resource`].
///
/// Empty values are not kept: RFC 6749 §3.1, "Parameters sent without a value MUST be treated as if they were
/// omitted from the request."
#[derive(Clone, Default)]
pub struct Params {
    values: Vec<(Param, String)>,
    /// Credentials of the `Authorization: Basic` header, when the endpoint accepts one.
    pub basic: Option<Basic>,
    /// The access token, from whichever place the dialect accepts one.
    pub bearer: Option<Secret>,
    /// The first fault in the parameters of an authorization request: one that is repeated, too long or malformed. It
    /// is returned to the application only after client and redirect URI were checked, RFC 6749 §4.1.2.1.
    pub fault: Option<Refusal>,
    /// True if a token request that names no redirect URI means the one of the authorization request, because the
    /// dialect's address says so. This waives RFC 6749 §4.1.3; a redirect URI that is named is compared all the same.
    pub is_redirect_uri_assumed: bool,
    /// True if the client signed the parameters as a request object (RFC 9101).
    pub is_signed: bool,
    /// The pushed authorization request (RFC 9126) that these parameters are, if they are one.
    pub pushed: Option<Presented>,
}

impl Params {
    /// Adds a value.
    ///
    /// # Errors
    /// Gives the parameter back when it is there already. RFC 6749 §3.1: "Request and response parameters MUST NOT
    /// be included more than once."
    pub fn push(&mut self, param: Param, value: String) -> Result<(), Param> {
        if value.is_empty() {
            return Ok(());
        }
        if param != Param::Resource && self.value(param).is_some() {
            return Err(param);
        }
        self.values.push((param, value));
        Ok(())
    }

    /// The value of `param`, if it was sent.
    #[must_use]
    pub fn value(&self, param: Param) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == param).map(|(_, value)| value.as_str())
    }

    /// Returns all values of a parameter that may be repeated.
    pub fn values(&self, param: Param) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(name, _)| *name == param).map(|(_, value)| value.as_str())
    }

    /// Takes the value of `param` out, to spare a copy.
    pub fn take(&mut self, param: Param) -> Option<String> {
        let at = self.values.iter().position(|(name, _)| *name == param)?;
        Some(self.values.remove(at).1)
    }

    /// Returns all names and values. They may contain secrets, so never print them.
    pub fn iter(&self) -> impl Iterator<Item = (Param, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

/// Names only: values may be passwords, codes and tokens.
impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.iter().map(|(name, _)| name.as_str())).finish()
    }
}
