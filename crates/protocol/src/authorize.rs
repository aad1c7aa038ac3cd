//! The authorization endpoint, RFC 6749 §3.1, as one function over a browser's visit.
//!
//! | # | must hold | else | under `prompt=none` |
//! |--:|---|---|---|
//! | 1 | client known and enabled | refuse, on a page | same |
//! | 2 | redirect URI registered | refuse, on a page; *the last refusal that stays here* | same |
//! | 3 | request well formed, allowed for this client, PKCE where required | return the error | same |
//! | 4 | session live, and fresh enough | ask to sign in | return `login_required` |
//! | 5 | second factor satisfied | ask for it | return `interaction_required` |
//! | 6 | consent covers the scopes | ask for it | return `consent_required` |
//! | 7 | | return a code | return a code |
//!
//! The answer to a page is judged by the same function: [`Visit::decide`] takes the answer in, and then asks
//! [`Visit::next`] again.

use std::sync::Arc;

use crate::browser::{Ask, Browse, Caller, Cookie, Errand, Goal, Page, ResponseMode, Return, Signed, Step};
use crate::call::{Call, Reply, ReplyKind};
use crate::issue;
use crate::keys::TokenKind;
use crate::login::attempts::Doors;
use crate::login::{password, recovery, totp};
use crate::model::{
    Amr, Client, ClientKind, Code, CodeId, Consent, EventKind, GrantId, GrantType, Pkce, SessionId, User,
};
use crate::pkce;
use crate::redirect::{self, VerifiedRedirect};
use crate::refusal::{No, Refusal};
use crate::scope::Scope;
use crate::secret::{Digest, Secret};
use crate::turn::{Change, Facts, Rely, Turn, Wants, account_attempts_key, address_attempts_key};
use crate::wire::{Field, Fields, Param, Params};

/// A browser's visit: an errand, and the answer to the last page if there was one.
#[derive(Debug)]
pub struct Visit {
    /// What the browser came for.
    pub errand: Errand,
    /// Who it is.
    pub caller: Caller,
    /// The network address, as it is counted for brute force.
    pub address: String,
    /// What it answered.
    pub answer: Option<Answer>,
}

/// What a person answered to a page.
#[derive(Debug)]
pub enum Answer {
    /// To [`Page::SignIn`].
    SignIn {
        /// E-mail address or user name.
        login: String,
        /// The password.
        password: Secret,
    },
    /// To [`Page::SecondFactor`]: a code, or a recovery code.
    SecondFactor(Secret),
    /// To [`Page::Consent`].
    Consent {
        /// Allow, or deny?
        is_approved: bool,
    },
}

/// A well-formed authorization request that the client may make.
struct Request {
    scope: Scope,
    audience: Vec<String>,
    challenge: Option<Digest>,
    prompt: Prompt,
    max_age_s: Option<u64>,
    is_redirect_uri_named: bool,
}

/// OpenID Connect Core §3.1.2.1.
#[derive(Clone, Copy, Default)]
struct Prompt {
    is_none: bool,
    is_login: bool,
    is_consent: bool,
}

impl Call for Visit {
    type Yes = Browse;

