//! The output of the demo: every address and credential, and what to try.

use std::fmt::Write as _;
use std::io::Write as _;

use protocol::secret::Secret;
use serde_json::json;

use super::cast::Cast;
use super::folder::Folder;
use super::ports::Ports;

/// Prints the addresses and credentials.
pub(super) fn print(cast: &Cast, ports: &Ports, folder: &Folder, is_json: bool) {
    let text = if is_json { format!("{}\n", document(cast, ports, folder)) } else { block(cast, ports, folder) };
    // The demo runs even if nobody reads its output.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn document(cast: &Cast, ports: &Ports, folder: &Folder) -> serde_json::Value {
    let codes: Vec<&str> = cast.factor.recovery.iter().map(Secret::reveal).collect();
    json!({
        "issuer": ports.issuer(),
        "sample_site": ports.site_url(),
        "admin": format!("http://127.0.0.1:{}", ports.admin),
        "config": folder.path.join("grantry.toml").display().to_string(),
        "users": [
            {"username": cast.alice.username, "password": cast.alice.password.reveal()},
            {
                "username": cast.bob.username, "password": cast.bob.password.reveal(),
                "totp_secret": cast.factor.base32.reveal(), "totp_uri": cast.factor.uri.reveal(), "recovery_codes": codes,
            },
        ],
        "clients": [
            {"client_id": cast.web.client.client_id, "client_secret": cast.web.secret.reveal()},
            {"client_id": cast.cli.client_id},
            {"client_id": cast.api.client.client_id, "client_secret": cast.api.secret.reveal()},
        ],
        "surfaces": cast.surfaces,
    })
}

fn block(cast: &Cast, ports: &Ports, folder: &Folder) -> String {
    let (issuer, site) = (ports.issuer(), ports.site_url());
    let config = folder.path.join("grantry.toml").display().to_string();
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{text}");
    };
    line(String::new());
    line("Grantry is running. Ctrl-C ends it.".to_owned());
    for port in &ports.taken {
        line(format!("Port {port} is taken by somebody else; a free one is used instead."));
    }
    line(format!("Everything is in {}, and made anew when the demo starts again.", folder.path.display()));
    line(format!(
        "
  Sample site     {site}     begin here
  Account         {issuer}/account
  Metadata        {issuer}/.well-known/oauth-authorization-server
  For operators   http://127.0.0.1:{admin}/readyz   /healthz   /metrics",
        admin = ports.admin
    ));
    line(people(cast, &site));
    line(applications(cast));
    line(surfaces(cast, &site));
    line(format!(
        "
What to try
  1. Open {site} and press Connect. Sign in as alice, read what is asked, and allow.
  2. Look at what the sample site got: the profile, and what an API is told about the token.
  3. Open {issuer}/account/applications and disconnect the sample site. Go back and press Fetch again.
  4. Connect as bob. {site}/telephone shows the code that is asked for.
  5. Open {site}/surfaces: five APIs that speak OAuth with an accent, each with its own requests.
  6. Open {issuer}/developer as alice and register an application of your own.
  7. Do an operator's work while the server runs:
       grantry user list --config {config}
       grantry grant list --config {config}
       grantry user disable alice --config {config}
  8. Ask what a token is worth, as an API does:
       curl -u {api}:{secret} -d token=TOKEN {issuer}/oauth/introspect
",
        api = cast.api.client.client_id,
        secret = cast.api.secret.reveal()
    ));
    out
}

fn people(cast: &Cast, site: &str) -> String {
    let codes: Vec<&str> = cast.factor.recovery.iter().map(Secret::reveal).collect();
    let recovery: Vec<String> = codes.chunks(2).map(|pair| pair.join("   ")).collect();
    format!(
        "
People
  {:<8} password  {}
  {:<8} password  {}     and a second factor:
           code      {site}/telephone shows it, or an authenticator application with
           secret    {}
           uri       {}
           recovery  {}",
        cast.alice.username,
        cast.alice.password.reveal(),
        cast.bob.username,
        cast.bob.password.reveal(),
        cast.factor.base32.reveal(),
        cast.factor.uri.reveal(),
        recovery.join("\n                     "),
    )
}

fn surfaces(cast: &Cast, site: &str) -> String {
    let mut out = format!("\nOther surfaces, each with an application of its own: {site}/surfaces");
    for own in &cast.surfaces {
        let secret = own.client_secret.as_deref().unwrap_or("(public)");
        let _ = write!(out, "\n  {:<14} {:<38} {}  {secret}", own.dialect, own.base_url, own.client_id);
    }
    out
}

fn applications(cast: &Cast) -> String {
    format!(
        "
Applications of the standard dialect
  {:<12} {}      confidential; authorization code, refresh token
  {:<12} public; redirects to {} on any port
  {:<12} {}      introspects tokens for {}",
        cast.web.client.client_id,
        cast.web.secret.reveal(),
        cast.cli.client_id,
        cast.cli.redirect_uris.join(" "),
        cast.api.client.client_id,
        cast.api.secret.reveal(),
        cast.api.client.audience.join(" "),
    )
}
