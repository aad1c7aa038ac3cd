//! The configuration as it is written: the file, overridden by the environment. Values are not interpreted here.

use std::collections::HashMap;

use toml::de::{DeTable, DeValue};

use super::options::{self, Kind, Row};
use super::problem::{Position, Problem, suggestion};

/// The written values, by the path of their option.
#[derive(Debug)]
pub(super) struct File {
    /// The file, as the operator named it.
    pub(super) name: String,
    /// The text of the file.
    pub(super) text: String,
    /// The names and positions of `[dialect.NAME]`. Their content is read by the dialect loader.
    pub(super) dialects: Vec<(String, Position)>,
    /// True if the file is not valid TOML. Then no further problems are reported.
    pub(super) is_broken: bool,
    values: HashMap<&'static str, Written>,
    faulty: Vec<&'static str>,
}

/// A value and its position.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// The value. It has the kind of its option.
    pub(super) value: Value,
    /// The position.
    pub(super) place: Position,
}

/// A value.
#[derive(Clone)]
pub(super) enum Value {
    /// Of [`Kind::Text`], [`Kind::Secret`], [`Kind::Path`], [`Kind::Word`] and [`Kind::Duration`].
    Text(String),
    /// Of [`Kind::Count`].
    Count(i64),
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Texts`].
    Texts(Vec<(String, Position)>),
}

/// Shows no content, because some values are secrets.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value(…)")
    }
}

impl File {
    /// Parses the text of the file. After a syntax error, no further problems are reported, because they would be
    /// guesses.
    pub(super) fn read(name: &str, text: String, problems: &mut Vec<Problem>) -> Self {
        let mut file = Self {
            name: name.to_owned(),
            text: String::new(),
            dialects: Vec::new(),
            is_broken: false,
            values: HashMap::new(),
            faulty: Vec::new(),
        };
        let (document, errors) = DeTable::parse_recoverable(&text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            problems.push(Problem::fault(Position::of(name, &text, at), error.message().replace('\n', ", ")));
        }
        file.is_broken = !errors.is_empty();
        if !file.is_broken {
            file.walk("", document.get_ref(), &text, problems);
        }
        drop(document);
        file.text = text;
        file
    }

    /// Returns the written value of an option.
    #[must_use]
    pub(super) fn written(&self, path: &str) -> Option<&Written> {
        self.values.get(path)
    }

    /// Returns true if the written value of the option is invalid.
    pub(super) fn is_faulty(&self, path: &str) -> bool {
        self.faulty.contains(&path)
    }

    /// Notes that the written value of the option is invalid.
    pub(super) fn note_faulty(&mut self, row: &'static Row) {
        self.faulty.push(row.path);
    }

    /// Overrides an option by a value of the environment.
    pub(super) fn overwrite(&mut self, row: &'static Row, written: Written) {
        self.values.insert(row.path, written);
    }

    /// Returns the position for a problem with an option that is not written.
    #[must_use]
    pub(super) fn place(&self, path: &str) -> Position {
        self.written(path).map_or_else(|| Position::Whole(self.name.clone()), |written| written.place.clone())
    }

    fn walk(&mut self, section: &str, table: &DeTable<'_>, text: &str, problems: &mut Vec<Problem>) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let key_place = Position::of(&self.name, text, key.span().start);
            let place = Position::of(&self.name, text, value.span().start);
            let path = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
            if path == "dialect" {
                self.note_dialects(value.get_ref(), &place, text, problems);
            } else if let Some(row) = options::find(&path) {
                match self.convert(row, value.get_ref(), text) {
                    Ok(value) => drop(self.values.insert(row.path, Written { value, place })),
                    Err(problem) => {
                        self.faulty.push(row.path);
                        problems.push(Problem::fault(place, problem));
                    }
                }
            } else if options::is_section(&path) {
                match value.get_ref() {
                    DeValue::Table(inner) => self.walk(&path, inner, text, problems),
                    other => {
                        let found = kind_of(other);
                        problems.push(Problem::fault(place, format!("`{path}` is {found}, it must be a table")));
                    }
                }
            } else {
                let near = suggestion(name, options::keys_of(section));
                problems.push(Problem::fault(key_place, format!("unknown key `{path}`{near}")));
            }
        }
    }

    fn note_dialects(&mut self, value: &DeValue<'_>, place: &Position, text: &str, problems: &mut Vec<Problem>) {
        let DeValue::Table(table) = value else {
            let found = kind_of(value);
            problems.push(Problem::fault(place.clone(), format!("`dialect` is {found}, it must be a table")));
            return;
        };
        for (name, _) in table {
            let place = Position::of(&self.name, text, name.span().start);
            self.dialects.push((name.get_ref().to_string(), place));
        }
    }

    fn convert(&self, row: &Row, value: &DeValue<'_>, text: &str) -> Result<Value, String> {
        let wrong = |wanted| format!("`{}` is {}, it must be {wanted}", row.path, kind_of(value));
        match (row.kind, value) {
            (Kind::Count(..), DeValue::Integer(number)) => {
                let digits = number.as_str().replace('_', "");
                let number = i64::from_str_radix(&digits, number.radix()).map_err(|_| wrong("a smaller number"))?;
                Ok(Value::Count(number))
            }
            (Kind::Count(..), _) => Err(wrong("a number")),
            (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Kind::Flag, _) => Err(wrong("true or false")),
            (Kind::Texts, DeValue::Array(items)) => {
                let mut texts = Vec::new();
                for item in items {
                    let DeValue::String(one) = item.get_ref() else { return Err(wrong("a list of strings")) };
                    texts.push((one.to_string(), Position::of(&self.name, text, item.span().start)));
                }
                Ok(Value::Texts(texts))
            }
            (Kind::Texts, _) => Err(wrong("a list of strings")),
            (Kind::Duration(..), DeValue::String(text)) => Ok(Value::Text(text.to_string())),
            (Kind::Duration(..), _) => Err(wrong("a duration such as \"90s\", \"10m\", \"2h\" or \"30d\"")),
            (_, DeValue::String(text)) => Ok(Value::Text(text.to_string())),
            _ => Err(wrong("a string")),
        }
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a decimal point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
