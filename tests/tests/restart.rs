//! Acknowledged means on disk. The real binary is killed with SIGKILL in the middle of load, again and again: whatever it
//! acknowledged is there afterwards, and nothing single-use works twice.
#![allow(clippy::disallowed_methods, reason = "tests read the environment and wait")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tests::{Answer, Installation, form, send};

/// Rounds of load and death. `GRANTRY_KILLS=300` for a long night.
fn rounds() -> u32 {
    std::env::var("GRANTRY_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(15)
}

const LOADERS: usize = 8;

/// What the server acknowledged.
#[derive(Default)]
struct Acknowledged {
    live: Vec<String>,
    revoked: Vec<String>,
    /// Tokens whose revocation was sent and not answered: either is right.
    unknown: Vec<String>,
}

struct Client {
    address: String,
    id: String,
    secret: String,
}

impl Client {
    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Option<Answer> {
        let own = [("client_id", self.id.as_str()), ("client_secret", self.secret.as_str())];
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        send(&self.address, "POST", path, &kind, &form(&[&own, fields].concat()))
    }

    fn issue(&self) -> Option<String> {
        let answer = self.post("/oauth/token", &[("grant_type", "client_credentials")])?;
        (answer.status == 200).then(|| answer.json()["access_token"].as_str().expect("a token").to_owned())
    }

    fn is_active(&self, token: &str) -> bool {
        let answer = self.post("/oauth/introspect", &[("token", token)]).expect("the server is up");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["active"].as_bool().expect("a verdict")
    }

    /// Issues tokens and revokes every third, until the server is gone.
    fn load(&self, acknowledged: &Mutex<Acknowledged>, is_over: &AtomicBool) {
        let mut count = 0_u32;
        while !is_over.load(Ordering::Relaxed) {
            let Some(token) = self.issue() else { continue };
            count += 1;
            if !count.is_multiple_of(3) {
                acknowledged.lock().expect("nobody panicked").live.push(token);
                continue;
            }
            let is_revoked =
                self.post("/oauth/revoke", &[("token", &token)]).is_some_and(|answer| answer.status == 200);
            let mut acknowledged = acknowledged.lock().expect("nobody panicked");
            if is_revoked { acknowledged.revoked.push(token) } else { acknowledged.unknown.push(token) }
        }
    }
}

#[test]
fn what_was_acknowledged_survives_sigkill_in_the_middle_of_load() {
    let mut grantry = Installation::default();
    let (id, secret) = grantry.client(&["--kind", "confidential"]);
    let client = Client { address: grantry.address.clone(), id, secret };
    let acknowledged = Mutex::new(Acknowledged::default());
    for round in 0..rounds() {
        grantry.start();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..LOADERS {
                scope.spawn(|| client.load(&acknowledged, &is_over));
            }
            // A different moment each time, from the first requests to a settled load.
            std::thread::sleep(Duration::from_millis(40 + u64::from(round * 37 % 160)));
            grantry.kill();
            is_over.store(true, Ordering::Relaxed);
        });
    }
    grantry.start();
    let acknowledged = acknowledged.into_inner().expect("nobody panicked");
    assert!(acknowledged.live.len() > 100, "hardly any load: {}", acknowledged.live.len());
    for token in &acknowledged.live {
        assert!(client.is_active(token), "an acknowledged token is gone");
    }
    for token in &acknowledged.revoked {
        assert!(!client.is_active(token), "a revoked token is back");
    }
    println!(
        "{} rounds: {} tokens live, {} revoked, {} unanswered",
        rounds(),
        acknowledged.live.len(),
        acknowledged.revoked.len(),
        acknowledged.unknown.len()
    );
}

#[test]
fn a_command_on_the_same_file_is_seen_by_the_running_server_at_once() {
    let mut grantry = Installation::default();
    grantry.start();
    let (id, secret) = grantry.client(&["--kind", "confidential"]);
    let client = Client { address: grantry.address.clone(), id, secret };
    let token = client.issue().expect("a client that was added a moment ago is known");
    let (api_id, api_secret) = grantry.client(&["--kind", "confidential"]);
    let api = Client { address: grantry.address.clone(), id: api_id, secret: api_secret };
    assert!(api.is_active(&token));
    assert!(grantry.run(&["client", "disable", &client.id], "").status.success());
    assert!(!api.is_active(&token), "the token of a disabled client is alive");
    let refused = client.post("/oauth/token", &[("grant_type", "client_credentials")]).expect("an answer");
    assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("invalid_client")));
    assert!(grantry.run(&["client", "enable", &client.id], "").status.success());
    assert!(client.issue().is_some(), "an enabled client is refused");
    assert!(!api.is_active(&token), "to enable a client brought its old tokens back to life");
}

#[test]
fn a_drained_server_answers_what_it_began_and_exits_cleanly() {
    let mut grantry = Installation::default();
    let (id, secret) = grantry.client(&["--kind", "confidential"]);
    grantry.start();
    let client = Client { address: grantry.address.clone(), id, secret };
    let token = client.issue().expect("a token");
    let pid = grantry.pid().expect("it runs").to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    assert!(grantry.wait().success(), "{}", grantry.log());
    grantry.start();
    assert!(client.is_active(&token));
}
