//! The answers to "who are you?" and "prove it once more": rows 4 and 5 of the table, from the other side.

use std::sync::Arc;

use super::{Visit, Way, keep};
use crate::line::{Change, Facts, Rely, Turn};
use crate::model::{Amr, Client, EventKind, Session};
use crate::person::attempts::{Attempt, prove_password};
use crate::person::browser::{Begun, Browse, Caller, Cookie, Errand, Goal, Signed, renewed_browser};
use crate::person::second_factor;
use crate::person::upstream::{Assertion, Link};
use crate::refusal::{No, Refusal};
use crate::secret::{Digest, Secret};

impl Visit {
    pub(super) fn sign_in(
        &self,
        login: &str,
        typed: &Secret,
        before: Option<Signed>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Browse, Refusal> {
        // A request that has no way back is refused before anybody types a password for it.
        let client = self.asking_client(facts, turn)?;
        let user = match prove_password(&self.attempt(), login, typed, facts, turn) {
            Ok(user) => user,
            Err(refusal) => {
                let problem = (login.to_owned(), Some(refusal));
                return Ok(keep(self.ask_sign_in(client, before.as_ref(), problem, turn)));
            }
        };
        let kind = if user.totp.is_none() { EventKind::SignedIn } else { EventKind::PasswordProven };
        turn.note(kind, Some(user.key), client.map(|client| client.key), "password");
        turn.rely_on(user);
        if let Some(before) = before {
            turn.change(Change::EndSession(before.session.id));
        }
        let (signed, cookie) = Signed::start(user, vec![Amr::Pwd], turn.now, &self.caller.agent, turn);
        self.go_on(&signed, cookie, (true, None), facts, turn)
    }

    /// What an issuer elsewhere says stands for the password, and for nothing else: an account with a second factor is
    /// linked when that is right.
    pub(super) fn upstream(
        &self,
        said: Result<&Assertion, &Refusal>,
        before: Option<Signed>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Browse, Refusal> {
        let client = self.asking_client(facts, turn)?;
        let said = said.map_err(|refusal| *refusal);
        let found = match said.and_then(|assertion| assertion.find(facts, turn).map_err(Refusal::from)) {
            Ok(found) => found,
            Err(refusal) => {
                let problem = (String::new(), Some(refusal));
                return Ok(keep(self.ask_sign_in(client, before.as_ref(), problem, turn)));
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
            turn.note(EventKind::SignedIn, Some(user.key), client.map(|client| client.key), "assertion");
        }
        if let Some(before) = before {
            turn.change(Change::EndSession(before.session.id));
        }
        // That somebody came back just now says nothing about when they proved who they are. The `acr` and `amr` of the
        // issuer are not taken over either: its words may mean something else than the same words here.
        let proven_at = auth_time.unwrap_or_else(|| Session::undated(turn.now));
        let (signed, cookie) = Signed::start(&user, vec![Amr::Fed], proven_at, &self.caller.agent, turn);
        self.go_on(&signed, cookie, (is_fresh, link), facts, turn)
    }

    pub(super) fn second_factor(
        &self,
        typed: &Secret,
        signed: Option<Signed>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Browse, Refusal> {
        let client = self.asking_client(facts, turn)?;
        let Some(signed) = signed.filter(Signed::lacks_second_factor) else {
            let signed = Signed::find(&self.caller, facts, turn);
            return self.next(signed.as_ref(), None, facts, turn).map(keep);
        };
        // The first factor was another step of this same errand, and not long ago.
        let first_factor_at = signed.session.auth_time.max(signed.session.created_at);
        let first_factor_age_s = first_factor_at.seconds_until(turn.now);
        if first_factor_age_s > turn.policy.session.recent_s || !self.errand.has_begun(&signed.session) {
            return Ok(keep(self.ask_sign_in(client, Some(&signed), (String::new(), None), turn)));
        }
        let link = match self.due_link(&signed, facts) {
            Ok(link) => link,
            Err(no) => {
                let problem = (String::new(), Some(no.into()));
                return Ok(keep(self.ask_sign_in(client, Some(&signed), problem, turn)));
            }
        };
        let (burnt, how) = match second_factor::prove(&signed.user, typed, &self.attempt(), facts, turn) {
            Ok(proven) => proven,
            Err(refusal) => return Ok(keep(self.ask_second_factor(client, &signed, Some(refusal), turn))),
        };
        turn.change(Change::Rely(Rely::Session(signed.session.id)));
        turn.change(Change::PutUser(Box::new(burnt.clone())));
        if let Some(link) = link {
            link.make(turn);
        }
        turn.note(EventKind::SignedIn, Some(burnt.key), client.map(|client| client.key), how);
        let amr = signed.session.amr.iter().copied().chain([Amr::Otp]).collect();
        // The code was typed here and now, also where the issuer elsewhere does not say when the first factor was.
        let is_fresh = self.errand.has_proven(&signed.session);
        let proven_at = if is_fresh { signed.session.auth_time } else { turn.now };
        let (signed, cookie) = signed.renew_proven(&Arc::new(burnt), amr, proven_at, turn);
        self.go_on(&signed, cookie, (true, None), facts, turn)
    }
}

impl Visit {
    /// The attempt to sign in, as its failure is counted.
    pub(super) fn attempt(&self) -> Attempt {
        Attempt { address: self.address.clone(), devices: self.caller.devices.clone(), session: None }
    }

    /// Goes on with the errand in a session that the answer began. `is_fresh` says whether the person proved who they are
    /// since the errand began; the link waits for their second factor.
    fn go_on(
        &self,
        signed: &Signed,
        cookie: Cookie,
        (is_fresh, link): (bool, Option<Link>),
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Browse, Refusal> {
        let begun = Some(Begun { session: signed.session.id, is_fresh });
        let browser = match &cookie {
            Cookie::Set(session, ..) => Digest::of(renewed_browser(session).as_bytes()),
            Cookie::Keep | Cookie::Clear => self.caller.browser,
        };
        let after = Self {
            errand: Errand { begun, link, ..self.errand.clone().anew() },
            caller: Caller { browser, ..self.caller.clone() },
            address: self.address.clone(),
            answer: None,
        };
        Ok(Browse { step: after.next(Some(signed), None, facts, turn)?, cookie })
    }

    /// The link that waits for the second factor. Somebody who signed in by another way meanwhile makes none.
    fn due_link(&self, signed: &Signed, facts: &Facts) -> Result<Option<&Link>, No> {
        let Some(link) = &self.errand.link else { return Ok(None) };
        let is_due = link.is_due(&signed.user, facts)? && signed.session.amr.contains(&Amr::Fed);
        Ok(is_due.then_some(link))
    }

    /// The application that asks, if one does.
    fn asking_client<'f>(&'f self, facts: &'f Facts, turn: &Turn<'_>) -> Result<Option<&'f Arc<Client>>, Refusal> {
        match &self.errand.goal {
            Goal::Authorize(params) => Way::find(params, facts, turn).map(|way| Some(way.client)),
            Goal::Page(_) => Ok(None),
        }
    }
}
