//! Rows that a wrong clock wrote: keys and limits of revocation of a time that did not come yet.

use std::sync::Arc;

use crate::line::{Call, Facts, Key, Turn, Wants, Write};
use crate::model::{Client, ClientKey, EventKind, GrantId, Identity, User, UserKey};
use crate::refusal::Refusal;

/// What every event says of a repair.
const REPAIRED: &str = "repaired after a wrong clock";

/// Revokes a grant that would live too long.
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

/// Corrects a user: one with a key of the future gets a key of now, and one whose tokens are revoked until a later time has
/// them revoked until now.
#[derive(Debug)]
pub struct CorrectUser {
    /// The user as seen in the list of all.
    pub user: Arc<User>,
    /// True if the key is of a time that did not come yet.
    pub is_key_wrong: bool,
    /// The accounts elsewhere that open this one.
    pub identities: Vec<Identity>,
    /// The applications that are the user's.
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

/// Corrects a client, as [`CorrectUser`] does a user.
#[derive(Debug)]
pub struct CorrectClient {
    /// The client as seen in the list of all.
    pub client: Arc<Client>,
    /// True if the key is of a time that did not come yet.
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
