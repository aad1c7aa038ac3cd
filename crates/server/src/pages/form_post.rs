//! An answer that travels in a form; OAuth 2.0 Form Post Response Mode.

use protocol::redirect::display_host;
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
    /// The page that posts `fields` to `action`, a redirect URI.
    pub(super) fn new(action: &str, fields: &[(String, String)]) -> Self {
        let field = |(name, value): &(String, String)| Field { name: name.clone(), value: value.clone() };
        Self { action: action.to_owned(), host: display_host(action), fields: fields.iter().map(field).collect() }
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
