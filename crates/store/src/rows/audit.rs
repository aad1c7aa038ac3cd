//! Columns of audit events.

use std::borrow::Cow;

use protocol::model::{ClientKey, Event, EventKind, UserKey};

use super::{Columns, FromRow, ToRow, Value};

/// `None` if a newer program wrote an event of a kind that this one does not know.
impl FromRow for Option<Event> {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        let at = columns.time()?;
        let kind = columns.text_with(|kind| kind.and_then(EventKind::from_name))?;
        let (user, client) = (columns.int()?.map(UserKey), columns.int()?.map(ClientKey));
        let (address, detail, actor) = (columns.text()?, columns.text()?, columns.text_or_none()?);
        Ok(kind.map(|kind| Event { at, kind, user, client, address, detail, actor }))
    }
}

impl ToRow for Event {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>> {
        [
            Value::int(self.at.0),
            Value::text(self.kind.as_str()),
            Value::int(self.user.map(|user| user.0)),
            Value::int(self.client.map(|client| client.0)),
            Value::text(&self.address),
            Value::text(&self.detail),
            Value::Text(self.actor.as_deref().map(Cow::Borrowed)),
        ]
    }
}
