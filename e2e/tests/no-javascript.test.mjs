import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { beginFlow, redeem } from '../lib/application.mjs';
import { shownRecoveryCodes, shownSecret } from '../lib/page-text.mjs';
import { setStage } from '../lib/stage.mjs';
import { stepWithTime, totp } from '../lib/totp.mjs';

const WITHOUT = { javaScriptEnabled: false };
let site, application, browser, client, strike;

before(async () => {
  ({ site, application, browser, client, strike } = await setStage('no-javascript'));
});

after(() => strike?.());

test('the whole flow works without JavaScript: wrong password, second factor, consent, code', async () => {
  const [carol, person] = [await site.giveSecondFactor(await site.addPerson('Carol')), await browser.person(site, WITHOUT)];
  const flow = beginFlow(site, client);
  await person.open(flow.url);
  await person.signIn(carol, 'not the password');
  assert.notEqual(await person.complaint(), '');
  await person.signIn(carol);
  await person.confirm(carol);
  assert.equal(await person.asksFor(), 'consent');
  await person.decide('approve');
  assert.equal((await redeem(site, client, flow, person.answer().code)).status, 200);
  await person.leave();
});

test('denying works without JavaScript', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site, WITHOUT)];
  await person.open(beginFlow(site, client).url);
  await person.signIn(alice);
  await person.decide('deny');
  assert.equal(person.answer().error, 'access_denied');
  await person.leave();
});

test('response_mode=form_post has a button for a browser without JavaScript', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site, WITHOUT)];
  const flow = beginFlow(site, client, { response_mode: 'form_post' });
  await person.open(flow.url);
  await person.signIn(alice);
  await person.decide('approve');
  await person.press(person.page.locator('main button, main input[type=submit]'));
  assert.equal(person.page.url(), application.callback);
  assert.ok(application.posts.find((posted) => posted.get('state') === flow.state)?.get('code'));
  await person.leave();
});

test('the account is kept without JavaScript: name, password, second factor, sign-out', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site, WITHOUT)];
  await person.open('/account');
  await person.signIn(alice);
  await person.act('profile', { name: 'Alice Liddell' });
  await person.open('/account/password');
  const changed = site.keepSecret('maroon-lantern-76-orchard');
  await person.act('password', { current_password: alice.password, new_password: changed });
  assert.equal(await person.complaint(), '');
  await person.open('/account/second-factor');
  await person.act('enrol-totp');
  const secret = site.keepSecret(await shownSecret(person));
  await stepWithTime();
  await person.act('confirm-totp', { otp: totp(secret) });
  assert.notEqual((await shownRecoveryCodes(person)).length, 0);
  await person.open('/logout');
  await person.decide('sign-out');
  await person.open('/account');
  assert.equal(await person.asksFor(), 'sign-in');
  await person.signIn(alice, changed);
  assert.equal(await person.asksFor(), 'second-factor');
  await person.leave();
});
