//! `grantry check`: reports all problems of configuration, dialects, templates and store at once. It changes nothing.

use std::path::Path;

use protocol::crypto::keys::fingerprint;
use serde_json::{Value, json};

use store::Mode;

use super::answer::{Answer, CommandError};
use crate::clock::Clock;
use crate::config::{self, Configuration, Loaded, Master, Position, Problem};
use crate::{keys, plausible};

/// Number of clients that are read at once.
const CLIENTS_AT_ONCE: usize = 500;

/// Runs `grantry check`.
pub(super) async fn run(path: &Path) -> Result<Answer, CommandError> {
    let mut notes = Vec::new();
    let problems = match config::load(path, &config::variables()) {
        Err(problems) => problems,
        Ok(Loaded { configuration, mut warnings }) => {
            let place = Position::Whole(path.display().to_string());
            warnings.extend(store_problems(&configuration, &place, &mut notes).await);
            warnings.extend(clients(&configuration, &place).await);
            warnings.extend(waivers(&configuration, &place));
            warnings.extend(also_read(&configuration, &place));
            warnings
        }
    };
    Ok(told(&problems, &notes))
}

/// Returns the problems of the store. Adds remarks to `notes`. Changes nothing.
async fn store_problems(configuration: &Configuration, place: &Position, notes: &mut Vec<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let found = match store::inspect(&configuration.store_url).await {
        Ok(found) => found,
        Err(error) => return vec![Problem::fault(place.clone(), format!("the store: {error}"))],
    };
    if let Err(why) = plausible::check_start(&Clock::System, found.greatest_id) {
        problems.push(Problem::fault(place.clone(), why.to_string()));
    }
    match (found.schema, found.schema_known) {
        (None, Some(_)) => notes.push("the database is not there yet; the first command makes it".to_owned()),
        (Some(schema), Some(known)) if schema < known => {
            notes.push(format!("the database has schema {schema}; the next command brings it to {known}"));
        }
        _ => {}
    }
    if let Some(path) = configuration.store_url.strip_prefix("sqlite:").map(Path::new)
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
    {
        let text = format!("the store: there is no folder {}; make it first", folder.display());
        problems.push(Problem::fault(place.clone(), text));
    }
    problems.extend(
        config::loose_database_files(&configuration.store_url)
            .into_iter()
            .map(|text| Problem::warning(place.clone(), format!("the store: {text}"))),
    );
    if let (Master::Known(key), Some(noted)) = (&configuration.master, found.master_fingerprint)
        && fingerprint(key) != noted
    {
        problems.push(Problem::fault(place.clone(), keys::ANOTHER));
    }
    match store::shared_ids(&configuration.store_url).await {
        Ok(ids) => problems.extend(ids.iter().map(|id| {
            let text = format!(
                "the client_id `{id}` is also the id of a user: a resource server could take the application for the user \
                 (RFC 9068 section 5). Register the application anew under another client_id"
            );
            Problem::warning(place.clone(), text)
        })),
        Err(error) => problems.push(Problem::fault(place.clone(), format!("the store: {error}"))),
    }
    if let Master::Absent(key) = &configuration.master {
        if found.schema.is_some_and(|schema| schema > 0) {
            let text = format!(
                "the master key {} is missing, but the database is there: put the key back from your backup, or name \
                 its place in `keys.master_file`",
                key.display()
            );
            problems.push(Problem::fault(place.clone(), text));
        } else {
            notes.push(format!("the master key is not there yet; the first command makes it in {}", key.display()));
        }
    }
    problems
}

/// Returns a warning for each client that has the accounts API only because its row is older than that right. A store
/// that does not exist, or whose schema is not up to date, is not opened.
async fn clients(configuration: &Configuration, place: &Position) -> Vec<Problem> {
    let url = &configuration.store_url;
    let is_current =
        store::inspect(url).await.is_ok_and(|found| found.schema.is_some() && found.schema == found.schema_known);
    if !is_current {
        return Vec::new();
    }
    let Ok(store) = store::open(url, Mode::Existing).await else { return Vec::new() };
    let (mut problems, mut after) = (Vec::new(), None);
    while let Ok(page) = store.clients(None, after, CLIENTS_AT_ONCE).await {
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        for client in page.iter().filter(|client| !client.is_disabled) {
            let id = &client.client_id;
            if client.has_accounts_api_by_age() {
                let text = format!(
                    "the client `{id}` may read and change accounts only because it is first-party and was registered \
                     before that was a right of its own: say `grantry client set {id} --accounts-api true`, or `false`"
                );
                problems.push(Problem::warning(place.clone(), text));
            }
        }
    }
    problems
}

/// Returns a warning for each accepted waiver.
fn waivers(configuration: &Configuration, place: &Position) -> Vec<Problem> {
    let mut problems = Vec::new();
    for own in configuration.dialects.iter() {
        for waiver in &own.waives {
            let row = dialect::hazard::hazard(waiver);
            let (rfc, meaning) = row.map_or(("", ""), |row| (row.rfc, row.meaning));
            let text = format!("waiver in force: `{}` has `{waiver}` ({rfc}). {meaning}", own.name);
            problems.push(Problem::warning(place.clone(), text));
        }
    }
    problems
}

/// Returns a warning for each surface that the operator lets read tokens of another.
fn also_read(configuration: &Configuration, place: &Position) -> Vec<Problem> {
    let mut problems = Vec::new();
    for own in &configuration.policies {
        for other in &own.also_reads {
            let (reader, home) = (&own.dialect, &other.dialect);
            let text = format!("also_read in force: `{reader}` reads `{home}`. {}", config::ALSO_READ_MEANING);
            problems.push(Problem::warning(place.clone(), text));
        }
    }
    problems
}

fn told(problems: &[Problem], notes: &[String]) -> Answer {
    let rows: Vec<Value> = problems.iter().map(row).collect();
    let faults = problems.iter().filter(|problem| !problem.is_warning).count();
    let warnings = problems.len() - faults;
    let mut text: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    for note in notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push_str(&match (faults, warnings) {
        (0, 0) => "everything is good".to_owned(),
        (0, _) => format!("good, with {}", counted(warnings, "warning")),
        _ => format!("{}, {}", counted(faults, "problem"), counted(warnings, "warning")),
    });
    let document = json!({"is_good": faults == 0, "problems": rows, "notes": notes});
    Answer { document, text, is_no: faults > 0 }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn row(problem: &Problem) -> Value {
    let mut row = json!({"is_warning": problem.is_warning, "text": problem.text});
    match &problem.place {
        Position::File { file, line, column } => {
            row["file"] = json!(file);
            row["line"] = json!(line);
            row["column"] = json!(column);
        }
        Position::Variable(name) => row["variable"] = json!(name),
        Position::Whole(file) => row["file"] = json!(file),
    }
    row
}
