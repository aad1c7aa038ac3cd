//! Reads a TOML tree key by key, and reports unknown keys and values of the wrong type.

use crate::problem::{Problem, suggestion};
use crate::tree::{Item, Node, Source, Spot, Table};

/// A value and its position in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) spot: Spot,
}

pub(crate) type Text = Located<String>;

/// Collects the problems of a file while it is read.
pub(crate) struct Reader<'a> {
    sources: &'a [Source<'a>],
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(sources: &'a [Source<'a>]) -> Self {
        Self { sources, problems: Vec::new() }
    }

    pub(crate) fn note(&mut self, spot: Spot, text: impl Into<String>) {
        self.problems.push(self.sources[spot.layer].problem(spot.at, text));
    }

    /// Returns the layer that a position belongs to.
    pub(crate) fn source(&self, spot: Spot) -> &Source<'a> {
        &self.sources[spot.layer]
    }

    /// Reports every key that is not in `known`.
    pub(crate) fn check_keys(&mut self, table: &Table, known: &[&str]) {
        for entry in &table.0 {
            if !known.contains(&entry.key.as_str()) {
                let text = format!("unknown key `{}`{}", entry.key, suggestion(&entry.key, known.iter().copied()));
                self.note(entry.spot, text);
            }
        }
    }

    fn wrong_kind(&mut self, key: &str, item: &Item, wanted: &str) {
        self.note(item.spot, format!("`{key}` is {}, it must be {wanted}", item.node.kind()));
    }

    pub(crate) fn text(&mut self, table: &Table, key: &str) -> Option<Text> {
        let item = &table.entry(key)?.item;
        match &item.node {
            Node::Text(text) => Some(Located { value: text.clone(), spot: item.spot }),
            _ => {
                self.wrong_kind(key, item, "a string");
                None
            }
        }
    }

    pub(crate) fn number(&mut self, table: &Table, key: &str) -> Option<Located<i64>> {
        let item = &table.entry(key)?.item;
        match &item.node {
            Node::Number(number) => Some(Located { value: *number, spot: item.spot }),
            _ => {
                self.wrong_kind(key, item, "a number");
                None
            }
        }
    }

    /// Reads a list of strings. Returns `None` if the key is absent.
    pub(crate) fn texts(&mut self, table: &Table, key: &str) -> Option<Located<Vec<Text>>> {
        let item = &table.entry(key)?.item;
        let Node::List(items) = &item.node else {
            self.wrong_kind(key, item, "a list of strings");
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.node {
                Node::Text(text) => texts.push(Located { value: text.clone(), spot: item.spot }),
                _ => self.wrong_kind(key, item, "a list of strings"),
            }
        }
        Some(Located { value: texts, spot: item.spot })
    }

    /// Reads a nested table. Returns `None` if the key is absent.
    pub(crate) fn table<'t>(&mut self, table: &'t Table, key: &str) -> Option<&'t Table> {
        let item = &table.entry(key)?.item;
        match &item.node {
            Node::Table(table) => Some(table),
            _ => {
                self.wrong_kind(key, item, "a table");
                None
            }
        }
    }

    /// Reads a table of tables whose keys are names, such as `[endpoint.NAME]`.
    pub(crate) fn tables<'t>(&mut self, table: &'t Table, key: &str) -> Vec<(Text, &'t Table)> {
        let Some(outer) = self.table(table, key) else { return Vec::new() };
        let mut tables = Vec::new();
        for entry in &outer.0 {
            match &entry.item.node {
                Node::Table(inner) => {
                    tables.push((Located { value: entry.key.clone(), spot: entry.spot }, inner));
                }
                _ => self.wrong_kind(&entry.key, &entry.item, "a table"),
            }
        }
        tables
    }

    /// Reads a table of strings whose keys are names, such as `names = { otp = "token" }`.
    pub(crate) fn pairs(&mut self, table: &Table, key: &str) -> Vec<(Text, Text)> {
        let Some(outer) = self.table(table, key) else { return Vec::new() };
        let mut pairs = Vec::new();
        for entry in &outer.0 {
            match &entry.item.node {
                Node::Text(text) => pairs.push((
                    Located { value: entry.key.clone(), spot: entry.spot },
                    Located { value: text.clone(), spot: entry.item.spot },
                )),
                _ => self.wrong_kind(&entry.key, &entry.item, "a string"),
            }
        }
        pairs
    }

    /// Reads a table of string lists whose keys are names, such as `implies = { readwrite = ["read"] }`.
    pub(crate) fn lists(&mut self, table: &Table, key: &str) -> Vec<(Text, Vec<Text>)> {
        let Some(outer) = self.table(table, key) else { return Vec::new() };
        let mut lists = Vec::new();
        for entry in &outer.0 {
            if let Some(texts) = self.texts(outer, &entry.key) {
                lists.push((Located { value: entry.key.clone(), spot: entry.spot }, texts.value));
            }
        }
        lists
    }
}
