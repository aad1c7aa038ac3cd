//! The dashboard and the alert rules in docs/monitoring name only what `/metrics` has.
#![allow(clippy::disallowed_methods, reason = "the tests read files of the repository")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use protocol::refusal;
use serde_json::Value;
use server::observe::exposition;

/// For each metric, its labels, and the values that each has.
type Metrics = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A metric in an expression, with the labels that must match.
#[derive(Debug)]
struct Selector {
    metric: String,
    labels: Vec<(String, Vec<String>)>,
}

fn file(name: &str) -> String {
    let path = format!("{}/../../docs/monitoring/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn labels(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split(',').filter_map(|pair| {
        let at = pair.find(['=', '!'])?;
        let value = pair[at..].trim_start_matches(['=', '!', '~']).trim().trim_matches('"');
        Some((pair[..at].trim().to_owned(), value.to_owned()))
    })
}

/// Everything in a text that has the name of a metric of Grantry's.
fn selectors(text: &str) -> Vec<Selector> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let starts = text.match_indices("grantry_").map(|(at, _)| at);
    let whole = starts.filter(|at| !text[..*at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    let found = whole.map(|at| {
        let name = &text[at..];
        let end = name.find(|c| !is_name(c)).unwrap_or(name.len());
        let inner = name[end..].strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or_default();
        let labels = labels(inner).map(|(label, value)| (label, value.split('|').map(ToOwned::to_owned).collect()));
        Selector { metric: name[..end].to_owned(), labels: labels.collect() }
    });
    found.collect()
}

/// What `/metrics` tells of a server that answered a few requests.
async fn exposed() -> Metrics {
    let app = common::usual().await;
    common::ask(&app, Method::POST, "/oauth/token", &[], &common::credentials()).await;
    common::ask(&app, Method::POST, "/oauth/token", &[], "grant_type=nonsense").await;
    common::ask(&app, Method::GET, "/sign-in", &[], "").await;
    let mut metrics = Metrics::new();
    for line in exposition::text(&app).lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let inner = line.split_once('{').and_then(|(_, rest)| rest.split('}').next()).unwrap_or_default();
        let own = metrics.entry(name.to_owned()).or_default();
        for (label, value) in labels(inner) {
            own.entry(label).or_default().insert(value);
        }
    }
    metrics
}

/// Labels that Prometheus adds.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

fn check(selector: &Selector, metrics: &Metrics) {
    let known = metrics.get(&selector.metric).unwrap_or_else(|| panic!("there is no metric {}", selector.metric));
    for (label, values) in selector.labels.iter().filter(|(label, _)| !OF_PROMETHEUS.contains(&label.as_str())) {
        let own = known.get(label).unwrap_or_else(|| panic!("{} has no label {label}", selector.metric));
        for value in values.iter().filter(|value| !value.starts_with('$')) {
            // Refusals are counted from the first on.
            let is_refusal = label == "outcome" && refusal::TABLE.iter().any(|row| row.name == value);
            assert!(own.contains(value) || is_refusal, "{}: {label} is never {value}", selector.metric);
        }
    }
}

fn strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(own) => own.iter().for_each(|value| strings(value, into)),
        Value::Object(own) => own.values().for_each(|value| strings(value, into)),
        _ => {}
    }
}

#[tokio::test]
async fn every_metric_and_label_of_the_alert_rules_is_there() {
    let (text, metrics) = (file("alerts.yaml"), exposed().await);
    let found = selectors(&text);
    assert!(found.len() > 15, "{found:?}");
    found.iter().for_each(|selector| check(selector, &metrics));
    let alerts = text.matches("- alert: ").count();
    for part in ["expr: ", "severity: ", "summary: ", "description: "] {
        assert_eq!(text.matches(part).count(), alerts, "each alert has {part}");
    }
}

#[tokio::test]
async fn every_metric_and_label_of_the_dashboard_is_there() {
    let dashboard: Value = serde_json::from_str(&file("grafana-dashboard.json")).expect("it is JSON");
    let metrics = exposed().await;
    let mut texts = Vec::new();
    strings(&dashboard, &mut texts);
    let found: Vec<Selector> = texts.iter().flat_map(|text| selectors(text)).collect();
    assert!(found.len() > 30, "{found:?}");
    found.iter().for_each(|selector| check(selector, &metrics));
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let ids: BTreeSet<i64> = panels.iter().filter_map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
}

#[tokio::test]
async fn every_metric_that_the_guides_name_is_there() {
    let metrics = exposed().await;
    let guide = |name: &str| file(&format!("../guide/{name}"));
    for text in [file("README.md"), guide("operate.md"), guide("postgres.md")] {
        selectors(&text).iter().for_each(|selector| check(selector, &metrics));
    }
}

#[test]
fn a_metric_that_does_not_exist_is_found_out() {
    let metrics = Metrics::from([(
        "grantry_a".to_owned(),
        BTreeMap::from([("by".to_owned(), BTreeSet::from(["x".to_owned()]))]),
    )]);
    let fails = |text: &str| {
        let selector = &selectors(text)[0];
        std::panic::catch_unwind(|| check(selector, &metrics)).is_err()
    };
    assert!(!fails("sum(grantry_a{by=\"x\",instance=~\"$instance\"})"));
    assert!(fails("grantry_b") && fails("grantry_a{at=\"x\"}") && fails("grantry_a{by=~\"x|y\"}"));
}
