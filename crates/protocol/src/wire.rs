//! The canonical names of request parameters ([`Param`]), of answers ([`ReplyKind`]) and of their members ([`Field`]).
//!
//! A dialect translates every request into these names. Code behind it does not know how the request was spelled.

mod params;

pub use params::{Basic, Params};
use serde_json::Value;

/// Declares an enum of names with their canonical spelling.
macro_rules! names {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All names, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the canonical spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Returns the name with the spelling `text`, if there is one.
            #[must_use]
            pub fn from_name(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use names;

names! {
    /// A request parameter, by its canonical name.
    Param {
        /// RFC 6749 §3.1.1
        ResponseType = "response_type",
        /// RFC 6749 §2.2
        ClientId = "client_id",
        /// RFC 6749 §2.3.1
        ClientSecret = "client_secret",
        /// RFC 6749 §3.1.2
        RedirectUri = "redirect_uri",
        /// RFC 6749 §3.3
        Scope = "scope",
        /// RFC 6749 §4.1.1
        State = "state",
        /// OAuth 2.0 Multiple Response Type Encoding Practices §2.1
        ResponseMode = "response_mode",
        /// RFC 7636 §4.3
        CodeChallenge = "code_challenge",
        /// RFC 7636 §4.3
        CodeChallengeMethod = "code_challenge_method",
        /// RFC 8707 §2; the only parameter that may be repeated
        Resource = "resource",
        /// OpenID Connect Core §3.1.2.1
        Prompt = "prompt",
        /// OpenID Connect Core §3.1.2.1
        MaxAge = "max_age",
        /// OpenID Connect Core §3.1.2.1
        LoginHint = "login_hint",
        /// OpenID Connect Core §3.1.2.1
        Nonce = "nonce",
        /// OpenID Connect Core §5.5
        Claims = "claims",
        /// OpenID Connect Core §3.1.2.1
        IdTokenHint = "id_token_hint",
        /// RFC 9101 §5.1
        Request = "request",
        /// RFC 9126 §2.2
        RequestUri = "request_uri",
        /// RFC 6749 §4.1.3 and others
        GrantType = "grant_type",
        /// RFC 6749 §4.1.3
        Code = "code",
        /// RFC 7636 §4.5
        CodeVerifier = "code_verifier",
        /// RFC 6749 §6
        RefreshToken = "refresh_token",
        /// RFC 6749 §4.3.2
        Username = "username",
        /// RFC 6749 §4.3.2
        Password = "password",
        /// A second-factor code beside a password; no RFC has a name for it
        Otp = "otp",
        /// RFC 7521 §4.1
        Assertion = "assertion",
        /// RFC 7521 §4.2
        ClientAssertion = "client_assertion",
        /// RFC 7521 §4.2
        ClientAssertionType = "client_assertion_type",
        /// RFC 7662 §2.1, RFC 7009 §2.1
        Token = "token",
        /// RFC 7662 §2.1, RFC 7009 §2.1
        TokenTypeHint = "token_type_hint",
    }
}

names! {
    /// A member of an answer, by its canonical name.
    Field {
        /// RFC 6749 §5.1
        AccessToken = "access_token",
        /// RFC 6749 §5.1
        RefreshToken = "refresh_token",
        /// OpenID Connect Core §3.1.3.3
        IdToken = "id_token",
        /// Seconds; RFC 6749 §5.1
        ExpiresIn = "expires_in",
        /// Unix time at which the access token expires
        ExpiresAt = "expires_at",
        /// RFC 6749 §5.1
        Scope = "scope",
        /// Present when the scope differs from what was asked for; RFC 6749 §5.1
        ScopeIfChanged = "scope_if_changed",
        /// RFC 6749 §4.1.2
        Code = "code",
        /// RFC 6749 §4.1.2
        State = "state",
        /// RFC 9207 §2
        Iss = "iss",
        /// RFC 7662 §2.2
        Active = "active",
        /// RFC 7662 §2.2: "access_token", "refresh_token" … as a hint that RFC 7009 §2.1 names
        TokenKind = "token_kind",
        /// RFC 7662 §2.2
        ClientId = "client_id",
        /// RFC 7662 §2.2
        Username = "username",
        /// RFC 7662 §2.2
        Exp = "exp",
        /// RFC 7662 §2.2
        Iat = "iat",
        /// RFC 7662 §2.2
        Sub = "sub",
        /// RFC 7662 §2.2; a string, or a list when there are several
        Aud = "aud",
        /// The account of the user, an object; templates reach into it with `user.…`
        User = "user",
        /// RFC 6749 §5.2, the dialect's word for the refusal
        Error = "error",
        /// RFC 6749 §5.2, text for the developer
        Message = "message",
        /// The HTTP status as a number
        Status = "status",
        /// The parameters at fault, a list of `{name, error}`
        Fields = "fields",
        /// The page that a hand-off sends the browser to
        RedirectUrl = "redirect_url",
        /// RFC 9126 §2.2
        RequestUri = "request_uri",
        /// Identifies the request in the logs
        RequestId = "request_id",
    }
}

names! {
    /// The kinds of answers. A dialect has a template for each kind.
    ReplyKind {
        /// A token response; RFC 6749 §5.1
        Token = "token",
        /// A reference to a pushed authorization request; RFC 9126 §2.2
        Par = "par",
        /// An authorization response with a code; RFC 6749 §4.1.2
        Code = "code",
        /// An authorization response with an access token; RFC 6749 §4.2.2
        Implicit = "implicit",
        /// An authorization response with an error; RFC 6749 §4.1.2.1
        Denied = "denied",
        /// The introspection response for an active token; RFC 7662 §2.2
        Introspect = "introspect",
        /// The introspection response for an inactive token; RFC 7662 §2.2
        Inactive = "inactive",
        /// The revocation response; RFC 7009 §2.2
        Revoke = "revoke",
        /// The userinfo response; OpenID Connect Core §5.3.2
        Userinfo = "userinfo",
        /// The authorization server metadata; RFC 8414 §3.2
        Metadata = "metadata",
        /// The metadata of an OpenID provider; OpenID Connect Discovery §4.2
        Discovery = "discovery",
        /// The public keys of the server; RFC 7517 §5
        Jwks = "jwks",
    }
}

impl ReplyKind {
    /// Returns the members that an answer of this kind can have. In a template, any other member would never get a
    /// value.
    #[must_use]
    pub const fn fields(self) -> &'static [Field] {
        use Field as F;
        match self {
            Self::Token => {
                &[F::AccessToken, F::RefreshToken, F::IdToken, F::ExpiresIn, F::ExpiresAt, F::Scope, F::User]
            }
            Self::Par => &[F::RequestUri, F::ExpiresIn],
            Self::Code => &[F::Code, F::State, F::Iss],
            // RFC 6749 §4.2.2: "The authorization server MUST NOT issue a refresh token."
            Self::Implicit => {
                &[F::AccessToken, F::ExpiresIn, F::ExpiresAt, F::Scope, F::ScopeIfChanged, F::User, F::State, F::Iss]
            }
            Self::Denied => &[F::Error, F::Message, F::Fields, F::State, F::Iss],
            Self::Introspect => &[
                F::Active,
                F::TokenKind,
                F::Scope,
                F::ClientId,
                F::Username,
                F::Exp,
                F::Iat,
                F::Sub,
                F::Aud,
                F::Iss,
                F::User,
            ],
            Self::Inactive => &[F::Active],
            Self::Revoke | Self::Metadata | Self::Discovery | Self::Jwks => &[],
            Self::Userinfo => &[F::Sub, F::Scope, F::User],
        }
    }
}

/// The members of an answer under canonical names, in the order in which they were set.
#[derive(Clone, Default, PartialEq)]
pub struct Fields(Vec<(Field, Value)>);

impl Fields {
    /// No members yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a member. Returns the members, to set more.
    #[must_use]
    pub fn with(mut self, field: Field, value: impl Into<Value>) -> Self {
        self.set(field, value);
        self
    }

    /// Sets a member if there is a value for it.
    #[must_use]
    pub fn with_some(self, field: Field, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(field, value),
            None => self,
        }
    }

    /// Sets a member; a later value replaces an earlier one.
    pub fn set(&mut self, field: Field, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some(slot) => slot.1 = value,
            None => self.0.push((field, value)),
        }
    }

    /// Returns the value of a member.
    #[must_use]
    pub fn value(&self, field: Field) -> Option<&Value> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
    }

    /// Returns all members, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

/// Values of tokens and codes are left out.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_secret = |field| {
            matches!(
                field,
                Field::AccessToken
                    | Field::RefreshToken
                    | Field::IdToken
                    | Field::Code
                    | Field::RedirectUrl
                    | Field::RequestUri
            )
        };
        f.debug_map()
            .entries(
                self.0.iter().map(|(name, value)| {
                    (name.as_str(), if is_secret(*name) { Value::from("…") } else { value.clone() })
                }),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_sent_twice_is_handed_back() {
        let mut params = Params::default();
        params.push(Param::Code, "a".into()).unwrap();
        assert_eq!(params.push(Param::Code, "b".into()), Err(Param::Code));
    }

    #[test]
    fn a_resource_may_be_named_twice() {
        let mut params = Params::default();
        params.push(Param::Resource, "https://a".into()).unwrap();
        params.push(Param::Resource, "https://b".into()).unwrap();
        assert_eq!(params.values(Param::Resource).count(), 2);
    }

    #[test]
    fn printing_parameters_shows_no_value() {
        let mut params = Params::default();
        params.push(Param::Password, "hunter2".into()).unwrap();
        assert_eq!(format!("{params:?}"), "{\"password\"}");
    }
}
