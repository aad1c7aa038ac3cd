//! From text to a checked [`Dialect`]: the standard file, a dialect's own file over it, the operator's overrides over both.
//! Everything that is wrong is found in one go.

mod endpoints;
mod parts;
mod replies;

use protocol::model::GrantType;

use crate::file::File;
use crate::hazard::{self, HAZARDS};
use crate::problem::{Problem, line_and_column, suggestion};
use crate::reader::{Located, Reader, Text};
use crate::rules::Dialect;
use crate::shipped::{STANDARD, STANDARD_FILE};
use crate::tree::{self, Node, Source, Table};

/// Tables that a layer replaces as a whole: a list of scopes is a list, not an addition to somebody else's.
fn is_whole(path: &str) -> bool {
    matches!(path, "scope.list" | "scope.implies")
}

impl Dialect {
    /// Reads a dialect from its file and the operator's overrides, in this order, both laid over the standard dialect.
    /// The standard dialect itself needs no file.
    ///
    /// # Errors
    /// Everything that is wrong, each with its file, line and column.
    pub fn load(name: &str, sources: &[Source<'_>]) -> Result<Self, Vec<Problem>> {
        let mut layers = vec![Source::file(STANDARD_FILE, STANDARD)];
        layers.extend_from_slice(sources);
        let mut reader = Reader::new(&layers);
        let trees: Vec<Table> =
            layers.iter().enumerate().map(|(at, source)| tree::parse(source, at, &mut reader.problems)).collect();
        if !reader.problems.is_empty() {
            return Err(in_order(reader.problems));
        }
        let is_standard = name == "standard";
        let merged = merge(trees, is_standard);
        let file = File::read(&merged, &mut reader);
        let has_overrides = layers.iter().any(|layer| !layer.table.is_empty());
        let dialect = build(name, &file, &mut reader);
        if reader.problems.is_empty()
            && let Some(dialect) = &dialect
        {
            check_waivers(dialect, &file, has_overrides, &mut reader);
        }
        match dialect {
            Some(dialect) if reader.problems.is_empty() => Ok(dialect),
            _ => Err(in_order(reader.problems)),
        }
    }

    /// Everything that is wrong with a dialect file by itself.
    #[must_use]
    pub fn check(name: &str, file: &str, text: &str) -> Vec<Problem> {
        Self::load(name, &[Source::file(file, text)]).err().unwrap_or_default()
    }

    /// The shipped or standard dialect of this name under the operator's overrides; `None` when none is shipped.
    #[must_use]
    pub fn shipped(name: &str, overrides: &[Source<'_>]) -> Option<Result<Self, Vec<Problem>>> {
        let mut sources = Vec::new();
        if name != "standard" {
            sources.push(crate::shipped::source(name)?);
        }
        sources.extend_from_slice(overrides);
        Some(Self::load(name, &sources))
    }
}

/// As they stand in the files, each once.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    problems.dedup();
    problems
}

/// Lays the layers over each other. A dialect has the endpoints, grants, hosts and waivers that it names itself; for the
/// endpoints that it names, keys that it leaves out are those of the standard endpoint with the same role.
fn merge(layers: Vec<Table>, is_standard: bool) -> Table {
    let mut layers = layers.into_iter();
    let mut merged = layers.next().unwrap_or_default();
    let mut own = Table::default();
    for layer in layers {
        own.lay(layer, "", &is_whole);
    }
    if !is_standard {
        merged.0.retain(|entry| !matches!(entry.key.as_str(), "grants" | "hosts" | "waives" | "resources"));
        restrict_endpoints(&mut merged, &own);
    }
    merged.lay(own, "", &is_whole);
    merged
}

fn restrict_endpoints(base: &mut Table, own: &Table) {
    let Some(standard) = base.table_mut("endpoint") else { return };
    let all = std::mem::take(&mut standard.0);
    let Some(named) = own.table("endpoint") else { return };
    for entry in &named.0 {
        let role = match &entry.item.node {
            Node::Table(table) => match table.entry("role").map(|role| &role.item.node) {
                Some(Node::Text(role)) => role.as_str(),
                _ => entry.key.as_str(),
            },
            _ => continue,
        };
        if let Some(from) = all.iter().find(|own| own.key == role) {
            let mut inherited = from.clone();
            inherited.key.clone_from(&entry.key);
            if inherited.key != role
                && let Node::Table(table) = &mut inherited.item.node
            {
                // Two addresses cannot share a path.
                table.0.retain(|entry| entry.key != "path");
            }
            standard.0.push(inherited);
        }
    }
}

fn build(name: &str, file: &File, reader: &mut Reader<'_>) -> Option<Dialect> {
    let grants = grants(file, reader);
    let scope = parts::scope(&file.scope, reader);
    let replies = replies::replies(file, reader);
    let addresses = endpoints::endpoints(file, &scope, &replies, reader);
    let words = parts::words(file, &replies, reader);
    let errors = replies::errors(file, &replies, reader);
    let tokens = parts::tokens(file, reader)?;
    let waives_spot = file.waives.as_ref().map_or(file.spot(), |waives| waives.spot);
    let source = reader.source(waives_spot);
    let (line, column) = line_and_column(source.text, waives_spot.at);
    let waives_at = (source.file.to_owned(), line, column);
    let dialect = Dialect {
        name: name.to_owned(),
        hosts: parts::hosts(file, reader),
        prefix: parts::prefix(file, reader),
        base_url: String::new(),
        waives: file.waives.iter().flat_map(|waives| &waives.value).map(|waiver| waiver.value.clone()).collect(),
        client: parts::client(&file.client, reader),
        screen: parts::screen(&file.screen, reader),
        limits: parts::limits(file, reader),
        grants,
        resources: parts::resources(file, reader),
        scope,
        sep: file.scope.sep.as_ref().map_or_else(|| " ".to_owned(), |sep| sep.value.clone()),
        tokens,
        addresses,
        words,
        bearer: parts::bearer(&file.bearer, reader),
        by_kind: replies::by_kind(&replies),
        replies,
        errors,
        waives_at,
    };
    replies::check_needed(&dialect, file, reader);
    replies::check_reached(&dialect, file, reader);
    Some(dialect)
}

fn grants(file: &File, reader: &mut Reader<'_>) -> Vec<GrantType> {
    let Some(named) = &file.grants else {
        reader.note(file.spot(), "`grants` is missing: a dialect names the grants that it offers");
        return Vec::new();
    };
    let mut grants = Vec::new();
    for word in &named.value {
        match GrantType::from_name(&word.value) {
            Some(grant) if grants.contains(&grant) => {
                reader.note(word.spot, format!("`{}` is listed twice", word.value));
            }
            Some(grant) => grants.push(grant),
            None => {
                let near = suggestion(&word.value, GrantType::ALL.iter().map(|grant| grant.as_str()));
                reader.note(word.spot, format!("unknown grant `{}`{near}", word.value));
            }
        }
    }
    grants
}

/// `waives` must be what the file does: nothing that it does not say, and, where no operator has tightened it, nothing
/// that it says in vain.
fn check_waivers(dialect: &Dialect, file: &File, has_overrides: bool, reader: &mut Reader<'_>) {
    let derived = hazard::derived(dialect);
    let none = Located { value: Vec::<Text>::new(), spot: file.spot() };
    let declared = file.waives.as_ref().unwrap_or(&none);
    for hazard in &derived {
        if !declared.value.iter().any(|waiver| waiver.value == hazard.name) {
            let text = format!(
                "this surface breaks a rule of {} (\"{}\") and does not say so: add \"{}\" to `waives`. {}",
                hazard.rfc, hazard.rule, hazard.name, hazard.meaning
            );
            reader.note(declared.spot, text);
        }
    }
    for waiver in &declared.value {
        if hazard::hazard(&waiver.value).is_none() {
            let near = suggestion(&waiver.value, HAZARDS.iter().map(|hazard| hazard.name));
            reader.note(waiver.spot, format!("unknown waiver `{}`{near}", waiver.value));
        } else if !has_overrides && !derived.iter().any(|hazard| hazard.name == waiver.value) {
            reader.note(
                waiver.spot,
                format!("`{}` is waived but nothing here breaks that rule: remove it", waiver.value),
            );
        }
    }
}
