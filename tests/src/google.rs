//! A stand-in for Google: an OpenID issuer on loopback with keys of its own, which says about people what the test tells it
//! to. It checks what a real one would: the client, PKCE, and that a code is used once.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::http::form_fields;

/// What the server under test is called there.
pub const CLIENT_ID: &str = "grantry.apps.example";
/// How it proves that.
pub const CLIENT_SECRET: &str = "a secret & with + odd characters";

/// The stand-in. It answers until the test ends.
pub struct Google {
    /// `host:port`.
    pub address: String,
    state: Arc<Mutex<State>>,
}

struct State {
    issuer: String,
    key: KeyPair,
    kid: String,
    /// How often the keys were asked for.
    keys_asked: usize,
    is_down: bool,
    codes: HashMap<String, Code>,
}

struct Code {
    claims: Value,
    challenge: String,
    redirect_uri: String,
}

impl Default for Google {
    fn default() -> Self {
        Self::start()
    }
}

impl Google {
    /// Starts it.
    ///
    /// # Panics
    /// When loopback or the system's randomness fail.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let state = Arc::new(Mutex::new(State {
            issuer: format!("http://{address}"),
            key: KeyPair::generate(KeySize::Rsa2048).expect("the system has randomness"),
            kid: "first".to_owned(),
            keys_asked: 0,
            is_down: false,
            codes: HashMap::new(),
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &shared);
            }
        });
        Self { address, state }
    }

    /// The sections of a configuration that trusts it.
    #[must_use]
    pub fn configuration(&self) -> String {
        format!(
            "[fetch]\nallow = [\"{address}\"]\n[upstream.google]\nclient_id = \"{CLIENT_ID}\"\nclient_secret = \"{CLIENT_SECRET}\"\n\
             issuer = \"http://{address}\"\n",
            address = self.address
        )
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it says about a person.
    #[must_use]
    pub fn claims(&self, subject: &str, email: &str) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        json!({
            "iss": format!("http://{}", self.address), "sub": subject, "aud": CLIENT_ID, "azp": CLIENT_ID,
            "iat": now, "exp": now + 3600, "email": email, "email_verified": true, "name": format!("Person {subject}"),
        })
    }

    /// An ID token with these claims.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.with(|state| state.sign(claims))
    }

    /// Takes a new key, by another name.
    ///
    /// # Panics
    /// When the system's randomness fails.
    pub fn rotate(&self) {
        self.with(|state| {
            state.key = KeyPair::generate(KeySize::Rsa2048).expect("the system has randomness");
            state.kid.push_str(" and next");
        });
    }

    /// How often the keys were asked for.
    #[must_use]
    pub fn keys_asked(&self) -> usize {
        self.with(|state| state.keys_asked)
    }

    /// Answers nobody from now on, or everybody again.
    pub fn set_down(&self, is_down: bool) {
        self.with(|state| state.is_down = is_down);
    }

    /// The person who is sent here allows it: gives the query with which the browser goes back. `claims` is what the ID token
    /// will say, but for the nonce.
    ///
    /// # Panics
    /// When the request is not what it must be.
    #[must_use]
    pub fn allow(&self, location: &str, mut claims: Value) -> String {
        let (address, query) = location.split_once('?').expect("the request has a query");
        assert_eq!(address, format!("http://{}/authorize", self.address));
        let asked: HashMap<String, String> = form_fields(query).into_iter().collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!((asked["client_id"].as_str(), asked["code_challenge_method"].as_str()), (CLIENT_ID, "S256"));
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        claims["nonce"] = json!(asked["nonce"]);
        let code = self.with(|state| {
            let code = format!("code-{}", state.codes.len());
            let (challenge, redirect_uri) = (asked["code_challenge"].clone(), asked["redirect_uri"].clone());
            state.codes.insert(code.clone(), Code { claims, challenge, redirect_uri });
            code
        });
        crate::form(&[("state", &asked["state"]), ("code", &code)])
    }
}

impl State {
    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "RS256", "kid": self.kid, "typ": "JWT"});
        let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let message = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("the key signs");
        format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    fn answer(&mut self, path: &str, head: &str, body: &str) -> (u16, Value) {
        let issuer = &self.issuer;
        match path {
            "/.well-known/openid-configuration" => (
                200,
                json!({
                    "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
                    "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
                    "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                }),
            ),
            "/keys" => {
                self.keys_asked += 1;
                let n = BASE64URL_NOPAD.encode(self.key.public_key().modulus().big_endian_without_leading_zero());
                (
                    200,
                    json!({"keys": [{"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": n, "e": "AQAB"}]}),
                )
            }
            "/token" => self.redeem(head, body),
            _ => (404, json!({})),
        }
    }

    fn redeem(&mut self, head: &str, body: &str) -> (u16, Value) {
        let pair = format!("{}:{}", urlencoded(CLIENT_ID), urlencoded(CLIENT_SECRET));
        let basic = format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()));
        let is_client = head.lines().any(|line| {
            line.split_once(": ").is_some_and(|(name, own)| name.eq_ignore_ascii_case("authorization") && own == basic)
        });
        if !is_client {
            return (401, json!({"error": "invalid_client"}));
        }
        let fields: HashMap<String, String> = form_fields(body).into_iter().collect();
        let Some(code) = fields.get("code").and_then(|code| self.codes.remove(code)) else {
            return (400, json!({"error": "invalid_grant"}));
        };
        let verifier = fields.get("code_verifier").map_or("", String::as_str);
        let challenge = BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref());
        if challenge != code.challenge || fields.get("redirect_uri") != Some(&code.redirect_uri) {
            return (400, json!({"error": "invalid_grant"}));
        }
        (200, json!({"access_token": "unused", "token_type": "Bearer", "id_token": self.sign(&code.claims)}))
    }
}

/// RFC 6749 appendix B, with a plus for a space.
fn urlencoded(text: &str) -> String {
    crate::form(&[("", text)]).trim_start_matches('=').replace("%20", "+").replace('~', "%7E")
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let (head, body) = loop {
        let read = stream.read(&mut buffer)?;
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        }
        if read == 0 {
            return Ok(());
        }
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if state.is_down {
        return Ok(());
    }
    let (status, document) = state.answer(&path, &head, &body);
    let text = document.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}
