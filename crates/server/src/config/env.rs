//! The environment over the file: `GRANTRY_SECTION__KEY`, and `GRANTRY_SECTION__KEY_FILE` for a value that is in a file.

use std::path::Path;

use super::file::{File, Value, Written};
use super::files::loose;
use super::options::{self, Kind, Row};
use super::problem::{Place, Problem, distance, suggestion};

/// Reads a file into a string; the world's, or a test's.
pub(super) type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Lays the environment over what the file says.
pub(super) fn overlay(
    file: &mut File,
    variables: &[(String, String)],
    read: ReadFile<'_>,
    problems: &mut Vec<Problem>,
) {
    for (name, text) in variables {
        let Some(key) = name.strip_prefix("GRANTRY_") else { continue };
        let place = Place::Variable(name.clone());
        let path = key.to_lowercase().replace("__", ".");
        // A key that is itself called `…_file` comes first: `keys.master_file` is an option.
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
            // Others may use the prefix as well; but two underscores are a section, and that is meant for us.
            match path.rsplit_once('.') {
                Some((section, inner)) => {
                    let near = suggestion(inner, options::keys_of(section).filter(|_| !section.is_empty()));
                    problems.push(Problem::fault(place, format!("there is no option `{path}`{near}")));
                }
                None => problems.extend(misspelt(key, text).map(|text| Problem::warning(place, text))),
            }
            continue;
        };
        if let Place::Variable(other) = file.place(row.path) {
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

/// The most characters in which the name of a variable differs from that of an option and is still taken for it.
const SLIPS_MAX: usize = 2;
/// A name with fewer characters than this may differ in one of them only.
const SHORT: usize = 8;
/// Variables that Grantry reads beside its options.
const OTHERS: [&str; 1] = ["config"];

/// What to tell of a variable that sets nothing but looks as if it should: with one underscore in place of two, with one too
/// many, or with a slip of the pen. Other programs may use the prefix too, and Kubernetes does for a service of this name.
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
    // A file that holds the value of an option is not the option that is itself called so.
    let variable = options::TABLE.iter().find(|row| row.path.replace('.', "_") == flat).map_or(variable, Row::variable);
    (slips <= slips_max).then(|| {
        let rule = if slips == 0 { "; two underscores part a section from its key" } else { "" };
        format!("it sets nothing, did you mean {variable}?{rule}")
    })
}

/// Is this one of the variables that Kubernetes makes for each service, here for one whose name begins with "grantry"?
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

fn convert(row: &Row, text: &str, place: &Place) -> Result<Value, String> {
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
