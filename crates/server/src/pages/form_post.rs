//! An answer that travels in a form; OAuth 2.0 Form Post Response Mode.

use protocol::redirect::VerifiedRedirect;
use serde::Serialize;

use super::Page;

/// The page.
#[derive(Serialize)]
pub(super) struct FormPost {
    action: String,
    host: String,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    value: String,
}

impl FormPost {
    /// The page that posts `fields` to `to`.
    pub(super) fn new(to: &VerifiedRedirect, fields: Vec<(String, String)>) -> Self {
        let fields = fields.into_iter().map(|(name, value)| Field { name, value });
        Self { action: to.as_str().to_owned(), host: to.host(), fields: fields.collect() }
    }
}

impl Page for FormPost {
    const FILE: &'static str = "form_post.html";

    fn samples() -> Vec<(&'static str, Self)> {
        let field = |name: &str, value: &str| Field { name: name.to_owned(), value: value.to_owned() };
        let page = Self {
            action: "https://app.importer.example/callback?a=1&b=2".to_owned(),
            host: "app.importer.example".to_owned(),
            fields: vec![field("code", "c0de"), field("state", "\"><script>alert(1)</script>")],
        };
        vec![("form_post", page)]
    }
}
