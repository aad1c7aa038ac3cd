//! What was typed into a form, on its way around a sign-in.
//!
//! Who must sign in again before a form is taken should not have to type it again. What was typed travels in the address
//! of the page, encrypted and bound to the person: nobody else can make a link that fills a form, and whoever signs in in
//! their place does not see it. It is not bound to the browser's cookie, which is another one after a sign-in.

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::model::UserKey;
use crate::policy::PAGE_TTL_S;
use crate::time::UnixTime;

/// Longest form that is carried, in bytes as JSON: its address must fit through proxies. A longer one is typed again.
const BYTES_MAX: usize = 3_000;

const PURPOSE: &str = "typed";

/// Seals names and values for this person; `None` for too much of them.
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

/// Opens what [`seal`] sealed; nothing when it is too old, another person's, or forged.
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
