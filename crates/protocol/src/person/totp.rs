//! Time-based one-time passwords, RFC 6238, with HMAC-SHA-1 and steps of 30 seconds. The surface sets the number of
//! digits.

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;

use crate::crypto::entropy::Entropy;
use crate::time::UnixTime;

/// Length of a shared secret in bytes. RFC 4226 §4: "The length of the shared secret MUST be at least 128 bits. This
/// document RECOMMENDs a shared secret length of 160 bits."
pub const SEED_BYTES: usize = 20;
/// Length of a time step in seconds. RFC 6238 §5.2: "We RECOMMEND a default time-step size of 30 seconds".
pub const STEP_S: u64 = 30;
/// Number of earlier and later time steps whose codes are accepted. RFC 6238 §5.2 recommends "at most one time step"
/// for the network's delay. The clock of a telephone may also run ahead.
const STEPS_ASIDE: u64 = 1;

/// Draws a new shared secret.
#[must_use]
pub fn seed(entropy: &mut Entropy) -> [u8; SEED_BYTES] {
    entropy.bytes()
}

/// Encodes the shared secret in base32, for users who type it into their authenticator.
#[must_use]
pub fn base32(seed: &[u8]) -> String {
    BASE32_NOPAD.encode(seed)
}

/// Returns the `otpauth://` URI that an authenticator reads from a QR code.
#[must_use]
pub fn uri(seed: &[u8], issuer: &str, account: &str, digits: u32) -> String {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let (issuer, account, secret) = (encode(issuer), encode(account), base32(seed));
    format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&digits={digits}&period={STEP_S}")
}

/// Returns the time step that the typed code belongs to; `None` if the code is wrong or its step is not later than
/// `last_step`, the last one used.
#[must_use]
pub fn matching_step(seed: &[u8], typed: &str, digits: u32, now: UnixTime, last_step: u64) -> Option<u64> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let current = u64::try_from(now.0).ok()? / STEP_S;
    // RFC 6238 §5.2: "The verifier MUST NOT accept the second attempt of the OTP after the successful validation has been
    // issued for the first OTP".
    (current.saturating_sub(STEPS_ASIDE)..=current + STEPS_ASIDE)
        .filter(|step| *step > last_step)
        .find(|step| bool::from(subtle::ConstantTimeEq::ct_eq(code(seed, *step, digits).as_bytes(), typed.as_bytes())))
}

/// Computes the code of a time step, RFC 4226 §5.3.
#[must_use]
pub fn code(seed: &[u8], step: u64, digits: u32) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes[19] & 0xf);
    let number = bytes[offset..offset + 4].iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte)) & 0x7fff_ffff;
    format!("{:0width$}", number % 10_u32.pow(digits), width = digits as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8] = b"12345678901234567890";

    #[test]
    fn the_vectors_of_rfc_6238_appendix_b_hold() {
        for (now, expected) in [(59, "94287082"), (1_111_111_109, "07081804"), (20_000_000_000, "65353130")] {
            assert_eq!(code(SEED, now / STEP_S, 8), expected);
        }
    }

    #[test]
    fn a_code_works_once_rfc_6238_5_2() {
        let now = UnixTime(1_111_111_109);
        let typed = code(SEED, 1_111_111_109 / STEP_S, 6);
        let step = matching_step(SEED, &typed, 6, now, 0).unwrap();
        assert_eq!(matching_step(SEED, &typed, 6, now, step), None);
    }

    #[test]
    fn a_code_may_be_one_step_early_or_late_and_no_more() {
        let now = UnixTime(3000);
        for (step, is_good) in [(98, false), (99, true), (100, true), (101, true), (102, false)] {
            assert_eq!(matching_step(SEED, &code(SEED, step, 6), 6, now, 0).is_some(), is_good, "{step}");
        }
    }

    #[test]
    fn a_seed_has_160_bits_rfc_4226_4() {
        let seed = seed(&mut Entropy::seeded([1; 32], 1));
        assert_eq!(base32(&seed).len() * 5, 160);
    }

    #[test]
    fn an_authenticator_reads_the_address() {
        assert_eq!(
            uri(SEED, "Example Ltd", "alice@example.com", 6),
            "otpauth://totp/Example%20Ltd:alice%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Example%20Ltd&digits=6&period=30"
        );
    }
}
