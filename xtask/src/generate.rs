//! Docs that are made from tables in the code, so that they cannot be wrong for long: a check fails when they are stale.

use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;

use dialect::hazard::HAZARDS;
use protocol::wire::Param;
use protocol::{endpoint, refusal};
use server::config::options::{self, Kind, Otherwise};

use crate::tree::root;

/// Write the pages, or compare them?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Check,
}

const NOTE: &str = "Made by `cargo xtask generate` from the tables in the code; do not edit.\n";

pub(crate) fn run(mode: Mode) -> ExitCode {
    let folder = root().join("docs/generated");
    let mut stale = Vec::new();
    for (name, page) in [
        ("endpoints.md", endpoints()),
        ("refusals.md", refusals()),
        ("hazards.md", hazards()),
        ("options.md", options()),
    ] {
        let path = folder.join(name);
        if fs::read_to_string(&path).is_ok_and(|own| own == page) {
            continue;
        }
        match mode {
            Mode::Check => stale.push(name),
            Mode::Write => {
                fs::create_dir_all(&folder).expect("the repository is writable");
                fs::write(&path, page).expect("the repository is writable");
                println!("wrote docs/generated/{name}");
            }
        }
    }
    for name in &stale {
        eprintln!("docs/generated/{name} is stale: run `cargo xtask generate`");
    }
    if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn endpoints() -> String {
    let mut out = format!(
        "# Endpoints\n\n{NOTE}\nThe roles that an address of a dialect can have. A dialect file says where they are and how they are spelled.\n\n\
         | role | methods | what for | parameters | defined in |\n|---|---|---|---|---|\n"
    );
    for row in endpoint::TABLE {
        let params: Vec<&str> = row.params.iter().copied().map(Param::as_str).collect();
        let params = if params.is_empty() { "none".to_owned() } else { format!("`{}`", params.join("` `")) };
        writeln!(out, "| `{}` | {} | {} | {params} | {} |", row.name, row.methods.join(", "), row.sentence, row.rfc)
            .expect("strings take text");
    }
    out
}

fn refusals() -> String {
    let mut out = format!(
        "# Refusals\n\n{NOTE}\nEvery way in which this server says no. The name is in the log and in the metrics; the text is what the\n\
         client is told. Several names share one text where the difference would help an attacker. A dialect may spell the\n\
         error word, the status and the text in its own way; the names stay.\n\n\
         | name | error | what it means | what the client is told | defined in |\n|---|---|---|---|---|\n"
    );
    for row in refusal::TABLE {
        writeln!(
            out,
            "| `{}` | `{}` | {} | {} | {} |",
            row.name,
            row.kind,
            row.meaning,
            row.detail
                .unwrap_or(row.text)
                .replace(['[', ']'], "")
                .replace("{}", "…")
                .replace("{value}", "…")
                .replace("{choices}", "…"),
            row.rfc
        )
        .expect("strings take text");
    }
    out
}

fn options() -> String {
    let mut out = format!(
        "# Options\n\n{NOTE}\nEvery key of the configuration file but those of `[dialect.NAME]`, which are the dialect's own\n\
         (`dialects/README.md`). An environment variable overrides its key; with `_FILE` behind its name, the value is read from\n\
         that file. Relative paths are beside the configuration file.\n\n\
         | key | a value | default | what for | variable |\n|---|---|---|---|---|\n"
    );
    for row in options::TABLE {
        let default = match row.default {
            Otherwise::Absent => "none".to_owned(),
            Otherwise::Texts(texts) => format!("`{texts:?}`"),
            Otherwise::Text(_) | Otherwise::Count(_) | Otherwise::Flag(_) => format!("`{}`", row.sample()),
        };
        writeln!(out, "| `{}` | {} | {default} | {} | `{}` |", row.path, looks(row.kind), row.sentence, row.variable())
            .expect("strings take text");
    }
    out
}

fn looks(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Secret => "text, never repeated in messages".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Word(words) => words.join(" or "),
        Kind::Texts => "list of texts".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Count(least, most) => format!("number, {least} to {most}"),
        Kind::Duration(least_s, most_s) => format!("duration, {least_s} s to {most_s} s"),
    }
}

fn hazards() -> String {
    let mut out = format!(
        "# Waivers\n\n{NOTE}\nRules that a surface can break. The loader works out from a dialect file which of them it breaks; the file must declare\n\
         exactly those in `waives`, and the operator must accept each by name in `[dialects] accept`. The standard dialect breaks none.\n\n\
         | name | the rule | stands in | what breaking it means |\n|---|---|---|---|\n"
    );
    for hazard in HAZARDS {
        writeln!(out, "| `{}` | {} | {} | {} |", hazard.name, hazard.rule, hazard.rfc, hazard.meaning)
            .expect("strings take text");
    }
    out
}
