//! Mixed load for a long time: everything that clients and people do, and some of what goes wrong. Tokens, grants and codes
//! live for half a minute, so that as much goes as comes; then memory, open files and p99 have no reason to grow.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lab::{Cluster, Options};
use tests::load::Client;
use tests::person::{self, Person, REDIRECT_URI, VERIFIER, sign_in_as};
use tests::{Answer, Installation, MASTER};

use crate::wire::Wire;
use crate::{median, verdict};

const CONFIGURATION: &str =
    "[dialect.standard.token]\naccess = { ttl = \"20s\" }\nrefresh = { ttl = \"30s\", ttl_absolute = \"30s\" }\n";
const METADATA: &str = "/.well-known/oauth-authorization-server";
/// How many people there are. What one of them sees of the own account grows with what that one did.
const PEOPLE: usize = 50;
/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(4);
/// Between two looks at memory and files.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);
/// Memory may grow by a tenth, and what an allocator keeps for a busy second.
const MEMORY_TIMES_MAX: f64 = 1.10;
const MEMORY_MORE_MIB: f64 = 8.0;
/// Connections come and go between two looks.
const FILES_MORE: f64 = 12.0;
/// Neighbours on the machine come and go too.
const P99_TIMES_MAX: f64 = 2.0;

/// What happened in a minute.
#[derive(Default)]
struct Minute {
    /// How long requests took, in µs.
    took_us: Vec<u32>,
    memory_mib: Vec<f64>,
    files: Vec<f64>,
}

/// A minute in figures.
struct Figures {
    requests: usize,
    p50_ms: f64,
    p99_ms: f64,
    memory_mib: f64,
    files: f64,
}

struct Soak<'a> {
    grantry: &'a Installation,
    client: Client,
    people: Vec<Person>,
    visits: AtomicUsize,
    minute: Mutex<Minute>,
    sign_ins: AtomicU64,
    wrong: AtomicU64,
    first_wrong: Mutex<Option<String>>,
    is_over: AtomicBool,
}

/// Loads a server for so long, prints a line each minute, and says whether everything was flat.
pub(crate) fn run(time: Duration, is_on_postgres: bool) -> bool {
    let mut cluster = is_on_postgres.then(|| Cluster::start(&Options { is_synced: true, ..Options::default() }));
    let mut grantry = match &mut cluster {
        Some(cluster) => {
            Installation::with_store(&cluster.database(), &format!("[keys]\nmaster = \"{MASTER}\"\n{CONFIGURATION}"))
        }
        None => Installation::new(CONFIGURATION),
    };
    let client = grantry.own_client();
    let names: Vec<String> = (0..PEOPLE).map(|number| format!("person-{number}")).collect();
    names.iter().for_each(|name| grantry.add_user(name));
    grantry.start();
    let signed_in = |name: &String| sign_in_as(&grantry.address, name, person::PASSWORD).and_then(|(_, person)| person);
    let people = names.iter().map(|name| signed_in(name).expect("everybody can sign in")).collect();
    let soak = Soak {
        grantry: &grantry,
        client,
        people,
        visits: AtomicUsize::new(0),
        minute: Mutex::default(),
        sign_ins: AtomicU64::new(0),
        wrong: AtomicU64::new(0),
        first_wrong: Mutex::default(),
        is_over: AtomicBool::new(false),
    };
    let figures = soak.during(time);
    let is_right = soak.told();
    let log = grantry.log();
    let is_calm = !log.contains("panicked") && !log.contains("ERROR");
    if !is_calm {
        println!("the log has errors: {}", log.lines().find(|line| line.contains("ERROR")).unwrap_or("a panic"));
    }
    are_flat(&figures) && is_right && is_calm
}

