//! Authentication context classes: how strongly a user was authenticated, as the claim `acr` says it.

use crate::model::Amr;

/// One factor: a password, or the word of an upstream identity provider.
const ONE_FACTOR: &str = "urn:grantry:acr:1fa";
/// Two factors: a one-time password beside another method.
const TWO_FACTORS: &str = "urn:grantry:acr:2fa";

/// The values of the claim `acr`, the weaker one first. OpenID Connect Core §2: "An absolute URI or an RFC 6711
/// registered name SHOULD be used as the acr value".
pub const LEVELS: &[&str] = &[ONE_FACTOR, TWO_FACTORS];

/// Returns the authentication context class of a user who authenticated by these methods; `None` if no method is known.
#[must_use]
pub fn level(amr: &[Amr]) -> Option<&'static str> {
    let has_code = amr.contains(&Amr::Otp);
    let has_other = amr.iter().any(|method| *method != Amr::Otp);
    match (has_other, has_code) {
        (true, true) => Some(TWO_FACTORS),
        (false, false) => None,
        _ => Some(ONE_FACTOR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_methods_of_which_one_is_a_code_are_two_factors() {
        assert_eq!(level(&[Amr::Pwd, Amr::Otp]), Some("urn:grantry:acr:2fa"));
        assert_eq!(level(&[Amr::Fed, Amr::Otp]), Some("urn:grantry:acr:2fa"));
        for amr in [&[Amr::Pwd][..], &[Amr::Fed], &[Amr::Otp], &[Amr::Pwd, Amr::Fed]] {
            assert_eq!(level(amr), Some("urn:grantry:acr:1fa"), "{amr:?}");
        }
        assert_eq!(level(&[]), None);
    }
}
