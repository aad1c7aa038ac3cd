//! The peer: the npm package `oidc-provider`, started from `peer/`, whose README says why this is fair.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::database::Database;
use crate::postgres::{BROWSERS, GRANTS, TOKENS};
use crate::process::{Server, spoken};
use crate::scene::write;
use crate::work::Way;

/// What it prints once it serves.
#[derive(Deserialize)]
struct Ready {
    port: u16,
    pids: Vec<u32>,
    client_id: String,
    client_secret: String,
    endpoints: Endpoints,
    access_tokens: Vec<String>,
    refresh_tokens: Vec<String>,
    session_cookies: Vec<String>,
}

#[derive(Deserialize)]
struct Endpoints {
    authorization: String,
    token: String,
    introspection: String,
}

/// Starts it, with a folder that is made for its files: on a database with two workers, or, without one, in the memory of
/// one process.
///
/// # Panics
/// When it does not start.
pub(crate) fn start(folder: &Path, database: Option<&Database>) -> (Server, Way) {
    std::fs::create_dir(folder).expect("the folder is writable");
    let log = folder.join("peer.log");
    let mut command = Command::new("node");
    command.current_dir(home()).arg("server.mjs").stderr(File::create(&log).expect("the folder is writable"));
    for (option, count) in [("--tokens", TOKENS), ("--refresh", GRANTS), ("--sessions", BROWSERS)] {
        command.args([option, &count.to_string()]);
    }
    match database {
        Some(database) => {
            command.args(["--adapter", "postgres", "--workers", "2", "--database", &database.url_for_node()])
        }
        None => command.args(["--adapter", "memory"]),
    };
    let (child, line) = spoken(&mut command);
    let ready: Ready = serde_json::from_str(&line).unwrap_or_else(|error| {
        panic!("the peer did not start ({error}): {}", std::fs::read_to_string(&log).unwrap_or_default())
    });
    let mut server = Server::of(child, format!("127.0.0.1:{}", ready.port));
    server.pids = ready.pids;
    if server.pids.len() > 1 {
        // The first one started the workers and does nothing since; its memory is that of the seeding.
        server.pids.remove(0);
    }
    server.postmaster = database.map(Database::pid);
    let way = Way {
        authorize: ready.endpoints.authorization,
        token: ready.endpoints.token,
        introspect: ready.endpoints.introspection,
        credentials: format!("client_id={}&client_secret={}", ready.client_id, ready.client_secret),
        tokens: write(folder, "tokens.txt", &ready.access_tokens),
        refreshes: write(folder, "refreshes.txt", &ready.refresh_tokens),
        cookies: write(folder, "cookies.txt", &ready.session_cookies),
    };
    (server, way)
}

/// Its version, and that of what runs it.
pub(crate) fn versions() -> String {
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }
    let path = home().join("node_modules/oidc-provider/package.json");
    let text = std::fs::read_to_string(path).expect("`npm ci --ignore-scripts` was run in bench/peer");
    let package: Package = serde_json::from_str(&text).expect("a package says which version it is");
    let node = Command::new("node").arg("--version").output().expect("the peer needs node on the path").stdout;
    format!("oidc-provider {} on Node.js {}", package.version, String::from_utf8_lossy(&node).trim())
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peer")
}
