//! Proof Key for Code Exchange, RFC 7636, with S256 only.

use data_encoding::BASE64URL_NOPAD;

use crate::refusal::No;
use crate::secret::Digest;

/// Reads a `code_challenge`: the SHA-256 of the verifier in base64url.
///
/// # Errors
/// [`No::ParameterMalformed`] if the challenge cannot be a SHA-256. [`No::ChallengeMethodUnknown`] for any method
/// except S256, and for an absent one, which means "plain" by RFC 7636 §4.3.
pub fn challenge(text: &str, method: Option<&str>) -> Result<Digest, No> {
    // RFC 9700 §2.1.1: "clients SHOULD use PKCE code challenge methods that do not expose the PKCE verifier in the
    // authorization request"
    if method != Some("S256") {
        return Err(No::ChallengeMethodUnknown);
    }
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| No::ParameterMalformed)?;
    Ok(Digest(bytes.try_into().map_err(|_| No::ParameterMalformed)?))
}

/// Checks the verifier of the token request against the challenge of the authorization request.
///
/// # Errors
/// A verifier that is missing, wrong or unexpected.
pub fn verify(challenge: Option<Digest>, verifier: Option<&str>) -> Result<(), No> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        // RFC 9700 §2.1.1: "Authorization servers MUST mitigate PKCE downgrade attacks by ensuring that a token
        // request containing a code_verifier parameter is accepted only if a code_challenge parameter was present in
        // the authorization request."
        (None, Some(_)) => Err(No::VerifierUnexpected),
        (Some(_), None) => Err(No::VerifierMissing),
        // RFC 7636 §4.6: "If the values are not equal, an error response indicating "invalid_grant" as described in
        // Section 5.2 of [RFC6749] MUST be returned."
        (Some(challenge), Some(verifier))
            if is_well_formed(verifier) && Digest::of(verifier.as_bytes()) == challenge =>
        {
            Ok(())
        }
        _ => Err(No::VerifierWrong),
    }
}

/// RFC 7636 §4.1: "code-verifier = 43*128unreserved"
fn is_well_formed(verifier: &str) -> bool {
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7636 appendix B
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_rfc_7636_appendix_b_verifies() {
        let challenge = challenge(CHALLENGE, Some("S256")).unwrap();
        assert_eq!(verify(Some(challenge), Some(VERIFIER)), Ok(()));
    }

    #[test]
    fn a_verifier_without_a_challenge_is_refused_rfc_9700_2_1_1() {
        assert_eq!(verify(None, Some(VERIFIER)), Err(No::VerifierUnexpected));
    }

    #[test]
    fn a_missing_or_wrong_verifier_is_refused_rfc_7636_4_6() {
        let challenge = challenge(CHALLENGE, Some("S256")).unwrap();
        assert_eq!(verify(Some(challenge), None), Err(No::VerifierMissing));
        assert_eq!(verify(Some(challenge), Some(&VERIFIER.replace('d', "e"))), Err(No::VerifierWrong));
        assert_eq!(verify(Some(challenge), Some("short")), Err(No::VerifierWrong));
    }

    #[test]
    fn plain_and_unnamed_methods_are_refused() {
        assert_eq!(challenge(CHALLENGE, None), Err(No::ChallengeMethodUnknown));
        assert_eq!(challenge(CHALLENGE, Some("plain")), Err(No::ChallengeMethodUnknown));
        assert_eq!(challenge("too-short", Some("S256")), Err(No::ParameterMalformed));
    }
}
