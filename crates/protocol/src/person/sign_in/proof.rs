//! The answers to the questions of a sign-in, and the session that a correct answer begins.

use std::sync::Arc;

use super::progress::{Begun, Progress};
use super::signed::Signed;
use super::{Question, SignIn};
use crate::line::{AccountKey, Facts, Rely, Turn, Wants, Write};
use crate::model::{Amr, EventKind, Session, SessionId};
use crate::person::attempt::Attempt;
use crate::person::attempts::prove_password;
use crate::person::browser::Cookie;
use crate::person::second_factor;
use crate::person::upstream::{Assertion, Link};
use crate::refusal::{No, Refusal};
use crate::secret::Secret;

/// An answer to a [`Question`].
#[derive(Debug)]
pub enum Proof {
    /// User name and password.
    Password {
        /// E-mail address or user name.
        login: String,
        /// The password.
        password: Secret,
    },
    /// The ID token of an upstream identity provider, or the reason why there is none.
    Upstream(Result<Box<Assertion>, Refusal>),
    /// A code of the second factor, or a recovery code.
    SecondFactor(Secret),
}

/// The outcome of an answer.
#[derive(Debug)]
pub enum Taken {
    /// The answer was wrong or too late. The user must answer this question.
    Again(Question),
    /// The answer was correct and began a session.
    Good {
        /// The user, with the new session.
        signed: Box<Signed>,
        /// The change to the session cookie.
        cookie: Cookie,
        /// The progress of the sign-in after the answer.
        progress: Progress,
    },
    /// The answer is to a question that is not open. Holds the signed-in user, if any.
    NotAsked(Option<Signed>),
}

impl Proof {
    /// Returns true if judging the answer includes hashing a password.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        matches!(self, Self::Password { .. })
    }
}

