//! The admin listener: health, readiness and metrics for the operator's machines.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, HOST, HeaderValue};
use ::http::{Method, StatusCode};
use protocol::line::{Key, Wants, Write};
use protocol::secret::Digest;

use super::exposition;
use crate::app::App;
use crate::config::settings::{Limits, Listen};
use crate::http::accept::Site;
use crate::http::{Request, RequestIds, Response, answer};

/// Time limit for the store's answer, after which it counts as unavailable.
const LOOK_TIME: Duration = Duration::from_secs(2);
/// A client ID that cannot exist, because client IDs contain no control characters.
const NOBODY: &str = "\u{1}readiness";

/// The answer to a request for another host on a loopback listener.
const MISDIRECTED: &str =
    "This listener answers only requests for localhost or a loopback address. Ask for localhost or 127.0.0.1.\n";

/// The request handler of the admin listener.
pub(crate) struct Admin {
    app: Arc<App>,
    limits: Limits,
    /// True if only this machine can connect. A web page could still lead a browser on this machine here, by a name
    /// that resolves to a loopback address.
    is_loopback: bool,
    connections_open: AtomicU64,
}

impl Admin {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let limits = Limits { connections_max: 64, ..app.settings.limits.clone() };
        let is_loopback =
            matches!(&app.settings.admin_listen, Some(Listen::Tcp(own)) if own.ip().to_canonical().is_loopback());
        Self { app, limits, is_loopback, connections_open: AtomicU64::new(0) }
    }

    async fn readiness(&self) -> Response {
        if *self.app.is_damaged.borrow() {
            // Stays unready until the database is restored and this process restarted, because reads may be wrong, too.
            tracing::warn!("not ready: the database is damaged; stop the server and restore a backup");
            return text(StatusCode::SERVICE_UNAVAILABLE, "not ready; the log says why\n");
        }
        if let Err(why) = self.app.plausible.check(&self.app.clock) {
            tracing::warn!("not ready: {why}");
            return text(StatusCode::SERVICE_UNAVAILABLE, "not ready; the log says why\n");
        }
        let wants = Wants::of([Key::Client(NOBODY.to_owned())]);
        let problem = match tokio::time::timeout(LOOK_TIME, self.app.store.load(wants)).await {
            Ok(Ok(_)) if self.app.metrics.is_store_writable() => return text(StatusCode::OK, "ready\n"),
            Ok(Ok(_)) => self.writing().await,
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "the store does not answer".to_owned(),
        };
        if problem.is_empty() {
            return text(StatusCode::OK, "ready\n");
        }
        tracing::warn!(problem, "not ready");
        text(StatusCode::SERVICE_UNAVAILABLE, "not ready; the log says why\n")
    }

    /// Tries to write if the last write failed. While writes succeed, no probe is needed. The probe writes a row,
    /// because an empty commit succeeds even on a full disk. The row is expired from the start, and the sweep removes
    /// it.
    async fn writing(&self) -> String {
        let now = self.app.clock.now();
        let row = Write::CountFailure {
            key: Digest::of(NOBODY.as_bytes()),
            limit: u32::MAX,
            now,
            resets_at: now,
            user: None,
        };
        match self.app.store.commit(row.into()).await {
            Ok(()) => {
                self.app.metrics.wrote(true);
                String::new()
            }
            Err(error) => error.to_string(),
        }
    }
}

impl Site for Admin {
    async fn answer(&self, request: Request) -> Response {
        if self.is_loopback && !names_loopback(&request) {
            return text(StatusCode::MISDIRECTED_REQUEST, MISDIRECTED);
        }
        match (&request.method, request.uri.path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => text(StatusCode::OK, "alive\n"),
            (&Method::GET | &Method::HEAD, "/readyz") => self.readiness().await,
            (&Method::GET, "/metrics") => {
                let mut response = answer::plain(StatusCode::OK, exposition::text(&self.app));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exposition::MEDIA_TYPE));
                response
            }
            (_, "/healthz" | "/readyz" | "/metrics") => text(StatusCode::METHOD_NOT_ALLOWED, "ask by GET\n"),
            _ => text(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"),
        }
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn request_ids(&self) -> &RequestIds {
        &self.app.request_ids
    }

    fn connections_open(&self) -> &AtomicU64 {
        &self.connections_open
    }
}

/// Returns true if the request's host is this machine. In a DNS rebinding attack, the name of a web page resolves to a
/// loopback address, and the browser sends that name as the host.
fn names_loopback(request: &Request) -> bool {
    let authority = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    let hosts = request.headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    authority.into_iter().chain(hosts).all(|host| std::str::from_utf8(host).is_ok_and(is_loopback_name))
}

/// `localhost` or a loopback address, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().to_canonical().is_loopback();
    }
    if let Some(bracketed) = host.strip_prefix('[') {
        let address = bracketed.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return address.is_some_and(|address| address.to_canonical().is_loopback());
    }
    let name = match host.split_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        Some(_) => return false,
        None => host,
    };
    let is_name = name.strip_suffix('.').unwrap_or(name).eq_ignore_ascii_case("localhost");
    is_name || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn text(status: StatusCode, text: &'static str) -> Response {
    let mut response = answer::plain(status, text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_addresses_of_this_machine_are_loopback() {
        for own in [
            "localhost",
            "LOCALHOST:9090",
            "localhost.",
            "localhost.:80",
            "localhost:",
            "127.0.0.1",
            "127.0.0.1:9090",
            "127.1.2.3:1",
            "[::1]",
            "[::1]:9090",
            "[::ffff:127.0.0.1]:9090",
        ] {
            assert!(is_loopback_name(own), "{own}");
        }
        for other in [
            "",
            ":9090",
            "attacker.example",
            "attacker.example:9090",
            "localhost.attacker.example",
            "127.0.0.1.attacker.example",
            "127.0.0.1.nip.io:9090",
            "notlocalhost",
            "user@localhost",
            "localhost:9090@attacker.example",
            "10.0.0.1",
            "0.0.0.0:9090",
            "[::]",
            "[::2]:9090",
            "::1",
            "[::1]x",
            "localhost, attacker.example",
        ] {
            assert!(!is_loopback_name(other), "{other}");
        }
    }
}
