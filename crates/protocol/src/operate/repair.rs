//! Repair of rows that a wrong clock wrote: keys, and `revoked_below` values, of a time in the future.

use std::sync::Arc;

use crate::line::{Call, Facts, Key, Turn, Wants, Write};
use crate::model::{Client, ClientKey, EventKind, GrantId, Identity, User, UserKey};
use crate::refusal::Refusal;

/// Detail of the audit events of a repair.
const REPAIRED: &str = "repaired after a wrong clock";

/// A command that revokes a grant whose id is of a time in the future.
#[derive(Debug)]
pub struct EndGrant(pub GrantId);

impl Call for EndGrant {
    type Yes = ();

    fn wants(&self) -> Wants {
        Wants::default()
    }

    fn decide(&self, _facts: &Facts, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        turn.write(Write::RevokeGrant(self.0));
        turn.note(EventKind::GrantRevoked, None, None, REPAIRED);
        Ok(())
    }
}

/// A command that corrects a user. A key of a time in the future is replaced by one of the current time. If the key is
/// right but `revoked_below` is not, everything issued until now is revoked.
#[derive(Debug)]
pub struct CorrectUser {
    /// The user as listed.
    pub user: Arc<User>,
    /// True if the key is of a time in the future.
    pub is_key_wrong: bool,
    /// The user's links to accounts at upstream identity providers.
    pub identities: Vec<Identity>,
    /// The applications that the user owns.
    pub owned: Vec<Arc<Client>>,
}

impl Call for CorrectUser {
    type Yes = ();

    fn wants(&self) -> Wants {
        Wants::of([Key::Sub(self.user.sub.clone())])
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        let Some(user) = facts.subject(&self.user.sub).filter(|user| user.key == self.user.key) else { return Ok(()) };
        if !self.is_key_wrong {
            let mut user = User { version: user.version + 1, ..(**user).clone() };
            super::cut_off(&mut user, turn);
            turn.note(EventKind::UserChanged, Some(user.key), None, REPAIRED);
            turn.write(Write::PutUser(Box::new(user)));
            return Ok(());
        }
        let new = UserKey(turn.entropy.next_id());
        turn.write(Write::DeleteUser(user.key));
        turn.write(Write::PutUser(Box::new(User { key: new, version: 1, revoked_below: 0, ..(**user).clone() })));
        for identity in &self.identities {
            turn.write(Write::PutIdentity(Identity { user: new, ..identity.clone() }));
        }
        for client in &self.owned {
            let client = Client { owner: Some(new), version: client.version + 1, ..(**client).clone() };
            turn.write(Write::PutClient(Box::new(client)));
        }
        turn.note(EventKind::UserChanged, Some(new), None, REPAIRED);
        Ok(())
    }
}

/// A command that corrects a client, as [`CorrectUser`] does a user.
#[derive(Debug)]
pub struct CorrectClient {
    /// The client as listed.
    pub client: Arc<Client>,
    /// True if the key is of a time in the future.
    pub is_key_wrong: bool,
}

impl Call for CorrectClient {
    type Yes = ();

    fn wants(&self) -> Wants {
        Wants::of([Key::Client(self.client.client_id.clone())])
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        let Some(seen) = facts.client(&self.client.client_id).filter(|own| own.key == self.client.key) else {
            return Ok(());
        };
        let mut client = (**seen).clone();
        if self.is_key_wrong {
            turn.write(Write::DeleteClient(client.key));
            client = Client { key: ClientKey(turn.entropy.next_id()), version: 1, revoked_below: 0, ..client };
        } else {
            client = Client { version: client.version + 1, revoked_below: turn.entropy.next_id(), ..client };
        }
        turn.note(EventKind::ClientChanged, None, Some(client.key), REPAIRED);
        turn.write(Write::PutClient(Box::new(client)));
        Ok(())
    }
}
