//! The typed values of a form, which are kept while the user signs in again.
//!
//! A user who must sign in again before a form is accepted should not have to fill it in again. The values are in the
//! address of the page, encrypted and bound to the user. So nobody else can make a link that fills in a form, and
//! another user who signs in does not see the values. They are not bound to the browser's cookie, because a sign-in
//! changes it.

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::line::{Call, Facts, Key, Turn, Wants, Write};
use crate::model::UserKey;
use crate::policy::PAGE_TTL_S;
use crate::refusal::{No, Refusal};
use crate::secret::Digest;
use crate::time::UnixTime;

/// Maximum size of the kept values, in bytes of JSON, because proxies limit the length of addresses. The user must fill
/// in a larger form again.
const BYTES_MAX: usize = 3_000;

/// What the values are kept for. Values that are sealed for one use are not opened for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use<'a> {
    /// To fill in the form again.
    FillIn,
    /// To send the form again, to the page at this path below that of the issuer.
    SendAgain(&'a str),
}

impl Use<'_> {
    const fn purpose(self) -> &'static str {
        match self {
            Self::FillIn => "typed",
            Self::SendAgain(_) => "sent",
        }
    }

    /// What the sealed text is bound to: the user, and the path that it may be sent to.
    fn context(self, user: UserKey) -> Vec<u8> {
        let mut context = user.0.to_be_bytes().to_vec();
        match self {
            Self::FillIn => {}
            Self::SendAgain(path) => context.extend_from_slice(path.as_bytes()),
        }
        context
    }
}

/// Seals names and values for this user and this use; `None` if they are too large.
#[must_use]
pub fn seal(
    kept_for: Use<'_>,
    values: &[(&str, &str)],
    user: UserKey,
    now: UnixTime,
    keys: &Keys,
    entropy: &mut Entropy,
) -> Option<String> {
    let plain = serde_json::to_vec(&(now.plus(PAGE_TTL_S), values)).expect("strings and numbers become JSON");
    (plain.len() <= BYTES_MAX).then(|| keys.seal(kept_for.purpose(), &kept_for.context(user), &plain, entropy))
}

/// Opens what [`seal`] made for the same use. Returns nothing if it is too old, belongs to another user, or is forged.
#[must_use]
pub fn open(kept_for: Use<'_>, text: &str, user: UserKey, now: UnixTime, keys: &Keys) -> Vec<(String, String)> {
    let plain = keys.open(kept_for.purpose(), &kept_for.context(user), text).unwrap_or_default();
    match serde_json::from_slice::<(UnixTime, Vec<(String, String)>)>(&plain) {
        Ok((until, values)) if !now.is_past(until) => values,
        _ => Vec::new(),
    }
}

/// Takes the right to send a sealed form again without asking the user. It is taken once: a browser or a proxy that
/// repeats the request does not repeat what the form does.
#[derive(Debug)]
pub struct SendOnce {
    form: Digest,
    until: UnixTime,
}

impl SendOnce {
    /// `sealed` is what [`seal`] made at most [`PAGE_TTL_S`] before `now`.
    #[must_use]
    pub fn new(sealed: &str, now: UnixTime) -> Self {
        Self { form: Digest::of(sealed.as_bytes()), until: now.plus(PAGE_TTL_S) }
    }
}

impl Call for SendOnce {
    type Yes = ();

    fn wants(&self) -> Wants {
        Wants::of([Key::UsedJti(self.form)])
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        if facts.is_jti_used(self.form) {
            return Err(No::PageStale.into());
        }
        // ◆ Of two requests with the same form, the second is judged again and finds it used.
        turn.write(Write::BurnJti { jti: self.form, until: self.until });
        Ok(())
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
        let sealed = seal(Use::FillIn, &typed, alice, UnixTime(0), &keys, &mut entropy).unwrap();
        let opened = open(Use::FillIn, &sealed, alice, UnixTime(60), &keys);
        assert_eq!(opened.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(), typed);
        assert!(open(Use::FillIn, &sealed, bob, UnixTime(60), &keys).is_empty());
        assert!(open(Use::FillIn, &sealed, alice, UnixTime(0).plus(PAGE_TTL_S), &keys).is_empty());
        assert!(open(Use::FillIn, "name=Importer", alice, UnixTime(60), &keys).is_empty());
        assert_eq!(
            seal(Use::FillIn, &[("name", &"x".repeat(BYTES_MAX))], alice, UnixTime(0), &keys, &mut entropy),
            None
        );
    }

    #[test]
    fn a_form_is_sent_again_to_its_own_page_only_and_a_filled_in_form_to_none() {
        let keys = Keys::derive(&[7; 32], &[1]);
        let mut entropy = Entropy::seeded([1; 32], 1);
        let mut sealed =
            |kept_for| seal(kept_for, &[("name", "Importer")], UserKey(1), UnixTime(0), &keys, &mut entropy).unwrap();
        let opened = |kept_for, text: &str| open(kept_for, text, UserKey(1), UnixTime(60), &keys).len();
        let (sent, typed) = (sealed(Use::SendAgain("/a")), sealed(Use::FillIn));
        assert_eq!(opened(Use::SendAgain("/a"), &sent), 1);
        assert_eq!(opened(Use::SendAgain("/b"), &sent), 0);
        assert_eq!(opened(Use::SendAgain("/a"), &typed), 0);
        assert_eq!(opened(Use::FillIn, &sent), 0);
    }
}
