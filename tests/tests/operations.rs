//! The process and its surroundings: a log that cannot be written, signals, variables. The operator is told, and the server goes
//! on where it can.
#![allow(clippy::disallowed_methods, reason = "tests look at files, start programs and read clocks")]

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::disk::Disk;
use tests::{Installation, MASTER, send, skip, wait_for};

/// How long the end of a server may take that has nothing to do.
const END_MAX: Duration = Duration::from_secs(20);
const LOST: &str = "grantry_log_lines_lost_total";

/// Asks for something that leaves a line in the log: a wrong secret.
fn provoke_line(grantry: &Installation) {
    let fields = [("grant_type", "client_credentials"), ("client_id", "nobody"), ("client_secret", "x")];
    assert_eq!(grantry.post("/oauth/token", &fields).expect("an answer").status, 401);
}

/// Asks for something that is answered as often as it is asked for, and leaves a line each time if the level is `debug`.
fn provoke_debug_line(grantry: &Installation) {
    let host = [("Host", grantry.address.as_str())];
    let answer = send(&grantry.address, "GET", "/.well-known/oauth-authorization-server", &host, "");
    assert_eq!(answer.expect("an answer").status, 200);
}

/// Ends the server by a signal, and says with which code it ended.
fn ended_by(grantry: &mut Installation, signal: &str) -> Option<i32> {
    grantry.signal(signal);
    let mut server = grantry.take_server().expect("it runs");
    let begun = Instant::now();
    while begun.elapsed() < END_MAX {
        if let Some(status) = server.try_wait().expect("it is ours") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = server.kill();
    let _ = server.wait();
    panic!("SIG{signal} does not end the server");
}

#[test]
fn a_log_that_cannot_be_written_loses_lines_and_counts_them() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("Linux has it"));
    let closed = || Stdio::from(std::io::pipe().expect("a pipe").1);
    let places: [(&str, &dyn Fn() -> Stdio); 2] = [("a full disk", &full), ("a pipe whose reader is gone", &closed)];
    for (what, log) in places {
        for level in ["info", "trace"] {
            let mut grantry = Installation::new(&format!("[log]\nlevel = \"{level}\"\n"));
            grantry.try_start_with(log()).unwrap_or_else(|status| panic!("{what}: {status}"));
            let before = grantry.metric(LOST);
            assert!(before > 0, "{what}: the first lines are lost");
            provoke_line(&grantry);
            wait_for(what, || grantry.metric(LOST) > before);
            assert_eq!(ended_by(&mut grantry, "TERM"), Some(0), "{what}");
        }
    }
}

#[test]
fn a_log_that_nobody_reads_does_not_stop_the_server() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut grantry = Installation::new("[log]\nlevel = \"trace\"\n");
    grantry.try_start_with(writer.into()).expect("it starts");
    // The pipe is full after some dozens of requests, and then the queue fills.
    wait_for("lines are lost", || {
        (0..200).for_each(|_| provoke_debug_line(&grantry));
        grantry.metric(LOST) > 0
    });
    provoke_line(&grantry);
    assert_eq!(ended_by(&mut grantry, "TERM"), Some(0));
    drop(reader);
}

#[test]
fn a_log_that_can_be_written_again_says_how_many_lines_it_lost() {
    let name = "a_log_that_can_be_written_again_says_how_many_lines_it_lost";
    let disk = match Disk::in_memory(64 << 10) {
        Ok(disk) => disk,
        Err(why) => return skip(name, &why),
    };
    let log = disk.path().join("grantry.log");
    let mut grantry = Installation::new(&format!("[log]\nlevel = \"debug\"\nfile = \"{}\"\n", log.display()));
    grantry.start();
    let ballast = disk.fill();
    wait_for("lines are lost", || {
        provoke_debug_line(&grantry);
        grantry.metric(LOST) > 2
    });
    fs::remove_file(ballast).expect("the ballast can be removed");
    wait_for("it is told", || {
        provoke_debug_line(&grantry);
        fs::read_to_string(&log).expect("the log is text").contains("the log can be written again")
    });
    let told = fs::read_to_string(&log).expect("the log is text");
    assert!(told.lines().all(|line| line.matches("Z ").count() <= 1), "a torn line was continued: {told}");
    assert_eq!(ended_by(&mut grantry, "TERM"), Some(0));
}

#[test]
fn an_answer_that_nobody_reads_ends_quietly_and_one_that_is_lost_does_not() {
    let grantry = Installation::default();
    grantry.add_person();
    let _ = grantry.json(&["key", "list"], "");
    for words in [&["user", "list"][..], &["user", "list", "--json"], &["check"], &["client", "add", "--help"]] {
        let closed = std::io::pipe().expect("a pipe").1;
        let output = grantry.run_to(words, closed.into());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*told), (Some(0), ""), "{words:?}");
    }
    for words in [&["user", "list"][..], &["user", "list", "--json"]] {
        let full = File::options().write(true).open("/dev/full").expect("Linux has it");
        let output = grantry.run_to(words, full.into());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(told.contains("the disk is full") && !told.contains("panicked"), "{told}");
    }
    // A command that has something to say on a standard error that is full.
    let mut command = Command::new(tests::binary());
    command.args(["user", "show", "nobody", "--config"]).arg(grantry.folder().join("grantry.toml"));
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    assert_eq!(command.stderr(full).status().expect("it starts").code(), Some(1));
}

