//! The rows: clients, users, sessions, grants, tokens and others.
//!
//! Ids are numbers that grow. They never leave the server unmasked. Rows with a `version` are documents that are
//! replaced as a whole, and only by a turn that has loaded their latest version.

mod attempts;
mod authorization;
mod client;
mod client_auth;
mod client_kind;
mod consent;
mod event;
mod grant;
mod grant_type;
mod id;
mod introspection;
mod job;
mod seal_key;
mod session;
mod signing_key;
mod ticket;
mod token;
mod user;
mod with_owners;

pub use attempts::Attempts;
pub use authorization::{Authorization, Circumstances, Permission};
pub use client::{Checked, Client, ClientSecret, Pkce, RefreshMode, StoredSecret};
pub use client_auth::{AssertionAudience, AuthMethod, SealedSecret};
pub use client_kind::ClientKind;
pub use consent::Consent;
pub use event::{Event, EventKind};
pub use grant::{Code, Grant, Refresh};
pub use grant_type::GrantType;
pub use id::{AccessId, ClientKey, CodeId, GrantId, JobId, PersonalId, SessionId, TicketId, UserKey};
pub use introspection::Introspection;
pub use job::{Job, JobState};
pub use seal_key::SealKey;
pub use session::{Amr, Session};
pub use signing_key::{SigningKey, SigningKeyState};
pub use ticket::{Ticket, TicketKind, TicketProblem};
pub use token::{Access, Personal};
pub use user::{Identity, IdentityName, Totp, User};
pub use with_owners::WithOwners;
