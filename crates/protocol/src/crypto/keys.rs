//! How tokens are made and read, and how pages are sealed.
//!
//! A token is 32 bytes: the masked id of its row (8), a random secret (20, so 160 bits), and a keyed checksum (4). In a
//! refresh token, three of the 20 bytes are its place among the tokens of its grant, masked.
//! The row is found by the id, the secret is compared by digest, and whatever was never ours fails the checksum
//! without a look into the store. The id grows so that rows append; the mask is a keyed permutation, so that nobody
//! can count tokens. A dialect's prefix and alphabet are spelling only: the 32 bytes underneath are the same.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::crypto::entropy::Entropy;
use crate::secret::{Digest, Secret};

/// Bytes of a token before it is spelled.
pub const TOKEN_BYTES: usize = 32;
const ID_BYTES: usize = 8;
/// Where a refresh token has its masked generation; 136 random bits follow.
const GENERATION_END: usize = ID_BYTES + 3;
/// The greatest generation that three bytes hold. A grant that was refreshed more often stays at it.
pub const GENERATION_MAX: u32 = (1 << 24) - 1;
const CHECK_BYTES: usize = 4;
const MASK_ROUNDS: u8 = 4;

/// What a token is for. Tokens of one kind never pass for another: the kind is part of mask and checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TokenKind {
    /// An authorization code, RFC 6749 §1.3.1.
    Code = 1,
    /// An access token, RFC 6749 §1.4.
    Access = 2,
    /// A refresh token, RFC 6749 §1.5.
    Refresh = 3,
    /// A browser's login session; lives in a cookie.
    Session = 4,
    /// A personal access token, made by a user by hand.
    Personal = 5,
    /// A device code, RFC 8628 §3.2.
    Device = 6,
    /// A pushed authorization request, RFC 9126 §2.2.
    Pushed = 7,
}

/// Which characters spell the bytes of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alphabet {
    /// `A-Z a-z 0-9 - _`, 43 characters.
    Url,
    /// Lower-case hexadecimal digits, 64 characters.
    Hex,
    /// `0-9 A-Z a-z`, 43 characters.
    B62,
}

/// How a dialect writes a kind of token: literal text, then the 32 bytes in an alphabet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spelling {
    /// Literal text in front, such as `at_`.
    pub prefix: String,
    /// The alphabet of the rest.
    pub alphabet: Alphabet,
}

impl Spelling {
    fn write(&self, bytes: &[u8; TOKEN_BYTES]) -> Secret {
        let body = match self.alphabet {
            Alphabet::Url => BASE64URL_NOPAD.encode(bytes),
            Alphabet::Hex => HEXLOWER.encode(bytes),
            Alphabet::B62 => base62::encode(bytes),
        };
        Secret::new(format!("{}{body}", self.prefix))
    }

    fn read(&self, text: &str) -> Option<[u8; TOKEN_BYTES]> {
        let body = text.strip_prefix(self.prefix.as_str())?;
        let mut bytes = [0; TOKEN_BYTES];
        let encoding = match self.alphabet {
            Alphabet::B62 => return base62::decode(body),
            Alphabet::Url => BASE64URL_NOPAD,
            Alphabet::Hex => HEXLOWER,
        };
        if encoding.decode_len(body.len()) != Ok(TOKEN_BYTES) {
            return None;
        }
        encoding.decode_mut(body.as_bytes(), &mut bytes).ok()?;
        Some(bytes)
    }
}

/// A token as it was presented: which row it names, and the digest that the row must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The id of the row.
    pub id: i64,
    /// SHA-256 of the whole 32 bytes.
    pub digest: Digest,
}

/// A token just made: the text for the client, and what the row keeps.
#[derive(Clone, Debug)]
pub struct Minted {
    /// The id of the row.
    pub id: i64,
    /// What the row keeps.
    pub digest: Digest,
    /// What the client gets, once.
    pub text: Secret,
}

