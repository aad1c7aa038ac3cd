//! A person at a browser: what they came for, what they answered, and the page or redirect that comes next.
//!
//! A request that waits for an answer is not a row: it travels, sealed, in the page that asks. So a stranger who opens
//! `/authorize` writes nothing to the store. The seal is bound to the browser's cookie, which makes it the form's
//! protection against cross-site request forgery as well.

mod errand;
mod form;

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;

pub(crate) use errand::Parcel;
pub use errand::{Begun, Errand, Goal, Shown, SignInWish};
pub use form::FormSeal;

use crate::crypto::keys::{Alphabet, Keys, Presented, Spelling, TokenKind};
use crate::line::{Change, Facts, Rely, Turn};
use crate::line::{Reply, ReplyKind};
use crate::liveness::Hangs;
use crate::model::{Amr, Client, Session, SessionId, User};
use crate::person::device::Device;
use crate::policy::SEEN_EVERY_S;
use crate::redirect::VerifiedRedirect;
use crate::refusal::{No, Refusal};
use crate::scope::Scope;
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;
use crate::wire::Fields;

/// The longest `agent` that is kept, in characters.
const AGENT_CHARACTERS_MAX: usize = 200;

/// How a session's cookie is spelled. It belongs to no dialect.
fn session_spelling() -> Spelling {
    Spelling { prefix: String::new(), alphabet: Alphabet::Url }
}

/// The browser that makes a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The session cookie, if it holds one of ours.
    pub session: Option<Presented>,
    /// Digest of the cookie that tells this browser from others, signed in or not.
    pub browser: Digest,
    /// What the browser says it is.
    pub agent: String,
    /// The users whose known device the browser is.
    pub devices: Vec<Device>,
}

/// What the browser must do next, and with which session.
#[derive(Clone, Debug)]
pub struct Browse {
    /// What next.
    pub step: Step,
    /// What becomes of the session cookie.
    pub cookie: Cookie,
}

/// What the browser must do next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Answer a question.
    Ask(Ask),
    /// Go back to the application.
    Return(Return),
    /// Go to one of this server's own pages.
    Go(String),
}

/// What becomes of the session cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// It stays as it is.
    Keep,
    /// It holds a new session, for so many seconds. Where the sign-in is complete, the browser is a known device from now on.
    Set(Secret, u64, Option<Device>),
    /// It goes.
    Clear,
}

/// A question for a person.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which.
    pub page: Page,
    /// The errand, sealed; the value of the form's `csrf` field.
    pub seal: String,
}

/// The pages of the way to an authorization.
#[derive(Clone, Debug)]
pub enum Page {
    /// Who are you?
    SignIn {
        /// The application that asks, if one does.
        client: Option<Arc<Client>>,
        /// What to put into the name field.
        login: String,
        /// What was wrong with the last answer.
        problem: Option<Refusal>,
        /// Will the word of an issuer elsewhere do?
        is_upstream_enough: bool,
    },
    /// Prove it once more.
    SecondFactor {
        /// The application that asks, if one does.
        client: Option<Arc<Client>>,
        /// Who is signing in.
        user: Arc<User>,
        /// What was wrong with the last answer.
        problem: Option<Refusal>,
    },
    /// May it?
    Consent {
        /// The application that asks.
        client: Arc<Client>,
        /// Who is asked.
        user: Arc<User>,
        /// All that it would be allowed.
        scope: Scope,
        /// What of it is new since the last time; everything, the first time.
        added: Scope,
        /// For which resources.
        audience: Vec<String>,
        /// Where the browser goes afterwards.
        redirect: VerifiedRedirect,
    },
}

/// How an answer travels back through the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of the redirect URI; RFC 6749 §4.1.2.
    Query,
    /// In its fragment; RFC 6749 §4.2.2.
    Fragment,
    /// In a form that the browser posts; OAuth 2.0 Form Post Response Mode.
    FormPost,
}

/// An answer on its way to the application.
#[derive(Clone, Debug)]
pub struct Return {
    /// Where to.
    pub to: VerifiedRedirect,
    /// How, if the request said so; else as the dialect has it.
    pub mode: Option<ResponseMode>,
    /// Which kind of yes was asked for: a refusal travels like it.
    pub asked: ReplyKind,
    /// The yes, or why not. A dialect words the refusal.
    pub answer: Result<Reply, Refusal>,
    /// `state` and `iss`, which belong to either.
    pub fields: Fields,
}

/// Bytes of the cookie that tells browsers apart.
pub const BROWSER_BYTES: usize = 24;

/// The cookie that tells this browser from others after this session began in it.
///
/// It takes the place of the one before, so that whoever knew that one can make no seal for this browser. It is derived from
/// the session's own cookie: whoever knows that needs no seal.
#[must_use]
pub fn renewed_browser(session: &Secret) -> String {
    let digest = Digest::of(format!("browser\0{}", session.reveal()).as_bytes());
    BASE64URL_NOPAD.encode(&digest.0[..BROWSER_BYTES])
}

/// Somebody who is signed in, with a live session.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The session.
    pub session: Session,
    /// Who.
    pub user: Arc<User>,
    /// Did the session start in this very turn? Then the turn already depends on the account as it was seen.
    pub is_new: bool,
}

