//! All shipped dialects in one server, each with every kind of endpoint that it can have and with clients, a code, a grant,
//! tokens and a consent of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use dialect::{At, Context, Dialect, Dialects, shipped};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt;
use protocol::client::registration;
use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::{Alphabet, Minted, Spelling, TokenKind};
use protocol::endpoint::Endpoint;
use protocol::line::{Key, Wants, Write};
use protocol::model::{
    Access, AccessId, Amr, Authorization, Circumstances, Client, ClientKey, ClientKind, ClientSecret, Code, CodeId,
    Consent, Grant, GrantId, GrantType, Permission, Personal, PersonalId, Pkce, Refresh, Session, SessionId,
    StoredSecret, User, UserKey,
};
use protocol::person::password;
use protocol::policy::{AlsoRead, Policy};
use protocol::refusal::Refusal;
use protocol::scope::Scope;
use protocol::secret::{Digest, Secret};
use protocol::time::UnixTime;
use serde_json::Value;
use server::app::{App, Setup};
use server::clock::Clock;
use server::config::settings::Settings;
use server::entropy;
use server::front;
use server::http::{Peer, Request};
use store::{Memory, Store};
use zeroize::Zeroizing;

pub(super) const NOW: UnixTime = UnixTime(1_780_000_000);
pub(super) const LATER: UnixTime = UnixTime(1_780_100_000);
pub(super) const SECRET: &str = "secret-0123456789abcdefghijklmnopqrstuvwxyz";
pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const CALLBACK: &str = "https://app.example/cb";
pub(super) const ALICE: UserKey = UserKey(1);
/// The verifier and the challenge of RFC 7636, appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Rows and ids that one dialect has for itself.
pub(super) const IDS_EACH: i64 = 10_000;
/// What Google says about somebody, as far as it is read before anybody asks for Google's keys.
pub(super) const ID_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJodHRwczovL2FjY291bnRzLmdvb2dsZS5jb20iLCJzdWIiOiIxIiwiYXVkIjoiYSIsImV4cCI6MSwiaWF0IjoxfQ.AAAA";

/// What belongs to one dialect. Alice allowed all of its clients but the last everything.
pub(super) struct Own {
    pub(super) confidential: Client,
    pub(super) public: Client,
    pub(super) stranger: Client,
    pub(super) access: Minted,
    pub(super) refresh: Minted,
    pub(super) code: Minted,
    pub(super) personal: Minted,
}

pub(super) struct All {
    pub(super) app: Arc<App>,
    pub(super) store: Arc<dyn Store>,
    pub(super) own: Vec<(String, Own)>,
    /// Where the ids of the next row begin.
    pub(super) next_id: AtomicI64,
    /// The cookie of Alice's browser.
    pub(super) session: String,
    /// The surface that also reads the tokens of another, and that other one.
    pub(super) pair: Option<[&'static str; 2]>,
}

/// A request to an address.
#[derive(Default)]
pub(super) struct Ask<'a> {
    pub(super) is_get: bool,
    pub(super) authorization: Option<&'a str>,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) form: &'a [(&'a str, &'a str)],
    pub(super) json: Option<Value>,
    pub(super) has_session: bool,
}

impl<'a> Ask<'a> {
    pub(super) fn bearer(value: &'a str) -> Self {
        Self { is_get: true, authorization: Some(value), ..Self::default() }
    }

    pub(super) fn form(fields: &'a [(&'a str, &'a str)]) -> Self {
        Self { form: fields, ..Self::default() }
    }

    /// Alice's browser opens an address.
    pub(super) fn visit(query: &'a [(&'a str, &'a str)]) -> Self {
        Self { is_get: true, query, has_session: true, ..Self::default() }
    }
}

/// A status and a body.
#[derive(Debug, PartialEq)]
pub(super) struct Told(pub(super) u16, pub(super) String);

/// A status, a body, and where it leads.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) told: Told,
    pub(super) location: Option<String>,
}

