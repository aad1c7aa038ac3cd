//! Environment variables, which override the file: `GRANTRY_SECTION__KEY` sets a value, and `GRANTRY_SECTION__KEY_FILE`
//! names a file that contains it.

use std::path::Path;

use super::file::{File, Value, Written};
use super::files::loose;
use super::options::{self, Kind, Row};
use super::problem::{Position, Problem, distance, suggestion};

/// A function that reads a file; replaced in tests.
pub(super) type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Overrides values of the file by environment variables.
pub(super) fn overlay(
    file: &mut File,
    variables: &[(String, String)],
    read: ReadFile<'_>,
    problems: &mut Vec<Problem>,
) {
    for (name, text) in variables {
        let Some(key) = name.strip_prefix("GRANTRY_") else { continue };
        let place = Position::Variable(name.clone());
        let path = key.to_lowercase().replace("__", ".");
        // An option whose own name ends in `_file`, such as `keys.master_file`, takes precedence.
        let (row, text) = if let Some(row) = options::find(&path) {
            (row, Ok(text.clone()))
        } else if let Some(row) = path.strip_suffix("_file").and_then(options::find) {
            if row.kind == Kind::Secret
                && let Some(text) = loose(Path::new(text))
            {
                problems.push(Problem::warning(place.clone(), text));
            }
            (row, read(text).map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
        } else {
            // Other programs may use the prefix, too. Two underscores separate a section, so such a variable is meant
            // for Grantry.
            match path.rsplit_once('.') {
                Some((section, inner)) => {
                    let near = suggestion(inner, options::keys_of(section).filter(|_| !section.is_empty()));
                    problems.push(Problem::fault(place, format!("there is no option `{path}`{near}")));
                }
                None => problems.extend(misspelt(key, text).map(|text| Problem::warning(place, text))),
            }
            continue;
        };
        if let Position::Variable(other) = file.place(row.path) {
            let text = format!("both {other} and {name} set `{}`: keep one of them", row.path);
            problems.push(Problem::fault(place, text));
            continue;
        }
        match text.and_then(|text| convert(row, &text, &place)) {
            Ok(value) => file.overwrite(row, Written { value, place }),
            Err(problem) => {
                file.note_faulty(row);
                problems.push(Problem::fault(place, problem));
            }
        }
    }
}

/// Maximum edit distance at which a variable's name counts as a misspelt option.
const SLIPS_MAX: usize = 2;
/// For names shorter than this, the maximum edit distance is 1.
const SHORT: usize = 8;
/// Variables that Grantry reads beside its options.
const OTHERS: [&str; 1] = ["config"];

/// Returns a warning for a variable that sets nothing but looks like a misspelt option: with one underscore instead of
/// two, with an extra one, or with a typing error. Other programs may use the prefix, and Kubernetes does for a service
/// with this name.
fn misspelt(key: &str, value: &str) -> Option<String> {
    let words: Vec<String> = key.split('_').filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    let flat = words.join("_");
    if is_of_kubernetes(&words, value) || OTHERS.contains(&flat.as_str()) {
        return None;
    }
    if words.len() > 2 && words[0] == "dialect" {
        let text = "it sets nothing: what a dialect says otherwise stands in the configuration, in [dialect.NAME]";
        return Some(text.to_owned());
    }
    let known = options::TABLE.iter().flat_map(|row| {
        let flat = row.path.replace('.', "_");
        [(format!("{flat}_file"), format!("{}_FILE", row.variable())), (flat, row.variable())]
    });
    let slips_max = if flat.chars().count() < SHORT { 1 } else { SLIPS_MAX };
    let nearest = known.map(|(own, variable)| (distance(&flat, &own), variable)).min()?;
    let (slips, variable) = nearest;
    // Prefer an option of this very name over the `_FILE` form of another option.
    let variable = options::TABLE.iter().find(|row| row.path.replace('.', "_") == flat).map_or(variable, Row::variable);
    (slips <= slips_max).then(|| {
        let rule = if slips == 0 { "; two underscores part a section from its key" } else { "" };
        format!("it sets nothing, did you mean {variable}?{rule}")
    })
}

/// Returns true for a variable that Kubernetes creates for a service whose name begins with "grantry".
fn is_of_kubernetes(words: &[String], value: &str) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_number = |word: &str| word.bytes().all(|digit| digit.is_ascii_digit());
    let has_service = words.windows(2).any(|pair| matches!(pair, ["service", "host" | "port"]));
    let has_port =
        words.windows(3).any(|part| matches!(part, ["port", number, "tcp" | "udp" | "sctp"] if is_number(number)));
    let is_port =
        words.last() == Some(&"port") && ["tcp://", "udp://", "sctp://"].iter().any(|own| value.starts_with(own));
    has_service || has_port || is_port
}

fn convert(row: &Row, text: &str, place: &Position) -> Result<Value, String> {
    match row.kind {
        Kind::Count(..) => {
            let number = text.trim().parse().map_err(|_| format!("`{}` must be a number", row.path))?;
            Ok(Value::Count(number))
        }
        Kind::Flag => match text.trim() {
            "true" => Ok(Value::Flag(true)),
            "false" => Ok(Value::Flag(false)),
            _ => Err(format!("`{}` must be true or false", row.path)),
        },
        Kind::Texts => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Texts(items.map(|item| (item.to_owned(), place.clone())).collect()))
        }
        _ => Ok(Value::Text(text.to_owned())),
    }
}
