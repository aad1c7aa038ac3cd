//! `grantry dialect`: lists, explains and checks dialects.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use dialect::{Dialect as Rules, shipped};
use serde_json::{Value, json};

use super::answer::{Answer, CommandError};
use super::show;
use crate::config::{self, suggestion};

#[derive(Debug, Subcommand)]
pub(super) enum Dialect {
    /// List what is shipped, and what is switched on.
    List,
    /// Explain one: addresses, grants, scopes, lifetimes, waivers.
    Show {
        /// Its name.
        name: String,
    },
    /// Find all problems of a dialect file.
    #[command(after_help = "Example:\n  grantry dialect check dialects/mine.toml")]
    Check {
        /// NAME.toml, or NAME/dialect.toml.
        file: PathBuf,
    },
}

impl Dialect {
    pub(super) fn run(self, config: &Path) -> Result<Answer, CommandError> {
        match self {
            Self::List => list(config),
            Self::Show { name } => show_one(&name, config),
            Self::Check { file } => check(&file),
        }
    }
}

/// Returns the configuration; `None` if there is none.
fn configured(config: &Path) -> Result<Option<config::Configuration>, CommandError> {
    if config.exists() || std::env::var_os("GRANTRY_ISSUER").is_some() {
        return super::configuration::configuration(config).map(Some);
    }
    Ok(None)
}

fn list(config: &Path) -> Result<Answer, CommandError> {
    let configuration = configured(config)?;
    let mut rows = Vec::new();
    let row = |own: &Rules, is_enabled: bool, is_shipped: bool| {
        json!({
            "name": own.name,
            "is_enabled": is_enabled,
            "is_shipped": is_shipped,
            "base_url": (!own.base_url.is_empty()).then_some(&own.base_url),
            "waives": own.waives,
        })
    };
    for own in configuration.iter().flat_map(|configuration| configuration.dialects.iter()) {
        rows.push(row(own, true, shipped::names().any(|name| name == own.name)));
    }
    for name in shipped::names() {
        if rows.iter().any(|row| row["name"] == name) {
            continue;
        }
        if let Some(Ok(own)) = Rules::shipped(name, &[]) {
            rows.push(row(&own, false, true));
        }
    }
    let text = show::table(&rows, &["name", "is_enabled", "base_url", "waives"], "There are no dialects.");
    Ok(Answer::new(Value::Array(rows), text))
}

fn show_one(name: &str, config: &Path) -> Result<Answer, CommandError> {
    let configuration = configured(config)?;
    if let Some(own) = configuration.as_ref().and_then(|configuration| configuration.dialects.named(name)) {
        return Ok(described(own));
    }
    match Rules::shipped(name, &[]) {
        Some(Ok(own)) => Ok(described(&own)),
        Some(Err(problems)) => Err(CommandError::no(told(&problems))),
        None => {
            let near = suggestion(name, shipped::names());
            Err(CommandError::no(format!("no dialect `{name}`{near}: see `grantry dialect list`")))
        }
    }
}

fn described(own: &Rules) -> Answer {
    let text = own.describe();
    let document = json!({
        "name": own.name,
        "hosts": own.hosts,
        "base_url": (!own.base_url.is_empty()).then_some(&own.base_url),
        "waives": own.waives,
        "addresses": own.addresses().map(|(at, address)| json!({
            "name": address.name,
            "role": at.endpoint.row().name,
            "path": address.path,
            "methods": address.methods,
        })).collect::<Vec<_>>(),
        "description": text,
    });
    Answer::new(document, text)
}

fn check(file: &Path) -> Result<Answer, CommandError> {
    let name = file.display().to_string();
    let text = config::read(file).map_err(CommandError::no)?;
    let is_folder = file.file_name().is_some_and(|own| own == "dialect.toml");
    let stem = if is_folder { file.parent().and_then(Path::file_name) } else { file.file_stem() };
    let own = stem.and_then(|stem| stem.to_str()).unwrap_or("unnamed");
    let problems = Rules::check(own, &name, &text);
    let document = json!({"file": name, "problems": problems.iter().map(ToString::to_string).collect::<Vec<_>>()});
    if problems.is_empty() {
        let loaded = Rules::load(own, &[::dialect::Source::file(&name, &text)]);
        let notes = loaded.map(|own| own.notes()).unwrap_or_default();
        let notes: String = notes.iter().map(|note| format!("\nnote: {note}")).collect();
        return Ok(Answer::new(document, format!("{name} is good.{notes}")));
    }
    Ok(Answer { document, text: told(&problems), is_no: true })
}

fn told(problems: &[::dialect::Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
