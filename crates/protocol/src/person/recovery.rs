//! Recovery codes, which replace a code of the authenticator when the user has lost it. Each works once. The rows hold
//! digests.

use data_encoding::BASE32_NOPAD;

use crate::crypto::entropy::Entropy;
use crate::secret::{Digest, Secret};

/// Number of codes in a set.
pub const CODES: usize = 10;
/// Random bytes in a code: 120 bits. ASVS V6.5.2 asks for 112 bits, or else for a password hash.
const CODE_BYTES: usize = 15;
/// Length of a code without dashes, in characters. A base32 character carries five bits.
const CODE_CHARACTERS: usize = CODE_BYTES * 8 / 5;
const GROUP: usize = 6;

/// Makes a new set of codes, and returns them with their digests. Dashes divide a code into groups of six characters.
#[must_use]
pub fn codes(entropy: &mut Entropy) -> (Vec<Secret>, Vec<Digest>) {
    (0..CODES)
        .map(|_| {
            let plain = BASE32_NOPAD.encode(&entropy.bytes::<CODE_BYTES>()).to_lowercase();
            let digest = digest(&plain);
            let groups: Vec<&str> = (0..plain.len()).step_by(GROUP).map(|at| &plain[at..at + GROUP]).collect();
            (Secret::new(groups.join("-")), digest)
        })
        .unzip()
}

/// Returns true if the typed text has the length of a recovery code. A code of an authenticator is shorter.
#[must_use]
pub fn is_one(typed: &str) -> bool {
    typed.chars().filter(char::is_ascii_alphanumeric).count() == CODE_CHARACTERS
}

/// Returns the digest of a typed code, regardless of grouping and letter case.
#[must_use]
pub fn digest(typed: &str) -> Digest {
    let plain: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
    Digest::of(plain.to_lowercase().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_recognised_however_it_is_typed() {
        let (texts, digests) = codes(&mut Entropy::seeded([1; 32], 1));
        let text = texts[3].reveal();
        assert_eq!(text.len(), 27);
        assert!(is_one(text) && is_one(&text.to_uppercase()) && !is_one("123456") && !is_one("12345678"));
        for typed in [text.to_owned(), text.to_uppercase(), text.replace('-', " "), text.replace('-', "")] {
            assert_eq!(digest(&typed), digests[3]);
        }
    }
}
