//! Authenticated encryption of data that browsers or rows keep: AES-256-GCM, bound to a purpose and a context.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::entropy::Entropy;
use crate::secret::Secret;

/// The key for data that is kept for years, which is never rotated.
pub(super) struct Vault(pub(super) LessSafeKey);

/// The rotated keys, by number. The first one seals, and all of them open.
pub(super) struct SealRing(pub(super) Vec<(u32, LessSafeKey)>);

impl Vault {
    pub(super) fn keep(&self, purpose: &str, context: &[u8], plain: &[u8], entropy: &mut Entropy) -> String {
        BASE64URL_NOPAD.encode(&encrypt(&self.0, &bound(purpose, context), plain, entropy))
    }

    pub(super) fn open(&self, purpose: &str, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        decrypt(&self.0, &bound(purpose, context), &BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?)
    }
}

impl SealRing {
    pub(super) fn seal(&self, purpose: &str, context: &[u8], plain: &[u8], entropy: &mut Entropy) -> String {
        let (number, key) = &self.0[0];
        let mut out = written_number(*number);
        out.extend_from_slice(&encrypt(key, &bound(purpose, context), plain, entropy));
        BASE64URL_NOPAD.encode(&out)
    }

    pub(super) fn open(&self, purpose: &str, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        let bytes = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
        let (number, rest) = read_number(&bytes)?;
        let (_, key) = self.0.iter().find(|(own, _)| *own == number)?;
        decrypt(key, &bound(purpose, context), rest)
    }

    pub(super) fn lacks_key_of(&self, sealed: &str) -> bool {
        let number = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok().and_then(|bytes| Some(read_number(&bytes)?.0));
        number.is_some_and(|number| self.0.iter().all(|(own, _)| *own != number))
    }
}

/// Encrypts `plain` under a key that is derived from `token`. It protects the kept answer to a refresh: only a client
/// that presents the same token can get the answer again, and a thief of the store cannot read it.
#[must_use]
pub fn seal_under_token(token: &Secret, plain: &[u8], entropy: &mut Entropy) -> Vec<u8> {
    encrypt(&token_key(token), b"grantry answer", plain, entropy)
}

/// Decrypts what [`seal_under_token`] made with the same token.
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

/// Encodes the number of a key, which precedes the ciphertext: one byte from 1 to 255, or a zero and four bytes.
fn written_number(number: u32) -> Vec<u8> {
    match u8::try_from(number) {
        Ok(small) if small > 0 => vec![small],
        _ => [&[0][..], &number.to_be_bytes()].concat(),
    }
}

/// Decodes the number of a key. Returns it with the bytes that follow.
fn read_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => rest.split_first_chunk().map(|(number, rest)| (u32::from_be_bytes(*number), rest)),
        (small, rest) => Some((u32::from(*small), rest)),
    }
}

fn bound(purpose: &str, context: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), b"\0", context].concat()
}

pub(super) fn aead(key: &[u8; 32]) -> LessSafeKey {
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
