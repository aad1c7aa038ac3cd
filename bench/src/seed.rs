//! A store with a past: users, clients, a signed-in browser, and a million live tokens, written through the store itself.

use std::path::Path;
use std::sync::Arc;

use protocol::keys::{Alphabet, Keys, Minted, Spelling, TokenKind};
use protocol::login::password;
use protocol::model::{
    Access, AccessId, Amr, AuthMethod, Client, ClientKey, ClientKind, ClientSecret, Consent, Grant, GrantId, GrantType,
    Pkce, Refresh, RefreshMode, Session, SessionId, StoredSecret, User, UserKey,
};
use protocol::scope::Scope;
use protocol::secret::{Digest, Secret};
use protocol::time::UnixTime;
use protocol::turn::{Change, Entropy};
use store::{Mode, Store};

/// The secret of the client.
pub(crate) const SECRET: &str = "bench-secret-bench-secret-bench-secret";
/// The client's redirect URI.
pub(crate) const REDIRECT_URI: &str = "http://localhost:9/cb";
/// A PKCE verifier; RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// How many users there are: as many as sign in at once.
pub(crate) const USERS: i64 = 50;
/// Change sets that are under way at once.
const IN_FLIGHT: usize = 256;
const YEAR_S: u64 = 365 * 86_400;

/// Writes rows into a store.
pub(crate) struct Seeder {
    store: Arc<dyn Store>,
    keys: Keys,
    entropy: Entropy,
    spelling: Spelling,
    now: UnixTime,
}

impl Seeder {
    /// Opens the store of a configuration whose master key is `master`.
    pub(crate) async fn open(file: &Path, master: &[u8; 32]) -> Self {
        let store = store::open(&format!("sqlite:{}", file.display()), Mode::Existing).await.expect("the store opens");
        let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
        let now = UnixTime(i64::try_from(seconds.as_secs()).expect("the time fits"));
        let ring = store.seal_keys().await.expect("the store can be read");
        let numbers: Vec<u8> = ring.iter().map(|key| key.number).collect();
        Self {
            store,
            keys: Keys::derive(master, &numbers),
            // Seeded rows are the oldest: their ids are smaller than any that the server gives out.
            entropy: Entropy::seeded([42; 32], 1_000),
            spelling: Spelling { prefix: String::new(), alphabet: Alphabet::Url },
            now,
        }
    }

    fn mint(&mut self, kind: TokenKind) -> Minted {
        self.keys.mint(kind, &self.spelling, &mut self.entropy)
    }

    /// A client, its users, a session of the first one with a remembered consent. Gives the session cookie's value.
    pub(crate) async fn people(&mut self) -> String {
        let mut changes = vec![Change::PutClient(Box::new(client(self.now)))];
        let hash = password::hash(&Secret::new(PASSWORD), &mut self.entropy);
        for number in 1..=USERS {
            changes.push(Change::PutUser(Box::new(user(number, &hash, self.now))));
        }
        let cookie = self.mint(TokenKind::Session);
        changes.push(Change::PutSession(Box::new(Session {
            id: SessionId(cookie.id),
            digest: cookie.digest,
            user: UserKey(1),
            amr: vec![Amr::Pwd],
            auth_time: self.now,
            created_at: self.now,
            seen_at: self.now.plus(YEAR_S),
            idle_until: self.now.plus(YEAR_S),
            expires_at: self.now.plus(YEAR_S),
            address: "127.0.0.1".into(),
            agent: "bench".into(),
        })));
        changes.push(Change::PutConsent(Consent {
            id: 1,
            audience: vec![],
            user: UserKey(1),
            client: ClientKey(1),
            scope: Scope::of(["profile"]),
            given_at: self.now,
            renewed_at: self.now,
        }));
        self.store.commit(changes).await.expect("the rows are new");
        cookie.text.reveal().to_owned()
    }

    /// So many live access tokens; gives every `every`th.
    pub(crate) async fn access(&mut self, count: usize, every: usize) -> Vec<String> {
        let mut texts = Vec::with_capacity(count / every);
        let mut sets = Vec::with_capacity(count);
        for at in 0..count {
            let minted = self.mint(TokenKind::Access);
            sets.push(vec![Change::PutAccess(Box::new(Access {
                id: AccessId(minted.id),
                digest: minted.digest,
                client: ClientKey(1),
                user: None,
                grant: None,
                scope: Scope::of(["profile"]),
                audience: vec![],
                issued_at: self.now,
                expires_at: self.now.plus(YEAR_S),
            }))]);
            if at % every == 0 {
                texts.push(minted.text.reveal().to_owned());
            }
        }
        self.commit_all(sets).await;
        texts
    }

    /// So many grants; gives the refresh token of each.
    pub(crate) async fn grants(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::with_capacity(count);
        let mut sets = Vec::with_capacity(count);
        for _ in 0..count {
            let minted = self.mint(TokenKind::Refresh);
            let until = self.now.plus(YEAR_S);
            let refresh = Refresh { current: minted.digest, previous: None, answer: None, idle_until: until };
            sets.push(vec![Change::PutGrant(Box::new(Grant {
                id: GrantId(minted.id),
                user: UserKey(1),
                client: ClientKey(1),
                scope: Scope::of(["profile"]),
                audience: vec![],
                auth_time: self.now,
                created_at: self.now,
                expires_at: until,
                refresh: Some(refresh),
                is_revoked: false,
            }))]);
            texts.push(minted.text.reveal().to_owned());
        }
        self.commit_all(sets).await;
        texts
    }

    async fn commit_all(&self, sets: Vec<Vec<Change>>) {
        let mut under_way = tokio::task::JoinSet::new();
        for set in sets {
            if under_way.len() == IN_FLIGHT {
                under_way.join_next().await;
            }
            let store = Arc::clone(&self.store);
            under_way.spawn(async move { store.commit(set).await.expect("the rows are new") });
        }
        under_way.join_all().await;
    }
}

fn client(now: UnixTime) -> Client {
    Client {
        key: ClientKey(1),
        client_id: "bench".into(),
        dialect: "standard".into(),
        name: "Bench".into(),
        publisher: None,
        homepage: None,
        logo_uri: None,
        kind: ClientKind::Confidential,
        auth_methods: vec![AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost],
        secrets: vec![ClientSecret {
            stored: StoredSecret::Sha256(Digest::of(SECRET.as_bytes())),
            hint: String::new(),
            created_at: now,
        }],
        redirect_uris: vec![REDIRECT_URI.into()],
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials],
        scope: Scope::of(["profile", "email"]),
        audience: vec![],
        pkce: Pkce::Required,
        refresh: RefreshMode::Rotate,
        access_ttl_s: None,
        refresh_ttl_s: None,
        is_first_party: false,
        owner: None,
        is_disabled: false,
        revoked_below: 0,
        created_at: now,
        version: 1,
    }
}

fn user(number: i64, hash: &str, now: UnixTime) -> User {
    User {
        key: UserKey(number),
        sub: format!("bench-{number}"),
        username: Some(format!("user{number}")),
        email: None,
        email_verified: false,
        name: format!("User {number}"),
        password: Some(hash.to_owned()),
        totp: None,
        attributes: serde_json::Map::new(),
        is_disabled: false,
        revoked_below: 0,
        created_at: now,
        version: 1,
    }
}
