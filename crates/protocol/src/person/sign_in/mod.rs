//! Signing in: who is at the browser, how the server knows, and what must still be asked.
//!
//! | # | must hold | else |
//! |--:|---|---|
//! | 1 | somebody is signed in, as newly as the [`Demand`] says | ask for user name and password, or an upstream account |
//! | 2 | the account has no second factor, or it was proven in this session | ask for the second factor |
//! | 3 | for a confirmation: the password was typed, not long ago | ask for the password |
//! | | | the user is signed in |
//!
//! A [`Proof`] is the answer to a question. A good one begins a session, and the same table is asked again: each caller
//! decides what "again" means for it. The table knows nothing of authorization requests. A caller says what it demands, and
//! keeps the [`Progress`] until the user is signed in.

mod demand;
mod progress;
mod proof;
mod signed;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use demand::{Demand, SignInWish};
pub use progress::{Begun, Progress};
pub use proof::{Proof, Taken};
pub use signed::{Signed, read_session};

use crate::line::Turn;
use crate::model::{ClientKey, User};
use crate::person::browser::Caller;
use crate::refusal::{No, Refusal};

/// One sign-in: what it must reach, how far it got, and the browser in which it happens.
#[derive(Debug)]
pub struct SignIn<'a> {
    /// What the caller demands.
    pub demand: Demand,
    /// How far the sign-in got.
    pub progress: &'a Progress,
    /// The browser.
    pub caller: &'a Caller,
    /// The network address, as it is counted for brute force.
    pub address: &'a str,
    /// The application for which the user signs in, for the audit log.
    pub client: Option<ClientKey>,
}

/// What the user must answer next.
#[derive(Clone, Debug)]
pub enum Question {
    /// User name and password, or a sign-in at the upstream identity provider.
    SignIn {
        /// Text for the name field.
        login: String,
        /// What was wrong with the last answer.
        problem: Option<Refusal>,
        /// True if a sign-in at the upstream identity provider can answer the question.
        is_upstream_enough: bool,
    },
    /// A code of the second factor, or a recovery code.
    SecondFactor {
        /// Who is signing in.
        user: Arc<User>,
        /// What was wrong with the last answer.
        problem: Option<Refusal>,
    },
}

/// The next step of a sign-in.
#[derive(Clone, Debug)]
pub enum Next<'s> {
    /// The user must answer this.
    Ask(Question),
    /// The user is signed in as the caller demands.
    Done(&'s Signed),
}

impl SignIn<'_> {
    /// Looks whether `signed` is signed in as the demand says, or which question must be answered first.
    pub fn next<'s>(&self, signed: Option<&'s Signed>, turn: &Turn<'_>) -> Next<'s> {
        // The second factor comes before the age of the proof where the first factor was a step of this sign-in: the second
        // one makes the proof new.
        let may_go_on = |own: &&Signed| {
            let is_half = own.lacks_second_factor() && self.progress.has_begun(&own.session);
            is_half || self.is_fresh_enough(own, turn)
        };
        let Some(fresh) = signed.filter(may_go_on) else {
            let is_in_vain = signed.is_some_and(|own| self.progress.has_begun(&own.session));
            let problem = is_in_vain.then(|| No::UpstreamNotFresh.into());
            return Next::Ask(self.ask_sign_in(signed, self.demand.login_hint.clone(), problem, turn));
        };
        if fresh.lacks_second_factor() {
            return Next::Ask(Question::SecondFactor { user: Arc::clone(&fresh.user), problem: None });
        }
        if let Some(no) = self.unconfirmed(fresh, turn) {
            let login = fresh.user.email.as_ref().or(fresh.user.username.as_ref()).cloned();
            return Next::Ask(self.ask_sign_in(signed, login.unwrap_or_default(), Some(no.into()), turn));
        }
        Next::Done(fresh)
    }

    /// OpenID Connect Core §3.1.2.1, `max_age` and `prompt`: a proof in the course of this sign-in will do. No clock has a
    /// part in `prompt=login`, so that nodes whose clocks differ agree.
    fn is_fresh_enough(&self, signed: &Signed, turn: &Turn<'_>) -> bool {
        if self.progress.has_proven(&signed.session) {
            return true;
        }
        let age_s = signed.session.auth_time.seconds_until(turn.now);
        // A maximum age of 0 asks for a new proof, also within the second of the last one.
        let is_young = self.demand.max_age_s.is_none_or(|max_age_s| max_age_s > 0 && age_s <= max_age_s);
        let is_chosen = !self.demand.is_choice || self.progress.has_begun(&signed.session);
        is_young && is_chosen && !self.demand.is_proof_new
    }

    /// Why the session does not confirm who the user is, where the demand is a confirmation.
    fn unconfirmed(&self, signed: &Signed, turn: &Turn<'_>) -> Option<No> {
        match self.demand.is_confirmation {
            false => None,
            true if signed.lacks_password(turn) => Some(No::PasswordNeeded),
            true => signed.check_recent(turn).err().map(|_| No::UpstreamNotFresh),
        }
    }

    /// The question who is there. `signed` is the user who is signed in and must confirm it, if somebody is.
    fn ask_sign_in(
        &self,
        signed: Option<&Signed>,
        login: String,
        problem: Option<Refusal>,
        turn: &Turn<'_>,
    ) -> Question {
        let is_password_needed = self.demand.is_confirmation && signed.is_some_and(|own| own.needs_password(turn));
        // An identity provider that never says when it authenticated a user cannot confirm it. A user who has a password is
        // not sent there in vain. A user who has none is told once they come back.
        let has_password = signed.is_some_and(|own| own.user.password.is_some());
        let was_in_vain = problem.is_some_and(|problem| problem.no == No::UpstreamNotFresh);
        let is_fresh_wanted = matches!(self.demand.wish(), SignInWish::Fresh { .. });
        let is_of_no_use = is_fresh_wanted
            && !turn.policy.session.is_upstream_dating
            && (was_in_vain || (has_password && !turn.policy.session.is_upstream_confirming));
        Question::SignIn { login, problem, is_upstream_enough: !is_password_needed && !is_of_no_use }
    }
}
