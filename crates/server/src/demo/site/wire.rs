//! The requests of the sample site and their answers, as the site's pages show them: raw, and as commands to paste.

use form_urlencoded::Serializer;
use protocol::secret::Secret;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::outside::fetch::{FetchError, Fetched};

/// Exchanges in the order in which they happened.
pub(super) type Trace = Vec<Exchange>;

/// A request and its answer.
///
/// Tokens and secrets stand in it. They belong to the demo, which prints them anyway.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Exchange {
    /// What happened, in a sentence.
    pub(super) title: &'static str,
    /// The request as it travels: request line, headers, an empty line, the body.
    pub(super) request: String,
    /// The status and the body of the answer. Empty where the browser carried the request.
    pub(super) answer: String,
    /// A command that sends the same request. Empty where the browser carried it.
    pub(super) command: String,
}

impl Exchange {
    /// A request that the browser made, with a parameter on each line.
    pub(super) fn visit(title: &'static str, url: &str) -> Self {
        let request = match url.split_once('?') {
            Some((path, query)) => format!("GET {path}\n    ?{}", query.replace('&', "\n    &")),
            None => format!("GET {url}"),
        };
        Self { title, request, answer: String::new(), command: String::new() }
    }

    /// A request for what an access token opens.
    pub(super) fn get(title: &'static str, url: &str, token: &Secret, answer: &Result<Fetched, FetchError>) -> Self {
        let bearer = format!("Authorization: Bearer {}", token.reveal());
        Self {
            title,
            request: format!("GET {}\n{bearer}\n", target(url)),
            answer: told(answer),
            command: format!("curl -H {} {url}", quoted(&bearer)),
        }
    }

    /// A form that a client posted. `credentials` are its ID and its secret, with a colon between them, and
    /// `authorization` is the header that they became.
    pub(super) fn post(
        title: &'static str,
        url: &str,
        fields: &[(&str, &str)],
        credentials: &Secret,
        authorization: &Secret,
        answer: &Result<Fetched, FetchError>,
    ) -> Self {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut command = format!("curl -u {}", quoted(credentials.reveal()));
        for (name, value) in fields {
            command.push_str(&format!(" \\\n  --data-urlencode {}", quoted(&format!("{name}={value}"))));
        }
        command.push_str(&format!(" \\\n  {url}"));
        Self {
            title,
            request: format!(
                "POST {}\nAuthorization: {}\nContent-Type: application/x-www-form-urlencoded\n\n{}",
                target(url),
                authorization.reveal(),
                body.replace('&', "\n&")
            ),
            answer: told(answer),
            command,
        }
    }
}

/// The request line without its method, and the header `Host`.
fn target(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return url.to_owned() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{} HTTP/1.1\nHost: {}{port}", url.path(), url.host_str().unwrap_or_default())
}

/// The status and the body, which is indented if it is JSON.
fn told(answer: &Result<Fetched, FetchError>) -> String {
    match answer {
        Ok(Fetched { status, body }) => {
            let phrase = http::StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            let body = match serde_json::from_slice::<Value>(body) {
                Ok(json) => serde_json::to_string_pretty(&json).unwrap_or_default(),
                Err(_) => String::from_utf8_lossy(body).into_owned(),
            };
            format!("{status} {}\n\n{body}", phrase.unwrap_or_default())
        }
        Err(error) => format!("no answer: {error}"),
    }
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_shown_as_it_travels_and_as_a_command() {
        let answer = Ok(Fetched { status: 401, body: br#"{"error":"invalid_token"}"#.to_vec() });
        let shown = Exchange::get("Why", "http://localhost:8080/oauth/userinfo", &Secret::new("it's"), &answer);
        assert_eq!(shown.request, "GET /oauth/userinfo HTTP/1.1\nHost: localhost:8080\nAuthorization: Bearer it's\n");
        assert_eq!(shown.answer, "401 Unauthorized\n\n{\n  \"error\": \"invalid_token\"\n}");
        assert_eq!(shown.command, r"curl -H 'Authorization: Bearer it'\''s' http://localhost:8080/oauth/userinfo");
    }

    #[test]
    fn a_visit_has_a_parameter_on_each_line() {
        let shown = Exchange::visit("Why", "http://localhost:1/authorize?a=1&b=2");
        assert_eq!(shown.request, "GET http://localhost:1/authorize\n    ?a=1\n    &b=2");
        assert_eq!(Exchange::visit("Why", "http://localhost:1/x").request, "GET http://localhost:1/x");
    }
}
