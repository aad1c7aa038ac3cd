//! The accounts API: a provider's own programs keep what they know of an account where its answers can show it.
//!
//! `GET` and `PATCH /api/accounts/SUB/attributes`, below the issuer; the client authenticates by HTTP Basic. A patch is a
//! JSON object, laid over the attributes by RFC 7396.

use ::http::header::{ALLOW, CACHE_CONTROL, HeaderValue, WWW_AUTHENTICATE};
use ::http::{Method, StatusCode};
use dialect::decode::client_header;
use protocol::attributes::AttributesCall;
use protocol::exact::{self, Inexact};
use protocol::refusal::{ErrorKind, No, Refusal};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::browser::address;
use crate::fault::Fault;
use crate::http::{Request, Response, answer};
use crate::surface::{self, Refused};

/// The account that a path is about; `None` when it is about none.
pub(crate) fn account<'p>(app: &App, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(app.settings.base_path())?.strip_prefix("/api/accounts/")?;
    let sub = rest.strip_suffix("/attributes")?;
    (!sub.is_empty() && !sub.contains('/')).then_some(sub)
}

/// Answers a request about an account.
pub(crate) async fn answer(app: &App, request: &Request, sub: &str) -> Response {
    match judge(app, request, sub).await {
        Ok(Ok(attributes)) => json_answer(StatusCode::OK, &Value::Object(attributes)),
        Ok(Err(refusal)) => refuse(&refusal),
        Err(fault) => refuse(&surface::broken(request, &fault)),
    }
}

async fn judge(app: &App, request: &Request, sub: &str) -> Result<Result<Map<String, Value>, Refusal>, Fault> {
    let call = patch(request).and_then(|patch| AttributesCall::parse(client_header(&request.headers)?, sub, patch));
    match call {
        Ok(call) => app.turn(app.house_policy(), &address(request, &app.settings.trusted), call).await,
        Err(refusal) => Ok(Err(refusal)),
    }
}

fn patch(request: &Request) -> Result<Option<Map<String, Value>>, Refusal> {
    match request.method {
        Method::GET | Method::HEAD => Ok(None),
        Method::PATCH => {
            if let Some(no) = request.unread {
                return Err(no.into());
            }
            let is_json = |own: &&str| request.media_type().eq_ignore_ascii_case(own);
            if !["application/merge-patch+json", "application/json"].iter().any(is_json) {
                return Err(No::BodyTypeUnknown.into());
            }
            match exact::read(&request.body) {
                Ok(Value::Object(patch)) => Ok(Some(patch)),
                Ok(_) | Err(Inexact::Malformed) => Err(No::BodyMalformed.into()),
                Err(Inexact::Number(number)) => Err(Refusal::from(No::AttributeInexact).with_value(&number)),
            }
        }
        _ => Err(No::MethodUnknown.into()),
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let row = refusal.row();
    let status = match row.kind {
        ErrorKind::InvalidClient => StatusCode::UNAUTHORIZED,
        ErrorKind::UnauthorizedClient => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = json!({"error": row.kind.as_str(), "error_description": refusal.text()});
    let mut response = json_answer(status, &body);
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"accounts\", charset=\"UTF-8\""));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, PATCH"));
    }
    response.extensions_mut().insert(Refused(refusal.no));
    response
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    let mut response = answer::json(status, body.to_string());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
