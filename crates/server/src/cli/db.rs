//! `grantry db`: information about the database, migration, backup, repair.

mod backup;
mod moving;
mod repair;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use protocol::time::UnixTime;
use serde_json::{Map, Value, json};
use store::Mode;

use super::answer::{Answer, CommandError};
use super::installation::Installation;
use super::show;
use crate::config::Master;
use crate::keys;

/// Number of rows that one step of a sweep removes. A step blocks writers for milliseconds.
const SWEEP_ROWS: usize = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Db {
    /// How much there is of everything: sizes, rows, the oldest and the newest row of each table, the schema.
    #[command(after_help = "\
file_bytes is the size of the database, free_bytes what of it is free for new rows, log_bytes what is not written back yet.
On PostgreSQL the rows of a table above 64 MiB are not counted but estimated, as the planner does: the JSON names such
tables in rows_estimated, the text has a ~ before the number. Without an index on the time, such a table has no ages.")]
    Info,
    /// Bring the schema up to date, as the server does too when it starts; or move everything to another store.
    #[command(after_help = "\
Examples:
  grantry db migrate
  grantry db migrate --from sqlite:grantry.db --to postgres://grantry@db.example/grantry

A move may run while the server runs. Stop the server then, and move once more: only what changed is copied. Afterwards both
sides are compared from end to end. A move that broke off goes on where it was.")]
    Migrate {
        /// The store to move from. It stays as it is.
        #[arg(long, value_name = "URL", requires = "to")]
        from: Option<String>,
        /// The store to move to: empty, or filled by an earlier run.
        #[arg(long, value_name = "URL", requires = "from")]
        to: Option<String>,
        /// What is at the destination may go.
        #[arg(long, requires = "from")]
        overwrite: bool,
    },
    /// Write a copy of everything, as of one moment, into a new file, while the server runs.
    #[command(after_help = "\
Example:
  grantry db backup /backup/grantry-$(date +%F).db --passphrase-file /root/backup-passphrase

Without the master key a backup is worth nothing. With a passphrase the key is in the backup, sealed; without one,
keep a copy of the key too, in another place.")]
    Backup {
        /// The new file; it must not be there yet.
        file: PathBuf,
        #[command(flatten)]
        passphrase: backup::PassphraseFrom,
    },
    /// Fill an empty store from a backup, and compare the two from end to end.
    #[command(after_help = "\
Example:
  grantry db restore /backup/grantry-2026-11-29.db --passphrase-file /root/backup-passphrase --master-file grantry.key

--master-file writes the key of the backup into the file that `keys.master_file` of the configuration names. The backup may come from SQLite or PostgreSQL, and so may the store of the configuration. No server may run on it.")]
    Restore {
        /// The backup.
        file: PathBuf,
        #[command(flatten)]
        passphrase: backup::PassphraseFrom,
        /// Where to write the master key, if the configuration names a file that is not there yet.
        #[arg(long, value_name = "FILE", requires = "PassphraseFrom")]
        master_file: Option<PathBuf>,
    },
    /// Remove and correct what was written while the clock of this machine was wrong.
    #[command(after_help = "\
Examples:
  grantry db repair --dry-run      say what is wrong, change nothing
  grantry db repair

Rows from more than a day after now are taken for wrong, so set the clock first. Make a backup and stop all servers.
Sessions, codes, grants and tokens of such a time end. Users and clients stay; where their tokens were revoked until such a
time, the tokens they have are dead and new ones work. Running it again changes nothing.")]
    Repair {
        /// Say what is wrong, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove what is expired now, instead of waiting for the server to do it.
    Sweep,
}

impl Db {
    pub(super) async fn run(self, config: &Path) -> Result<Answer, CommandError> {
        match self {
            Self::Migrate { from: Some(from), to: Some(to), overwrite } => moving::migrate(&from, &to, overwrite).await,
            Self::Migrate { .. } => migrate(config).await,
            Self::Info => info(&Installation::open(config).await?).await,
            Self::Backup { file, passphrase } => {
                backup::backup(&file, &passphrase, &Installation::open(config).await?).await
            }
            Self::Restore { file, passphrase, master_file } => {
                backup::restore(&file, &passphrase, master_file.as_deref(), config).await
            }
            Self::Repair { dry_run } => repair::run(dry_run, &Installation::open(config).await?).await,
            Self::Sweep => sweep(&Installation::open(config).await?).await,
        }
    }
}

async fn migrate(config: &Path) -> Result<Answer, CommandError> {
    let configuration = super::configuration::configuration(config)?;
    let opened = store::open(&configuration.store_url, Mode::Existing).await;
    let store = opened.map_err(|error| CommandError::no(error.to_string()))?;
    keys::verify(&configuration.master, &*store).await.map_err(CommandError::no)?;
    let schema = store.schema().await?;
    let text =
        schema.map_or_else(|| "There is no schema.".to_owned(), |own| format!("The schema is up to date: {own}."));
    Ok(Answer::new(json!({"schema": schema}), text))
}

async fn info(installation: &Installation) -> Result<Answer, CommandError> {
    let counts = installation.store.counts().await?;
    let key = match &installation.configuration.master {
        Master::Absent(path) => Some(path.display().to_string()),
        Master::Known(_) | Master::Fleeting => None,
    };
    let url = &installation.configuration.store_url;
    let file = url.strip_prefix("sqlite:");
    let document = json!({
        "backend": counts.backend,
        // URLs of other stores may contain a password.
        "url": file.map(|_| url),
        "schema": counts.schema,
        "file_bytes": counts.file_bytes,
        "free_bytes": counts.free_bytes,
        "log_bytes": file.map(log_bytes),
        "master_key_to_be_made": key,
        "rows_estimated": counts.estimated,
        "rows": counts.rows.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect::<Map<_, _>>(),
        "ages": counts.ages.iter().map(age).collect::<Map<_, _>>(),
    });
    let mut flat = document.clone();
    if let Some(members) = flat.as_object_mut() {
        members.shift_remove("rows");
        members.shift_remove("rows_estimated");
        members.shift_remove("ages");
    }
    let shown = |(table, count): &(&'static str, u64)| {
        row(table, &rows_shown(*count, counts.estimated.contains(table)), &document["ages"])
    };
    let rows: Vec<Value> = counts.rows.iter().map(shown).collect();
    let text = show::lines(&flat) + "\n" + &show::table(&rows, &["table", "rows", "oldest", "newest"], "");
    Ok(Answer::new(document, text))
}

/// Returns the size of SQLite's write-ahead log in bytes.
fn log_bytes(file: &str) -> u64 {
    std::fs::metadata(format!("{file}-wal")).map_or(0, |metadata| metadata.len())
}

fn age((table, oldest, newest): &(&'static str, UnixTime, UnixTime)) -> (String, Value) {
    ((*table).to_owned(), json!({"oldest": show::time(*oldest), "newest": show::time(*newest)}))
}

/// Returns the number of rows for the text output. An estimate has a tilde.
fn rows_shown(count: u64, is_estimated: bool) -> Value {
    if is_estimated { json!(format!("~{count}")) } else { json!(count) }
}

fn row(table: &str, count: &Value, ages: &Value) -> Value {
    json!({"table": table, "rows": count, "oldest": ages[table]["oldest"], "newest": ages[table]["newest"]})
}

async fn sweep(installation: &Installation) -> Result<Answer, CommandError> {
    // With a wrong clock, everything may seem expired.
    installation.check_clock().await?;
    let mut removed = 0;
    installation.store.keep_events(installation.configuration.settings.audit_keep_s);
    loop {
        match installation.store.sweep(installation.now(), SWEEP_ROWS).await? {
            0 => break,
            rows => removed += rows,
        }
    }
    Ok(Answer::new(json!({"rows_removed": removed}), format!("Removed {removed} rows.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_does_not_look_like_a_count() {
        assert_eq!((rows_shown(7, false), rows_shown(7_000_000, true)), (json!(7), json!("~7000000")));
    }
}
