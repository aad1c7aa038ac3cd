//! Encrypts secrets under a passphrase: the master key in a backup.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::crypto::entropy::Entropy;
use crate::secret::Secret;

/// The header of sealed bytes. It identifies the format and the key derivation.
const KIND: &[u8] = b"grantry passphrase 1\0";
const SALT_LEN: usize = 16;
/// RFC 9106 §4, the second recommended option: 64 MiB and three passes. An attacker with the backup has unlimited time
/// to guess.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// Minimum length of a passphrase, in characters.
pub const CHARACTERS_MIN: usize = 12;

/// zxcvbn's estimate of guesses, as a power of ten, below which a passphrase is refused. zxcvbn's own scale calls this "very
/// unguessable" for a slow hash, which Argon2id with the settings above is.
const GUESSES_LOG10_MIN: f64 = 10.0;
/// Maximum number of characters given to zxcvbn, because its running time grows with their square.
const ESTIMATED_CHARACTERS_MAX: usize = 64;

/// Encrypts a secret. Takes a tenth of a second and 64 MiB.
///
/// # Errors
/// The reason why the passphrase is too weak.
pub fn seal(passphrase: &Secret, plain: &[u8], entropy: &mut Entropy) -> Result<Vec<u8>, Weak> {
    may_be(passphrase)?;
    let (salt, nonce): ([u8; SALT_LEN], [u8; NONCE_LEN]) = (entropy.bytes(), entropy.bytes());
    let mut text = plain.to_vec();
    key(passphrase, &salt)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(KIND), &mut text)
        .expect("a key is far smaller than what one nonce may encrypt");
    Ok([KIND, &salt, &nonce, &text].concat())
}

/// Decrypts what [`seal`] made. Returns `None` if the passphrase is wrong or the bytes were changed.
#[must_use]
pub fn open(passphrase: &Secret, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let rest = sealed.strip_prefix(KIND)?;
    let (salt, rest) = rest.split_at_checked(SALT_LEN)?;
    let (nonce, text) = rest.split_at_checked(NONCE_LEN)?;
    let mut text = Zeroizing::new(text.to_vec());
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = key(passphrase, salt).open_in_place(nonce, Aad::from(KIND), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

fn key(passphrase: &Secret, salt: &[u8]) -> LessSafeKey {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).expect("the constants are within Argon2's limits");
    let mut out = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.reveal().as_bytes(), salt, &mut *out)
        .expect("the constants are within Argon2's limits");
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*out).expect("AES-256 takes a key of 32 bytes"))
}

/// Checks whether a passphrase is strong enough against an attacker with unlimited time to guess.
///
/// # Errors
/// The reason why it is too weak, and advice.
pub fn may_be(passphrase: &Secret) -> Result<(), Weak> {
    let text = passphrase.reveal();
    if text.chars().count() < CHARACTERS_MIN {
        return Err(Weak::Short);
    }
    let start: String = text.chars().take(ESTIMATED_CHARACTERS_MAX).collect();
    let estimate = zxcvbn::zxcvbn(&start, &["grantry", "backup"]);
    if estimate.guesses_log10() >= GUESSES_LOG10_MIN {
        return Ok(());
    }
    let why = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    Err(Weak::Guessable(why.map(|why| why.to_string())))
}

/// The reason why a passphrase is too weak. Contains no part of the passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weak {
    /// The passphrase has too few characters.
    Short,
    /// The passphrase could be guessed. Contains an explanation, if there is one.
    Guessable(Option<String>),
}

impl std::fmt::Display for Weak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short => write!(f, "the passphrase must have at least {CHARACTERS_MIN} characters"),
            Self::Guessable(why) => {
                let why = why.as_ref().map(|why| format!(" {why}")).unwrap_or_default();
                write!(
                    f,
                    "the passphrase can be guessed, and whoever has the backup can guess for as long as they like.{why} Use \
                     five words that do not belong together, or let the machine make one: openssl rand -base64 18"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_passphrase_alone_and_unchanged() {
        let passphrase = Secret::new("correct horse battery");
        let sealed = seal(&passphrase, b"master", &mut Entropy::seeded([1; 32], 1)).unwrap();
        assert_eq!(open(&passphrase, &sealed).unwrap().as_slice(), b"master");
        assert!(open(&Secret::new("correct horse batterz"), &sealed).is_none());
        let mut broken = sealed.clone();
        *broken.last_mut().unwrap() ^= 1;
        assert!(open(&passphrase, &broken).is_none() && open(&passphrase, b"anything").is_none());
        assert!(!sealed.windows(6).any(|part| part == b"master"));
    }

    #[test]
    fn a_passphrase_that_can_be_guessed_is_refused_with_what_helps() {
        assert_eq!(may_be(&Secret::new("hunter2")), Err(Weak::Short));
        for weak in
            ["aaaaaaaaaaaa", "123456789012", "passwordpassword", "qwertyuiopas", "abcabcabcabcabc", "December2026"]
        {
            let refused = seal(&Secret::new(weak), b"x", &mut Entropy::seeded([1; 32], 1)).unwrap_err();
            assert!(matches!(refused, Weak::Guessable(_)), "{weak}");
            let text = refused.to_string();
            assert!(text.contains("five words") && !text.contains(weak), "{text}");
        }
        assert!(matches!(may_be(&Secret::new("a".repeat(200))), Err(Weak::Guessable(_))));
        for strong in ["umbrella quartz lemon seventeen", "a passphrase for the backup", "Xk2vQ9mLr4TzW8pN"] {
            assert_eq!(may_be(&Secret::new(strong)), Ok(()), "{strong}");
        }
    }
}
