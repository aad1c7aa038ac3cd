//! Samples for the tests of judges: a small world with one time, one policy, one client, one user, and one request.

use std::sync::Arc;

use expect_test::Expect;
use serde_json::json;

use crate::client::recalled::Recalled;
use crate::client::registration;
use crate::crypto::entropy::Entropy;
use crate::crypto::keys::{Alphabet, Keys, Minted, Presented, Spelling, TokenKind};
use crate::line::{Call, Changes, Documents, Facts, Key, OwnedCounts, Rely, Reply, Row, Turn, Wants, Write};
use crate::model::{
    Access, AccessId, Attempts, AuthMethod, Authorization, Circumstances, Client, ClientKey, ClientKind, ClientSecret,
    Code, Consent, Grant, GrantId, GrantType, Identity, Permission, Personal, Session, StoredSecret, Ticket, User,
    UserKey, WithOwners,
};
use crate::person::counters::address_attempts_key;
use crate::person::password;
use crate::person::upstream::sample as issuer;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;
use crate::token::TokenRequest;
use crate::wire::{Param, Params};

/// The secret of [`client`].
pub(crate) const SECRET: &str = "sample-secret";
/// A PKCE verifier.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The network address of the caller.
pub(crate) const ADDRESS: &str = "192.0.2.1";
/// The password of [`user`].
pub(crate) const PASSWORD: &str = "correct horse";

/// The S256 challenge of [`VERIFIER`].
pub(crate) fn challenge() -> Digest {
    Digest::of(VERIFIER.as_bytes())
}

/// Returns the stored form of a client secret with this text.
pub(crate) fn secret(text: &str) -> ClientSecret {
    ClientSecret {
        stored: StoredSecret::Sha256(Secret::new(text).digest()),
        hint: String::new(),
        created_at: UnixTime(0),
    }
}

/// A confidential client, `web`.
pub(crate) fn client() -> Client {
    Client {
        key: ClientKey(1),
        client_id: "web".into(),
        name: "Web".into(),
        secrets: vec![secret(SECRET)],
        redirect_uris: vec!["https://app.example/cb".into()],
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials],
        scope: Scope::of(["profile", "email", "links:read", "links:write"]),
        ..registration::client(ClientKind::Confidential, &Policy::standard(""))
    }
}

/// A public client, `spa`.
pub(crate) fn public_client() -> Client {
    Client {
        key: ClientKey(2),
        client_id: "spa".into(),
        kind: ClientKind::Public,
        auth_methods: vec![AuthMethod::None],
        secrets: vec![],
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        ..client()
    }
}

/// A user, `alice`, with [`PASSWORD`] and no second factor.
pub(crate) fn user() -> User {
    User {
        username: Some("alice".into()),
        email: Some("alice@example.com".into()),
        email_verified: true,
        password: Some(password::hash_for_tests(&Secret::new(PASSWORD))),
        attributes: json!({"team": "blue"}).as_object().unwrap().clone(),
        ..User::new(UserKey(1), "sub-alice", "Alice Doe", UnixTime(0))
    }
}

/// The rules of the standard dialect with a few scopes and resources.
pub(crate) fn policy() -> Policy {
    let mut policy = Policy::standard("https://auth.example");
    for word in ["profile", "email", "links:read", "links:write", "admin"] {
        policy.scope.list.push((word.into(), format!("Sentence for {word}")));
    }
    policy.assertion_endpoints = ["token", "par"].map(|name| format!("https://auth.example/oauth/{name}")).to_vec();
    policy.scope.implies = vec![("links:write".into(), Scope::of(["links:read"]))];
    policy.resources = vec!["https://api.example/".into(), "https://files.example/".into()];
    policy
}

/// The authorization of [`client`] by [`user`] at the time 900.
pub(crate) fn authorization() -> Authorization {
    Authorization {
        user: user().key,
        client: client().key,
        permission: Permission::default(),
        auth_time: UnixTime(900),
        circumstances: Circumstances::default(),
    }
}

/// The row of an access token of [`user`] for `client`. It was issued at 900, and expires at 2000.
pub(crate) fn access(minted: &Minted, client: Client, scope: Scope) -> WithOwners<Access> {
    WithOwners {
        row: Access {
            id: AccessId(minted.id),
            digest: minted.digest,
            client: client.key,
            user: Some(user().key),
            grant: Some(GrantId(100)),
            permission: Permission { scope, audience: vec![] },
            issued_at: UnixTime(900),
            expires_at: UnixTime(2000),
        },
        client: Some(Arc::new(client)),
        user: Some(Arc::new(user())),
        is_grant_revoked: false,
    }
}

