//! The ceiling: the least that a server can do for a request. It parses a form and answers 120 bytes of JSON, on the same
//! HTTP library, allocator and number of threads as Grantry, with no store and no rules.

use axum::Router;
use axum::extract::Form;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ANSWER: &str = concat!(
    r#"{"access_token":"0123456789012345678901234567890123456789012","#,
    r#""token_type":"Bearer","expires_in":3600,"scope":"abcdefg"}"#
);
const _: () = assert!(ANSWER.len() == 120);

#[derive(Deserialize)]
struct Asked {
    token: Option<String>,
    client_id: Option<String>,
}

async fn post(Form(asked): Form<Asked>) -> impl IntoResponse {
    // Both are looked at, so that nobody can say that the parsing was left out.
    let _ = std::hint::black_box((asked.token, asked.client_id));
    ([(CONTENT_TYPE, "application/json")], ANSWER)
}

async fn read() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], ANSWER)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, Router::new().route("/", get(read).post(post))).await
}
