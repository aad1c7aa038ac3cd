//! The dialect file as it is written: all keys, without any meaning.

use crate::reader::{Located, Reader, Text};
use crate::tree::{Spot, Table};

/// A dialect file, laid over the standard one.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) grants: Option<Located<Vec<Text>>>,
    pub(crate) hosts: Vec<Text>,
    pub(crate) prefix: Option<Text>,
    pub(crate) texts: Option<Text>,
    pub(crate) waives: Option<Located<Vec<Text>>>,
    /// Resource identifiers, each with the name that people see, if the operator gave one.
    pub(crate) resources: Vec<(Text, Option<Text>)>,
    pub(crate) scope: ScopeTable,
    pub(crate) tokens: Vec<(Text, TokenTable)>,
    pub(crate) endpoints: Vec<(Text, EndpointTable)>,
    pub(crate) grant: Vec<(Text, GrantTable)>,
    pub(crate) bearer: BearerTable,
    pub(crate) replies: Vec<(Text, ReplyTable)>,
    pub(crate) errors: Vec<(Text, ErrorTable)>,
    pub(crate) client: ClientTable,
    pub(crate) screen: ScreenTable,
    pub(crate) limits: Vec<(Text, Text)>,
    pub(crate) limit_headers: Vec<(Text, Text)>,
    /// The position for problems that belong to no key.
    pub(crate) spot: Spot,
}

/// `[scope]`
#[derive(Debug, Default)]
pub(crate) struct ScopeTable {
    pub(crate) list: Vec<(Text, Text)>,
    pub(crate) default: Vec<Text>,
    pub(crate) sep: Option<Text>,
    pub(crate) implies: Vec<(Text, Vec<Text>)>,
    pub(crate) operator_only: Vec<Text>,
}

/// `[token.KIND]`
#[derive(Debug, Default)]
pub(crate) struct TokenTable {
    pub(crate) form: Option<Text>,
    pub(crate) ttl: Option<Text>,
    pub(crate) ttl_absolute: Option<Text>,
    pub(crate) grace: Option<Text>,
    pub(crate) on_use: Option<Text>,
}

/// `[endpoint.NAME]`
#[derive(Debug, Default)]
pub(crate) struct EndpointTable {
    pub(crate) role: Option<Text>,
    pub(crate) path: Option<Text>,
    pub(crate) methods: Option<Located<Vec<Text>>>,
    pub(crate) from: Option<Located<Vec<Text>>>,
    pub(crate) need: Vec<Text>,
    pub(crate) names: Vec<(Text, Text)>,
    pub(crate) assume: Vec<(Text, Text)>,
    pub(crate) auth: Option<Located<Vec<Text>>>,
    pub(crate) reply: Option<Text>,
    pub(crate) scope: Option<Text>,
    pub(crate) cors: Vec<Text>,
}

/// `[grant.KIND]`
#[derive(Debug, Default)]
pub(crate) struct GrantTable {
    pub(crate) word: Option<Text>,
    pub(crate) response_type: Option<Text>,
    pub(crate) reply: Option<Text>,
    pub(crate) token: Vec<(Text, Text)>,
}

/// `[bearer]`
#[derive(Debug, Default)]
pub(crate) struct BearerTable {
    pub(crate) accept: Vec<Text>,
    pub(crate) challenge: Option<Text>,
}

/// `[reply.NAME]`
#[derive(Debug, Default)]
pub(crate) struct ReplyTable {
    pub(crate) status: Option<Located<i64>>,
    pub(crate) shape: Option<Text>,
    pub(crate) headers: Vec<(Text, Text)>,
    pub(crate) body: Option<Text>,
}

/// `[error]`, one row
#[derive(Debug, Default)]
pub(crate) struct ErrorTable {
    pub(crate) status: Option<Located<i64>>,
    pub(crate) word: Option<Text>,
    pub(crate) text: Option<Text>,
    pub(crate) reply: Option<Text>,
}

/// `[client]`
#[derive(Debug, Default)]
pub(crate) struct ClientTable {
    pub(crate) by: Option<Text>,
    pub(crate) kind: Option<Text>,
    pub(crate) pkce: Option<Text>,
}

/// `[screen]`
#[derive(Debug, Default)]
pub(crate) struct ScreenTable {
    pub(crate) at: Option<Text>,
    pub(crate) otp_digits: Option<Located<i64>>,
}

const TOP: &[&str] = &[
    "grants",
    "hosts",
    "prefix",
    "texts",
    "waives",
    "resources",
    "scope",
    "token",
    "endpoint",
    "grant",
    "bearer",
    "reply",
    "error",
    "client",
    "screen",
    "limit",
];

impl File {
    /// Reads the merged tree. `spot` is the position for problems that belong to no key.
    pub(crate) fn read(tree: &Table, spot: Spot, reader: &mut Reader<'_>) -> Self {
        reader.check_keys(tree, TOP);
        Self {
            grants: reader.texts(tree, "grants"),
            hosts: list(reader, tree, "hosts"),
            prefix: reader.text(tree, "prefix"),
            texts: reader.text(tree, "texts"),
            waives: reader.texts(tree, "waives"),
            resources: resources(reader, tree),
            scope: reader.table(tree, "scope").map(|table| scope(table, reader)).unwrap_or_default(),
            tokens: each(reader, tree, "token", token),
            endpoints: each(reader, tree, "endpoint", endpoint),
            grant: each(reader, tree, "grant", grant),
            bearer: reader.table(tree, "bearer").map(|table| bearer(table, reader)).unwrap_or_default(),
            replies: each(reader, tree, "reply", reply),
            errors: each(reader, tree, "error", error),
            client: reader.table(tree, "client").map(|table| client(table, reader)).unwrap_or_default(),
            screen: reader.table(tree, "screen").map(|table| screen(table, reader)).unwrap_or_default(),
            limits: limits(tree, reader),
            limit_headers: tree.table("limit").map(|limit| reader.pairs(limit, "headers")).unwrap_or_default(),
            spot,
        }
    }

