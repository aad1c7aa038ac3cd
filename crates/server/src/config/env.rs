//! The environment over the file: `GRANTRY_SECTION__KEY`, and `GRANTRY_SECTION__KEY_FILE` for a value that is in a file.

use super::file::{File, Value, Written};
use super::options::{self, Kind, Row};
use super::problem::{Place, Problem, suggestion};

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
            (row, read(text).map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
        } else {
            // Others may use the prefix as well; but two underscores are a section, and that is meant for us.
            if let Some((section, inner)) = path.rsplit_once('.') {
                let near = suggestion(inner, options::keys_of(section).filter(|_| !section.is_empty()));
                problems.push(Problem::fault(place, format!("there is no option `{path}`{near}")));
            }
            continue;
        };
        match text.and_then(|text| convert(row, &text, &place)) {
            Ok(value) => file.overwrite(row, Written { value, place }),
            Err(problem) => {
                file.note_faulty(row);
                problems.push(Problem::fault(place, problem));
            }
        }
    }
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
