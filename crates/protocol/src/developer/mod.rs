//! The developer pages' judge: a signed-in user registers applications, manages their secrets, and makes personal
//! access tokens. No answer shows whether an application or token of another user exists.

mod application;
mod done;
mod personal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use application::{Particulars, secret_reference, typed_value};
pub use done::{APPLICATIONS_MAX, Done, PERSONALS_MAX};
pub(crate) use personal::personal_row;
pub use personal::{Lifetime, TokenReference, TokenWish};

use crate::line::Call;
use crate::line::{AccountKey, Facts, Key, Turn, Wants};
use crate::model::{SessionId, User};
use crate::person::browser::{Caller, FormSeal};
use crate::person::sign_in::Signed;
use crate::refusal::{No, Refusal};

/// A request of a user on the developer pages.
#[derive(Debug)]
pub struct DeveloperCall {
    /// The browser that makes the request.
    pub caller: Caller,
    /// The seal of the submitted form; `None` only for actions that change nothing.
    pub seal: Option<FormSeal>,
    /// The requested action.
    pub act: Act,
}

/// The actions of the developer pages. [`Act::Create`] and [`Act::CreateToken`] are judged by the policy of the surface
/// that the application or token is for.
#[derive(Clone, Debug)]
pub enum Act {
    /// View the overview; changes nothing.
    View,
    /// Open a form whose submission needs a recent sign-in. The user signs in before filling in the form, and not
    /// after.
    Begin,
    /// View one of the user's applications, by its `client_id`.
    See(String),
    /// Register an application.
    Create {
        /// The submitted values.
        particulars: Particulars,
        /// `confidential` or `public`; empty for the default of the surface.
        kind: String,
    },
    /// Change the values of an application.
    Save {
        /// The application's `client_id`.
        client_id: String,
        /// The new values.
        particulars: Particulars,
    },
    /// Delete an application, by its `client_id`.
    Delete(String),
    /// Give an application, by its `client_id`, a second secret.
    AddSecret(String),
    /// Remove one of an application's secrets.
    RetireSecret {
        /// The application's `client_id`.
        client_id: String,
        /// The secret, named by a [`secret_reference`]; `None` for the oldest one.
        secret: Option<String>,
    },
    /// Make a personal access token.
    CreateToken(TokenWish),
    /// Revoke a personal access token.
    RevokeToken(TokenReference),
}

/// The outcome of a request on the developer pages.
#[derive(Debug)]
pub struct Developed {
    /// The signed-in user.
    pub user: Arc<User>,
    /// The session of the request.
    pub session: SessionId,
    /// The result.
    pub done: Done,
}

impl Call for DeveloperCall {
    type Yes = Developed;

    fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        wants.account(self.caller.session.map(|own| AccountKey::Session(SessionId(own.id))));
        match &self.act {
            Act::See(client_id)
            | Act::Save { client_id, .. }
            | Act::Delete(client_id)
            | Act::AddSecret(client_id)
            | Act::RetireSecret { client_id, .. } => wants.add(Key::Client(client_id.clone())),
            Act::RevokeToken(reference) => wants.add(Key::Personal(reference.id())),
            Act::Create { .. } | Act::CreateToken(_) => wants.add(Key::OwnedCounts),
            Act::View | Act::Begin => {}
        }
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Developed, Refusal> {
        let signed = Signed::find(&self.caller, facts, turn).ok_or(No::SignInNeeded)?;
        match &self.seal {
            Some(seal) => seal.check(&self.caller.browser, Some(signed.user.key))?,
            None if matches!(self.act, Act::View | Act::Begin | Act::See(_)) => {}
            None => return Err(No::PageStale.into()),
        }
        if signed.lacks_second_factor() {
            return Err(No::SignInNeeded.into());
        }
        let done = match &self.act {
            Act::View => Done::Viewed,
            Act::Begin => {
                signed.check_recent(turn)?;
                Done::Viewed
            }
            Act::See(client_id) => Done::Application(Arc::clone(application::own(&signed, client_id, facts)?), None),
            Act::Create { particulars, kind } => application::create(&signed, particulars, kind, facts, turn)?,
            Act::Save { client_id, particulars } => application::save(&signed, client_id, particulars, facts, turn)?,
            Act::Delete(client_id) => application::delete(&signed, client_id, facts, turn)?,
            Act::AddSecret(client_id) => application::add_secret(&signed, client_id, facts, turn)?,
            Act::RetireSecret { client_id, secret } => {
                application::retire_secret(&signed, client_id, secret.as_deref(), facts, turn)?
            }
            Act::CreateToken(wish) => personal::create(&signed, wish, facts, turn)?,
            Act::RevokeToken(reference) => personal::revoke(&signed, reference.id(), facts, turn)?,
        };
        Ok(Developed { user: signed.user, session: signed.session.id, done })
    }
}
