//! The outcome of what a developer does, and how much of it one person may do.

use std::sync::Arc;

use crate::model::Client;
use crate::secret::Secret;

/// How many applications a person can have: more than anybody looks after, and few enough to keep a flood out.
pub const APPLICATIONS_MAX: u32 = 25;
/// How many personal tokens a person can have.
pub const PERSONALS_MAX: u32 = 50;

/// The outcome.
#[derive(Debug)]
pub enum Done {
    /// Nothing changed: a page was opened.
    Viewed,
    /// The application that was asked for, as it is now. The secret is a new one, shown this once.
    Application(Arc<Client>, Option<Secret>),
    /// The application is gone.
    Deleted,
    /// A new personal token, shown this once.
    Token(Secret),
    /// The personal token is dead.
    Revoked,
}
