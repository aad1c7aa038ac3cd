//! Stores: they load and write rows atomically. This is the only crate with SQL. It knows neither HTTP nor the rules of
//! OAuth, and sees only digests of secrets.
//!
//! There are four main operations. [`Store::load`] finds the rows that a call is judged by. [`Store::commit`] writes
//! the decided changes. [`Store::list`] shows many rows to users and operators. [`Store::sweep`] removes expired rows.

#[cfg(test)]
mod conformance;
mod documents;
mod fault;
mod jobs;
mod memory;
mod mode;
pub mod moving;
mod names;
mod open;
mod postgres;
mod query;
mod retention;
mod rows;
mod search;
mod sqlite;
mod store;
mod sweep_schedule;
mod tables;
#[cfg(test)]
mod upgrade_tests;

pub use fault::{CommitError, Fault, OpenError};
pub use jobs::{DEAD_JOB_KEPT_S, JobBurial, JobChange, JobClaim, JobCount, JobEnd, JobFilter};
pub use memory::Memory;
pub use mode::{Inspection, Mode};
pub use names::{CLIENT_ID_OF_USER, SUB_OF_CLIENT};
pub use open::{check_address, enclose, enclosed, inspect, open, shared_ids};
pub use postgres::Postgres;
pub use query::{Application, Counts, EventFilter, Noted, Query, Rows};
pub use retention::{DEAD_TOKEN_KEPT_S, EVENT_KEPT_S, SPENT_CODE_KEPT_S, USED_JTI_KEPT_S};
pub use sqlite::Sqlite;
pub(crate) use store::pen_is_gone;
pub use store::{PEN_MAX, Pen, Store, Window};
pub(crate) use tables::{SHARED_IDS, TABLES, ages, greatest_id_sql};