/// The keys of an installation, all derived from one master key. They cannot be printed.
pub struct Keys {
    mask: Zeroizing<[u8; 32]>,
    /// The first one seals; all of them open.
    seals: Vec<(u32, LessSafeKey)>,
    /// For what is kept for years, such as the seeds of second factors. It is not rotated with the others.
    vault: LessSafeKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// Keys from the installation's master key and the numbers of its sealing keys, the current one first. An installation
    /// that has never rotated keeps no numbers; its key is number 1.
    ///
    /// Numbers, not key material, are what a store keeps of a sealing key: without the master key they are worth nothing.
    #[must_use]
    pub fn derive(master: &[u8; 32], seal_numbers: &[u32]) -> Self {
        let seal_numbers = if seal_numbers.is_empty() { &[1] } else { seal_numbers };
        let seals = seal_numbers.iter().map(|&number| (number, aead(&seal_key(master, number)))).collect();
        Self { mask: subkey(master, b"mask", 0), seals, vault: aead(&subkey(master, b"vault", 0)) }
    }

    /// Makes a token for a row of its own, with the next id of the turn.
    #[must_use]
    pub fn mint(&self, kind: TokenKind, spelling: &Spelling, entropy: &mut Entropy) -> Minted {
        let id = entropy.next_id();
        self.mint_for(id, kind, spelling, entropy)
    }

    /// Makes a token for the row `id`, such as the next refresh token of a grant.
    #[must_use]
    pub fn mint_for(&self, id: i64, kind: TokenKind, spelling: &Spelling, entropy: &mut Entropy) -> Minted {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        bytes[..ID_BYTES].copy_from_slice(&self.masked(kind, id.cast_unsigned()).to_be_bytes());
        entropy.fill(&mut bytes[ID_BYTES..TOKEN_BYTES - CHECK_BYTES]);
        self.finished(id, kind, spelling, bytes)
    }

    /// Adds the checksum, and spells the token.
    fn finished(
        &self,
        id: i64,
        kind: TokenKind,
        spelling: &Spelling,
        mut bytes: Zeroizing<[u8; TOKEN_BYTES]>,
    ) -> Minted {
        let check = self.check(kind, &bytes);
        bytes[TOKEN_BYTES - CHECK_BYTES..].copy_from_slice(&check);
        Minted { id, digest: Digest::of(&*bytes), text: spelling.write(&bytes) }
    }

    /// Makes a refresh token of the grant whose row is `id`: the one with the number `generation`, which is masked, so that
    /// nobody can tell from a token how often its grant was refreshed.
    #[must_use]
    pub fn mint_refresh(&self, id: i64, generation: u32, spelling: &Spelling, entropy: &mut Entropy) -> Minted {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        bytes[..ID_BYTES].copy_from_slice(&self.masked(TokenKind::Refresh, id.cast_unsigned()).to_be_bytes());
        entropy.fill(&mut bytes[ID_BYTES..TOKEN_BYTES - CHECK_BYTES]);
        let masked = generation.min(GENERATION_MAX) ^ self.generation_mask(&bytes);
        bytes[ID_BYTES..GENERATION_END].copy_from_slice(&masked.to_be_bytes()[1..]);
        self.finished(id, TokenKind::Refresh, spelling, bytes)
    }

    /// Reads a refresh token as [`Keys::read`] does, with its generation. A refresh token that was made before tokens were
    /// counted reads as well; its generation is then a random number.
    #[must_use]
    pub fn read_refresh(&self, spelling: &Spelling, text: &str) -> Option<(Presented, u32)> {
        let presented = self.read(TokenKind::Refresh, spelling, text)?;
        let bytes = Zeroizing::new(spelling.read(text)?);
        let mut masked = [0; 4];
        masked[1..].copy_from_slice(&bytes[ID_BYTES..GENERATION_END]);
        Some((presented, u32::from_be_bytes(masked) ^ self.generation_mask(&bytes)))
    }

    /// Reads a token. `None` for whatever was not made here as this kind, at the price of one hash.
    #[must_use]
    pub fn read(&self, kind: TokenKind, spelling: &Spelling, text: &str) -> Option<Presented> {
        let bytes = Zeroizing::new(spelling.read(text)?);
        if !bool::from(self.check(kind, &bytes).ct_eq(&bytes[TOKEN_BYTES - CHECK_BYTES..])) {
            return None;
        }
        let mut masked = [0; ID_BYTES];
        masked.copy_from_slice(&bytes[..ID_BYTES]);
        let id = self.unmasked(kind, u64::from_be_bytes(masked)).cast_signed();
        Some(Presented { id, digest: Digest::of(&*bytes) })
    }

    /// Seals `plain` for a row that is kept for years: as [`Keys::seal`], under a key that is not rotated.
    #[must_use]
    pub fn keep(&self, purpose: &str, context: &[u8], plain: &[u8], entropy: &mut Entropy) -> String {
        BASE64URL_NOPAD.encode(&encrypt(&self.vault, &bound(purpose, context), plain, entropy))
    }

