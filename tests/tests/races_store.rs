//! Many turns at once on one store, on every backend: whatever may happen once happens once.

use std::path::Path;
use std::sync::Arc;

use protocol::client::registration;
use protocol::line::{Changes, Key, Rely, Wants, Write};
use protocol::model::Access;
use protocol::model::{
    AccessId, Attempts, Authorization, Circumstances, Client, ClientKey, ClientKind, Code, CodeId, Grant, GrantId,
    Permission, Refresh, Ticket, TicketId, User, UserKey,
};
use protocol::policy::Policy;
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use store::{CommitError, Memory, Mode, Sqlite, Store};

const NOW: UnixTime = UnixTime(1_000_000);
const RACERS: i64 = 64;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn client() -> Client {
    Client {
        key: ClientKey(1),
        client_id: "app".to_owned(),
        name: "App".to_owned(),
        grants: Vec::new(),
        scope: Scope::default(),
        created_at: NOW,
        ..registration::client(ClientKind::Public, &Policy::standard(""))
    }
}

fn user(key: i64, username: &str) -> User {
    User { username: Some(username.to_owned()), ..User::new(UserKey(key), format!("sub-{key}"), username, NOW) }
}

fn code() -> Code {
    Code {
        id: CodeId(1),
        digest: digest("code"),
        grant: GrantId(1),
        authorization: Authorization {
            user: UserKey(1),
            client: ClientKey(1),
            permission: Permission::default(),
            auth_time: NOW,
            circumstances: Circumstances::default(),
        },
        redirect_uri: "https://app.example/cb".to_owned(),
        is_redirect_uri_named: true,
        challenge: None,
        issued_at: NOW,
        expires_at: NOW.plus(60),
        is_spent: false,
    }
}

fn grant(id: i64) -> Grant {
    Grant {
        id: GrantId(id),
        authorization: Authorization {
            user: UserKey(1),
            client: ClientKey(1),
            permission: Permission::default(),
            auth_time: NOW,
            circumstances: Circumstances::default(),
        },
        created_at: NOW,
        expires_at: NOW.plus(1_000),
        refresh: Some(refresh("0")),
        is_revoked: false,
    }
}

fn refresh(current: &str) -> Refresh {
    Refresh { current: digest(current), previous: None, answer: None, idle_until: NOW.plus(500), generation: 0 }
}

fn access(id: i64) -> Access {
    Access {
        id: AccessId(id),
        digest: digest("access"),
        client: ClientKey(1),
        user: Some(UserKey(1)),
        grant: Some(GrantId(1)),
        permission: Permission::default(),
        issued_at: NOW,
        expires_at: NOW.plus(60),
    }
}

/// Stores that share their rows; the racers are spread over them.
type Doors = Vec<Arc<dyn Store>>;

/// Runs a race on the store in memory, on a file, on a file that two processes have open, and on a PostgreSQL that two
/// nodes share.
async fn on_every_store<F: Future<Output = ()>>(race: impl Fn(Doors) -> F) {
    race(vec![Arc::new(Memory::default())]).await;
    for doors in [1, 2] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("race.db");
        race((0..doors).map(|_| open(&path)).collect()).await;
    }
    let url = lab::database();
    let mut nodes: Doors = Vec::new();
    for _ in 0..2 {
        nodes.push(store::open(&url, Mode::Create).await.expect("an empty database can be filled"));
    }
    race(nodes).await;
}

fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(Sqlite::open(path, Mode::Create).expect("a new database can be made"))
}

