//! A user's browser on its way through the pages: what it came for, and the page or redirect that comes next.
//!
//! A request that waits for the user's answer is not stored. It is sealed into the page that asks, so opening
//! `/authorize` without a session writes nothing to the store. The seal is bound to the browser's cookie and thereby
//! protects the form against cross-site request forgery.

mod form;
mod pending_visit;

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;

pub use form::FormSeal;
pub(crate) use pending_visit::SealedVisit;
pub use pending_visit::{Goal, PendingVisit};

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
    /// The session token in the session cookie, if the cookie holds a token of this server.
    pub session: Option<Presented>,
    /// Digest of the cookie that identifies this browser, with or without a session.
    pub browser: Digest,
    /// The `User-Agent` header of the request.
    pub agent: String,
    /// The known devices that the browser's device cookie proves, one for each user.
    pub devices: Vec<Device>,
}

/// The outcome of a browser's request: the next step, and the change to the session cookie.
#[derive(Clone, Debug)]
pub struct Browse {
    /// What the browser must do next.
    pub step: Step,
    /// The change to the session cookie.
    pub cookie: Cookie,
}

/// What the browser must do next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Show a page that asks the user a question.
    Ask(Ask),
    /// Return to the application with an answer.
    Return(Return),
    /// Go to another page of this server, by its path.
    Go(String),
}

/// The change to the session cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// Keep the cookie as it is.
    Keep,
    /// Set the cookie to this session token, for this many seconds. A complete sign-in also makes the browser a known
    /// device, by the third member.
    Set(Secret, u64, Option<Device>),
    /// Delete the cookie.
    Clear,
}

/// A page that asks the user a question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The page.
    pub page: Page,
    /// The pending visit, sealed: the value of the form's field `csrf`.
    pub seal: String,
}

/// The pages that ask a user on the way to an authorization.
#[derive(Clone, Debug)]
pub enum Page {
    /// The sign-in page: user name and password, or a sign-in at the upstream identity provider.
    SignIn {
        /// The application that asks for the sign-in, if any.
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
        /// The application that asks for the sign-in, if any.
        client: Option<Arc<Client>>,
        /// The user who is signing in.
        user: Arc<User>,
        /// What was wrong with the last answer.
        problem: Option<Refusal>,
    },
    /// The consent page: asks the user whether an application may access their account.
    Consent {
        /// The application that asks.
        client: Arc<Client>,
        /// The user who is asked.
        user: Arc<User>,
        /// All scopes that the application would get.
        scope: Scope,
        /// The scopes that the user has not granted before: on a first consent, all of them.
        added: Scope,
        /// The resources (RFC 8707) that the tokens would be valid for; empty means all.
        audience: Vec<String>,
        /// The redirect URI that the browser returns to.
        redirect: VerifiedRedirect,
    },
}

/// The response mode: how the browser carries an answer to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of the redirect URI; RFC 6749 §4.1.2.
    Query,
    /// In the fragment of the redirect URI; RFC 6749 §4.2.2.
    Fragment,
    /// In a form that the browser posts; OAuth 2.0 Form Post Response Mode.
    FormPost,
}

/// An answer that the browser carries to the application.
#[derive(Clone, Debug)]
pub struct Return {
    /// The redirect URI.
    pub to: VerifiedRedirect,
    /// The response mode that the request named; `None` for the default of the dialect.
    pub mode: Option<ResponseMode>,
    /// The kind of reply that was requested. A refusal travels in the same way as this kind.
    pub asked: ReplyKind,
    /// The reply or the refusal. The dialect spells both.
    pub answer: Result<Reply, Refusal>,
    /// `state` and `iss`, which go with a reply and with a refusal.
    pub fields: Fields,
}

/// Length of the browser cookie before encoding, in bytes.
pub const BROWSER_BYTES: usize = 24;

/// Returns the new value of the browser cookie for a session that has just begun.
///
/// The value changes with each session, so that whoever knew the earlier value cannot make seals for this browser. It
/// is derived from the session token: whoever knows that token needs no seal.
#[must_use]
pub fn renewed_browser(session: &Secret) -> String {
    let digest = Digest::of(format!("browser\0{}", session.reveal()).as_bytes());
    BASE64URL_NOPAD.encode(&digest.0[..BROWSER_BYTES])
}
