//! Seals of forms outside of a pending visit, such as those of the account pages: the protection against cross-site
//! request forgery.

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::model::UserKey;
use crate::policy::PAGE_TTL_S;
use crate::refusal::No;
use crate::secret::Digest;
use crate::time::UnixTime;

const FORM: &str = "form";

/// The content of the seal of a form outside of a pending visit.
///
/// The seal is bound to the browser and to the user whom the form was shown to. A user who signs in to the same browser
/// later cannot send the form in their own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormSeal {
    /// The user whom the form was shown to.
    pub user: UserKey,
    browser: Digest,
}

/// Length of a form's seal before encryption, in bytes: expiry time, user, digest of the browser's cookie.
const FORM_BYTES: usize = 8 + 8 + 32;

impl FormSeal {
    /// The content of the seal for a form that is shown to `user` in this browser.
    #[must_use]
    pub fn new(user: UserKey, browser: &Digest) -> Self {
        Self { user, browser: *browser }
    }

    /// Encrypts the seal. It is valid for [`PAGE_TTL_S`] seconds.
    #[must_use]
    pub fn seal(&self, now: UnixTime, keys: &Keys, entropy: &mut Entropy) -> String {
        let (until, user) = (now.plus(PAGE_TTL_S).0.to_be_bytes(), self.user.0.to_be_bytes());
        keys.seal(FORM, &[], &[&until[..], &user[..], &self.browser.0[..]].concat(), entropy)
    }

    /// Decrypts a seal. Call [`FormSeal::check`] to compare it with the sender of the form.
    ///
    /// # Errors
    /// [`No::PageStale`] if the seal is too old or forged.
    pub fn open(text: &str, now: UnixTime, keys: &Keys) -> Result<Self, No> {
        let plain: [u8; FORM_BYTES] =
            keys.open(FORM, &[], text).and_then(|plain| plain.try_into().ok()).ok_or(No::PageStale)?;
        let number = |at: usize| i64::from_be_bytes(std::array::from_fn(|byte| plain[at + byte]));
        if now.is_past(UnixTime(number(0))) {
            return Err(No::PageStale);
        }
        Ok(Self { user: UserKey(number(8)), browser: Digest(std::array::from_fn(|byte| plain[16 + byte])) })
    }

    /// Checks that the form comes from the browser and the user that it was shown to. `signed_in` is the user who is
    /// signed in now, if any.
    ///
    /// # Errors
    /// [`No::PageOfOther`] if another user is signed in by now; [`No::PageStale`] if the form comes from another
    /// browser.
    pub fn check(&self, browser: &Digest, signed_in: Option<UserKey>) -> Result<(), No> {
        if signed_in.is_some_and(|user| user != self.user) {
            return Err(No::PageOfOther);
        }
        if self.browser == *browser { Ok(()) } else { Err(No::PageStale) }
    }
}
