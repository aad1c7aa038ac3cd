//! The upstream identity provider, which is Google or a stand-in for it: the address to which browsers are sent, and the ID
//! token for a code (OpenID Connect Core §3.1). What the ID token says is judged by the protocol, with the provider's keys from
//! the cache of outside documents.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use protocol::jose::KeySet;
use protocol::line::{Document, DocumentKey};
use protocol::person::sign_in::SignInWish;
use protocol::person::upstream::{Issuer, ProviderMetadata, UpstreamTrip};
use protocol::refusal::No;
use protocol::secret::Secret;
use protocol::time::UnixTime;
use serde::Deserialize;
use url::Url;

use super::documents::DocumentCache;
use super::fetch::{Fetched, Fetcher, basic};
use crate::config::settings::Google;

/// The shortest time between two log lines about the same thing that goes wrong.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// The scope of authentication requests, OpenID Connect Core §5.4.
const SCOPE: &str = "openid email profile";
/// Maximum length of an error code that the log repeats, in characters.
const WORD_CHARACTERS_MAX: usize = 60;

/// The trusted upstream identity provider.
#[derive(Debug)]
pub struct Upstream {
    google: Google,
    issuer: Arc<Issuer>,
    fetcher: Arc<Fetcher>,
    documents: Arc<DocumentCache>,
    unreachable_told: Told,
    refused_told: Told,
}

/// When a line was last logged. Strangers can make the same thing go wrong as often as they like, but the log must not grow
/// that fast.
#[derive(Debug, Default)]
struct Told(std::sync::Mutex<Option<Instant>>);

impl Told {
    /// True at most once in [`TELL_EVERY`].
    fn may_tell(&self) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may_tell = told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if may_tell {
            *told = Some(Instant::now());
        }
        may_tell
    }
}

/// The authorization response of the identity provider, RFC 6749 §4.1.2 and RFC 9207 §2.
#[derive(Clone, Debug, Default)]
pub struct Returned {
    /// The code.
    pub code: Option<Secret>,
    /// The error code.
    pub error: Option<String>,
    /// The issuer identifier of the provider that answers.
    pub iss: Option<String>,
}

impl Upstream {
    /// The identity provider of the configuration. The ID tokens' keys and its metadata are among `documents`.
    #[must_use]
    pub fn new(google: Google, fetcher: Arc<Fetcher>, documents: Arc<DocumentCache>) -> Self {
        let Google { issuer, client_id, sign_up, .. } = google.clone();
        let issuer = Arc::new(Issuer { name: issuer, client_id, sign_up });
        let (unreachable_told, refused_told) = (Told::default(), Told::default());
        Self { google, issuer, fetcher, documents, unreachable_told, refused_told }
    }

    /// The identity provider as judges know it.
    #[must_use]
    pub fn issuer(&self) -> &Arc<Issuer> {
        &self.issuer
    }

    /// Returns true if people can sign in on the pages. That takes a client secret; to verify ID tokens takes none.
    #[must_use]
    pub fn has_button(&self) -> bool {
        self.google.client_secret.is_some()
    }

    /// Takes these keys as the identity provider's, as if they had been fetched at `now`: for a server without a network.
    pub fn learn(&self, keys: KeySet, now: UnixTime) {
        let issuer = &self.google.issuer;
        let at = |path: &str| format!("{}/{path}", issuer.trim_end_matches('/'));
        let metadata = ProviderMetadata {
            issuer: issuer.clone(),
            authorization_endpoint: at("authorize"),
            token_endpoint: at("token"),
            jwks_uri: at("keys"),
            token_endpoint_auth_methods_supported: None,
            authorization_response_iss_parameter_supported: false,
        };
        let of_keys = DocumentKey::KeySet { url: metadata.jwks_uri.clone(), kid: None };
        self.documents.learn(&of_keys, Document::KeySet(Arc::new(keys)), now);
        let of_metadata = DocumentKey::ProviderMetadata { issuer: issuer.clone() };
        self.documents.learn(&of_metadata, Document::ProviderMetadata(Arc::new(metadata)), now);
    }

