//! The authorization endpoint, RFC 6749 §3.1, as one function that judges each request of a browser by the rows of a
//! table.
//!
//! | # | must hold | else | under `prompt=none` |
//! |--:|---|---|---|
//! | 1 | client known and enabled | refuse, on a page | same |
//! | 2 | redirect URI registered | refuse, on a page; *the last refusal that stays here* | same |
//! | 3 | request well formed, allowed for this client, PKCE where required | return the error | same |
//! | 4 | session live, and fresh enough | ask to sign in | return `login_required` |
//! | 5 | second factor satisfied | ask for it | return `interaction_required` |
//! | 6 | user and strength of the authentication are those that an OpenID Connect request demands | return the error | same |
//! | 7 | consent covers the scopes | ask for it | return `consent_required` |
//! | 8 | | return a code | return a code |
//!
//! Rows 4 and 5 are judged by [`crate::person::sign_in`]. When the user answers a page, [`Visit::decide`] judges the
//! answer first. Then it calls `Visit::next`, which starts again at row 1 and finds the next page or the redirect.

mod consent;
mod precheck;
mod request;
mod return_path;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use precheck::Precheck;
pub use request::PROMPTS;
use request::{Request, ResponseType};
use return_path::ReturnPath;

use crate::crypto::keys::TokenKind;
use crate::line::{AccountKey, Facts, Key, Rely, Turn, Wants, Write};
use crate::line::{Call, Reply};
use crate::model::{
    Authorization, Circumstances, Client, Code, CodeId, EventKind, GrantId, Permission, SessionId, UserKey,
};
use crate::person::browser::{Ask, Browse, Caller, Cookie, Goal, Page, PendingVisit, Step, renewed_browser};
use crate::person::sign_in::{Next, Progress, Proof, Question, SignIn, Signed, Taken};
use crate::refusal::{No, Refusal};
use crate::scope::Scope;
use crate::secret::Digest;
use crate::token::issue::{self, NewGrant};
use crate::wire::{Field, Fields, Param, ReplyKind};

/// One request of a browser on its way to an authorization: the pending visit, and the user's answer if a page was
/// submitted.
#[derive(Debug)]
pub struct Visit {
    /// The pending visit: what the browser came for, and how far its sign-in is.
    pub pending: PendingVisit,
    /// The browser: its session, its cookie, and the users who know it as a device.
    pub caller: Caller,
    /// The client's network address, in the form in which failed attempts are counted.
    pub address: String,
    /// The submitted answer to a page; `None` if the browser only opens a page.
    pub answer: Option<Answer>,
}

/// A user's answer to a page.
#[derive(Debug)]
pub enum Answer {
    /// The answer to [`Page::SignIn`] or [`Page::SecondFactor`].
    Proof(Proof),
    /// The answer to [`Page::Consent`].
    Consent {
        /// True if the user allows the access.
        is_approved: bool,
    },
}

impl Call for Visit {
    type Yes = Browse;

