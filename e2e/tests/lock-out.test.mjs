import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setStage } from '../lib/stage.mjs';

const FAILURES = 3;
let site, browser, strike;

before(async () => {
  const settings = { GRANTRY_LOCKOUT__ACCOUNT_FAILURES: String(FAILURES) };
  ({ site, browser, strike } = await setStage('lock-out', settings));
});

after(() => strike?.());

async function failOften(person, who) {
  await person.open('/account');
  for (let failure = 0; failure < FAILURES; failure++) await person.signIn(who, 'not the password');
}

test('after too many failures the right password is refused too, and the page says how long to wait', async () => {
  const [alice, bob, person] = [await site.addPerson(), await site.addPerson('Bob'), await browser.person(site)];
  await failOften(person, alice);
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'sign-in');
  assert.match(await person.complaint(), /minute/i);
  await person.signIn(bob);
  assert.equal(await person.asksFor(), 'nothing', 'another account is not locked');
  await person.leave();
});

test('a name and its e-mail address count as one account', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await failOften(person, alice);
  await person.submit({ username: alice.email, password: alice.password });
  assert.equal(await person.asksFor(), 'sign-in');
  assert.match(await person.complaint(), /minute/i);
  await person.leave();
});

test('wrong codes of the second factor lock the account as well', async () => {
  const [alice, person] = [await site.giveSecondFactor(await site.addPerson()), await browser.person(site)];
  await person.open('/account');
  await person.signIn(alice);
  for (let failure = 0; failure < FAILURES && (await person.asksFor()) === 'second-factor'; failure++) {
    await person.submit({ otp: '000000' });
  }
  if ((await person.asksFor()) === 'second-factor') await person.submit({ otp: alice.recoveryCodes[0] });
  assert.notEqual(await person.asksFor(), 'nothing', 'a right code no longer helps');
  assert.match(await person.complaint(), /minute/i);
  await person.leave();
});