impl SignIn<'_> {
    /// Adds the keys of the rows that the answer is judged by, and of the account that it is about. A password is about
    /// the account with the typed name, and not about the account of the session: a signed-in user may sign in as
    /// another user.
    pub fn want(&self, proof: &Proof, wants: &mut Wants) {
        let session = self.caller.session.map(|own| AccountKey::Session(SessionId(own.id)));
        match proof {
            Proof::Password { login, .. } => wants.account([AccountKey::Login(login.clone())]),
            Proof::Upstream(Ok(assertion)) => {
                let [identity, login] = assertion.account();
                return wants.account([identity, login.or(session)].into_iter().flatten());
            }
            Proof::Upstream(Err(_)) => return wants.account(session),
            // The identity leads to the signed-in user, unless another request has linked it to another account. The
            // judge checks that before anything else.
            Proof::SecondFactor(_) => {
                let identity = self.progress.link.as_ref().map(|link| AccountKey::Identity(link.name()));
                wants.account(identity.into_iter().chain(session));
            }
        }
        self.attempt().want(wants);
    }

    /// Judges an answer. `signed` is the user who is signed in before the answer, if any.
    pub fn take(&self, proof: &Proof, signed: Option<Signed>, facts: &Facts, turn: &mut Turn<'_>) -> Taken {
        match proof {
            Proof::Password { login, password } => self.take_password(login, password, signed, facts, turn),
            Proof::Upstream(said) => self.take_upstream(said.as_deref(), signed, facts, turn),
            Proof::SecondFactor(typed) => self.take_second_factor(typed, signed, facts, turn),
        }
    }

    fn take_password(
        &self,
        login: &str,
        typed: &Secret,
        before: Option<Signed>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Taken {
        let user = match prove_password(&self.attempt(), login, typed, facts, turn) {
            Ok(user) => user,
            Err(refusal) => {
                return Taken::Again(self.ask_sign_in(before.as_ref(), login.to_owned(), Some(refusal), turn));
            }
        };
        let kind = if user.totp.is_none() { EventKind::SignedIn } else { EventKind::PasswordProven };
        turn.note(kind, Some(user.key), self.client, "password");
        turn.rely_on(user);
        if let Some(before) = before {
            turn.write(Write::EndSession(before.session.id));
        }
        let (signed, cookie) = Signed::start(user, vec![Amr::Pwd], turn.now, &self.caller.agent, turn);
        good(signed, cookie, true, None)
    }

    /// Judges an ID token of an upstream identity provider. It replaces the password, but not the second factor: an
    /// account with a second factor is linked only after that was proven.
    fn take_upstream(
        &self,
        said: Result<&Assertion, &Refusal>,
        before: Option<Signed>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Taken {
        let said = said.map_err(|refusal| *refusal);
        let found = match said.and_then(|assertion| assertion.find(facts, turn).map_err(Refusal::from)) {
            Ok(found) => found,
            Err(refusal) => {
                return Taken::Again(self.ask_sign_in(before.as_ref(), String::new(), Some(refusal), turn));
            }
        };
        let (auth_time, is_fresh, link) = (found.auth_time(), found.is_fresh(), found.pending());
        let user = match found.user().filter(|_| link.is_some()) {
            Some(user) => {
                turn.rely_on(user);
                Arc::clone(user)
            }
            None => found.enter(turn),
        };
        if user.totp.is_none() {
            turn.note(EventKind::SignedIn, Some(user.key), self.client, "assertion");
        }
        if let Some(before) = before {
            turn.write(Write::EndSession(before.session.id));
        }
        // When the browser comes back does not show when the user authenticated at the identity provider. The `acr` and
        // `amr` of the token are not taken over either, because their words may have another meaning there.
        let proven_at = auth_time.unwrap_or_else(|| Session::undated(turn.now));
        let (signed, cookie) = Signed::start(&user, vec![Amr::Fed], proven_at, &self.caller.agent, turn);
        good(signed, cookie, is_fresh, link)
    }

    fn take_second_factor(&self, typed: &Secret, signed: Option<Signed>, facts: &Facts, turn: &mut Turn<'_>) -> Taken {
        let signed = match signed {
            Some(signed) if signed.lacks_second_factor() => signed,
            other => return Taken::NotAsked(other),
        };
        // The first factor must have been a step of this same sign-in, and not long ago.
        let first_factor_at = signed.session.auth_time.max(signed.session.created_at);
        let first_factor_age_s = first_factor_at.seconds_until(turn.now);
        if first_factor_age_s > turn.policy.session.recent_s || !self.progress.has_begun(&signed.session) {
            return Taken::Again(self.ask_sign_in(Some(&signed), String::new(), None, turn));
        }
        let link = match self.due_link(&signed, facts) {
            Ok(link) => link,
            Err(no) => return Taken::Again(self.ask_sign_in(Some(&signed), String::new(), Some(no.into()), turn)),
        };
        let (burnt, how) = match second_factor::prove(&signed.user, typed, &self.attempt(), facts, turn) {
            Ok(proven) => proven,
            Err(refusal) => {
                let user = Arc::clone(&signed.user);
                return Taken::Again(Question::SecondFactor { user, problem: Some(refusal) });
            }
        };
        turn.rely(Rely::Session(signed.session.id));
        turn.write(Write::PutUser(Box::new(burnt.clone())));
        if let Some(link) = link {
            link.make(turn);
        }
        turn.note(EventKind::SignedIn, Some(burnt.key), self.client, how);
        let amr = signed.session.amr.iter().copied().chain([Amr::Otp]).collect();
        // The code is a proof of this moment, even if the identity provider did not say when the first factor was
        // proven.
        let is_fresh = self.progress.has_proven(&signed.session);
        let proven_at = if is_fresh { signed.session.auth_time } else { turn.now };
        let (signed, cookie) = signed.renew_proven(&Arc::new(burnt), amr, proven_at, turn);
        good(signed, cookie, true, None)
    }

    /// Returns the attempt as the brute-force counters see it.
    fn attempt(&self) -> Attempt {
        Attempt { address: self.address.to_owned(), devices: self.caller.devices.clone(), session: None }
    }

    /// Returns the link that waits for the second factor. `None` if there is none, or if the session did not begin at
    /// the identity provider.
    fn due_link(&self, signed: &Signed, facts: &Facts) -> Result<Option<&Link>, No> {
        let Some(link) = &self.progress.link else { return Ok(None) };
        let is_due = link.is_due(&signed.user, facts)? && signed.session.amr.contains(&Amr::Fed);
        Ok(is_due.then_some(link))
    }
}

/// The outcome of a correct answer. `is_fresh` is true if the user proved their identity after the sign-in began.
/// `link` waits for the second factor.
fn good(signed: Signed, cookie: Cookie, is_fresh: bool, link: Option<Link>) -> Taken {
    let progress = Progress { begun: Some(Begun { session: signed.session.id, is_fresh }), link };
    Taken::Good { signed: Box::new(signed), cookie, progress }
}
