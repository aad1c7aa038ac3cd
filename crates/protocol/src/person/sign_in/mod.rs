//! Signing in: which user is at the browser, how that was proven, and what must still be asked.
//!
//! | # | must hold | else |
//! |--:|---|---|
//! | 1 | somebody is signed in, as newly as the [`Demand`] says | ask for user name and password, or an upstream account |
//! | 2 | the account has no second factor, or it was proven in this session | ask for the second factor |
//! | 3 | for a confirmation: the password was typed, not long ago | ask for the password |
//! | | | the user is signed in |
//!
//! A [`Proof`] is the answer to a question. A correct answer begins a session, and then the caller asks the table again
//! with that session. The table knows nothing of authorization requests. The caller states its [`Demand`], and keeps
//! the [`Progress`] until the user is signed in.

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

/// One sign-in: what is demanded of it, how far it is, and the browser in which it happens.
#[derive(Debug)]
pub struct SignIn<'a> {
    /// What the caller demands.
    pub demand: Demand,
    /// How far the sign-in is.
    pub progress: &'a Progress,
    /// The browser.
    pub caller: &'a Caller,
    /// The client's network address, in the form in which failed attempts are counted.
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
        /// The user who is signing in.
        user: Arc<User>,
        /// What was wrong with the last answer.
        problem: Option<Refusal>,
    },
}

/// The next step of a sign-in.
#[derive(Clone, Debug)]
pub enum Next<'s> {
    /// The user must answer this question.
    Ask(Box<Question>),
    /// The user is signed in as the caller demands.
    Done(&'s Signed),
}

impl SignIn<'_> {
    /// Returns [`Next::Done`] if `signed` meets the demand, or else the question that the user must answer first.
    pub fn next<'s>(&self, signed: Option<&'s Signed>, turn: &Turn<'_>) -> Next<'s> {
        // If the first factor was a step of this sign-in, ask for the second factor before checking the age of the
        // proof: a right code makes the proof new.
        let may_go_on = |own: &&Signed| {
            let is_half = own.lacks_second_factor() && self.progress.has_begun(&own.session);
            is_half || self.is_fresh_enough(own, turn)
        };
        let Some(fresh) = signed.filter(may_go_on) else {
            let is_in_vain = signed.is_some_and(|own| self.progress.has_begun(&own.session));
            let problem = is_in_vain.then(|| No::UpstreamNotFresh.into());
            return Next::Ask(Box::new(self.ask_sign_in(signed, self.demand.login_hint.clone(), problem, turn)));
        };
        if fresh.lacks_second_factor() {
            return Next::Ask(Box::new(Question::SecondFactor { user: Arc::clone(&fresh.user), problem: None }));
        }
        if let Some(no) = self.unconfirmed(fresh, turn) {
            let login = fresh.user.email.as_ref().or(fresh.user.username.as_ref()).cloned();
            return Next::Ask(Box::new(self.ask_sign_in(signed, login.unwrap_or_default(), Some(no.into()), turn)));
        }
        Next::Done(fresh)
    }

    /// Returns true if the session meets `max_age` and `prompt`, OpenID Connect Core §3.1.2.1. A proof in the course of
    /// this sign-in always does. `prompt=login` depends on no clock, so nodes whose clocks differ agree on it.
    fn is_fresh_enough(&self, signed: &Signed, turn: &Turn<'_>) -> bool {
        if self.progress.has_proven(&signed.session) {
            return true;
        }
        let age_s = signed.session.auth_time.seconds_until(turn.now);
        // A maximum age of 0 demands a new proof, even if the last one is less than a second old.
        let is_young = self.demand.max_age_s.is_none_or(|max_age_s| max_age_s > 0 && age_s <= max_age_s);
        let is_chosen = !self.demand.is_choice || self.progress.has_begun(&signed.session);
        let is_wanted = self.demand.subjects.as_ref().is_none_or(|subjects| subjects.contains(&signed.user.sub));
        is_young && is_chosen && (is_wanted || self.progress.has_begun(&signed.session)) && !self.demand.is_proof_new
    }

    /// Returns the reason why the session does not confirm the user's identity; `None` if it does, or if no
    /// confirmation is demanded.
    fn unconfirmed(&self, signed: &Signed, turn: &Turn<'_>) -> Option<No> {
        match self.demand.is_confirmation {
            false => None,
            true if signed.lacks_password(turn) => Some(No::PasswordNeeded),
            true => signed.check_recent(turn).err().map(|_| No::UpstreamNotFresh),
        }
    }

    /// Returns the question for the sign-in page. `signed` is the signed-in user who must prove their identity again,
    /// if any.
    fn ask_sign_in(
        &self,
        signed: Option<&Signed>,
        login: String,
        problem: Option<Refusal>,
        turn: &Turn<'_>,
    ) -> Question {
        let is_password_needed = self.demand.is_confirmation && signed.is_some_and(|own| own.needs_password(turn));
        // An identity provider that never sends `auth_time` cannot prove a recent authentication. Do not send a user
        // there who has a password. A user without one is told after the trip.
        let has_password = signed.is_some_and(|own| own.user.password.is_some());
        let was_in_vain = problem.is_some_and(|problem| problem.no == No::UpstreamNotFresh);
        let is_fresh_wanted = matches!(self.demand.wish(), SignInWish::Fresh { .. });
        let is_of_no_use = is_fresh_wanted
            && !turn.policy.session.is_upstream_dating
            && (was_in_vain || (has_password && !turn.policy.session.is_upstream_confirming));
        Question::SignIn { login, problem, is_upstream_enough: !is_password_needed && !is_of_no_use }
    }
}
