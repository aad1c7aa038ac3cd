//! The stored form of sign-in names: composed (NFC) in new rows, and as it was typed in older rows.

use protocol::names::{login_forms, login_name};

/// The name in [`crate::CommitError::Taken`] for a `client_id` that equals the `sub` of a user.
pub const CLIENT_ID_OF_USER: &str = "client_id of a user";
/// The name in [`crate::CommitError::Taken`] for a `sub` that equals the `client_id` of a client.
pub const SUB_OF_CLIENT: &str = "sub of a client";

/// Returns the form of `name` to store. A row that already has another form of the same name keeps it, because another
/// account may have the composed form since the time before names were composed.
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
