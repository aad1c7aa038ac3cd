//! What people see.

use ::http::StatusCode;
use protocol::browser::{Ask, Page};
use protocol::redirect::VerifiedRedirect;
use protocol::refusal::Refusal;

use crate::app::App;
use crate::browser::PageRequest;
use crate::http::Response;

/// Answers a request for one of this server's own pages; `None` when there is none at its path.
#[expect(clippy::unused_async, reason = "pages take turns")]
pub async fn route(_app: &App, _page: &PageRequest<'_>) -> Option<Response> {
    None
}

/// The page that asks a person something on the way to an authorization.
#[must_use]
pub fn ask(_app: &App, _page: &PageRequest<'_>, ask: &Ask) -> String {
    let question = match &ask.page {
        Page::SignIn { .. } => "Sign in",
        Page::SecondFactor { .. } => "One more step",
        Page::Consent { .. } => "Allow this?",
    };
    format!("<!doctype html><title>{question}</title><h1>{question}</h1>")
}

/// The page that says no.
#[must_use]
pub fn refusal(_app: &App, page: &PageRequest<'_>, status: StatusCode, refusal: &Refusal) -> String {
    let (text, id) = (escaped(&refusal.text()), page.http.id.as_str());
    format!("<!doctype html><title>{status}</title><h1>That did not work</h1><p>{text}</p><p>Request {id}</p>")
}

/// The page whose form carries an answer to the application; a script posts it, and a button for those without.
#[must_use]
pub fn form_post(_app: &App, _page: &PageRequest<'_>, to: &VerifiedRedirect, inputs: Vec<(String, String)>) -> String {
    let inputs: String = inputs
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value)))
        .collect();
    let action = escaped(to.as_str());
    format!(
        "<!doctype html><title>Continue</title><form method=\"post\" action=\"{action}\">{inputs}<button>Continue</button></form>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
