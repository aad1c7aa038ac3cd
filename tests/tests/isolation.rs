//! Nothing leaks between surfaces. All shipped dialects run in one server, each with a client, a code, a grant and tokens
//! of its own; then everything of each is taken to every address of all others.

use std::sync::Arc;

use bytes::Bytes;
use dialect::{Context, Dialect, Dialects, shipped};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt;
use protocol::endpoint::Endpoint;
use protocol::keys::{Minted, TokenKind};
use protocol::model::{
    Access, AccessId, Client, ClientKey, ClientKind, ClientSecret, Code, CodeId, Grant, GrantId, GrantType, Personal,
    PersonalId, Pkce, Refresh, StoredSecret, User, UserKey,
};
use protocol::policy::Policy;
use protocol::refusal::{No, Refusal};
use protocol::registration;
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use protocol::turn::{Change, Entropy, Wants};
use protocol::wire::Param;
use server::app::{App, Setup};
use server::clock::Clock;
use server::entropy;
use server::http::{Peer, Request};
use server::settings::Settings;
use server::surface;
use store::{Memory, Store};
use zeroize::Zeroizing;

const NOW: UnixTime = UnixTime(1_780_000_000);
const LATER: UnixTime = UnixTime(1_780_100_000);
const SECRET: &str = "secret-0123456789abcdefghijklmnopqrstuvwxyz";
const CALLBACK: &str = "https://app.example/cb";

/// What belongs to one dialect.
struct Own {
    client_id: String,
    access: Minted,
    refresh: Minted,
    code: Minted,
    personal: Minted,
}

struct All {
    app: Arc<App>,
    store: Arc<dyn Store>,
    own: Vec<(String, Own)>,
}

/// A status and a body.
#[derive(Debug, PartialEq)]
struct Told(u16, String);

impl All {
    async fn start() -> Self {
        let load = |name| {
            let off = dialect::Source::file("limits", "[limit]\ntoken = \"off\"\napi = \"off\"\n");
            Dialect::shipped(name, &[off]).unwrap().unwrap()
        };
        let loaded: Vec<Dialect> = shipped::names().map(load).collect();
        let accept: Vec<String> = loaded.iter().flat_map(|own| own.waives.clone()).collect();
        let names: Vec<String> = loaded.iter().map(|own| own.name.clone()).collect();
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let setup = Setup {
            store: Arc::clone(&store),
            dialects: Dialects::new("https://auth.example", loaded, &accept).unwrap(),
            policies: Vec::new(),
            master: Zeroizing::new([7; 32]),
            settings: Settings::new("https://auth.example"),
            clock: Clock::fixed(NOW),
            entropy: entropy::Source::seeded([9; 32]),
        };
        let app = App::open(setup).await.unwrap();
        let mut all = Self { app, store, own: Vec::new() };
        all.store.commit(vec![Change::PutUser(Box::new(user()))]).await.unwrap();
        for (at, name) in names.into_iter().enumerate() {
            let own = all.give(&name, i64::try_from(at).unwrap() + 1).await;
            all.own.push((name, own));
        }
        all
    }

    fn dialect(&self, name: &str) -> &Dialect {
        self.app.dialects.named(name).unwrap()
    }

    /// The dialects that have such an address.
    fn with(&self, endpoint: Endpoint) -> impl Iterator<Item = &(String, Own)> {
        self.own.iter().filter(move |(name, _)| self.dialect(name).at(endpoint).is_some())
    }

    /// A client, a code, a grant and tokens of a dialect.
    async fn give(&self, name: &str, key: i64) -> Own {
        let policy = &self.app.surface(self.dialect(name)).policy;
        let keys = self.app.keys();
        let mut entropy = Entropy::seeded([3; 32], key * 1000);
        let mut mint = |kind, spelling| keys.mint(kind, spelling, &mut entropy);
        let access = mint(TokenKind::Access, &policy.access.spelling);
        let refresh = mint(TokenKind::Refresh, &policy.refresh.spelling);
        let code = mint(TokenKind::Code, &policy.code.spelling);
        let personal = mint(TokenKind::Personal, &policy.personal.spelling);
        let scope = Scope::of(policy.scope.list.iter().map(|(word, _)| word.as_str()));
        let client = client(name, key, scope.clone());
        let (client_key, client_id, user) = (client.key, client.client_id.clone(), UserKey(1));
        let changes = vec![
            Change::PutClient(Box::new(client)),
            Change::PutAccess(Box::new(Access {
                id: AccessId(access.id),
                digest: access.digest,
                client: client_key,
                user: Some(user),
                grant: None,
                scope: scope.clone(),
                audience: vec![],
                issued_at: NOW,
                expires_at: LATER,
            })),
            Change::PutGrant(Box::new(Grant {
                id: GrantId(refresh.id),
                user,
                client: client_key,
                scope: scope.clone(),
                audience: vec![],
                auth_time: NOW,
                created_at: NOW,
                expires_at: LATER,
                refresh: Some(Refresh { current: refresh.digest, previous: None, answer: None, idle_until: LATER }),
                is_revoked: false,
            })),
            Change::PutCode(Box::new(Code {
                id: CodeId(code.id),
                digest: code.digest,
                grant: GrantId(key * 1000 + 900),
                client: client_key,
                user,
                redirect_uri: CALLBACK.into(),
                is_redirect_uri_named: true,
                challenge: None,
                scope: scope.clone(),
                audience: vec![],
                auth_time: NOW,
                issued_at: NOW,
                expires_at: LATER,
                is_spent: false,
            })),
            Change::PutPersonal(Box::new(Personal {
                id: PersonalId(personal.id),
                digest: personal.digest,
                user,
                dialect: name.into(),
                name: "ci".into(),
                scope,
                created_at: NOW,
                expires_at: UnixTime::NEVER,
                used_at: None,
            })),
        ];
        self.store.commit(changes).await.unwrap();
        Own { client_id, access, refresh, code, personal }
    }

