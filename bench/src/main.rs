//! The benchmark: the ceiling and Grantry on SQLite, in one run, interleaved, the median of three. See `cargo xtask bench`.
#![allow(clippy::disallowed_methods, reason = "a benchmark starts programs, reads clocks and writes files")]
#![allow(clippy::cast_precision_loss, reason = "rates and times are told to three figures")]

mod load;
mod process;
mod report;
mod seed;
mod sign_ins;

use std::path::{Path, PathBuf};

use load::{Measured, Workload, median};
use process::Server;
use report::{Figure, Goal, Line};
use seed::Seeder;

const ROUNDS: usize = 3;
const TINYREBRAND_HOST: &str = "tinyrebrand.localhost";
const PHP_HOST: &str = "php.localhost";
const GRANTS: usize = 20_000;
/// SHA-256 of nothing: a key that nobody uses elsewhere.
const MASTER: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(6);
    let folder = tempfile::Builder::new().prefix("grantry-bench").tempdir_in(process::binaries()).expect("a folder");
    let bench = Bench { seconds, folder: folder.path().to_owned(), master: MASTER };
    let page = bench.run();
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/generated/bench.md");
    std::fs::write(&out, &page).expect("the docs are writable");
    println!("{page}");
}

struct Bench {
    seconds: u64,
    folder: PathBuf,
    master: [u8; 32],
}

/// Workloads of a Grantry with so many tokens.
struct Scene {
    server: Server,
    cookie: String,
    tokens: PathBuf,
    refreshes: PathBuf,
    /// The same, of another dialect.
    other_tokens: PathBuf,
    other_refreshes: PathBuf,
    idle_mib: f64,
    start_ms: f64,
}

impl Bench {
    fn run(&self) -> String {
        say("seeding 100,000 tokens");
        let scene = self.scene("main", 100_000, 1, GRANTS);
        let ceiling = Server::ceiling();
        let credentials = format!("client_id=bench&client_secret={}", seed::SECRET);
        let on_ceiling = [
            work("post.lua", vec!["/".into(), format!("{credentials}&token={}", "0".repeat(43))]),
            work("get.lua", vec!["/".into()]),
        ];
        let mut on_grantry = standard_work(&scene, &credentials);
        on_grantry.extend(other_work(&scene));
        let mut ceilings = vec![Vec::new(); on_ceiling.len()];
        let mut measured = vec![Vec::new(); on_grantry.len()];
        for round in 1..=ROUNDS {
            for (at, workload) in on_ceiling.iter().enumerate() {
                ceilings[at].push(self.measure(round, "ceiling", &ceiling, workload));
            }
            for (at, workload) in on_grantry.iter().enumerate() {
                measured[at].push(self.measure(round, "grantry", &scene.server, workload));
            }
        }
        let mut lines = lines(medians(ceilings), medians(measured));
        let mut figures = self.storm(&scene, &on_grantry[1]);
        figures.extend(footprint(&scene));
        drop((scene, ceiling));
        lines.extend(self.growth(&credentials));
        report::page(&machine(self.seconds), &lines, &figures)
    }

    fn measure(&self, round: usize, name: &str, server: &Server, workload: &Workload) -> Measured {
        let measured = load::run(server, workload, self.seconds, round);
        say(&format!(
            "round {round}: {name} {}: {:.0}/s, {:.1} µs, {} errors",
            workload.script, measured.rate, measured.cpu_us, measured.errors
        ));
        measured
    }

    /// The token endpoint's p99 while 50 people sign in, against a quiet one.
    fn storm(&self, scene: &Scene, issue: &Workload) -> Vec<Figure> {
        say("the token endpoint in a storm of sign-ins");
        let quiet = load::run(&scene.server, issue, self.seconds, 1);
        let storm = sign_ins::SignIns::begin(&scene.server.address);
        std::thread::sleep(std::time::Duration::from_secs(1));
        let loud = load::run(&scene.server, issue, self.seconds, 1);
        let signed_in = storm.end();
        assert!(signed_in > 0, "nobody could sign in: the storm was none");
        let times = loud.p99_ms / quiet.p99_ms;
        vec![Figure {
            name: "p99 of client_credentials while 50 people sign in, against a quiet one",
            value: format!(
                "{:.1} ms / {:.1} ms = {times:.1} ({signed_in} sign-ins meanwhile)",
                loud.p99_ms, quiet.p99_ms
            ),
            goal: Some(("≤ 5".into(), times <= 5.0)),
        }]
    }

