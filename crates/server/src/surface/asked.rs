//! The answer to a request to an endpoint of a dialect, step by step.

use std::sync::OnceLock;

use ::http::header::{CACHE_CONTROL, HeaderValue};
use ::http::{Method, StatusCode};
use bytes::Bytes;
use dialect::{At, Context, Dialect, Incoming};
use protocol::endpoint::Endpoint;
use protocol::model::GrantType;
use protocol::refusal::{No, Refusal};

use crate::answers;
use crate::app::{App, Surface};
use crate::http::{Request, Response, answer};
use crate::limits::Tally;

const PUBLIC_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// A request to an endpoint of a dialect, with all that its steps need.
pub(super) struct Asked<'a> {
    pub(super) app: &'a App,
    pub(super) request: &'a Request,
    pub(super) dialect: &'a Dialect,
    pub(super) at: At,
    pub(super) surface: &'a Surface,
    /// The rate limit that the request was counted against. Every answer has its state in headers, even after a fault.
    pub(super) tally: OnceLock<Tally<'a>>,
}

impl Asked<'_> {
    pub(super) async fn answer(&self) -> Response {
        if self.request.method == Method::OPTIONS
            && let Some(response) = self.preflight()
        {
            return response;
        }
        // Metadata does not depend on the time.
        if !self.at.endpoint.is_metadata()
            && let Err(refusal) = self.app.check_clock()
        {
            let mut response = self.refuse(&refusal);
            self.share(&mut response);
            return response;
        }
        let mut response = match (self.at.endpoint, self.request.unread) {
            (_, Some(no)) => self.unread(no).await,
            (Endpoint::Metadata | Endpoint::Discovery, None) => self.read_only(&self.surface.metadata),
            (Endpoint::Jwks, None) => match self.app.signing().await {
                Ok(keys) => self.read_only(&keys.document()),
                Err(refusal) => self.refuse(&refusal),
            },
            // Boxed because the state for a browser is large, and a token request should not reserve space for it.
            (Endpoint::Authorize, None) => Box::pin(self.authorize()).await,
            (_, None) => match self.judge().await {
                Ok(response) => response,
                Err(fault) => self.refuse(&answers::broken(self.request, &fault)),
            },
        };
        self.share(&mut response);
        response
    }

    /// Answers with a JSON document that anybody may read and keep for an hour.
    fn read_only(&self, document: &Bytes) -> Response {
        if !matches!(self.request.method, Method::GET | Method::HEAD) {
            let refusal = Refusal::from(No::MethodUnknown).with_value(self.request.method.as_str());
            return self
                .refuse(&refusal.with_choices(self.dialect.address(self.at).methods.iter().map(String::as_str)));
        }
        let mut response = answer::json(StatusCode::OK, document.clone());
        response.headers_mut().insert(CACHE_CONTROL, PUBLIC_HOUR);
        response
    }

    pub(super) fn incoming(&self) -> Incoming<'_> {
        Incoming {
            method: self.request.method.as_str(),
            query: self.request.uri.query(),
            headers: &self.request.headers,
            body: &self.request.body,
        }
    }

    pub(super) fn context(&self, grant: Option<GrantType>) -> Context<'_> {
        let had_authorization = dialect::decode::has_authorization(&self.request.headers);
        Context { request_id: self.request.id.as_str(), grant, had_authorization }
    }

    pub(super) fn refuse(&self, refusal: &Refusal) -> Response {
        let refusal = &self.dialect.explain(self.at, &self.incoming(), refusal);
        let out = self.dialect.refuse(Some(self.at), refusal, &self.context(None));
        // Decode the request a second time, so that successful requests do not keep the parameters.
        let params = answers::is_of_known_client(refusal.no)
            .then(|| self.dialect.decode(self.at, &self.incoming()).ok())
            .flatten();
        answers::marked_of(answer::outgoing(out), *refusal, params.as_ref().and_then(answers::claimed_client))
    }
}
