//! The delivery of a new secret to the page that shows it once.
//!
//! A form that makes a secret is answered by a redirect, so that reloading the page does not make another one. Until
//! the page is loaded, the secret is kept in a cookie: encrypted with the installation's keys, and bound to the
//! browser, the user and the purpose. The page deletes the cookie. No row and no address ever holds the secret.

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::model::User;
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;

/// Lifetime of the cookie in seconds. Browsers follow the redirect at once.
pub const ONCE_TTL_S: u64 = 120;

const PURPOSE: &str = "once";
const TIME_BYTES: usize = 8;

/// The delivery of a secret to the page that shows it: what the sealed secret is bound to.
#[derive(Clone, Copy, Debug)]
pub struct SecretDelivery<'a> {
    /// The browser.
    pub browser: &'a Digest,
    /// The user who may see the secret.
    pub user: &'a User,
    /// The purpose of the secret, such as a `client_id`.
    pub about: &'a str,
}

impl SecretDelivery<'_> {
    fn context(&self) -> Vec<u8> {
        [&self.browser.0[..], self.user.sub.as_bytes(), b"\0", self.about.as_bytes()].concat()
    }

    /// Seals a secret for the cookie.
    #[must_use]
    pub fn seal(&self, secret: &Secret, now: UnixTime, keys: &Keys, entropy: &mut Entropy) -> String {
        let until = now.plus(ONCE_TTL_S).0.to_be_bytes();
        keys.seal(PURPOSE, &self.context(), &[&until[..], secret.reveal().as_bytes()].concat(), entropy)
    }

    /// Opens what [`SecretDelivery::seal`] sealed for the same browser, user and purpose; `None` for anything else.
    #[must_use]
    pub fn open(&self, sealed: &str, now: UnixTime, keys: &Keys) -> Option<Secret> {
        let plain = keys.open(PURPOSE, &self.context(), sealed)?;
        let (until, text) = plain.split_at_checked(TIME_BYTES)?;
        let until = UnixTime(i64::from_be_bytes(until.try_into().ok()?));
        (!now.is_past(until)).then(|| Secret::new(String::from_utf8_lossy(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_secret_arrives_where_it_was_sent_to_and_in_time_only() {
        let keys = Keys::derive(&[7; 32], &[1]);
        let (alice, bob) = (sample::user(), User { sub: "sub-bob".into(), ..sample::user() });
        let (here, there) = (Digest::of(b"here"), Digest::of(b"there"));
        let way = SecretDelivery { browser: &here, user: &alice, about: "web" };
        let secret = Secret::new("gcs_hidden");
        let sealed = way.seal(&secret, UnixTime(1000), &keys, &mut Entropy::seeded([1; 32], 1));
        assert!(!sealed.contains("gcs_"));
        assert_eq!(way.open(&sealed, UnixTime(1119), &keys), Some(secret));
        assert_eq!(way.open(&sealed, UnixTime(1120), &keys), None);
        for other in [
            SecretDelivery { browser: &there, ..way },
            SecretDelivery { user: &bob, ..way },
            SecretDelivery { about: "spa", ..way },
        ] {
            assert_eq!(other.open(&sealed, UnixTime(1000), &keys), None, "{other:?}");
        }
        assert_eq!(way.open("nonsense", UnixTime(1000), &keys), None);
    }
}
