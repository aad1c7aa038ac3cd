//! `grantry key`: lists and rotates sealing keys, and replaces the master key.

use std::path::PathBuf;

use clap::Subcommand;
use protocol::model::SealKey;
use serde_json::{Value, json};

use super::answer::{Answer, CommandError};
use super::installation::{Installation, actor};
use super::show;
use crate::keys;

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List the sealing keys.
    List,
    /// Let a new key seal. The one before it opens what it sealed until the next rotation.
    #[command(after_help = "\
Sealing keys protect what travels through browsers: pages that wait for an answer live half an hour.
Rotate as often as you like, but leave half an hour between two rotations.
The master key is not rotated: tokens and second factors depend on it. `grantry key replace-master` replaces it.")]
    Rotate,
    /// Replace the master key, after it leaked. Stop every server first.
    #[command(after_help = "\
Example:
  grantry key replace-master --new-file /etc/grantry/new.key --servers-are-stopped

What stays: users, passwords, second factors with their recovery codes, clients and their secrets, consents.
What ends: every session, code, access token, refresh token and personal token. People sign in again, applications ask again, and
personal tokens are made anew.

The new key is written to a new file; the old file is not touched. If the command breaks off, run it again with the same file: it
goes on where it was. Afterwards name the new file in keys.master_file on every node, and start the servers. Backups that were made
before need the old key.")]
    ReplaceMaster {
        /// Where to write the new master key; or a file that holds it already.
        #[arg(long, value_name = "FILE")]
        new_file: PathBuf,
        /// Say that no server runs on this store.
        #[arg(long)]
        servers_are_stopped: bool,
    },
}

impl Key {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        // Makes the first sealing key if there is none.
        installation.keys().await?;
        let ring = match self {
            Self::List => installation.store.seal_keys().await?,
            Self::Rotate => keys::rotate(&*installation.store, actor()).await.map_err(CommandError::no)?,
            Self::ReplaceMaster { new_file, servers_are_stopped } => {
                if !servers_are_stopped {
                    return Err(CommandError::usage(
                        "stop every server that uses this store, and then say --servers-are-stopped: a server that runs \
                         would go on sealing with the old key",
                    ));
                }
                return super::master::replace(installation, &new_file).await;
            }
        };
        Ok(listed(&ring))
    }
}

fn listed(ring: &[SealKey]) -> Answer {
    let last = ring.len().saturating_sub(1);
    let rows: Vec<Value> = ring
        .iter()
        .enumerate()
        .map(|(at, key)| {
            let does = if at == last { "seals and opens" } else { "opens" };
            json!({"number": key.number, "does": does, "created_at": show::time(key.created_at)})
        })
        .collect();
    let text = show::table(&rows, &["number", "does", "created_at"], "There are no sealing keys yet.");
    Answer::new(Value::Array(rows), text)
}
