//! What signed-in people do as developers: register applications of their own and keep their secrets, and make personal
//! access tokens for scripts of their own. Nobody learns whether an application or a token of somebody else exists.

mod application;
mod done;
mod personal;
mod redirect_fault;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use application::{Particulars, secret_reference};
pub use done::{APPLICATIONS_MAX, Done, PERSONALS_MAX};
pub(crate) use personal::personal_row;
pub use personal::{Lifetime, TokenReference, TokenWish};
pub use redirect_fault::{RedirectFault, RedirectFaultCall};

use crate::line::Call;
use crate::line::{AccountKey, Facts, Key, Turn, Wants};
use crate::model::{SessionId, User};
use crate::person::browser::{Caller, FormSeal};
use crate::person::sign_in::Signed;
use crate::refusal::{No, Refusal};

/// Something that a person does as a developer.
#[derive(Debug)]
pub struct DeveloperCall {
    /// The browser.
    pub caller: Caller,
    /// The seal of the form that asks for it. Looking needs none.
    pub seal: Option<FormSeal>,
    /// What it does.
    pub act: Act,
}

/// What can be done. [`Act::Create`] and [`Act::CreateToken`] are judged by the rules of the surface that they are for.
#[derive(Clone, Debug)]
pub enum Act {
    /// Look.
    View,
    /// Open a form whose answer needs a recent sign-in, so that nobody types first and is asked then.
    Begin,
    /// Look at one of one's applications, by its client_id.
    See(String),
    /// Register an application.
    Create {
        /// What is said about it.
        particulars: Particulars,
        /// `confidential` or `public`; empty for what the surface has when nobody says.
        kind: String,
    },
    /// Change what is said about an application.
    Save {
        /// Which.
        client_id: String,
        /// What is said from now on.
        particulars: Particulars,
    },
    /// Register one more redirect URI of an application.
    AddRedirectUri {
        /// Which application, by its client_id.
        client_id: String,
        /// The redirect URI.
        uri: String,
    },
    /// Delete an application, by its client_id.
    Delete(String),
    /// Give an application, by its client_id, a second secret.
    AddSecret(String),
    /// End one of an application's secrets.
    RetireSecret {
        /// Whose.
        client_id: String,
        /// Which, as [`secret_reference`] has it; the older one when nothing is said.
        secret: Option<String>,
    },
    /// Make a personal token.
    CreateToken(TokenWish),
    /// End a personal token.
    RevokeToken(TokenReference),
}

/// Who did it, and what came of it.
#[derive(Debug)]
pub struct Developed {
    /// Who.
    pub user: Arc<User>,
    /// The session in which it was done.
    pub session: SessionId,
    /// What came of it.
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
            | Act::AddRedirectUri { client_id, .. }
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
            Act::AddRedirectUri { client_id, uri } => {
                application::add_redirect_uri(&signed, client_id, uri, facts, turn)?
            }
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
