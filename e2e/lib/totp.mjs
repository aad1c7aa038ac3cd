// Time-based one-time passwords as an authenticator app computes them: RFC 6238 over RFC 4226, secrets in base32.
import { createHmac } from 'node:crypto';

export const STEP_S = 30;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The bytes that a base32 text (RFC 4648 §6) stands for; case, blanks and padding do not matter. */
export function base32(text) {
  let bits = '';
  for (const letter of text.toUpperCase().replace(/[\s=-]/g, '')) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) throw new Error(`not a base32 letter: ${letter}`);
    bits += value.toString(2).padStart(5, '0');
  }
  const bytes = bits.match(/.{8}/g) ?? [];
  return Buffer.from(bytes.map((byte) => parseInt(byte, 2)));
}

/** The code of `secret` (base32) at `now_s`, seconds since 1970. */
export function totp(secret, now_s = Date.now() / 1000, digits = 6, hash = 'sha1') {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(now_s / STEP_S)));
  const mac = createHmac(hash, base32(secret)).update(counter).digest();
  const offset = mac.at(-1) & 0x0f;
  const number = mac.readUInt32BE(offset) & 0x7fffffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}

/** Waits until the present step has at least `left_s` seconds left, so that a code does not change while it is typed. */
export async function stepWithTime(left_s = 8) {
  const left = STEP_S - ((Date.now() / 1000) % STEP_S);
  if (left < left_s) await new Promise((resolve) => setTimeout(resolve, left * 1000 + 200));
}
