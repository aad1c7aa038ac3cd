//! The real binary by a clock that is wrong: it does not start and writes nothing, goes on when the clock is right again, and
//! repairs what a wrong clock left behind. `libfaketime` sets the clock.
#![allow(clippy::disallowed_methods, reason = "tests read files and wait")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lab::{Cluster, Options};
use tests::person::{NAME, Person};
use tests::{Installation, MASTER, skip};

/// How long the server may take to notice that the clock changed.
const NOTICE_MAX: Duration = Duration::from_secs(20);
/// Greater than all ids until 2059, and not one that ran over.
const ID_OF_2059: i64 = 1 << 62;

/// The library that sets the clock of a program, if it is installed.
fn library() -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"];
    folders.iter().map(|folder| Path::new(folder).join("libfaketimeMT.so.1")).find(|path| path.exists())
}

/// Lets a program see the clock that the file at `clock` names.
fn fake(installation: &mut Installation, library: &Path, clock: &Path) {
    let preload = format!("LD_PRELOAD={}", library.display());
    let file = format!("FAKETIME_TIMESTAMP_FILE={}", clock.display());
    installation.run_through(&["env", &preload, &file, "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1"]);
}

fn stderr(installation: &Installation, words: &[&str]) -> (bool, String) {
    let output = installation.run(words, "");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout),
    )
}

#[test]
fn by_a_wrong_clock_nothing_starts_and_nothing_is_written_and_a_running_server_waits() {
    let Some(library) = library() else {
        skip("by_a_wrong_clock_nothing_starts", "libfaketime is not installed");
        return;
    };
    let mut own = Installation::default();
    let clock = own.folder().join("clock");
    let set = |text: &str| std::fs::write(&clock, text).expect("the folder is writable");
    set("+0");
    fake(&mut own, &library, &clock);
    own.add_person();
    let client = own.own_client();
    let database = own.folder().join("grantry.db");
    let users = |own: &Installation| own.run(&["user", "list", "--json"], "").stdout;
    let before = (users(&own), std::fs::read(&database).expect("it is there"));
    for wrong in ["@2100-01-01 00:00:00", "@1970-01-02 00:00:00", "+20y"] {
        set(wrong);
        assert!(own.try_start().is_err(), "{wrong}: the server runs");
        for words in [
            &["user", "disable", NAME][..],
            &["user", "add", "--username", "bob", "--name", "Bob"],
            &["key", "rotate"],
            &["db", "sweep"],
            &["db", "repair"],
            &["check"],
        ] {
            let (is_done, said) = stderr(&own, words);
            assert!(!is_done && said.contains("clock"), "{wrong}: {words:?}: {said}");
        }
        assert!(own.log().contains("the clock of this machine says"), "{}", own.log());
    }
    set("+0");
    assert_eq!((users(&own), std::fs::read(&database).expect("it is there")), before, "something was written");

    own.start();
    assert!(client.issue().is_some());
    set("@2100-01-01 00:00:00");
    let wait_for = |what: &str, is_so: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < NOTICE_MAX, "{what}: {}", own.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait_for("tokens are issued", &|| client.ask().is_some_and(|answer| answer.status == 503));
    let answer = client.ask().expect("an answer");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")), "{answer:?}");
    let admin = |path: &str| tests::send(own.admin(), "GET", path, &[("Host", own.admin())], "").expect("an answer");
    assert_eq!(admin("/readyz").status, 503);
    assert!(admin("/metrics").body.contains("grantry_clock_plausible 0"), "{}", admin("/metrics").body);
    set("+0");
    wait_for("the server does not go on", &|| client.issue().is_some());
    assert_eq!(admin("/readyz").status, 200);
    assert!(own.log().contains("the clock is plausible again"), "{}", own.log());
    let _ = Person::signed_in(&own.address);
}

/// Makes rows of the future: those that a release without the check wrote by a wrong clock. `late` was added by that clock,
/// and the tokens of `revoked` were revoked by it.
fn spoil(sql: &dyn Fn(&str), late: &str, revoked: &str) {
    for (table, key) in [("sessions", "id"), ("grants", "id"), ("access_tokens", "id")] {
        sql(&format!(
            "UPDATE {table} SET {key} = {key} + {ID_OF_2059} WHERE {key} IN (SELECT max({key}) FROM {table})"
        ));
    }
    // The ids of 2100 ran over.
    sql(&format!("UPDATE sessions SET id = -id WHERE id > {ID_OF_2059}"));
    sql(&format!(
        "UPDATE clients SET key = -key, document = replace(document, '\"key\":' || key, '\"key\":-' || key) \
         WHERE client_id = '{late}'"
    ));
    sql(&format!(
        "UPDATE clients SET version = version + 1, document = replace(replace(document, \
         '\"version\":1', '\"version\":2'), '\"revoked_below\":0', '\"revoked_below\":{ID_OF_2059}') \
         WHERE client_id = '{revoked}'"
    ));
}

/// Repairs an installation, and looks whether it works.
fn repaired(own: &mut Installation, spoil: impl FnOnce(&Installation, &str, &str)) {
    own.start();
    own.add_person();
    let (client, late, revoked) = (own.own_client(), own.own_client(), own.own_client());
    let person = Person::signed_in(&own.address);
    let code = person.code(&client).expect("a code");
    let kept = client.redeem(&code).expect("an answer").json();
    let code = person.code(&client).expect("a code");
    assert_eq!(client.redeem(&code).expect("an answer").status, 200);
    own.kill();
    spoil(own, &late.id, &revoked.id);
    assert!(own.try_start().is_err(), "the server starts");
    assert!(own.log().contains("grantry db repair"), "{}", own.log());
    let dry = own.json(&["db", "repair", "--dry-run"], "");
    assert!(dry["total"].as_i64().expect("a number") >= 5, "{dry}");
    assert_eq!(own.json(&["db", "repair", "--dry-run"], "")["found"], dry["found"], "a dry run changes nothing");
    let done = own.json(&["db", "repair"], "");
    assert_eq!(done["found"], dry["found"]);
    assert_eq!(own.json(&["db", "repair"], "")["total"], 0, "once is enough");
    own.start();
    assert!(client.is_active(kept["access_token"].as_str().expect("a token")), "what was right works");
    assert!(late.issue().is_some(), "the client with another key works");
    assert!(revoked.issue().is_some(), "new tokens of a client that was revoked by the wrong clock work");
    let person = Person::signed_in(&own.address);
    let code = person.code(&client).expect("a new code");
    assert_eq!(client.redeem(&code).expect("an answer").status, 200, "new codes work");
}

#[test]
fn rows_of_the_future_are_repaired_on_sqlite() {
    let mut own = Installation::default();
    repaired(&mut own, |own, late, revoked| {
        let database = own.folder().join("grantry.db");
        spoil(
            &|sql| {
                let connection = rusqlite::Connection::open(&database).expect("the database is there");
                connection.execute_batch(sql).expect("the statement is right");
            },
            late,
            revoked,
        );
    });
}

#[test]
fn rows_of_the_future_are_repaired_on_postgres() {
    let mut cluster = Cluster::start(&Options::default());
    let mut own = Installation::with_store(&cluster.database(), &format!("[keys]\nmaster = \"{MASTER}\"\n"));
    repaired(&mut own, |_, late, revoked| spoil(&|sql| drop(cluster.sql("test_1", sql)), late, revoked));
}
