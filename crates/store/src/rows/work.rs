//! Columns of jobs.

use std::borrow::Cow;

use protocol::model::{Job, JobId, JobState};

use super::{Columns, FromRow, ToRow, Value};

impl FromRow for Job {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        Ok(Self {
            id: JobId(columns.number()?),
            kind: columns.text()?,
            document: columns
                .text_with(|text| text.and_then(|text| serde_json::from_str(text).ok()))?
                .ok_or_else(|| columns.unreadable("a document"))?,
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
        // A map of JSON values can always be serialized.
        let document = serde_json::to_string(&self.document).unwrap_or_default();
        [
            Value::int(self.id.0),
            Value::text(&self.kind),
            Value::Text(Some(Cow::Owned(document))),
            Value::int(self.created_at.0),
            Value::int(self.due_at.0),
            Value::int(i64::from(self.attempts)),
            Value::Text(self.last_error.as_deref().map(Cow::Borrowed)),
            Value::Bool(self.state == JobState::Dead),
        ]
    }
}
