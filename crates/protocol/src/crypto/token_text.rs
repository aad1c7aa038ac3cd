//! The text of tokens: making, spelling and reading it.
//!
//! A token is 32 bytes: the masked id of its row (8), a random secret (20 bytes, 160 bits), and a keyed checksum (4).
//! In a refresh token, three of the 20 bytes are its masked generation. The store finds the row by the id, and the
//! secret is compared by digest. A text that this server never issued fails the checksum without a query of the store.
//! The id grows, so that rows append. The mask is a keyed permutation, so that nobody can count tokens. Prefix and
//! alphabet of a dialect are only spelling: the 32 bytes are the same.

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::base62;
use super::entropy::Entropy;
use crate::secret::{Digest, Secret};

/// Length of a token in bytes, before it is spelled.
pub const TOKEN_BYTES: usize = 32;
const ID_BYTES: usize = 8;
/// The end of the masked generation in a refresh token. 136 random bits follow.
const GENERATION_END: usize = ID_BYTES + 3;
/// Maximum generation, which three bytes hold. A grant that is refreshed more often stays at it.
pub const GENERATION_MAX: u32 = (1 << 24) - 1;
const CHECK_BYTES: usize = 4;
const MASK_ROUNDS: u8 = 4;

/// The kind of a token. A token of one kind is not accepted as another, because the kind is part of mask and checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TokenKind {
    /// An authorization code, RFC 6749 §1.3.1.
    Code = 1,
    /// An access token, RFC 6749 §1.4.
    Access = 2,
    /// A refresh token, RFC 6749 §1.5.
    Refresh = 3,
    /// The session of a browser, kept in a cookie.
    Session = 4,
    /// A personal access token, which a user makes by hand.
    Personal = 5,
    /// A device code, RFC 8628 §3.2.
    Device = 6,
    /// A pushed authorization request, RFC 9126 §2.2.
    Pushed = 7,
}

/// The characters that spell the bytes of a token.
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

/// The spelling of a kind of token: a prefix, followed by the 32 bytes in an alphabet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spelling {
    /// The prefix, such as `at_`.
    pub prefix: String,
    /// The alphabet of the 32 bytes.
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

/// A presented token: the row that it names, and the digest that the row must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The id of the row.
    pub id: i64,
    /// SHA-256 of the whole 32 bytes.
    pub digest: Digest,
}

/// A new token: the text for the client, and the values for the row.
#[derive(Clone, Debug)]
pub struct Minted {
    /// The id of the row.
    pub id: i64,
    /// The digest for the row.
    pub digest: Digest,
    /// The text for the client.
    pub text: Secret,
}

/// The key of masks and checksums. It cannot be printed.
pub(super) struct TokenKey(pub(super) Zeroizing<[u8; 32]>);

impl TokenKey {
    /// Makes a token for a row of its own, with the next id of the turn.
    pub(super) fn mint(&self, kind: TokenKind, spelling: &Spelling, entropy: &mut Entropy) -> Minted {
        let id = entropy.next_id();
        self.mint_for(id, kind, spelling, entropy)
    }

    /// Makes a token for the row `id`, such as the next refresh token of a grant.
    pub(super) fn mint_for(&self, id: i64, kind: TokenKind, spelling: &Spelling, entropy: &mut Entropy) -> Minted {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        bytes[..ID_BYTES].copy_from_slice(&self.masked(kind, id.cast_unsigned()).to_be_bytes());
        entropy.fill(&mut bytes[ID_BYTES..TOKEN_BYTES - CHECK_BYTES]);
        self.finished(id, kind, spelling, bytes)
    }

    /// Adds the checksum to the bytes of a token, and spells it.
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