    pub(crate) fn reply(&self, name: &str) -> Option<&(Text, ReplyTable)> {
        self.replies.iter().find(|(own, _)| own.value == name)
    }
}

fn list(reader: &mut Reader<'_>, table: &Table, key: &str) -> Vec<Text> {
    reader.texts(table, key).map(|texts| texts.value).unwrap_or_default()
}

/// Reads `resources`: a list of resource identifiers, or a table from identifiers to names.
fn resources(reader: &mut Reader<'_>, tree: &Table) -> Vec<(Text, Option<Text>)> {
    if tree.table("resources").is_some() {
        return reader.pairs(tree, "resources").into_iter().map(|(own, name)| (own, Some(name))).collect();
    }
    list(reader, tree, "resources").into_iter().map(|own| (own, None)).collect()
}

fn each<T>(reader: &mut Reader<'_>, tree: &Table, key: &str, read: fn(&Table, &mut Reader<'_>) -> T) -> Vec<(Text, T)> {
    let tables = reader.tables(tree, key);
    tables.into_iter().map(|(name, table)| (name, read(table, reader))).collect()
}

fn scope(table: &Table, reader: &mut Reader<'_>) -> ScopeTable {
    reader.check_keys(table, &["list", "default", "sep", "implies", "operator_only"]);
    ScopeTable {
        list: reader.pairs(table, "list"),
        default: list(reader, table, "default"),
        sep: reader.text(table, "sep"),
        implies: reader.lists(table, "implies"),
        operator_only: list(reader, table, "operator_only"),
    }
}

fn token(table: &Table, reader: &mut Reader<'_>) -> TokenTable {
    reader.check_keys(table, &["form", "ttl", "ttl_absolute", "grace", "on_use"]);
    TokenTable {
        form: reader.text(table, "form"),
        ttl: reader.text(table, "ttl"),
        ttl_absolute: reader.text(table, "ttl_absolute"),
        grace: reader.text(table, "grace"),
        on_use: reader.text(table, "on_use"),
    }
}

fn endpoint(table: &Table, reader: &mut Reader<'_>) -> EndpointTable {
    let known = ["role", "path", "methods", "from", "need", "names", "assume", "auth", "reply", "scope", "cors"];
    reader.check_keys(table, &known);
    EndpointTable {
        role: reader.text(table, "role"),
        path: reader.text(table, "path"),
        methods: reader.texts(table, "methods"),
        from: reader.texts(table, "from"),
        need: list(reader, table, "need"),
        names: reader.pairs(table, "names"),
        assume: reader.pairs(table, "assume"),
        auth: reader.texts(table, "auth"),
        reply: reader.text(table, "reply"),
        scope: reader.text(table, "scope"),
        cors: list(reader, table, "cors"),
    }
}

fn grant(table: &Table, reader: &mut Reader<'_>) -> GrantTable {
    reader.check_keys(table, &["word", "response_type", "reply", "token"]);
    GrantTable {
        word: reader.text(table, "word"),
        response_type: reader.text(table, "response_type"),
        reply: reader.text(table, "reply"),
        token: reader.pairs(table, "token"),
    }
}

fn bearer(table: &Table, reader: &mut Reader<'_>) -> BearerTable {
    reader.check_keys(table, &["accept", "challenge"]);
    BearerTable { accept: list(reader, table, "accept"), challenge: reader.text(table, "challenge") }
}

fn reply(table: &Table, reader: &mut Reader<'_>) -> ReplyTable {
    reader.check_keys(table, &["status", "as", "headers", "body"]);
    ReplyTable {
        status: reader.number(table, "status"),
        shape: reader.text(table, "as"),
        headers: reader.pairs(table, "headers"),
        body: reader.text(table, "body"),
    }
}

fn error(table: &Table, reader: &mut Reader<'_>) -> ErrorTable {
    reader.check_keys(table, &["status", "word", "text", "reply"]);
    ErrorTable {
        status: reader.number(table, "status"),
        word: reader.text(table, "word"),
        text: reader.text(table, "text"),
        reply: reader.text(table, "reply"),
    }
}

fn client(table: &Table, reader: &mut Reader<'_>) -> ClientTable {
    reader.check_keys(table, &["by", "kind", "pkce"]);
    ClientTable { by: reader.text(table, "by"), kind: reader.text(table, "kind"), pkce: reader.text(table, "pkce") }
}

fn screen(table: &Table, reader: &mut Reader<'_>) -> ScreenTable {
    reader.check_keys(table, &["at", "otp_digits"]);
    ScreenTable { at: reader.text(table, "at"), otp_digits: reader.number(table, "otp_digits") }
}

/// `[limit]`: each key except `headers` names a class of endpoints.
fn limits(tree: &Table, reader: &mut Reader<'_>) -> Vec<(Text, Text)> {
    let Some(table) = reader.table(tree, "limit") else { return Vec::new() };
    reader.check_keys(table, &["token", "api", "failed", "headers"]);
    let mut limits = Vec::new();
    for class in ["token", "api", "failed"] {
        if let Some(limit) = reader.text(table, class) {
            let spot = table.entry(class).map(|entry| entry.spot).unwrap_or_default();
            limits.push((Located { value: class.to_owned(), spot }, limit));
        }
    }
    limits
}
