import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { beginFlow } from '../lib/application.mjs';
import { setStage } from '../lib/stage.mjs';
import { STEP_S, stepWithTime, totp } from '../lib/totp.mjs';

let site, browser, client, strike;

before(async () => {
  ({ site, browser, client, strike } = await setStage('second-factor'));
});

after(() => strike?.());

const addCarol = async () => site.giveSecondFactor(await site.addPerson('Carol'));

test('a second factor is asked for after the password, and its code completes the flow', async () => {
  const [carol, person] = [await addCarol(), await browser.person(site)];
  await person.open(beginFlow(site, client).url);
  await person.signIn(carol);
  assert.equal(await person.asksFor(), 'second-factor');
  await person.confirm(carol);
  assert.equal(await person.asksFor(), 'consent');
  await person.decide('approve');
  assert.ok(person.answer().code);
  await person.leave();
});

test('the password alone opens nothing', async () => {
  const [carol, person] = [await addCarol(), await browser.person(site)];
  await person.open('/account');
  await person.signIn(carol);
  assert.equal(await person.asksFor(), 'second-factor');
  for (const path of ['/account', '/account/password', '/account/second-factor', '/account/sessions']) {
    await person.open(path);
    assert.match(await person.asksFor(), /^(sign-in|second-factor)$/, path);
  }
  await person.open(beginFlow(site, client, { prompt: 'none' }).url);
  assert.match(person.answer().error, /^(login_required|interaction_required)$/);
  await person.leave();
});

test('wrong, outdated and empty codes are refused, and the page asks again', async () => {
  const [carol, person] = [await addCarol(), await browser.person(site)];
  await person.open('/account');
  await person.signIn(carol);
  const outdated = totp(carol.secret, Date.now() / 1000 - 20 * STEP_S);
  for (const otp of ['not a code', outdated, `${totp(carol.secret)}0`]) {
    await person.submit({ otp });
    assert.equal(await person.asksFor(), 'second-factor');
    assert.notEqual(await person.complaint(), '');
  }
  await person.confirm(carol);
  assert.equal(await person.asksFor(), 'nothing');
  await person.leave();
});

// RFC 6238 §5.2: "The verifier MUST NOT accept the second attempt of the OTP after the successful validation has been
// issued for the first OTP, which ensures one-time only use of an OTP."
test('a code works once', async () => {
  const carol = await addCarol();
  const [person, thief] = [await browser.person(site), await browser.person(site)];
  for (const somebody of [person, thief]) {
    await somebody.open('/account');
    await somebody.signIn(carol);
  }
  await stepWithTime();
  const otp = totp(carol.secret);
  await person.submit({ otp });
  assert.equal(await person.asksFor(), 'nothing');
  await thief.submit({ otp });
  assert.equal(await thief.asksFor(), 'second-factor');
  assert.notEqual(await thief.complaint(), '');
  await Promise.all([person.leave(), thief.leave()]);
});

test('a recovery code stands in for the app, once', async () => {
  const carol = await addCarol();
  const [first, second] = carol.recoveryCodes;
  const signInWith = async (otp) => {
    const person = await browser.person(site);
    await person.open('/account');
    await person.signIn(carol);
    await person.submit({ otp });
    const asked = await person.asksFor();
    await person.leave();
    return asked;
  };
  assert.equal(await signInWith(first), 'nothing');
  assert.equal(await signInWith(first), 'second-factor');
  assert.equal(await signInWith(second), 'nothing');
});
