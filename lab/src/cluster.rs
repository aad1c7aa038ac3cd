//! One server with its data, in a folder of its own.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::system::{as_owner, give, must, path, program};

/// How long a server may take to start, to stop, or to catch up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The only port of a folder's socket.
const PORT: u16 = 5432;
/// Runs the server for as long as somebody holds its standard input, so that it ends with the test, however that ends.
/// `$1` is the server, `$2` its data; whatever follows is passed on.
const WATCH: &str = "server=$1; data=$2; shift 2; \"$server\" -D \"$data\" \"$@\" & \
    pid=$!; cat >/dev/null; kill -QUIT $pid 2>/dev/null; wait $pid";

/// Makes the copy in `$1`, with the label `$2`, follow the server at `$3`.
const FOLLOW: &str = "cd \"$1\"; rm -f postmaster.pid postmaster.opts; printf '%s' \"$2\" >backup_label; \
    printf \"primary_conninfo = '%s'\\n\" \"$3\" >>postgresql.auto.conf; touch standby.signal";

/// How a cluster is to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Does a commit wait for the disk? Only a power cut would tell the difference, and tests have none.
    pub is_synced: bool,
    /// More settings, as `name=value`.
    pub settings: Vec<String>,
    /// Listens on this port of 127.0.0.1 as well, where it asks for the password (SCRAM) and proves itself by a
    /// certificate that [`Cluster::authority`] vouches for.
    pub port: Option<u16>,
}

/// The password of `postgres`, where one is asked for.
pub const PASSWORD: &str = "correct horse";

/// A server with its data.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    settings: Vec<String>,
    server: Option<Child>,
    databases: u32,
    port: u16,
}

