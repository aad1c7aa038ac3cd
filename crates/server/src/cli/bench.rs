//! `grantry bench`: a load test of a running server. It sends OAuth requests as any client does, and needs neither the
//! server's configuration nor its store.

mod latency;
mod load;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use protocol::secret::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use self::load::{Outcome, Pace, Question, exchange};
use super::answer::{Answer, CommandError};
use super::input;
use crate::outside::fetch;

/// Path of the authorization server metadata, RFC 8414 §3.
const METADATA_PATH: &str = "/.well-known/oauth-authorization-server";
/// Timeout of a request.
const ANSWER_MAX: Duration = Duration::from_secs(30);
const CONNECTIONS_MAX: u64 = 10_000;
/// Maximum length of a run in seconds: one day.
const SECONDS_MAX: u64 = 86_400;
const AGENT: &str = concat!("grantry-bench/", env!("CARGO_PKG_VERSION"));

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("secret").args(["client_secret_file", "client_secret_stdin"]).requires("client_id")))]
#[command(after_help = "\
Examples:
  grantry client add --name Bench --grant client_credentials --json      a client to ask as
  grantry bench --client-id ID --client-secret-file bench.secret
  grantry bench --client-id ID --client-secret-file bench.secret --workload introspect --connections 64
  grantry bench --workload discovery --url https://auth.example.com --rate 100 --seconds 60

Workloads:
  client_credentials   issues a token with each request; each is a row on disk until it expires
  introspect           issues one token and asks about it again and again
  discovery            fetches the metadata document; needs no client

It loads the server for real, and whoever shares the machine or the rate limits is slowed down. The load generator needs
processor time itself: run it on another machine to see what the server can do.")]
pub(super) struct Bench {
    /// Where the server is.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The Host header, where the server is asked by another name than its issuer's.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The client to ask as.
    #[arg(long, value_name = "CLIENT")]
    client_id: Option<String>,
    /// Read the client's secret from this file.
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Read the client's secret from standard input.
    #[arg(long)]
    client_secret_stdin: bool,
    /// What is asked.
    #[arg(long, value_enum, default_value_t = Workload::ClientCredentials)]
    workload: Workload,
    /// Connections, each with one request at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    connections: u64,
    /// For how long.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    seconds: u64,
    /// Requests a second [default: as many as there can be].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// More certificate authorities, in PEM.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    #[value(name = "client_credentials")]
    ClientCredentials,
    Introspect,
    Discovery,
}

impl Workload {
    fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Introspect => "introspect",
            Self::Discovery => "discovery",
        }
    }
}

impl Bench {
    pub(super) async fn run(self) -> Result<Answer, CommandError> {
        let base = base(&self.url)?;
        let secret = self.secret()?;
        let authorities = self.authorities()?;
        let client = client(&authorities)?;
        let question = self.question(&client, &base, secret.as_ref()).await?;
        let connections = usize::try_from(self.connections).unwrap_or(usize::MAX);
        let pace = Pace { connections, time: Duration::from_secs(self.seconds), rate: self.rate };
        let clients = (0..connections).map(|_| self::client(&authorities)).collect::<Result<Vec<_>, _>>()?;
        let outcome = load::run(clients, Arc::new(question), pace).await;
        Ok(self.told(&outcome))
    }

    fn secret(&self) -> Result<Option<Secret>, CommandError> {
        let secret = match &self.client_secret_file {
            Some(path) => Some(input::file(path)?),
            None if self.client_secret_stdin => Some(input::stdin("the client secret")?),
            None => None,
        };
        if self.workload != Workload::Discovery && secret.is_none() {
            return Err(CommandError::usage(format!(
                "{} needs --client-id, and --client-secret-file or --client-secret-stdin: `grantry client add --name Bench \
                 --grant client_credentials` makes a client",
                self.workload.name()
            )));
        }
        Ok(secret)
    }

    fn authorities(&self) -> Result<Vec<Certificate>, CommandError> {
        let Some(path) = &self.ca_file else { return Ok(Vec::new()) };
        let name = path.display();
        let pem = std::fs::read(path)
            .map_err(|error| CommandError::no(format!("{name} cannot be read: {}", crate::config::plain(&error))))?;
        Certificate::from_pem_bundle(&pem).map_err(|_| CommandError::no(format!("{name} holds no certificates in PEM")))
    }

