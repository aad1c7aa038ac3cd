//! The listener for the operator's machines: is it alive, can it work, what has it done.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, HeaderValue};
use ::http::{Method, StatusCode};
use protocol::secret::Digest;
use protocol::turn::{Change, Wants};

use super::exposition;
use crate::app::App;
use crate::http::accept::Site;
use crate::http::{Request, RequestIds, Response, answer};
use crate::settings::Limits;

/// How long a store may take to find a row before it counts as gone.
const LOOK_TIME: Duration = Duration::from_secs(2);
/// A client that nobody can have: such names have no control characters.
const NOBODY: &str = "\u{1}readiness";

/// What the operator's machines are answered.
pub(crate) struct Admin {
    app: Arc<App>,
    limits: Limits,
    connections_open: AtomicU64,
}

impl Admin {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let limits = Limits { connections_max: 64, ..app.settings.limits.clone() };
        Self { app, limits, connections_open: AtomicU64::new(0) }
    }

    async fn readiness(&self) -> Response {
        if *self.app.is_damaged.borrow() {
            // Until somebody restored it and started this process anew: what it still reads may be wrong.
            tracing::warn!("not ready: the database is damaged; stop the server and restore a backup");
            return text(StatusCode::SERVICE_UNAVAILABLE, "not ready; the log says why\n");
        }
        let wants = Wants { client_id: Some(NOBODY.to_owned()), ..Wants::default() };
        let problem = match tokio::time::timeout(LOOK_TIME, self.app.store.load(&wants)).await {
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

    /// Tries to write after a write has failed: so long as all goes well, nobody has to write to find that out. It has to be
    /// a row: a commit without one succeeds on a full disk too. This one is over at once, and swept away with its like.
    async fn writing(&self) -> String {
        let now = self.app.clock.now();
        let row = Change::CountFailure {
            key: Digest::of(NOBODY.as_bytes()),
            limit: u32::MAX,
            now,
            resets_at: now,
            user: None,
        };
        match self.app.store.commit(vec![row]).await {
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

fn text(status: StatusCode, text: &'static str) -> Response {
    let mut response = answer::plain(status, text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