    fn wants(&self) -> Wants {
        let session = self.caller.session.map(|own| SessionId(own.id));
        let mut wants = Wants::of(session.map(Key::Session));
        match &self.answer {
            Some(Answer::Proof(proof)) => self.signing_in(None).want(proof, &mut wants),
            _ => wants.account(session.map(AccountKey::Session)),
        }
        if let Goal::Authorize(params) = &self.pending.goal
            && let Some(client_id) = params.value(Param::ClientId)
        {
            wants.add(Key::Consent(client_id.to_owned()));
        }
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Browse, Refusal> {
        let signed = Signed::find(&self.caller, facts, turn);
        match &self.answer {
            None => self.next(signed.as_ref(), None, facts, turn).map(keep),
            Some(Answer::Proof(proof)) => self.take(proof, signed, facts, turn),
            Some(Answer::Consent { is_approved }) => {
                // The consent page was shown to one user. Ignore the answer if another user has signed in since.
                let is_theirs = signed.as_ref().is_some_and(|signed| self.pending.user == Some(signed.user.key));
                let decision = is_theirs.then_some(*is_approved);
                self.next(signed.as_ref(), decision, facts, turn).map(keep)
            }
        }
    }

    fn is_slow(&self, _facts: &Facts) -> bool {
        matches!(&self.answer, Some(Answer::Proof(proof)) if proof.is_slow())
    }
}

fn keep(step: Step) -> Browse {
    Browse { step, cookie: Cookie::Keep }
}

impl Visit {
    /// Returns what the browser must do next. `signed` is the signed-in user, if any. `decision` is the user's answer
    /// to the consent page: `Some(true)` allows the access, `None` means that there is no answer.
    fn next(
        &self,
        signed: Option<&Signed>,
        decision: Option<bool>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Step, Refusal> {
        match &self.pending.goal {
            Goal::Page(path) => Ok(self.next_to_page(path, signed, turn)),
            Goal::Authorize(params) => {
                let way = ReturnPath::find(params, facts, turn)?;
                match Request::parse(params, way.client, turn) {
                    Ok(request) => Ok(self.next_of_request(&way, &request, signed, decision, turn)),
                    Err(refusal) => Ok(way.back(Err(refusal), turn)),
                }
            }
        }
    }

    fn next_to_page(&self, path: &str, signed: Option<&Signed>, turn: &mut Turn<'_>) -> Step {
        match self.signing_in(None).next(signed, turn) {
            Next::Done(_) => Step::Go(path.to_owned()),
            Next::Ask(question) => self.put(*question, None, turn),
        }
    }

    fn next_of_request(
        &self,
        way: &ReturnPath<'_>,
        request: &Request,
        signed: Option<&Signed>,
        decision: Option<bool>,
        turn: &mut Turn<'_>,
    ) -> Step {
        let signed = match self.signing_in(Some(way.client)).next(signed, turn) {
            Next::Done(signed) => signed,
            Next::Ask(question) if request.is_prompt_none => {
                let no = match *question {
                    Question::SignIn { .. } => No::LoginNeeded,
                    Question::SecondFactor { .. } => No::SecondFactorNeeded,
                };
                return way.back(Err(no.into()), turn);
            }
            Next::Ask(question) => return self.put(*question, Some(way.client), turn),
        };
        if let Err(no) = request.check_user(signed) {
            return way.back(Err(no.into()), turn);
        }
        // The answer counts only for the permission that the page showed. The same request can mean something else by
        // now, for example after the client's scopes changed.
        let decision = decision.filter(|_| self.pending.shown.as_ref() == Some(&request.asked));
        match decision {
            Some(false) => {
                let scope = request.asked.scope.as_str();
                turn.note(EventKind::ConsentDenied, Some(signed.user.key), Some(way.client.key), scope);
                return way.back(Err(No::UserDenied.into()), turn);
            }
            Some(true) => consent::remember(way, request, signed, turn),
            // Show the consent page again to a user who goes back to it, although the stored consent covers the request
            // by now.
            None if !self.was_shown(request, signed) && consent::is_given(way, request, turn) => {}
            None if request.is_prompt_none => return way.back(Err(No::ConsentNeeded.into()), turn),
            None => return self.ask_consent(way, request, signed, turn),
        }
        match request.response_type {
            ResponseType::Code => issue_code(way, request, signed, turn),
            ResponseType::Token => issue_token(way, request, signed, turn),
        }
    }

    /// Returns true if the browser opens the address of a consent page that was shown to this user for this request.
    fn was_shown(&self, request: &Request, signed: &Signed) -> bool {
        let is_theirs = self.pending.user == Some(signed.user.key);
        is_theirs && self.answer.is_none() && self.pending.shown.as_ref() == Some(&request.asked)
    }

    /// Returns the sign-in of this visit. `client` is the application that asks for it, if any.
    fn signing_in(&self, client: Option<&Arc<Client>>) -> SignIn<'_> {
        SignIn {
            demand: self.pending.demand(),
            progress: &self.pending.progress,
            caller: &self.caller,
            address: &self.address,
            client: client.map(|client| client.key),
        }
    }

    /// Judges the answer to a sign-in page or a second-factor page, and returns what the browser must do next.
    fn take(
        &self,
        proof: &Proof,
        signed: Option<Signed>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Browse, Refusal> {
        // Refuse a request without a usable client or redirect URI before judging the password.
        let client = self.asking_client(facts, turn)?;
        match self.signing_in(client).take(proof, signed, facts, turn) {
            Taken::Again(question) => Ok(keep(self.put(question, client, turn))),
            Taken::NotAsked(signed) => self.next(signed.as_ref(), None, facts, turn).map(keep),
            Taken::Good { signed, cookie, progress } => {
                let step = self.after(&cookie, progress).next(Some(&signed), None, facts, turn)?;
                Ok(Browse { step, cookie })
            }
        }
    }

    /// Returns the same visit as it continues in the session that a correct answer began.
    fn after(&self, cookie: &Cookie, progress: Progress) -> Self {
        let browser = match cookie {
            Cookie::Set(session, ..) => Digest::of(renewed_browser(session).as_bytes()),
            Cookie::Keep | Cookie::Clear => self.caller.browser,
        };
        Self {
            pending: PendingVisit { progress, ..self.pending.clone().anew() },
            caller: Caller { browser, ..self.caller.clone() },
            address: self.address.clone(),
            answer: None,
        }
    }

    /// Returns the client of an authorization request; `None` if the browser goes to one of the server's own pages.
    fn asking_client<'f>(&'f self, facts: &'f Facts, turn: &Turn<'_>) -> Result<Option<&'f Arc<Client>>, Refusal> {
        match &self.pending.goal {
            Goal::Authorize(params) => ReturnPath::find(params, facts, turn).map(|way| Some(way.client)),
            Goal::Page(_) => Ok(None),
        }
    }

