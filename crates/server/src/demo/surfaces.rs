//! The other dialects in the demo: an application for each, with the addresses and commands to try it.

use protocol::client_setting::{Proposal, Setting};
use protocol::secret::Secret;
use serde::Serialize;

use super::ports::Ports;
use crate::cli::client::{Add, AddOptions, Added};
use crate::cli::{CommandError, Installation};

/// The PKCE code verifier of the printed commands: the example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The placeholder in commands for the code that the browser brings back.
const CODE: &str = "CODE";
/// The placeholder in commands for a token.
const TOKEN: &str = "TOKEN";

/// An application of another dialect.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Example {
    /// The name of the dialect.
    pub(super) dialect: &'static str,
    /// A sentence about what is special in the dialect.
    pub(super) sentence: &'static str,
    /// The base URL of the surface.
    pub(super) base_url: String,
    /// The `client_id` of the application.
    pub(super) client_id: String,
    /// The client secret, if the application has one.
    pub(super) client_secret: Option<String>,
    /// The URL of an authorization request.
    pub(super) authorize_url: String,
    /// The commands that the application runs then, with the placeholders `CODE` and `TOKEN`.
    pub(super) commands: Vec<String>,
}

impl Example {
    /// Returns the commands with their placeholders replaced.
    pub(super) fn commands_with(&self, code: Option<&str>, token: Option<&str>) -> Vec<String> {
        let filled = |command: &String| {
            let command = command.replace(CODE, code.unwrap_or(CODE));
            command.replace(TOKEN, token.unwrap_or(TOKEN))
        };
        self.commands.iter().map(filled).collect()
    }
}

/// The names of the demo's dialects, without the standard one.
pub(super) const NAMES: [&str; 5] = ["tinyemail", "tinyplus", "tinyrebrand", "php-endpoints", "paced"];

/// Returns the host and port of a dialect. In every browser, names below `localhost` lead to this machine.
pub(super) fn host(name: &str, ports: &Ports) -> String {
    format!("{name}.localhost:{}", ports.public)
}

/// Returns the redirect URI of a dialect's application.
fn arrival(name: &str, ports: &Ports) -> String {
    format!("{}/arrived/{name}", ports.site_url())
}

/// Registers an application with each.
///
/// `password` is the one of the user alice, for the surface with a password grant.
pub(super) async fn register(
    installation: &Installation,
    ports: &Ports,
    password: &Secret,
) -> Result<Vec<Example>, CommandError> {
    let mut examples = Vec::new();
    for name in NAMES {
        let is_public = name == "tinyrebrand";
        let mut proposal = Proposal::of([
            (Setting::Name, format!("Sample application of {name}").as_str().into()),
            (Setting::RedirectUris, [arrival(name, ports).as_str()].into()),
        ]);
        if is_public {
            proposal.set(Setting::Kind, "public".into());
        }
        let add = Add {
            settings: AddOptions(proposal),
            dialect: Some(name.to_owned()),
            id: Some(if is_public { "web-client".to_owned() } else { format!("sample-{name}") }),
            ..Add::default()
        };
        let Added { client, secret, .. } = add.add(installation).await?;
        let secret = secret.map(|secret| secret.reveal().to_owned());
        examples.push(example(name, ports, &client.client_id, secret, password));
    }
    Ok(examples)
}

/// A command that posts a form.
fn form_command(url: &str, fields: &[&str]) -> String {
    let fields: String = fields.iter().map(|field| format!(" \\\n  -d {field}")).collect();
    format!("curl {url}{fields}")
}

/// A command that posts JSON.
fn json_command(url: &str, body: &str) -> String {
    format!("curl {url} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'")
}

/// A command that calls an API with the token of the last answer.
fn call_command(url: &str) -> String {
    format!("curl {url} \\\n  -H 'Authorization: Bearer {TOKEN}'")
}

fn example(name: &'static str, ports: &Ports, id: &str, client_secret: Option<String>, password: &Secret) -> Example {
    let base = format!("http://{}", host(name, ports));
    let back = arrival(name, ports);
    let back_encoded = back.replace(':', "%3A").replace('/', "%2F");
    let secret = client_secret.clone().unwrap_or_default();
    let form = |path: &str, fields: &[&str]| form_command(&format!("{base}{path}"), fields);
    let json = |path: &str, body: &str| json_command(&format!("{base}{path}"), body);
    let call = |path: &str| call_command(&format!("{base}{path}"));
    let (own_id, own_secret) = (format!("client_id={id}"), format!("client_secret={secret}"));
    let (own_code, own_back) = (format!("code={CODE}"), format!("redirect_uri={back}"));
    let (sentence, authorize_url, commands) = match name {
        "tinyemail" => (
            "Every parameter stands in the query string, also of the POST to the token endpoint, whose body is empty.",
            format!(
                "{base}/api/authorization-server/oauth/authorize?grant_type=authorization_code&response_type=code\
                 &client_id={id}&redirect_uri={back_encoded}&scope=import_customers"
            ),
            vec![format!(
                "curl -X POST '{base}/api/authorization-server/oauth/token?response_type=token&client_id={id}\
                 &client_secret={secret}&code={CODE}&redirect_uri={back}&grant_type=authorization_code'"
            )],
        ),
        "tinyplus" => (
            "The redirect brings the access token itself, in the query string: there is no code and no second step.",
            format!(
                "{base}/oauth/authorize?response_type=token&client_id={id}&redirect_uri={back_encoded}&scope=read&state=xyz"
            ),
            vec![],
        ),
        "tinyrebrand" => (
            "Requests are JSON, answers are wrapped in an envelope, and an application may ask with a user's password.",
            format!(
                "{base}/api/oauth/authorize?response_type=code&client_id={id}&redirect_uri={back_encoded}\
                 &scope=user:read%20links:read&state=xyz&code_challenge={CHALLENGE}&code_challenge_method=S256"
            ),
            vec![
                json(
                    "/api/oauth/token",
                    &format!(
                        "{{\"grant_type\": \"authorization_code\", \"client_id\": \"{id}\", \"code\": \"{CODE}\",\n\
                         \x20      \"redirect_uri\": \"{back}\",\n       \"code_verifier\": \"{VERIFIER}\"}}"
                    ),
                ),
                json(
                    "/api/oauth/token",
                    &format!(
                        "{{\"grant_type\": \"password\", \"client_id\": \"{id}\",\n       \
                         \"username\": \"alice@example.com\", \"password\": \"{}\"}}",
                        password.reveal()
                    ),
                ),
                call("/api/user/me"),
            ],
        ),
        "php-endpoints" => (
            "The token endpoint is token.php; it takes no grant_type and no redirect_uri.",
            format!("{base}/api/authorize.php?client_id={id}&redirect_uri={back}&response_type=code"),
            vec![form("/api/token.php", &[&own_code, &own_id, &own_secret]), call("/api/userinfo.php")],
        ),
        _ => (
            "OAuth as the RFCs describe it, with personal access tokens beside it.",
            format!("{base}/oauth/authorize?client_id={id}&redirect_uri={back_encoded}&response_type=code"),
            vec![
                form("/oauth/token", &["grant_type=authorization_code", &own_code, &own_id, &own_secret, &own_back]),
                call("/api/v1/me"),
            ],
        ),
    };
    let client_id = id.to_owned();
    Example { dialect: name, sentence, base_url: base, client_id, client_secret, authorize_url, commands }
}
