//! Several real nodes on one PostgreSQL: raced, killed, restarted, and left without their database. What may happen once
//! happens once over all of them, and what was acknowledged is there.
#![allow(clippy::disallowed_methods, reason = "tests read clocks and wait")]

mod leases;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lab::{Cluster, Options};
use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::{Keys, TokenKind};
use protocol::line::Write;
use protocol::model::{Authorization, Circumstances, Code, CodeId, GrantId, Permission, UserKey};
use protocol::policy::Policy;
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use serde_json::{Value, json};
use store::{Mode, Store};
use tests::load::{Acknowledged, Client, Load, Trouble};
use tests::person::{NAME, PASSWORD, SignInPage};
use tests::{Answer, Installation, MASTER, send};

const HOST: &str = "127.0.0.1:9";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// How long an installation may take to serve again by itself.
const RECOVERY_MAX: Duration = Duration::from_secs(30);

/// Nodes that share a database.
struct Nodes {
    nodes: Vec<Installation>,
    client: Client,
}

impl Nodes {
    /// Starts so many nodes on the database at `url`.
    fn start(url: &str, count: usize, more: &str) -> Self {
        let config = format!("[keys]\nmaster = \"{MASTER}\"\n{more}");
        let mut nodes: Vec<_> = (0..count).map(|_| Installation::node(url, HOST, &config)).collect();
        nodes.iter_mut().for_each(Installation::start);
        let client = nodes[0].own_client();
        Self { nodes, client }
    }

    /// Asks one of the nodes.
    fn post(&self, node: usize, path: &str, fields: &[(&str, &str)]) -> Option<Answer> {
        self.client.at(&self.nodes[node]).post(path, fields)
    }

    /// Lets `racers` ask at once, spread over the nodes. Gives the answers.
    fn race(&self, racers: usize, ask: impl Fn(usize) -> Option<Answer> + Sync) -> Vec<Answer> {
        let start = Barrier::new(racers);
        std::thread::scope(|scope| {
            let racing: Vec<_> = (0..racers)
                .map(|racer| {
                    let (start, ask) = (&start, &ask);
                    let node = racer % self.nodes.len();
                    scope.spawn(move || {
                        start.wait();
                        ask(node).expect("the node answers")
                    })
                })
                .collect();
            racing.into_iter().map(|racer| racer.join().expect("no racer panics")).collect()
        })
    }

    fn is_active(&self, node: usize, token: &str) -> bool {
        self.client.at(&self.nodes[node]).is_active(token)
    }
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right");
    UnixTime(i64::try_from(since.as_secs()).expect("seconds"))
}

/// A way to the rows beside the nodes.
struct Rows {
    store: Arc<dyn Store>,
    keys: Keys,
    policy: Policy,
    next_id: i64,
}

impl Rows {
    async fn open(url: &str) -> Self {
        let master: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).expect("a byte"));
        let store = store::open(url, Mode::Existing).await.expect("the database is there");
        let next_id = store.greatest_id().await.expect("the store answers") + 1_000;
        Self { store, keys: Keys::derive(&master, &[1]), policy: Policy::standard("http://127.0.0.1:9"), next_id }
    }

    /// A fresh code of a user's for the nodes' client.
    async fn code(&mut self, client_id: &str, user: UserKey) -> String {
        self.next_id += Entropy::IDS_MAX;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.next_id.to_be_bytes());
        let mut entropy = Entropy::seeded(seed, self.next_id);
        let minted = self.keys.mint(TokenKind::Code, &self.policy.code.spelling, &mut entropy);
        let client = self.store.client_by_id(client_id).await.expect("the store answers").expect("the client is there");
        let code = Code {
            id: CodeId(minted.id),
            digest: minted.digest,
            grant: GrantId(entropy.next_id()),
            authorization: Authorization {
                user,
                client: client.key,
                permission: Permission { scope: Scope::of(["profile"]), audience: vec![] },
                auth_time: now(),
                circumstances: Circumstances::default(),
            },
            redirect_uri: "https://app.example/cb".into(),
            is_redirect_uri_named: true,
            challenge: Some(Digest::of(VERIFIER.as_bytes())),
            issued_at: now(),
            expires_at: now().plus(60),
            is_spent: false,
        };
        self.store.commit([Write::PutCode(Box::new(code))].into()).await.expect("the code is kept");
        minted.text.reveal().to_owned()
    }

    async fn user(&self, name: &str) -> UserKey {
        self.store.user_by_name(name).await.expect("the store answers").expect("the user is there").key
    }
}

fn redemption(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", "https://app.example/cb"),
        ("code_verifier", VERIFIER),
    ]
}

