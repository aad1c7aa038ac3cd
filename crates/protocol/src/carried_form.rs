//! The typed values of a form, which are kept while the user signs in again.
//!
//! A user who must sign in again before a form is accepted should not have to fill it in again. The values are in the
//! address of the page, encrypted and bound to the user. So nobody else can make a link that fills in a form, and
//! another user who signs in does not see the values. They are not bound to the browser's cookie, because a sign-in
//! changes it.

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::model::UserKey;
use crate::policy::PAGE_TTL_S;
use crate::time::UnixTime;

/// Maximum size of the kept values, in bytes of JSON, because proxies limit the length of addresses. The user must fill
/// in a larger form again.
const BYTES_MAX: usize = 3_000;

const PURPOSE: &str = "typed";

/// Seals names and values for this user; `None` if they are too large.
#[must_use]
pub fn seal(
    values: &[(&str, &str)],
    user: UserKey,
    now: UnixTime,
    keys: &Keys,
    entropy: &mut Entropy,
) -> Option<String> {
    let plain = serde_json::to_vec(&(now.plus(PAGE_TTL_S), values)).expect("strings and numbers become JSON");
    (plain.len() <= BYTES_MAX).then(|| keys.seal(PURPOSE, &user.0.to_be_bytes(), &plain, entropy))
}

/// Opens what [`seal`] made. Returns nothing if it is too old, belongs to another user, or is forged.
#[must_use]
pub fn open(text: &str, user: UserKey, now: UnixTime, keys: &Keys) -> Vec<(String, String)> {
    let plain = keys.open(PURPOSE, &user.0.to_be_bytes(), text).unwrap_or_default();
    match serde_json::from_slice::<(UnixTime, Vec<(String, String)>)>(&plain) {
        Ok((until, values)) if !now.is_past(until) => values,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_comes_back_to_the_same_person_for_a_while() {
        let keys = Keys::derive(&[7; 32], &[1]);
        let (alice, bob) = (UserKey(1), UserKey(2));
        let mut entropy = Entropy::seeded([1; 32], 1);
        let typed = [("name", "Importer"), ("scope", "a"), ("scope", "b")];
        let sealed = seal(&typed, alice, UnixTime(0), &keys, &mut entropy).unwrap();
        let opened = open(&sealed, alice, UnixTime(60), &keys);
        assert_eq!(opened.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(), typed);
        assert!(open(&sealed, bob, UnixTime(60), &keys).is_empty());
        assert!(open(&sealed, alice, UnixTime(0).plus(PAGE_TTL_S), &keys).is_empty());
        assert!(open("name=Importer", alice, UnixTime(60), &keys).is_empty());
        assert_eq!(seal(&[("name", &"x".repeat(BYTES_MAX))], alice, UnixTime(0), &keys, &mut entropy), None);
    }
}