#[test]
fn signals_that_mean_nothing_are_survived_and_those_that_end_it_end_in_order() {
    for last in ["TERM", "INT", "QUIT"] {
        let mut grantry = Installation::default();
        grantry.start();
        for signal in ["HUP", "USR1", "USR2", "ALRM", "PIPE", "XFSZ", "HUP"] {
            grantry.signal(signal);
            provoke_line(&grantry);
            assert!(grantry.is_running(), "SIG{signal} ends it");
        }
        assert!(grantry.log().contains("SIGHUP"), "{}", grantry.log());
        assert_eq!(ended_by(&mut grantry, last), Some(0), "SIG{last}");
        let log = grantry.log();
        assert!(log.contains("ending: no new connections") && log.contains(" ended"), "{log}");
    }
}

#[test]
fn signals_are_heeded_while_the_server_is_starting() {
    // A database that takes the connection and then says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let store = format!("postgres://g@{}/g", silent.local_addr().expect("it is bound"));
    let grantry = Installation::with_store(&store, &format!("[keys]\nmaster = \"{MASTER}\"\n"));
    for (last, first) in [("TERM", "HUP"), ("QUIT", "USR1")] {
        let mut server = grantry.begin(&["serve"]);
        // From here on it is busy with the store.
        let _connection = silent.accept().expect("it connects");
        let id = server.id().to_string();
        let signal = |name: &str| {
            let sent = Command::new("kill").args(["-s", name, &id]).status();
            assert!(sent.expect("kill runs").success());
        };
        signal(first);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(server.try_wait().expect("it is ours"), None, "SIG{first} ends it");
        signal(last);
        assert_eq!(server.wait().expect("it ends").code(), Some(0), "SIG{last}");
    }
}

#[test]
fn a_log_file_that_was_moved_away_is_let_go_after_a_hangup() {
    let mut grantry = Installation::new("[log]\nfile = \"grantry.log\"\n");
    grantry.start();
    let (log, moved) = (grantry.folder().join("grantry.log"), grantry.folder().join("grantry.log.1"));
    assert_eq!(fs::metadata(&log).expect("there is a log").mode() & 0o777, 0o600);
    fs::rename(&log, &moved).expect("it can be moved");
    grantry.signal("HUP");
    wait_for("there is a new file", || fs::read_to_string(&log).is_ok_and(|text| text.contains("SIGHUP")));
    let before = fs::metadata(&moved).expect("it is there").len();
    provoke_line(&grantry);
    wait_for("it has the line", || fs::read_to_string(&log).is_ok_and(|text| text.contains("refused")));
    assert_eq!(fs::metadata(&moved).expect("it is there").len(), before, "the old file is let go");
}

/// Makes a certificate for `name`, and its key.
fn certify(folder: &Path, name: &str) -> Option<()> {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-keyout"])
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success()).then_some(())
}

/// Whom the certificate is for that a server shows.
fn shown(address: &str) -> String {
    let asked = Command::new("openssl")
        .args(["s_client", "-connect", address])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("openssl runs");
    String::from_utf8_lossy(&asked.stdout)
        .lines()
        .find(|line| line.starts_with("subject="))
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_hangup_reads_the_certificate_again() {
    let grantry = Installation::new("[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n");
    if certify(grantry.folder(), "first").is_none() {
        return skip("a_hangup_reads_the_certificate_again", "openssl is not here");
    }
    let times = ["cert.pem", "key.pem"]
        .map(|name| fs::metadata(grantry.folder().join(name)).and_then(|file| file.modified()).expect("it is there"));
    let mut server = grantry.begin(&["serve"]);
    wait_for("the first certificate", || shown(&grantry.address).contains("first"));
    certify(grantry.folder(), "second").expect("it worked before");
    // As old as before, so that only the signal can tell.
    for (name, time) in ["cert.pem", "key.pem"].into_iter().zip(times) {
        let file = File::options().append(true).open(grantry.folder().join(name)).expect("it is there");
        file.set_modified(time).expect("it is ours");
    }
    let sent = Command::new("kill").args(["-s", "HUP", &server.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    wait_for("the second certificate", || shown(&grantry.address).contains("second"));
    let _ = server.kill();
    let _ = server.wait();
}

#[test]
fn a_variable_that_sets_nothing_is_told_by_check_and_serve() {
    let mut grantry = Installation::default();
    grantry.run_through(&["env", "GRANTRY_STORE_URL=sqlite:/data/g.db", "GRANTRY_PORT_8080_TCP_ADDR=10.0.0.1"]);
    let output = grantry.run(&["check"], "");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("GRANTRY_STORE__URL") && !told.contains("8080"), "{told}");
    grantry.start();
    assert!(grantry.log().contains("GRANTRY_STORE__URL"), "{}", grantry.log());
}

#[test]
fn a_level_that_is_none_keeps_the_server_from_starting() {
    for (level, meant) in [("warning", "`warn`"), ("verbose", "`debug`"), ("info,store=all", "`trace`")] {
        let mut grantry = Installation::new(&format!("[log]\nlevel = \"{level}\"\n"));
        let status = grantry.try_start().expect_err("it would log nothing");
        assert_eq!(status.code(), Some(1));
        let told = grantry.run(&["check"], "");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        for text in [grantry.log(), told] {
            assert!(text.contains(meant) && text.contains("grantry.toml:"), "{level}: {text}");
        }
    }
}

#[test]
fn an_answer_is_given_on_a_log_file_that_cannot_be_opened() {
    let mut grantry = Installation::new("[log]\nfile = \"no/such/folder/grantry.log\"\n");
    grantry.start();
    assert_eq!(send(grantry.admin(), "GET", "/healthz", &[], "").expect("an answer").status, 200);
    let log = grantry.log();
    assert!(log.contains("cannot be opened") && log.contains(" ready "), "the log goes to standard error: {log}");
    assert!(String::from_utf8_lossy(&grantry.run(&["check"], "").stdout).contains("cannot be written"));
}
