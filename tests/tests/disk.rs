//! Disks that fill up, fail, or lose their power. Whatever was acknowledged is there; what cannot be written is refused; what
//! can be read is read; and nobody has to lend a hand when the disk is well again.
#![allow(clippy::disallowed_methods, reason = "tests make and remove files, and wait")]

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use tests::disk::{self, Disk};
use tests::load::{Acknowledged, Client, Load};
use tests::person::{self, Person, sign_in};
use tests::{Answer, Installation, send, skip};

/// Small enough to be filled at once, large enough for a write-ahead log to begin.
const SMALL_BYTES: u64 = 6 << 20;
/// More requests than fit into what is left of a full disk.
const REQUESTS_MAX: usize = 100_000;
/// How often the power is cut.
const CUTS: u64 = 6;

/// Everything that one installation has to show.
struct Scene {
    grantry: Installation,
    client: Client,
    person: Person,
    /// A token of the client's own.
    token: String,
    /// A token of the person's.
    access: String,
    refresh: String,
    personal: String,
}

impl Scene {
    fn on(disk: &Disk) -> Self {
        let mut grantry = Installation::on(&disk.database(), "");
        let client = grantry.own_client();
        grantry.add_person();
        let words = ["token", "add", "--user", person::NAME, "--name", "ci", "--dialect", "standard"];
        let personal = grantry.json(&words, "");
        grantry.start();
        let person = Person::signed_in(&grantry.address);
        let token = client.issue().expect("a token");
        let code = person.code(&client).expect("a code");
        let answer = client.redeem(&code).expect("an answer").json();
        let text = |name: &str| answer[name].as_str().expect(name).to_owned();
        let (access, refresh) = (text("access_token"), text("refresh_token"));
        let personal = personal["token"].as_str().expect("a token").to_owned();
        Self { grantry, client, person, token, access, refresh, personal }
    }

    fn userinfo(&self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        send(&self.grantry.address, "GET", "/oauth/userinfo", &[("Authorization", &bearer)], "").expect("an answer")
    }

    fn admin(&self, path: &str) -> u16 {
        send(self.grantry.admin(), "GET", path, &[], "").expect("the operator is answered").status
    }

    /// Issues tokens until one is refused; gives those that were acknowledged, and the refusal.
    fn issue_until_refused(&self) -> (Vec<String>, Answer) {
        let mut issued = Vec::new();
        for _ in 0..REQUESTS_MAX {
            let answer = self.client.ask().expect("an answer");
            if answer.status != 200 {
                return (issued, answer);
            }
            issued.push(answer.json()["access_token"].as_str().expect("a token").to_owned());
        }
        panic!("a disk that takes no writes took {REQUESTS_MAX}");
    }

    /// Everything that only reads goes on.
    fn assert_reads(&self) {
        for _ in 0..8 {
            assert!(self.client.is_active(&self.token) && self.client.is_active(&self.access));
        }
        // These two are also noted as used or seen, where that can be written.
        assert_eq!(self.userinfo(&self.personal).status, 200);
        assert_eq!(self.person.look("/account").expect("an answer").status, 200);
        assert_eq!(self.userinfo(&self.access).status, 200);
        for path in ["/.well-known/oauth-authorization-server", "/sign-in?next=/account"] {
            assert_eq!(send(&self.grantry.address, "GET", path, &[], "").expect("an answer").status, 200, "{path}");
        }
    }

    /// Nothing that must be written is claimed to be.
    fn assert_no_writes(&self) {
        for (what, answer) in [
            ("a token", self.client.ask()),
            ("a refresh", self.client.refresh(&self.refresh)),
            ("a revocation", self.client.post("/oauth/revoke", &[("token", &self.token)])),
        ] {
            assert_refused(what, &answer.expect("an answer"));
        }
        let code = self.person.authorize(&self.client).expect("an answer");
        assert!(!code.head.contains("code="), "a code that is not on disk: {code:?}");
        for password in [person::PASSWORD, "wrong"] {
            let (status, person) = sign_in(&self.grantry.address, password).expect("an answer");
            assert!(status == 503 && person.is_none(), "a sign-in that is not on disk: {status}");
        }
        assert_eq!((self.admin("/healthz"), self.admin("/readyz"), self.admin("/metrics")), (200, 503, 200));
    }

    /// Everything works, and nothing that was refused has happened.
    fn assert_well(&self) {
        assert!(self.client.is_active(&self.token), "a revocation that was refused has happened");
        assert_eq!(self.client.refresh(&self.refresh).expect("an answer").status, 200);
        assert!(self.client.issue().is_some());
        let code = self.person.code(&self.client).expect("a code");
        assert_eq!(self.client.redeem(&code).expect("an answer").status, 200);
        let _ = Person::signed_in(&self.grantry.address);
        assert_eq!(self.client.post("/oauth/revoke", &[("token", &self.token)]).expect("an answer").status, 200);
        assert!(!self.client.is_active(&self.token));
        assert_eq!(self.admin("/readyz"), 200);
        self.assert_calm();
    }

    fn assert_calm(&self) {
        assert!(!self.grantry.log().contains("panicked"), "{}", self.grantry.log());
    }
}

fn assert_refused(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{what}: {answer:?}");
    assert_eq!(answer.json()["error"], "temporarily_unavailable", "{what}");
    assert!(answer.header("retry-after").is_some_and(|value| value.parse::<u32>().is_ok()), "{what}: {answer:?}");
}

