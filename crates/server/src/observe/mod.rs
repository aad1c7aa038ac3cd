//! What an operator sees: logs, metrics, health.

pub mod log;
pub mod metrics;
