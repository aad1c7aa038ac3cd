import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { beginFlow, redeem, userinfo } from '../lib/application.mjs';
import { signedInAt } from '../lib/person.mjs';
import { setStage } from '../lib/stage.mjs';

let site, browser, client, strike;

before(async () => {
  ({ site, browser, client, strike } = await setStage('account'));
});

after(() => strike?.());

/** A person who has signed in and opened a page of the account. */
const at = (path, who, options) => signedInAt(browser, site, path, who, options);

async function isSignedIn(person) {
  await person.open('/account');
  return (await person.asksFor()) !== 'sign-in';
}

test('a person reads and changes the own name', async () => {
  const alice = await site.addPerson();
  const person = await at('/account', alice);
  const words = await person.words();
  assert.ok(words.includes(alice.email) || (await person.page.locator(`[value="${alice.email}"]`).count()));
  await person.act('profile', { name: 'Alice Liddell' });
  await person.open('/account');
  assert.equal(await person.field('name').inputValue(), 'Alice Liddell');
  const known = await site.ask(['user', 'show', alice.username]);
  assert.equal(known.name, 'Alice Liddell');
  await person.leave();
});

test('a name of markup is shown as text', async () => {
  const person = await at('/account', await site.addPerson());
  await person.act('profile', { name: '<b id="planted">Mallory</b>' });
  await person.open('/account');
  assert.equal(await person.page.locator('#planted').count(), 0);
  await person.leave();
});

test('a new password takes the place of the old one', async () => {
  const alice = await site.addPerson();
  const person = await at('/account/password', alice);
  const changed = site.keepSecret('maroon-lantern-76-orchard');
  await person.act('password', { current_password: alice.password, new_password: changed });
  assert.equal(await person.complaint(), '');
  const other = await browser.person(site);
  await other.open('/account');
  await other.signIn(alice);
  assert.equal(await other.asksFor(), 'sign-in', 'the old password is dead');
  await other.signIn(alice, changed);
  assert.equal(await other.asksFor(), 'nothing');
  await Promise.all([person.leave(), other.leave()]);
});

// OWASP ASVS 5.0 V6.2.3: changing a password needs the current one.
test('a password is not changed without the current one, nor into a weak one', async () => {
  const alice = await site.addPerson();
  const person = await at('/account/password', alice);
  const attempts = [
    ['not the password', 'maroon-lantern-76-orchard'],
    [alice.password, 'short'],
    [alice.password, 'password123'],
  ];
  for (const [current_password, new_password] of attempts) {
    await person.page.evaluate(() => document.querySelectorAll('form').forEach((form) => (form.noValidate = true)));
    await person.act('password', { current_password, new_password });
    assert.notEqual(await person.complaint(), '', new_password);
  }
  const other = await browser.person(site);
  await other.open('/account');
  await other.signIn(alice);
  assert.equal(await other.asksFor(), 'nothing', 'the password is what it was');
  await Promise.all([person.leave(), other.leave()]);
});

test('a person sees the own sessions and ends one of them', async () => {
  const alice = await site.addPerson();
  const [person, forgotten] = [await at('/account', alice), await at('/account', alice)];
  await person.open('/account/sessions');
  assert.equal(await person.button('action', 'end-session').count(), 1, 'the present session is not among those to end');
  await person.act('end-session');
  assert.equal(await isSignedIn(forgotten), false);
  assert.equal(await isSignedIn(person), true);
  await Promise.all([person.leave(), forgotten.leave()]);
});

test('a person ends all other sessions at once', async () => {
  const alice = await site.addPerson();
  const [person, ...others] = [await at('/account', alice), await at('/account', alice), await at('/account', alice)];
  await person.open('/account/sessions');
  await person.act('end-other-sessions');
  for (const other of others) assert.equal(await isSignedIn(other), false);
  assert.equal(await isSignedIn(person), true);
  await Promise.all([person, ...others].map((somebody) => somebody.leave()));
});

test('nobody ends the session of somebody else', async () => {
  const [alice, mallory] = [await site.addPerson(), await site.addPerson('Mallory')];
  const [victim, viewer] = [await at('/account', alice), await at('/account/sessions', alice)];
  const id = await viewer.field('session').first().getAttribute('value');
  const intruder = await at('/account/sessions', mallory);
  const extra = await at('/account', mallory);
  await intruder.open('/account/sessions');
  await intruder.field('session').first().evaluate((input, value) => (input.value = value), id);
  await intruder.act('end-session');
  assert.equal(await isSignedIn(victim), true);
  await Promise.all([victim, viewer, intruder, extra].map((somebody) => somebody.leave()));
});

test('a connected application is listed with what it may do, and removing it kills its tokens', async () => {
  const alice = await site.addPerson();
  const person = await at('/account/applications', alice);
  assert.equal(await person.button('action', 'disconnect').count(), 0);
  const flow = beginFlow(site, client);
  await person.open(flow.url);
  await person.decide('approve');
  const tokens = await redeem(site, client, flow, person.answer().code);
  assert.equal((await userinfo(site, tokens.body.access_token)).status, 200);
  await person.open('/account/applications');
  const words = await person.words();
  assert.match(words, /Importer/);
  assert.match(words, /Read your links/);
  await person.act('disconnect', {}, `[name="client"][value="${client.id}"]`);
  assert.equal((await userinfo(site, tokens.body.access_token)).status, 401);
  await person.open('/account/applications');
  assert.equal(await person.button('action', 'disconnect').count(), 0);
  await person.open(beginFlow(site, client).url);
  assert.equal(await person.asksFor(), 'consent', 'it has to ask again');
  await person.leave();
});