fn add_user(node: &Installation, email: &str) -> Value {
    node.json(&["user", "add", "--email", email, "--name", "Alice Doe", "--password-stdin"], PASSWORD)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_redeemed_once_and_a_refresh_token_has_one_successor_over_all_nodes() {
    let url = lab::database();
    let nodes = Nodes::start(&url, 3, "");
    add_user(&nodes.nodes[1], "alice@example.com");
    let mut rows = Rows::open(&url).await;
    let user = rows.user("alice@example.com").await;
    for _ in 0..12 {
        let code = rows.code(&nodes.client.id, user).await;
        let answers = nodes.race(6, |node| nodes.post(node, "/oauth/token", &redemption(&code)));
        let redeemed = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(redeemed, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 400), "{answers:?}");
        // RFC 6749 §4.1.2: a second redemption ends what the first one gave.
        let first = answers.iter().find(|answer| answer.status == 200).expect("one redeemed").json();
        assert!(!nodes.is_active(0, first["access_token"].as_str().expect("a token")));

        let code = rows.code(&nodes.client.id, user).await;
        let begun = nodes.post(0, "/oauth/token", &redemption(&code)).expect("the node answers").json();
        let refresh = begun["refresh_token"].as_str().expect("a refresh token").to_owned();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let answers = nodes.race(6, |node| nodes.post(node, "/oauth/token", &fields));
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        let successors: BTreeSet<String> =
            answers.iter().map(|answer| answer.json()["refresh_token"].to_string()).collect();
        assert_eq!(successors.len(), 1, "{answers:?}");
    }
}

/// The surface on which an application sends a user's password, and the code of the second factor.
const PASSWORDS: &str = "[dialects]\nenable = [\"standard\", \"tinyrebrand\"]\n\
    accept = [\"password-grant\", \"open-introspection\", \"open-revocation\"]\n\
    [dialect.tinyrebrand]\nhosts = [\"api.tinyrebrand.test\", \"app.tinyrebrand.test\"]\n";

fn sign_in(address: &str, body: &Value) -> Option<Answer> {
    let headers = [("Host", "api.tinyrebrand.test"), ("Content-Type", "application/json")];
    let mut fields = json!({"grant_type": "password", "client_id": "web", "username": "alice@example.com"});
    for (name, value) in body.as_object().expect("an object") {
        fields[name] = value.clone();
    }
    send(address, "POST", "/api/oauth/token", &headers, &fields.to_string())
}

fn with_passwords(more: &str) -> Nodes {
    let nodes = Nodes::start(&lab::database(), 2, &format!("{PASSWORDS}{more}\n"));
    add_user(&nodes.nodes[0], "alice@example.com");
    let words = ["client", "add", "--dialect", "tinyrebrand", "--id", "web", "--name", "Web", "--kind", "public"];
    let added = nodes.nodes[0].json(&[&words[..], &["--redirect-uri", "https://app.example/cb"]].concat(), "");
    assert_eq!(added["client_id"], "web");
    nodes
}

#[test]
fn a_code_of_the_second_factor_works_once_over_all_nodes() {
    let nodes = with_passwords("limit = { token = \"off\", api = \"off\" }");
    let factor = nodes.nodes[0].json(&["user", "totp", "alice@example.com", "--enable"], "");
    let secret = factor["secret"].as_str().expect("a secret");
    // Of this step and of the next one: both are taken also when the step ends in between.
    for step in 0..2 {
        let otp = totp(secret, step);
        let answers =
            nodes.race(8, |node| sign_in(&nodes.nodes[node].address, &json!({"password": PASSWORD, "token": otp})));
        let signed_in = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(signed_in, 1, "{answers:?}");
    }
}

