//! The keys of the counters of failed attempts.

use crate::model::UserKey;
use crate::names::login_name;
use crate::secret::Digest;

/// The counter of all failures against an account: by user where there is one, so that the e-mail address and the user name
/// share it; by what was typed where there is none, so that nobody can tell the difference.
#[must_use]
pub fn account_attempts_key(user: Option<UserKey>, login: &str) -> Digest {
    // Not the keys of versions that had one counter per account: their limit is lower, and while an installation is upgraded
    // nodes of both kinds count in one database.
    match user {
        Some(user) => Digest::of(format!("account everywhere\0{}", user.0).as_bytes()),
        None => Digest::of(format!("login everywhere\0{}", login_name(login)).as_bytes()),
    }
}

/// Under which counter failures from a network address are kept.
#[must_use]
pub fn address_attempts_key(address: &str) -> Digest {
    Digest::of(format!("address\0{address}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_counter_under_both_its_names() {
        let user = Some(UserKey(3));
        assert_eq!(account_attempts_key(user, "alice"), account_attempts_key(user, "alice@example.com"));
        assert_eq!(account_attempts_key(None, " Nobody "), account_attempts_key(None, "nobody"));
    }
}
