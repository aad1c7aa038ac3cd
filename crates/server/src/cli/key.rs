//! `grantry key`: the ring of sealing keys.

use clap::Subcommand;
use protocol::model::SealKey;
use serde_json::{Value, json};

use super::answer::{Answer, Stop};
use super::desk::{Desk, actor};
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
The master key is not rotated: tokens and second factors depend on it.")]
    Rotate,
}

impl Key {
    pub(super) async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        // Makes the first key where there is none yet, so that there is something to list or to rotate.
        desk.keys().await?;
        let ring = match self {
            Self::List => desk.store.seal_keys().await?,
            Self::Rotate => keys::rotate(&*desk.store, actor()).await.map_err(Stop::no)?,
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