    /// Asks an address of a dialect: `bearer` is an Authorization header, `fields` a form.
    async fn ask(&self, name: &str, endpoint: Endpoint, authorization: Option<&str>, fields: &[(&str, &str)]) -> Told {
        let dialect = self.dialect(name);
        let Some(at) = dialect.at(endpoint) else { return Told(404, String::new()) };
        let address = dialect.address(at);
        let host = dialect.hosts.first().map_or("auth.example", String::as_str);
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_str(host).unwrap());
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Some(value) = authorization {
            headers.insert("authorization", HeaderValue::from_str(value).unwrap());
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let method = if fields.is_empty() { Method::GET } else { Method::POST };
        let path = if dialect.hosts.is_empty() && name != "standard" {
            format!("/{name}{}", address.path)
        } else {
            address.path.clone()
        };
        let request = Request {
            method,
            uri: path.parse().unwrap(),
            headers,
            body: Bytes::from(body),
            unread: None,
            peer: Peer::Ip([192, 0, 2, 1].into()),
            id: self.app.request_ids.next(),
        };
        let response = surface::answer(&self.app, &request).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Told(status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// What a dialect's own words for a refusal are, byte for byte.
    fn refusal(&self, name: &str, endpoint: Endpoint, refusal: &Refusal) -> Told {
        let dialect = self.dialect(name);
        let out = dialect.refuse(dialect.at(endpoint), refusal, &Context::default());
        Told(out.status, String::from_utf8(out.body).unwrap())
    }

    fn credentials<'a>(&self, own: &'a Own, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut fields = vec![("client_id", own.client_id.as_str()), ("client_secret", SECRET)];
        fields.extend_from_slice(more);
        fields
    }
}

fn user() -> User {
    User {
        username: Some("alice".into()),
        email: Some("alice@example.com".into()),
        email_verified: true,
        ..User::new(UserKey(1), "sub-alice", "Alice", NOW)
    }
}

/// A client that is registered for every grant there is, so that only the surface can refuse one.
fn client(dialect: &str, key: i64, scope: Scope) -> Client {
    Client {
        key: ClientKey(key),
        client_id: format!("client-of-{dialect}"),
        dialect: dialect.into(),
        name: dialect.into(),
        secrets: vec![ClientSecret {
            stored: StoredSecret::Sha256(Digest::of(SECRET.as_bytes())),
            hint: String::new(),
            created_at: NOW,
        }],
        redirect_uris: vec![CALLBACK.into()],
        grants: GrantType::ALL.to_vec(),
        scope,
        pkce: Pkce::Optional,
        created_at: NOW,
        ..registration::client(ClientKind::Confidential, &Policy::standard(""))
    }
}

#[tokio::test]
async fn a_token_opens_the_doors_of_its_own_surface_only() {
    let all = All::start().await;
    for (home, own) in &all.own {
        for (there, _) in all.with(Endpoint::Userinfo) {
            for (kind, token) in [("access", &own.access), ("personal", &own.personal)] {
                let bearer = format!("Bearer {}", token.text.reveal());
                let Told(status, body) = all.ask(there, Endpoint::Userinfo, Some(&bearer), &[]).await;
                assert_eq!(status == 200, home == there, "{kind} token of {home} at {there}: {status} {body}");
                assert_eq!(
                    body.contains("alice@example.com"),
                    home == there,
                    "{kind} token of {home} at {there}: {body}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_worth_nothing_to_those_who_ask_at_another_surface_and_cannot_be_ended_there() {
    let all = All::start().await;
    let mut is_known_at_home = 0;
    for (home, own) in &all.own {
        for (there, asker) in all.with(Endpoint::Introspect) {
            for token in [&own.access, &own.refresh, &own.personal] {
                let fields = all.credentials(asker, &[("token", token.text.reveal())]);
                let Told(status, body) = all.ask(there, Endpoint::Introspect, None, &fields).await;
                let is_active = body.contains("\"active\":true");
                assert!(status == 200 && (home == there || !is_active), "token of {home} at {there}: {status} {body}");
                is_known_at_home += usize::from(is_active);
            }
        }
        for (there, asker) in all.with(Endpoint::Revoke).filter(|(there, _)| there != home) {
            for token in [&own.access, &own.refresh, &own.personal] {
                let fields = all.credentials(asker, &[("token", token.text.reveal())]);
                all.ask(there, Endpoint::Revoke, None, &fields).await;
            }
        }
        let wants = Wants {
            access: Some(AccessId(own.access.id)),
            grant: Some(GrantId(own.refresh.id)),
            personal: Some(PersonalId(own.personal.id)),
            ..Wants::default()
        };
        let facts = all.store.load(&wants).await.unwrap();
        assert!(facts.access.is_some() && facts.personal.is_some(), "a token of {home} was ended elsewhere");
        assert!(facts.grant.is_some_and(|held| !held.is_grant_revoked), "a grant of {home} was ended elsewhere");
    }
    // Or else nothing was asked at all: two surfaces introspect, and each knows its own tokens.
    assert!(is_known_at_home >= 4, "{is_known_at_home}");
}

#[tokio::test]
async fn a_client_its_code_and_its_refresh_token_are_unknown_at_another_surface_and_not_used_up_there() {
    let all = All::start().await;
    for (home, own) in &all.own {
        for (there, asker) in all.own.iter().filter(|(there, _)| there != home) {
            let Some(_) = all.dialect(there).at(Endpoint::Token) else { continue };
            let code =
                [("grant_type", "authorization_code"), ("code", own.code.text.reveal()), ("redirect_uri", CALLBACK)];
            let refresh = [("grant_type", "refresh_token"), ("refresh_token", own.refresh.text.reveal())];
            for (client, more) in [(own, &code[..]), (asker, &code[..]), (own, &refresh[..]), (asker, &refresh[..])] {
                let Told(status, body) = all.ask(there, Endpoint::Token, None, &all.credentials(client, more)).await;
                assert!(status >= 400 && !body.contains("access_token"), "{home} at {there}: {status} {body}");
            }
            let foreign = all.credentials(own, &[("grant_type", "authorization_code"), ("code", "x")]);
            let unknown = all.refusal(there, Endpoint::Token, &No::ClientUnknown.into());
            assert_eq!(all.ask(there, Endpoint::Token, None, &foreign).await, unknown, "client of {home} at {there}");
        }
        let wants = Wants { code: Some(CodeId(own.code.id)), grant: Some(GrantId(own.refresh.id)), ..Wants::default() };
        let facts = all.store.load(&wants).await.unwrap();
        assert!(!facts.code.unwrap().row.is_spent, "a code of {home} was used up elsewhere");
        assert!(!facts.grant.unwrap().is_grant_revoked, "a grant of {home} was ended elsewhere");
    }
}

#[tokio::test]
async fn a_grant_works_where_the_surface_offers_it_and_nowhere_else() {
    let all = All::start().await;
    for (name, own) in &all.own {
        if all.dialect(name).at(Endpoint::Token).is_none() {
            continue;
        }
        let offered = &all.app.surface(all.dialect(name)).policy.grants;
        for grant in GrantType::ALL {
            // The one surface that has it calls it so.
            let word = if *grant == GrantType::Assertion { "google" } else { grant.as_str() };
            let fields = all.credentials(own, &[("grant_type", word)]);
            let told = all.ask(name, Endpoint::Token, None, &fields).await;
            let refused = all.refusal(name, Endpoint::Token, &Refusal::of(No::GrantTypeUnknown, Param::GrantType));
            if !offered.contains(grant) || *grant == GrantType::Implicit {
                // Surfaces that need a code say first that it is missing.
                let is_missing = told.1.contains("code") && told.1.contains("missing");
                assert!(told == refused || is_missing, "{grant:?} at {name}: {told:?}");
            } else {
                assert_ne!(told, refused, "{grant:?} at {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_read_from_the_places_that_the_surface_names_and_from_no_other() {
    let all = All::start().await;
    for (name, own) in &all.own {
        if all.dialect(name).at(Endpoint::Userinfo).is_none() {
            continue;
        }
        for (header, is_taken) in [("Bearer", true), ("", name == "tinyplus"), ("Token", false)] {
            let value = format!("{header} {}", own.access.text.reveal());
            let Told(status, body) = all.ask(name, Endpoint::Userinfo, Some(value.trim()), &[]).await;
            assert_eq!(status == 200, is_taken, "{header:?} at {name}: {status} {body}");
        }
    }
}

#[test]
fn the_standard_dialect_waives_nothing_and_each_other_what_its_file_says() {
    for name in shipped::names() {
        let dialect = Dialect::shipped(name, &[]).unwrap().unwrap();
        assert_eq!(dialect.waives.is_empty(), matches!(name, "standard" | "paced"), "{name}: {:?}", dialect.waives);
        let accept_nothing = Dialects::new("https://auth.example", vec![dialect], &[]);
        assert_eq!(accept_nothing.is_ok(), matches!(name, "standard" | "paced"), "{name}");
    }
}