    /// Introspection with a million live tokens, against ten thousand.
    fn growth(&self, credentials: &str) -> Vec<Line> {
        say("seeding 10,000 and 1,000,000 tokens");
        let small = self.scene("small", 10_000, 1, 0);
        let large = self.scene("large", 1_000_000, 10, 0);
        let workload = |scene: &Scene| Workload {
            script: "introspect.lua",
            args: vec!["/oauth/introspect".into(), credentials.to_owned(), scene.tokens.display().to_string()],
            host: None,
        };
        let mut of = vec![Vec::new(), Vec::new()];
        for round in 1..=ROUNDS {
            of[0].push(self.measure(round, "10,000", &small.server, &workload(&small)));
            of[1].push(self.measure(round, "1,000,000", &large.server, &workload(&large)));
        }
        let [few, many]: [Measured; 2] = medians(of);
        let goal = Goal { rate: 0.85, cpu: f64::INFINITY };
        vec![
            Line { name: "introspection, 10,000 live tokens", measured: few, against: None },
            Line {
                name: "introspection, 1,000,000 live tokens, against 10,000",
                measured: many,
                against: Some((few, goal)),
            },
        ]
    }

    /// A Grantry of its own, with a past.
    fn scene(&self, name: &str, tokens: usize, every: usize, grants: usize) -> Scene {
        let folder = self.folder.join(name);
        std::fs::create_dir(&folder).expect("the folder is writable");
        let config = folder.join("grantry.toml");
        let (port, admin) = (free_port(), free_port());
        let master = data_encoding::BASE64URL_NOPAD.encode(&self.master);
        let text = format!(
            "issuer = \"http://127.0.0.1:{port}\"\nlisten = \"127.0.0.1:{port}\"\nadmin_listen = \"127.0.0.1:{admin}\"\n\
             [store]\nurl = \"sqlite:{}\"\n[keys]\nmaster = \"{master}\"\n\
             [dialects]\nenable = [\"standard\", \"tinyrebrand\", \"php-endpoints\"]\n\
             accept = [\"password-grant\", \"open-introspection\", \"open-revocation\", \"code-without-redirect-uri\"]\n\
             [dialect.tinyrebrand]\nhosts = [\"{TINYREBRAND_HOST}\"]\nlimit = {{ token = \"off\", api = \"off\" }}\n\
             [dialect.php-endpoints]\nhosts = [\"{PHP_HOST}\"]\nlimit = {{ token = \"off\", api = \"off\" }}\n",
            folder.join("grantry.db").display()
        );
        std::fs::write(&config, text).expect("the folder is writable");
        let address = format!("127.0.0.1:{port}");
        let (server, took) = Server::grantry(&config, &address);
        let idle_mib = server.memory_mib();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let (cookie, access, refresh, other_access, other_refresh) = runtime.block_on(async {
            let mut seeder = Seeder::open(&folder.join("grantry.db"), &self.master).await;
            let cookie = seeder.people().await;
            let (access, refresh) =
                (seeder.access(&seed::STANDARD, tokens, every).await, seeder.grants(&seed::STANDARD, grants).await);
            // Where the other dialects are not measured, they have nothing.
            let others = if grants == 0 { 0 } else { tokens };
            let other = &seed::TINYREBRAND;
            (cookie, access, refresh, seeder.access(other, others, every).await, seeder.grants(other, grants).await)
        });
        let write = |name: &str, lines: Vec<String>| {
            let path = folder.join(name);
            std::fs::write(&path, lines.join("\n") + "\n").expect("the folder is writable");
            path
        };
        Scene {
            server,
            cookie,
            tokens: write("tokens.txt", access),
            refreshes: write("refreshes.txt", refresh),
            other_tokens: write("other-tokens.txt", other_access),
            other_refreshes: write("other-refreshes.txt", other_refresh),
            idle_mib,
            start_ms: took.as_secs_f64() * 1e3,
        }
    }
}

fn work(script: &'static str, args: Vec<String>) -> Workload {
    Workload { script, args, host: None }
}

/// The arguments that divide a file of tokens among rounds and threads.
fn parts() -> [String; 2] {
    [(load::THREADS as usize * ROUNDS).to_string(), load::THREADS.to_string()]
}

