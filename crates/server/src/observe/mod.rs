//! What an operator sees: logs, metrics, health.

pub mod admin;
pub(crate) mod audit;
pub mod exposition;
pub mod log;
pub mod metrics;
