//! The outcomes of a developer's actions, and the limits for one user.

use std::sync::Arc;

use crate::model::Client;
use crate::secret::Secret;

/// Maximum number of applications that one user can register. Nobody maintains more by hand, and the limit stops
/// floods.
pub const APPLICATIONS_MAX: u32 = 25;
/// Maximum number of personal access tokens that one user can have.
pub const PERSONALS_MAX: u32 = 50;

/// The outcome of an action on the developer pages.
#[derive(Debug)]
pub enum Done {
    /// Nothing changed: a page was opened.
    Viewed,
    /// The application as it is now, and a new secret if one was made. The secret is shown only now.
    Application(Arc<Client>, Option<Secret>),
    /// The application was deleted.
    Deleted,
    /// A new personal access token, which is shown only now.
    Token(Secret),
    /// The personal access token was revoked.
    Revoked,
}
