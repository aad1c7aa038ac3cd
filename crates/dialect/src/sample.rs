//! Shared helpers for the tests of this crate: build dialects and requests from a few lines, and print the results as
//! text.

use http::{HeaderMap, HeaderName, HeaderValue};
use protocol::endpoint::Endpoint;
use protocol::line::Reply;
use protocol::model::Client;
use protocol::person::browser::{ResponseMode, Return};
use protocol::redirect;
use protocol::refusal::Refusal;
use protocol::wire::{Fields, ReplyKind};
use serde_json::json;

use crate::decode::Incoming;
use crate::encode::{Outgoing, Redirect};
use crate::rules::Dialect;
use crate::tree::Source;

/// Returns the standard dialect.
pub(crate) fn standard() -> Dialect {
    Dialect::load("standard", &[]).unwrap()
}

/// Returns the standard dialect with overrides of the operator.
pub(crate) fn standard_with(overrides: &str) -> Dialect {
    loaded("standard", overrides)
}

/// Loads a dialect from the text of its file.
pub(crate) fn loaded(name: &str, text: &str) -> Dialect {
    Dialect::load(name, &[Source::file("x.toml", text)]).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// Returns all problems of a file, one per line.
pub(crate) fn problems(name: &str, text: &str) -> String {
    lines(Dialect::check(name, "x.toml", text))
}

pub(crate) fn lines(items: impl IntoIterator<Item = impl ToString>) -> String {
    items.into_iter().map(|item| item.to_string() + "\n").collect()
}

/// A request to a dialect.
#[derive(Clone, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) body: &'a [u8],
}

impl<'a> Ask<'a> {
    pub(crate) fn get(query: &'a str) -> Self {
        Self { method: "GET", query: Some(query), ..Self::default() }
    }

    pub(crate) fn form(body: &'a str) -> Self {
        let headers = vec![("content-type", "application/x-www-form-urlencoded")];
        Self { method: "POST", headers, body: body.as_bytes(), ..Self::default() }
    }

    pub(crate) fn json(body: &'a str) -> Self {
        let headers = vec![("content-type", "application/json")];
        Self { method: "POST", headers, body: body.as_bytes(), ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Returns what the dialect decodes: one line per parameter, or the refusal.
    pub(crate) fn read(&self, dialect: &Dialect, endpoint: Endpoint) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let incoming = Incoming { method: self.method, query: self.query, headers: &headers, body: self.body };
        match dialect.decode(dialect.at(endpoint).unwrap(), &incoming) {
            Ok(params) => {
                let mut out = lines(params.iter().map(|(name, value)| format!("{name} = {value}")));
                if let Some(basic) = &params.basic {
                    out += &format!("basic {} : {}\n", basic.client_id, basic.secret.reveal());
                }
                if let Some(bearer) = &params.bearer {
                    out += &format!("bearer {}\n", bearer.reveal());
                }
                if let Some(fault) = params.fault {
                    let param = fault.param.map(|param| format!(" {param}")).unwrap_or_default();
                    out += &format!("fault: {}{param}\n", fault.row().name);
                }
                out
            }
            Err(refusal) => {
                let param = refusal.param.map(|param| format!(" {param}")).unwrap_or_default();
                format!("no: {}{param}\n", refusal.row().name)
            }
        }
    }
}

/// Formats an answer as it is sent.
pub(crate) fn wire(out: &Outgoing) -> String {
    let mut text = format!("{}\n", out.status);
    if let Some(content_type) = &out.content_type {
        text += &format!("Content-Type: {content_type}\n");
    }
    for (name, value) in &out.headers {
        text += &format!("{name}: {value}\n");
    }
    text + "\n" + std::str::from_utf8(&out.body).unwrap() + "\n"
}

/// Formats a redirect as text.
pub(crate) fn way(redirect: &Redirect) -> String {
    match redirect {
        Redirect::Location(location) => location.clone(),
        Redirect::FormPost { action, inputs } => format!("post {action} {inputs:?}"),
    }
}

/// Writes an authorization response to the registered redirect URI `uri`.
pub(crate) fn back(uri: &str, mode: Option<ResponseMode>, answer: Result<Reply, Refusal>, fields: Fields) -> Return {
    let client: Client = serde_json::from_value(json!({
        "key": 1, "client_id": "web", "dialect": "standard", "name": "Web", "kind": "confidential", "auth_methods": [],
        "redirect_uris": [uri], "grants": [], "scope": "", "pkce": "required", "refresh": "rotate", "created_at": 0, "version": 1
    }))
    .unwrap();
    Return { to: redirect::verify(&client, Some(uri)).unwrap(), mode, asked: ReplyKind::Code, answer, fields }
}