/// The dialect with every kind of endpoint that it can have, and without limits.
pub(super) fn whole(name: &str) -> Dialect {
    let plain = Dialect::shipped(name, &[]).unwrap().unwrap();
    let mut more = "[limit]\ntoken = \"off\"\napi = \"off\"\n".to_owned();
    for endpoint in [Endpoint::Introspect, Endpoint::Revoke, Endpoint::Userinfo] {
        if plain.at(endpoint).is_none() {
            more.push_str(&format!("[endpoint.{}]\n", endpoint.row().name));
        }
    }
    let whole = Dialect::shipped(name, &[dialect::Source::file("whole", &more)]).unwrap();
    let whole = whole.unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
    assert_eq!(whole.waives, plain.waives, "an endpoint as the RFCs have it waives nothing");
    whole
}

impl All {
    pub(super) async fn start() -> Self {
        Self::with(None).await
    }

    /// The same world, but the operator lets one surface also read the tokens of another.
    pub(super) async fn where_reads(reader: &'static str, home: &'static str) -> Self {
        Self::with(Some([reader, home])).await
    }

    async fn with(pair: Option<[&'static str; 2]>) -> Self {
        let loaded: Vec<Dialect> = shipped::names().map(whole).collect();
        let accept: Vec<String> = loaded.iter().flat_map(|own| own.waives.clone()).collect();
        let names: Vec<String> = loaded.iter().map(|own| own.name.clone()).collect();
        let policies = pair.map(|[reader, home]| {
            let policy = |name| loaded.iter().find(|own| own.name == name).unwrap().policy("https://auth.example");
            Policy { also_reads: vec![AlsoRead::of(&policy(home))], ..policy(reader) }
        });
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let setup = Setup {
            store: Arc::clone(&store),
            dialects: Dialects::new("https://auth.example", loaded, &accept).unwrap(),
            policies: policies.into_iter().collect(),
            master: Zeroizing::new([7; 32]),
            settings: Settings::new("https://auth.example"),
            clock: Clock::fixed(NOW),
            entropy: entropy::Source::seeded([9; 32]),
        };
        let app = App::open(setup).await.unwrap();
        let next_id = AtomicI64::new(100 * IDS_EACH);
        let mut all = Self { app, store, own: Vec::new(), next_id, session: String::new(), pair };
        all.store.commit([Write::PutUser(Box::new(user()))].into()).await.unwrap();
        all.sign_in().await;
        for (at, name) in names.into_iter().enumerate() {
            let own = all.give(&name, i64::try_from(at).unwrap() + 1).await;
            all.own.push((name, own));
        }
        all
    }

    pub(super) async fn sign_in(&mut self) {
        let spelling = Spelling { prefix: String::new(), alphabet: Alphabet::Url };
        let minted = self.app.keys().mint(TokenKind::Session, &spelling, &mut Entropy::seeded([5; 32], 7));
        let session = Session {
            id: SessionId(minted.id),
            digest: minted.digest,
            user: ALICE,
            amr: vec![Amr::Pwd],
            auth_time: NOW,
            created_at: NOW,
            seen_at: NOW,
            idle_until: LATER,
            expires_at: LATER,
            address: String::new(),
            agent: String::new(),
        };
        self.store.commit([Write::PutSession(Box::new(session))].into()).await.unwrap();
        self.session = format!("__Host-grantry-session={}", minted.text.reveal());
    }

    /// Are the access and personal tokens of `home` read at `there`?
    pub(super) fn is_read(&self, home: &str, there: &str) -> bool {
        home == there || self.pair == Some([there, home])
    }

    pub(super) fn dialect(&self, name: &str) -> &Dialect {
        self.app.dialects.named(name).unwrap()
    }

    pub(super) fn own(&self, name: &str) -> &Own {
        &self.own.iter().find(|(own, _)| own == name).unwrap().1
    }

    /// Every address of a dialect with this role.
    pub(super) fn addresses(&self, name: &str, endpoint: Endpoint) -> Vec<At> {
        self.dialect(name).addresses().map(|(at, _)| at).filter(|at| at.endpoint == endpoint).collect()
    }

    /// Every address with this role of every dialect.
    pub(super) fn everywhere(&self, endpoint: Endpoint) -> Vec<(&str, At)> {
        let of = |name| self.addresses(name, endpoint).into_iter().map(move |at| (name, at));
        self.own.iter().flat_map(|(name, _)| of(name.as_str())).collect()
    }

    /// Clients, a code, a grant, tokens and consents of a dialect.
    pub(super) async fn give(&self, name: &str, key: i64) -> Own {
        let policy = &self.app.surface(self.dialect(name)).policy;
        let keys = self.app.keys();
        let mut entropy = Entropy::seeded([3; 32], key * IDS_EACH);
        let mut mint = |kind, spelling| keys.mint(kind, spelling, &mut entropy);
        let refresh = mint(TokenKind::Refresh, &policy.refresh.spelling);
        let personal = mint(TokenKind::Personal, &policy.personal.spelling);
        let scope = Scope::of(policy.scope.list.iter().map(|(word, _)| word.as_str()));
        let client = |kind, row| client(name, kind, key * 10 + row, scope.clone());
        let (confidential, public) = (client(ClientKind::Confidential, 1), client(ClientKind::Public, 2));
        let stranger = client(ClientKind::Confidential, 3);
        let mut changes: Vec<Write> =
            [&confidential, &public, &stranger].map(|own| Write::PutClient(Box::new(own.clone()))).into();
        for (at, allowed) in (1..).zip([&confidential, &public]) {
            changes.push(Write::PutConsent(Consent {
                id: key * IDS_EACH + 100 + at,
                user: ALICE,
                client: allowed.key,
                permission: Permission { scope: scope.clone(), audience: vec![] },
                given_at: NOW,
                renewed_at: NOW,
            }));
        }
        changes.extend([
            Write::PutGrant(Box::new(Grant {
                id: GrantId(refresh.id),
                authorization: Authorization {
                    user: ALICE,
                    client: confidential.key,
                    permission: Permission { scope: scope.clone(), audience: vec![] },
                    auth_time: NOW,
                    circumstances: Circumstances::default(),
                },
                created_at: NOW,
                expires_at: LATER,
                refresh: Some(Refresh {
                    current: refresh.digest,
                    previous: None,
                    answer: None,
                    idle_until: LATER,
                    generation: 0,
                }),
                is_revoked: false,
            })),
            Write::PutPersonal(Box::new(Personal {
                id: PersonalId(personal.id),
                digest: personal.digest,
                user: ALICE,
                dialect: name.into(),
                name: "ci".into(),
                scope,
                is_by_operator: true,
                created_at: NOW,
                expires_at: UnixTime::NEVER,
                used_at: None,
            })),
        ]);
        self.store.commit(changes.into()).await.unwrap();
        let (access, code) = (self.access(name, &confidential).await, self.code(name, &confidential).await);
        Own { confidential, public, stranger, access, refresh, code, personal }
    }

    /// An access token of a client, which speaks for Alice.
    pub(super) async fn access(&self, name: &str, client: &Client) -> Minted {
        let policy = &self.app.surface(self.dialect(name)).policy;
        let mut entropy = Entropy::seeded([8; 32], self.next_id.fetch_add(10, Ordering::Relaxed));
        let access = self.app.keys().mint(TokenKind::Access, &policy.access.spelling, &mut entropy);
        let row = Access {
            id: AccessId(access.id),
            digest: access.digest,
            client: client.key,
            user: Some(ALICE),
            grant: None,
            permission: Permission { scope: client.scope.clone(), audience: vec![] },
            issued_at: NOW,
            expires_at: LATER,
        };
        self.store.commit([Write::PutAccess(Box::new(row))].into()).await.unwrap();
        access
    }

    /// A code that nobody used yet.
    pub(super) async fn code(&self, name: &str, client: &Client) -> Minted {
        let policy = &self.app.surface(self.dialect(name)).policy;
        let mut entropy = Entropy::seeded([4; 32], self.next_id.fetch_add(10, Ordering::Relaxed));
        let code = self.app.keys().mint(TokenKind::Code, &policy.code.spelling, &mut entropy);
        let row = Code {
            id: CodeId(code.id),
            digest: code.digest,
            grant: GrantId(code.id + 1),
            authorization: Authorization {
                user: ALICE,
                client: client.key,
                permission: Permission { scope: client.scope.clone(), audience: vec![] },
                auth_time: NOW,
                circumstances: Circumstances::default(),
            },
            redirect_uri: CALLBACK.into(),
            is_redirect_uri_named: true,
            challenge: None,
            issued_at: NOW,
            expires_at: LATER,
            is_spent: false,
        };
        self.store.commit([Write::PutCode(Box::new(row))].into()).await.unwrap();
        code
    }

    pub(super) async fn answer(&self, name: &str, at: At, ask: &Ask<'_>) -> Answer {
        let dialect = self.dialect(name);
        let address = dialect.address(at);
        let host = dialect.hosts.first().map_or("auth.example", String::as_str);
        let mut headers = HeaderMap::new();
        let mut header = |name: &'static str, value: &str| headers.insert(name, HeaderValue::from_str(value).unwrap());
        header("host", host);
        let body = ask.json.as_ref().map_or_else(|| encoded(ask.form), ToString::to_string);
        if !body.is_empty() {
            header("content-type", if ask.json.is_some() { "application/json" } else { FORM });
        }
        if let Some(value) = ask.authorization {
            header("authorization", value);
        }
        if ask.has_session {
            header("cookie", &self.session);
        }
        let prefix = if dialect.hosts.is_empty() && name != "standard" { format!("/{name}") } else { String::new() };
        let query = if ask.query.is_empty() { String::new() } else { format!("?{}", encoded(ask.query)) };
        let request = Request {
            method: if ask.is_get { Method::GET } else { Method::POST },
            uri: format!("{prefix}{}{query}", address.path).parse().unwrap(),
            headers,
            body: Bytes::from(body),
            unread: None,
            peer: Peer::Ip([192, 0, 2, 1].into()),
            id: self.app.request_ids.next(),
            found: Default::default(),
        };
        let response = front::answer(&self.app, &request).await;
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { told: Told(status, String::from_utf8(bytes.to_vec()).unwrap()), location }
    }

    pub(super) async fn ask(&self, name: &str, at: At, ask: &Ask<'_>) -> Told {
        self.answer(name, at, ask).await.told
    }

    /// What a dialect's own words for a refusal are, byte for byte.
    pub(super) fn refusal(&self, name: &str, at: At, refusal: &Refusal) -> Told {
        let out = self.dialect(name).refuse(Some(at), refusal, &Context::default());
        Told(out.status, String::from_utf8(out.body).unwrap())
    }

    /// The name of an address, such as `tinyrebrand/google`.
    pub(super) fn called(&self, name: &str, at: At) -> String {
        format!("{name}/{}", self.dialect(name).address(at).name)
    }
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub(super) fn user() -> User {
    User {
        username: Some("alice".into()),
        email: Some("alice@example.com".into()),
        email_verified: true,
        password: Some(password::hash(&Secret::new(PASSWORD), &mut Entropy::seeded([6; 32], 1))),
        ..User::new(ALICE, "sub-alice", "Alice", NOW)
    }
}

/// A client that is registered for every grant there is, so that only the surface can refuse one.
pub(super) fn client(dialect: &str, kind: ClientKind, key: i64, scope: Scope) -> Client {
    let secret = ClientSecret {
        stored: StoredSecret::Sha256(Digest::of(SECRET.as_bytes())),
        hint: String::new(),
        created_at: NOW,
    };
    Client {
        key: ClientKey(key),
        client_id: format!("client-{key}-of-{dialect}"),
        dialect: dialect.into(),
        name: dialect.into(),
        secrets: if kind == ClientKind::Confidential { vec![secret] } else { vec![] },
        redirect_uris: vec![CALLBACK.into()],
        grants: GrantType::ALL.to_vec(),
        scope,
        pkce: if kind == ClientKind::Confidential { Pkce::Optional } else { Pkce::Required },
        created_at: NOW,
        ..registration::client(kind, &Policy::standard(""))
    }
}

/// What a client sends to prove itself, and more.
pub(super) fn credentials<'a>(client: &'a Client, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![("client_id", client.client_id.as_str())];
    if client.kind == ClientKind::Confidential {
        fields.push(("client_secret", SECRET));
    }
    fields.extend_from_slice(more);
    fields
}

impl All {
    /// Are the access token, the grant and the personal token of a dialect alive?
    pub(super) async fn lives(&self, own: &Own) -> [bool; 3] {
        let (access, grant) = (Key::Access(AccessId(own.access.id)), GrantId(own.refresh.id));
        let personal = PersonalId(own.personal.id);
        let wants = Wants::of([access.clone(), Key::Grant(grant), Key::Personal(personal)]);
        let facts = self.store.load(wants).await.unwrap();
        let is_granted = facts.grant_row(grant).is_some_and(|held| !held.is_grant_revoked && !held.row.is_revoked);
        [facts.row(&access).is_some(), is_granted, facts.personal_row(personal).is_some()]
    }
}
