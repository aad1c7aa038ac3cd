//! Columns of jobs.

use std::borrow::Cow;

use protocol::model::{Job, JobId, JobState};
use protocol::time::UnixTime;
use serde_json::Map;

use super::{Columns, FromRow, ToRow, Value};

/// A job as it is stored. One row that cannot be read must not keep workers from the other jobs, nor people from the list.
pub(crate) struct StoredJob {
    /// The job, without what cannot be read.
    pub(crate) job: Job,
    /// What cannot be read, if anything.
    unreadable: Option<&'static str>,
}

impl StoredJob {
    /// Why the job cannot be done, if a part of its row cannot be read.
    pub(crate) fn fault(&self) -> Option<String> {
        self.unreadable.map(|what| format!("the row of the job cannot be read: {what}"))
    }

    /// The job as people see it. An unreadable job says so, unless it has an error already.
    pub(crate) fn listed(self) -> Job {
        let fault = self.fault();
        let Job { last_error, .. } = self.job;
        Job { last_error: last_error.or(fault), ..self.job }
    }
}

/// Takes what was read, or something in its place.
fn or<T, E>(read: Result<T, E>, instead: T, what: &'static str, unreadable: &mut Option<&'static str>) -> T {
    read.unwrap_or_else(|_| {
        unreadable.get_or_insert(what);
        instead
    })
}

impl FromRow for StoredJob {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        let id = JobId(columns.number()?);
        let none = &mut None;
        let kind = or(columns.text(), String::new(), "its kind is not a text", none);
        let document = or(columns.document(), Map::new(), "its document is not a JSON object", none);
        let created_at = or(columns.time(), UnixTime(0), "`created_at` is not a number", none);
        let due_at = or(columns.time(), UnixTime(0), "`due_at` is not a number", none);
        let attempts = or(columns.small(), u32::MAX, "`attempts` is not a number of 32 bits", none);
        let last_error = or(columns.text_or_none(), None, "`last_error` is not a text", none);
        let is_dead = or(columns.flag(), false, "`is_dead` is not a number", none);
        let state = crate::jobs::state_of(is_dead);
        let job = Job { id, kind, document, created_at, due_at, attempts, last_error, state };
        Ok(Self { job, unreadable: *none })
    }
}

impl ToRow for Job {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>> {
        [
            Value::int(self.id.0),
            Value::text(&self.kind),
            Value::document(&self.document),
            Value::int(self.created_at.0),
            Value::int(self.due_at.0),
            Value::int(i64::from(self.attempts)),
            Value::Text(self.last_error.as_deref().map(Cow::Borrowed)),
            Value::Bool(self.state == JobState::Dead),
        ]
    }
}