    /// Opens what [`Keys::keep`] sealed.
    #[must_use]
    pub fn open_kept(&self, purpose: &str, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        decrypt(&self.vault, &bound(purpose, context), &BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?)
    }

    /// Seals `plain` for `purpose`, bound to `context`, so that a browser can hold it for us: unreadable, unchangeable,
    /// and worthless for another purpose or in another context. URL-safe text.
    #[must_use]
    pub fn seal(&self, purpose: &str, context: &[u8], plain: &[u8], entropy: &mut Entropy) -> String {
        let (number, key) = &self.seals[0];
        let mut out = written_number(*number);
        out.extend_from_slice(&encrypt(key, &bound(purpose, context), plain, entropy));
        BASE64URL_NOPAD.encode(&out)
    }

    /// Opens what [`Keys::seal`] sealed for the same purpose and context, under the current or an earlier key.
    #[must_use]
    pub fn open(&self, purpose: &str, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        let bytes = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
        let (number, rest) = read_number(&bytes)?;
        let (_, key) = self.seals.iter().find(|(own, _)| *own == number)?;
        decrypt(key, &bound(purpose, context), rest)
    }

    /// True if a seal names a key that is none of these. Such a seal may open with a newer key; any other one that does not
    /// open is forged, expired or another browser's, and will never open.
    #[must_use]
    pub fn lacks_key_of(&self, sealed: &str) -> bool {
        let number = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok().and_then(|bytes| Some(read_number(&bytes)?.0));
        number.is_some_and(|number| self.seals.iter().all(|(own, _)| *own != number))
    }

    /// A Feistel network over the two halves of the id: a permutation of all 64-bit numbers that only the key undoes.
    fn masked(&self, kind: TokenKind, id: u64) -> u64 {
        let (mut left, mut right) = halves(id);
        for round in 0..MASK_ROUNDS {
            (left, right) = (right, left ^ self.round(kind, round, right));
        }
        joined(left, right)
    }

    fn unmasked(&self, kind: TokenKind, masked: u64) -> u64 {
        let (mut left, mut right) = halves(masked);
        for round in (0..MASK_ROUNDS).rev() {
            (left, right) = (right ^ self.round(kind, round, left), left);
        }
        joined(left, right)
    }

    fn round(&self, kind: TokenKind, round: u8, half: u32) -> u32 {
        u32::from_be_bytes(self.keyed(&[b'm', kind as u8, round], &half.to_be_bytes()))
    }

    /// Hides the generation of a refresh token: 24 bits that depend on the token's id and its random bytes.
    fn generation_mask(&self, bytes: &[u8; TOKEN_BYTES]) -> u32 {
        let mut message = [0; TOKEN_BYTES - CHECK_BYTES - (GENERATION_END - ID_BYTES)];
        message[..ID_BYTES].copy_from_slice(&bytes[..ID_BYTES]);
        message[ID_BYTES..].copy_from_slice(&bytes[GENERATION_END..TOKEN_BYTES - CHECK_BYTES]);
        u32::from_be_bytes(self.keyed(&[b'g', TokenKind::Refresh as u8], &message)) & GENERATION_MAX
    }

    /// Keyed, so that nobody outside can make text that costs us a look into the store.
    fn check(&self, kind: TokenKind, bytes: &[u8; TOKEN_BYTES]) -> [u8; CHECK_BYTES] {
        self.keyed(&[b'c', kind as u8], &bytes[..TOKEN_BYTES - CHECK_BYTES])
    }

    /// The first bytes of a hash over key, label and message. All inputs of one label have one length, so that a
    /// plain hash with the key in front is a sound keyed function here.
    fn keyed(&self, label: &[u8], message: &[u8]) -> [u8; 4] {
        let mut context = Context::new(&SHA256);
        context.update(&*self.mask);
        context.update(label);
        context.update(message);
        let mut out = [0; 4];
        out.copy_from_slice(&context.finish().as_ref()[..4]);
        out
    }
}

/// Encrypts `plain` under a key that only the holder of `token` can derive again. Used for the answer to a refresh,
/// which may be repeated to whoever presents the same token, while the store holds nothing that a thief can read.
#[must_use]
pub fn seal_under_token(token: &Secret, plain: &[u8], entropy: &mut Entropy) -> Vec<u8> {
    encrypt(&token_key(token), b"grantry answer", plain, entropy)
}

