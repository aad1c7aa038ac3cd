//! `grantry demo`: runs everything without configuration. It makes a new database with two users and an application for
//! every dialect, and runs the server and a small sample site that is a client of the server.

mod cast;
mod folder;
mod ports;
mod printed;
mod site;
mod surfaces;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::sync::watch;

use crate::cli::{Answer, CommandError, Installation};
use crate::config::settings::Listen;
use crate::config::{self, Configuration, Log};
use crate::http::accept;
use crate::http::listen::Listener;
use crate::observe::log;
use crate::serve::{self, ServeError};
use crate::signals::Signals;

use cast::Cast;
use folder::Folder;
use ports::Ports;
use site::SampleSite;

/// Runs the demo.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  grantry demo
  grantry demo --port 3000 --site-port 3001
  grantry demo --host 0.0.0.0        in a container: publish ports 8080 and 8081, and open them as localhost

The addresses of the demo say localhost, since browsers and applications accept plain http there alone. A telephone reaches it
through a forwarded port, such as `adb reverse tcp:8081 tcp:8081`, and the same for 8080.

The folder is emptied whenever the demo starts, of what an earlier demo made and of nothing else.
Where a port is taken, a free one is used instead.")]
pub(crate) struct Demo {
    /// Where the database, its key and its configuration are.
    #[arg(long, value_name = "DIR", default_value = "grantry-demo")]
    dir: PathBuf,
    /// The IP address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The server's port.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// The sample site's port.
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    site_port: u16,
    /// The port of /healthz, /readyz and /metrics.
    #[arg(long, value_name = "PORT", default_value_t = 9090)]
    admin_port: u16,
}

impl Demo {
    /// Runs the demo until it is told to end.
    pub(crate) async fn run(self, is_json: bool) -> Result<Answer, CommandError> {
        // The demo accepts every waiver that there is, and says so in its configuration.
        let signals = Signals::listen().map_err(|error| CommandError::from(ServeError::Signals(error)))?;
        log::start(&Log { level: "warn,waivers=off".to_owned(), is_json: false, file: None, has_audit: None })
            .map_err(CommandError::no)?;
        if !self.host.is_loopback() && !self.host.is_unspecified() {
            return Err(CommandError::usage(format!(
                "--host is 127.0.0.1 or ::1 for this machine, or 0.0.0.0 or :: for every interface, not {}: the sample site \
                 itself reaches the server as localhost",
                self.host
            )));
        }
        let folder = Folder::fresh(&self.dir)?;
        let ports = Ports::find(self.host, self.port, self.site_port, self.admin_port)?;
        let config = folder.write("grantry.toml", &configuration_text(&ports))?;
        let cast = Cast::create(&installation(&config).await?, &ports).await?;
        let app = serve::open(configuration(&config)?).await?;

        let address = SocketAddr::new(ports.listen, ports.site);
        let listener = Listener::bind(&Listen::Tcp(address)).map_err(|error| CommandError::no(error.to_string()))?;
        let site = Arc::new(SampleSite::new(&cast, &ports).map_err(CommandError::no)?);
        let (end, ending) = watch::channel(false);
        let open = tokio::spawn(accept::serve(listener, None, site, ending));
        let served = serve::run(app, signals, |_| printed::print(&cast, &ports, &folder, is_json)).await;
        // Sending fails if the sample site has ended already.
        let _ = end.send(true);
        open.await.map_err(|error| CommandError::no(error.to_string()))?;
        served?;
        Ok(Answer::new(serde_json::Value::Null, ""))
    }
}

/// Returns the text of the demo's configuration, with a resource and a scope of its own.
fn configuration_text(ports: &Ports) -> String {
    let mut text = format!(
        r#"# Made by `grantry demo`, and made anew whenever it starts.
issuer       = "{issuer}"
listen       = "{listen}"
admin_listen = "127.0.0.1:{admin}"

[store]
url = "sqlite:grantry.db"

[dialects]
enable = ["standard", "{names}"]
# Each is a rule that one of the surfaces breaks: `grantry check` says what it means.
accept = ["{waivers}"]

[dialect.standard]
# The sample site's API, and this server's own userinfo: a token says for whom it is.
resources = {{ "{resource}" = "Links", "{issuer}" = "Your profile" }}

[dialect.standard.scope]
list = {{ profile = "See your name and user name", email = "See your e-mail address", "links:read" = "Read your links" }}
"#,
        issuer = ports.issuer(),
        listen = SocketAddr::new(ports.listen, ports.public),
        admin = ports.admin,
        resource = ports.resource(),
        names = surfaces::NAMES.join("\", \""),
        waivers = waivers().join("\", \""),
    );
    for name in surfaces::NAMES {
        text.push_str(&format!("\n[dialect.{name}]\nhosts = [\"{}\"]\n", surfaces::host(name, ports)));
    }
    text
}

/// Returns all waivers of the demo's dialects.
fn waivers() -> Vec<String> {
    let shipped = surfaces::NAMES.iter().filter_map(|name| dialect::Dialect::shipped(name, &[])?.ok());
    let mut waivers: Vec<String> = shipped.flat_map(|dialect| dialect.waives).collect();
    waivers.sort();
    waivers.dedup();
    waivers
}

/// Loads the demo's configuration. Environment variables are ignored.
fn configuration(config: &std::path::Path) -> Result<Configuration, CommandError> {
    config::load(config, &[])
        .map(|loaded| loaded.configuration)
        .map_err(|problems| CommandError::no(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

async fn installation(config: &std::path::Path) -> Result<Installation, CommandError> {
    let configuration = configuration(config)?;
    let opened = store::open(&configuration.store_url, store::Mode::Create).await;
    Ok(Installation::new(configuration, opened.map_err(|error| CommandError::no(error.to_string()))?))
}
