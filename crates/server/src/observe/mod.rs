//! What an operator sees: logs, metrics, health.

pub mod admin;
pub(crate) mod audit;
pub mod exposition;
pub(crate) mod level;
pub mod log;
pub mod metrics;
pub mod refusals;
pub(crate) mod sink;
