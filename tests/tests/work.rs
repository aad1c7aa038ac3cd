//! Jobs are done by running servers: at least once, by one server at a time, and as the operator sees them.
#![allow(clippy::disallowed_methods, reason = "tests read clocks and wait")]

use std::time::{SystemTime, UNIX_EPOCH};

use protocol::time::UnixTime;
use serde_json::{Value, json};
use store::{JobClaim, Mode};
use tests::{Installation, MASTER, wait_for};

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    UnixTime(i64::try_from(since.as_secs()).expect("it is before the end of time"))
}

/// The jobs that `grantry work list` shows.
fn listed(grantry: &Installation) -> Vec<Value> {
    let Value::Array(rows) = grantry.json(&["work", "list"], "") else { panic!("it is a list") };
    rows
}

fn add(grantry: &Installation, words: &[&str]) -> String {
    let added = grantry.json(&[&["work", "test"], words].concat(), "");
    added["id"].as_str().expect("it has an ID").to_owned()
}

#[test]
fn a_test_job_is_done_by_the_running_server_which_logs_who_added_it() {
    let mut grantry = Installation::default();
    grantry.start();
    let id = add(&grantry, &[]);
    wait_for("the job is done", || listed(&grantry).is_empty());
    let log = grantry.log();
    let line = log.lines().find(|line| line.contains("did a test job")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(&id) && line.contains("uid "), "{line}");
    assert_eq!(grantry.metric("grantry_job_attempts_total{outcome=\"done\"}"), 1);
}

#[test]
fn a_job_of_a_server_that_was_killed_is_done_by_the_next_one_when_the_claim_is_over() {
    let mut grantry = Installation::default();
    add(&grantry, &[]);
    // What a server leaves that is killed between the claim of a job and its end.
    let url = format!("sqlite:{}", grantry.folder().join("grantry.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let until = now().plus(4);
    runtime.block_on(async {
        let store = store::open(&url, Mode::Existing).await.expect("it is there");
        let claim = JobClaim { holder: 7, now: now(), for_s: 4, jobs_max: 1, kinds: &["test"] };
        assert_eq!(store.claim_jobs(claim).await.map(|jobs| jobs.len()), Ok(1));
    });
    grantry.start();
    wait_for("the job is done", || listed(&grantry).is_empty());
    assert!(now() >= until, "the job was taken from a worker that held it");
    assert!(grantry.log().contains("did a test job"));
}

#[test]
fn a_job_that_fails_is_listed_with_its_error_and_can_be_retried_and_dropped() {
    let mut grantry = Installation::default();
    grantry.start();
    let id = add(&grantry, &["--fail"]);
    let failed = || listed(&grantry).first().is_some_and(|job| !job["last_error"].is_null());
    wait_for("it failed", failed);
    let job = listed(&grantry).remove(0);
    assert_eq!((&job["id"], &job["kind"], &job["state"]), (&json!(id), &json!("test"), &json!("waiting")), "{job}");
    assert!(job["attempts"].as_u64() >= Some(1) && job["last_error"] == "this test job was made to fail", "{job}");
    assert!(job.get("document").is_none(), "a document may hold what is private");
    let count = |words: &[&str]| grantry.json(&[&["work", "list"], words].concat(), "").as_array().map(Vec::len);
    assert_eq!(["waiting", "dead"].map(|state| count(&["--state", state])), [Some(1), Some(0)]);
    assert_eq!(["test", "mail"].map(|kind| count(&["--kind", kind])), [Some(1), Some(0)]);
    assert_eq!(count(&["--limit", "0"]), Some(0));
    assert_eq!(grantry.json(&["work", "retry", &id], "")["is_due"], true);
    assert_eq!(grantry.json(&["work", "drop", &id], "")["is_dropped"], true);
    let noted = |kind: &str| grantry.json(&["event", "list", "--kind", kind], "");
    for kind in ["job_retried", "job_dropped"] {
        let (events, detail) = (noted(kind), format!("job {id}"));
        let of_actor = events[0]["actor"].as_str().is_some_and(|actor| actor.contains("uid "));
        assert!(events[0]["detail"] == json!(detail) && of_actor, "{events}");
    }
    for verb in ["retry", "drop"] {
        let refused = grantry.run(&["work", verb, &id], "");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{told}");
        assert!(told.contains("grantry work list"), "{told}");
    }
    assert_eq!(listed(&grantry), [] as [Value; 0]);
}

#[test]
fn of_two_nodes_on_one_postgresql_one_does_each_job() {
    const JOBS: usize = 12;
    let (url, config) = (lab::database(), format!("[keys]\nmaster = \"{MASTER}\"\n"));
    let mut nodes = [0, 1].map(|_| Installation::node(&url, "127.0.0.1:9", &config));
    let ids: Vec<String> = (0..JOBS).map(|_| add(&nodes[0], &[])).collect();
    nodes.iter_mut().for_each(Installation::start);
    wait_for("all jobs are done", || listed(&nodes[0]).is_empty());
    let logs = nodes.each_ref().map(Installation::log).concat();
    for id in ids {
        let done = logs.lines().filter(|line| line.contains("did a test job") && line.contains(&id)).count();
        assert_eq!(done, 1, "{id}: {logs}");
    }
}
