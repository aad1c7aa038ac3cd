//! The keys of an installation: the key of tokens, and the keys that seal pages and rows. All are derived from one
//! master key.

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::entropy::Entropy;
use super::seal::{SealRing, Vault, aead};
pub use super::seal::{open_under_token, seal_under_token};
use super::token_text::TokenKey;
pub use super::token_text::{Alphabet, GENERATION_MAX, Minted, Presented, Spelling, TOKEN_BYTES, TokenKind};
use crate::secret::Digest;

/// Length of the name of a session before encoding, in bytes.
const SESSION_NAME_BYTES: usize = 18;

/// The keys of an installation, all derived from one master key. They cannot be printed.
pub struct Keys {
    tokens: TokenKey,
    /// The key of the names by which applications know sessions.
    sessions: aws_lc_rs::hmac::Key,
    /// The sealing keys, which are rotated.
    seals: SealRing,
    /// The key for data that is kept for years, such as the shared secrets of second factors. It is not rotated.
    vault: Vault,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// Derives the keys from the master key and the numbers of the sealing keys, the current one first. An installation
    /// that has never rotated has no numbers; its key is number 1.
    ///
    /// A store keeps only the numbers of sealing keys. Without the master key they are useless.
    #[must_use]
    pub fn derive(master: &[u8; 32], seal_numbers: &[u32]) -> Self {
        let seal_numbers = if seal_numbers.is_empty() { &[1] } else { seal_numbers };
        let seals = seal_numbers.iter().map(|&number| (number, aead(&seal_key(master, number)))).collect();
        Self {
            tokens: TokenKey(subkey(master, b"mask", 0)),
            sessions: aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &*subkey(master, b"session", 0)),
            seals: SealRing(seals),
            vault: Vault(aead(&subkey(master, b"vault", 0))),
        }
    }

    /// Makes a token for a row of its own, with the next id of the turn.
    #[must_use]
    pub fn mint(&self, kind: TokenKind, spelling: &Spelling, entropy: &mut Entropy) -> Minted {
        self.tokens.mint(kind, spelling, entropy)
    }

    /// Makes a token for the row `id`, such as the next refresh token of a grant.
    #[must_use]
    pub fn mint_for(&self, id: i64, kind: TokenKind, spelling: &Spelling, entropy: &mut Entropy) -> Minted {
        self.tokens.mint_for(id, kind, spelling, entropy)
    }

    /// Makes the refresh token number `generation` of the grant with the row `id`. The number is masked, so that a
    /// token does not show how often its grant was refreshed.
    #[must_use]
    pub fn mint_refresh(&self, id: i64, generation: u32, spelling: &Spelling, entropy: &mut Entropy) -> Minted {
        self.tokens.mint_refresh(id, generation, spelling, entropy)
    }

    /// Reads a refresh token as [`Keys::read`] does, with its generation. The generation of a refresh token that a
    /// version without generations made is a random number.
    #[must_use]
    pub fn read_refresh(&self, spelling: &Spelling, text: &str) -> Option<(Presented, u32)> {
        self.tokens.read_refresh(spelling, text)
    }

    /// Reads a token. Returns `None` if this server did not issue the text as a token of this kind, which costs one
    /// hash.
    #[must_use]
    pub fn read(&self, kind: TokenKind, spelling: &Spelling, text: &str) -> Option<Presented> {
        self.tokens.read(kind, spelling, text)
    }

    /// Returns the name by which a client knows a session: the claim `sid`. Both are given by their rows. The name reveals nothing about the session, cannot be
    /// guessed, and is another one for each client.
    #[must_use]
    pub fn session_name(&self, session: i64, client: i64) -> String {
        let message = [session.to_be_bytes(), client.to_be_bytes()].concat();
        let tag = aws_lc_rs::hmac::sign(&self.sessions, &message);
        BASE64URL_NOPAD.encode(&tag.as_ref()[..SESSION_NAME_BYTES])
    }

    /// As [`Keys::seal`], but with a key that is not rotated, for rows that are kept for years.
    #[must_use]
    pub fn keep(&self, purpose: &str, context: &[u8], plain: &[u8], entropy: &mut Entropy) -> String {
        self.vault.keep(purpose, context, plain, entropy)
    }

    /// Opens what [`Keys::keep`] sealed.
    #[must_use]
    pub fn open_kept(&self, purpose: &str, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        self.vault.open(purpose, context, sealed)
    }

    /// Encrypts `plain` for a browser to keep. The result is URL-safe text that cannot be read or changed, and that is
    /// useless for another `purpose` or in another `context`.
    #[must_use]
    pub fn seal(&self, purpose: &str, context: &[u8], plain: &[u8], entropy: &mut Entropy) -> String {
        self.seals.seal(purpose, context, plain, entropy)
    }

    /// Opens what [`Keys::seal`] sealed for the same purpose and context, under the current or an earlier key.
    #[must_use]
    pub fn open(&self, purpose: &str, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        self.seals.open(purpose, context, sealed)
    }

    /// Returns true if a seal names an unknown key. A newer key may open such a seal. Any other seal that does not open
    /// is forged, expired or of another browser, and will never open.
    #[must_use]
    pub fn lacks_key_of(&self, sealed: &str) -> bool {
        self.seals.lacks_key_of(sealed)
    }
}