/// Undoes [`seal_under_token`] with the same token.
#[must_use]
pub fn open_under_token(token: &Secret, sealed: &[u8]) -> Option<Vec<u8>> {
    decrypt(&token_key(token), b"grantry answer", sealed)
}

fn token_key(token: &Secret) -> LessSafeKey {
    let mut context = Context::new(&SHA256);
    context.update(b"grantry answer key\0");
    context.update(token.reveal().as_bytes());
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(context.finish().as_ref());
    aead(&key)
}

/// What a store keeps of a master key, to tell another one from it: a value that is derived as keys are, and tells nothing of
/// them or of the master key.
#[must_use]
pub fn fingerprint(master: &[u8; 32]) -> Digest {
    Digest(*subkey(master, b"fingerprint", 0))
}

/// HKDF's expand step for one block: HMAC-SHA256 of label and number under the master key.
fn subkey(master: &[u8; 32], label: &[u8], number: u8) -> Zeroizing<[u8; 32]> {
    expanded(master, label, &[number])
}

/// The sealing key of a number. Numbers up to 255 have one byte in what is hashed, as they always had; the others have four, so
/// that no two numbers have the same input.
fn seal_key(master: &[u8; 32], number: u32) -> Zeroizing<[u8; 32]> {
    match u8::try_from(number) {
        Ok(small) => subkey(master, b"seal", small),
        Err(_) => expanded(master, b"seal", &number.to_be_bytes()),
    }
}

/// The number in front of what was sealed: one byte from 1 to 255, or a zero and four bytes.
fn written_number(number: u32) -> Vec<u8> {
    match u8::try_from(number) {
        Ok(small) if small > 0 => vec![small],
        _ => [&[0][..], &number.to_be_bytes()].concat(),
    }
}

/// Undoes [`written_number`], and gives what follows.
fn read_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => rest.split_first_chunk().map(|(number, rest)| (u32::from_be_bytes(*number), rest)),
        (small, rest) => Some((u32::from(*small), rest)),
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

fn bound(purpose: &str, context: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), b"\0", context].concat()
}

fn aead(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes a key of 32 bytes"))
}

fn encrypt(key: &LessSafeKey, bound: &[u8], plain: &[u8], entropy: &mut Entropy) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    entropy.fill(&mut nonce);
    let mut text = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut text)
        .expect("a page is far smaller than what one nonce may encrypt");
    [&nonce[..], &text].concat()
}

fn decrypt(key: &LessSafeKey, bound: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
    let mut text = text.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = key.open_in_place(nonce, Aad::from(bound), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

fn halves(number: u64) -> (u32, u32) {
    ((number >> 32) as u32, (number & 0xffff_ffff) as u32)
}

fn joined(left: u32, right: u32) -> u64 {
    (u64::from(left) << 32) | u64::from(right)
}

/// 32 bytes as a number in base 62, 43 digits, the most significant first.
mod base62 {
    use super::TOKEN_BYTES;

    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const LENGTH: usize = 43;

    pub(super) fn encode(bytes: &[u8; TOKEN_BYTES]) -> String {
        let mut number = *bytes;
        let mut digits = [0; LENGTH];
        for digit in digits.iter_mut().rev() {
            let mut rest = 0_u32;
            for byte in &mut number {
                let value = (rest << 8) | u32::from(*byte);
                *byte = u8::try_from(value / 62).expect("the rest is below 62");
                rest = value % 62;
            }
            *digit = DIGITS[rest as usize];
        }
        digits.iter().map(|&digit| char::from(digit)).collect()
    }

    pub(super) fn decode(text: &str) -> Option<[u8; TOKEN_BYTES]> {
        if text.len() != LENGTH {
            return None;
        }
        let mut number = [0_u8; TOKEN_BYTES];
        for character in text.bytes() {
            let mut carry = u32::try_from(DIGITS.iter().position(|&digit| digit == character)?).ok()?;
            for byte in number.iter_mut().rev() {
                let value = u32::from(*byte) * 62 + carry;
                *byte = (value & 0xff) as u8;
                carry = value >> 8;
            }
            if carry != 0 {
                return None;
            }
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn neighbouring_ids_look_unrelated() {
        let (a, b) = (keys().masked(TokenKind::Access, 1), keys().masked(TokenKind::Access, 2));
        assert!((a ^ b).count_ones() > 10, "{a:x} {b:x}");
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