impl Signed {
    /// Finds the live session that the browser holds, and notes that it was seen.
    pub fn find(caller: &Caller, facts: &Facts, turn: &mut Turn<'_>) -> Option<Self> {
        let held = facts.session(caller.session?)?;
        let session = &held.row;
        let user = held.user.as_ref()?;
        // A session belongs to no dialect, and hangs on its user only.
        let is_alive = !user.is_disabled && session.root_id() >= user.revoked_below;
        if !is_alive || turn.now.is_past(session.idle_until) || turn.now.is_past(session.expires_at) {
            return None;
        }
        if turn.now.is_past(session.seen_at.plus(SEEN_EVERY_S)) {
            let idle_until = turn.now.plus(turn.policy.session.idle_s).min(session.expires_at);
            turn.change(Change::TouchSession { id: session.id, seen_at: turn.now, idle_until });
        }
        Some(Self { session: session.clone(), user: Arc::clone(user), is_new: false })
    }

    /// Starts a session of somebody who proved themselves by `amr`, and did so first at `proven_at`, which is a
    /// [`Session::auth_time`]. Its id and cookie are new, also when the same person signs in again or adds a second factor:
    /// OWASP ASVS 5.0 V7.2.4.
    pub fn start(
        user: &Arc<User>,
        amr: Vec<Amr>,
        proven_at: UnixTime,
        agent: &str,
        turn: &mut Turn<'_>,
    ) -> (Self, Cookie) {
        let minted = turn.keys.mint(TokenKind::Session, &session_spelling(), &mut turn.entropy);
        let policy = turn.policy.session;
        let expires_at = turn.now.plus(policy.absolute_s);
        let session = Session {
            id: SessionId(minted.id),
            digest: minted.digest,
            user: user.key,
            amr,
            auth_time: proven_at,
            created_at: turn.now,
            seen_at: turn.now,
            idle_until: turn.now.plus(policy.idle_s).min(expires_at),
            expires_at,
            address: turn.address.to_owned(),
            agent: agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARACTERS_MAX).collect(),
        };
        turn.change(Change::PutSession(Box::new(session.clone())));
        let signed = Self { session, user: Arc::clone(user), is_new: true };
        let device = (!signed.lacks_second_factor()).then(|| Device::new(user, turn));
        (signed, Cookie::Set(minted.text, policy.absolute_s, device))
    }

    /// Starts a session in the place of this one, for the same browser.
    pub fn renew(&self, user: &Arc<User>, amr: Vec<Amr>, turn: &mut Turn<'_>) -> (Self, Cookie) {
        self.renew_proven(user, amr, self.session.auth_time, turn)
    }

    /// Starts a session in the place of this one, with another [`Session::auth_time`].
    pub fn renew_proven(
        &self,
        user: &Arc<User>,
        amr: Vec<Amr>,
        proven_at: UnixTime,
        turn: &mut Turn<'_>,
    ) -> (Self, Cookie) {
        turn.change(Change::EndSession(self.session.id));
        Self::start(user, amr, proven_at, &self.session.agent, turn)
    }

    /// Does the account have a second factor that this session has not seen?
    #[must_use]
    pub fn lacks_second_factor(&self) -> bool {
        self.user.totp.is_some() && !self.session.amr.contains(&Amr::Otp)
    }

    /// True if the account has a password, and the word of an issuer elsewhere does not stand for it when the user must
    /// confirm who they are.
    #[must_use]
    pub fn needs_password(&self, turn: &Turn<'_>) -> bool {
        self.user.password.is_some() && !turn.policy.session.is_upstream_confirming
    }

    /// True if the account has such a password and it was not typed in this session.
    #[must_use]
    pub fn lacks_password(&self, turn: &Turn<'_>) -> bool {
        self.needs_password(turn) && !self.session.amr.contains(&Amr::Pwd)
    }

    /// Checks that they proved who they are not long ago. Who has a password must have done so by that: whoever takes over
    /// the account elsewhere gets in here, and must not be able to shut the owner out.
    ///
    /// # Errors
    /// [`No::SignInAgain`], [`No::PasswordNeeded`].
    pub fn check_recent(&self, turn: &Turn<'_>) -> Result<(), No> {
        // OWASP ASVS 5.0 V7.5.1: "full re-authentication before allowing modifications to sensitive account attributes".
        let age_s = self.confirmed_at(turn).seconds_until(turn.now);
        if age_s > turn.policy.session.recent_s {
            return Err(No::SignInAgain);
        }
        if self.lacks_password(turn) { Err(No::PasswordNeeded) } else { Ok(()) }
    }

    /// When they last proved who they are, as far as changes of the account go.
    ///
    /// An issuer that never says when it authenticated somebody (Google) confirms nothing for a person who has a password or
    /// a second factor here. For a person who has neither, the way there and back is all that they can do.
    fn confirmed_at(&self, turn: &Turn<'_>) -> UnixTime {
        let has_nothing_else = self.user.totp.is_none() && !self.needs_password(turn);
        match self.session.undated_since() {
            Some(arrived_at) if has_nothing_else => arrived_at,
            _ => self.session.auth_time,
        }
    }

    /// Makes what is decided depend on the session and the account being as they were seen.
    pub fn rely(&self, turn: &mut Turn<'_>) {
        if !self.is_new {
            turn.change(Change::Rely(Rely::User(self.user.key, self.user.version)));
            turn.change(Change::Rely(Rely::Session(self.session.id)));
        }
    }
}

/// Reads the session cookie.
#[must_use]
pub fn read_session(cookie: &str, keys: &Keys) -> Option<Presented> {
    keys.read(TokenKind::Session, &session_spelling(), cookie)
}
