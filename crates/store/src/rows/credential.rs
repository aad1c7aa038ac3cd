//! Codes, grants, tokens and tickets.

use std::borrow::Cow;

use protocol::model::{
    Access, AccessId, Authorization, ClientKey, Code, CodeId, Grant, GrantId, Personal, PersonalId, Refresh, Ticket,
    TicketId, UserKey,
};
use protocol::time::UnixTime;

use super::{Columns, FromRow, ToRow, Value};

impl FromRow for Code {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        let (id, digest) = (CodeId(columns.number()?), columns.digest()?);
        let grant = GrantId(columns.number()?);
        let (client, user) = (ClientKey(columns.number()?), UserKey(columns.number()?));
        let is_spent = columns.flag()?;
        let (issued_at, expires_at, auth_time) = (columns.time()?, columns.time()?, columns.time()?);
        let (is_redirect_uri_named, redirect_uri) = (columns.flag()?, columns.text()?);
        let challenge = columns.digest_or_none()?;
        let (permission, circumstances) = (columns.permission()?, columns.circumstances()?);
        let authorization = Authorization { user, client, permission, auth_time, circumstances };
        Ok(Self {
            id,
            digest,
            grant,
            authorization,
            is_spent,
            issued_at,
            expires_at,
            is_redirect_uri_named,
            redirect_uri,
            challenge,
        })
    }
}

impl ToRow for Code {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>> {
        let Authorization { user, client, permission, auth_time, circumstances } = &self.authorization;
        [
            Value::int(self.id.0),
            Value::digest(&self.digest),
            Value::int(self.grant.0),
            Value::int(client.0),
            Value::int(user.0),
            Value::Bool(self.is_spent),
            Value::int(self.issued_at.0),
            Value::int(self.expires_at.0),
            Value::int(auth_time.0),
            Value::Bool(self.is_redirect_uri_named),
            Value::text(&self.redirect_uri),
            Value::Bytes(self.challenge.as_ref().map(|digest| digest.0.as_slice())),
            Value::text(permission.scope.as_str()),
            Value::list(&permission.audience),
            Value::Text(circumstances.document().map(Cow::Owned)),
        ]
    }
}

impl FromRow for Grant {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        let id = GrantId(columns.number()?);
        let (user, client) = (UserKey(columns.number()?), ClientKey(columns.number()?));
        let is_revoked = columns.flag()?;
        let (auth_time, created_at, expires_at) = (columns.time()?, columns.time()?, columns.time()?);
        let (current, previous) = (columns.digest_or_none()?, columns.digest_or_none()?);
        let idle_until = columns.int()?;
        let permission = columns.permission()?;
        let answer = columns.bytes_with(|bytes| bytes.map(<[u8]>::to_vec))?;
        // Rows of versions without generations have none, which counts as 0.
        let generation = columns.int()?.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
        let circumstances = columns.circumstances()?;
        let refresh = match current {
            None => None,
            Some(current) => {
                let idle_until = idle_until.map(UnixTime).ok_or_else(|| columns.unreadable("a whole refresh token"))?;
                Some(Refresh { current, previous, answer, idle_until, generation })
            }
        };
        let authorization = Authorization { user, client, permission, auth_time, circumstances };
        Ok(Self { id, authorization, is_revoked, created_at, expires_at, refresh })
    }
}

impl ToRow for Grant {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>> {
        let Authorization { user, client, permission, auth_time, circumstances } = &self.authorization;
        let refresh = self.refresh.as_ref();
        let previous = refresh.and_then(|refresh| refresh.previous.as_ref());
        [
            Value::int(self.id.0),
            Value::int(user.0),
            Value::int(client.0),
            Value::Bool(self.is_revoked),
            Value::int(auth_time.0),
            Value::int(self.created_at.0),
            Value::int(self.expires_at.0),
            Value::Bytes(refresh.map(|refresh| refresh.current.0.as_slice())),
            Value::Bytes(previous.map(|digest| digest.0.as_slice())),
            Value::int(refresh.map(|refresh| refresh.idle_until.0)),
            Value::text(permission.scope.as_str()),
            Value::list(&permission.audience),
            Value::Bytes(refresh.and_then(|refresh| refresh.answer.as_deref())),
            Value::int(refresh.map(|refresh| i64::from(refresh.generation))),
            Value::Text(circumstances.document().map(Cow::Owned)),
        ]
    }
}

impl FromRow for Access {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        Ok(Self {
            id: AccessId(columns.number()?),
            digest: columns.digest()?,
            client: ClientKey(columns.number()?),
            user: columns.int()?.map(UserKey),
            grant: columns.int()?.map(GrantId),
            issued_at: columns.time()?,
            expires_at: columns.time()?,
            permission: columns.permission()?,
        })
    }
}

impl ToRow for Access {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>> {
        [
            Value::int(self.id.0),
            Value::digest(&self.digest),
            Value::int(self.client.0),
            Value::int(self.user.map(|user| user.0)),
            Value::int(self.grant.map(|grant| grant.0)),
            Value::int(self.issued_at.0),
            Value::int(self.expires_at.0),
            Value::text(self.permission.scope.as_str()),
            Value::list(&self.permission.audience),
        ]
    }
}

impl FromRow for Personal {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        Ok(Self {
            id: PersonalId(columns.number()?),
            digest: columns.digest()?,
            user: UserKey(columns.number()?),
            created_at: columns.time()?,
            expires_at: columns.time()?,
            used_at: columns.int()?.map(UnixTime),
            dialect: columns.text()?,
            name: columns.text()?,
            scope: columns.scope()?,
            is_by_operator: columns.int()? == Some(1),
        })
    }
}

impl ToRow for Personal {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>> {
        [
            Value::int(self.id.0),
            Value::digest(&self.digest),
            Value::int(self.user.0),
            Value::int(self.created_at.0),
            Value::int(self.expires_at.0),
            Value::int(self.used_at.map(|time| time.0)),
            Value::text(&self.dialect),
            Value::text(&self.name),
            Value::text(self.scope.as_str()),
            Value::int(self.is_by_operator.then_some(1)),
        ]
    }
}

impl FromRow for Ticket {
    fn read<C: Columns>(columns: &mut C) -> Result<Self, C::Error> {
        Ok(Self {
            id: TicketId(columns.number()?),
            kind: columns.text()?,
            digest: columns.digest()?,
            user: columns.int()?.map(UserKey),
            client: columns.int()?.map(ClientKey),
            expires_at: columns.time()?,
            is_spent: columns.flag()?,
            version: columns.small()?,
            document: columns.document()?,
        })
    }
}

impl ToRow for Ticket {
    fn values(&self) -> impl IntoIterator<Item = Value<'_>> {
        [
            Value::int(self.id.0),
            Value::text(&self.kind),
            Value::digest(&self.digest),
            Value::int(self.user.map(|user| user.0)),
            Value::int(self.client.map(|client| client.0)),
            Value::int(self.expires_at.0),
            Value::Bool(self.is_spent),
            Value::int(i64::from(self.version)),
            Value::document(&self.document),
        ]
    }
}
