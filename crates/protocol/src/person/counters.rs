//! Keys of the counters of failed attempts that other modules need too.

use crate::model::UserKey;
use crate::names::login_name;
use crate::secret::Digest;

/// Returns the key of the counter of all failures against an account. It is made of the user, so that e-mail address
/// and user name share one counter. Without an account it is made of the typed name, so that nobody can tell the
/// difference.
#[must_use]
pub fn account_attempts_key(user: Option<UserKey>, login: &str) -> Digest {
    // These keys differ from those of older versions, which had one counter per account with a lower limit. During an
    // upgrade, old and new nodes count in one database.
    match user {
        Some(user) => Digest::of(format!("account everywhere\0{}", user.0).as_bytes()),
        None => Digest::of(format!("login everywhere\0{}", login_name(login)).as_bytes()),
    }
}

/// Returns the key of the counter of all failures from a network address.
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