/// What is asked of the standard dialect.
fn standard_work(scene: &Scene, credentials: &str) -> Vec<Workload> {
    let path = |name: &str| format!("/oauth/{name}");
    let text = |path: &Path| path.display().to_string();
    let flow = format!(
        "/oauth/authorize?response_type=code&client_id=bench&redirect_uri={}&scope=profile&state=s\
         &code_challenge={}&code_challenge_method=S256",
        seed::REDIRECT_URI.replace(':', "%3A").replace('/', "%2F"),
        seed::CHALLENGE
    );
    let redeem = format!(
        "{credentials}&grant_type=authorization_code&redirect_uri={}&code_verifier={}",
        seed::REDIRECT_URI,
        seed::VERIFIER
    );
    let [all, threads] = parts();
    vec![
        work("introspect.lua", vec![path("introspect"), credentials.to_owned(), text(&scene.tokens)]),
        work("post.lua", vec![path("token"), format!("{credentials}&grant_type=client_credentials")]),
        work("refresh.lua", vec![path("token"), credentials.to_owned(), text(&scene.refreshes), all, threads]),
        work("flow.lua", vec![flow, path("token"), redeem, format!("grantry-session={}", scene.cookie)]),
        work("get.lua", vec!["/.well-known/oauth-authorization-server".into()]),
    ]
}

/// The same of two other dialects.
fn other_work(scene: &Scene) -> Vec<Workload> {
    let at = |host, script, args| Workload { host: Some(host), ..work(script, args) };
    let text = |path: &Path| path.display().to_string();
    let (tinyrebrand, php) = (seed::TINYREBRAND.client_id, seed::PHP_ENDPOINTS.client_id);
    let ask = vec!["/api/oauth/introspect".into(), "token_type_hint=access_token".into(), text(&scene.other_tokens)];
    let [all, threads] = parts();
    let refresh =
        vec!["/api/oauth/token".into(), format!("client_id={tinyrebrand}"), text(&scene.other_refreshes), all, threads];
    let flow = vec![
        format!("/api/authorize.php?client_id={php}&redirect_uri={}&response_type=code", seed::REDIRECT_URI),
        "/api/token.php".into(),
        format!("client_id={php}&client_secret={}", seed::SECRET),
        format!("grantry-session={}", scene.cookie),
    ];
    vec![
        at(TINYREBRAND_HOST, "introspect.lua", ask),
        at(TINYREBRAND_HOST, "refresh.lua", refresh),
        at(PHP_HOST, "flow.lua", flow),
    ]
}

/// What was measured, in the order of [`standard_work`] and [`other_work`], beside what it must reach.
fn lines([post, get]: [Measured; 2], measured: [Measured; 8]) -> Vec<Line> {
    let [introspect, issue, refresh, flow, discovery, introspect_tr, refresh_tr, flow_php] = measured;
    let line = |name, measured, against| Line { name, measured, against };
    let goal = |ceiling, rate, cpu| Some((ceiling, Goal { rate, cpu }));
    let like = |standard| goal(standard, 0.85, f64::INFINITY);
    vec![
        line("ceiling, POST", post, None),
        line("ceiling, GET", get, None),
        line("introspection, spread over 100,000 tokens", introspect, goal(post, 0.80, 2.0)),
        line("client_credentials, durable", issue, goal(post, 0.50, 3.5)),
        line("refresh with rotation, durable", refresh, goal(post, 0.25, 6.0)),
        line("whole code flow with PKCE, flows", flow, goal(post, 0.10, 12.0)),
        line("discovery document", discovery, goal(get, 0.90, 1.3)),
        line("introspection through tinyrebrand, against the standard dialect", introspect_tr, like(introspect)),
        line("refresh through tinyrebrand, against the standard dialect", refresh_tr, like(refresh)),
        line("code flow through php-endpoints, against the standard dialect", flow_php, like(flow)),
    ]
}

fn footprint(scene: &Scene) -> Vec<Figure> {
    let after_mib = scene.server.memory_mib();
    vec![
        Figure {
            name: "start to first answer",
            value: format!("{:.0} ms", scene.start_ms),
            goal: Some(("≤ 100 ms".into(), scene.start_ms <= 100.0)),
        },
        Figure {
            name: "memory, idle",
            value: format!("{:.0} MiB", scene.idle_mib),
            goal: Some(("≤ 30 MiB".into(), scene.idle_mib <= 30.0)),
        },
        Figure {
            name: "memory, after the run",
            value: format!("{after_mib:.0} MiB"),
            goal: Some(("≤ 150 MiB".into(), after_mib <= 150.0)),
        },
    ]
}

fn medians<const N: usize>(of: Vec<Vec<Measured>>) -> [Measured; N] {
    let medians: Vec<Measured> = of.into_iter().map(median).collect();
    medians.try_into().expect("as many as were measured")
}

fn machine(seconds: u64) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores,{}; {} connections; {ROUNDS} rounds of {seconds} s, the median.",
        model.trim_start_matches([' ', '\t', ':']).split('@').next().map(|name| format!(" {name}")).unwrap_or_default(),
        load::CONNECTIONS
    )
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn say(text: &str) {
    eprintln!("bench: {text}");
}