    /// The address of the authentication request to which the browser is sent, OpenID Connect Core §3.1.2.1.
    ///
    /// # Errors
    /// [`No::UpstreamUnreachable`].
    pub async fn address(
        &self,
        trip: &UpstreamTrip,
        state: &str,
        redirect_uri: &str,
        now: UnixTime,
    ) -> Result<String, No> {
        let metadata = self.metadata(now).await?;
        let mut url = Url::parse(&metadata.authorization_endpoint).map_err(|_| No::UpstreamUnreachable)?;
        let challenge = trip.challenge();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.google.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", SCOPE),
            ("state", state),
            ("nonce", trip.nonce()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        match trip.pending.demand().wish() {
            SignInWish::Any => {}
            // OpenID Connect Core §3.1.2.1: with `max_age`, "the ID Token returned MUST include an auth_time Claim Value".
            SignInWish::Fresh { max_age_s } if self.google.is_dating() => {
                url.query_pairs_mut().extend_pairs([("prompt", "login"), ("max_age", &max_age_s.to_string())]);
            }
            // Somebody else may be signed in there; who is to prove who they are should at least choose.
            SignInWish::Choice | SignInWish::Fresh { .. } => {
                url.query_pairs_mut().append_pair("prompt", "select_account");
            }
        }
        Ok(url.into())
    }

    /// Redeems the authorization response for an ID token, OpenID Connect Core §3.1.3.
    ///
    /// # Errors
    /// [`No::UpstreamDenied`], [`No::UpstreamRefused`] or [`No::UpstreamUnreachable`].
    pub async fn redeem(
        &self,
        returned: &Returned,
        verifier: &Secret,
        redirect_uri: &str,
        now: UnixTime,
    ) -> Result<String, No> {
        let metadata = self.metadata(now).await?;
        // RFC 9207 §2.4: clients "MUST extract the value of the iss parameter from authorization responses they receive if
        // the parameter is present [and] compare the extracted value to the issuer identifier of the authorization server".
        let is_theirs = match &returned.iss {
            Some(iss) => *iss == self.google.issuer,
            None => !metadata.authorization_response_iss_parameter_supported,
        };
        if !is_theirs {
            return Err(self.refused("the answer names another issuer, or none"));
        }
        match (returned.error.as_deref(), &returned.code) {
            (Some("access_denied"), _) => Err(No::UpstreamDenied),
            (Some(word), _) => Err(self.refused(&format!("the answer is the error {}", printable(word)))),
            (None, None) => Err(self.refused("the answer has neither a code nor an error")),
            (None, Some(code)) => self.exchange(&metadata, code, verifier, redirect_uri).await,
        }
    }

    async fn exchange(
        &self,
        metadata: &ProviderMetadata,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
    ) -> Result<String, No> {
        let Google { client_id, client_secret, .. } = &self.google;
        let secret = client_secret.as_ref().ok_or(No::UpstreamAbsent)?;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.reveal()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.reveal()),
        ];
        let is_basic = metadata.supports("client_secret_basic");
        if !is_basic {
            fields.extend([("client_id", client_id.as_str()), ("client_secret", secret.reveal())]);
        }
        let authorization = is_basic.then(|| basic(client_id, secret));
        let url = &metadata.token_endpoint;
        let fetched = self.fetcher.post(url, &fields, authorization.as_ref().map(Secret::reveal)).await;
        let Fetched { status, body } =
            fetched.map_err(|error| self.unreachable("token endpoint", &error.to_string()))?;
        #[derive(Deserialize)]
        struct Tokens {
            id_token: Option<String>,
            error: Option<String>,
        }
        let tokens: Option<Tokens> = serde_json::from_slice(&body).ok();
        match (status, tokens) {
            (200, Some(Tokens { id_token: Some(id_token), .. })) => Ok(id_token),
            (500.., _) => Err(self.unreachable("token endpoint", &format!("it answered {status}"))),
            (_, tokens) => {
                let word = tokens.and_then(|tokens| tokens.error).unwrap_or_default();
                Err(self.refused(&format!("its token endpoint answered {status} {}", printable(&word))))
            }
        }
    }

    /// The metadata of the identity provider.
    async fn metadata(&self, now: UnixTime) -> Result<Arc<ProviderMetadata>, No> {
        let key = DocumentKey::ProviderMetadata { issuer: self.google.issuer.clone() };
        match self.documents.find(&key, now).await {
            Some(Document::ProviderMetadata(metadata)) => Ok(metadata),
            // The log says why.
            Some(Document::KeySet(_)) | None => Err(No::UpstreamUnreachable),
        }
    }

    fn unreachable(&self, what: &str, cause: &str) -> No {
        if self.unreachable_told.may_tell() {
            tracing::warn!(issuer = self.google.issuer, what, cause, "the issuer does not answer as it should");
        }
        No::UpstreamUnreachable
    }

    fn refused(&self, cause: &str) -> No {
        if self.refused_told.may_tell() {
            tracing::warn!(issuer = self.google.issuer, cause, "the issuer did not say who somebody is");
        }
        No::UpstreamRefused
    }
}

/// An error code of another server, for the log.
fn printable(word: &str) -> String {
    word.chars().filter(char::is_ascii_graphic).take(WORD_CHARACTERS_MAX).collect()
}
