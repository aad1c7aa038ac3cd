//! Prometheus metrics in the OpenMetrics text format.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text as openmetrics};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use protocol::model::EventKind;
use protocol::person::attempts::By;
use protocol::person::failure::Failure;
use protocol::refusal;

use super::jobs::Attempt;
use super::metrics::{BOUNDS_US, LIMITED, Metrics, Series, SignIn};
use crate::app::App;

/// The media type of [`text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The label of requests without a dialect or an endpoint.
const NONE: &str = "none";

/// Returns all metrics as text.
#[must_use]
pub fn text(app: &App) -> String {
    let mut registry = Registry::with_prefix("grantry");
    registry.register_collector(Box::new(Snapshot::of(app)));
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = openmetrics::encode(&mut out, &registry);
    out
}

/// A snapshot of the counters.
#[derive(Debug)]
struct Snapshot {
    addresses: Vec<Address>,
    numbers: Vec<(&'static str, &'static str, u64)>,
    labelled: Vec<Labelled>,
    gauges: Vec<(&'static str, &'static str, i64)>,
    /// The names of tasks, and when each last ran, in seconds since 1970.
    last_runs: Vec<(&'static str, i64)>,
}

/// Counters that differ in one label.
#[derive(Debug)]
struct Labelled {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    counts: Vec<(&'static str, u64)>,
}

#[derive(Debug)]
struct Address {
    dialect: String,
    endpoint: &'static str,
    outcomes: Vec<(&'static str, u64)>,
    /// The buckets, not cumulative, each with its upper bound in seconds.
    classes: Vec<(f64, u64)>,
    sum_s: f64,
}

impl Address {
    fn of(dialect: &str, endpoint: &'static str, series: &Series) -> Self {
        let refused = refusal::TABLE.iter().zip(&series.refused).map(|(row, count)| (row.name, count.load(Relaxed)));
        let all = [("ok", series.good.load(Relaxed))].into_iter().chain(refused);
        let ends = BOUNDS_US.iter().map(|bound| micro(*bound)).chain([f64::MAX]);
        Self {
            dialect: dialect.to_owned(),
            endpoint,
            outcomes: all.filter(|(_, count)| *count > 0).collect(),
            classes: ends.zip(series.classes.iter().map(|count| count.load(Relaxed))).collect(),
            sum_s: micro(series.sum_us.load(Relaxed)),
        }
    }

