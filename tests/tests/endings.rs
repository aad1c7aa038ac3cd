//! Whatever ends something wins against the traffic of the rows that it ends: from the pages on every store, and from the
//! command line against a node on SQLite and three nodes on one PostgreSQL.
#![allow(clippy::disallowed_methods, reason = "tests read clocks and wait")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use protocol::account::{AccountCall, Act};
use protocol::client::registration;
use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::Presented;
use protocol::line::{Changes, Key, Rely, Row, Wants, Write};
use protocol::model::{
    Access, AccessId, Amr, Authorization, Circumstances, Client, ClientKey, ClientKind, Consent, Grant, GrantId,
    Identity, IdentityName, Permission, Session, SessionId, User, UserKey,
};
use protocol::person::browser::{Caller, FormSeal};
use protocol::person::password;
use protocol::policy::Policy;
use protocol::scope::Scope;
use protocol::secret::{Digest, Secret};
use protocol::time::UnixTime;
use server::app::{App, Setup};
use server::clock::Clock;
use server::config::settings::Settings;
use server::entropy::Source;
use server::http::FoundOnce;
use server::ids::Ids;
use store::{Mode, Store};
use tests::person::{NAME, PASSWORD, Person};
use tests::{Installation, MASTER};
use zeroize::Zeroizing;

/// Those who keep the rows busy.
const BUSY: usize = 16;
/// How long an ending may take: a second is the aim, the rest is for a busy machine that runs other tests too.
const END_MAX: Duration = Duration::from_secs(5);
const ISSUER: &str = "https://auth.example";

fn now() -> UnixTime {
    Clock::System.now()
}

async fn app(store: Arc<dyn Store>, seed: u8) -> Arc<App> {
    let standard = dialect::Dialect::load("standard", &[]).expect("the shipped dialect is sound");
    let dialects = dialect::Dialects::new(ISSUER, vec![standard], &[]).expect("it waives nothing");
    let setup = Setup {
        store,
        dialects,
        policies: Vec::new(),
        master: Zeroizing::new([7; 32]),
        settings: Settings::new(ISSUER),
        clock: Clock::System,
        entropy: Source::seeded([seed; 32]),
    };
    App::open(setup).await.expect("the store works")
}

fn session(id: i64, agent: &str) -> Session {
    Session {
        id: SessionId(id),
        digest: Digest::of(agent.as_bytes()),
        user: UserKey(1),
        amr: vec![Amr::Pwd],
        auth_time: now(),
        created_at: now(),
        seen_at: now(),
        idle_until: now().plus(3_600),
        expires_at: now().plus(3_600),
        address: String::new(),
        agent: agent.to_owned(),
    }
}

fn identity_name() -> IdentityName {
    IdentityName { issuer: "https://issuer.example".into(), subject: "alice".into() }
}

/// Puts a user, a client, a consent, an identity and two sessions into an empty store.
async fn furnish(store: &dyn Store, hash: &str) {
    let client = Client {
        key: ClientKey(1),
        client_id: "web".into(),
        name: "Web".into(),
        scope: Scope::of(["profile"]),
        created_at: now(),
        ..registration::client(ClientKind::Public, &Policy::standard(ISSUER))
    };
    let user = User { username: Some("alice".into()), ..User::new(UserKey(1), "sub-1", "Alice", now()) };
    let consent = Consent {
        id: 1,
        user: UserKey(1),
        client: ClientKey(1),
        permission: Permission { scope: Scope::of(["profile"]), audience: vec![] },
        given_at: now(),
        renewed_at: now(),
    };
    store
        .commit(
            [
                Write::PutClient(Box::new(client)),
                Write::PutUser(Box::new(User { password: Some(hash.to_owned()), ..user })),
                Write::PutConsent(consent),
                Write::PutIdentity(Identity { name: identity_name(), user: UserKey(1), linked_at: now() }),
                Write::PutSession(Box::new(session(10, "own"))),
                Write::PutSession(Box::new(session(11, "other"))),
            ]
            .into(),
        )
        .await
        .expect("the store is empty");
}

