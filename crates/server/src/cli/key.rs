//! `grantry key`: lists and rotates sealing keys and signing keys, and replaces the master key.

use std::path::PathBuf;

use clap::Subcommand;
use protocol::model::{SealKey, SigningKey};
use protocol::time::UnixTime;
use serde_json::{Value, json};

use super::answer::{Answer, CommandError};
use super::installation::{Installation, actor};
use super::show;
use crate::keys;
use crate::signing_keys::{Place, Rotation};

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List the sealing keys, or the signing keys.
    List {
        /// List the keys that sign tokens.
        #[arg(long)]
        signing: bool,
    },
    /// Let a new key seal, or let the next keys sign. What the keys before them sealed or signed stays good.
    #[command(after_help = "\
Sealing keys protect what travels through browsers: pages that wait for an answer live half an hour.
Rotate as often as you like, but leave half an hour between two rotations.
The master key is not rotated: tokens and second factors depend on it. `grantry key replace-master` replaces it.

Examples:
  grantry key rotate
  grantry key rotate --signing
  grantry key rotate --signing --now --drop-retired

The last one is for a private signing key that leaked: tokens that the keys before have signed are refused from then on, as soon as
applications fetch the key set again, which they may keep for an hour.")]
    Rotate {
        /// Rotate the keys that sign tokens: the next key of each algorithm takes over.
        #[arg(long)]
        signing: bool,
        /// Let the next keys sign even if applications may still have a key set without them.
        #[arg(long, requires = "signing")]
        now: bool,
        /// Remove all retired keys, so that nothing that they signed can be verified.
        #[arg(long, requires = "signing")]
        drop_retired: bool,
    },
    /// Replace the master key, after it leaked. Stop every server first.
    #[command(after_help = "\
Example:
  grantry key replace-master --new-file /etc/grantry/new.key --servers-are-stopped

What stays: users, passwords, second factors with their recovery codes, clients and their secrets, consents.
What ends: every session, code, access token, refresh token and personal token, and the keys that sign tokens. People sign in again, applications ask again, and
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
            Self::List { signing: true } => return Ok(listed_signing(&installation.store.signing_keys().await?)),
            Self::List { signing: false } => installation.store.seal_keys().await?,
            Self::Rotate { signing: true, now, drop_retired } => {
                let rotation = Rotation { is_immediate: now, drops_retired: drop_retired };
                return rotate_signing(installation, rotation).await;
            }
            Self::Rotate { signing: false, .. } => {
                keys::rotate(&*installation.store, actor()).await.map_err(CommandError::no)?
            }
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

/// Rotates the signing keys. Servers read the change from the store.
async fn rotate_signing(installation: &Installation, rotation: Rotation) -> Result<Answer, CommandError> {
    let keys = installation.keys().await?;
    let place = Place { store: &*installation.store, keys: &keys, now: installation.now() };
    let rows = place.rotate(rotation, &actor()).await.map_err(CommandError::no)?;
    Ok(listed_signing(&rows))
}

fn listed_signing(rows: &[SigningKey]) -> Answer {
    let time = |at: Option<UnixTime>| at.map(show::time);
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "kid": row.kid, "algorithm": row.algorithm, "state": row.state().as_str(),
                "created_at": show::time(row.created_at), "active_at": time(row.active_at),
                "retired_at": time(row.retired_at),
            })
        })
        .collect();
    let columns = ["kid", "algorithm", "state", "created_at", "active_at", "retired_at"];
    let text = show::table(&rows, &columns, "There are no signing keys yet. The first signature makes them.");
    Answer::new(Value::Array(rows), text)
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