    fn labels(&self) -> [(&'static str, &str); 2] {
        [("dialect", self.dialect.as_str()), ("endpoint", self.endpoint)]
    }

    fn outcome<'a>(&'a self, outcome: &'a str) -> [(&'static str, &'a str); 3] {
        [("dialect", self.dialect.as_str()), ("endpoint", self.endpoint), ("outcome", outcome)]
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few microseconds in a century do not matter")]
fn micro(us: u64) -> f64 {
    us as f64 / 1e6
}

impl Snapshot {
    fn of(app: &App) -> Self {
        let metrics: &Metrics = &app.metrics;
        let mut addresses = vec![Address::of(NONE, "page", &metrics.pages)];
        for (dialect, endpoints) in &metrics.series {
            addresses.extend(endpoints.iter().map(|(at, series)| Address::of(dialect, at.row().name, series)));
        }
        let count = |number: &AtomicU64| number.load(Relaxed);
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            addresses,
            numbers: numbers(app),
            labelled: by_outcome(metrics).into_iter().chain(labelled(metrics)).collect(),
            last_runs: metrics.tasks.iter().map(|(name, own)| (*name, own.last_run_at.load(Relaxed))).collect(),
            gauges: vec![
                (
                    "connections_open",
                    "Open connections of the public listener",
                    gauge(count(&metrics.connections_open)),
                ),
                (
                    "slow_waiting",
                    "Slow judgements that wait or are being made",
                    gauge((app.slow.waiting() + app.slow_clients.waiting()) as u64),
                ),
                ("store_writable", "1 when the store took the last write", i64::from(metrics.is_store_writable())),
                (
                    "clock_plausible",
                    "1 when the clock can be right",
                    i64::from(app.plausible.check(&app.clock).is_ok()),
                ),
                ("jobs_waiting", "Jobs of the store that wait or are being done", gauge(count(&metrics.jobs.waiting))),
                ("jobs_dead", "Jobs of the store that failed too often and are kept", gauge(count(&metrics.jobs.dead))),
                (
                    "jobs_oldest_age_seconds",
                    "For how long the job that waits longest has been due",
                    gauge(count(&metrics.jobs.oldest_age_s)),
                ),
                ("memory_resident_bytes", "Memory of the process", gauge(resident_bytes())),
            ],
        }
    }
}

/// Returns the counters without a label.
fn numbers(app: &App) -> Vec<(&'static str, &'static str, u64)> {
    let metrics: &Metrics = &app.metrics;
    let count = |number: &AtomicU64| number.load(Relaxed);
    vec![
        ("turns_lost", "Turns that were judged anew because others were faster", count(&metrics.turns_lost)),
        (
            "turns_contended",
            "Turns that were given up because others were faster, again and again",
            count(&metrics.turns_contended),
        ),
        ("store_faults", "Failures of the store", count(&metrics.store_faults)),
        ("log_lines_lost", "Lines of the log that could not be written", super::sink::lines_lost()),
        (
            "refusals_without_line",
            "Refused requests beyond the lines that the log has for them in a minute",
            app.refusals.without_line(),
        ),
        (
            "audit_events_without_line",
            "Audit events beyond the lines that the log has for them in a minute",
            app.trail.without_line(),
        ),
        ("panics", "Requests that panicked", count(&metrics.panics)),
        ("swept_rows", "Rows of no more use that were removed", count(&metrics.swept_rows)),
        (
            "connections_refused",
            "Connections that were closed at once because their client address had too many",
            count(&metrics.connections_refused),
        ),
    ]
}

/// Returns the counters of everything that happens to people and clients, by one label.
fn by_outcome(metrics: &Metrics) -> Vec<Labelled> {
    let count = |number: &AtomicU64| number.load(Relaxed);
    let outcomes = SignIn::ALL.iter().zip(&metrics.sign_ins).map(|((_, name), own)| (*name, count(own)));
    let failures = Failure::ALL.iter().zip(&metrics.sign_in_failures);
    let failures = failures.map(|(failure, own)| (failure.label(), count(own)));
    let lockouts = By::ALL.iter().zip(&metrics.lockouts).map(|(by, own)| (by.as_str(), count(own)));
    let events = EventKind::ALL.iter().zip(&metrics.events).map(|(kind, own)| (kind.as_str(), count(own)));
    let limited = LIMITED.iter().zip(&metrics.limited).map(|((_, name), own)| (*name, count(own)));
    let waits = "Requests that were refused because of too many failed attempts or a rate limit";
    let lockouts_of = "Lockouts after too many failed attempts, by what they lock out";
    vec![
        Labelled { name: "limited_requests", help: waits, label: "by", counts: limited.collect() },
        Labelled {
            name: "sign_ins",
            help: "Attempts to sign in, by outcome",
            label: "outcome",
            counts: outcomes.collect(),
        },
        Labelled {
            name: "sign_in_failures",
            help: "Failed attempts to sign in, by reason",
            label: "reason",
            counts: failures.collect(),
        },
        Labelled { name: "lockouts", help: lockouts_of, label: "by", counts: lockouts.collect() },
        Labelled { name: "events", help: "Audit events, by kind", label: "kind", counts: events.collect() },
    ]
}

/// Returns the other counters with one label.
fn labelled(metrics: &Metrics) -> Vec<Labelled> {
    let count = |number: &AtomicU64| number.load(Relaxed);
    vec![
        Labelled {
            name: "job_attempts",
            help: "Attempts of this node at jobs, by outcome",
            label: "outcome",
            counts: Attempt::ALL
                .iter()
                .zip(&metrics.jobs.attempts)
                .map(|((_, name), own)| (*name, count(own)))
                .collect(),
        },
        Labelled {
            name: "task_runs",
            help: "Runs of the server's own tasks, by task",
            label: "task",
            counts: metrics.tasks.iter().map(|(name, own)| (*name, count(&own.runs))).collect(),
        },
        Labelled {
            name: "task_failures",
            help: "Runs of the server's own tasks that failed, by task",
            label: "task",
            counts: metrics.tasks.iter().map(|(name, own)| (*name, count(&own.failures))).collect(),
        },
    ]
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Requests, by how they came out: ok, or the name of the refusal";
        let mut family = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for address in &self.addresses {
            for (outcome, count) in &address.outcomes {
                let labels = address.outcome(outcome);
                let own: MetricEncoder<'_> = family.encode_family(&labels)?;
                ConstCounter::new(*count).encode(own)?;
            }
        }
        let help = "Time from the whole request to the answer";
        let mut family =
            encoder.encode_descriptor("request_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for address in &self.addresses {
            let count = address.classes.iter().map(|(_, count)| count).sum();
            let labels = address.labels();
            let mut own = family.encode_family(&labels)?;
            own.encode_histogram::<NoLabelSet>(address.sum_s, count, &address.classes, None)?;
        }
        for (name, help, count) in &self.numbers {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(*count).encode(metric)?;
        }
        for own in &self.labelled {
            let mut family = encoder.encode_descriptor(own.name, own.help, None, MetricType::Counter)?;
            for (value, count) in &own.counts {
                let labels = [(own.label, *value)];
                ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "When a task last ran without a failure, in seconds since 1970; 0 before the first run";
        let mut family =
            encoder.encode_descriptor("task_last_run_timestamp", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for (name, at) in &self.last_runs {
            ConstGauge::new(*at).encode(family.encode_family(&[("task", *name)])?)?;
        }
        for (name, help, value) in &self.gauges {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(*value).encode(metric)?;
        }
        Ok(())
    }
}

/// Returns the resident memory of this process in bytes, as Linux counts it; 0 on other systems.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}