/// The content of the store: one row of each kind, which is found under every key of its kind.
#[derive(Clone, Default)]
pub(crate) struct Rows {
    pub(crate) client: Option<Arc<Client>>,
    pub(crate) code: Option<WithOwners<Code>>,
    pub(crate) grant: Option<WithOwners<Grant>>,
    pub(crate) access: Option<WithOwners<Access>>,
    pub(crate) personal: Option<WithOwners<Personal>>,
    pub(crate) session: Option<WithOwners<Session>>,
    pub(crate) ticket: Option<WithOwners<Ticket>>,
    pub(crate) login: Option<Arc<User>>,
    pub(crate) subject: Option<Arc<User>>,
    pub(crate) identity: Option<WithOwners<Identity>>,
    pub(crate) is_jti_used: bool,
    /// Counters of failed attempts, by their keys.
    pub(crate) attempts: Vec<(Digest, Attempts)>,
    /// The counter of [`ADDRESS`].
    pub(crate) address_attempts: Option<Attempts>,
    pub(crate) consent: Option<Consent>,
    pub(crate) owned_counts: Option<OwnedCounts>,
}

impl Rows {
    /// Loads the wanted rows.
    pub(crate) fn load(&self, wants: Wants) -> Facts {
        let mut facts = Facts::of(wants);
        let found = facts.look(|key, _| Ok::<_, std::convert::Infallible>(self.row(key)));
        found.expect("rows are at hand");
        facts
    }

    fn row(&self, key: &Key) -> Row {
        match key {
            Key::Client(_) => self.client.clone().into(),
            Key::Code(_) => self.code.clone().into(),
            Key::Grant(_) | Key::GrantOf(_) => self.grant.clone().into(),
            Key::Access(_) => self.access.clone().into(),
            Key::Personal(_) => self.personal.clone().into(),
            Key::Session(_) => self.session.clone().into(),
            Key::Ticket(_) => self.ticket.clone().into(),
            Key::Login(_) => self.login.clone().into(),
            Key::Sub(_) => self.subject.clone().into(),
            Key::Identity(_) => self.identity.clone().into(),
            Key::UsedJti(_) => Row::used_jti(self.is_jti_used),
            Key::Failures(counter) => {
                let own = self.attempts.iter().find(|(key, _)| key == counter).map(|(_, own)| *own);
                own.or(self.address_attempts.filter(|_| *counter == address_attempts_key(ADDRESS))).into()
            }
            Key::Consent(_) => self.consent.clone().into(),
            Key::OwnedCounts => self.owned_counts.into(),
        }
    }
}

/// A world for a test. The time is 1000.
pub(crate) struct World {
    pub(crate) now: UnixTime,
    pub(crate) policy: Policy,
    pub(crate) keys: Keys,
    /// The content of the store.
    pub(crate) facts: Rows,
    /// The documents of other servers that are at hand: those of the upstream identity provider.
    pub(crate) documents: Documents,
    /// What the process remembers about client secrets.
    pub(crate) recalled: Recalled,
    /// The session token of the browser.
    pub(crate) session: Option<Presented>,
    params: Vec<(Param, String)>,
    /// The fault that the dialect found in a parameter.
    pub(crate) fault: Option<Refusal>,
    /// True if the dialect does not need the redirect URI in token requests.
    pub(crate) is_redirect_uri_assumed: bool,
    next_id: i64,
}

