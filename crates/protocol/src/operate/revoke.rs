//! Revocation by the operator: of grants, consents, and tokens of every kind.

use std::sync::Arc;

use super::{BY_OPERATOR, client, user, want_user};
use crate::line::{Call, Change, Facts, Turn, Wants};
use crate::model::{Client, EventKind, GrantId, Personal, PersonalId, Refresh, User};
use crate::refusal::{No, Refusal};
use crate::resource::introspect::AnyToken;

/// Ends a grant with all its tokens.
#[derive(Debug)]
pub struct RevokeGrant(pub GrantId);

impl Call for RevokeGrant {
    type Yes = ();

    fn wants(&self) -> Wants {
        Wants { grant: Some(self.0), ..Wants::default() }
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        let held = facts.grant.as_ref().ok_or(No::GrantAbsent)?;
        turn.change(Change::RevokeGrant(self.0));
        turn.note(EventKind::GrantRevoked, Some(held.row.user), Some(held.row.client), BY_OPERATOR);
        Ok(())
    }
}

/// Ends all grants of a user to a client, and forgets the consent.
#[derive(Debug)]
pub struct WithdrawConsent {
    /// Whose: an id, an e-mail address or a user name.
    pub user: String,
    /// To which client.
    pub client_id: String,
}

impl Call for WithdrawConsent {
    type Yes = (Arc<User>, Arc<Client>);

    fn wants(&self) -> Wants {
        let mut wants = Wants { client_id: Some(self.client_id.trim().to_owned()), ..Wants::default() };
        want_user(&self.user, &mut wants);
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Self::Yes, Refusal> {
        let (user, client) = (user(&self.user, facts)?, client(&self.client_id, facts)?);
        turn.change(Change::WithdrawConsent { user: user.key, client: client.key });
        turn.note(EventKind::ConsentWithdrawn, Some(user.key), Some(client.key), BY_OPERATOR);
        Ok((Arc::clone(user), Arc::clone(client)))
    }
}

/// Ends a personal token.
#[derive(Debug)]
pub struct RevokePersonal(pub PersonalId);

impl Call for RevokePersonal {
    type Yes = Personal;

    fn wants(&self) -> Wants {
        Wants { personal: Some(self.0), ..Wants::default() }
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Personal, Refusal> {
        let held = facts.personal.as_ref().ok_or(No::TokenAbsent)?;
        Ok(revoke_personal(&held.row, turn))
    }
}

fn revoke_personal(row: &Personal, turn: &mut Turn<'_>) -> Personal {
    turn.change(Change::RevokePersonal(row.id));
    turn.note(EventKind::PersonalRevoked, Some(row.user), None, row.name.clone());
    row.clone()
}

/// Ends a token by its text. A refresh token ends with its grant.
#[derive(Debug)]
pub struct RevokeToken(pub AnyToken);

/// Which kind of token was revoked.
#[derive(Debug, PartialEq)]
pub enum Revoked {
    /// An access token.
    Access,
    /// A refresh token, with its grant.
    Grant,
    /// A personal token.
    Personal(Personal),
}

impl Call for RevokeToken {
    type Yes = Revoked;

    fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        self.0.want(&mut wants);
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Revoked, Refusal> {
        match self.0 {
            AnyToken::Foreign => Err(No::TokenAbsent.into()),
            AnyToken::Personal(own) => {
                let held = facts.personal.as_ref().filter(|held| held.row.digest == own.digest);
                Ok(Revoked::Personal(revoke_personal(&held.ok_or(No::TokenAbsent)?.row, turn)))
            }
            AnyToken::Access(own) => {
                let held = facts.access.as_ref().filter(|held| held.row.digest == own.digest).ok_or(No::TokenAbsent)?;
                turn.change(Change::RevokeAccess(held.row.id));
                turn.note(EventKind::TokenRevoked, held.row.user, None, BY_OPERATOR);
                Ok(Revoked::Access)
            }
            AnyToken::Refresh(own) => {
                let is_its = |refresh: &Refresh| refresh.current == own.digest || refresh.previous == Some(own.digest);
                let held = facts.grant.as_ref().filter(|held| held.row.refresh.as_ref().is_some_and(is_its));
                let held = held.ok_or(No::TokenAbsent)?;
                turn.change(Change::RevokeGrant(held.row.id));
                turn.note(EventKind::GrantRevoked, Some(held.row.user), None, BY_OPERATOR);
                Ok(Revoked::Grant)
            }
        }
    }
}
