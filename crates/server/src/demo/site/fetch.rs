//! The sample site's outgoing requests: plain HTTP to this machine, one connection each. A real application uses a
//! client library with TLS, time-outs and a pool.

use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use ::http::{Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use url::Url;

/// No answer takes longer.
const TIME_MAX: Duration = Duration::from_secs(10);
/// No answer is larger.
const BYTES_MAX: usize = 64 * 1024;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The body as JSON; `null` when it is something else.
    pub(super) body: Value,
}

/// Asks for `url`, with an `Authorization` header if there is one to send.
pub(super) async fn get(url: &str, authorization: Option<&str>) -> Result<Answer, String> {
    send(Method::GET, url, authorization, String::new()).await
}

/// Posts a form.
pub(super) async fn post(url: &str, authorization: &str, fields: &[(&str, &str)]) -> Result<Answer, String> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    send(Method::POST, url, Some(authorization), body).await
}

async fn send(method: Method, url: &str, authorization: Option<&str>, body: String) -> Result<Answer, String> {
    let asked = tokio::time::timeout(TIME_MAX, exchange(method, url, authorization, body));
    asked.await.map_err(|_| "there was no answer in time".to_owned())?
}

async fn exchange(method: Method, url: &str, authorization: Option<&str>, body: String) -> Result<Answer, String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let port = url.port_or_known_default().ok_or("the address has no port")?;
    let host = url.host_str().ok_or("the address has no host")?;
    let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);

    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = Request::builder().method(method).uri(path).header(HOST, format!("{host}:{port}"));
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
    connection.abort();
    Ok(Answer { status, body: serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null) })
}
