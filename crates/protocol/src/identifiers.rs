//! Checks of identifiers, user names, e-mail addresses and display names of users and applications. Commands, pages,
//! the accounts API and the sign-up at an upstream identity provider all use them. They apply to new values; stored
//! values keep working.

use data_encoding::BASE32_NOPAD;

use crate::crypto::entropy::Entropy;
use crate::names::{self, NameFault, USERNAME_CHARACTERS_MAX};
use crate::refusal::{No, Refusal};

/// Maximum length of a `client_id` or `sub` in bytes. OpenID Connect Core §2: "It MUST NOT exceed 255 ASCII characters
/// in length."
pub const ID_BYTES_MAX: usize = 255;
/// Maximum length of an e-mail address in bytes: RFC 5321 §4.5.3.1.
pub const EMAIL_BYTES_MAX: usize = 254;
/// Random bytes in a `sub`, which is never reassigned and reveals nothing.
const SUB_BYTES: usize = 16;

/// Checks an imported `client_id` or `sub`: printable ASCII without space, so that it survives headers, URLs and logs.
///
/// # Errors
/// [`No::IdMalformed`].
pub fn id(text: &str) -> Result<(), No> {
    let is_good = (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { Ok(()) } else { Err(No::IdMalformed) }
}

/// Draws a new `sub`.
#[must_use]
pub fn random_sub(entropy: &mut Entropy) -> String {
    BASE32_NOPAD.encode(&entropy.bytes::<SUB_BYTES>()).to_lowercase()
}

/// Checks an e-mail address. Returns it without surrounding space.
///
/// # Errors
/// [`No::EmailCharacter`] or [`No::EmailMalformed`].
pub fn email(text: &str) -> Result<&str, Refusal> {
    let text = text.trim();
    if let Err(fault) = names::check_characters(text) {
        return Err(Refusal::from(No::EmailCharacter).with_value(&fault.place()));
    }
    let parts = text.split_once('@');
    let is_good = text.len() <= EMAIL_BYTES_MAX
        && parts.is_some_and(|(own, host)| !own.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.chars().any(char::is_whitespace);
    if is_good { Ok(text) } else { Err(Refusal::from(No::EmailMalformed).with_value(text)) }
}

/// Checks a user name. It must not look like an e-mail address.
///
/// # Errors
/// [`No::UsernameCharacter`] or [`No::UsernameMalformed`].
pub fn username(text: &str) -> Result<(), Refusal> {
    let is_plain = !text.chars().any(|own| own.is_whitespace() || own == '@');
    match names::check(text, USERNAME_CHARACTERS_MAX) {
        Err(fault @ NameFault::Character { .. }) => {
            Err(Refusal::from(No::UsernameCharacter).with_value(&fault.place()))
        }
        Ok(()) if is_plain => Ok(()),
        Ok(()) | Err(NameFault::Length { .. }) => Err(No::UsernameMalformed.into()),
    }
}

/// Checks a display name. Returns it without surrounding space.
///
/// # Errors
/// [`No::NameMalformed`] or [`No::NameCharacter`].
pub fn display_name(text: &str) -> Result<&str, Refusal> {
    Ok(names::display_name(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_printable_ascii_openid_core_2() {
        for good in ["a", "4711", "https://a.example/~x", &"x".repeat(255)] {
            assert_eq!(id(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "\u{e9}", "a\n", &"x".repeat(256)] {
            assert_eq!(id(bad), Err(No::IdMalformed), "{bad:?}");
        }
        assert_eq!(id(&random_sub(&mut Entropy::seeded([1; 32], 1))), Ok(()));
    }

    #[test]
    fn a_user_name_cannot_pass_for_an_e_mail_address() {
        let no = |text: &str| username(text).err().map(|refusal| refusal.no);
        assert_eq!((no("alice"), no("jos\u{e9}")), (None, None));
        for bad in ["alice@example.com", "", "a b", &"x".repeat(65)] {
            assert_eq!(no(bad), Some(No::UsernameMalformed), "{bad:?}");
        }
        assert_eq!(no("ad\u{200b}min"), Some(No::UsernameCharacter));
        assert_eq!(no("a\u{7}"), Some(No::UsernameCharacter));
    }

    #[test]
    fn an_e_mail_address_has_two_parts_and_an_end_rfc_5321_4_5_3_1() {
        let no = |text: &str| email(text).err().map(|refusal| refusal.no);
        assert_eq!(email(" a@example.com "), Ok("a@example.com"));
        for bad in ["alice", "@x", "a@", "a@b@c", "a b@c", &format!("{}@example.com", "x".repeat(243))] {
            assert_eq!(no(bad), Some(No::EmailMalformed), "{bad:?}");
        }
        assert_eq!(no("a\u{ad}@example.com"), Some(No::EmailCharacter));
    }
}
