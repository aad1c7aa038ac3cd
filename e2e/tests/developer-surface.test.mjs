// Developers of a surface that is not the standard one: applications and personal tokens as its documentation has them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { look } from '../lib/look.mjs';
import { signedInAt } from '../lib/person.mjs';
import { setStage } from '../lib/stage.mjs';

let site, application, browser, strike;

before(async () => {
  const settings = { GRANTRY_DIALECTS__ENABLE: 'standard,paced', GRANTRY_DIALECTS__ACCEPT: 'refresh-without-expiry' };
  const more = () => '\n[dialect.paced]\nhosts = []\nprefix = "/paced"\n';
  ({ site, application, browser, strike } = await setStage('developer-surface', settings, more));
});

after(() => strike?.());

const at = (path, who) => signedInAt(browser, site, path, who);

async function me(token) {
  const response = await fetch(`${site.origin}/paced/api/v1/me`, { headers: { authorization: `Bearer ${token}` } });
  return { status: response.status, body: await response.json().catch(() => ({})) };
}

test('an application is registered for a surface and works at the addresses that its page shows', async () => {
  const alice = await site.addPerson();
  const person = await at('/developer/applications/new', alice);
  await person.field('dialect').selectOption('paced');
  await person.act('create', { name: 'Importer', redirect_uris: application.callback });
  const read = (id) => person.page.locator(`#${id}`).innerText();
  const [client_id, client_secret] = [await read('client-id'), site.keepSecret(await read('secret'))];
  const [authorize, token] = [await read('at-authorize'), await read('at-token')];
  assert.equal(authorize, `${site.origin}/paced/oauth/authorize`);
  const redirect_uri = application.callback;
  await person.open(`${authorize}?${new URLSearchParams({ client_id, redirect_uri, response_type: 'code' })}`);
  assert.equal(await person.asksFor(), 'consent');
  await person.decide('approve');
  const { code } = person.answer();
  const body = new URLSearchParams({ grant_type: 'authorization_code', code, client_id, client_secret, redirect_uri });
  const answer = await (await fetch(token, { method: 'POST', body })).json();
  assert.deepEqual(Object.keys(answer), ['access_token', 'refresh_token', 'expires_in', 'token_type']);
  assert.deepEqual([answer.expires_in, answer.token_type], [7200, 'bearer']);
  for (const text of [answer.access_token, answer.refresh_token]) site.keepSecret(text);
  assert.equal((await me(answer.access_token)).body.name, alice.name);
  await person.leave();
});

test('a personal token of a surface needs a name alone, and works at its address', async () => {
  const alice = await site.addPerson();
  const person = await at('/developer/tokens/new?dialect=paced', alice);
  await person.act('create', { name: 'Script' });
  const token = site.keepSecret(await person.page.locator('#secret').innerText());
  assert.match(token, /^pt_secret_[0-9A-Za-z]{43}$/);
  assert.deepEqual(await me(token), { status: 200, body: { id: alice.id, name: alice.name, email: alice.email } });
  const standard = await fetch(`${site.origin}/oauth/userinfo`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(standard.status, 401, 'another surface does not take it');
  await person.open('/developer');
  assert.match(await person.words(), /Last used just now/);
  await person.act('revoke');
  assert.equal((await me(token)).status, 401);
  await person.leave();
});

test('axe and the eye find nothing wrong where there are several surfaces', async () => {
  const person = await at('/developer/tokens/new?dialect=paced', await site.addPerson());
  assert.deepEqual(await look(person.page, 'developer-surface-token-new'), []);
  await person.act('create', { name: 'Script' });
  site.keepSecret(await person.page.locator('#secret').innerText());
  assert.deepEqual(await look(person.page, 'developer-surface'), []);
  await person.open('/developer/applications/new?dialect=paced');
  assert.equal(await person.field('dialect').inputValue(), 'paced');
  assert.deepEqual(await look(person.page, 'developer-surface-application-new'), []);
  await person.leave();
});
