//! Single use, over every schedule. A turn is a load and a commit, with a judgement between them that touches nothing; whoever
//! loses the commit takes another turn. Two racers have 6 interleavings of their first turns and three have 90; each is
//! walked through, on every store, with one authorization code, with one refresh token, and with one ID token.
#![allow(clippy::disallowed_methods, reason = "tests make temporary files")]

use std::sync::Arc;

use protocol::client::registration;
use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::{Keys, TokenKind};
use protocol::line::{Call, Changes, Facts, Key, Reply, Turn, Wants, Write};
use protocol::model::{
    AuthMethod, Authorization, Circumstances, Client, ClientKey, ClientKind, ClientSecret, Code, CodeId, Grant,
    GrantId, GrantType, Permission, Refresh, StoredSecret, User, UserKey,
};
use protocol::policy::Policy;
use protocol::refusal::{No, Refusal};
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use protocol::token::TokenRequest;
use protocol::wire::{Field, Param, Params};
use serde_json::json;
use store::{CommitError, Mode, Store};
use tests::issuer;

const NOW: UnixTime = UnixTime(1_000_000);
const SECRET: &str = "secret";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The three stores; the folder lives as long as the second needs it.
async fn stores() -> (Vec<Arc<dyn Store>>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("races.db").display());
    let memory = store::open("memory:", Mode::Create).await.unwrap();
    let sqlite = store::open(&url, Mode::Create).await.unwrap();
    let postgres = store::open(&lab::database(), Mode::Create).await.unwrap();
    (vec![memory, sqlite, postgres], folder)
}

/// A store with a client and a user, and fresh ids for every race in it.
struct Arena {
    store: Arc<dyn Store>,
    keys: Keys,
    policy: Policy,
    now: UnixTime,
    /// Who calls: a confidential client with its secret, or a public one.
    caller: Client,
    next_id: i64,
}

impl Arena {
    async fn new(store: Arc<dyn Store>) -> Self {
        let rows = [Write::PutClient(Box::new(client())), Write::PutClient(Box::new(public_client()))];
        let rows = rows.into_iter().chain([Write::PutUser(Box::new(user()))]).collect();
        store.commit(rows).await.unwrap();
        let mut policy = Policy::standard("https://auth.example");
        policy.grants.push(GrantType::Assertion);
        policy.upstream = Some(issuer::issuer());
        Self { store, keys: Keys::derive(&[7; 32], &[1]), policy, now: NOW, caller: client(), next_id: 100 }
    }

    /// A fresh ID token about somebody, and the parameters that exchange it.
    fn assertion(&mut self, subject: &str) -> Vec<(Param, String)> {
        self.next_id += 1;
        let email = format!("{subject}@gmail.com");
        let said = [("sub", json!(subject)), ("email", json!(email)), ("jti", json!(self.next_id))];
        vec![(Param::GrantType, "assertion".into()), (Param::Assertion, issuer::token(NOW, &said))]
    }