/// The code of a time step, counted from now. RFC 6238 §4.2.
fn totp(secret: &str, step: i64) -> String {
    let key = data_encoding::BASE32_NOPAD.decode(secret.trim_end_matches('=').as_bytes()).expect("base32");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let counter = u64::try_from(now().0 / 30 + step).expect("after 1970");
    let digest = aws_lc_rs::hmac::sign(&key, &counter.to_be_bytes());
    let bytes = digest.as_ref();
    let at = usize::from(bytes[19] & 15);
    let word = u32::from_be_bytes([bytes[at] & 127, bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    format!("{:06}", word % 1_000_000)
}

#[test]
fn parallel_guesses_at_all_nodes_get_no_further_than_guesses_in_a_row() {
    let nodes = with_passwords("limit = { token = \"off\", api = \"off\" }\n[lockout]\naccount_failures = 5");
    let answers = nodes.race(24, |node| sign_in(&nodes.nodes[node].address, &json!({"password": "not the right one"})));
    let compared = answers.iter().filter(|answer| answer.status == 401).count();
    assert!(compared <= 5, "{compared} guesses were compared");
    for node in &nodes.nodes {
        let answer = sign_in(&node.address, &json!({"password": PASSWORD})).expect("the node answers");
        assert_ne!(answer.status, 200, "the door is open: {answer:?}");
    }
}

#[test]
fn nodes_share_a_rate_limit_but_for_what_comes_within_a_second() {
    let nodes = with_passwords("limit = { token = \"6/min/ip\", api = \"off\" }");
    let ask = |node: usize| sign_in(&nodes.nodes[node].address, &json!({})).expect("the node answers").status;
    assert!((0..4).all(|_| ask(0) == 400));
    // The node tells what it counted every second, and so does the other one, which then hears of it.
    assert_eq!(ask(1), 400);
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(ask(1), 400);
    std::thread::sleep(Duration::from_millis(2_500));
    let rest: Vec<u16> = (0..4).map(|_| ask(1)).collect();
    assert!(rest.iter().filter(|status| **status == 429).count() >= 3, "{rest:?}");
}

/// Loads the nodes with everything there is to lose while something happens to them; gives what was acknowledged and what
/// was not as it should be. A node that does not take a connection is passed over, as a balancer would.
fn under_load(nodes: &mut Nodes, happen: impl FnOnce(&mut Nodes)) -> Acknowledged {
    let client = nodes.client.among(&nodes.nodes);
    nodes.nodes[0].add_person();
    let person = SignInPage::at(&nodes.nodes[0]).and_then(|page| page.post(&nodes.nodes[1], NAME, PASSWORD));
    let person = person.and_then(|(_, person)| person).expect("the user can sign in").among(&nodes.nodes);
    let (acknowledged, is_over) = (Mutex::new(Acknowledged::default()), AtomicBool::new(false));
    let load = Load { client: &client, person: &person, acknowledged: &acknowledged, is_over: &is_over };
    load.during(|| {
        std::thread::sleep(Duration::from_millis(600));
        happen(nodes);
        std::thread::sleep(Duration::from_millis(600));
    });
    acknowledged.into_inner().expect("nobody panicked")
}

/// Whatever was acknowledged is there at every node, and nothing single-use works twice.
fn check(nodes: &Nodes, acknowledged: &Acknowledged) {
    println!("{acknowledged}");
    acknowledged.hold_against(&nodes.client.among(&nodes.nodes));
    for node in &nodes.nodes {
        assert!(!node.log().contains("panicked"), "{}", node.log());
    }
}

/// What an installation may answer while its database is gone.
fn assert_honest(acknowledged: &Acknowledged) {
    let troubles = &acknowledged.troubles;
    let other = troubles.iter().find(|trouble| **trouble != Trouble::TryLater);
    assert_eq!(other, None, "one of {}", troubles.len());
}

/// Waits until every node issues tokens again, with nobody's help.
fn wait_until_served(nodes: &Nodes) {
    let begun = Instant::now();
    for node in 0..nodes.nodes.len() {
        while nodes
            .post(node, "/oauth/token", &[("grant_type", "client_credentials")])
            .is_none_or(|answer| answer.status != 200)
        {
            assert!(begun.elapsed() < RECOVERY_MAX, "node {node} does not recover: {}", nodes.nodes[node].log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn nodes_that_are_killed_take_nothing_with_them() {
    let mut nodes = Nodes::start(&lab::database(), 3, "");
    let acknowledged = under_load(&mut nodes, |nodes| {
        for round in 0..6 {
            nodes.nodes[round % 3].kill();
            std::thread::sleep(Duration::from_millis(150));
            nodes.nodes[round % 3].start();
        }
    });
    // Whoever was at the node that died got nothing; everybody else got what they asked for.
    let other = acknowledged.troubles.iter().find(|trouble| **trouble != Trouble::Silence);
    assert_eq!(other, None);
    check(&nodes, &acknowledged);
}

#[test]
fn a_rolling_restart_fails_no_request() {
    let mut nodes = Nodes::start(&lab::database(), 2, "");
    let restarted = AtomicUsize::new(0);
    let acknowledged = under_load(&mut nodes, |nodes| {
        for round in 0..6 {
            let node = &mut nodes.nodes[round % 2];
            let pid = node.pid().expect("it runs").to_string();
            assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
            assert!(node.wait().success(), "{}", node.log());
            node.start();
            restarted.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert_eq!(restarted.into_inner(), 6);
    assert_eq!(acknowledged.troubles, [], "requests failed");
    check(&nodes, &acknowledged);
}

#[test]
fn a_crash_of_postgres_loses_nothing_that_was_acknowledged_and_needs_no_hand() {
    let mut cluster = Cluster::start(&Options::default());
    let url = cluster.database();
    let mut nodes = Nodes::start(&url, 2, "");
    let acknowledged = under_load(&mut nodes, |nodes| {
        for _ in 0..3 {
            cluster.crash();
            std::thread::sleep(Duration::from_millis(200));
            cluster.start_again();
            wait_until_served(nodes);
        }
    });
    assert_honest(&acknowledged);
    check(&nodes, &acknowledged);
}

#[test]
fn backends_that_are_terminated_are_not_noticed_or_answered_503_and_lose_nothing() {
    let mut cluster = Cluster::start(&Options::default());
    let url = cluster.database();
    let mut nodes = Nodes::start(&url, 2, "");
    let acknowledged = under_load(&mut nodes, |_| {
        for _ in 0..10 {
            cluster.terminate_backends();
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert_honest(&acknowledged);
    check(&nodes, &acknowledged);
}

#[test]
fn a_failover_to_a_synchronous_standby_loses_nothing_and_needs_no_hand() {
    let mut primary = Cluster::start(&Options::default());
    drop(primary.database());
    let standby = primary.standby();
    let url =
        format!("postgres://postgres@{},{}/test_1?target_session_attrs=read-write", primary.host(), standby.host());
    let mut nodes = Nodes::start(&url, 2, "");
    let acknowledged = under_load(&mut nodes, |nodes| {
        primary.crash();
        standby.promote();
        wait_until_served(nodes);
    });
    assert_honest(&acknowledged);
    check(&nodes, &acknowledged);
}

#[test]
fn while_the_standby_is_away_writers_are_asked_to_come_again_and_nothing_is_called_done() {
    let mut cluster = Cluster::start(&Options::default());
    let nodes = Nodes::start(&cluster.database(), 1, "[limits]\nrequest_timeout = \"3s\"\n");
    let issue = || nodes.post(0, "/oauth/token", &[("grant_type", "client_credentials")]).expect("an answer");
    let issued = issue().json();
    let token = issued["access_token"].as_str().expect("a token");
    let revoke = || nodes.post(0, "/oauth/revoke", &[("token", token)]).expect("an answer");
    cluster.alter("SET synchronous_standby_names = 'nobody'");
    let begun = Instant::now();
    while issue().status == 200 {
        assert!(begun.elapsed() < RECOVERY_MAX, "nothing waits for the standby");
    }
    // Time enough for the node to give up the first attempt: the primary then shows what the standby does not have.
    while nodes.is_active(0, token) {
        let answer = revoke();
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
        assert!(begun.elapsed() < 2 * RECOVERY_MAX, "the first attempt is never given up");
    }
    let answer = revoke();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    cluster.alter("RESET synchronous_standby_names");
    wait_until_served(&nodes);
    assert_eq!(revoke().status, 200);
}

#[test]
fn a_command_at_one_node_is_seen_by_all_at_once() {
    let nodes = Nodes::start(&lab::database(), 2, "");
    let issued = nodes.post(0, "/oauth/token", &[("grant_type", "client_credentials")]).expect("an answer").json();
    let token = issued["access_token"].as_str().expect("a token");
    let api = nodes.nodes[1].confidential_client();
    let is_active = |node: usize| api.at(&nodes.nodes[node]).is_active(token);
    assert_eq!((is_active(0), is_active(1)), (true, true));
    assert!(nodes.nodes[1].run(&["client", "disable", &nodes.client.id], "").status.success());
    assert_eq!((is_active(0), is_active(1)), (false, false));
}

#[test]
fn who_is_signed_in_at_one_node_is_so_at_all_and_a_page_of_one_may_be_posted_to_another() {
    let nodes = Nodes::start(&lab::database(), 2, "");
    nodes.nodes[0].add_person();
    let page = |node: usize| SignInPage::at(&nodes.nodes[node]).expect("there is a page");
    // From one node to the other.
    let assert_taken = |page: &SignInPage, to: usize| {
        let (status, person) = page.post(&nodes.nodes[to], NAME, PASSWORD).expect("the node answers");
        let person = person.unwrap_or_else(|| panic!("node {to} does not take the page: {status}"));
        for node in &nodes.nodes {
            let account = person.at_node(node).look("/account").expect("the node answers");
            assert!(account.status == 200 && account.body.contains("Alice Doe"), "{account:?}");
        }
    };
    assert_taken(&page(0), 1);
    assert_taken(&page(1), 0);
    // Sealed before a rotation and opened after it, and the other way round: a node may not know the newest key yet.
    let before = [page(0), page(1)];
    assert!(nodes.nodes[0].run(&["key", "rotate"], "").status.success());
    for to in [1, 0] {
        assert_taken(&page(1 - to), to);
        assert_taken(&before[1 - to], to);
    }
    // A page is good for one rotation, and then nowhere any more.
    assert!(nodes.nodes[1].run(&["key", "rotate"], "").status.success());
    let since = Instant::now();
    while nodes.nodes.iter().any(|node| before[0].post(node, NAME, PASSWORD).is_none_or(|(_, person)| person.is_some()))
    {
        assert!(since.elapsed() < RECOVERY_MAX, "a key that was dropped still opens pages");
        std::thread::sleep(Duration::from_millis(100));
    }
}