/// Lets every racer commit at once. Gives those that won.
async fn run<C: Into<Changes>>(doors: &Doors, changes: impl Fn(i64) -> C) -> Vec<i64> {
    let start = Arc::new(tokio::sync::Barrier::new(usize::try_from(RACERS).expect("a small number")));
    let racers: Vec<_> = (1..=RACERS)
        .zip(doors.iter().cycle())
        .map(|(racer, door)| {
            let (door, start, changes) = (Arc::clone(door), Arc::clone(&start), changes(racer).into());
            tokio::spawn(async move {
                start.wait().await;
                (racer, door.commit(changes).await)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for racer in racers {
        match racer.await.expect("no racer panics") {
            (racer, Ok(())) => winners.push(racer),
            (_, Err(CommitError::Lost | CommitError::Behind(_) | CommitError::Taken(_))) => {}
            (racer, Err(fault)) => panic!("racer {racer}: {fault}"),
        }
    }
    winners
}

async fn access_tokens(store: &dyn Store) -> Vec<i64> {
    let mut found = Vec::new();
    for id in 1..=RACERS {
        let key = Key::Access(AccessId(id));
        if store.load(Wants::of([key.clone()])).await.expect("the store can be read").row(&key).is_some() {
            found.push(id);
        }
    }
    found
}

/// RFC 6749 §4.1.2: "The client MUST NOT use the authorization code more than once."
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_redeemers_of_one_code_exactly_one_gets_a_token() {
    on_every_store(|doors| async move {
        doors[0].commit([Write::PutCode(Box::new(code()))].into()).await.expect("the code is new");
        // The token is written first, so that a loser has something to take back.
        let redeem = |racer| {
            vec![
                Write::PutAccess(Box::new(access(racer))),
                Write::SpendCode(CodeId(1)),
                Write::PutGrant(Box::new(grant(1))),
            ]
        };
        let winners = run(&doors, redeem).await;
        assert_eq!(winners.len(), 1);
        for door in &doors {
            assert_eq!(access_tokens(&**door).await, winners);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_rotations_of_one_refresh_token_exactly_one_counts() {
    on_every_store(|doors| async move {
        doors[0].commit([Write::PutGrant(Box::new(grant(1)))].into()).await.expect("the grant is new");
        let rotate = |racer: i64| {
            vec![Write::RotateRefresh {
                grant: GrantId(1),
                from: digest("0"),
                to: refresh(&racer.to_string()),
                expires_at: NOW.plus(1_000),
            }]
        };
        let winners = run(&doors, rotate).await;
        assert_eq!(winners.len(), 1);
        for door in &doors {
            let found = door.load(Wants::of([Key::Grant(GrantId(1))])).await.expect("the store can be read");
            let held = found.grant_row(GrantId(1)).expect("the grant is there");
            assert_eq!(held.row.refresh, Some(refresh(&winners[0].to_string())));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_use_one_ticket_exactly_one_does() {
    on_every_store(|doors| async move {
        let ticket = Ticket {
            id: TicketId(1),
            kind: "invitation".to_owned(),
            digest: digest("ticket"),
            user: None,
            client: None,
            expires_at: NOW.plus(60),
            is_spent: false,
            version: 1,
            document: serde_json::Map::new(),
        };
        doors[0].commit([Write::PutTicket(Box::new(ticket.clone()))].into()).await.expect("the ticket is new");
        // A third of them change it. Whoever judged the version before loses.
        let change = || Write::ChangeTicket(Box::new(Ticket { version: 2, ..ticket.clone() }));
        let spend = || Write::SpendTicket { id: TicketId(1), version: 1 };
        let deed = |racer| {
            let write = if racer % 3 == 0 { change() } else { spend() };
            vec![Write::PutAccess(Box::new(access(racer))), write]
        };
        let winners = run(&doors, deed).await;
        assert_eq!(winners.len(), 1);
        for door in &doors {
            assert_eq!(access_tokens(&**door).await, winners);
        }
    })
    .await;
}

/// RFC 6749 §10.10: "The authorization server MUST prevent attackers from guessing access tokens, authorization codes,
/// refresh tokens, resource owner passwords, and client credentials."
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_guesses_get_no_further_than_guesses_in_a_row() {
    on_every_store(|doors| async move {
        let guess = |_| {
            vec![Write::CountFailure { key: digest("alice"), limit: 5, now: NOW, resets_at: NOW.plus(60), user: None }]
        };
        assert_eq!(run(&doors, guess).await.len(), 5);
        let counter = digest("alice");
        for door in &doors {
            let found = door.load(Wants::of([Key::Failures(counter)])).await.expect("the store can be read");
            assert_eq!(found.failures(counter), Some(Attempts { failures: 5, resets_at: NOW.plus(60) }));
        }
        let pass = |_| {
            let relied = [Rely::CounterBelow { key: digest("alice"), limit: 5, now: NOW }];
            Changes::new(relied, [Write::ClearCounter { key: digest("alice"), limit: 5, now: NOW }])
        };
        assert!(run(&doors, pass).await.is_empty(), "the right password comes too late");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unlocking_an_account_wins_while_others_guess() {
    on_every_store(|doors| async move {
        let count = |name: String| Write::CountFailure {
            key: digest(&name),
            limit: 1_000,
            now: NOW,
            resets_at: NOW.plus(60),
            user: Some(UserKey(1)),
        };
        let unlocker = RACERS / 2;
        // As at the sign-in page: a counter that all share comes first, then those of one place.
        let deed = |racer| match racer {
            racer if racer == unlocker => vec![Write::ForgetFailures(UserKey(1))],
            racer => {
                vec![count("shared".into()), count(format!("name {}", racer % 4)), count(format!("near {}", racer % 4))]
            }
        };
        for _ in 0..3 {
            assert_eq!(run(&doors, deed).await.len(), usize::try_from(RACERS).expect("a small number"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_editors_of_one_version_exactly_one_is_heard() {
    on_every_store(|doors| async move {
        doors[0].commit([Write::PutClient(Box::new(client()))].into()).await.expect("the client is new");
        let edit =
            |racer: i64| vec![Write::PutClient(Box::new(Client { name: racer.to_string(), version: 2, ..client() }))];
        let winners = run(&doors, edit).await;
        assert_eq!(winners.len(), 1);
        for door in &doors {
            let found = door.client(ClientKey(1)).await.expect("the store can be read").expect("the client is there");
            assert_eq!((found.name.clone(), found.version), (winners[0].to_string(), 2));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_one_name_exactly_one_gets_it() {
    on_every_store(|doors| async move {
        let sign_up =
            |racer| vec![Write::PutUser(Box::new(user(racer, if racer % 2 == 0 { "Alice" } else { "alice" })))];
        let winners = run(&doors, sign_up).await;
        assert_eq!(winners.len(), 1);
        for door in &doors {
            let users = door.users(None, 99).await.expect("the store can be read");
            assert_eq!(users.iter().map(|user| user.key.0).collect::<Vec<_>>(), winners);
        }
    })
    .await;
}
