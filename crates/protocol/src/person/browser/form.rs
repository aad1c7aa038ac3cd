//! The seals of forms that belong to no errand.

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::model::UserKey;
use crate::policy::PAGE_TTL_S;
use crate::refusal::No;
use crate::secret::Digest;
use crate::time::UnixTime;

const FORM: &str = "form";

/// The seal of a form that belongs to no errand, such as those of the account pages.
///
/// It is bound to the browser and to the person who was shown the form. Whoever signs in to the same browser later does not
/// send it in their own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormSeal {
    /// The person who was shown the form.
    pub user: UserKey,
    browser: Digest,
}

/// Bytes of a sealed form: its end, the user, and the digest of the browser's cookie.
const FORM_BYTES: usize = 8 + 8 + 32;

impl FormSeal {
    /// The seal of a form that `user` is shown in this browser.
    #[must_use]
    pub fn new(user: UserKey, browser: &Digest) -> Self {
        Self { user, browser: *browser }
    }

    /// Seals it, for [`PAGE_TTL_S`] seconds from now on.
    #[must_use]
    pub fn seal(&self, now: UnixTime, keys: &Keys, entropy: &mut Entropy) -> String {
        let (until, user) = (now.plus(PAGE_TTL_S).0.to_be_bytes(), self.user.0.to_be_bytes());
        keys.seal(FORM, &[], &[&until[..], &user[..], &self.browser.0[..]].concat(), entropy)
    }

    /// Opens what [`FormSeal::seal`] sealed. Who sent the form is for [`FormSeal::check`] to say.
    ///
    /// # Errors
    /// [`No::PageStale`] when it is too old, or forged.
    pub fn open(text: &str, now: UnixTime, keys: &Keys) -> Result<Self, No> {
        let plain: [u8; FORM_BYTES] =
            keys.open(FORM, &[], text).and_then(|plain| plain.try_into().ok()).ok_or(No::PageStale)?;
        let number = |at: usize| i64::from_be_bytes(std::array::from_fn(|byte| plain[at + byte]));
        if now.is_past(UnixTime(number(0))) {
            return Err(No::PageStale);
        }
        Ok(Self { user: UserKey(number(8)), browser: Digest(std::array::from_fn(|byte| plain[16 + byte])) })
    }

    /// Checks that the form comes from the browser and the person to whom it was shown. `signed_in` is who is signed in now,
    /// if somebody is.
    ///
    /// # Errors
    /// [`No::PageOfOther`] when another person is signed in by now, [`No::PageStale`] for another browser.
    pub fn check(&self, browser: &Digest, signed_in: Option<UserKey>) -> Result<(), No> {
        if signed_in.is_some_and(|user| user != self.user) {
            return Err(No::PageOfOther);
        }
        if self.browser == *browser { Ok(()) } else { Err(No::PageStale) }
    }
}
