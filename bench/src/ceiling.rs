//! The ceiling: the least that a server can do for a request. It parses a form and answers with a body that was ready before,
//! on the same HTTP library, allocator and number of threads as Grantry, with no store and no rules.
//!
//! `/` answers 120 bytes, as a token endpoint does. `ceiling SIZE…` also answers at `/SIZE`, with a body of so many bytes: a
//! larger body costs the kernel and the load generator more, and that is not what is compared.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads its own command line")]

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

fn answering(body: &'static str) -> axum::routing::MethodRouter {
    let post = move |Form(asked): Form<Asked>| async move {
        // Both are looked at, so that nobody can say that the parsing was left out.
        let _ = std::hint::black_box((asked.token, asked.client_id));
        ([(CONTENT_TYPE, "application/json")], body).into_response()
    };
    get(move || async move { ([(CONTENT_TYPE, "application/json")], body) }).post(post)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut router = Router::new().route("/", answering(ANSWER));
    let mut sizes: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for size in sizes {
        let body = format!("{{\"x\":\"{}\"}}", "x".repeat(size.saturating_sub(8)));
        router = router.route(&format!("/{size}"), answering(body.leak()));
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, router).await
}