#[test]
fn a_full_disk_refuses_writes_goes_on_reading_and_heals_by_itself() {
    let disk = match Disk::in_memory(SMALL_BYTES) {
        Ok(disk) => disk,
        Err(why) => return skip("a_full_disk_refuses_writes_goes_on_reading_and_heals_by_itself", &why),
    };
    let mut scene = Scene::on(&disk);
    for round in 0..2 {
        let ballast = disk.fill();
        let (issued, refusal) = scene.issue_until_refused();
        assert_refused("the first token without room", &refusal);
        scene.assert_reads();
        scene.assert_no_writes();
        let command = scene.grantry.run(&["client", "add", "--name", "X", "--redirect-uri", "https://x.example/"], "");
        assert_eq!(command.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&command.stderr).contains("full"), "{command:?}");
        scene.assert_reads();
        std::fs::remove_file(ballast).expect("the ballast can be removed");
        if round == 0 {
            // The same process, asked again.
            assert!(scene.client.issue().is_some(), "{}", scene.grantry.log());
        }
        for token in &issued {
            assert!(scene.client.is_active(token), "an acknowledged token is gone");
        }
        scene.assert_calm();
    }
    assert!(scene.grantry.log().contains("full"), "{}", scene.grantry.log());
    assert!(scene.grantry.is_running());
    scene.assert_well();
}

#[test]
fn a_server_that_is_killed_on_a_full_disk_says_what_is_wrong_or_works() {
    let disk = match Disk::in_memory(SMALL_BYTES) {
        Ok(disk) => disk,
        Err(why) => return skip("a_server_that_is_killed_on_a_full_disk_says_what_is_wrong_or_works", &why),
    };
    let mut scene = Scene::on(&disk);
    let ballast = disk.fill();
    let (issued, _) = scene.issue_until_refused();
    scene.grantry.kill();
    let _ = disk.fill();
    let ended = scene.grantry.try_start();
    if let Err(status) = ended {
        assert_eq!(status.code(), Some(1), "{}", scene.grantry.log());
        let log = scene.grantry.log();
        assert!(log.contains("the database") && log.contains("full"), "{log}");
        std::fs::remove_file(&ballast).expect("the ballast can be removed");
        scene.grantry.start();
    } else {
        scene.assert_reads();
        std::fs::remove_file(&ballast).expect("the ballast can be removed");
    }
    for token in &issued {
        assert!(scene.client.is_active(token), "an acknowledged token is gone");
    }
    scene.assert_well();
}

#[test]
fn a_disk_that_fails_refuses_writes_and_goes_on_reading() {
    let name = "a_disk_that_fails_refuses_writes_and_goes_on_reading";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = folder.path().join("image");
    let disk = match disk::image(&image).and_then(|()| Disk::of_image(&image)) {
        Ok(disk) => disk,
        Err(why) => return skip(name, &why),
    };
    let mut scene = Scene::on(&disk);
    if let Err(why) = disk.fail() {
        return skip(name, &why);
    }
    let (issued, refusal) = scene.issue_until_refused();
    assert_refused("the first token on a disk that cannot be written", &refusal);
    for token in &issued {
        assert!(scene.client.is_active(token), "an acknowledged token is gone");
    }
    scene.assert_reads();
    scene.assert_no_writes();
    assert!(scene.grantry.is_running());
    scene.grantry.kill();
    let status = scene.grantry.try_start().expect_err("there is no server that cannot write");
    let log = scene.grantry.log();
    assert!(status.code() == Some(1) && log.contains("read-only"), "{status}: {log}");
    scene.assert_calm();
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_in_the_middle_of_load() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = folder.path().join("image");
    let disk = match disk::image(&image).and_then(|()| Disk::of_image(&image)) {
        Ok(disk) => disk,
        Err(why) => return skip("what_was_acknowledged_survives_a_power_cut_in_the_middle_of_load", &why),
    };
    let mut grantry = Installation::on(&disk.database(), "");
    let client = grantry.own_client();
    grantry.add_person();
    grantry.start();
    let person = Person::signed_in(&grantry.address);
    let (acknowledged, is_over) = (Mutex::new(Acknowledged::default()), AtomicBool::new(false));
    let load = Load { client: &client, person: &person, acknowledged: &acknowledged, is_over: &is_over };
    let mut cuts = Vec::new();
    load.during(|| {
        for cut in 0..CUTS {
            std::thread::sleep(Duration::from_millis(if cut == 0 { 1_500 } else { 200 + cut * 73 % 150 }));
            grantry.signal("STOP");
            stopped(grantry.pid().expect("it runs"));
            let known = acknowledged.lock().expect("nobody panicked").clone();
            // As the power cut leaves the disk: what the kernel still has in memory alone is not on it.
            let copy = folder.path().join(format!("image-{cut}"));
            std::fs::copy(&image, &copy).expect("there is room for a copy");
            cuts.push((copy, known));
            grantry.signal("CONT");
        }
    });
    grantry.kill();
    for (copy, known) in cuts {
        let disk = Disk::of_image(&copy).expect("the journal can be replayed");
        let mut after = Installation::on(&disk.database(), "");
        after.start();
        let client = client.at(&after);
        assert!(person.at(&after.address).code(&client).is_some(), "the person is signed out");
        println!("after a power cut: {known}");
        known.hold_against(&client);
        assert!(!after.log().contains("panicked"), "{}", after.log());
        after.kill();
    }
}

/// Waits until a process stands still.
fn stopped(pid: u32) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
        let is_still = tasks.flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        });
        if is_still {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the server does not stop");
}
