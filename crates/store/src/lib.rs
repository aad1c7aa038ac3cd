//! Rows in and out, atomically. The only crate with SQL; it knows no HTTP and no rule of OAuth, and it only ever sees
//! digests of secrets.
//!
//! Four verbs: [`Store::load`] finds the rows that one call is judged against, [`Store::commit`] writes what was decided,
//! [`Store::list`] is for people who look at many rows, [`Store::sweep`] removes what is of no more use.

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
mod tables;
#[cfg(test)]
mod upgrade_tests;
mod walk;

pub use fault::{CommitError, Fault, OpenError};
pub use jobs::{DEAD_JOB_KEPT_S, JobBurial, JobChange, JobClaim, JobCount, JobEnd, JobFilter};
pub use memory::Memory;
pub use mode::{Inspection, Mode};
pub use names::{CLIENT_ID_OF_USER, SUB_OF_CLIENT};
pub use open::{check_address, enclose, enclosed, inspect, open, shared_ids};
pub use postgres::Postgres;
pub use query::{Application, Counts, EventFilter, Noted, Query, Rows};
pub use retention::{BURNED_KEPT_S, DEAD_TOKEN_KEPT_S, EVENT_KEPT_S, SPENT_CODE_KEPT_S};
pub use sqlite::Sqlite;
pub(crate) use store::pen_is_gone;
pub use store::{PEN_MAX, Pen, Store, Window};
pub(crate) use tables::{SHARED_IDS, TABLES, ages, greatest_id_sql};
