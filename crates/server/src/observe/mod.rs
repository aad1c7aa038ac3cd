//! What an operator sees: logs, metrics, health.

pub mod admin;
pub mod exposition;
pub mod log;
pub mod metrics;
pub mod refusals;