/// Returns the fingerprint of a master key, by which a store recognises it. It is derived as keys are, and reveals
/// nothing about them or the master key.
#[must_use]
pub fn fingerprint(master: &[u8; 32]) -> Digest {
    Digest(*subkey(master, b"fingerprint", 0))
}

/// Derives a key by the expand step of HKDF for one block: HMAC-SHA256 of label and number under the master key.
fn subkey(master: &[u8; 32], label: &[u8], number: u8) -> Zeroizing<[u8; 32]> {
    expanded(master, label, &[number])
}

/// Derives the sealing key with this number. Numbers up to 255 are hashed as one byte, for compatibility, and others as
/// four bytes, so that no two numbers have the same input.
fn seal_key(master: &[u8; 32], number: u32) -> Zeroizing<[u8; 32]> {
    match u8::try_from(number) {
        Ok(small) => subkey(master, b"seal", small),
        Err(_) => expanded(master, b"seal", &number.to_be_bytes()),
    }
}

fn expanded(master: &[u8; 32], label: &[u8], number: &[u8]) -> Zeroizing<[u8; 32]> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, master);
    let mut context = aws_lc_rs::hmac::Context::with_key(&key);
    context.update(b"grantry ");
    context.update(label);
    context.update(number);
    context.update(&[1]);
    let mut out = Zeroizing::new([0; 32]);
    out.copy_from_slice(context.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use data_encoding::BASE64URL_NOPAD;
    use proptest::prelude::*;

    fn keys() -> Keys {
        Keys::derive(&[7; 32], &[1])
    }

    fn spelling(prefix: &str, alphabet: Alphabet) -> Spelling {
        Spelling { prefix: prefix.to_owned(), alphabet }
    }

    proptest! {
        #[test]
        fn every_spelling_reads_back_what_it_wrote(id in 1..i64::MAX, seed: [u8; 32], prefix in "[a-z_]{0,6}") {
            let mut entropy = Entropy::seeded(seed, id);
            for alphabet in [Alphabet::Url, Alphabet::Hex, Alphabet::B62] {
                let spelling = spelling(&prefix, alphabet);
                let minted = keys().mint_for(id, TokenKind::Access, &spelling, &mut entropy);
                let read = keys().read(TokenKind::Access, &spelling, minted.text.reveal());
                prop_assert_eq!(read, Some(Presented { id, digest: minted.digest }));
            }
        }

        #[test]
        fn a_refresh_token_carries_its_generation_and_reads_like_every_token(
            id in 1..i64::MAX, generation in 0..=GENERATION_MAX, seed: [u8; 32]
        ) {
            let mut entropy = Entropy::seeded(seed, id);
            let spelling = spelling("rt_", Alphabet::Hex);
            let minted = keys().mint_refresh(id, generation, &spelling, &mut entropy);
            let presented = Presented { id, digest: minted.digest };
            prop_assert_eq!(keys().read_refresh(&spelling, minted.text.reveal()), Some((presented, generation)));
            prop_assert_eq!(keys().read(TokenKind::Refresh, &spelling, minted.text.reveal()), Some(presented));
            prop_assert_eq!(keys().read(TokenKind::Access, &spelling, minted.text.reveal()), None);
        }

        #[test]
        fn what_was_never_ours_fails_the_checksum(text in "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]") {
            prop_assert_eq!(keys().read(TokenKind::Access, &spelling("", Alphabet::Url), &text), None);
        }
    }

    #[test]
    fn a_generation_that_three_bytes_do_not_hold_stays_at_the_greatest() {
        let (spelling, mut entropy) = (spelling("", Alphabet::Url), Entropy::seeded([1; 32], 1));
        let minted = keys().mint_refresh(7, GENERATION_MAX + 9, &spelling, &mut entropy);
        assert_eq!(keys().read_refresh(&spelling, minted.text.reveal()).unwrap().1, GENERATION_MAX);
    }

    #[test]
    fn a_refresh_token_is_not_an_access_token() {
        let spelling = spelling("", Alphabet::Url);
        let minted = keys().mint(TokenKind::Refresh, &spelling, &mut Entropy::seeded([1; 32], 5));
        assert_eq!(keys().read(TokenKind::Access, &spelling, minted.text.reveal()), None);
    }

    #[test]
    fn a_cut_or_lengthened_token_is_refused() {
        for alphabet in [Alphabet::Url, Alphabet::Hex, Alphabet::B62] {
            let spelling = spelling("at_", alphabet);
            let minted = keys().mint(TokenKind::Access, &spelling, &mut Entropy::seeded([1; 32], 5));
            let text = minted.text.reveal();
            assert_eq!(keys().read(TokenKind::Access, &spelling, &text[..text.len() - 1]), None);
            assert_eq!(keys().read(TokenKind::Access, &spelling, &format!("{text}0")), None);
            assert_eq!(keys().read(TokenKind::Access, &spelling, &text[3..]), None);
        }
    }

    #[test]
    fn a_seal_opens_for_its_purpose_and_context_only() {
        let sealed = keys().seal("page", b"browser", b"hello", &mut Entropy::seeded([2; 32], 1));
        assert_eq!(keys().open("page", b"browser", &sealed).as_deref(), Some(&b"hello"[..]));
        assert_eq!(keys().open("page", b"another", &sealed), None);
        assert_eq!(keys().open("other", b"browser", &sealed), None);
    }

    #[test]
    fn a_number_above_a_byte_is_a_key_of_its_own() {
        let sealed =
            |number| Keys::derive(&[7; 32], &[number]).seal("page", b"", b"x", &mut Entropy::seeded([2; 32], 1));
        let opens = |number, text: &str| Keys::derive(&[7; 32], &[number]).open("page", b"", text).is_some();
        let numbers = [0, 1, 44, 255, 256, 300, 256 + 44, 1 << 24, u32::MAX];
        for one in numbers {
            for other in numbers {
                assert_eq!(opens(other, &sealed(one)), one == other, "{one} {other}");
            }
        }
        let small = BASE64URL_NOPAD.decode(sealed(44).as_bytes()).unwrap();
        assert_eq!(small[0], 44, "what was sealed before numbers grew beyond a byte still opens");
    }

    #[test]
    fn a_fingerprint_tells_master_keys_apart_and_is_no_key() {
        assert_eq!(fingerprint(&[7; 32]), fingerprint(&[7; 32]));
        assert_ne!(fingerprint(&[7; 32]), fingerprint(&[8; 32]));
        for (label, number) in [(&b"mask"[..], 0), (b"vault", 0), (b"seal", 1)] {
            assert_ne!(fingerprint(&[7; 32]).0, *subkey(&[7; 32], label, number));
        }
    }

    #[test]
    fn a_seal_survives_one_rotation_of_the_key() {
        let sealed = keys().seal("page", b"", b"hello", &mut Entropy::seeded([2; 32], 1));
        assert!(Keys::derive(&[7; 32], &[2, 1]).open("page", b"", &sealed).is_some());
        assert!(Keys::derive(&[7; 32], &[3, 2]).open("page", b"", &sealed).is_none());
    }

    #[test]
    fn an_answer_opens_with_the_same_token_only() {
        let token = Secret::new("r1");
        let sealed = seal_under_token(&token, b"answer", &mut Entropy::seeded([3; 32], 1));
        assert_eq!(open_under_token(&token, &sealed).as_deref(), Some(&b"answer"[..]));
        assert_eq!(open_under_token(&Secret::new("r2"), &sealed), None);
    }
}
