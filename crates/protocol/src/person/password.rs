//! Passwords: rules for new ones, and hashing by Argon2id. The rows hold PHC strings. OWASP ASVS 5.0 V6.2.
//!
//! A password is normalised before it is hashed, because keyboards differ: one system types `é` as one character,
//! another as two. Older versions hashed passwords as they were typed, so a password is compared in that form too.

use std::sync::Arc;

use argon2::password_hash::phc::{PasswordHash, Salt};
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::crypto::entropy::Entropy;
use crate::model::User;
use crate::refusal::No;
use crate::secret::Secret;

/// Minimum length of a password in characters. ASVS V6.2.1: "at least 8 characters".
pub const CHARACTERS_MIN: usize = 8;
/// Maximum length of a password in bytes, which limits the work of hashing. ASVS V6.2.9 asks for at least 64
/// characters.
pub const BYTES_MAX: usize = 1024;
/// Minimum number of guesses that a new password must withstand by zxcvbn's estimate, as a power of ten. Below it are
/// the passwords that every attacker tries first. zxcvbn knows the 30,000 most common ones in the order of their
/// frequency.
const GUESSES_LOG10_MIN: f64 = 4.5;
/// Number of characters that zxcvbn estimates. Common passwords are shorter.
const ESTIMATED_CHARACTERS_MAX: usize = 64;

/// Memory of Argon2id in KiB. OWASP's second recommended setting: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Checks a new password. There are no rules of composition. `names` are words that are easy to guess for this user,
/// such as their name.
///
/// # Errors
/// [`No::PasswordTooShort`], [`No::PasswordTooLong`] or [`No::PasswordTooCommon`].
pub fn may_be(password: &Secret, names: &[&str]) -> Result<(), No> {
    if password.reveal().len() > BYTES_MAX {
        return Err(No::PasswordTooLong);
    }
    let normal = normalised(password);
    let text = normal.as_ref().unwrap_or(password).reveal();
    if text.chars().count() < CHARACTERS_MIN {
        return Err(No::PasswordTooShort);
    }
    let start: String = text.chars().take(ESTIMATED_CHARACTERS_MAX).collect();
    if zxcvbn::zxcvbn(&start, names).guesses_log10() < GUESSES_LOG10_MIN {
        return Err(No::PasswordTooCommon);
    }
    Ok(())
}

/// Hashes a password into a PHC string. Takes tens of milliseconds and 19 MiB.
#[must_use]
pub fn hash(password: &Secret, entropy: &mut Entropy) -> String {
    let salt = Salt::new(&entropy.bytes::<16>()).expect("16 bytes are a salt");
    hash_with(&argon2id(MEMORY_KIB, PASSES), normalised(password).as_ref().unwrap_or(password), &salt)
}

/// The form in which a password is hashed: RFC 8265 §4.2.2, "Any instances of non-ASCII space MUST be mapped to SPACE
/// (U+0020)", and NFC, as NIST SP 800-63B §3.1.1.2 recommends too. `None` for a password that has this form already.
fn normalised(password: &Secret) -> Option<Secret> {
    let text = password.reveal();
    if text.is_ascii() {
        return None;
    }
    let is_space = |c: char| c.general_category() == GeneralCategory::SpaceSeparator;
    let mut normal = String::with_capacity(text.len());
    normal.extend(text.chars().map(|c| if is_space(c) { ' ' } else { c }).nfc());
    let normal = Secret::new(normal);
    (normal.reveal() != text).then_some(normal)
}

/// Hashes cheaply, for rows in tests only.
#[cfg(test)]
pub(crate) fn hash_for_tests(password: &Secret) -> String {
    let salt = Salt::new(&[7; 16]).expect("16 bytes are a salt");
    hash_with(&argon2id(8, 1), password, &salt)
}

/// Returns true if `stored` is a PHC string made of `password`. Returns false if `stored` cannot be parsed.
#[must_use]
pub fn is_right(stored: &str, password: &Secret) -> bool {
    if password.reveal().len() > BYTES_MAX {
        return false;
    }
    let Ok(stored) = PasswordHash::new(stored) else { return false };
    let is_it = |text: &Secret| {
        #[cfg(test)]
        HASHES_MADE.set(HASHES_MADE.get() + 1);
        Argon2::default().verify_password(text.reveal().as_bytes(), &stored).is_ok()
    };
    match normalised(password) {
        None => is_it(password),
        // Compare both forms in any case. The time then shows how the password was typed, but not which form was right.
        Some(normal) => is_it(password) | is_it(&normal),
    }
}

