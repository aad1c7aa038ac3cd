//! Google, or whoever stands in for it: where it is (OpenID Connect Discovery §4), its keys, and what it gives for a code.
//! What it says is judged by the protocol.
//!
//! The keys live for an hour. A token that names a key which nobody has heard of makes them be fetched anew, at most once a
//! minute, and by one request for all that wait.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use protocol::jose::KeySet;
use protocol::person::sign_in::SignInWish;
use protocol::person::upstream::{Departure, Issuer};
use protocol::refusal::No;
use protocol::secret::Secret;
use protocol::time::UnixTime;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::config::settings::{Google, Settings};
use crate::fetch::{Fetched, Fetcher, basic};

/// Keys and addresses are fetched anew after so many seconds: a key that the issuer takes back is taken back here as well.
const KEPT_S: u64 = 60 * 60;
/// So often an unknown key makes them be fetched anew, in seconds.
const UNKNOWN_KEY_EVERY_S: u64 = 60;
/// After a failure, nobody tries again for so many seconds: those who wait are told at once.
const RETRY_AFTER_S: u64 = 5;
/// The shortest time between two log lines about the same thing that goes wrong.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// What this server asks for: OpenID Connect Core §5.4.
const SCOPE: &str = "openid email profile";
/// The longest error word of an issuer that a log repeats, in characters.
const WORD_CHARACTERS_MAX: usize = 60;

/// An issuer whose word about people is taken.
#[derive(Debug)]
pub struct Upstream {
    google: Google,
    fetcher: Fetcher,
    known: ArcSwapOption<Known>,
    /// One fetches; until when nobody tries again.
    flight: Mutex<UnixTime>,
    unreachable_told: Told,
    refused_told: Told,
}

/// When a line was last logged. Strangers can make the same thing go wrong as often as they like, and the log must not grow
/// as fast.
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

/// What was fetched.
#[derive(Debug)]
struct Known {
    at: UnixTime,
    issuer: Arc<Issuer>,
    discovery: Discovery,
}

/// OpenID Connect Discovery §3, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What came back through the browser, RFC 6749 §4.1.2 and RFC 9207 §2.
#[derive(Clone, Debug, Default)]
pub struct Returned {
    /// The code.
    pub code: Option<Secret>,
    /// The word of an error.
    pub error: Option<String>,
    /// Who says so.
    pub iss: Option<String>,
}

impl Upstream {
    /// The issuer of the configuration, if there is one.
    ///
    /// # Errors
    /// When outgoing requests cannot be made at all.
    pub fn new(settings: &Settings) -> Result<Option<Self>, String> {
        let Some(google) = settings.google.clone() else { return Ok(None) };
        let (known, flight) = (ArcSwapOption::empty(), Mutex::new(UnixTime(i64::MIN)));
        let (unreachable_told, refused_told) = (Told::default(), Told::default());
        let fetcher = Fetcher::new(&settings.fetch)?;
        Ok(Some(Self { google, fetcher, known, flight, unreachable_told, refused_told }))
    }

    /// Can people sign in on the pages? That takes a secret; to verify ID tokens takes none.
    #[must_use]
    pub fn has_button(&self) -> bool {
        self.google.client_secret.is_some()
    }

    /// Takes these keys as the issuer's, as if they had been fetched at `now`: for a server without a network.
    pub fn learn(&self, keys: KeySet, now: UnixTime) {
        let Google { issuer, client_id, .. } = &self.google;
        let at = |path: &str| format!("{}/{path}", issuer.trim_end_matches('/'));
        let discovery = Discovery {
            issuer: issuer.clone(),
            authorization_endpoint: at("authorize"),
            token_endpoint: at("token"),
            jwks_uri: at("keys"),
            token_endpoint_auth_methods_supported: None,
            authorization_response_iss_parameter_supported: false,
        };
        let (sign_up, keys) = (self.google.sign_up.clone(), Arc::new(keys));
        let issuer = Issuer { name: issuer.clone(), client_id: client_id.clone(), keys, sign_up };
        self.known.store(Some(Arc::new(Known { at: now, issuer: Arc::new(issuer), discovery })));
    }

    /// The issuer with its keys, for a token that names the key `kid`.
    ///
    /// # Errors
    /// [`No::UpstreamUnreachable`].
    pub async fn issuer(&self, kid: Option<&str>, now: UnixTime) -> Result<Arc<Issuer>, No> {
        Ok(Arc::clone(&self.known(|keys| keys.has(kid), now).await?.issuer))
    }

