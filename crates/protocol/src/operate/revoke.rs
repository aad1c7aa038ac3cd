//! The operator's commands that revoke grants, consents, and tokens of every kind.

use std::sync::Arc;

use super::{BY_OPERATOR, client, user, want_user};
use crate::line::{Call, Facts, Key, RefreshMatch, Turn, Wants, Write};
use crate::model::{Client, EventKind, GrantId, Personal, PersonalId, User};
use crate::refusal::{No, Refusal};
use crate::resource::any_token::AnyToken;

/// A command that revokes a grant with all its tokens.
#[derive(Debug)]
pub struct RevokeGrant(pub GrantId);

impl Call for RevokeGrant {
    type Yes = ();

    fn wants(&self) -> Wants {
        Wants::of([Key::Grant(self.0)])
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        let held = facts.grant_row(self.0).ok_or(No::GrantAbsent)?;
        turn.write(Write::RevokeGrant(self.0));
        turn.note(
            EventKind::GrantRevoked,
            Some(held.row.authorization.user),
            Some(held.row.authorization.client),
            BY_OPERATOR,
        );
        Ok(())
    }
}

/// A command that removes a consent, and revokes all grants of the user to the client.
#[derive(Debug)]
pub struct WithdrawConsent {
    /// The user: an id, an e-mail address or a user name.
    pub user: String,
    /// The `client_id` of the client.
    pub client_id: String,
}

impl Call for WithdrawConsent {
    type Yes = (Arc<User>, Arc<Client>);

    fn wants(&self) -> Wants {
        let mut wants = Wants::of([Key::Client(self.client_id.trim().to_owned())]);
        want_user(&self.user, &mut wants);
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Self::Yes, Refusal> {
        let (user, client) = (user(&self.user, facts)?, client(&self.client_id, facts)?);
        turn.write(Write::WithdrawConsent { user: user.key, client: client.key });
        turn.note(EventKind::ConsentWithdrawn, Some(user.key), Some(client.key), BY_OPERATOR);
        Ok((Arc::clone(user), Arc::clone(client)))
    }
}

/// A command that revokes a personal access token.
#[derive(Debug)]
pub struct RevokePersonal(pub PersonalId);

impl Call for RevokePersonal {
    type Yes = Personal;

    fn wants(&self) -> Wants {
        Wants::of([Key::Personal(self.0)])
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Personal, Refusal> {
        let held = facts.personal_row(self.0).ok_or(No::TokenAbsent)?;
        Ok(revoke_personal(&held.row, turn))
    }
}

fn revoke_personal(row: &Personal, turn: &mut Turn<'_>) -> Personal {
    turn.write(Write::RevokePersonal(row.id));
    turn.note(EventKind::PersonalRevoked, Some(row.user), None, row.name.clone());
    row.clone()
}

/// A command that revokes a token by its text. A refresh token is revoked with its grant.
#[derive(Debug)]
pub struct RevokeToken(pub AnyToken);

/// The kind of token that was revoked.
#[derive(Debug, PartialEq)]
pub enum Revoked {
    /// An access token.
    Access,
    /// A refresh token, with its grant.
    Grant,
    /// A personal access token.
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
                let held = facts.personal(own);
                Ok(Revoked::Personal(revoke_personal(&held.ok_or(No::TokenAbsent)?.row, turn)))
            }
            AnyToken::Access(own) => {
                let held = facts.access(own).ok_or(No::TokenAbsent)?;
                turn.write(Write::RevokeAccess(held.row.id));
                turn.note(EventKind::TokenRevoked, held.row.user, None, BY_OPERATOR);
                Ok(Revoked::Access)
            }
            AnyToken::Refresh(own) => {
                let Some((held, RefreshMatch::Current | RefreshMatch::Previous)) = facts.grant(own) else {
                    return Err(No::TokenAbsent.into());
                };
                turn.write(Write::RevokeGrant(held.row.id));
                turn.note(EventKind::GrantRevoked, Some(held.row.authorization.user), None, BY_OPERATOR);
                Ok(Revoked::Grant)
            }
        }
    }
}
