//! Resolves the configuration. Checks all options and reports all problems before giving up.

use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dialect::Dialects;
use protocol::policy::{LockoutPolicy, SessionPolicy};
use protocol::reserved_names::ReservedNames;

use super::configuration::{Configuration, Master};
use super::file::File;
use super::files::{beside, loose, read};
use super::issuer::Issuer;
use super::problem::{Position, Problem, suggestion};
use super::resolver::Resolver;
use super::settings::{Fetch, GOOGLE, Limits, Listen, Settings, TlsFiles};
use super::surfaces::{self, Wanted};
use super::value;

/// Resolves the file. Returns `None` if an essential option is missing.
pub(super) fn configuration(file: &File, folder: &Path, problems: &mut Vec<Problem>) -> Option<Configuration> {
    let mut read = Resolver { file, folder, problems };
    let issuer = read.issuer();
    let listen = read.listen("listen");
    let admin_listen = read.admin_listen();
    let store_url = read.store_url();
    let (master, master_file) = read.master(&store_url).unzip();
    let tls = read.tls();
    let (trusted, proxy_header) = (read.networks("proxy.trusted"), read.proxy_header());
    let brand = read.brand();
    let (session, lockout) = (read.session(), read.lockout());
    let (fetch, log, limits) = (read.fetch(), read.log(), read.limits());
    let slow_workers = read.size("limits.hashing_threads");
    let google = read.google(&fetch);
    let dialects = read.dialects(issuer.as_ref());
    let also_read = surfaces::pairs(read.texts("dialects.also_read"), &read.texts("dialects.enable"), read.problems);
    let (issuer, dialects) = (issuer?, dialects?);
    let mut settings =
        Settings { listen: listen?, admin_listen, tls, trusted, proxy_header, limits, ..Settings::new(&issuer.url) };
    settings.slow_workers = slow_workers.unwrap_or(settings.slow_workers);
    settings.has_developer_pages = read.flag("developer.enable");
    settings.keys_rotate_every_s = read.seconds("keys.rotate_every");
    settings.signing_keys_rotate_every_s = read.seconds("keys.signing_rotate_every");
    settings.audit_keep_s = read.seconds("audit.keep");
    settings.brand = brand;
    settings.reserved_names = read.reserved_names(&settings.brand.name);
    let mut policies = surfaces::policies(&dialects, &settings, session, lockout);
    surfaces::let_read(&mut policies, &dialects, also_read, read.problems);
    read.warn_of_assertions(&policies, google.as_ref());
    (settings.fetch, settings.google) = (fetch, google);
    let (master, master_file) = (master?, master_file.flatten());
    Some(Configuration { settings, store_url, master, master_file, dialects, policies, log })
}

/// Says how a master key comes to a file that is not there.
fn way_to_a_key(file: &Path) -> String {
    format!(
        "Put the key back from where you keep a copy. If a backup has the key, take it from there: `grantry db restore BACKUP \
         --passphrase-file FILE --master-file {}`. For a new installation, `grantry init` in an empty folder makes a key",
        file.display()
    )
}

