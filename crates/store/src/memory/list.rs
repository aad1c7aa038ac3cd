//! Queries of lists.

use std::collections::{BTreeMap, BTreeSet};

use protocol::model::{ClientKey, Consent, Event, Grant, Identity, Session, UserKey};
use protocol::time::UnixTime;

use super::Tables;
use crate::{Application, Counts, EventFilter, Noted, Query, Rows};

impl Tables {
    pub(super) fn list(&self, query: &Query) -> Rows {
        match query {
            Query::Clients { owner, after, rows_max } => Rows::Clients(
                self.clients
                    .rows()
                    .filter(|(key, row)| {
                        after.is_none_or(|after| **key > after) && (owner.is_none() || row.owner == *owner)
                    })
                    .map(|(_, row)| row.clone())
                    .take(*rows_max)
                    .collect(),
            ),
            Query::Users { after, rows_max } => Rows::Users(
                self.users
                    .rows()
                    .filter(|(key, _)| after.is_none_or(|after| **key > after))
                    .map(|(_, row)| row.clone())
                    .take(*rows_max)
                    .collect(),
            ),
            Query::Client(key) => Rows::Clients(self.client(*key).into_iter().collect()),
            Query::ClientById(client_id) => Rows::Clients(self.client_by_id(client_id).into_iter().collect()),
            Query::User(key) => Rows::Users(self.user(*key).into_iter().collect()),
            Query::UserByName(name) => {
                let by_sub = self.user_by_sub(name);
                Rows::Users(by_sub.or_else(|| self.user_by_login(name)).into_iter().collect())
            }
            Query::Sessions(user) => Rows::Sessions(self.sessions_of(*user)),
            Query::Identities(user) => Rows::Identities(self.identities_of(*user)),
            Query::Applications { user, now } => Rows::Applications(self.applications(*user, *now)),
            Query::Grants { user, client, live_at, rows_max } => Rows::Grants(
                self.grants
                    .rows()
                    .rev()
                    .map(|(_, row)| row)
                    .filter(|row| user.is_none_or(|user| row.authorization.user == user))
                    .filter(|row| client.is_none_or(|client| row.authorization.client == client))
                    .filter(|row| live_at.is_none_or(|now| self.is_live(row, now)))
                    .map(|row| self.held_grant(row))
                    .take(*rows_max)
                    .collect(),
            ),
            Query::Connected { client, now, users_max } => {
                let count = u32::try_from(self.connected(*client, *now).len()).unwrap_or(u32::MAX);
                Rows::Connected(count.min(*users_max))
            }
            Query::Personals { user } => Rows::Personals(
                self.personals
                    .rows()
                    .rev()
                    .map(|(_, row)| row)
                    .filter(|row| user.is_none_or(|user| row.user == user))
                    .map(|row| self.held_of_user(row, row.user))
                    .collect(),
            ),
            Query::SecretUses(client) => {
                let own = self.secret_uses.rows().filter(|(_, (of, _))| of == client);
                Rows::SecretUses(own.map(|(secret, (_, used_at))| (*secret, *used_at)).collect())
            }
            Query::SigningKeys => Rows::SigningKeys(self.signing_keys.rows().map(|(_, row)| row.clone()).collect()),
            Query::SealKeys => Rows::SealKeys(self.seal_keys.rows().map(|(_, row)| *row).collect()),
            Query::Events(filter) => Rows::Events(self.events(filter)),
            Query::Jobs(filter) => Rows::Jobs(self.jobs(filter)),
            Query::JobCounts => Rows::JobCounts(self.job_counts()),
            Query::Counts => Rows::Counts(self.counts()),
            Query::Schema => Rows::Schema(None),
            Query::GreatestId => Rows::GreatestId(self.greatest_id()),
        }
    }

    /// Returns true if the grant is neither expired nor revoked, by itself or with everything of its user or client.
    fn is_live(&self, grant: &Grant, now: UnixTime) -> bool {
        let is_above = |revoked_below: i64| grant.id.0 >= revoked_below;
        !grant.is_revoked
            && !now.is_past(grant.expires_at)
            && self.users.row(&grant.authorization.user).is_some_and(|user| is_above(user.revoked_below))
            && self.clients.row(&grant.authorization.client).is_some_and(|client| is_above(client.revoked_below))
    }

    fn events(&self, filter: &EventFilter) -> Vec<Noted> {
        let all = self.events.rows().map(|(at, row)| (i64::try_from(*at).unwrap_or(i64::MAX), row));
        let is_wanted = |(id, row): &(i64, &Event)| {
            filter.user.is_none_or(|user| row.user == Some(user))
                && filter.client.is_none_or(|client| row.client == Some(client))
                && (filter.kinds.is_empty() || filter.kinds.contains(&row.kind))
                && filter.address.as_ref().is_none_or(|address| row.address == *address)
                && filter.since.is_none_or(|since| row.at >= since)
                && filter.until.is_none_or(|until| row.at < until)
                && (!filter.has_actor || row.actor.is_some())
                && filter.before.is_none_or(|before| *id < before)
                && filter.after.is_none_or(|after| *id > after)
        };
        let mut found: Vec<Noted> = all.filter(is_wanted).map(|(id, row)| Noted { id, event: row.clone() }).collect();
        if filter.after.is_none() {
            found.reverse();
        }
        found.truncate(filter.rows_max);
        found
    }

    fn sessions_of(&self, user: UserKey) -> Vec<Session> {
        self.sessions.rows().rev().map(|(_, row)| row).filter(|row| row.user == user).cloned().collect()
    }

