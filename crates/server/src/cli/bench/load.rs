//! The load: connections that send the same request again and again, and the outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use url::Url;

use super::latency::Latencies;
use crate::outside::fetch::plain;

/// Pause of a connection after a failure, so that an unreachable server is not asked a million times.
const PAUSE: Duration = Duration::from_millis(20);
/// Number of characters of an error response that are reported.
const TOLD_CHARACTERS_MAX: usize = 300;

/// The request of a load test.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// A text that marks a response with status 200 as a failure.
    pub(super) no: Option<&'static str>,
}

/// Number of connections, length and rate of a load test.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) connections: usize,
    pub(super) time: Duration,
    /// Requests per second over all connections; `None` for as many as possible.
    pub(super) rate: Option<u32>,
}

/// The outcome of a load test.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) latencies: Latencies,
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
    /// Time from the first request to the last response.
    pub(super) took: Duration,
}

impl Outcome {
    fn note(&mut self, begun: Instant, answer: Result<(), String>) -> bool {
        match answer {
            Ok(()) => self.latencies.note(begun.elapsed()),
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert(error);
                return false;
            }
        }
        true
    }

    fn add(&mut self, other: Self) {
        self.latencies.add(&other.latencies);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.took = self.took.max(other.took);
    }
}

/// Sends requests on all connections until the time is over. Each connection has an HTTP client of its own, because
/// clients share connections.
pub(super) async fn run(clients: Vec<Client>, question: Arc<Question>, pace: Pace) -> Outcome {
    let ready = Arc::new(Barrier::new(clients.len()));
    let mut connections = JoinSet::new();
    for (number, client) in clients.into_iter().enumerate() {
        let (ready, question) = (Arc::clone(&ready), Arc::clone(&question));
        connections.spawn(async move {
            // The first request opens the connection and is not measured. Its errors will occur again.
            let _ = ask(&client, &question).await;
            ready.wait().await;
            connection(&client, &question, pace, number).await
        });
    }
    let mut all = Outcome::default();
    while let Some(ended) = connections.join_next().await {
        match ended {
            Ok(outcome) => all.add(outcome),
            Err(error) => all.add(Outcome { errors: 1, first_error: Some(error.to_string()), ..Outcome::default() }),
        }
    }
    all
}

async fn connection(client: &Client, question: &Question, pace: Pace, number: usize) -> Outcome {
    let begun = Instant::now();
    let mut outcome = Outcome::default();
    let every = pace.rate.map(|rate| Duration::from_secs_f64(pace.connections as f64 / f64::from(rate)));
    // Spread the requests of the connections over time.
    let offset = every.map_or(Duration::ZERO, |every| every.mul_f64(number as f64 / pace.connections as f64));
    for count in 0_u32.. {
        // Measure a delayed request from the time at which it was due, because a slow request before it caused the
        // delay.
        let due = every.map(|every| begun + offset + every * count);
        if let Some(due) = due {
            tokio::time::sleep_until(due.into()).await;
        }
        let asked = due.unwrap_or_else(Instant::now);
        if asked.duration_since(begun) >= pace.time || begun.elapsed() >= pace.time {
            break;
        }
        if !outcome.note(asked, ask(client, question).await) {
            tokio::time::sleep(PAUSE).await;
        }
    }
    outcome.took = begun.elapsed();
    outcome
}

/// Sends one request, and checks the response.
async fn ask(client: &Client, question: &Question) -> Result<(), String> {
    let (status, body) = exchange(client, question).await?;
    let text = || String::from_utf8_lossy(&body).chars().take(TOLD_CHARACTERS_MAX).collect::<String>();
    let holds = |words: &str| body.windows(words.len()).any(|piece| piece == words.as_bytes());
    match question.no {
        _ if status != StatusCode::OK => Err(format!("{status}: {}", text().trim())),
        Some(no) if holds(no) => Err(format!("{status}, but {no}: {}", text().trim())),
        _ => Ok(()),
    }
}

/// Sends one request, and returns the status and body of the response.
pub(super) async fn exchange(client: &Client, question: &Question) -> Result<(StatusCode, Vec<u8>), String> {
    let request = client.request(question.method.clone(), question.url.clone());
    let request = request.headers(question.headers.clone()).body(question.body.clone());
    let response = request.send().await.map_err(|error| plain(&error))?;
    let status = response.status();
    let body = response.bytes().await.map_err(|error| plain(&error))?;
    Ok((status, body.to_vec()))
}