/// Returns the user if the password is right and the account is not disabled. Takes the same time without a user.
#[must_use]
pub fn proven<'u>(user: Option<&'u Arc<User>>, typed: &Secret) -> Option<&'u Arc<User>> {
    let Some((user, stored)) = user.and_then(|user| Some((user, user.password.as_deref()?))) else {
        pretend(typed);
        return None;
    };
    (is_right(stored, typed) && !user.is_disabled).then_some(user)
}

/// Takes as long as a comparison, for names without an account, so that the time of an answer does not show whether an
/// account exists. ASVS V6.3.8.
pub fn pretend(password: &Secret) {
    let salt = Salt::new(&[0; 16]).expect("16 bytes are a salt");
    if password.reveal().len() <= BYTES_MAX {
        // Hash as often as `is_right` compares.
        for text in [Some(password), normalised(password).as_ref()].into_iter().flatten() {
            #[cfg(test)]
            HASHES_MADE.set(HASHES_MADE.get() + 1);
            std::hint::black_box(hash_with(&argon2id(MEMORY_KIB, PASSES), text, &salt));
        }
    }
}

#[cfg(test)]
thread_local! {
    static HASHES_MADE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Returns how many hashes this thread computed to compare passwords or secrets, including those of [`pretend`].
#[cfg(test)]
pub(crate) fn hashes_made() -> usize {
    HASHES_MADE.get()
}

fn argon2id(memory_kib: u32, passes: u32) -> Argon2<'static> {
    let params = Params::new(memory_kib, passes, LANES, None).expect("the constants are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_with(argon2: &Argon2<'_>, password: &Secret, salt: &Salt) -> String {
    argon2
        .hash_password_with_salt(password.reveal().as_bytes(), salt.as_ref())
        .expect("a password below the limit can be hashed")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_verified_verbatim_and_to_its_last_byte_asvs_6_2_8() {
        let long = "x".repeat(100);
        let stored = hash_for_tests(&Secret::new(format!("{long}a")));
        assert!(is_right(&stored, &Secret::new(format!("{long}a"))));
        assert!(!is_right(&stored, &Secret::new(format!("{long}b"))));
        assert!(!is_right(&stored, &Secret::new(format!(" {long}a"))));
        assert!(!is_right("not a hash", &Secret::new("x")));
    }

    #[test]
    fn a_password_is_right_however_it_is_typed_rfc_8265_4_2_2() {
        let mut entropy = Entropy::seeded([1; 32], 1);
        let stored = hash(&Secret::new("pa\u{308}sswo\u{308}rd longer"), &mut entropy);
        for typed in [
            "pa\u{308}sswo\u{308}rd longer",
            "pässwörd longer",
            "pässwörd\u{a0}longer",
            "pässwo\u{308}rd\u{3000}longer",
        ] {
            assert!(is_right(&stored, &Secret::new(typed)), "{typed}");
        }
        for typed in ["passwo\u{308}rd longer", "PÄSSWÖRD longer", "pässwörd  longer", "pässwörd longer\u{a0}"] {
            assert!(!is_right(&stored, &Secret::new(typed)), "{typed}");
        }
    }

    #[test]
    fn a_password_that_was_hashed_as_it_was_typed_goes_on_working() {
        for typed in ["pa\u{308}ssword longer", "no\u{a0}break space", "pässword longer"] {
            let stored = hash_for_tests(&Secret::new(typed));
            assert!(is_right(&stored, &Secret::new(typed)), "{typed}");
        }
    }

    #[test]
    fn the_length_is_that_of_the_normal_form() {
        assert_eq!(may_be(&Secret::new("e\u{301}".repeat(7)), &[]), Err(No::PasswordTooShort));
        assert_eq!(may_be(&Secret::new("e\u{301}a\u{300}".repeat(171)), &[]), Err(No::PasswordTooLong));
    }

    #[test]
    fn common_short_and_endless_passwords_are_refused_and_there_are_no_other_rules() {
        let may = |text: &str| may_be(&Secret::new(text), &[]);
        assert_eq!(may("short"), Err(No::PasswordTooShort));
        assert_eq!(may("password"), Err(No::PasswordTooCommon));
        assert_eq!(may("12345678"), Err(No::PasswordTooCommon));
        assert_eq!(may("iloveyou"), Err(No::PasswordTooCommon));
        assert_eq!(may(&"x".repeat(1025)), Err(No::PasswordTooLong));
        assert_eq!(may("correct horse"), Ok(()));
        assert_eq!(may("ünïcödé wörds"), Ok(()));
    }

    #[test]
    fn a_fresh_hash_is_argon2id_with_the_chosen_cost() {
        let stored = hash(&Secret::new("correct horse"), &mut Entropy::seeded([1; 32], 1));
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(is_right(&stored, &Secret::new("correct horse")));
    }
}