impl Resolver<'_> {
    /// The provider's own name and those of `developer.reserved_names`.
    fn reserved_names(&mut self, brand: &str) -> Arc<ReservedNames> {
        let listed = self.texts("developer.reserved_names");
        for (name, place) in &listed {
            if !name.chars().any(char::is_alphanumeric) {
                let text = format!("`developer.reserved_names` has {name:?}, which has neither letter nor digit");
                self.problems.push(Problem::fault(place.clone(), text));
            }
        }
        let listed: Vec<String> = listed.into_iter().map(|(name, _)| name).collect();
        Arc::new(ReservedNames::new(brand, &listed))
    }

    fn issuer(&mut self) -> Option<Issuer> {
        let Some(text) = self.text("issuer") else {
            if !self.file.is_faulty("issuer") {
                let text = "`issuer` is missing: the public base URL, such as issuer = \"https://auth.example.com\"";
                self.fault("issuer", text);
            }
            return None;
        };
        match Issuer::parse(&text) {
            Ok(issuer) => {
                if issuer.is_development {
                    self.warn(
                        "issuer",
                        "the issuer is plain http: for development on this machine only. Cookies are then neither \
                         Secure nor __Host-, and everything can be read on its way",
                    );
                }
                Some(issuer)
            }
            Err(text) => {
                self.fault("issuer", text);
                None
            }
        }
    }

    fn listen(&mut self, path: &str) -> Option<Listen> {
        let text = self.text(path)?;
        if let Some(socket) = text.strip_prefix("unix:") {
            if socket.is_empty() {
                self.fault(path, format!("`{path}` names no socket; write \"unix:/run/grantry.sock\""));
                return None;
            }
            return self.socket(path, &beside(self.folder, socket));
        }
        let parts = text.rsplit_once(':');
        let is_good = parts.is_some_and(|(host, port)| {
            let is_host = !host.is_empty() && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')));
            is_host && port.parse::<u16>().is_ok()
        });
        if !is_good {
            let hint = match parts {
                Some(("", port)) => format!("; \"0.0.0.0:{port}\" or \"[::]:{port}\" is every interface"),
                _ => String::new(),
            };
            self.fault(path, format!("`{path}` is {text:?}, it must be host:port or unix:PATH{hint}"));
            return None;
        }
        match text.to_socket_addrs().map(|mut addresses| addresses.next()) {
            Ok(Some(address)) => Some(Listen::Tcp(address)),
            _ => {
                self.fault(path, format!("`{path}` names the host {text:?}, which this machine does not know"));
                None
            }
        }
    }

    fn admin_listen(&mut self) -> Option<Listen> {
        if self.text("admin_listen").as_deref() == Some("off") {
            return None;
        }
        let listen = self.listen("admin_listen")?;
        if let Listen::Tcp(address) = &listen
            && !address.ip().is_loopback()
        {
            let text = format!("{address} can be reached from other machines; /metrics is not for the public");
            self.warn("admin_listen", text);
        }
        Some(listen)
    }

    /// Returns the store's URL. A relative file path starts at the folder of the configuration. No message quotes the
    /// URL, because it may contain a password.
    fn store_url(&mut self) -> String {
        let text = self.text("store.url").unwrap_or_default();
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => format!("sqlite:{}", beside(self.folder, path).display()),
            Some(("memory", "")) => {
                self.warn("store.url", "everything is kept in memory and gone when the server stops");
                text
            }
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                match store::check_address(&text) {
                    Ok(None) => {}
                    Ok(Some(warning)) => self.warn("store.url", warning),
                    Err(cause) => self.fault("store.url", format!("`store.url` cannot be used: {cause}")),
                }
                text
            }
            _ => {
                self.fault("store.url", "`store.url` must be \"sqlite:FILE\" or \"postgres://USER@HOST/DATABASE\"");
                text
            }
        }
    }

    /// The master key, and its file if it has one.
    fn master(&mut self, store_url: &str) -> Option<(Master, Option<PathBuf>)> {
        let (path, text, file) = if let Some(text) = self.text("keys.master") {
            if self.file.written("keys.master_file").is_some() {
                self.fault("keys.master", "both `keys.master` and `keys.master_file` are there: keep one of them");
            }
            if matches!(self.file.place("keys.master"), Position::File { .. }) {
                let text = "the master key is in the configuration itself; `keys.master_file` keeps it apart";
                self.warn("keys.master", text);
            }
            ("keys.master", Ok(text), None)
        } else {
            let path = "keys.master_file";
            let file = match (self.path(path), store_url.strip_prefix("sqlite:")) {
                (Some(file), _) => file,
                (None, None) if store_url == "memory:" => return Some((Master::Fleeting, None)),
                (None, None) => {
                    let text = "with PostgreSQL the master key has no place of its own: name one in `keys.master_file`; \
                                every node needs the same key";
                    self.fault("store.url", text);
                    return None;
                }
                (None, Some(database)) => {
                    let file = PathBuf::from(format!("{database}.key"));
                    if !file.exists() {
                        return Some((Master::Absent(file.clone()), Some(file)));
                    }
                    file
                }
            };
            if let Some(text) = loose(&file) {
                self.warn(path, text);
            }
            let text = read(&file)
                .map_err(|text| if file.exists() { text } else { format!("{text}. {}", way_to_a_key(&file)) });
            (path, text, Some(file))
        };
        match text.and_then(|text| value::master(&text)) {
            Ok(key) => Some((Master::Known(key), file)),
            Err(text) => {
                self.fault(path, format!("the master key cannot be used: {text}"));
                None
            }
        }
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        match (self.readable("tls.cert"), self.readable("tls.key")) {
            (Some(cert), Some(key)) => {
                if let Some(text) = loose(&key) {
                    self.warn("tls.key", text);
                }
                Some(TlsFiles { cert, key })
            }
            (Some(_), None) => {
                self.fault("tls.cert", "`tls.cert` needs `tls.key` beside it");
                None
            }
            (None, Some(_)) => {
                self.fault("tls.key", "`tls.key` needs `tls.cert` beside it");
                None
            }
            (None, None) => None,
        }
    }

    fn dialects(&mut self, issuer: Option<&Issuer>) -> Option<Dialects> {
        let mut enable: Vec<(String, Position)> = Vec::new();
        for (name, place) in self.texts("dialects.enable") {
            if enable.iter().any(|(own, _)| *own == name) {
                self.problems.push(Problem::fault(place, format!("`{name}` is listed twice")));
            } else {
                enable.push((name, place));
            }
        }
        if enable.is_empty() {
            self.fault("dialects.enable", "`dialects.enable` is empty: a server without a surface serves nobody");
        }
        for (name, place) in &self.file.dialects {
            if !enable.iter().any(|(own, _)| own == name) {
                let near = suggestion(name, enable.iter().map(|(own, _)| own.as_str()));
                let text = format!("[dialect.{name}] has no effect: `dialects.enable` does not list it{near}");
                self.problems.push(Problem::warning(place.clone(), text));
            }
        }
        let folder = self.path("dialects.path");
        if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
            self.fault("dialects.path", format!("there is no folder {}", folder.display()));
        }
        let accept = self.accepted();
        let wanted = Wanted {
            enable: &enable,
            folder: folder.as_deref(),
            accept: &accept,
            file: &self.file.name,
            text: &self.file.text,
        };
        // Without an issuer the dialects cannot be mounted, but they can still be checked.
        surfaces::load(&wanted, issuer.map_or("https://issuer.invalid", |issuer| &issuer.url), self.problems)
    }

    /// Returns the waivers that the operator accepts. Each must exist.
    fn accepted(&mut self) -> Vec<String> {
        let mut accepted = Vec::new();
        for (waiver, place) in self.texts("dialects.accept") {
            if dialect::hazard::hazard(&waiver).is_none() {
                let near = suggestion(&waiver, dialect::hazard::HAZARDS.iter().map(|hazard| hazard.name));
                self.problems.push(Problem::fault(place, format!("there is no waiver `{waiver}`{near}")));
            } else {
                accepted.push(waiver);
            }
        }
        accepted
    }

    fn session(&mut self) -> SessionPolicy {
        let faults_before = self.problems.len();
        let policy = SessionPolicy {
            idle_s: self.seconds("session.idle"),
            absolute_s: self.seconds("session.absolute"),
            recent_s: self.seconds("session.recent"),
            is_upstream_confirming: self.flag("upstream.google.confirms"),
            is_upstream_dating: self.text("upstream.google.issuer").is_none_or(|issuer| issuer != GOOGLE),
        };
        if policy.idle_s > policy.absolute_s && self.problems.len() == faults_before {
            self.warn("session.idle", "`session.idle` is longer than `session.absolute` and has no effect");
        }
        policy
    }

    fn lockout(&mut self) -> LockoutPolicy {
        let mut failures = |path| self.count(path).and_then(|count| u32::try_from(count).ok()).unwrap_or_default();
        LockoutPolicy {
            account_failures: failures("lockout.account_failures"),
            address_failures: failures("lockout.address_failures"),
            window_s: self.seconds("lockout.window"),
        }
    }

    fn fetch(&mut self) -> Fetch {
        let mut allow = Vec::new();
        for (text, place) in self.texts("fetch.allow") {
            if text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
                allow.push(text);
            } else {
                let text = format!("`fetch.allow` has {text:?}, it must be host:port");
                self.problems.push(Problem::fault(place, text));
            }
        }
        Fetch { allow, ca_file: self.readable("fetch.ca_file") }
    }

    fn limits(&mut self) -> Limits {
        let mut time = |path| Duration::from_secs(self.seconds(path));
        let (header_time, body_time) = (time("limits.header_timeout"), time("limits.body_timeout"));
        let (request_time, idle_time) = (time("limits.request_timeout"), time("limits.idle_timeout"));
        let drain_time = time("limits.drain");
        Limits {
            header_time,
            body_time,
            request_time,
            idle_time,
            drain_time,
            connections_max: self.size("limits.connections").unwrap_or(1),
            connections_per_address_max: self.size("limits.connections_per_address"),
            body_bytes_max: self.size("limits.body_bytes").unwrap_or(1),
            header_bytes_max: self.size("limits.header_bytes").unwrap_or(1),
            ..Limits::default()
        }
    }
}
