//! The command line. Each command is a file and returns one [`Answer`], which is printed as text or as one JSON
//! document.
//!
//! Exit codes: 0 for success, 1 for a failure or a negative answer, 2 for wrong usage.

mod answer;
mod bench;
mod check;
mod checked;
pub(crate) mod client;
mod configuration;
mod confirm;
mod db;
mod dialect;
mod event;
mod grant;
mod init;
pub(crate) mod input;
mod installation;
mod key;
mod master;
mod paging;
mod serve;
mod show;
mod token;
pub(crate) mod user;
mod words;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

pub use answer::{Answer, CommandError};
pub use installation::Installation;

use crate::observe::sink;

const EXAMPLES: &str = "\
Begin:
  grantry demo                        look around: nothing to configure
  grantry init && grantry serve       write grantry.toml, edit it, run

Every day:
  grantry user add --email alice@example.com --name \"Alice Doe\" --password-stdin
  grantry client add --name Importer --redirect-uri https://app.example/callback
  grantry check                       before every restart

Commands work while the server runs, on the same store, and the server sees the change at once.
Exit codes: 0 done, 1 the answer is no, 2 wrong usage. Secrets are read from standard input or files.";

const SIGNALS: &str = "\
SIGTERM, SIGQUIT or Ctrl-C ends it, after the requests in flight. SIGHUP reads the certificate and opens the log file again.
SIGUSR1 and SIGUSR2 do nothing. Logs go to standard error, or to log.file. Lines that cannot be written are lost and counted:
the server goes on.";

/// How long the end of the process waits for blocking work.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);

/// A self-hosted OAuth 2.x authorization server.
#[derive(Debug, Parser)]
#[command(name = "grantry", bin_name = "grantry", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = "grantry.toml", env = "GRANTRY_CONFIG")]
    config: PathBuf,
    /// Print exactly one JSON document.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented grantry.toml and a fresh master key beside it.
    Init(init::Init),
    /// Find all problems of configuration, dialects, templates and store; touches nothing.
    Check,
    /// Run the server.
    #[command(after_help = SIGNALS)]
    Serve,
    /// Run everything at once, with nothing to configure: a server, people, applications, a sample site.
    Demo(crate::demo::Demo),
    /// Users: people with an account.
    #[command(subcommand)]
    User(user::User),
    /// Clients: applications and APIs.
    #[command(subcommand)]
    Client(client::Client),
    /// Personal access tokens.
    #[command(subcommand)]
    Token(token::Token),
    /// Grants: what a user has allowed an application.
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Audit events: who signed in, what was allowed, what was changed.
    #[command(subcommand)]
    Event(event::Event),
    /// The sealing keys, which protect pages on their way through a browser, and the master key.
    #[command(subcommand)]
    Key(key::Key),
    /// Dialects: how a surface spells OAuth.
    #[command(subcommand)]
    Dialect(dialect::Dialect),
    /// Jobs: work that the server does beside answering requests.
    #[command(subcommand)]
    Work(work::Work),
    /// The database.
    #[command(subcommand)]
    Db(db::Db),
    /// Load a running server, and print requests a second, p50 and p99.
    Bench(bench::Bench),
}

/// Parses the arguments, runs the command, and prints its output.
#[must_use]
pub fn run() -> ExitCode {
    // Only the owner can access files that this process makes, including those that a library makes.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let is_json = arguments.json;
    let runtime = match arguments.command {
        // Only these commands need a thread for each core.
        Command::Serve | Command::Demo(_) | Command::Bench(_) => {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()
        }
        _ => tokio::runtime::Builder::new_current_thread().enable_all().build(),
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return answer::print_stop(&CommandError::no(error.to_string()), is_json),
    };
    let outcome = runtime.block_on(act(arguments));
    // Blocking work, such as a disk that does not respond, must not keep the process from ending.
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    let code = match outcome {
        Ok(answer) => answer::print(&answer, is_json),
        Err(stop) => answer::print_stop(&stop, is_json),
    };
    sink::flush();
    code
}

/// Prints a usage error, or the help that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    // If printing fails, nobody can read the error either.
    let _ = error.print();
    let is_json = std::env::args_os().any(|word| word == "--json");
    if error.use_stderr() && is_json {
        let text = error.kind().as_str().unwrap_or("wrong usage");
        answer::print_document(&serde_json::json!({"error": text}));
    }
    ExitCode::from(if error.use_stderr() { answer::USAGE } else { answer::DONE })
}

async fn act(arguments: Arguments) -> Result<Answer, CommandError> {
    let config = arguments.config;
    match arguments.command {
        Command::Init(init) => init.run(),
        Command::Check => check::run(&config).await,
        Command::Serve => serve::run(&config).await,
        Command::Demo(demo) => demo.run(arguments.json).await,
        Command::User(user) => user.run(&Installation::open(&config).await?).await,
        Command::Client(client) => client.run(&Installation::open(&config).await?).await,
        Command::Token(token) => token.run(&Installation::open(&config).await?).await,
        Command::Grant(grant) => grant.run(&Installation::open(&config).await?).await,
        Command::Event(event) => event.run(&Installation::open(&config).await?, arguments.json).await,
        Command::Key(key) => key.run(&Installation::open(&config).await?).await,
        Command::Dialect(dialect) => dialect.run(&config),
        Command::Work(work) => work.run(&Installation::open(&config).await?).await,
        Command::Db(db) => db.run(&config).await,
        Command::Bench(bench) => bench.run().await,
    }
}
