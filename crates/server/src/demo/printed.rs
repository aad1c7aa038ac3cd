//! The output of the demo: every address and credential, and what to try.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

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
    let config = absolute(&folder.path.join("grantry.toml"));
    let grantry = program();
    let mut out = format!(
        "
Grantry is running.

  Open      {site}     and press Connect
  Sign in   {username}     password  {password}
  Stop      Ctrl-C
",
        username = cast.alice.username,
        password = cast.alice.password.reveal(),
    );
    let mut line = |text: String| {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{text}");
    };
    for port in &ports.taken {
        line(format!("\nPort {port} is in use; a free one was chosen instead."));
    }
    if !ports.listen.is_loopback() {
        line(format!(
            "\nThe demo listens on {}. Its addresses say localhost, since plain http is for localhost only:\n\
             forward the ports {} and {} to the machine with the browser.",
            ports.listen, ports.public, ports.site
        ));
    }
    line(format!(
        "
Addresses
  Sample site     {site}
  Account         {issuer}/account
  Developer area  {issuer}/developer
  Metadata        {issuer}/.well-known/oauth-authorization-server
  For operators   http://127.0.0.1:{admin}/metrics   /healthz   /readyz",
        admin = ports.admin
    ));
    line(people(cast, &site));
    line(applications(cast));
    line(surfaces(cast, &site));
    line(format!(
        "
What to try
  1. Open {site} and press Connect. Sign in as alice, read what the application asks for, and allow it.
  2. Look at the profile that the site fetched, at its tokens, and at the requests that travelled.
  3. Open {issuer}/account/applications and disconnect the sample site. Go back and press Fetch again.
  4. Connect as bob. {site}/telephone shows the code that the sign-in page asks for.
  5. Open {site}/surfaces: five OAuth surfaces that are not standard, each with its own requests.
  6. Open {issuer}/developer as alice and register an application of your own.
  7. Do an operator's work while the server runs:
       {grantry} user list --config {config}
       {grantry} grant list --config {config}
       {grantry} event list --config {config}
       {grantry} user disable alice --config {config}
       {grantry} user enable alice --config {config}
  8. Ask about a token as an API does. The sample site shows this command with its own token:
       curl -u {api}:{secret} -d token=TOKEN {issuer}/oauth/introspect

Everything is in {folder}, and made anew when the demo starts again.
",
        api = cast.api.client.client_id,
        secret = cast.api.secret.reveal(),
        folder = absolute(&folder.path),
    ));
    out
}

/// This program as a word that a shell in any folder understands.
fn program() -> String {
    let name = std::env::current_exe().ok().map(|path| path.display().to_string());
    name.unwrap_or_else(|| "grantry".to_owned())
}

/// A path that a shell in any folder understands.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string()
}

fn people(cast: &Cast, site: &str) -> String {
    let codes: Vec<&str> = cast.factor.recovery.iter().map(Secret::reveal).collect();
    let recovery: Vec<String> = codes.chunks(2).map(|pair| pair.join("   ")).collect();
    format!(
        "
People
  {:<8} password  {}
  {:<8} password  {}     and a second factor:
           code      {site}/telephone shows it, as does an authenticator app with
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
