//! Connections: their limits and their orderly end, on real sockets.
#![allow(clippy::disallowed_methods, reason = "tests of the server read clocks and look at files")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use common::credentials;
use protocol::line::{Changes, Facts, Wants};
use protocol::time::UnixTime;
use server::config::settings::{Listen, Settings, UnixSocket};
use server::serve::{self, ServeError};
use store::{CommitError, Fault, Query, Rows, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const SHORT: Duration = Duration::from_millis(300);

fn settings() -> Settings {
    let mut settings = Settings::new("http://127.0.0.1:8080");
    settings.listen = Listen::Tcp("127.0.0.1:0".parse().unwrap());
    settings.admin_listen = None;
    settings
}

struct Running {
    listen: Listen,
    end: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ServeError>>,
}

async fn start(store: Arc<dyn Store>, settings: Settings) -> Running {
    let app = common::app(store, settings).await;
    let (end, told) = oneshot::channel::<()>();
    let (ready, listening) = oneshot::channel();
    let told = async move { drop(told.await) };
    let ended = tokio::spawn(serve::until(app, told, move |listening| {
        let _ = ready.send(listening.public.clone());
    }));
    Running { listen: listening.await.expect("it listens"), end, ended }
}

async fn connect(running: &Running) -> TcpStream {
    let Listen::Tcp(address) = &running.listen else { panic!("it listens on an address") };
    TcpStream::connect(address).await.expect("it listens")
}

fn post(body: &str) -> String {
    format!(
        "POST /oauth/token HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads until the other end closes or has answered.
async fn answer(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    while !text.ends_with(b"}") {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(length) => text.extend_from_slice(&piece[..length]),
        }
    }
    String::from_utf8(text).expect("text")
}

/// Waits until the server closes the connection. Returns how long that took; panics after 20 s.
async fn closed_after(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.expect("it closes");
    begun.elapsed()
}

#[tokio::test]
async fn headers_that_do_not_end_and_connections_without_a_word_are_cut_off() {
    let mut settings = settings();
    settings.limits.header_time = SHORT;
    let running = start(common::memory().await, settings).await;
    let mut silent = connect(&running).await;
    let mut slow = connect(&running).await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Slow: ").await.unwrap();
    assert!(closed_after(&mut slow).await >= SHORT / 2);
    closed_after(&mut silent).await;
}

#[tokio::test]
async fn a_connection_may_rest_between_two_requests_but_not_for_ever() {
    let mut settings = settings();
    settings.limits.header_time = SHORT;
    settings.limits.idle_time = SHORT * 4;
    let running = start(common::memory().await, settings).await;
    let mut stream = connect(&running).await;
    for _ in 0..2 {
        stream.write_all(post(&credentials()).as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(SHORT * 2).await;
    }
    assert!(closed_after(&mut stream).await < Duration::from_secs(15));
}

#[tokio::test]
async fn a_body_that_is_too_large_or_too_slow_is_told_so() {
    let mut settings = settings();
    settings.limits.body_time = SHORT;
    let running = start(common::memory().await, settings).await;
    let mut large = connect(&running).await;
    large.write_all(post(&"x".repeat(300_000)).as_bytes()).await.unwrap();
    let told = answer(&mut large).await;
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("too large"), "{told}");
    let mut slow = connect(&running).await;
    let whole = post("grant_type=x");
    slow.write_all(&whole.as_bytes()[..whole.len() - 5]).await.unwrap();
    let told = answer(&mut slow).await;
    assert!(told.starts_with("HTTP/1.1 408") && told.contains("x-request-id"), "{told}");
}

#[tokio::test]
async fn a_socket_in_the_file_system_answers_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grantry.sock");
    let mut settings = settings();
    settings.listen = Listen::Unix(UnixSocket { path: path.clone(), mode: 0o660 });
    let running = start(common::memory().await, settings).await;
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(post(&credentials()).as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    drop(stream);
    running.end.send(()).unwrap();
    running.ended.await.unwrap().unwrap();
    assert!(!path.exists(), "the socket goes with the server");
}

#[tokio::test]
async fn two_servers_cannot_have_one_port() {
    let running = start(common::memory().await, settings()).await;
    let second = Settings { listen: running.listen.clone(), ..settings() };
    let app = common::app(common::memory().await, second).await;
    let error = serve::until(app, std::future::pending(), |_| {}).await.unwrap_err().to_string();
    assert!(error.contains(&running.listen.to_string()) && error.contains("in use"), "{error}");
}

/// A store on a slow disk.
struct Slow(Arc<dyn Store>);

#[async_trait]
impl Store for Slow {
    async fn load(&self, wants: Wants) -> Result<Facts, Fault> {
        self.0.load(wants).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), CommitError> {
        tokio::time::sleep(SHORT * 2).await;
        self.0.commit(changes).await
    }

    async fn list(&self, query: &Query) -> Result<Rows, Fault> {
        self.0.list(query).await
    }

    async fn sweep(&self, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        self.0.sweep(now, rows_max).await
    }
}

#[tokio::test]
async fn what_is_in_flight_when_the_server_ends_is_answered() {
    let running = start(Arc::new(Slow(common::memory().await)), settings()).await;
    let mut busy = connect(&running).await;
    let mut idle = connect(&running).await;
    busy.write_all(post(&credentials()).as_bytes()).await.unwrap();
    tokio::time::sleep(SHORT / 2).await;
    running.end.send(()).unwrap();
    assert!(answer(&mut busy).await.starts_with("HTTP/1.1 200"));
    closed_after(&mut idle).await;
    running.ended.await.unwrap().unwrap();
    let Listen::Tcp(address) = &running.listen else { panic!("it listens on an address") };
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_kept_connection_is_told_with_its_last_answer_that_the_server_ends() {
    let running = start(common::memory().await, settings()).await;
    let mut kept = connect(&running).await;
    kept.write_all(post(&credentials()).as_bytes()).await.unwrap();
    assert!(!answer(&mut kept).await.contains("connection: close"));
    running.end.send(()).unwrap();
    tokio::time::sleep(SHORT).await;
    kept.write_all(post(&credentials()).as_bytes()).await.unwrap();
    let last = answer(&mut kept).await;
    assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
    closed_after(&mut kept).await;
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_does_not_end_in_time_is_left_behind() {
    let mut settings = settings();
    settings.limits.drain_time = SHORT;
    let running = start(common::memory().await, settings).await;
    let mut stuck = connect(&running).await;
    stuck.write_all(b"POST /oauth/token HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 9\r\n\r\n").await.unwrap();
    tokio::time::sleep(SHORT / 2).await;
    let begun = Instant::now();
    running.end.send(()).unwrap();
    running.ended.await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "the time for a body alone is 10 seconds");
}
