//! How clients authenticate: the methods, and what is stored for them.

use serde::{Deserialize, Serialize};

use crate::secret::Digest;

/// A client authentication method at the token endpoint, by the words of RFC 7591 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// No authentication: a public client only sends its `client_id`.
    None,
    /// The client secret in the `Authorization` header, RFC 6749 §2.3.1.
    ClientSecretBasic,
    /// The client secret in the request body, RFC 6749 §2.3.1.
    ClientSecretPost,
    /// An assertion with a message authentication code under the client secret, OpenID Connect Core §9.
    ClientSecretJwt,
    /// An assertion that the client signed with its private key, RFC 7523 §2.2.
    PrivateKeyJwt,
}

impl AuthMethod {
    /// All methods.
    pub const ALL: [Self; 5] =
        [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost, Self::ClientSecretJwt, Self::PrivateKeyJwt];

    /// Returns the registered word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// Returns true if the client needs a client secret for the method.
    #[must_use]
    pub const fn needs_secret(self) -> bool {
        match self {
            Self::ClientSecretBasic | Self::ClientSecretPost | Self::ClientSecretJwt => true,
            Self::None | Self::PrivateKeyJwt => false,
        }
    }

    /// Returns true if the client sends an assertion.
    #[must_use]
    pub const fn is_by_assertion(self) -> bool {
        matches!(self, Self::ClientSecretJwt | Self::PrivateKeyJwt)
    }

    /// Returns the method with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.as_str() == text)
    }
}

/// The text of a client secret, encrypted under a key that is derived from the master key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// The secret in [`Client::secrets`](super::Client::secrets), by its [`secret_digest`](crate::client::registration::secret_digest). The text of a
    /// secret that is no longer among them is of no use.
    pub of: Digest,
    /// The sealed text.
    pub sealed: String,
}

impl std::fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedSecret(…)")
    }
}

/// The audiences that the assertions of a client may have, RFC 7523 §3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertionAudience {
    /// The issuer identifier.
    #[default]
    Issuer,
    /// The issuer identifier, or the URL of an endpoint. An endpoint of another server that relays the assertion here is not
    /// noticed if the client confuses the two servers, so [`AssertionAudience::Issuer`] is the safer choice.
    Endpoint,
}

impl AssertionAudience {
    /// Returns the word that the operator writes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Endpoint => "endpoint",
        }
    }

    /// Returns the setting with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::Issuer, Self::Endpoint].into_iter().find(|own| own.as_str() == text)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The stored form of [`Client::auth_methods`](super::Client::auth_methods). Methods by assertion are a member of their own: a node of a version that does not
/// know them can still read the row, and refuses them.
pub(super) mod written_methods {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::AuthMethod;

    #[derive(Serialize, Deserialize)]
    struct Written {
        auth_methods: Vec<AuthMethod>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        assertion_methods: Vec<AuthMethod>,
    }

    pub(in crate::model) fn serialize<S: Serializer>(methods: &[AuthMethod], serializer: S) -> Result<S::Ok, S::Error> {
        let (assertion_methods, auth_methods) = methods.iter().copied().partition(|own| own.is_by_assertion());
        Written { auth_methods, assertion_methods }.serialize(serializer)
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<AuthMethod>, D::Error> {
        let Written { mut auth_methods, assertion_methods } = Written::deserialize(deserializer)?;
        auth_methods.extend(assertion_methods);
        Ok(auth_methods)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Client;
    use crate::sample;

    #[test]
    fn a_version_that_knows_no_assertions_reads_the_row_and_keeps_what_it_does_not_know() {
        let methods = vec![AuthMethod::ClientSecretBasic, AuthMethod::PrivateKeyJwt];
        let client = Client { auth_methods: methods, jwks_uri: Some("https://a.example/".into()), ..sample::client() };
        let document = serde_json::to_value(&client).unwrap();
        assert_eq!(document["auth_methods"], json!(["client_secret_basic"]));
        assert_eq!(document["assertion_methods"], json!(["private_key_jwt"]));
        assert_eq!(serde_json::from_value::<Client>(document).unwrap(), client);
        let old = serde_json::to_value(sample::client()).unwrap();
        for name in ["assertion_methods", "jwks", "jwks_uri", "assertion_audience", "sealed_secrets"] {
            assert!(old.get(name).is_none(), "{name}");
        }
        assert!(serde_json::from_value::<Client>(old).unwrap().rest.is_empty());
    }

    #[test]
    fn every_method_has_a_word_and_is_found_by_it() {
        for own in AuthMethod::ALL {
            assert_eq!(AuthMethod::from_name(own.as_str()), Some(own));
        }
    }
}
