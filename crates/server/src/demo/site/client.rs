//! The OAuth client of the sample site, as an example for developers: RFC 6749 with PKCE (RFC 7636) and the issuer
//! check of RFC 9207.
//!
//! ```text
//! begin ─→ the browser goes to the server and comes back with a code ─→ finish ─→ tokens ─→ profile, refresh, revoke
//! ```

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use protocol::secret::{Digest, Secret};
use serde_json::Value;
use url::Url;

use super::wire::{Exchange, Trace};
use crate::entropy::Source;
use crate::outside::fetch::{FetchError, Fetched, Fetcher, basic};

/// A client of one authorization server.
#[derive(Debug)]
pub(super) struct OAuthClient {
    /// The issuer identifier of the server. Everything else about the server comes from its metadata.
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    pub(super) redirect_uri: String,
    pub(super) scope: &'static str,
    /// The resources for which tokens are requested (RFC 8707): an API, and the server's userinfo endpoint. The tokens
    /// are useless elsewhere.
    pub(super) resources: Vec<String>,
    /// The HTTP client. A real application uses any HTTP client.
    pub(super) fetcher: Arc<Fetcher>,
}

/// A pending authorization request, which the site keeps for one browser.
#[derive(Debug)]
pub(super) struct Pending {
    state: String,
    verifier: String,
}

/// The tokens of a user.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
}

/// The reason why a request failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The user denied the access.
    Denied,
    /// The response does not belong to this browser's request. It may be an attack.
    Suspicious(&'static str),
    /// The server refused the request, with this HTTP status and text.
    Refused(u16, String),
    /// The server cannot be reached.
    Unreachable(String),
}

impl OAuthClient {
    /// Begins an authorization. Returns the URL for the browser, and the pending request to keep.
    pub(super) async fn begin(&self, trace: &mut Trace) -> Result<(String, Pending), Trouble> {
        let pending = Pending { state: random(), verifier: random() };
        let challenge = BASE64URL_NOPAD.encode(&Digest::of(pending.verifier.as_bytes()).0);
        let endpoint = self.endpoint("authorization_endpoint").await?;
        let mut url = Url::parse(&endpoint).map_err(|error| Trouble::Unreachable(error.to_string()))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", self.scope)
            .append_pair("state", &pending.state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        for resource in &self.resources {
            url.query_pairs_mut().append_pair("resource", resource);
        }
        trace.push(Exchange::visit("The browser asks for permission", url.as_str()));
        Ok((url.into(), pending))
    }

    /// Ends an authorization: checks that the response belongs to the request, and redeems the code. `query` is that of
    /// the redirect URI.
    pub(super) async fn finish(&self, query: &str, pending: Pending, trace: &mut Trace) -> Result<Tokens, Trouble> {
        trace.push(Exchange::visit("The browser comes back", &format!("{}?{query}", self.redirect_uri)));
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let value = |name: &str| pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        // RFC 6749 §10.12: "The client MUST implement CSRF protection for its redirection URI."
        if value("state") != Some(&pending.state) {
            return Err(Trouble::Suspicious("the state is not the one of this browser's request"));
        }
        // RFC 9207 §2.4: "Clients MUST then compare the extracted and URL-decoded value to the issuer identifier of the
        // authorization server where the authorization request was sent to."
        if value("iss") != Some(&self.issuer) {
            return Err(Trouble::Suspicious("the answer comes from another issuer"));
        }
        match (value("error"), value("code")) {
            (Some("access_denied"), _) => Err(Trouble::Denied),
            (Some(error), _) => Err(Trouble::Refused(302, value("error_description").unwrap_or(error).to_owned())),
            (None, Some(code)) => {
                let fields = [
                    ("grant_type", "authorization_code"),
                    ("code", code),
                    ("redirect_uri", &self.redirect_uri),
                    ("code_verifier", &pending.verifier),
                ];
                self.tokens("The site exchanges the code for tokens", &fields, None, trace).await
            }
            (None, None) => Err(Trouble::Suspicious("the answer has neither a code nor an error")),
        }
    }

    /// Redeems the refresh token for new tokens. The refresh token rotates: keep the new one and forget the old one.
    pub(super) async fn refresh(&self, refresh: &Secret, trace: &mut Trace) -> Result<Tokens, Trouble> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.reveal())];
        self.tokens("The site exchanges its refresh token for new tokens", &fields, Some(refresh), trace).await
    }

    /// Revokes tokens that are no longer needed. Revoking the refresh token revokes its access tokens too.
    pub(super) async fn revoke(&self, tokens: &Tokens, trace: &mut Trace) -> Result<(), Trouble> {
        let token = tokens.refresh.as_ref().unwrap_or(&tokens.access);
        let endpoint = self.endpoint("revocation_endpoint").await?;
        self.post("The site gives its tokens back", &endpoint, &[("token", token.reveal())], trace).await.map(drop)
    }

    /// Fetches the claims of the token's user from the userinfo endpoint.
    pub(super) async fn profile(&self, tokens: &Tokens, trace: &mut Trace) -> Result<Value, Trouble> {
        let endpoint = self.endpoint("userinfo_endpoint").await?;
        let answer = self.fetcher.get(&endpoint, Some(&format!("Bearer {}", tokens.access.reveal()))).await;
        trace.push(Exchange::get("The site fetches your profile", &endpoint, &tokens.access, &answer));
        good(answer)
    }

    /// Introspects a token, as an API does that received it, RFC 7662. The API has its own client credentials.
    pub(super) async fn introspect(&self, token: &Secret, trace: &mut Trace) -> Result<Value, Trouble> {
        let endpoint = self.endpoint("introspection_endpoint").await?;
        self.post("An API asks about the token that it was sent", &endpoint, &[("token", token.reveal())], trace).await
    }

    async fn tokens(
        &self,
        title: &'static str,
        fields: &[(&str, &str)],
        before: Option<&Secret>,
        trace: &mut Trace,
    ) -> Result<Tokens, Trouble> {
        let endpoint = self.endpoint("token_endpoint").await?;
        let body = self.post(title, &endpoint, fields, trace).await?;
        let text = |name: &str| body[name].as_str().map(Secret::new);
        let access = text("access_token").ok_or(Trouble::Suspicious("the answer has no access token"))?;
        Ok(Tokens { access, refresh: text("refresh_token").or_else(|| before.cloned()) })
    }

    /// Returns the URL of an endpoint from the server's metadata, RFC 8414.
    async fn endpoint(&self, name: &str) -> Result<String, Trouble> {
        let url = format!("{}/.well-known/oauth-authorization-server", self.issuer);
        let metadata = good(self.fetcher.get(&url, None).await)?;
        // RFC 8414 §3.3: "The "issuer" value returned MUST be identical to the authorization server's issuer identifier".
        if metadata["issuer"] != self.issuer.as_str() {
            return Err(Trouble::Suspicious("the metadata is another issuer's"));
        }
        let found = metadata[name].as_str().map(str::to_owned);
        found.ok_or_else(|| Trouble::Unreachable(format!("the metadata has no {name}")))
    }

    /// Posts a form with client authentication.
    async fn post(
        &self,
        title: &'static str,
        url: &str,
        fields: &[(&str, &str)],
        trace: &mut Trace,
    ) -> Result<Value, Trouble> {
        let authorization = basic(&self.client_id, &self.client_secret);
        let answer = self.fetcher.post(url, fields, Some(authorization.reveal())).await;
        let credentials = Secret::new(format!("{}:{}", self.client_id, self.client_secret.reveal()));
        trace.push(Exchange::post(title, url, fields, &credentials, &authorization, &answer));
        good(answer)
    }
}

