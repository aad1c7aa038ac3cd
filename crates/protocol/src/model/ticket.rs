//! Tickets: short-lived rows that are good once, such as a pushed authorization request or an e-mail confirmation.
//!
//! Tickets of all kinds share one table. A kind is a type that implements [`TicketKind`]. Its members are what a ticket of the
//! kind keeps, as a JSON document. So a new kind costs that type and its judges, and no store changes.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{ClientKey, TicketId, UserKey};
use crate::crypto::keys::Minted;
use crate::secret::Digest;
use crate::time::UnixTime;

/// A kind of ticket. The type is a struct with named members: the document of such a ticket.
///
/// Nodes of two versions share tickets during an upgrade. Give a new member a default, so that tickets of an older version can
/// be read. A ticket whose document lacks a member, or has a value that this version does not understand, is refused.
pub trait TicketKind: Serialize + DeserializeOwned {
    /// The word for this kind in the database. No two kinds have the same word, and a word never changes.
    const NAME: &'static str;
}

/// A short-lived row that is good once.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    /// The row.
    pub id: TicketId,
    /// The [`TicketKind::NAME`] of the ticket's kind. It may be one that only a newer version knows.
    pub kind: String,
    /// Digest of the token that is presented for the ticket.
    pub digest: Digest,
    /// The user whom the ticket is about, if there is one. Deleting the user deletes the ticket.
    pub user: Option<UserKey>,
    /// The client that the ticket was issued to, if there is one. Deleting the client deletes the ticket.
    pub client: Option<ClientKey>,
    /// When the ticket expires. Its row is of no use after that, spent or not.
    pub expires_at: UnixTime,
    /// True once the ticket was used.
    pub is_spent: bool,
    /// Grows with every change of user, client, expiry or document. A new ticket has version 1.
    pub version: u32,
    /// What the ticket is about, as its kind says. Members that this version does not know are kept.
    pub document: Map<String, Value>,
}

/// Why a presented ticket cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketProblem {
    /// There is no such ticket of this kind, or its document cannot be understood.
    Unknown,
    /// The ticket has expired.
    Expired,
    /// The ticket was used before.
    Spent,
    /// The client or user of the ticket is deleted or disabled, or had everything revoked since.
    Revoked,
}

impl Ticket {
    /// Returns a new ticket for a token that was just minted. It is about no user and no client; set those that it has.
    #[must_use]
    pub fn new<K: TicketKind>(minted: &Minted, document: &K, expires_at: UnixTime) -> Self {
        Self {
            id: TicketId(minted.id),
            kind: K::NAME.to_owned(),
            digest: minted.digest,
            user: None,
            client: None,
            expires_at,
            is_spent: false,
            version: 1,
            document: members(document),
        }
    }

    /// Returns the document of a ticket that may still be used.
    ///
    /// # Errors
    /// The ticket is of another kind, expired or spent, or its document cannot be understood.
    pub fn open<K: TicketKind>(&self, now: UnixTime) -> Result<K, TicketProblem> {
        let document = self.read::<K>().ok_or(TicketProblem::Unknown)?;
        if now.is_past(self.expires_at) {
            return Err(TicketProblem::Expired);
        }
        if self.is_spent { Err(TicketProblem::Spent) } else { Ok(document) }
    }

    /// Returns the next version of this ticket, with another document. Members that this version does not know stay.
    #[must_use]
    pub fn with<K: TicketKind>(&self, document: &K) -> Self {
        let mut all = self.document.clone();
        // A member that is known, and is absent from the new document, must not stay.
        for name in self.read::<K>().iter().flat_map(members) {
            all.remove(&name.0);
        }
        all.extend(members(document));
        Self { document: all, version: self.version + 1, ..self.clone() }
    }

    fn read<K: TicketKind>(&self) -> Option<K> {
        let is_of_kind = self.kind == K::NAME;
        is_of_kind.then(|| serde_json::from_value(Value::Object(self.document.clone())).ok()).flatten()
    }
}

fn members<K: TicketKind>(document: &K) -> Map<String, Value> {
    match serde_json::to_value(document) {
        Ok(Value::Object(members)) => members,
        _ => panic!("a document is a struct whose members are words, numbers, lists and structs, which become JSON"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    }

    impl TicketKind for Sample {
        const NAME: &'static str = "sample";
    }

    fn sample(note: Option<&str>) -> Sample {
        Sample { name: "n".to_owned(), note: note.map(ToOwned::to_owned) }
    }

    fn ticket(document: &str) -> Ticket {
        let minted = Minted { id: 7, digest: Digest::of(b"ticket"), text: Secret::new("ticket") };
        let new = Ticket::new(&minted, &sample(Some("first")), UnixTime(100));
        Ticket { document: serde_json::from_str(document).unwrap(), ..new }
    }

    #[test]
    fn a_changed_ticket_has_the_new_members_and_those_of_a_newer_version() {
        let before = ticket(r#"{"name":"old","newer":{"z":[1,"ü"]},"note":"first"}"#);
        let after = before.with(&sample(None));
        assert_eq!(Value::Object(after.document.clone()), json!({"name": "n", "newer": {"z": [1, "ü"]}}));
        assert_eq!((after.version, after.id, after.digest), (2, before.id, before.digest));
        assert_eq!(after.open(UnixTime(99)), Ok(sample(None)));
    }

    #[test]
    fn a_document_that_is_not_understood_opens_nothing() {
        for document in ["{}", r#"{"name":7}"#, r#"{"name":"n","note":{}}"#] {
            assert_eq!(ticket(document).open::<Sample>(UnixTime(0)), Err(TicketProblem::Unknown), "{document}");
        }
        assert_eq!(ticket(r#"{"name":"n","newer":1}"#).open(UnixTime(0)), Ok(sample(None)));
    }

    #[test]
    fn a_ticket_ends_at_its_expiry() {
        let ticket = ticket(r#"{"name":"n"}"#);
        assert!(ticket.open::<Sample>(UnixTime(99)).is_ok());
        assert_eq!(ticket.open::<Sample>(UnixTime(100)), Err(TicketProblem::Expired));
    }
}
