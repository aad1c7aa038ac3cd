//! Secrets that are kept under a passphrase: the master key, in a backup that leaves the house.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::turn::Entropy;

/// Says what it is, and how the key is derived.
const KIND: &[u8] = b"grantry passphrase 1\0";
const SALT_LEN: usize = 16;
/// RFC 9106 §4, the second recommended option: 64 MiB and three passes. Whoever has the backup can guess at leisure.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// A passphrase has at least so many characters.
pub const CHARACTERS_MIN: usize = 12;

/// Seals a secret. Takes a tenth of a second and 64 MiB.
///
/// # Errors
/// When the passphrase is too short to resist guessing.
pub fn seal(passphrase: &Secret, plain: &[u8], entropy: &mut Entropy) -> Result<Vec<u8>, TooShort> {
    if passphrase.reveal().chars().count() < CHARACTERS_MIN {
        return Err(TooShort);
    }
    let (salt, nonce): ([u8; SALT_LEN], [u8; NONCE_LEN]) = (entropy.bytes(), entropy.bytes());
    let mut text = plain.to_vec();
    key(passphrase, &salt)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(KIND), &mut text)
        .expect("a key is far smaller than what one nonce may encrypt");
    Ok([KIND, &salt, &nonce, &text].concat())
}

/// Opens what was sealed; none when the passphrase is another one, or the bytes are not what was sealed.
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

/// A passphrase that anybody could guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort;

impl std::fmt::Display for TooShort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the passphrase must have at least {CHARACTERS_MIN} characters")
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
    fn a_short_passphrase_is_refused() {
        assert!(seal(&Secret::new("hunter2"), b"x", &mut Entropy::seeded([1; 32], 1)).is_err());
    }
}