impl World {
    /// A world in which `web` sends a request with its secret.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            now: UnixTime(1000),
            policy: policy(),
            keys: Keys::derive(&[7; 32], &[1]),
            facts: Rows { client: Some(Arc::new(client())), ..Rows::default() },
            documents: issuer::documents(),
            recalled: Recalled::default(),
            session: None,
            params: Vec::new(),
            fault: None,
            is_redirect_uri_assumed: false,
            next_id: 100,
        };
        world.send(Param::ClientId, "web");
        world.send(Param::ClientSecret, SECRET);
        world
    }

    /// Makes a token. Its row must still be added.
    pub(crate) fn mint(&mut self, kind: TokenKind) -> Minted {
        self.next_id += 100;
        let spelling = Spelling { prefix: String::new(), alphabet: Alphabet::Url };
        self.keys.mint(kind, &spelling, &mut Entropy::seeded([5; 32], self.next_id))
    }

    /// Sets a parameter of the request.
    pub(crate) fn send(&mut self, param: Param, value: &str) {
        self.unsend(param);
        self.params.push((param, value.to_owned()));
    }

    /// Removes a parameter from the request.
    pub(crate) fn unsend(&mut self, param: Param) {
        self.params.retain(|(name, _)| *name != param);
    }

    /// Returns the value of a parameter of the request.
    pub(crate) fn sent(&self, param: Param) -> String {
        self.params.iter().find(|(name, _)| *name == param).expect("it was sent").1.clone()
    }

    /// Returns the parameters of the request.
    pub(crate) fn params(&self) -> Params {
        let mut params = Params::default();
        params.fault = self.fault;
        params.is_redirect_uri_assumed = self.is_redirect_uri_assumed;
        for (param, value) in &self.params {
            params.push(*param, value.clone()).unwrap();
        }
        params
    }

    /// Returns a turn in this world.
    pub(crate) fn turn(&self) -> Turn<'_> {
        let entropy = Entropy::seeded([1; 32], 5000);
        let turn = Turn::new(self.now, &self.policy, &self.keys, entropy, ADDRESS);
        turn.with_recalled(&self.recalled).with_documents(&self.documents)
    }

    /// Loads the rows that `call` wants, and the counters of the client's failed attempts if it is judged by them.
    pub(crate) fn load<C: Call>(&self, call: &C) -> Facts {
        let facts = self.facts.load(call.wants());
        match call.credentials() {
            Some(credentials) if credentials.is_counted(&facts, &self.recalled, &self.policy) => {
                let mut wants = call.wants();
                credentials.want_counters(&mut wants, &self.policy, ADDRESS);
                self.facts.load(wants)
            }
            _ => facts,
        }
    }

    /// Judges `call`.
    pub(crate) fn judge<C: Call>(&self, call: &C) -> (Result<C::Yes, Refusal>, Changes) {
        let mut turn = self.turn();
        let verdict = call.decide(&self.load(call), &mut turn);
        (verdict, turn.into_changes())
    }

    /// Judges the request at the token endpoint.
    pub(crate) fn token_with_changes(&self) -> (Result<Reply, Refusal>, Changes) {
        match TokenRequest::parse(self.params(), &self.policy, &self.keys, ADDRESS) {
            Ok(request) => self.judge(&request),
            Err(refusal) => (Err(refusal), Changes::default()),
        }
    }

    /// As [`World::token_with_changes`], the verdict alone.
    pub(crate) fn token(&self) -> Result<Reply, Refusal> {
        self.token_with_changes().0
    }

    /// Judges the request at the token endpoint and compares verdict and changes.
    pub(crate) fn check_token(&self, expected: &Expect) {
        let (verdict, changes) = self.token_with_changes();
        expected.assert_eq(&told(verdict, &changes));
    }
}

/// Formats a verdict and its changes as two lines.
pub(crate) fn told(verdict: Result<Reply, Refusal>, changes: &Changes) -> String {
    let verdict = match verdict {
        Ok(reply) => format!("{} {:?}", reply.kind, reply.fields),
        Err(refusal) => format!("no {}", refusal.row().name),
    };
    format!("{verdict}\n{}\n", names(changes))
}

/// Returns the names of the decided changes: first the preconditions, then the writes, with the kinds of events.
/// Preconditions about rows are all called `Rely`.
pub(crate) fn names(changes: &Changes) -> String {
    let name = |shown: String| shown.split(['(', ' ']).next().unwrap_or_default().to_owned();
    let relied = changes.relied.iter().map(|rely| match rely {
        Rely::CounterBelow { .. } => name(format!("{rely:?}")),
        Rely::Client(..)
        | Rely::User(..)
        | Rely::Session(_)
        | Rely::Grant(_)
        | Rely::Consent { .. }
        | Rely::ClientsFewer { .. }
        | Rely::PersonalsFewer { .. } => "Rely".to_owned(),
    });
    let writes = changes.writes.iter().map(|write| match write {
        Write::Note(event) => format!("Note {}", event.kind),
        other => name(format!("{other:?}")),
    });
    relied.chain(writes).collect::<Vec<_>>().join(", ")
}
