import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setStage } from '../lib/stage.mjs';

let site, browser, strike;

before(async () => {
  ({ site, browser, strike } = await setStage('sign-out'));
});

after(() => strike?.());

async function signedIn() {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open('/account');
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'nothing');
  return person;
}

test('signing out is confirmed first, so that no link can do it', async () => {
  const person = await signedIn();
  await person.open('/logout');
  assert.equal(await person.asksFor(), 'sign-out');
  await person.open('/account');
  assert.equal(await person.asksFor(), 'nothing', 'opening the page has not signed out');
  await person.leave();
});

test('signing out ends the session at the server, not only in the browser', async () => {
  const [person, thief] = [await signedIn(), await browser.person(site)];
  await thief.context.addCookies(await person.context.cookies());
  await thief.open('/account');
  assert.equal(await thief.asksFor(), 'nothing', 'the copied cookie works while the session lives');
  await person.open('/logout');
  const response = await person.decide('sign-out');
  assert.equal(response.status(), 200);
  for (const somebody of [person, thief]) {
    await somebody.open('/account');
    assert.equal(await somebody.asksFor(), 'sign-in');
  }
  await Promise.all([person.leave(), thief.leave()]);
});

test('signing out twice does no harm', async () => {
  const person = await signedIn();
  await person.open('/logout');
  await person.decide('sign-out');
  const response = await person.open('/logout');
  assert.ok(response.status() < 400, String(response.status()));
  await person.leave();
});
