//! TOML as a tree in which every value has a position. Layers can be merged, and a problem can still name its line.

use toml::de::{DeTable, DeValue};

use crate::problem::{Problem, line_and_column};

/// A file, or a table of a file, that describes a dialect or overrides parts of it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file name in reported problems.
    pub file: &'a str,
    /// The whole text.
    pub text: &'a str,
    /// The path of the table that describes the dialect, such as `["dialect", "standard"]` in the server's
    /// configuration. Empty for the whole file.
    pub table: &'a [&'a str],
}

impl<'a> Source<'a> {
    /// Makes a source of a dialect file.
    #[must_use]
    pub const fn file(file: &'a str, text: &'a str) -> Self {
        Self { file, text, table: &[] }
    }

    /// Makes a source of the operator's overrides, which are a table of the configuration. A configuration without that
    /// table overrides nothing.
    #[must_use]
    pub const fn overrides(file: &'a str, text: &'a str, table: &'a [&'a str]) -> Self {
        Self { file, text, table }
    }

    /// Makes a problem at a byte offset of the text.
    pub(crate) fn problem(&self, at: usize, text: impl Into<String>) -> Problem {
        let (line, column) = line_and_column(self.text, at);
        Problem { file: self.file.to_owned(), line, column, text: text.into() }
    }
}

/// A position in one of the layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The index of the layer.
    pub(crate) layer: usize,
    /// The byte offset.
    pub(crate) at: usize,
}

/// A value and its position.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) spot: Spot,
    pub(crate) node: Node,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Text(String),
    Number(i64),
    Flag,
    List(Vec<Item>),
    Table(Table),
    /// A value of a type that no key accepts.
    Other(&'static str),
}

impl Node {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Flag => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// A table: keys and values in the order in which they are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(pub(crate) Vec<Entry>);

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) spot: Spot,
    pub(crate) item: Item,
}

impl Table {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn entry_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.key == key)
    }

    pub(crate) fn table(&self, key: &str) -> Option<&Self> {
        match &self.entry(key)?.item.node {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn table_mut(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.entry_mut(key)?.item.node {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Merges `over` into this table. Nested tables are merged key by key, and everything else is replaced. A table is
    /// also replaced if `is_whole` returns true for its dotted path.
    pub(crate) fn lay(&mut self, over: Self, path: &str, is_whole: &dyn Fn(&str) -> bool) {
        for entry in over.0 {
            let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
            let Some(own) = self.0.iter_mut().find(|own| own.key == entry.key) else {
                self.0.push(entry);
                continue;
            };
            match (&mut own.item.node, entry.item.node) {
                (Node::Table(own), Node::Table(over)) if !is_whole(&path) => own.lay(over, &path, is_whole),
                (_, node) => own.item = Item { spot: entry.item.spot, node },
            }
            own.spot = entry.spot;
        }
    }
}

/// Parses the text of a source. Syntax errors of the server's configuration are not reported here, because its own
/// reader reports them.
pub(crate) fn parse(source: &Source<'_>, layer: usize, problems: &mut Vec<Problem>) -> Table {
    let (document, errors) = DeTable::parse_recoverable(source.text);
    if source.table.is_empty() {
        problems.extend(errors.iter().map(|error| {
            let at = error.span().map_or(0, |span| span.start);
            source.problem(at, error.message().replace('\n', ", "))
        }));
    }
    let mut table = convert_table(document.get_ref(), layer);
    for name in source.table {
        let found = table.0.into_iter().find(|entry| entry.key == *name);
        table = match found.map(|entry| entry.item.node) {
            Some(Node::Table(inner)) => inner,
            _ => return Table::default(),
        };
    }
    table
}

fn convert_table(table: &DeTable<'_>, layer: usize) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            spot: Spot { layer, at: key.span().start },
            item: Item { spot: Spot { layer, at: value.span().start }, node: convert(value.get_ref(), layer) },
        })
        .collect();
    entries.sort_by_key(|entry| entry.spot.at);
    Table(entries)
}

fn convert(value: &DeValue<'_>, layer: usize) -> Node {
    match value {
        DeValue::String(text) => Node::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
            .map_or(Node::Other("a number that is too large"), Node::Number),
        DeValue::Float(_) => Node::Other("a number with a decimal point"),
        DeValue::Boolean(_) => Node::Flag,
        DeValue::Datetime(_) => Node::Other("a date"),
        DeValue::Array(items) => Node::List(
            items
                .iter()
                .map(|item| Item { spot: Spot { layer, at: item.span().start }, node: convert(item.get_ref(), layer) })
                .collect(),
        ),
        DeValue::Table(table) => Node::Table(convert_table(table, layer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Table {
        let mut problems = Vec::new();
        let table = parse(&Source::file("x.toml", text), 0, &mut problems);
        assert_eq!(problems, []);
        table
    }

    fn keys(table: &Table) -> Vec<&str> {
        table.0.iter().map(|entry| entry.key.as_str()).collect()
    }

    #[test]
    fn keys_keep_the_order_in_which_they_were_written() {
        assert_eq!(keys(&read("z = 1\na = 2\n[m]\n")), ["z", "a", "m"]);
    }

    #[test]
    fn tables_are_merged_and_values_replaced() {
        let mut base = read("a = 1\n[t]\nx = 1\ny = 2\n[w]\nold = 1\n");
        base.lay(read("a = 2\nt = { y = 3 }\nw = { new = 1 }\n"), "", &|path| path == "w");
        assert_eq!(keys(base.table("t").unwrap()), ["x", "y"]);
        assert_eq!(keys(base.table("w").unwrap()), ["new"]);
        assert!(matches!(base.table("t").unwrap().entry("y").unwrap().item.node, Node::Number(3)));
    }

    #[test]
    fn all_faults_of_syntax_are_reported_with_their_places() {
        let mut problems = Vec::new();
        parse(&Source::file("x.toml", "a = \nb = 1\nc = ]\n"), 0, &mut problems);
        let mut lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [1, 3]);
    }

    #[test]
    fn a_table_of_a_larger_file_is_found_or_empty() {
        let mut problems = Vec::new();
        let text = "[dialect.standard]\nprefix = \"/sso\"\n";
        let found = parse(&Source::overrides("g.toml", text, &["dialect", "standard"]), 1, &mut problems);
        assert_eq!(keys(&found), ["prefix"]);
        let other = parse(&Source::overrides("g.toml", text, &["dialect", "paced"]), 1, &mut problems);
        assert_eq!(keys(&other), Vec::<&str>::new());
    }
}
