import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { scannedCode, shownRecoveryCodes, shownSecret } from '../lib/page-text.mjs';
import { setStage } from '../lib/stage.mjs';
import { stepWithTime, totp } from '../lib/totp.mjs';

const PATH = '/account/second-factor';
let site, browser, strike;

before(async () => {
  ({ site, browser, strike } = await setStage('account-second-factor'));
});

after(() => strike?.());

async function signedIn(who, options) {
  const person = await browser.person(site, options);
  await person.open(PATH);
  await person.signIn(who);
  return person;
}

/** Sets up a second factor as a person does, and gives the secret and the recovery codes that the pages showed. */
async function enrol(person) {
  await person.act('enrol-totp');
  const secret = site.keepSecret(await shownSecret(person));
  await stepWithTime();
  await person.act('confirm-totp', { otp: totp(secret) });
  const recoveryCodes = await shownRecoveryCodes(person);
  recoveryCodes.forEach((code) => site.keepSecret(code));
  return { secret, recoveryCodes };
}

/** Where a sign-in with the password and this code ends. */
async function signInWith(who, otp) {
  const person = await signedIn(who);
  assert.equal(await person.asksFor(), 'second-factor');
  await person.submit({ otp });
  const asked = await person.asksFor();
  const isInside = new URL(person.page.url()).pathname === PATH && (await person.complaint()) === '';
  await person.leave();
  return isInside ? 'inside' : asked;
}

test('a person sets up a second factor, and signing in asks for it from then on', async () => {
  const alice = await site.addPerson();
  const person = await signedIn(alice);
  const { recoveryCodes } = await enrol(person);
  assert.equal(await person.complaint(), '');
  assert.ok(recoveryCodes.length >= 5, `recovery codes: ${recoveryCodes.length}`);
  assert.equal(await signInWith(alice, recoveryCodes[0]), 'inside');
  assert.equal(await signInWith(alice, recoveryCodes[0]), 'second-factor');
  await person.leave();
});

for (const colorScheme of ['light', 'dark']) {
  test(`a phone can read the QR code in ${colorScheme} colours, and it carries the secret that is shown`, async () => {
    const alice = await site.addPerson();
    const person = await signedIn(alice, { colorScheme });
    await person.act('enrol-totp');
    const scanned = await scannedCode(person);
    assert.ok(scanned, 'the QR code can be read');
    const uri = new URL(scanned);
    assert.equal(`${uri.protocol}//${uri.host}`, 'otpauth://totp');
    assert.equal(uri.searchParams.get('secret'), await shownSecret(person));
    await person.leave();
  });
}

test('a second factor is not switched on before its first code is right', async () => {
  const alice = await site.addPerson();
  const person = await signedIn(alice);
  await person.act('enrol-totp');
  await person.act('confirm-totp', { otp: '000000' });
  assert.notEqual(await person.complaint(), '');
  const other = await signedIn(alice);
  assert.notEqual(await other.asksFor(), 'second-factor');
  await Promise.all([person.leave(), other.leave()]);
});

test('a second factor is removed with the password only', async () => {
  const alice = await site.addPerson();
  const person = await signedIn(alice);
  const { recoveryCodes } = await enrol(person);
  await person.open(PATH);
  await person.act('remove-totp', { password: 'not the password' });
  assert.notEqual(await person.complaint(), '');
  assert.equal(await signInWith(alice, recoveryCodes[0]), 'inside', 'it still asks for the factor');
  await person.open(PATH);
  await person.act('remove-totp', { password: alice.password });
  assert.equal(await person.complaint(), '');
  const other = await signedIn(alice);
  assert.equal(new URL(other.page.url()).pathname, PATH, 'the password alone is enough again');
  assert.equal(await other.button('action', 'enrol-totp').count(), 1);
  await Promise.all([person.leave(), other.leave()]);
});

test('new recovery codes take the place of the old ones', async () => {
  const alice = await site.addPerson();
  const person = await signedIn(alice);
  const old = (await enrol(person)).recoveryCodes;
  await person.open(PATH);
  await person.act('new-recovery-codes');
  const fresh = await shownRecoveryCodes(person);
  fresh.forEach((code) => site.keepSecret(code));
  assert.equal(fresh.length, old.length);
  assert.equal(fresh.some((code) => old.includes(code)), false);
  assert.equal(await signInWith(alice, old[0]), 'second-factor');
  assert.equal(await signInWith(alice, fresh[0]), 'inside');
  await person.leave();
});
