//! The accounts API, by which the provider's own programs read and write the attributes of accounts. Userinfo and
//! introspection can show these attributes.
//!
//! `GET` and `PATCH /api/accounts/SUB/attributes`, below the issuer. The client authenticates by HTTP Basic and needs
//! the operator's permission. A patch is a JSON merge patch (RFC 7396). Each use is an audit event.

use ::http::header::{ALLOW, CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use ::http::{Method, StatusCode};
use dialect::Dialect;
use dialect::decode::client_header;
use protocol::endpoint::Endpoint;
use protocol::exact::{self, Inexact};
use protocol::refusal::{ErrorKind, No, Refusal};
use protocol::resource::attributes::AttributesCall;
use protocol::wire::Params;
use serde_json::{Map, Value, json};

use crate::address::address;
use crate::answers;
use crate::app::App;
use crate::http::{Request, Response, answer};
use crate::limits::Asker;

/// Returns the account that a path names; `None` if the path does not belong to this API.
pub(crate) fn account<'p>(app: &App, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(app.settings.base_path())?.strip_prefix("/api/accounts/")?;
    let sub = rest.strip_suffix("/attributes")?;
    (!sub.is_empty() && !sub.contains('/')).then_some(sub)
}

/// Answers a request about an account. It counts as a request to the token endpoint of `dialect`, which the host belongs to.
pub(crate) async fn answer(app: &App, request: &Request, dialect: Option<&Dialect>, sub: &str) -> Response {
    let address = address(request, &app.settings);
    let params = client_header(&request.headers);
    let (none, now) = (Params::default(), app.clock.now());
    let known = params.as_ref().unwrap_or(&none);
    let asker = Asker { address: &address, params: known, token: None, owner: None };
    let tally = dialect.and_then(|dialect| app.limiter.count(dialect, Some(Endpoint::Token), &asker, now));
    let allowed = tally.as_ref().map_or(Ok(()), |tally| tally.check(now));
    let mut response = match allowed.and_then(|()| parse(request, params, sub)) {
        Ok(call) => match app.turn(app.house_policy(), &address, call).await {
            Ok(Ok(attributes)) => json_answer(StatusCode::OK, &Value::Object(attributes)),
            Ok(Err(refusal)) => refuse(&refusal),
            Err(fault) => refuse(&answers::broken(request, &fault)),
        },
        Err(refusal) => refuse(&refusal),
    };
    if let Some(tally) = &tally {
        tally.tell(response.headers_mut());
    }
    response
}

fn parse(request: &Request, params: Result<Params, Refusal>, sub: &str) -> Result<AttributesCall, Refusal> {
    patch(request).and_then(|patch| AttributesCall::parse(params?, sub, patch))
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
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
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
    if let Some(wait_s) = refusal.retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait_s));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, PATCH"));
    }
    answers::marked(response, *refusal)
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    let mut response = answer::json(status, body.to_string());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
