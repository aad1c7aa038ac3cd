import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base32, totp } from '../lib/totp.mjs';

// RFC 6238 Appendix B: the secrets are the ASCII digits 1234567890 repeated to the length of the hash.
const SECRETS = {
  sha1: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ',
  sha256: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA',
  sha512: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA',
};
const VECTORS = [
  [59, '94287082', '46119246', '90693936'],
  [1111111109, '07081804', '68084774', '25091201'],
  [1111111111, '14050471', '67062674', '99943326'],
  [1234567890, '89005924', '91819424', '93441116'],
  [2000000000, '69279037', '90698825', '38618901'],
  [20000000000, '65353130', '77737706', '47863826'],
];

test('codes are those of RFC 6238 Appendix B', () => {
  for (const [now_s, ...codes] of VECTORS) {
    const computed = ['sha1', 'sha256', 'sha512'].map((hash) => totp(SECRETS[hash], now_s, 8, hash));
    assert.deepEqual(computed, codes);
  }
});

test('base32 is that of RFC 4648 section 10, whatever its case, blanks and padding', () => {
  assert.equal(base32('MZXW6YTBOI======').toString(), 'foobar');
  assert.equal(base32('mzxw 6ytb').toString(), 'fooba');
  assert.throws(() => base32('MZX1'), /not a base32 letter: 1/);
});
