//! Personal access tokens that the operator makes for a user.

use super::{user, want_user};
use crate::client::registration;
use crate::developer::{Lifetime, personal_row};
use crate::identifiers;
use crate::line::{Call, Facts, Rely, Turn, Wants, Write};
use crate::model::{EventKind, Personal};
use crate::openid;
use crate::refusal::{No, Refusal};
use crate::secret::Secret;

/// A command that makes a personal access token. It is judged by the policy of the token's surface.
#[derive(Debug)]
pub struct MakePersonal {
    /// The owner: an id, an e-mail address or a user name.
    pub user: String,
    /// The name of the token.
    pub name: String,
    /// The scopes, separated by spaces. `None` for all scopes except those that only the operator can give, and
    /// `openid` and `offline_access`, which mean something at a sign-in alone.
    pub scope: Option<String>,
    /// The lifetime. The operator may choose any.
    pub lifetime: Lifetime,
}

impl Call for MakePersonal {
    type Yes = (Personal, Secret);

    fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        want_user(&self.user, &mut wants);
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<(Personal, Secret), Refusal> {
        let name = identifiers::display_name(&self.name)?;
        let scope = match &self.scope {
            None => {
                turn.policy.scope.without(registration::scope(turn.policy), &[openid::OPENID, openid::OFFLINE_ACCESS])
            }
            Some(text) => registration::named_scope(text, turn.policy)
                .map_err(|(no, word)| Refusal::from(no).with_value(&word))?,
        };
        let user = user(&self.user, facts)?;
        if user.is_disabled {
            return Err(Refusal::from(No::UserOff).with_value(&self.user));
        }
        let ttl_s = match self.lifetime {
            Lifetime::Usual => turn.policy.personal.ttl_s,
            Lifetime::Seconds(seconds) => Some(seconds),
            Lifetime::Never => None,
        };
        let (row, text) = personal_row(user.key, name, scope, ttl_s, turn);
        let row = Personal { is_by_operator: true, ..row };
        // A user who is being disabled gets no new token.
        turn.rely(Rely::User(user.key, user.version));
        turn.write(Write::PutPersonal(Box::new(row.clone())));
        turn.note(EventKind::PersonalCreated, Some(user.key), None, name);
        Ok((row, text))
    }
}