    /// Where the browser goes to be asked, OpenID Connect Core §3.1.2.1.
    ///
    /// # Errors
    /// [`No::UpstreamUnreachable`].
    pub async fn address(
        &self,
        departure: &Departure,
        state: &str,
        redirect_uri: &str,
        now: UnixTime,
    ) -> Result<String, No> {
        let known = self.known(|_| true, now).await?;
        let mut url = Url::parse(&known.discovery.authorization_endpoint).map_err(|_| No::UpstreamUnreachable)?;
        let challenge = departure.challenge();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.google.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", SCOPE),
            ("state", state),
            ("nonce", departure.nonce()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        match departure.errand.demand().wish() {
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

    /// Turns what came back into an ID token, OpenID Connect Core §3.1.3.
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
        let known = self.known(|_| true, now).await?;
        // RFC 9207 §2.4: clients "MUST extract the value of the iss parameter from authorization responses they receive if
        // the parameter is present [and] compare the extracted value to the issuer identifier of the authorization server".
        let is_theirs = match &returned.iss {
            Some(iss) => *iss == self.google.issuer,
            None => !known.discovery.authorization_response_iss_parameter_supported,
        };
        if !is_theirs {
            return Err(self.refused("the answer names another issuer, or none"));
        }
        match (returned.error.as_deref(), &returned.code) {
            (Some("access_denied"), _) => Err(No::UpstreamDenied),
            (Some(word), _) => Err(self.refused(&format!("the answer is the error {}", printable(word)))),
            (None, None) => Err(self.refused("the answer has neither a code nor an error")),
            (None, Some(code)) => self.exchange(&known.discovery, code, verifier, redirect_uri).await,
        }
    }

    async fn exchange(
        &self,
        discovery: &Discovery,
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
        let is_basic = discovery.takes("client_secret_basic");
        if !is_basic {
            fields.extend([("client_id", client_id.as_str()), ("client_secret", secret.reveal())]);
        }
        let authorization = is_basic.then(|| basic(client_id, secret));
        let url = &discovery.token_endpoint;
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

    /// What is known of the issuer, if it is fresh and the keys will do; else what it says now.
    async fn known(&self, will_do: impl Fn(&KeySet) -> bool, now: UnixTime) -> Result<Arc<Known>, No> {
        let is_good = |known: &Known| {
            let may_ask_again = now.is_past(known.at.plus(UNKNOWN_KEY_EVERY_S));
            !now.is_past(known.at.plus(KEPT_S)) && (will_do(&known.issuer.keys) || !may_ask_again)
        };
        if let Some(known) = self.known.load_full().filter(|known| is_good(known)) {
            return Ok(known);
        }
        let mut nobody_until = self.flight.lock().await;
        // Somebody may have fetched it meanwhile.
        let before = self.known.load_full();
        if let Some(known) = before.as_ref().filter(|known| is_good(known)) {
            return Ok(Arc::clone(known));
        }
        let fetched = if now.is_past(*nobody_until) { self.fetch(now).await } else { Err(No::UpstreamUnreachable) };
        match (fetched, before) {
            (Ok(known), _) => {
                let known = Arc::new(known);
                self.known.store(Some(Arc::clone(&known)));
                Ok(known)
            }
            (Err(no), before) => {
                if now.is_past(*nobody_until) {
                    *nobody_until = now.plus(RETRY_AFTER_S);
                }
                // Only a key was missing: what is known still holds.
                before.filter(|known| !now.is_past(known.at.plus(KEPT_S))).ok_or(no)
            }
        }
    }

    async fn fetch(&self, now: UnixTime) -> Result<Known, No> {
        let issuer = &self.google.issuer;
        // OpenID Connect Discovery §4.1: "If the Issuer value contains a path component, any terminating / MUST be removed
        // before appending /.well-known/openid-configuration."
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery: Discovery = serde_json::from_slice(&self.document("configuration", &url).await?)
            .map_err(|_| self.unreachable("configuration", "it is not the document that it should be"))?;
        // §4.3: "The issuer value returned MUST be identical to the Issuer URL that was used as the prefix".
        if discovery.issuer != *issuer {
            return Err(self.unreachable("configuration", "it names another issuer"));
        }
        for url in [&discovery.authorization_endpoint, &discovery.token_endpoint, &discovery.jwks_uri] {
            self.fetcher.check(url).map_err(|error| self.unreachable("configuration", &error.to_string()))?;
        }
        if !discovery.takes("client_secret_basic") && !discovery.takes("client_secret_post") {
            return Err(self.unreachable("configuration", "its token endpoint takes no client secret"));
        }
        let keys = KeySet::parse(&self.document("keys", &discovery.jwks_uri).await?);
        let keys = keys.map_err(|text| self.unreachable("keys", text))?;
        if keys.is_empty() {
            return Err(self.unreachable("keys", "there is none among them that can be used"));
        }
        tracing::info!(issuer, keys = keys.len(), "fetched the issuer's keys");
        let client_id = self.google.client_id.clone();
        let (sign_up, keys) = (self.google.sign_up.clone(), Arc::new(keys));
        let issuer = Arc::new(Issuer { name: issuer.clone(), client_id, keys, sign_up });
        Ok(Known { at: now, issuer, discovery })
    }

    async fn document(&self, what: &str, url: &str) -> Result<Vec<u8>, No> {
        match self.fetcher.get(url, None).await {
            Ok(Fetched { status: 200, body }) => Ok(body),
            Ok(Fetched { status, .. }) => Err(self.unreachable(what, &format!("it was answered with {status}"))),
            Err(error) => Err(self.unreachable(what, &error.to_string())),
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

impl Discovery {
    /// OpenID Connect Discovery §3: "If omitted, the default is client_secret_basic".
    fn takes(&self, method: &str) -> bool {
        match &self.token_endpoint_auth_methods_supported {
            Some(methods) => methods.iter().any(|own| own == method),
            None => method == "client_secret_basic",
        }
    }
}

/// A word of a stranger's, for the log.
fn printable(word: &str) -> String {
    word.chars().filter(char::is_ascii_graphic).take(WORD_CHARACTERS_MAX).collect()
}
