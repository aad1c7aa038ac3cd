//! The metadata of an OpenID provider, OpenID Connect Discovery §3 and §4.

use serde::Deserialize;

/// The metadata that an OpenID provider publishes, as far as this server needs them.
#[derive(Clone, Debug, Deserialize)]
pub struct ProviderMetadata {
    /// The issuer identifier.
    pub issuer: String,
    /// Where browsers are sent.
    pub authorization_endpoint: String,
    /// Where codes are redeemed.
    pub token_endpoint: String,
    /// The URL of the provider's key set.
    pub jwks_uri: String,
    /// How clients authenticate at the token endpoint; see [`ProviderMetadata::supports`].
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// True if authorization responses name the issuer, RFC 9207 §3.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl ProviderMetadata {
    /// The URL of the metadata of an issuer.
    #[must_use]
    pub fn url(issuer: &str) -> String {
        // OpenID Connect Discovery §4.1: "If the Issuer value contains a path component, any terminating / MUST be removed
        // before appending /.well-known/openid-configuration."
        format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
    }

    /// Reads the metadata of an issuer.
    ///
    /// # Errors
    /// What is wrong with them, for the log.
    pub fn read(json: &[u8], issuer: &str) -> Result<Self, &'static str> {
        let metadata: Self =
            serde_json::from_slice(json).map_err(|_| "this is not the metadata of an OpenID provider")?;
        // §4.3: "The issuer value returned MUST be identical to the Issuer URL that was used as the prefix".
        if metadata.issuer != issuer {
            return Err("the metadata name another issuer");
        }
        if !metadata.supports("client_secret_basic") && !metadata.supports("client_secret_post") {
            return Err("the token endpoint takes no client secret");
        }
        Ok(metadata)
    }

    /// Returns true if clients can authenticate by this method at the token endpoint. OpenID Connect Discovery §3: "If
    /// omitted, the default is client_secret_basic".
    #[must_use]
    pub fn supports(&self, method: &str) -> bool {
        match &self.token_endpoint_auth_methods_supported {
            Some(methods) => methods.iter().any(|own| own == method),
            None => method == "client_secret_basic",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ISSUER: &str = "https://issuer.example";

    fn published(changes: &Value) -> Vec<u8> {
        let mut document = json!({
            "issuer": ISSUER, "authorization_endpoint": "https://issuer.example/authorize",
            "token_endpoint": "https://issuer.example/token", "jwks_uri": "https://issuer.example/keys",
        });
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        document.to_string().into_bytes()
    }

    /// OpenID Connect Discovery §4.1 and §4.3.
    #[test]
    fn metadata_are_those_of_the_issuer_to_the_letter() {
        assert!(ProviderMetadata::read(&published(&json!({})), ISSUER).is_ok());
        for other in ["https://issuer.example/", "https://evil.example", ""] {
            assert!(ProviderMetadata::read(&published(&json!({"issuer": other})), ISSUER).is_err(), "{other}");
        }
        for issuer in ["https://issuer.example/tenant", "https://issuer.example/tenant/"] {
            let url = "https://issuer.example/tenant/.well-known/openid-configuration";
            assert_eq!(ProviderMetadata::url(issuer), url);
        }
    }

    #[test]
    fn a_token_endpoint_that_takes_no_client_secret_is_of_no_use() {
        let with = |methods: Value| published(&json!({"token_endpoint_auth_methods_supported": methods}));
        for methods in [json!(["client_secret_post"]), json!(["private_key_jwt", "client_secret_basic"])] {
            assert!(ProviderMetadata::read(&with(methods.clone()), ISSUER).is_ok(), "{methods}");
        }
        for methods in [json!([]), json!(["private_key_jwt"]), json!("client_secret_basic")] {
            assert!(ProviderMetadata::read(&with(methods.clone()), ISSUER).is_err(), "{methods}");
        }
    }
}