/// A grant and a token that a turn put, and the version of the user that it relied on.
type Issued = (GrantId, AccessId, u32);

/// Keeps the user's rows busy: issues tokens that rely on the user, and every fourth time changes the profile.
async fn keep_busy(at: usize, store: Arc<dyn Store>, is_over: Arc<AtomicBool>) -> Vec<Issued> {
    // As another node, whose clock is a little ahead.
    let (ids, ahead_ms) = (Ids::new(u16::try_from(100 + at).expect("a small number"), 0), 3);
    let mut issued = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let wants = Wants::of([Key::Client("web".to_owned()), Key::Sub("sub-1".to_owned())]);
        let facts = store.load(wants).await.expect("the store can be read");
        let (Some(user), Some(client)) = (facts.subject("sub-1"), facts.client("web")) else { break };
        if at.is_multiple_of(4) {
            let user = User { version: user.version + 1, name: format!("Alice {at}"), ..(**user).clone() };
            // Lost or not: the next one comes as soon as somebody may have issued a token in between.
            let _ = store.commit([Write::PutUser(Box::new(user))].into()).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        let id = ids.reserve(Clock::System.now_ms() + ahead_ms).expect("there are ids");
        let grant = Grant {
            id: GrantId(id),
            authorization: Authorization {
                user: user.key,
                client: client.key,
                permission: Permission { scope: Scope::of(["profile"]), audience: vec![] },
                auth_time: now(),
                circumstances: Circumstances::default(),
            },
            created_at: now(),
            expires_at: now().plus(600),
            refresh: None,
            is_revoked: false,
        };
        let access = Access {
            id: AccessId(id + 1),
            digest: Digest::of(b"token"),
            client: client.key,
            user: Some(user.key),
            grant: Some(grant.id),
            permission: Permission { scope: Scope::of(["profile"]), audience: vec![] },
            issued_at: now(),
            expires_at: now().plus(600),
        };
        let relied = [Rely::User(user.key, user.version), Rely::Client(client.key, client.version)];
        let writes = [Write::PutGrant(Box::new(grant)), Write::PutAccess(Box::new(access))];
        let changes = Changes::new(relied, writes);
        if store.commit(changes).await.is_ok() {
            issued.push((GrantId(id), AccessId(id + 1), user.version));
        }
    }
    issued
}

/// Stores that share their rows, and the folder that one of them needs.
type Doors = (&'static str, Vec<Arc<dyn Store>>, Option<tempfile::TempDir>);

async fn every_store() -> Vec<Doors> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = format!("sqlite:{}", folder.path().join("g.db").display());
    let url = lab::database();
    let mut doors: Vec<Doors> = Vec::new();
    let open = async |url: &str| store::open(url, Mode::Create).await.expect("a new store can be made");
    doors.push(("memory", vec![open("memory:").await], None));
    doors.push(("sqlite", vec![open(&file).await, open(&file).await], Some(folder)));
    doors.push(("postgres", vec![open(&url).await, open(&url).await, open(&url).await], None));
    doors
}

/// Whether an ending raises the user's limit of revocation, or revokes the grants, or only ends sessions.
#[derive(Clone, Copy, PartialEq)]
enum Kills {
    Everything,
    Grants,
    Sessions,
}

