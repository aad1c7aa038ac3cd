//! `grantry db migrate --from … --to …`: copies all rows to another store.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use store::moving::{self, Moved, Progress};
use store::{Mode, Store};

use crate::cli::answer::{Answer, CommandError};
use crate::cli::show;
use crate::keys::SERVING;

/// Minimum time between two lines of progress that are not written to a terminal.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Copies all rows. Rows of the destination that the source does not have are removed. So the destination must be empty
/// or come from an earlier run, unless `is_forced`.
pub(super) async fn migrate(from: &str, to: &str, is_forced: bool) -> Result<Answer, CommandError> {
    if from == to {
        return Err(CommandError::usage("--from and --to name the same store"));
    }
    let source = open("--from", from, Mode::Existing).await?;
    let destination = open("--to", to, Mode::Create).await?;
    if !is_forced {
        may_be_filled(&*source, &*destination).await?;
    }
    let moved = copy(&*source, &*destination).await?;
    let rows: u64 = moved.iter().map(|table| table.rows).sum();
    let text = format!(
        "{}\nMoved {rows} rows, and compared them from end to end: they are the same.\n\
         Next: stop the server, run this once more (it copies only what changed), set `store.url` to the new address, keep \
         the same master key, and start the server.",
        show::table(&documents(&moved), &["table", "rows", "sha256"], "")
    );
    Ok(Answer::new(json!({"rows": rows, "tables": documents(&moved)}), text))
}

async fn open(option: &str, url: &str, mode: Mode) -> Result<Arc<dyn Store>, CommandError> {
    store::open(url, mode).await.map_err(|error| CommandError::no(format!("{option}: {error}")))
}

/// Copies all rows and compares both stores. Shows progress on standard error.
pub(super) async fn copy(source: &dyn Store, destination: &dyn Store) -> Result<Vec<Moved>, CommandError> {
    let mut told = Told::new();
    let moved = moving::move_all(source, destination, |progress| told.tell(progress)).await;
    told.end();
    moved.map_err(|error| CommandError::no(error.to_string()))
}

fn documents(moved: &[Moved]) -> Vec<Value> {
    moved.iter().map(|own| json!({"table": own.table, "rows": own.rows, "sha256": own.digest})).collect()
}

/// Checks that the destination is empty, or holds a part of the source.
async fn may_be_filled(source: &dyn Store, destination: &dyn Store) -> Result<(), CommandError> {
    let (there, here) = (source.seal_keys().await?, destination.seal_keys().await?);
    let greatest = destination.greatest_id().await?;
    if here.is_empty() && greatest == 0 {
        return Ok(());
    }
    // The source may have rotated its sealing keys since the last run, so one common key is enough.
    if !here.iter().any(|key| there.contains(key)) {
        return Err(CommandError::no(
            "--to: another installation is there, or this one as it was before all its sealing keys were rotated. Name an \
             empty database; or, if you are sure that what is there may go, say --overwrite",
        ));
    }
    if destination.was_leased(SERVING).await? || greatest > source.greatest_id().await? {
        return Err(CommandError::no(
            "--to: a server has worked on it already. If what it did there may go, say --overwrite",
        ));
    }
    Ok(())
}

/// Progress on standard error: one changing line on a terminal, or a line every few seconds in a log.
struct Told {
    is_watched: bool,
    last: Instant,
}

impl Told {
    fn new() -> Self {
        Self { is_watched: std::io::stderr().is_terminal(), last: Instant::now() }
    }

    fn tell(&mut self, Progress { table, rows, written }: Progress) {
        let text = format!("{table}: {rows} rows, {written} written");
        if self.is_watched {
            tell(&format!("\r\x1b[K{text}"));
        } else if self.last.elapsed() >= TELL_EVERY {
            self.last = Instant::now();
            tell(&format!("{text}\n"));
        }
    }

    fn end(&self) {
        if self.is_watched {
            tell("\r\x1b[K");
        }
    }
}

/// Writes progress. Errors are ignored, so that the copy continues.
fn tell(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
