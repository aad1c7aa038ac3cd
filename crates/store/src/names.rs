//! The form in which a name to sign in with is stored: composed since names are compared in that form, and as it was typed
//! in rows from before.

use protocol::names::{login_forms, login_name};

/// What a client_id is called in [`crate::CommitError::Taken`] if it is the `sub` of a user.
pub const CLIENT_ID_OF_USER: &str = "client_id of a user";
/// What a `sub` is called in [`crate::CommitError::Taken`] if it is the client_id of a client.
pub const SUB_OF_CLIENT: &str = "sub of a client";

/// The form for the row of a user who is called `name`. A row with another form of the same name keeps it: the composed
/// form may be somebody else's, since both were given out when names were not composed yet.
pub(crate) fn stored_form(name: &str, stored: Option<&str>) -> String {
    let is_kept = |own: &&str| login_forms(name).iter().any(|form| form == own);
    stored.filter(is_kept).map_or_else(|| login_name(name), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_form_stays_while_it_is_the_same_name() {
        assert_eq!(stored_form("Jose\u{301}", None), "josé");
        assert_eq!(stored_form("Jose\u{301}", Some("jose\u{301}")), "jose\u{301}");
        assert_eq!(stored_form("José", Some("jose")), "josé");
        assert_eq!(stored_form("Alice", Some("bob")), "alice");
    }
}
