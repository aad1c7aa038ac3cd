//! The endpoints of a dialect. A request is answered by CORS, counted against rate limits, decoded, and handed to the judge of
//! its endpoint.
//!
//! `judges` is the table of the judges; the other files hold one step each.

mod asked;
mod authorize;
mod cors;
mod judges;
mod limits;

use std::pin::pin;
use std::sync::OnceLock;

use dialect::{At, Dialect};

use self::asked::Asked;
use crate::answers;
use crate::app::App;
use crate::http::{Request, Response};

/// Answers a request to an endpoint of a dialect, in time.
pub(crate) async fn answer(app: &App, request: &Request, dialect: &Dialect, at: At) -> Response {
    let asked = Asked { app, request, dialect, at, surface: app.surface(dialect), tally: OnceLock::new() };
    let response = app.in_time(pin!(asked.answer())).await;
    let mut response = response.unwrap_or_else(|fault| asked.refuse(&answers::broken(request, &fault)));
    if let Some(tally) = asked.tally.get() {
        tally.tell(response.headers_mut());
    }
    response
}
