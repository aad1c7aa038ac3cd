//! A store with a past: users, clients, a signed-in browser, and a million live tokens, written through the store itself.

use std::sync::Arc;

use protocol::client::registration;
use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::{Alphabet, Keys, Minted, Spelling, TokenKind};
use protocol::line::Write;
use protocol::model::{
    Access, AccessId, Amr, Authorization, Circumstances, Client, ClientKey, ClientKind, ClientSecret, Consent, Grant,
    GrantId, GrantType, Permission, Personal, PersonalId, Pkce, Refresh, Session, SessionId, StoredSecret, User,
    UserKey,
};
use protocol::person::password;
use protocol::policy::Policy;
use protocol::scope::Scope;
use protocol::secret::{Digest, Secret};
use protocol::time::UnixTime;
use store::{Mode, Store};

/// The secret of the client.
pub(crate) const SECRET: &str = "bench-secret-bench-secret-bench-secret";
/// The redirect URI of most clients.
pub(crate) const REDIRECT_URI: &str = "http://localhost:9/cb";
/// A PKCE verifier; RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The scope that the client of the standard dialect has.
pub(crate) const SCOPE: &str = "profile";
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
    pub(crate) async fn open(url: &str, master: &[u8; 32]) -> Self {
        let store = store::open(url, Mode::Existing).await.expect("the store opens");
        let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
        let now = UnixTime(i64::try_from(seconds.as_secs()).expect("the time fits"));
        let ring = store.seal_keys().await.expect("the store can be read");
        let numbers: Vec<u32> = ring.iter().map(|key| key.number).collect();
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

    /// The clients, their users, a session of the first one with remembered consents. Gives the session cookie's value.
    pub(crate) async fn people(&mut self) -> String {
        let mut changes: Vec<Write> =
            OWNERS.iter().map(|owner| Write::PutClient(Box::new(client(owner, self.now)))).collect();
        let hash = password::hash(&Secret::new(PASSWORD), &mut self.entropy);
        for number in 1..=USERS {
            changes.push(Write::PutUser(Box::new(user(number, &hash, self.now))));
        }
        let (cookie, session) = self.session(1);
        changes.push(session);
        for owner in OWNERS.iter().filter(|owner| !owner.is_first_party) {
            changes.push(consent(owner, 1, owner.key, self.now));
        }
        self.store.commit(changes.into()).await.expect("the rows are new");
        cookie
    }

    /// So many people more, each signed in at a browser and remembered to have consented to these clients. Gives the cookies'
    /// values.
    pub(crate) async fn browsers(&mut self, owners: &[&Owner], count: usize) -> Vec<String> {
        let mut cookies = Vec::with_capacity(count);
        let mut changes = Vec::with_capacity(count * (2 + owners.len()));
        for number in (USERS + 1..).take(count) {
            let (cookie, session) = self.session(number);
            changes.push(Write::PutUser(Box::new(nameless(number, self.now))));
            changes.push(session);
            for owner in owners {
                // Apart from the numbers of the first user's.
                changes.push(consent(owner, number, 10_000 * owner.key + number, self.now));
            }
            cookies.push(cookie);
        }
        self.store.commit(changes.into()).await.expect("the rows are new");
        cookies
    }

    /// A session of a user, and its cookie's value.
    fn session(&mut self, user: i64) -> (String, Write) {
        let cookie = self.mint(TokenKind::Session);
        let session = Session {
            id: SessionId(cookie.id),
            digest: cookie.digest,
            user: UserKey(user),
            amr: vec![Amr::Pwd],
            auth_time: self.now,
            created_at: self.now,
            seen_at: self.now.plus(YEAR_S),
            idle_until: self.now.plus(YEAR_S),
            expires_at: self.now.plus(YEAR_S),
            address: "127.0.0.1".into(),
            agent: "bench".into(),
        };
        (cookie.text.reveal().to_owned(), Write::PutSession(Box::new(session)))
    }

    /// So many live access tokens of a client; gives every `every`th.
    pub(crate) async fn access(&mut self, owner: &Owner, count: usize, every: usize) -> Vec<String> {
        let mut texts = Vec::with_capacity(count);
        let mut sets = Vec::with_capacity(count);
        for at in 0..count {
            let (text, row) = self.access_row(owner);
            sets.push(vec![Write::PutAccess(Box::new(row))]);
            if at % every == 0 {
                texts.push(text);
            }
        }
        self.commit_all(sets).await;
        texts
    }

    /// One more live access token of a client, not yet written, and its text.
    pub(crate) fn access_row(&mut self, owner: &Owner) -> (String, Access) {
        let minted = self.keys.mint(TokenKind::Access, &owner.access(), &mut self.entropy);
        let row = Access {
            id: AccessId(minted.id),
            digest: minted.digest,
            client: ClientKey(owner.key),
            user: None,
            grant: None,
            permission: Permission { scope: Scope::of([owner.scope]), audience: vec![] },
            issued_at: self.now,
            expires_at: self.now.plus(YEAR_S),
        };
        (minted.text.reveal().to_owned(), row)
    }

    /// So many live access tokens that people gave to a client; gives all of them.
    pub(crate) async fn access_of_people(&mut self, owner: &Owner, count: usize) -> Vec<String> {
        let mut texts = Vec::with_capacity(count);
        let mut sets = Vec::with_capacity(count);
        for number in (1..=USERS).cycle().take(count) {
            let (text, row) = self.access_row(owner);
            sets.push(vec![Write::PutAccess(Box::new(Access { user: Some(UserKey(number)), ..row }))]);
            texts.push(text);
        }
        self.commit_all(sets).await;
        texts
    }

    /// So many live personal tokens; gives all of them.
    pub(crate) async fn personals(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::with_capacity(count);
        let mut sets = Vec::with_capacity(count);
        for number in (1..=USERS).cycle().take(count) {
            let minted = self.mint(TokenKind::Personal);
            sets.push(vec![Write::PutPersonal(Box::new(Personal {
                id: PersonalId(minted.id),
                digest: minted.digest,
                user: UserKey(number),
                dialect: STANDARD.dialect.into(),
                name: "bench".into(),
                scope: Scope::of([STANDARD.scope]),
                is_by_operator: true,
                created_at: self.now,
                expires_at: self.now.plus(YEAR_S),
                used_at: None,
            }))]);
            texts.push(minted.text.reveal().to_owned());
        }
        self.commit_all(sets).await;
        texts
    }

    /// So many grants of a client; gives the refresh token of each.
    pub(crate) async fn grants(&mut self, owner: &Owner, count: usize) -> Vec<String> {
        let mut texts = Vec::with_capacity(count);
        let mut sets = Vec::with_capacity(count);
        for _ in 0..count {
            let minted = self.keys.mint(TokenKind::Refresh, &owner.refresh(), &mut self.entropy);
            let until = self.now.plus(YEAR_S);
            let refresh =
                Refresh { current: minted.digest, previous: None, answer: None, idle_until: until, generation: 0 };
            sets.push(vec![Write::PutGrant(Box::new(Grant {
                id: GrantId(minted.id),
                authorization: Authorization {
                    user: UserKey(1),
                    client: ClientKey(owner.key),
                    permission: Permission { scope: Scope::of([owner.scope]), audience: vec![] },
                    auth_time: self.now,
                    circumstances: Circumstances::default(),
                },
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

    async fn commit_all(&self, sets: Vec<Vec<Write>>) {
        let mut under_way = tokio::task::JoinSet::new();
        for set in sets {
            if under_way.len() == IN_FLIGHT {
                under_way.join_next().await;
            }
            let store = Arc::clone(&self.store);
            under_way.spawn(async move { store.commit(set.into()).await.expect("the rows are new") });
        }
        under_way.join_all().await;
    }
}

/// A client of a dialect, and how its tokens are spelled.
#[derive(Debug)]
pub(crate) struct Owner {
    key: i64,
    dialect: &'static str,
    /// Its client_id.
    pub(crate) client_id: &'static str,
    kind: ClientKind,
    is_first_party: bool,
    redirect_uri: &'static str,
    scope: &'static str,
    alphabet: Alphabet,
    access_prefix: &'static str,
    refresh_prefix: &'static str,
}

impl Owner {
    /// The redirect URI, as a value of a query or a form.
    pub(crate) fn redirect_uri(&self) -> String {
        self.redirect_uri.replace(':', "%3A").replace('/', "%2F")
    }

    /// The client's name and, if it has one, its secret, as parameters of a form.
    pub(crate) fn credentials(&self) -> String {
        match self.kind {
            ClientKind::Confidential => format!("client_id={}&client_secret={SECRET}", self.client_id),
            _ => format!("client_id={}", self.client_id),
        }
    }

    fn access(&self) -> Spelling {
        Spelling { prefix: self.access_prefix.to_owned(), alphabet: self.alphabet }
    }

    fn refresh(&self) -> Spelling {
        Spelling { prefix: self.refresh_prefix.to_owned(), alphabet: self.alphabet }
    }
}

/// The client of the standard dialect.
pub(crate) const STANDARD: Owner = Owner {
    key: 1,
    dialect: "standard",
    client_id: "bench",
    kind: ClientKind::Confidential,
    is_first_party: false,
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
    alphabet: Alphabet::Url,
    access_prefix: "",
    refresh_prefix: "",
};
/// The public client of a surface with envelopes and prefixes.
pub(crate) const TINYREBRAND: Owner = Owner {
    key: 2,
    dialect: "tinyrebrand",
    client_id: "bench-tinyrebrand",
    kind: ClientKind::Public,
    is_first_party: false,
    redirect_uri: REDIRECT_URI,
    scope: "user:read",
    alphabet: Alphabet::Hex,
    access_prefix: "at_",
    refresh_prefix: "rt_",
};
/// The client of a surface without grant types.
pub(crate) const PHP_ENDPOINTS: Owner =
    Owner { key: 3, dialect: "php-endpoints", client_id: "bench-php", alphabet: Alphabet::Hex, ..STANDARD };
/// A client of the operator's own, which needs no consent.
pub(crate) const FIRST_PARTY: Owner =
    Owner { key: 4, client_id: "bench-first-party", is_first_party: true, ..STANDARD };
/// A public client of the standard dialect. Only an https address of its own spares people a question.
pub(crate) const PUBLIC: Owner = Owner {
    key: 5,
    client_id: "bench-public",
    kind: ClientKind::Public,
    redirect_uri: "https://bench.example/cb",
    ..STANDARD
};
const OWNERS: [Owner; 5] = [STANDARD, TINYREBRAND, PHP_ENDPOINTS, FIRST_PARTY, PUBLIC];

fn client(owner: &Owner, now: UnixTime) -> Client {
    let is_public = owner.kind == ClientKind::Public;
    let secret = ClientSecret {
        stored: StoredSecret::Sha256(Digest::of(SECRET.as_bytes())),
        hint: String::new(),
        created_at: now,
    };
    Client {
        key: ClientKey(owner.key),
        client_id: owner.client_id.into(),
        dialect: owner.dialect.into(),
        name: "Bench".into(),
        secrets: if is_public { vec![] } else { vec![secret] },
        redirect_uris: vec![owner.redirect_uri.into()],
        is_first_party: owner.is_first_party,
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials],
        scope: Scope::of([owner.scope]),
        pkce: if owner.dialect == STANDARD.dialect { Pkce::Required } else { Pkce::Optional },
        created_at: now,
        ..registration::client(owner.kind, &Policy::standard(""))
    }
}

fn user(number: i64, hash: &str, now: UnixTime) -> User {
    User { username: Some(format!("user{number}")), password: Some(hash.to_owned()), ..nameless(number, now) }
}

/// A user who cannot sign in with a password.
fn nameless(number: i64, now: UnixTime) -> User {
    User::new(UserKey(number), format!("bench-{number}"), format!("User {number}"), now)
}

fn consent(owner: &Owner, user: i64, id: i64, now: UnixTime) -> Write {
    Write::PutConsent(Consent {
        id,
        permission: Permission { scope: Scope::of([owner.scope]), audience: vec![] },
        user: UserKey(user),
        client: ClientKey(owner.key),
        given_at: now,
        renewed_at: now,
    })
}
