//! The real binary for tests: started on a folder of its own, asked over a plain socket, killed, started again.
#![allow(clippy::disallowed_methods, reason = "tests start programs, read clocks and write files")]

pub mod disk;
pub mod fixture;
pub mod frames;
pub mod google;
pub mod guide;
mod http;
pub mod issuer;
pub mod load;
pub mod person;
pub mod transcript;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub use http::{Answer, form, form_fields, send};

/// A master key, for installations that share one or have no place for it.
pub const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// How long [`wait_for`] waits.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// How long lines of the log may be on their way.
const LOG_PAUSE: Duration = Duration::from_millis(50);

/// How long a server may take to its first answer on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);

/// The binary under test: `$GRANTRY_BIN`, or the one that this build made.
///
/// # Panics
/// When there is none: a test of nothing must not pass.
#[must_use]
pub fn binary() -> PathBuf {
    let path = std::env::var_os("GRANTRY_BIN").map_or_else(
        || {
            let own = std::env::current_exe().expect("a running program has a path");
            let folder = own.parent().expect("it lies in a folder");
            // Tests lie in target/PROFILE/deps, programs in target/PROFILE.
            let folder = if folder.ends_with("deps") { folder.parent().expect("it lies in another") } else { folder };
            folder.join("grantry")
        },
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "{} is not there: build it first (`cargo build -p server`), or set GRANTRY_BIN",
        path.display()
    );
    path
}

/// An installation in a temporary folder.
pub struct Installation {
    folder: TempDir,
    /// Where it listens.
    pub address: String,
    /// The host of its issuer.
    host: String,
    admin: String,
    /// What stands before the binary on the command line, such as a program that takes rights away.
    before: Vec<String>,
    program: PathBuf,
    running: Option<Child>,
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Default for Installation {
    fn default() -> Self {
        Self::new("")
    }
}

impl Installation {
    /// A folder with a configuration that ends in `more`. Nothing runs yet.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn new(more: &str) -> Self {
        let own = Self::bare();
        own.configure(&format!("sqlite:{}", own.folder.path().join("grantry.db").display()), more);
        own
    }

    /// As [`Installation::new`], but with its database, and so its master key, elsewhere.
    ///
    /// # Panics
    /// When the folder of the configuration cannot be made.
    #[must_use]
    pub fn on(database: &Path, more: &str) -> Self {
        Self::with_store(&format!("sqlite:{}", database.display()), more)
    }