    /// Makes the refresh token number `generation` of the grant with the row `id`. The number is masked, so that a
    /// token does not show how often its grant was refreshed.
    pub(super) fn mint_refresh(&self, id: i64, generation: u32, spelling: &Spelling, entropy: &mut Entropy) -> Minted {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        bytes[..ID_BYTES].copy_from_slice(&self.masked(TokenKind::Refresh, id.cast_unsigned()).to_be_bytes());
        entropy.fill(&mut bytes[ID_BYTES..TOKEN_BYTES - CHECK_BYTES]);
        let masked = generation.min(GENERATION_MAX) ^ self.generation_mask(&bytes);
        bytes[ID_BYTES..GENERATION_END].copy_from_slice(&masked.to_be_bytes()[1..]);
        self.finished(id, TokenKind::Refresh, spelling, bytes)
    }

    /// Reads a refresh token as [`TokenKey::read`] does, with its generation. The generation of a refresh token that a
    /// version without generations made is a random number.
    pub(super) fn read_refresh(&self, spelling: &Spelling, text: &str) -> Option<(Presented, u32)> {
        let presented = self.read(TokenKind::Refresh, spelling, text)?;
        let bytes = Zeroizing::new(spelling.read(text)?);
        let mut masked = [0; 4];
        masked[1..].copy_from_slice(&bytes[ID_BYTES..GENERATION_END]);
        Some((presented, u32::from_be_bytes(masked) ^ self.generation_mask(&bytes)))
    }

    /// Reads a token. Returns `None` if this server did not issue the text as a token of this kind, which costs one
    /// hash.
    pub(super) fn read(&self, kind: TokenKind, spelling: &Spelling, text: &str) -> Option<Presented> {
        let bytes = Zeroizing::new(spelling.read(text)?);
        if !bool::from(self.check(kind, &bytes).ct_eq(&bytes[TOKEN_BYTES - CHECK_BYTES..])) {
            return None;
        }
        let mut masked = [0; ID_BYTES];
        masked.copy_from_slice(&bytes[..ID_BYTES]);
        let id = self.unmasked(kind, u64::from_be_bytes(masked)).cast_signed();
        Some(Presented { id, digest: Digest::of(&*bytes) })
    }

    /// Masks an id by a Feistel network over its two halves: a permutation of all 64-bit numbers that only the holder
    /// of the key can reverse.
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

    /// Returns the mask of a refresh token's generation: 24 bits that depend on the token's id and random bytes.
    fn generation_mask(&self, bytes: &[u8; TOKEN_BYTES]) -> u32 {
        let mut message = [0; TOKEN_BYTES - CHECK_BYTES - (GENERATION_END - ID_BYTES)];
        message[..ID_BYTES].copy_from_slice(&bytes[..ID_BYTES]);
        message[ID_BYTES..].copy_from_slice(&bytes[GENERATION_END..TOKEN_BYTES - CHECK_BYTES]);
        u32::from_be_bytes(self.keyed(&[b'g', TokenKind::Refresh as u8], &message)) & GENERATION_MAX
    }

    /// Returns the checksum of a token. It is keyed, so that an attacker cannot make texts that cost a query of the
    /// store.
    fn check(&self, kind: TokenKind, bytes: &[u8; TOKEN_BYTES]) -> [u8; CHECK_BYTES] {
        self.keyed(&[b'c', kind as u8], &bytes[..TOKEN_BYTES - CHECK_BYTES])
    }

    /// Returns the first bytes of a hash over key, label and message. All messages of a label have the same length, so
    /// a hash with the key in front is a sound keyed function here.
    fn keyed(&self, label: &[u8], message: &[u8]) -> [u8; 4] {
        let mut context = Context::new(&SHA256);
        context.update(&*self.0);
        context.update(label);
        context.update(message);
        let mut out = [0; 4];
        out.copy_from_slice(&context.finish().as_ref()[..4]);
        out
    }
}

fn halves(number: u64) -> (u32, u32) {
    ((number >> 32) as u32, (number & 0xffff_ffff) as u32)
}

fn joined(left: u32, right: u32) -> u64 {
    (u64::from(left) << 32) | u64::from(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_ids_look_unrelated() {
        let key = TokenKey(Zeroizing::new([7; 32]));
        let (a, b) = (key.masked(TokenKind::Access, 1), key.masked(TokenKind::Access, 2));
        assert!((a ^ b).count_ones() > 10, "{a:x} {b:x}");
    }
}