    fn wants(&self) -> Wants {
        let mut wants = Wants { session: self.caller.session.map(|own| SessionId(own.id)), ..Wants::default() };
        if let Goal::Authorize(params) = &self.errand.goal {
            wants.client_id = params.value(Param::ClientId).map(ToOwned::to_owned);
            wants.consent = true;
        }
        if let Some(Answer::SignIn { login, .. }) = &self.answer {
            wants.login = Some(login.clone());
        }
        if matches!(self.answer, Some(Answer::SignIn { .. } | Answer::SecondFactor(_))) {
            wants.address_attempts = Some(address_attempts_key(&self.address));
        }
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Browse, Refusal> {
        let signed = Signed::find(&self.caller, facts, turn);
        match &self.answer {
            None => self.next(signed.as_ref(), None, facts, turn).map(keep),
            Some(Answer::SignIn { login, password }) => self.sign_in(login, password, signed, facts, turn),
            Some(Answer::SecondFactor(typed)) => self.second_factor(typed, signed, facts, turn),
            Some(Answer::Consent { is_approved }) => {
                // The page was about somebody; if another person has signed in since, it is no answer.
                let is_theirs = signed.as_ref().is_some_and(|signed| self.errand.user == Some(signed.user.key));
                let decision = is_theirs.then_some(*is_approved);
                self.next(signed.as_ref(), decision, facts, turn).map(keep)
            }
        }
    }

    fn is_slow(&self, _facts: &Facts) -> bool {
        matches!(self.answer, Some(Answer::SignIn { .. }))
    }
}

fn keep(step: Step) -> Browse {
    Browse { step, cookie: Cookie::Keep }
}

impl Visit {
    /// What the browser must do next, for whoever is signed in, given their decision if they made one.
    fn next(
        &self,
        signed: Option<&Signed>,
        decision: Option<bool>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Step, Refusal> {
        match &self.errand.goal {
            Goal::Page(path) => Ok(self.next_to_page(path, signed, turn)),
            Goal::Authorize(params) => {
                let client = known_client(facts, turn)?;
                let to = redirect::verify(client, params.value(Param::RedirectUri))?;
                let way = Way { params, client, to, facts };
                match Request::parse(params, client, turn) {
                    Ok(request) => Ok(self.next_of_request(&way, &request, signed, decision, turn)),
                    Err(refusal) => Ok(way.back(Err(refusal), turn)),
                }
            }
        }
    }

    fn next_to_page(&self, path: &str, signed: Option<&Signed>, turn: &mut Turn<'_>) -> Step {
        match signed {
            Some(signed) if !self.errand.is_fresh_wanted || self.errand.is_before(&signed.session) => {
                if signed.lacks_second_factor() {
                    self.ask_second_factor(None, signed, None, turn)
                } else {
                    Step::Go(path.to_owned())
                }
            }
            _ => self.ask_sign_in(None, String::new(), None, turn),
        }
    }

    fn next_of_request(
        &self,
        way: &Way<'_>,
        request: &Request,
        signed: Option<&Signed>,
        decision: Option<bool>,
        turn: &mut Turn<'_>,
    ) -> Step {
        let Some(signed) = signed.filter(|signed| self.is_fresh_enough(signed, request, turn)) else {
            if request.prompt.is_none {
                return way.back(Err(No::LoginNeeded.into()), turn);
            }
            let hint = way.params.value(Param::LoginHint).unwrap_or_default().to_owned();
            return self.ask_sign_in(Some(way.client), hint, None, turn);
        };
        if signed.lacks_second_factor() {
            if request.prompt.is_none {
                return way.back(Err(No::SecondFactorNeeded.into()), turn);
            }
            return self.ask_second_factor(Some(way.client), signed, None, turn);
        }
        match decision {
            Some(false) => {
                turn.note(
                    EventKind::ConsentDenied,
                    Some(signed.user.key),
                    Some(way.client.key),
                    request.scope.as_str(),
                );
                return way.back(Err(No::UserDenied.into()), turn);
            }
            Some(true) => remember_consent(way, request, signed, turn),
            None if !way.client.is_first_party => {
                let known = way.facts.consent.as_ref().map(|consent| turn.policy.scope.closure(&consent.scope));
                let is_covered = known.as_ref().is_some_and(|known| request.scope.is_within(known));
                // RFC 6749 §10.2: "The authorization server SHOULD NOT process repeated authorization requests
                // automatically (without active resource owner interaction) without authenticating the client or
                // relying on other measures to ensure that the repeated request comes from the original client".
                if !is_covered || request.prompt.is_consent || !is_identity_assured(way) {
                    if request.prompt.is_none {
                        return way.back(Err(No::ConsentNeeded.into()), turn);
                    }
                    let added = request.scope.without(&known.unwrap_or_default());
                    return self.ask_consent(way, request, signed, added, turn);
                }
            }
            None => {}
        }
        issue_code(way, request, signed, turn)
    }

    /// OpenID Connect Core §3.1.2.1, `max_age` and `prompt=login`: a sign-in since the browser came will do.
    fn is_fresh_enough(&self, signed: &Signed, request: &Request, turn: &Turn<'_>) -> bool {
        let is_young =
            request.max_age_s.is_none_or(|max_age_s| signed.session.auth_time.seconds_until(turn.now) <= max_age_s);
        self.errand.is_before(&signed.session) || (is_young && !request.prompt.is_login)
    }

    fn sign_in(
        &self,
        login: &str,
        typed: &Secret,
        before: Option<Signed>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Browse, Refusal> {
        let user = facts.login.as_ref();
        let doors =
            Doors::new(account_attempts_key(user.map(|user| user.key), login), address_attempts_key(&self.address));
        let client = facts.client.as_ref().filter(|_| matches!(self.errand.goal, Goal::Authorize(_)));
        if let Err(refusal) = doors.check(facts, turn) {
            return Ok(keep(self.ask_sign_in(client, login.to_owned(), Some(refusal), turn)));
        }
        let stored = user.and_then(|user| Some((user, user.password.as_deref()?)));
        let right = match stored {
            Some((user, stored)) => password::is_right(stored, typed).then_some(user),
            None => {
                password::pretend(typed);
                None
            }
        };
        let Some(user) = right.filter(|user| !user.is_disabled) else {
            doors.count(turn);
            note_failure(user, facts, turn);
            return Ok(keep(self.ask_sign_in(client, login.to_owned(), Some(No::CredentialsWrong.into()), turn)));
        };
        // The failures of an account with a second factor are forgotten only after that factor, or else a password that
        // is known would reset the count of guessed codes.
        if user.totp.is_none() {
            doors.pass(turn);
            turn.note(EventKind::SignedIn, Some(user.key), client.map(|client| client.key), "password");
        } else {
            doors.pass_without_clearing(turn);
        }
        turn.change(Change::Rely(Rely::User(user.key, user.version)));
        let before = before.map(|signed| signed.session);
        let (signed, cookie) = Signed::start(user, vec![Amr::Pwd], before.as_ref(), &self.caller, turn);
        Ok(Browse { step: self.next(Some(&signed), None, facts, turn)?, cookie })
    }

    fn second_factor(
        &self,
        typed: &Secret,
        signed: Option<Signed>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Browse, Refusal> {
        let Some(signed) = signed.filter(Signed::lacks_second_factor) else {
            return self.next(None, None, facts, turn).map(keep);
        };
        let client = facts.client.as_ref().filter(|_| matches!(self.errand.goal, Goal::Authorize(_)));
        let doors = Doors::new(account_attempts_key(Some(signed.user.key), ""), address_attempts_key(&self.address));
        if let Err(refusal) = doors.check(facts, turn) {
            return Ok(keep(self.ask_second_factor(client, &signed, Some(refusal), turn)));
        }
        let Some((burnt, how)) = burn_second_factor(&signed.user, typed, turn) else {
            doors.count(turn);
            note_failure(Some(&signed.user), facts, turn);
            return Ok(keep(self.ask_second_factor(client, &signed, Some(No::SecondFactorWrong.into()), turn)));
        };
        doors.pass(turn);
        // ◆ The version of the account: of two who come with the same code, the second finds it used.
        turn.change(Change::PutUser(Box::new(burnt.clone())));
        turn.note(EventKind::SignedIn, Some(burnt.key), client.map(|client| client.key), how);
        let amr = vec![Amr::Pwd, Amr::Otp];
        let (signed, cookie) = Signed::start(&Arc::new(burnt), amr, Some(&signed.session), &self.caller, turn);
        Ok(Browse { step: self.next(Some(&signed), None, facts, turn)?, cookie })
    }

    fn ask_sign_in(
        &self,
        client: Option<&Arc<Client>>,
        login: String,
        problem: Option<Refusal>,
        turn: &mut Turn<'_>,
    ) -> Step {
        self.ask(Page::SignIn { client: client.cloned(), login, problem }, None, turn)
    }

    fn ask_second_factor(
        &self,
        client: Option<&Arc<Client>>,
        signed: &Signed,
        problem: Option<Refusal>,
        turn: &mut Turn<'_>,
    ) -> Step {
        let user = Arc::clone(&signed.user);
        self.ask(Page::SecondFactor { client: client.cloned(), user, problem }, Some(signed), turn)
    }

    fn ask_consent(
        &self,
        way: &Way<'_>,
        request: &Request,
        signed: &Signed,
        added: Scope,
        turn: &mut Turn<'_>,
    ) -> Step {
        let page = Page::Consent {
            client: Arc::clone(way.client),
            user: Arc::clone(&signed.user),
            scope: request.scope.clone(),
            added,
            audience: request.audience.clone(),
            redirect: way.to.clone(),
        };
        self.ask(page, Some(signed), turn)
    }

    fn ask(&self, page: Page, about: Option<&Signed>, turn: &mut Turn<'_>) -> Step {
        let errand = Errand { user: about.map(|signed| signed.user.key), ..self.errand.clone() };
        let seal = errand.seal(&turn.policy.dialect, &self.caller.browser, turn.now, turn.keys, &mut turn.entropy);
        Step::Ask(Ask { page, seal })
    }
}

/// The client, and the way back to it.
struct Way<'a> {
    params: &'a Params,
    client: &'a Arc<Client>,
    to: VerifiedRedirect,
    facts: &'a Facts,
}

impl Way<'_> {
    fn back(&self, answer: Result<Reply, Refusal>, turn: &Turn<'_>) -> Step {
        let mode = match self.params.value(Param::ResponseMode) {
            Some("form_post") => ResponseMode::FormPost,
            _ => ResponseMode::Query,
        };
        // RFC 6749 §4.1.2: "REQUIRED if the "state" parameter was present in the client authorization request. The exact
        // value received from the client." RFC 9207 §2: "an authorization server that supports this specification MUST
        // indicate its identity by including the iss parameter in the response", also in an error.
        let fields = Fields::new()
            .with_some(Field::State, self.params.value(Param::State))
            .with_some(Field::Iss, turn.policy.is_iss_sent.then_some(turn.policy.issuer.as_str()));
        Step::Return(Return { to: self.to.clone(), mode, answer, fields })
    }
}

fn known_client<'f>(facts: &'f Facts, turn: &Turn<'_>) -> Result<&'f Arc<Client>, Refusal> {
    let client = facts.client.as_ref().filter(|client| !client.is_disabled && client.dialect == turn.policy.dialect);
    // RFC 6749 §4.1.2.1: "If the request fails due to a missing, invalid, or mismatching redirection URI, or if the client
    // identifier is missing or invalid, the authorization server SHOULD inform the resource owner of the error and MUST
    // NOT automatically redirect the user-agent to the invalid redirection URI."
    client.ok_or(Refusal::of(No::AuthorizeClientUnknown, Param::ClientId))
}

impl Request {
    fn parse(params: &Params, client: &Client, turn: &Turn<'_>) -> Result<Self, Refusal> {
        let missing = Refusal::of(No::ParameterMissing, Param::ResponseType);
        match params.value(Param::ResponseType).ok_or(missing)? {
            "code" if turn.policy.grants.contains(&GrantType::AuthorizationCode) => {}
            _ => return Err(Refusal::of(No::ResponseTypeUnknown, Param::ResponseType)),
        }
        if !client.grants.contains(&GrantType::AuthorizationCode) {
            return Err(Refusal::of(No::ResponseTypeNotAllowed, Param::ResponseType));
        }
        if !matches!(params.value(Param::ResponseMode), None | Some("query" | "form_post")) {
            return Err(Refusal::of(No::ResponseModeUnknown, Param::ResponseMode));
        }
        Ok(Self {
            scope: issue::requested_scope(params, client, turn)?,
            audience: issue::requested_resources(params, turn)?,
            challenge: challenge(params, client, turn)?,
            prompt: Prompt::parse(params.value(Param::Prompt))?,
            max_age_s: params
                .value(Param::MaxAge)
                .map(str::parse)
                .transpose()
                .map_err(|_| Refusal::of(No::ParameterMalformed, Param::MaxAge))?,
            is_redirect_uri_named: params.value(Param::RedirectUri).is_some(),
        })
    }
}

fn challenge(params: &Params, client: &Client, turn: &Turn<'_>) -> Result<Option<Digest>, Refusal> {
    let method = params.value(Param::CodeChallengeMethod);
    match params.value(Param::CodeChallenge) {
        Some(text) => pkce::challenge(text, method).map(Some).map_err(|no| Refusal {
            param: Some(if no == No::ChallengeMethodUnknown {
                Param::CodeChallengeMethod
            } else {
                Param::CodeChallenge
            }),
            ..no.into()
        }),
        // RFC 9700 §2.1.1: "Public clients MUST use PKCE"; OAuth 2.1 wants it of all.
        None if client.kind == ClientKind::Public
            || client.pkce == Pkce::Required
            || !turn.policy.is_pkce_waivable
            || method.is_some() =>
        {
            Err(Refusal::of(No::ChallengeMissing, Param::CodeChallenge))
        }
        None => Ok(None),
    }
}

impl Prompt {
    fn parse(text: Option<&str>) -> Result<Self, Refusal> {
        let malformed = Refusal::of(No::PromptMalformed, Param::Prompt);
        let mut prompt = Self::default();
        let words: Vec<&str> = text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
        for word in &words {
            match *word {
                "none" => prompt.is_none = true,
                // To choose another account is to sign in again.
                "login" | "select_account" => prompt.is_login = true,
                "consent" => prompt.is_consent = true,
                _ => return Err(malformed),
            }
        }
        // OpenID Connect Core §3.1.2.1: "If this parameter contains none with any other value, an error is returned."
        if prompt.is_none && words.len() > 1 { Err(malformed) } else { Ok(prompt) }
    }
}

/// Can nobody else have made the request? A confidential client proves itself when it redeems the code; a public one is
/// known by an https address that is its own. Loopback ports and schemes on a device are anybody's.
fn is_identity_assured(way: &Way<'_>) -> bool {
    way.client.kind == ClientKind::Confidential || way.to.as_str().starts_with("https://")
}

fn remember_consent(way: &Way<'_>, request: &Request, signed: &Signed, turn: &mut Turn<'_>) {
    let known = way.facts.consent.as_ref();
    turn.change(Change::PutConsent(Consent {
        user: signed.user.key,
        client: way.client.key,
        scope: known.map_or_else(|| request.scope.clone(), |known| known.scope.union(&request.scope)),
        given_at: known.map_or(turn.now, |known| known.given_at),
        renewed_at: turn.now,
    }));
    turn.note(EventKind::ConsentGiven, Some(signed.user.key), Some(way.client.key), request.scope.as_str());
}

fn issue_code(way: &Way<'_>, request: &Request, signed: &Signed, turn: &mut Turn<'_>) -> Step {
    let minted = turn.keys.mint(TokenKind::Code, &turn.policy.code.spelling, &mut turn.entropy);
    let grant = GrantId(turn.entropy.next_id());
    // RFC 6749 §4.1.2: "A maximum authorization code lifetime of 10 minutes is RECOMMENDED."
    let ttl_s = turn.policy.code.ttl_s.unwrap_or(60).min(600);
    turn.change(Change::Rely(Rely::Client(way.client.key, way.client.version)));
    signed.rely(turn);
    turn.change(Change::PutCode(Box::new(Code {
        id: CodeId(minted.id),
        digest: minted.digest,
        grant,
        client: way.client.key,
        user: signed.user.key,
        redirect_uri: way.to.as_str().to_owned(),
        is_redirect_uri_named: request.is_redirect_uri_named,
        challenge: request.challenge,
        scope: request.scope.clone(),
        audience: request.audience.clone(),
        auth_time: signed.session.auth_time,
        issued_at: turn.now,
        expires_at: turn.now.plus(ttl_s),
        is_spent: false,
    })));
    way.back(Ok(Reply::new(ReplyKind::Code, Fields::new().with(Field::Code, minted.text.reveal()))), turn)
}

/// The account with the presented code or recovery code used up, and which of the two it was; `None` if it is neither.
#[must_use]
pub fn burn_second_factor(user: &User, typed: &Secret, turn: &Turn<'_>) -> Option<(User, &'static str)> {
    let own = user.totp.as_ref()?;
    let mut burnt = user.clone();
    burnt.version += 1;
    let factor = burnt.totp.as_mut()?;
    let used = recovery::digest(typed.reveal());
    if let Some(at) = own.recovery.iter().position(|digest| *digest == used) {
        factor.recovery.remove(at);
        return Some((burnt, "password and recovery code"));
    }
    let seed = turn.keys.open_kept("totp", user.sub.as_bytes(), &own.sealed_seed)?;
    factor.last_step = totp::matching_step(&seed, typed.reveal(), own.digits, turn.now, own.last_step)?;
    Some((burnt, "password and code"))
}

fn note_failure(user: Option<&Arc<User>>, facts: &Facts, turn: &mut Turn<'_>) {
    let failures = facts.account_attempts.filter(|own| !turn.now.is_past(own.resets_at)).map_or(0, |own| own.failures);
    let user = user.map(|user| user.key);
    turn.note(EventKind::SignInFailed, user, None, "");
    if failures + 1 >= turn.policy.lockout.account_failures {
        turn.note(EventKind::LockedOut, user, None, "");
    }
}