    /// As [`Installation::new`], but with its rows at the address `store`.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn with_store(store: &str, more: &str) -> Self {
        let own = Self::bare();
        own.configure(store, more);
        own
    }

    /// A node that keeps its rows at the address `store`, one of several under the name `host`. Nothing runs yet.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn node(store: &str, host: &str, more: &str) -> Self {
        let mut own = Self::bare();
        host.clone_into(&mut own.host);
        own.configure(store, more);
        own
    }

    /// As [`Installation::new`], behind a proxy that the public reaches as `front`.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn behind(front: &str, more: &str) -> Self {
        let mut own = Self::bare();
        front.clone_into(&mut own.host);
        own.configure(&format!("sqlite:{}", own.folder.path().join("grantry.db").display()), more);
        own
    }

    /// The way to its server.
    pub(crate) fn door(&self) -> http::Door {
        http::Door::new(&self.address, &self.host)
    }

    /// A folder without a configuration.
    fn bare() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (address, admin) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        Self { folder, host: address.clone(), address, admin, before: Vec::new(), program: binary(), running: None }
    }

    fn configure(&self, store: &str, more: &str) {
        let Self { host, address, admin, .. } = self;
        let text = format!(
            "issuer = \"http://{host}\"\nlisten = \"{address}\"\nadmin_listen = \"{admin}\"\n\n[store]\nurl = \"{store}\"\n\n{more}\n",
        );
        fs::write(self.folder.path().join("grantry.toml"), text).expect("the folder is writable");
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address of the admin listener.
    #[must_use]
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// Puts words before the binary on every command line: a program that takes rights away and then runs it.
    pub fn run_through(&mut self, words: &[&str]) {
        self.before = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Lets any user run the binary and read the configuration: the binary is copied, because a build may lie in a folder
    /// that nobody else may enter.
    ///
    /// # Panics
    /// When the copy cannot be made.
    pub fn open_to_all(&mut self) {
        let copy = self.folder.path().join("grantry");
        fs::copy(binary(), &copy).expect("there is room for a copy");
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        self.program = copy;
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut line = self.before.iter().map(OsString::from).chain([self.program.clone().into_os_string()]);
        let mut command = Command::new(line.next().expect("there is at least the binary"));
        command.args(line).args(words).arg("--config").arg(self.folder.path().join("grantry.toml"));
        command
    }

    /// Uses another binary from now on, such as that of an earlier version.
    pub fn use_program(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Runs a command of the binary to its end, and lets it write its answer to `out`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run_to(&self, words: &[&str], out: Stdio) -> Output {
        let child = self.command(words).stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).spawn();
        child.expect("the binary starts").wait_with_output().expect("it ends")
    }

    /// The number that /metrics gives for `name`.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        let told = send(&self.admin, "GET", "/metrics", &[], "").expect("an answer").body;
        let line = told.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {told}"));
        line.trim().parse().expect("it is a number")
    }

    /// The running server, taken out of this installation's hands.
    pub fn take_server(&mut self) -> Option<Child> {
        self.running.take()
    }

    /// Starts a command of the binary that takes its time. What it says is thrown away.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn begin(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the binary starts")
    }

    /// Runs a command of the binary to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(&self, words: &[&str], input: &str) -> Output {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        // A command that reads no input may be gone before it is written.
        let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    }

    /// Runs a command with `--json` and gives its document.
    ///
    /// # Panics
    /// When it fails or prints anything else.
    #[must_use]
    pub fn json(&self, words: &[&str], input: &str) -> Value {
        let output = self.run(&[words, &["--json"]].concat(), input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|fault| panic!("{words:?}: {fault}; {errors}"))
    }

    /// Starts the server and waits for its first answer.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn start(&mut self) {
        if let Err(status) = self.try_start() {
            panic!("the server ended with {status}:\n{}", self.log());
        }
    }

    /// Starts the server and waits for its first answer, or for its end.
    ///
    /// # Errors
    /// How it ended.
    ///
    /// # Panics
    /// When it neither answers nor ends in time.
    pub fn try_start(&mut self) -> Result<(), ExitStatus> {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        self.try_start_with(log.into())
    }

    /// As [`Installation::try_start`], with another place for what it says.
    ///
    /// # Errors
    /// How it ended.
    ///
    /// # Panics
    /// When it neither answers nor ends in time.
    pub fn try_start_with(&mut self, log: Stdio) -> Result<(), ExitStatus> {
        let child = self.command(&["serve"]).stdout(Stdio::null()).stderr(log).spawn().expect("the binary starts");
        let child = self.running.insert(child);
        let begun = Instant::now();
        while begun.elapsed() < START_MAX {
            let host = [("Host", self.host.as_str())];
            if send(&self.address, "GET", "/.well-known/oauth-authorization-server", &host, "")
                .is_some_and(|a| a.status == 200)
            {
                return Ok(());
            }
            if let Ok(Some(status)) = child.try_wait() {
                self.running = None;
                return Err(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no answer within {START_MAX:?}:\n{}", self.log());
    }

    /// What the server said so far. The log has a thread of its own, so what was said last may be on its way.
    #[must_use]
    pub fn log(&self) -> String {
        std::thread::sleep(LOG_PAUSE);
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends the server at once, by `SIGKILL`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Is the server still running?
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Sends the running server a signal, by its name.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    /// Resident memory of the running server, in KiB.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn memory_kib(&self) -> u64 {
        let pid = self.pid().expect("it runs");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("it is a number")
    }

    /// The process of the running server.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    /// Waits until the server ends by itself, and says how.
    ///
    /// # Panics
    /// When it was not running.
    pub fn wait(&mut self) -> ExitStatus {
        self.running.take().expect("it was started").wait().expect("it ends")
    }

    /// Posts a form.
    #[must_use]
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Option<Answer> {
        let kind = [("Host", self.host.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
        send(&self.address, "POST", path, &kind, &form(fields))
    }

    /// Registers a confidential client of the operator's own: nobody is asked to consent.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn own_client(&self) -> load::Client {
        self.registered(&["--kind", "confidential", "--first-party"])
    }

    /// Registers a client with a secret.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn confidential_client(&self) -> load::Client {
        self.registered(&["--kind", "confidential", "--introspection", "any"])
    }

    fn registered(&self, words: &[&str]) -> load::Client {
        let (id, secret) = self.client(words);
        load::Client::new(self, id, secret)
    }

    /// Adds a user whose name and password are [`person::NAME`] and [`person::PASSWORD`].
    ///
    /// # Panics
    /// When the command fails.
    pub fn add_person(&self) {
        self.add_user(person::NAME);
    }

    /// Adds a user of another name, with the same password.
    ///
    /// # Panics
    /// When the command fails.
    pub fn add_user(&self, name: &str) {
        let words = ["user", "add", "--username", name, "--name", "Alice Doe", "--password-stdin"];
        let _ = self.json(&words, person::PASSWORD);
    }

    /// Registers a confidential client, and gives its id and secret.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn client(&self, words: &[&str]) -> (String, String) {
        let base = ["client", "add", "--name", "Test", "--redirect-uri", "https://app.example/cb"];
        let document = self.json(&[&base, &EVERY_GRANT[..], words].concat(), "");
        let text = |name: &str| document[name].as_str().unwrap_or_else(|| panic!("{name} in {document}")).to_owned();
        (text("client_id"), text("client_secret"))
    }
}

/// The options that give a confidential client of the standard dialect all grants of that dialect.
pub const EVERY_GRANT: [&str; 6] =
    ["--grant", "authorization_code", "--grant", "refresh_token", "--grant", "client_credentials"];

/// Waits until something holds.
///
/// # Panics
/// When it does not hold in time.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < WAIT_MAX, "{what}: not within {WAIT_MAX:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Says on standard error, past the capture of test output, that a test did not run. `./check` counts these lines as
/// skipped, and as failed where nothing may be skipped.
pub fn skip(test: &str, why: &str) {
    // Whoever cannot be written to cannot be told.
    let _ = writeln!(std::io::stderr(), "\nskipped: {test}: {why}");
}

/// Connects to a server from one of the addresses 127.0.0.0/8, which stand for different clients.
///
/// # Panics
/// When the machine does not have the address.
#[must_use]
pub fn connect_from(client: [u8; 4], server: &str) -> Option<std::net::TcpStream> {
    let server: std::net::SocketAddr = server.parse().expect("an address with a port");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::from((client, 0)).into()).expect("a loopback address");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    socket.connect(&server.into()).ok()?;
    Some(socket.into())
}

/// A port that was free a moment ago, below those that the system gives to outgoing connections: one of these could take it
/// while a server is down. Each test process begins elsewhere.
///
/// # Panics
/// When loopback has none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(397);
    let mut ports = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed)).take(10_000);
    let ports = ports.by_ref().filter_map(|next| u16::try_from(20_000 + begin.wrapping_add(next) % 12_000).ok());
    let mut free = ports.filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("loopback has free ports")
}