    /// Prepares the request that is sent again and again. Fetches the endpoint URLs, and a token to introspect.
    async fn question(&self, client: &Client, base: &Url, secret: Option<&Secret>) -> Result<Question, CommandError> {
        let mut headers = HeaderMap::new();
        if let Some(host) = &self.host {
            let value = HeaderValue::from_str(host).map_err(|_| CommandError::usage("--host is no name of a host"))?;
            headers.insert(HOST, value);
        }
        let metadata = Question {
            method: Method::GET,
            url: at(base, METADATA_PATH),
            headers: headers.clone(),
            body: String::new(),
            no: None,
        };
        let found = document(client, &metadata).await?;
        if self.workload == Workload::Discovery {
            return Ok(metadata);
        }
        if let (Some(client_id), Some(secret)) = (&self.client_id, secret) {
            let basic = fetch::basic(client_id, secret);
            let value =
                HeaderValue::from_str(basic.reveal()).map_err(|_| CommandError::usage("the secret cannot be sent"))?;
            headers.insert(AUTHORIZATION, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let issue = Question {
            method: Method::POST,
            url: endpoint(base, &found, "token_endpoint")?,
            headers: headers.clone(),
            body: "grant_type=client_credentials".to_owned(),
            no: None,
        };
        if self.workload == Workload::ClientCredentials {
            return Ok(issue);
        }
        let url = endpoint(base, &found, "introspection_endpoint")?;
        let issued = document(client, &issue).await?;
        let token =
            issued["access_token"].as_str().ok_or_else(|| CommandError::no("the answer has no access_token"))?;
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
        Ok(Question { method: Method::POST, url, headers, body, no: Some("\"active\":false") })
    }

    fn told(&self, outcome: &Outcome) -> Answer {
        let latencies = &outcome.latencies;
        let seconds = outcome.took.as_secs_f64();
        let rate = if seconds > 0.0 { latencies.count() as f64 / seconds } else { 0.0 };
        let document = json!({
            "url": self.url,
            "workload": self.workload.name(),
            "connections": self.connections,
            "seconds": rounded(seconds),
            "requests": latencies.count(),
            "requests_per_s": rounded(rate),
            "p50_ms": latencies.percentile_ms(50).map(rounded),
            "p99_ms": latencies.percentile_ms(99).map(rounded),
            "max_ms": latencies.longest_ms().map(rounded),
            "errors": outcome.errors,
            "first_error": outcome.first_error,
        });
        let ms = |name: &str| document[name].as_f64().map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        let mut text = format!(
            "{} at {}: {} connections, {:.0} s\nrequests/s  {rate:.0}\np50         {}\np99         {}\nlongest     {}\nerrors      {}",
            self.workload.name(),
            self.url,
            self.connections,
            seconds,
            ms("p50_ms"),
            ms("p99_ms"),
            ms("max_ms"),
            outcome.errors
        );
        if let Some(first) = &outcome.first_error {
            text.push_str(&format!("\nthe first   {first}"));
        }
        // A run in which some requests failed still has a result. A run without a success has none.
        Answer { document, text, is_no: latencies.count() == 0 }
    }
}

/// Rounds to three decimal places. More would be noise.
fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

fn base(text: &str) -> Result<Url, CommandError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| CommandError::usage("--url is an address such as http://127.0.0.1:8080"))?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(CommandError::usage("--url has no user, no query and no fragment"));
    }
    Ok(url)
}

/// Returns the URL of a path below the base.
fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// Returns the URL of an endpoint: the path from the metadata, at the address that the operator named.
fn endpoint(base: &Url, metadata: &Value, name: &str) -> Result<Url, CommandError> {
    let named = metadata[name].as_str().and_then(|text| Url::parse(text).ok());
    let named = named.ok_or_else(|| CommandError::no(format!("the server's metadata names no {name}")))?;
    let mut url = base.clone();
    url.set_path(named.path());
    Ok(url)
}

/// Sends one request, and returns the JSON document of the response.
async fn document(client: &Client, question: &Question) -> Result<Value, CommandError> {
    let url = &question.url;
    let (status, body) =
        exchange(client, question).await.map_err(|error| CommandError::no(format!("{url}: {error}")))?;
    let text = String::from_utf8_lossy(&body);
    if status == StatusCode::MISDIRECTED_REQUEST || status == StatusCode::NOT_FOUND {
        return Err(CommandError::no(format!(
            "{url}: {status}. Where a server is asked by another name than its issuer's, say the issuer's host with --host"
        )));
    }
    if status != StatusCode::OK {
        return Err(CommandError::no(format!("{url}: {status}: {}", text.trim())));
    }
    serde_json::from_str(&text).map_err(|_| CommandError::no(format!("{url}: the answer is not JSON")))
}

/// Makes an HTTP client with one connection, which uses no proxy and follows no redirects.
fn client(authorities: &[Certificate]) -> Result<Client, CommandError> {
    let builder = Client::builder().redirect(Policy::none()).no_proxy().user_agent(AGENT).timeout(ANSWER_MAX);
    let builder = builder.http1_only().pool_max_idle_per_host(1).tcp_nodelay(true);
    let built = builder.tls_certs_merge(authorities.to_vec()).build();
    built.map_err(|error| CommandError::no(format!("no connection can be made: {}", fetch::plain(&error))))
}