fn acts() -> Vec<(&'static str, Act, Kills)> {
    let new = Secret::new("another horse battery");
    vec![
        ("end other sessions", Act::EndOtherSessions, Kills::Sessions),
        ("disconnect", Act::Disconnect("web".into()), Kills::Grants),
        ("unlink", Act::Unlink(identity_name()), Kills::Everything),
        ("change the password", Act::ChangePassword { current: Secret::new(PASSWORD), new }, Kills::Everything),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_person_ends_on_the_account_page_ends_under_any_traffic() {
    let hash = password::hash(&Secret::new(PASSWORD), &mut Entropy::seeded([4; 32], 1));
    for at in 0..acts().len() {
        for (name, doors, folder) in every_store().await {
            furnish(&*doors[0], &hash).await;
            let app = app(Arc::clone(&doors[0]), 9).await;
            let is_over = Arc::new(AtomicBool::new(false));
            let busy: Vec<_> = (0..BUSY)
                .map(|at| {
                    let door = Arc::clone(&doors[at % doors.len()]);
                    tokio::spawn(keep_busy(at, door, Arc::clone(&is_over)))
                })
                .collect();
            tokio::time::sleep(Duration::from_millis(300)).await;
            let (what, act, kills) = acts().swap_remove(at);
            let digest = Digest::of(b"own");
            let session = Some(Presented { id: 10, digest });
            let caller = Caller { session, browser: digest, agent: String::new(), devices: vec![] };
            let seal = Some(FormSeal::new(UserKey(1), &digest));
            let call = AccountCall { caller, address: String::new(), seal, act };
            let policy = Arc::new(Policy { is_password_taken: true, ..Policy::standard(ISSUER) });
            let begun = Instant::now();
            let done = app.turn(&policy, &FoundOnce::new(), "", call).await.expect("nothing is broken");
            let took = begun.elapsed();
            println!("{name}: {what} took {took:?}");
            let done = done.unwrap_or_else(|refusal| panic!("{name}: {what} was refused: {refusal:?}"));
            assert!(took < END_MAX, "{name}: {what} took {took:?}");
            is_over.store(true, Ordering::Relaxed);
            let mut issued: Vec<Issued> = Vec::new();
            for task in busy {
                issued.extend(task.await.expect("nobody panics"));
            }
            assert!(issued.len() > 10, "{name}: only {} tokens were issued", issued.len());
            hold(&*doors[doors.len() - 1], &issued, done.user.version, kills).await;
            drop(folder);
        }
    }
}

/// Nothing that was issued to the user as they were before the ending works.
async fn hold(store: &dyn Store, issued: &[Issued], ended_at: u32, kills: Kills) {
    let sessions = store.sessions(UserKey(1)).await.expect("the store can be read");
    if kills != Kills::Grants {
        assert!(sessions.iter().all(|session| session.agent != "other"), "{sessions:?}");
    }
    for (grant, access, version) in issued {
        let key = Key::Access(*access);
        let facts = store.load(Wants::of([Key::Grant(*grant), key.clone()])).await.expect("the store can be read");
        let Some(Row::Access(token)) = facts.row(&key) else { panic!("the token is there") };
        match kills {
            Kills::Everything if *version < ended_at => {
                assert!(token.check("standard").is_err(), "a token that relied on version {version} works");
            }
            Kills::Everything | Kills::Grants | Kills::Sessions => {}
        }
    }
    if kills == Kills::Everything {
        let before = issued.iter().filter(|(.., version)| *version < ended_at).count();
        assert!(before > 0, "nothing was issued before");
    }
}

/// An application with sixteen grants of one user, whose refresh tokens are rotated as fast as the nodes answer.
struct Traffic<'a> {
    nodes: &'a [Installation],
    client: &'a tests::load::Client,
    tokens: Mutex<Vec<String>>,
    rotations: AtomicUsize,
    is_over: AtomicBool,
}

impl Traffic<'_> {
    /// Rotates refresh tokens while `end` is carried out. Gives how long that took.
    fn during(&self, person: &Person, end: impl FnOnce()) -> Duration {
        std::thread::scope(|scope| {
            for at in 0..BUSY {
                scope.spawn(move || self.rotate(at, person));
            }
            while self.rotations.load(Ordering::Relaxed) < 4 * BUSY {
                std::thread::sleep(Duration::from_millis(5));
            }
            let begun = Instant::now();
            end();
            let took = begun.elapsed();
            self.is_over.store(true, Ordering::Relaxed);
            took
        })
    }

    fn rotate(&self, at: usize, person: &Person) {
        let node = &self.nodes[at % self.nodes.len()];
        let client = self.client.at(node);
        let code = person.at_node(node).code(&client).expect("a code");
        let mut answer = client.redeem(&code).expect("an answer");
        while answer.status == 200 && !self.is_over.load(Ordering::Relaxed) {
            let document = answer.json();
            let token = |name: &str| document[name].as_str().expect("a token").to_owned();
            self.tokens.lock().expect("nobody panicked").push(token("access_token"));
            self.rotations.fetch_add(1, Ordering::Relaxed);
            let refresh = token("refresh_token");
            answer = loop {
                let answer = client.refresh(&refresh).expect("an answer");
                // Asked to come again, as a node may do.
                if answer.status != 503 || self.is_over.load(Ordering::Relaxed) {
                    break answer;
                }
            };
        }
        if answer.status == 200 {
            let document = answer.json();
            self.tokens
                .lock()
                .expect("nobody panicked")
                .push(document["access_token"].as_str().expect("a token").to_owned());
        }
    }
}