    fn identities_of(&self, user: UserKey) -> Vec<Identity> {
        self.identities.rows().map(|(_, row)| row).filter(|row| row.user == user).cloned().collect()
    }

    fn applications(&self, user: UserKey, now: UnixTime) -> Vec<Application> {
        let mut found: BTreeMap<ClientKey, (Option<Consent>, u64)> = BTreeMap::new();
        for (_, consent) in self.consents.rows().filter(|(_, row)| row.user == user) {
            found.entry(consent.client).or_default().0 = Some(consent.clone());
        }
        for (_, grant) in self.grants.rows().filter(|(_, row)| row.authorization.user == user && self.is_live(row, now))
        {
            found.entry(grant.authorization.client).or_default().1 += 1;
        }
        found
            .into_iter()
            .filter_map(|(key, (consent, grants_live))| {
                self.client(key).map(|client| Application { client, consent, grants_live })
            })
            .collect()
    }

    fn connected(&self, client: ClientKey, now: UnixTime) -> BTreeSet<UserKey> {
        if self.clients.row(&client).is_none() {
            return BTreeSet::new();
        }
        let consented = self.consents.rows().filter(|(_, row)| row.client == client).map(|(_, row)| row.user);
        let granted = self.grants.rows().map(|(_, row)| row);
        let granted = granted
            .filter(|row| row.authorization.client == client && self.is_live(row, now))
            .map(|row| row.authorization.user);
        consented.chain(granted).collect()
    }

    fn greatest_id(&self) -> i64 {
        let first = [
            self.clients.rows().next().map(|(key, _)| key.0),
            self.users.rows().next().map(|(key, _)| key.0),
            self.sessions.rows().next().map(|(id, _)| id.0),
            self.codes.rows().next().map(|(id, _)| id.0),
            self.grants.rows().next().map(|(id, _)| id.0),
            self.accesses.rows().next().map(|(id, _)| id.0),
            self.personals.rows().next().map(|(id, _)| id.0),
            self.tickets.rows().next().map(|(id, _)| id.0),
        ];
        if first.into_iter().flatten().any(|id| id < 0) {
            return i64::MAX;
        }
        let last = [
            self.clients.rows().next_back().map(|(key, _)| key.0),
            self.users.rows().next_back().map(|(key, _)| key.0),
            self.sessions.rows().next_back().map(|(id, _)| id.0),
            self.codes.rows().next_back().map(|(id, _)| id.0),
            self.grants.rows().next_back().map(|(id, _)| id.0),
            self.accesses.rows().next_back().map(|(id, _)| id.0),
            self.personals.rows().next_back().map(|(id, _)| id.0),
            self.tickets.rows().next_back().map(|(id, _)| id.0),
        ];
        last.into_iter().flatten().max().unwrap_or(0)
    }

    fn counts(&self) -> Counts {
        let rows = [
            ("clients", self.clients.len()),
            ("users", self.users.len()),
            ("sessions", self.sessions.len()),
            ("identities", self.identities.len()),
            ("consents", self.consents.len()),
            ("codes", self.codes.len()),
            ("grants", self.grants.len()),
            ("access_tokens", self.accesses.len()),
            ("personal_tokens", self.personals.len()),
            ("tickets", self.tickets.len()),
            ("secret_uses", self.secret_uses.len()),
            ("attempts", self.attempts.len()),
            ("burned", self.used_jtis.len()),
            ("seal_keys", self.seal_keys.len()),
            ("signing_keys", self.signing_keys.len()),
            ("jobs", self.jobs.len()),
            ("events", self.events.len()),
        ];
        Counts {
            backend: "memory",
            schema: None,
            file_bytes: None,
            free_bytes: None,
            rows: rows.map(|(table, count)| (table, count as u64)).to_vec(),
            estimated: Vec::new(),
            ages: self.ages(),
        }
    }

    fn ages(&self) -> Vec<(&'static str, UnixTime, UnixTime)> {
        fn span(times: impl Iterator<Item = UnixTime>) -> Option<(UnixTime, UnixTime)> {
            times.fold(None, |span: Option<(UnixTime, UnixTime)>, time| {
                span.map_or(Some((time, time)), |(oldest, newest)| Some((oldest.min(time), newest.max(time))))
            })
        }
        let spans = [
            ("clients", span(self.clients.rows().map(|(_, row)| row.created_at))),
            ("users", span(self.users.rows().map(|(_, row)| row.created_at))),
            ("sessions", span(self.sessions.rows().map(|(_, row)| row.created_at))),
            ("identities", span(self.identities.rows().map(|(_, row)| row.linked_at))),
            ("consents", span(self.consents.rows().map(|(_, row)| row.given_at))),
            ("codes", span(self.codes.rows().map(|(_, row)| row.issued_at))),
            ("grants", span(self.grants.rows().map(|(_, row)| row.created_at))),
            ("access_tokens", span(self.accesses.rows().map(|(_, row)| row.issued_at))),
            ("personal_tokens", span(self.personals.rows().map(|(_, row)| row.created_at))),
            ("seal_keys", span(self.seal_keys.rows().map(|(_, row)| row.created_at))),
            ("signing_keys", span(self.signing_keys.rows().map(|(_, row)| row.created_at))),
            ("jobs", span(self.jobs.rows().map(|(_, (job, _))| job.created_at))),
            ("events", span(self.events.rows().map(|(_, row)| row.at))),
        ];
        spans.into_iter().filter_map(|(table, span)| span.map(|(oldest, newest)| (table, oldest, newest))).collect()
    }
}