impl Cluster {
    /// Makes a cluster and starts it.
    ///
    /// # Panics
    /// When there is no PostgreSQL on this machine, or it does not start.
    #[must_use]
    pub fn start(options: &Options) -> Self {
        let folder = folder();
        let mut init = program("initdb");
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).expect("the folder is writable");
        give(&password);
        init.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile"]).arg(&password);
        init.args(["--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync", "--pgdata"]);
        must(init.arg(folder.path().join("data")), "initdb");
        let mut settings = options.settings.clone();
        if let Some(port) = options.port {
            certify(folder.path());
            let file = |name: &str| folder.path().join(name).display().to_string();
            settings.extend([
                "listen_addresses=127.0.0.1".to_owned(),
                format!("port={port}"),
                "ssl=on".to_owned(),
                format!("ssl_cert_file={}", file("server.pem")),
                format!("ssl_key_file={}", file("server.key")),
            ]);
        }
        if !options.is_synced {
            settings.extend(["fsync=off".to_owned(), "full_page_writes=off".to_owned()]);
        }
        let mut cluster = Self { folder, settings, server: None, databases: 0, port: options.port.unwrap_or(PORT) };
        cluster.start_again();
        cluster
    }

    /// Starts the server of a cluster that was stopped.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.end();
        let mut command = as_owner(Path::new("/bin/sh"));
        command.args(["-c", WATCH, "sh"]).arg(path("postgres")).arg(self.data());
        for setting in ["listen_addresses=", "max_connections=400", "log_min_messages=fatal"] {
            command.args(["-c", setting]);
        }
        command.arg("-c").arg(format!("unix_socket_directories={}", self.folder.path().display()));
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log can be made");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        self.server = Some(command.spawn().expect("a shell can be started"));
        let start = Instant::now();
        while !self.is_up() {
            assert!(start.elapsed() < PATIENCE, "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// The address of a fresh database.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn database(&mut self) -> String {
        self.databases += 1;
        let name = format!("test_{}", self.databases);
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The address of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}:{}/{database}", self.host(), self.port)
    }

    /// The socket's folder, as a host in an address.
    #[must_use]
    pub fn host(&self) -> String {
        self.folder.path().display().to_string().replace('/', "%2F")
    }

    /// Where the data and the socket are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate of the authority that vouches for this server.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Runs a statement, and gives what it answers: a line a row.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = self.psql(database);
        let output = must(psql.args(["-c", statement]), "psql");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Returns a database as SQL, without the rows of some tables. Statements name the columns that they fill.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn dump(&self, database: &str, without_rows_of: &[&str]) -> String {
        let mut dump = program("pg_dump");
        dump.args([
            "--column-inserts",
            "--rows-per-insert=100",
            "--no-owner",
            "--no-privileges",
            "--username=postgres",
        ]);
        dump.args(without_rows_of.iter().map(|table| format!("--exclude-table-data={table}")));
        dump.arg("--host").arg(self.folder.path()).args(["--port", &self.port.to_string(), database]);
        String::from_utf8_lossy(&must(&mut dump, "pg_dump").stdout).into_owned()
    }

    /// Runs a statement that takes rows, `COPY … FROM STDIN`, and gives it those that `write` writes.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn feed(&self, database: &str, statement: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let mut psql = self.psql(database);
        psql.args(["--set=ON_ERROR_STOP=1", "-c", statement]).stdin(Stdio::piped());
        let mut running = psql.spawn().expect("psql can be started");
        let mut rows = BufWriter::new(running.stdin.take().expect("its input is piped"));
        let written = write(&mut rows).and_then(|()| rows.flush());
        drop(rows);
        let status = running.wait().expect("psql ends");
        assert!(written.is_ok() && status.success(), "psql took no rows: {written:?}, {status}");
    }

    /// The server's first process.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("the server runs");
        text.lines().next().and_then(|line| line.parse().ok()).expect("its first line is a process")
    }

    /// Stops the server in the middle of everything, as a crash would.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub fn crash(&mut self) {
        self.control(&["stop", "--mode=immediate"]);
        self.end();
    }

    /// Ends every connection but those of the moment's own.
    pub fn terminate_backends(&self) {
        self.sql(
            "postgres",
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
        );
    }

    /// Ends the connections of Grantry, and lets the server take new ones without ever answering them.
    ///
    /// # Panics
    /// When a process cannot be told.
    pub fn freeze(&self) {
        let pids = self.sql("postgres", "SELECT pid FROM pg_stat_activity WHERE application_name = 'grantry'");
        self.signal("-STOP");
        if !pids.is_empty() {
            must(Command::new("kill").arg("-TERM").args(pids.lines()), "kill");
        }
    }

    /// Lets a frozen server go on.
    ///
    /// # Panics
    /// When it cannot be told.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        must(Command::new("kill").args([signal, &self.pid().to_string()]), "kill");
    }

    /// Changes a setting while the server runs, by what `ALTER SYSTEM` takes.
    ///
    /// # Panics
    /// When it refuses.
    pub fn alter(&self, change: &str) {
        self.sql("postgres", &format!("ALTER SYSTEM {change}"));
        self.sql("postgres", "SELECT pg_reload_conf()");
    }

    /// A copy of this cluster that follows it, and without which nothing is acknowledged from now on.
    ///
    /// # Panics
    /// When it does not come to follow.
    #[must_use]
    pub fn standby(&mut self) -> Self {
        let folder = folder();
        self.copy_to(&folder.path().join("data"));
        let (settings, databases, port) = (self.settings.clone(), self.databases, self.port);
        let mut standby = Self { folder, settings, server: None, databases, port };
        standby.start_again();
        self.alter("SET synchronous_standby_names = '*'");
        let start = Instant::now();
        while self.sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != "1" {
            assert!(start.elapsed() < PATIENCE, "the standby does not follow: {}", standby.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        standby
    }

    /// Copies the data while the server runs, as data that follows this server. PostgreSQL has a program for that, which
    /// knows no server that is newer than itself.
    fn copy_to(&self, data: &Path) {
        let mut copying = self.psql("postgres");
        copying.args(["-c", "SELECT pg_backup_start('standby', fast => true)"]);
        copying.arg("-c").arg(format!("\\! cp -R '{}' '{}'", self.data().display(), data.display()));
        copying.args(["-c", "SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)"]);
        let said = must(&mut copying, "a copy of the data");
        // Of what `cp` missed because it had just gone there is a log; of a full disk there is none.
        let whole = as_owner(Path::new("test")).arg("-s").arg(data.join("global/pg_control")).status();
        assert!(whole.is_ok_and(|status| status.success()), "no copy: {}", String::from_utf8_lossy(&said.stderr));
        let said = String::from_utf8_lossy(&said.stdout);
        let label = &said[said.find("START WAL LOCATION").expect("the server says where the copy begins")..];
        let primary = format!("host={} port={} user=postgres", self.folder.path().display(), self.port);
        let mut finish = as_owner(Path::new("/bin/sh"));
        finish.args(["-e", "-c", FOLLOW, "sh"]).arg(data).args([label, &primary]);
        must(&mut finish, "what makes it follow");
    }

    /// Makes a standby the one that is written to.
    ///
    /// # Panics
    /// When it refuses.
    pub fn promote(&self) {
        self.sql("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
        self.sql("postgres", "SELECT pg_promote(wait => true)");
        self.sql("postgres", "SELECT pg_reload_conf()");
    }

    /// What the server wrote into its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn psql(&self, database: &str) -> Command {
        let mut psql = program("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--username=postgres", "--host"]);
        psql.arg(self.folder.path()).args(["--dbname", database, "--port"]).arg(self.port.to_string());
        psql
    }

    fn is_up(&self) -> bool {
        self.psql("postgres").args(["-c", "SELECT 1"]).output().is_ok_and(|output| output.status.success())
    }

    fn control(&self, arguments: &[&str]) {
        must(program("pg_ctl").arg("--pgdata").arg(self.data()).args(["--silent", "--wait"]).args(arguments), "pg_ctl");
    }

    /// Lets the server go, and waits until it is gone.
    fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            drop(server.stdin.take());
            // It is gone in any case; how it ended is of no interest.
            let _ = server.wait();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end();
    }
}

/// Makes an authority, and a certificate of its for `localhost`.
fn certify(folder: &Path) {
    let file = |name: &str| folder.join(name);
    let mut authority = Command::new("openssl");
    authority.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]);
    authority.args(["-subj", "/CN=Test authority", "-keyout"]).arg(file("authority.key"));
    must(authority.arg("-out").arg(file("authority.pem")), "openssl");
    let mut server = Command::new("openssl");
    server.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]);
    server.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    server.args(["-addext", "basicConstraints=critical,CA:FALSE", "-CA"]).arg(file("authority.pem"));
    server.arg("-CAkey").arg(file("authority.key")).arg("-keyout").arg(file("server.key"));
    must(server.arg("-out").arg(file("server.pem")), "openssl");
    for name in ["server.key", "server.pem"] {
        give(&file(name));
    }
}

/// A folder that whoever runs the server may use.
fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("grantry-pg-").tempdir().expect("a temporary folder can be made");
    give(folder.path());
    folder
}
