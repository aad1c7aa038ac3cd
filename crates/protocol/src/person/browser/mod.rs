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
pub use errand::{Errand, Goal};
pub use form::FormSeal;

use crate::crypto::keys::Presented;
use crate::line::Reply;
use crate::model::{Client, User};
use crate::person::device::Device;
use crate::redirect::VerifiedRedirect;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::secret::{Digest, Secret};
use crate::wire::{Fields, ReplyKind};

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
    /// The sign-in page: user name and password, or a sign-in at the upstream identity provider.
    SignIn {
        /// The application that asks, if one does.
        client: Option<Arc<Client>>,
        /// Text for the name field.
        login: String,
        /// What was wrong with the last answer.
        problem: Option<Refusal>,
        /// True if a sign-in at the upstream identity provider can answer the question.
        is_upstream_enough: bool,
    },
    /// The second-factor page: a code of the authenticator, or a recovery code.
    SecondFactor {
        /// The application that asks, if one does.
        client: Option<Arc<Client>>,
        /// Who is signing in.
        user: Arc<User>,
        /// What was wrong with the last answer.
        problem: Option<Refusal>,
    },
    /// The consent page: asks the user whether an application may access their account.
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
