//! Jobs.

use std::borrow::Cow;

use protocol::model::{Job, JobId, JobState};

use super::{Columns, FromRow, ToRow, Value};

impl FromRow for Job {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        Ok(Self {
            id: JobId(columns.number()?),
            kind: columns.text()?,
            document: columns.document()?,
            created_at: columns.time()?,
            due_at: columns.time()?,
            attempts: columns.small()?,
            last_error: columns.text_or_none()?,
            state: if columns.flag()? { JobState::Dead } else { JobState::Waiting },
        })
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