    fn entropy(&mut self) -> Entropy {
        self.next_id += Entropy::IDS_MAX;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.next_id.to_be_bytes());
        Entropy::seeded(seed, self.next_id)
    }

    /// A fresh code in the store, and the parameters that redeem it.
    async fn code(&mut self) -> Vec<(Param, String)> {
        let mut entropy = self.entropy();
        let minted = self.keys.mint(TokenKind::Code, &self.policy.code.spelling, &mut entropy);
        let code = Code {
            id: CodeId(minted.id),
            digest: minted.digest,
            grant: GrantId(entropy.next_id()),
            authorization: Authorization {
                user: UserKey(1),
                client: ClientKey(1),
                permission: Permission { scope: Scope::of(["profile"]), audience: vec![] },
                auth_time: NOW,
                circumstances: Circumstances::default(),
            },
            redirect_uri: "https://app.example/cb".into(),
            is_redirect_uri_named: true,
            challenge: Some(Digest::of(VERIFIER.as_bytes())),
            issued_at: NOW,
            expires_at: NOW.plus(60),
            is_spent: false,
        };
        self.store.commit([Write::PutCode(Box::new(code))].into()).await.unwrap();
        vec![
            (Param::GrantType, "authorization_code".into()),
            (Param::Code, minted.text.reveal().into()),
            (Param::RedirectUri, "https://app.example/cb".into()),
            (Param::CodeVerifier, VERIFIER.into()),
        ]
    }

    /// A fresh grant in the store, and the parameters that refresh it.
    async fn refresh(&mut self) -> Vec<(Param, String)> {
        let mut entropy = self.entropy();
        let minted = self.keys.mint(TokenKind::Refresh, &self.policy.refresh.spelling, &mut entropy);
        let idle_until = NOW.plus(600);
        let refresh = Refresh { current: minted.digest, previous: None, answer: None, generation: 0, idle_until };
        let grant = Grant {
            id: GrantId(minted.id),
            authorization: Authorization {
                user: UserKey(1),
                client: self.caller.key,
                permission: Permission { scope: Scope::of(["profile"]), audience: vec![] },
                auth_time: NOW,
                circumstances: Circumstances::default(),
            },
            created_at: NOW,
            expires_at: NOW.plus(600),
            refresh: Some(refresh),
            is_revoked: false,
        };
        self.store.commit([Write::PutGrant(Box::new(grant))].into()).await.unwrap();
        refreshing(minted.text.reveal())
    }

    fn request(&self, params: &[(Param, String)]) -> TokenRequest {
        let mut own = Params::default();
        for (param, value) in params {
            own.push(*param, value.clone()).unwrap();
        }
        own.push(Param::ClientId, self.caller.client_id.clone()).unwrap();
        if self.caller.kind == ClientKind::Confidential {
            own.push(Param::ClientSecret, SECRET.into()).unwrap();
        }
        TokenRequest::parse(own, &self.policy, &self.keys, "192.0.2.1").unwrap()
    }

    /// Judges on the facts that a racer holds.
    fn judge(&mut self, request: &TokenRequest, facts: &Facts) -> (Result<Reply, Refusal>, Changes) {
        let entropy = self.entropy();
        // Only the assertion grant reads documents of its issuer.
        let documents = issuer::documents();
        let mut turn = Turn::new(self.now, &self.policy, &self.keys, entropy, "192.0.2.1").with_documents(&documents);
        let verdict = request.decide(facts, &mut turn);
        (verdict, turn.into_changes())
    }

    /// A whole turn, again and again until it is not lost.
    async fn ask(&mut self, params: &[(Param, String)]) -> Result<Reply, Refusal> {
        let request = self.request(params);
        loop {
            let facts = self.store.load(request.wants()).await.unwrap();
            let (verdict, changes) = self.judge(&request, &facts);
            match self.store.commit(changes).await {
                Ok(()) => return verdict,
                Err(CommitError::Lost) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// Lets racers with the same request take their steps in the order of `schedule`, then those who lost again, one by one.
    async fn race(&mut self, params: &[(Param, String)], schedule: &[usize]) -> Vec<Result<Reply, Refusal>> {
        enum Racer {
            Begun,
            Loaded(Box<Facts>),
            Lost,
            Done(Result<Reply, Refusal>),
        }
        let racers = schedule.iter().max().unwrap() + 1;
        let requests: Vec<TokenRequest> = (0..racers).map(|_| self.request(params)).collect();
        let mut states: Vec<Racer> = (0..racers).map(|_| Racer::Begun).collect();
        for &racer in schedule {
            let state = std::mem::replace(&mut states[racer], Racer::Begun);
            states[racer] = match state {
                Racer::Begun => Racer::Loaded(Box::new(self.store.load(requests[racer].wants()).await.unwrap())),
                Racer::Loaded(facts) => {
                    let (verdict, changes) = self.judge(&requests[racer], &facts);
                    match self.store.commit(changes).await {
                        Ok(()) => Racer::Done(verdict),
                        Err(CommitError::Lost) => Racer::Lost,
                        Err(other) => panic!("{other}"),
                    }
                }
                over => over,
            };
        }
        let mut verdicts = Vec::new();
        for state in states {
            verdicts.push(match state {
                Racer::Done(verdict) => verdict,
                _ => self.ask(params).await,
            });
        }
        verdicts
    }

    /// Is the access token of this answer alive?
    async fn is_live(&self, reply: &Reply) -> bool {
        let text = reply.fields.value(Field::AccessToken).unwrap().as_str().unwrap();
        let presented = self.keys.read(TokenKind::Access, &self.policy.access.spelling, text).unwrap();
        let wants = Wants::of([Key::Access(protocol::model::AccessId(presented.id))]);
        let facts = self.store.load(wants).await.unwrap();
        facts.access(presented).is_some_and(|held| !held.is_grant_revoked)
    }
}

fn refreshing(text: &str) -> Vec<(Param, String)> {
    vec![(Param::GrantType, "refresh_token".into()), (Param::RefreshToken, text.into())]
}

fn refresh_token(reply: &Reply) -> String {
    reply.fields.value(Field::RefreshToken).unwrap().as_str().unwrap().to_owned()
}

/// Every order in which `racers` can take two steps each.
fn schedules(racers: usize) -> Vec<Vec<usize>> {
    fn extend(left: &mut [usize], taken: &mut Vec<usize>, out: &mut Vec<Vec<usize>>) {
        if left.iter().all(|steps| *steps == 0) {
            out.push(taken.clone());
        }
        for racer in 0..left.len() {
            if left[racer] > 0 {
                left[racer] -= 1;
                taken.push(racer);
                extend(left, taken, out);
                taken.pop();
                left[racer] += 1;
            }
        }
    }
    let mut out = Vec::new();
    extend(&mut vec![2; racers], &mut Vec::new(), &mut out);
    out
}

#[test]
fn two_racers_have_6_schedules_and_three_have_90() {
    assert_eq!((schedules(2).len(), schedules(3).len()), (6, 90));
}

#[tokio::test]
async fn a_code_is_redeemed_once_and_a_second_redeemer_ends_its_grant_over_every_schedule() {
    let (stores, _folder) = stores().await;
    for store in stores {
        let mut arena = Arena::new(store).await;
        for schedule in [schedules(2), schedules(3)].concat() {
            let params = arena.code().await;
            let verdicts = arena.race(&params, &schedule).await;
            let (won, lost): (Vec<_>, Vec<_>) = verdicts.into_iter().partition(Result::is_ok);
            assert_eq!(won.len(), 1, "{schedule:?}");
            assert!(
                lost.iter().all(|verdict| verdict.as_ref().unwrap_err().no == No::CodeReplayed),
                "{schedule:?}: {lost:?}"
            );
            // RFC 6749 §4.1.2: what a replayed code gave is revoked.
            let reply = won.into_iter().next().unwrap().unwrap();
            assert!(!arena.is_live(&reply).await, "{schedule:?}");
            assert_eq!(arena.ask(&refreshing(&refresh_token(&reply))).await.unwrap_err().no, No::GrantRevoked);
        }
    }
}

#[tokio::test]
async fn all_who_refresh_at_once_get_one_successor_over_every_schedule() {
    let (stores, _folder) = stores().await;
    for store in stores {
        let mut arena = Arena::new(store).await;
        for schedule in [schedules(2), schedules(3)].concat() {
            let params = arena.refresh().await;
            let replies: Vec<Reply> =
                arena.race(&params, &schedule).await.into_iter().map(|verdict| verdict.unwrap()).collect();
            let successor = refresh_token(&replies[0]);
            for reply in &replies {
                assert_eq!(refresh_token(reply), successor, "{schedule:?}");
                assert!(arena.is_live(reply).await, "{schedule:?}");
            }
            // The old token is good until the successor is first used, and a replay afterwards ends the grant.
            assert!(arena.ask(&params).await.is_ok(), "{schedule:?}");
            let next = arena.ask(&refreshing(&successor)).await.unwrap();
            assert_eq!(arena.ask(&params).await.unwrap_err().no, No::RefreshReplayed, "{schedule:?}");
            assert_eq!(arena.ask(&refreshing(&refresh_token(&next))).await.unwrap_err().no, No::GrantRevoked);
        }
    }
}

/// RFC 9700 §4.14.2: of two who hold one token of a public client, one presents a token that was invalidated. Whoever is
/// behind does so with the first refresh after the minute in which a lost answer can be asked for again.
#[tokio::test]
async fn two_holders_of_a_public_clients_token_are_found_out_after_a_minute_on_every_store_rfc_9700_4_14_2() {
    let (stores, _folder) = stores().await;
    for store in stores {
        let mut arena = Arena::new(store).await;
        arena.caller = public_client();
        // At first both get the same answer, together over every schedule or one after the other.
        for schedule in schedules(2) {
            arena.now = NOW;
            let stolen = arena.refresh().await;
            let replies: Vec<Reply> =
                arena.race(&stolen, &schedule).await.into_iter().map(|verdict| verdict.unwrap()).collect();
            assert_eq!(replies[0], replies[1], "one answer, and one access token: {schedule:?}");
            // One goes on, and the other one comes later than a retry would.
            let shared = refreshing(&refresh_token(&replies[0]));
            let ahead = arena.ask(&shared).await.unwrap();
            arena.now = NOW.plus(59);
            assert_eq!(refresh_token(&arena.ask(&shared).await.unwrap()), refresh_token(&ahead), "{schedule:?}");
            arena.now = NOW.plus(60);
            assert_eq!(arena.ask(&shared).await.unwrap_err().no, No::RefreshReplayed, "{schedule:?}");
            assert_eq!(arena.ask(&refreshing(&refresh_token(&ahead))).await.unwrap_err().no, No::GrantRevoked);
            assert!(!arena.is_live(&ahead).await, "{schedule:?}");
        }
    }
}

/// RFC 7523 §3: the server "MAY ensure that JWTs are not replayed".
#[tokio::test]
async fn an_id_token_is_exchanged_once_over_every_schedule_rfc_7523_3() {
    let (stores, _folder) = stores().await;
    for store in stores {
        let mut arena = Arena::new(store).await;
        // Somebody new each time, for whom an account is made; and somebody whose account is there, so that nothing but the
        // token itself stands in the way.
        let first = arena.assertion("known");
        assert!(arena.ask(&first).await.is_ok());
        for (at, schedule) in [schedules(2), schedules(3)].concat().into_iter().enumerate() {
            for subject in [format!("new-{at}"), "known".to_owned()] {
                let params = arena.assertion(&subject);
                let verdicts = arena.race(&params, &schedule).await;
                let (won, lost): (Vec<_>, Vec<_>) = verdicts.into_iter().partition(Result::is_ok);
                assert_eq!(won.len(), 1, "{subject} {schedule:?}");
                let replayed =
                    |verdict: &Result<Reply, Refusal>| verdict.as_ref().unwrap_err().no == No::AssertionReplayed;
                assert!(lost.iter().all(replayed), "{subject} {schedule:?}: {lost:?}");
                assert!(arena.is_live(won[0].as_ref().unwrap()).await, "{subject} {schedule:?}");
                assert_eq!(arena.ask(&params).await.unwrap_err().no, No::AssertionReplayed);
            }
        }
    }
}

fn client() -> Client {
    Client {
        key: ClientKey(1),
        client_id: "web".into(),
        name: "Web".into(),
        auth_methods: vec![AuthMethod::ClientSecretPost],
        secrets: vec![ClientSecret {
            stored: StoredSecret::Sha256(Digest::of(SECRET.as_bytes())),
            hint: String::new(),
            created_at: NOW,
        }],
        redirect_uris: vec!["https://app.example/cb".into()],
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::Assertion],
        scope: Scope::of(["profile"]),
        created_at: NOW,
        ..registration::client(ClientKind::Confidential, &Policy::standard(""))
    }
}

fn public_client() -> Client {
    Client {
        key: ClientKey(2),
        client_id: "spa".into(),
        kind: ClientKind::Public,
        auth_methods: vec![AuthMethod::None],
        secrets: vec![],
        ..client()
    }
}

fn user() -> User {
    User { username: Some("alice".into()), ..User::new(UserKey(1), "sub", "Alice", NOW) }
}
