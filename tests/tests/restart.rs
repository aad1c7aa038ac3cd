//! Acknowledged means on disk. The real binary is killed with SIGKILL in the middle of load, again and again: whatever it
//! acknowledged is there afterwards, and nothing single-use works twice.
#![allow(clippy::disallowed_methods, reason = "tests read the environment and wait")]

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tests::Installation;
use tests::load::{Acknowledged, Load};
use tests::person::Person;

/// Rounds of load and death; a bit more than a minute. For a long night:
/// `GRANTRY_KILLS=3000 cargo test --workspace --test restart -- --nocapture sigkill`
fn rounds() -> u32 {
    std::env::var("GRANTRY_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

#[test]
fn what_was_acknowledged_survives_sigkill_in_the_middle_of_load() {
    let mut grantry = Installation::default();
    let client = grantry.own_client();
    grantry.add_person();
    grantry.start();
    let person = Person::signed_in(&grantry.address);
    let (acknowledged, is_over) = (Mutex::new(Acknowledged::default()), AtomicBool::new(false));
    let load = Load { client: &client, person: &person, acknowledged: &acknowledged, is_over: &is_over };
    for round in 0..rounds() {
        if round > 0 {
            grantry.start();
        }
        load.during(|| {
            // A different moment each time, from the first requests to a settled load.
            std::thread::sleep(Duration::from_millis(40 + u64::from(round * 37 % 160)));
            grantry.kill();
        });
    }
    grantry.start();
    let acknowledged = acknowledged.into_inner().expect("nobody panicked");
    println!("{} rounds: {acknowledged}", rounds());
    acknowledged.hold_against(&client);
    assert!(!grantry.log().contains("panicked"), "{}", grantry.log());
}

#[test]
fn a_command_on_the_same_file_is_seen_by_the_running_server_at_once() {
    let mut grantry = Installation::default();
    grantry.start();
    let client = grantry.confidential_client();
    let token = client.issue().expect("a client that was added a moment ago is known");
    let api = grantry.confidential_client();
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
    let client = grantry.confidential_client();
    grantry.start();
    let token = client.issue().expect("a token");
    let pid = grantry.pid().expect("it runs").to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    assert!(grantry.wait().success(), "{}", grantry.log());
    grantry.start();
    assert!(client.is_active(&token));
}