    /// Returns the step that shows the page for a question of the sign-in.
    fn put(&self, question: Question, client: Option<&Arc<Client>>, turn: &mut Turn<'_>) -> Step {
        let client = client.cloned();
        match question {
            Question::SignIn { login, problem, is_upstream_enough } => {
                self.ask(Page::SignIn { client, login, problem, is_upstream_enough }, None, None, turn)
            }
            Question::SecondFactor { user, problem } => {
                let about = Some(user.key);
                self.ask(Page::SecondFactor { client, user, problem }, about, None, turn)
            }
        }
    }

    fn ask_consent(&self, way: &ReturnPath<'_>, request: &Request, signed: &Signed, turn: &mut Turn<'_>) -> Step {
        let page = Page::Consent {
            client: Arc::clone(way.client),
            user: Arc::clone(&signed.user),
            scope: request.asked.scope.clone(),
            added: consent::added(way, request, turn),
            audience: request.asked.audience.clone(),
            redirect: way.to.clone(),
        };
        self.ask(page, Some(signed.user.key), Some(request.asked.clone()), turn)
    }

    fn ask(&self, page: Page, user: Option<UserKey>, shown: Option<Permission>, turn: &mut Turn<'_>) -> Step {
        let pending = PendingVisit { user, shown, ..self.pending.clone() };
        let seal = pending.seal(&turn.policy.dialect, &self.caller.browser, turn.now, turn.keys, &mut turn.entropy);
        Step::Ask(Ask { page, seal })
    }
}

/// Returns what the signed-in user authorizes the client to do, for the code or the grant to keep.
fn authorization(way: &ReturnPath<'_>, request: &Request, signed: &Signed) -> Authorization {
    Authorization {
        user: signed.user.key,
        client: way.client.key,
        permission: request.permission.clone(),
        auth_time: signed.session.auth_time,
        circumstances: Circumstances {
            session: Some(signed.session.id),
            amr: signed.session.amr.clone(),
            nonce: request.nonce.clone(),
            claims: request.claims.clone(),
            ..Circumstances::of(request.response_type.grant())
        },
    }
}

/// Issues an access token from the authorization endpoint: the implicit grant, RFC 6749 §4.2.2. The token gets a grant
/// row of its own, so that the user can end it on the account page.
fn issue_token(way: &ReturnPath<'_>, request: &Request, signed: &Signed, turn: &mut Turn<'_>) -> Step {
    signed.rely(turn);
    consent::rely(way, signed, turn);
    let new = NewGrant {
        id: GrantId(turn.entropy.next_id()),
        client: way.client,
        user: &signed.user,
        authorization: authorization(way, request, signed),
        access_audience: request.permission.audience.clone(),
    };
    let Reply { mut fields, .. } = issue::begin(new, turn);
    // RFC 6749 §4.2.2, scope: "OPTIONAL, if identical to the scope requested by the client; otherwise, REQUIRED."
    let scope = &request.permission.scope;
    if Scope::parse(way.params.value(Param::Scope).unwrap_or_default()).ok().as_ref() != Some(scope) {
        fields.set(Field::ScopeIfChanged, scope.as_str());
    }
    way.back(Ok(Reply::new(ReplyKind::Implicit, fields)), turn)
}

fn issue_code(way: &ReturnPath<'_>, request: &Request, signed: &Signed, turn: &mut Turn<'_>) -> Step {
    let minted = turn.keys.mint(TokenKind::Code, &turn.policy.code.spelling, &mut turn.entropy);
    let grant = GrantId(turn.entropy.next_id());
    // RFC 6749 §4.1.2: "A maximum authorization code lifetime of 10 minutes is RECOMMENDED."
    let ttl_s = turn.policy.code.ttl_s.unwrap_or(60).min(600);
    turn.rely(Rely::Client(way.client.key, way.client.version));
    signed.rely(turn);
    consent::rely(way, signed, turn);
    turn.write(Write::PutCode(Box::new(Code {
        id: CodeId(minted.id),
        digest: minted.digest,
        grant,
        authorization: authorization(way, request, signed),
        redirect_uri: way.to.as_str().to_owned(),
        is_redirect_uri_named: request.is_redirect_uri_named,
        challenge: request.challenge,
        issued_at: turn.now,
        expires_at: turn.now.plus(ttl_s),
        is_spent: false,
    })));
    way.back(Ok(Reply::new(ReplyKind::Code, Fields::new().with(Field::Code, minted.text.reveal()))), turn)
}