/// Ends a user's tokens by each command in turn, while the nodes are busy with them.
fn commands_win(nodes: &[Installation]) {
    let api = nodes[0].own_client();
    let deleted = nodes[0].own_client();
    nodes[0].add_person();
    let endings = [
        (vec!["user", "disable", NAME], &api, ""),
        (vec!["user", "set-password", NAME, "--password-stdin"], &api, PASSWORD),
        (vec!["grant", "revoke", "--user", NAME, "--client", &api.id], &api, ""),
        (vec!["client", "disable", &deleted.id], &deleted, ""),
        (vec!["client", "delete", &deleted.id], &deleted, ""),
        (vec!["user", "delete", NAME], &api, ""),
    ];
    for (words, client, input) in endings {
        // What an earlier ending shut is opened again.
        let _ = nodes[0].run(&["user", "enable", NAME], "");
        let _ = nodes[0].run(&["client", "enable", &client.id], "");
        let person = tests::person::SignInPage::at(&nodes[0]).and_then(|page| page.post(&nodes[0], NAME, PASSWORD));
        let person = person.and_then(|(_, person)| person).expect("the user can sign in");
        let traffic = Traffic {
            nodes,
            client,
            tokens: Mutex::default(),
            rotations: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        };
        let took = traffic.during(&person, || {
            let token = traffic.tokens.lock().expect("nobody panicked").last().cloned().expect("a token");
            assert!(client.id != api.id || api.is_active(&token), "nothing works that could be ended");
            let output = nodes[nodes.len() - 1].run(&words, input);
            assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        });
        let tokens = traffic.tokens.into_inner().expect("nobody panicked");
        println!("{words:?} took {took:?} against {} tokens", tokens.len());
        assert!(took < END_MAX, "{words:?} took {took:?}");
        for node in nodes {
            for token in tokens.iter().rev().take(3 * BUSY) {
                assert!(!api.at(node).is_active(token), "{words:?}: a token is alive");
            }
        }
    }
}

#[test]
fn a_command_wins_against_sixteen_busy_clients_on_one_node_with_sqlite() {
    let mut node = Installation::default();
    node.start();
    commands_win(&[node]);
}

#[test]
fn a_command_wins_against_sixteen_busy_clients_on_three_nodes_with_postgres() {
    let url = lab::database();
    let config = format!("[keys]\nmaster = \"{MASTER}\"\n");
    let mut nodes: Vec<_> = (0..3).map(|_| Installation::node(&url, "127.0.0.1:9", &config)).collect();
    nodes.iter_mut().for_each(Installation::start);
    commands_win(&nodes);
}
