//! Logs, metrics and health checks for the operator.

pub mod admin;
pub(crate) mod audit;
pub(crate) mod details;
pub mod exposition;
pub(crate) mod jobs;
pub(crate) mod level;
pub mod log;
pub mod metrics;
pub mod refusals;
pub(crate) mod sink;