/// Returns 256 random bits as text, for `state` and for the code verifier of RFC 7636 §4.1.
pub(super) fn random() -> String {
    BASE64URL_NOPAD.encode(&Source::System.draw())
}

fn good(answer: Result<Fetched, FetchError>) -> Result<Value, Trouble> {
    let Fetched { status, body } = answer.map_err(|error| Trouble::Unreachable(error.to_string()))?;
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if (200..300).contains(&status) {
        return Ok(body);
    }
    let text = body["error_description"].as_str().or(body["error"].as_str());
    Err(Trouble::Refused(status, text.unwrap_or("no reason was given").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Fetch;
    use data_encoding::BASE64;

    fn client() -> OAuthClient {
        OAuthClient {
            issuer: "http://localhost:1".into(),
            client_id: "a b".into(),
            client_secret: Secret::new("s:%"),
            redirect_uri: "http://localhost:2/callback".into(),
            scope: "profile",
            resources: vec!["http://localhost:2/api".into()],
            fetcher: Arc::new(Fetcher::new(&Fetch::default()).unwrap()),
        }
    }

    async fn finish(query: &str) -> Trouble {
        let pending = Pending { state: "s".into(), verifier: "v".into() };
        client().finish(query, pending, &mut Vec::new()).await.unwrap_err()
    }

    #[tokio::test]
    async fn an_answer_to_somebody_elses_request_is_suspicious_rfc_6749_10_12() {
        for query in ["code=c&iss=http://localhost:1", "code=c&state=other&iss=http://localhost:1"] {
            assert!(matches!(finish(query).await, Trouble::Suspicious(_)), "{query}");
        }
    }

    #[tokio::test]
    async fn an_answer_from_another_issuer_is_suspicious_rfc_9207_2_4() {
        for query in ["code=c&state=s", "code=c&state=s&iss=http://localhost:3"] {
            assert!(matches!(finish(query).await, Trouble::Suspicious(_)), "{query}");
        }
    }

    #[tokio::test]
    async fn a_no_of_the_person_is_told_from_a_no_of_the_server() {
        assert!(matches!(finish("error=access_denied&state=s&iss=http://localhost:1").await, Trouble::Denied));
        let other = finish("error=invalid_scope&error_description=Why&state=s&iss=http://localhost:1").await;
        assert!(matches!(other, Trouble::Refused(_, text) if text == "Why"));
    }

    #[test]
    fn id_and_secret_are_encoded_before_they_are_joined_rfc_6749_2_3_1() {
        assert_eq!(
            basic(&client().client_id, &client().client_secret).reveal(),
            format!("Basic {}", BASE64.encode(b"a+b:s%3A%25"))
        );
    }
}