impl Soak<'_> {
    fn during(&self, time: Duration) -> Vec<Figures> {
        let begun = Instant::now();
        let mut figures = Vec::new();
        println!("| minute | requests | p50 ms | p99 ms | memory MiB | open files |\n|--:|--:|--:|--:|--:|--:|");
        std::thread::scope(|scope| {
            for act in [Self::introspect, Self::introspect, Self::issue, Self::issue, Self::visit, Self::visit] {
                scope.spawn(move || self.repeat(act));
            }
            for act in [Self::discover, Self::err, Self::come_and_go] {
                scope.spawn(move || self.repeat(act));
            }
            scope.spawn(|| self.sign_in());
            while begun.elapsed() < time {
                std::thread::sleep(LOOK_EVERY);
                self.look();
                let number = figures.len() + 1;
                if begun.elapsed() >= MINUTE * u32::try_from(number).unwrap_or(u32::MAX) {
                    let minute = std::mem::take(&mut *self.minute.lock().expect("nobody panicked"));
                    let own = minute.figures();
                    println!(
                        "| {number} | {} | {:.2} | {:.2} | {:.1} | {:.0} |",
                        own.requests, own.p50_ms, own.p99_ms, own.memory_mib, own.files
                    );
                    figures.push(own);
                }
            }
            self.is_over.store(true, Ordering::Relaxed);
        });
        figures
    }

    fn look(&self) {
        let pid = self.grantry.pid().expect("it runs");
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        let memory_mib = self.grantry.memory_kib() as f64 / 1024.0;
        let mut minute = self.minute.lock().expect("nobody panicked");
        minute.memory_mib.push(memory_mib);
        minute.files.push(files as f64);
    }

    fn repeat(&self, act: impl Fn(&Self, &mut Wire)) {
        let mut wire = Wire::new(&self.grantry.address);
        while !self.is_over.load(Ordering::Relaxed) {
            act(self, &mut wire);
            std::thread::sleep(PAUSE);
        }
    }

    /// Has it done, notes how long it took, and whether the answer is as it must be.
    fn timed(&self, what: &str, status: u16, ask: impl FnOnce() -> std::io::Result<Answer>) -> Option<Answer> {
        let begun = Instant::now();
        let answer = ask();
        let took_us = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        self.minute.lock().expect("nobody panicked").took_us.push(took_us);
        match answer {
            Ok(answer) if answer.status == status => Some(answer),
            other => {
                self.note_wrong(format!("{what}: {other:?}"));
                None
            }
        }
    }

    fn note_wrong(&self, text: String) {
        self.wrong.fetch_add(1, Ordering::Relaxed);
        self.first_wrong.lock().expect("nobody panicked").get_or_insert(text);
    }

    fn post(&self, wire: &mut Wire, what: &str, path: &str, fields: &[(&str, &str)]) -> Option<Answer> {
        let own = [("client_id", self.client.id.as_str()), ("client_secret", self.client.secret.as_str())];
        self.timed(what, 200, || wire.post(path, &[&own, fields].concat()))
    }

    fn token(&self, wire: &mut Wire) -> Option<String> {
        let answer = self.post(wire, "a token", "/oauth/token", &[("grant_type", "client_credentials")])?;
        text(&answer, "access_token")
    }

    fn issue(&self, wire: &mut Wire) {
        let _ = self.token(wire);
    }

    fn introspect(&self, wire: &mut Wire) {
        let Some(token) = self.token(wire) else { return };
        for _ in 0..8 {
            let answer = self.post(wire, "introspection", "/oauth/introspect", &[("token", &token)]);
            if answer.is_some_and(|answer| answer.json()["active"] != true) {
                self.note_wrong("a token that was issued a moment ago is not active".to_owned());
            }
        }
        let _ = self.post(wire, "revocation", "/oauth/revoke", &[("token", &token)]);
    }

    /// A whole code flow, the profile, and some refreshes.
    fn visit(&self, wire: &mut Wire) {
        let path = Person::authorize_path(&self.client);
        let number = self.visits.fetch_add(1, Ordering::Relaxed) % PEOPLE;
        let cookie = [("Cookie", self.people[number].cookie())];
        let Some(answer) = self.timed("authorization", 302, || wire.ask("GET", &path, &cookie, "")) else { return };
        let Some(code) = Person::code_of(&answer) else { return self.note_wrong(format!("no code: {answer:?}")) };
        let redeem =
            [("grant_type", "authorization_code"), ("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)];
        let redeemed = self.post(wire, "a code", "/oauth/token", &[&redeem[..], &[("code", &code)]].concat());
        let Some(mut answer) = redeemed else { return };
        for _ in 0..3 {
            let (Some(access), Some(refresh)) = (text(&answer, "access_token"), text(&answer, "refresh_token")) else {
                return self.note_wrong(format!("no tokens: {answer:?}"));
            };
            let bearer = format!("Bearer {access}");
            self.timed("userinfo", 200, || wire.ask("GET", "/oauth/userinfo", &[("Authorization", &bearer)], ""));
            let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
            let Some(next) = self.post(wire, "a refresh", "/oauth/token", &fields) else { return };
            answer = next;
        }
        self.timed("the account", 200, || wire.ask("GET", "/account", &cookie, ""));
    }

    fn discover(&self, wire: &mut Wire) {
        self.timed("metadata", 200, || wire.ask("GET", METADATA, &[], ""));
    }

    /// What clients do wrong.
    fn err(&self, wire: &mut Wire) {
        let form = "/oauth/token";
        self.timed("no such client", 401, || {
            wire.post(form, &[("grant_type", "client_credentials"), ("client_id", "nobody"), ("client_secret", "x")])
        });
        self.timed("no grant", 400, || wire.post(form, &[]));
        self.timed("no such page", 404, || wire.ask("GET", "/nowhere", &[], ""));
        self.timed("no such token", 401, || {
            wire.ask("GET", "/oauth/userinfo", &[("Authorization", "Bearer nonsense")], "")
        });
        self.timed("too large", 400, || wire.post(form, &[("x", &"x".repeat(100_000))]));
    }

    /// Connections that are opened and left, at every stage.
    fn come_and_go(&self, wire: &mut Wire) {
        for words in ["", "GET / HT", "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant"] {
            if let Err(error) = wire.hang_up(words) {
                self.note_wrong(format!("no connection: {error}"));
            }
        }
        std::thread::sleep(PAUSE * 5);
    }

    /// A person every now and then; the time that a password takes is not among the others.
    fn sign_in(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            match sign_in_as(&self.grantry.address, "person-0", person::PASSWORD) {
                Some((_, Some(_))) => drop(self.sign_ins.fetch_add(1, Ordering::Relaxed)),
                other => self.note_wrong(format!("a sign-in: {other:?}")),
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn told(&self) -> bool {
        let info = self.grantry.json(&["db", "info"], "");
        println!("\n{} sign-ins besides; the database at the end: {info}", self.sign_ins.load(Ordering::Relaxed));
        let wrong = self.wrong.load(Ordering::Relaxed);
        if let Some(first) = &*self.first_wrong.lock().expect("nobody panicked") {
            println!("{wrong} answers were not as they must be, the first of them: {first}");
        }
        wrong == 0
    }
}

fn text(answer: &Answer, name: &str) -> Option<String> {
    answer.json()[name].as_str().map(str::to_owned)
}

impl Minute {
    fn figures(mut self) -> Figures {
        self.took_us.sort_unstable();
        let requests = self.took_us.len();
        let percentile_ms = |percent: usize| {
            let at = (requests * percent / 100).min(requests.saturating_sub(1));
            self.took_us.get(at).map_or(0.0, |us| f64::from(*us) / 1e3)
        };
        let (p50_ms, p99_ms) = (percentile_ms(50), percentile_ms(99));
        Figures { requests, p50_ms, p99_ms, memory_mib: median(self.memory_mib), files: median(self.files) }
    }
}

/// Holds the last third against the first. In the first minute rows come and none goes, so it is left out.
fn are_flat(figures: &[Figures]) -> bool {
    let steady = if figures.len() > 2 { &figures[1..] } else { figures };
    let third = steady.len().div_ceil(3);
    let (first, last) = (&steady[..third], &steady[steady.len() - third..]);
    let both = |of: fn(&Figures) -> f64| (median(first.iter().map(of)), median(last.iter().map(of)));
    let mut is_flat = true;
    let mut told = |name: &str, (first, last): (f64, f64), max: f64| {
        is_flat &= last <= max;
        println!(
            "{name}: {first:.1} in the first third, {last:.1} in the last; at most {max:.1}: {}",
            verdict(last <= max)
        );
    };
    let memory = both(|minute| minute.memory_mib);
    told("memory MiB", memory, memory.0 * MEMORY_TIMES_MAX + MEMORY_MORE_MIB);
    let files = both(|minute| minute.files);
    told("open files", files, files.0 + FILES_MORE);
    let p99 = both(|minute| minute.p99_ms);
    told("p99 ms", p99, p99.0 * P99_TIMES_MAX);
    println!("{}", if is_flat { "flat" } else { "NOT FLAT" });
    is_flat
}
