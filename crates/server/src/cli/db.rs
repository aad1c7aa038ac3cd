//! `grantry db`: the database itself.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use protocol::time::UnixTime;
use serde_json::{Map, Value, json};
use store::Mode;

use super::answer::{Answer, Stop};
use super::desk::Desk;
use super::show;
use crate::config::Master;

/// Rows that one step of a sweep removes: a step holds the writer for milliseconds.
const SWEEP_ROWS: usize = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Db {
    /// How much there is of everything: sizes, rows, the oldest and the newest row of each table, the schema.
    #[command(after_help = "\
file_bytes is the size of the database, free_bytes what of it is free for new rows, log_bytes what is not written back yet.")]
    Info,
    /// Bring the schema up to date. The server does so too when it starts.
    Migrate,
    /// Write a copy of everything, as of one moment, into a new file, while the server runs.
    #[command(after_help = "\
Example:
  grantry db backup /backup/grantry-$(date +%F).db

Keep a copy of the master key too, in another place: without it a backup is worth nothing, and together
they are worth everything.")]
    Backup {
        /// The new file; it must not be there yet.
        file: PathBuf,
    },
    /// Remove what is expired now, instead of waiting for the server to do it.
    Sweep,
}

impl Db {
    pub(super) async fn run(self, config: &Path) -> Result<Answer, Stop> {
        match self {
            Self::Migrate => migrate(config).await,
            Self::Info => info(&Desk::open(config).await?).await,
            Self::Backup { file } => backup(&file, &Desk::open(config).await?).await,
            Self::Sweep => sweep(&Desk::open(config).await?).await,
        }
    }
}

async fn migrate(config: &Path) -> Result<Answer, Stop> {
    let configuration = super::configuration(config)?;
    let opened = store::open(&configuration.store_url, Mode::Existing).await;
    let store = opened.map_err(|error| Stop::no(error.to_string()))?;
    let schema = store.counts().await?.schema;
    let text =
        schema.map_or_else(|| "There is no schema.".to_owned(), |own| format!("The schema is up to date: {own}."));
    Ok(Answer::new(json!({"schema": schema}), text))
}

async fn info(desk: &Desk) -> Result<Answer, Stop> {
    let counts = desk.store.counts().await?;
    let key = match &desk.configuration.master {
        Master::Absent(path) => Some(path.display().to_string()),
        Master::Known(_) | Master::Fleeting => None,
    };
    let url = &desk.configuration.store_url;
    let file = url.strip_prefix("sqlite:");
    let document = json!({
        "backend": counts.backend,
        // Other addresses may hold a password.
        "url": file.map(|_| url),
        "schema": counts.schema,
        "file_bytes": counts.file_bytes,
        "free_bytes": counts.free_bytes,
        "log_bytes": file.map(log_bytes),
        "master_key_to_be_made": key,
        "rows": counts.rows.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect::<Map<_, _>>(),
        "ages": counts.ages.iter().map(age).collect::<Map<_, _>>(),
    });
    let mut flat = document.clone();
    if let Some(members) = flat.as_object_mut() {
        members.shift_remove("rows");
        members.shift_remove("ages");
    }
    let rows: Vec<Value> = counts.rows.iter().map(|(name, count)| row(name, *count, &document["ages"])).collect();
    let text = show::lines(&flat) + "\n" + &show::table(&rows, &["table", "rows", "oldest", "newest"], "");
    Ok(Answer::new(document, text))
}

/// What was written and is not in the database file yet; it is written back from time to time.
fn log_bytes(file: &str) -> u64 {
    std::fs::metadata(format!("{file}-wal")).map_or(0, |metadata| metadata.len())
}

fn age((table, oldest, newest): &(&'static str, UnixTime, UnixTime)) -> (String, Value) {
    ((*table).to_owned(), json!({"oldest": show::time(*oldest), "newest": show::time(*newest)}))
}

fn row(table: &str, count: u64, ages: &Value) -> Value {
    json!({"table": table, "rows": count, "oldest": ages[table]["oldest"], "newest": ages[table]["newest"]})
}

async fn backup(file: &Path, desk: &Desk) -> Result<Answer, Stop> {
    if file.exists() {
        return Err(Stop::no(format!("{} is there already: name a new file", file.display())));
    }
    desk.store.backup(file).await?;
    let bytes = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let text = format!(
        "Wrote {} ({bytes} bytes). It is worth nothing without the master key: keep a copy of that in another place.",
        file.display()
    );
    Ok(Answer::new(json!({"file": file.display().to_string(), "bytes": bytes}), text))
}

async fn sweep(desk: &Desk) -> Result<Answer, Stop> {
    let mut removed = 0;
    loop {
        match desk.store.sweep(desk.now(), SWEEP_ROWS).await? {
            0 => break,
            rows => removed += rows,
        }
    }
    Ok(Answer::new(json!({"rows_removed": removed}), format!("Removed {removed} rows.")))
}
