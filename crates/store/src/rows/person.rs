//! Columns of sessions, linked identities and consents.

use std::borrow::Cow;

use protocol::model::{Amr, ClientKey, Consent, Identity, IdentityName, Session, SessionId, UserKey};

use super::{Columns, FromRow, ToRow, Value};

impl FromRow for Session {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        Ok(Self {
            id: SessionId(columns.number()?),
            digest: columns.digest()?,
            user: UserKey(columns.number()?),
            amr: columns.list::<Amr>()?,
            auth_time: columns.time()?,
            created_at: columns.time()?,
            seen_at: columns.time()?,
            idle_until: columns.time()?,
            expires_at: columns.time()?,
            address: columns.text()?,
            agent: columns.text()?,
        })
    }
}

impl ToRow for Session {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>> {
        // The column does not allow an absent list.
        let amr = crate::documents::list(&self.amr).unwrap_or_else(|| "[]".to_owned());
        [
            Value::int(self.id.0),
            Value::digest(&self.digest),
            Value::int(self.user.0),
            Value::Text(Some(Cow::Owned(amr))),
            Value::int(self.auth_time.0),
            Value::int(self.created_at.0),
            Value::int(self.seen_at.0),
            Value::int(self.idle_until.0),
            Value::int(self.expires_at.0),
            Value::text(&self.address),
            Value::text(&self.agent),
        ]
    }
}

impl FromRow for Identity {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        Ok(Self {
            name: IdentityName { issuer: columns.text()?, subject: columns.text()? },
            user: UserKey(columns.number()?),
            linked_at: columns.time()?,
        })
    }
}

impl ToRow for Identity {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>> {
        let IdentityName { issuer, subject } = &self.name;
        [Value::text(issuer), Value::text(subject), Value::int(self.user.0), Value::int(self.linked_at.0)]
    }
}

impl FromRow for Consent {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        let (user, client) = (UserKey(columns.number()?), ClientKey(columns.number()?));
        Ok(Self {
            user,
            client,
            id: columns.number()?,
            permission: columns.permission()?,
            given_at: columns.time()?,
            renewed_at: columns.time()?,
        })
    }
}

impl ToRow for Consent {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>> {
        [
            Value::int(self.user.0),
            Value::int(self.client.0),
            Value::int(self.id),
            Value::text(self.permission.scope.as_str()),
            Value::list(&self.permission.audience),
            Value::int(self.given_at.0),
            Value::int(self.renewed_at.0),
        ]
    }
}
