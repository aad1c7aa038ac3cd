// Each surface's screens, as its users meet them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startApplication } from '../lib/application.mjs';
import { look } from '../lib/look.mjs';
import { startBrowser } from '../lib/person.mjs';
import { addApplication, askSurface, authorizeUrl, originOf, startSurfaces } from '../lib/surfaces.mjs';
import { totp } from '../lib/totp.mjs';

let site, application, browser;

before(async () => {
  [site, application, browser] = await Promise.all([startSurfaces('surfaces'), startApplication(), startBrowser()]);
});

after(() => Promise.all([site?.stop(), application?.stop(), browser?.stop()]));

/** Somebody goes to a surface, signs in and allows what is asked; gives what came back, and what the consent page said. */
async function connect(name, client, more = {}) {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open(authorizeUrl(site, name, client, more));
  assert.equal(new URL(person.page.url()).origin, originOf(site, name), 'the pages are under the surface\'s own host');
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'consent');
  const words = await person.words();
  const faults = await look(person.page, `surface-${name}-consent`);
  assert.deepEqual(faults, []);
  await person.decide('approve');
  const answer = person.answer();
  await person.leave();
  return { alice, answer, words };
}

test('tinyemail: a code for the one permission that there is, redeemed by a query', async () => {
  const client = await addApplication(site, 'tinyemail', application.callback);
  const { answer, words } = await connect('tinyemail', client, { grant_type: 'authorization_code', scope: 'import_customers' });
  assert.match(words, /create\/update\/get customer resources/);
  const query = new URLSearchParams({
    response_type: 'token', client_id: client.id, client_secret: client.secret, code: answer.code,
    redirect_uri: client.redirectUri, grant_type: 'authorization_code',
  });
  const path = `/api/authorization-server/oauth/token?${query}`;
  const { status, body } = await askSurface(site, 'tinyemail', path, { method: 'POST' });
  assert.equal(status, 200);
  assert.match(body.access_token, /^[0-9a-f]{64}$/);
  assert.deepEqual(Object.keys(body), ['access_token', 'token_type', 'expires_in', 'refresh_token', 'scope']);
});

test('tinyplus: the token comes back in the query, in the documented order', async () => {
  const client = await addApplication(site, 'tinyplus', application.callback);
  const { answer, words } = await connect('tinyplus', client, { response_type: 'token', scope: 'read', state: 'a b' });
  assert.match(words, /Read your tiny\+ data/);
  assert.deepEqual(Object.keys(answer), ['token_type', 'expires_in', 'access_token', 'state']);
  assert.equal(answer.state, 'a b');
});

test('tinyplus: response_mode=fragment keeps the token out of the query', async () => {
  const client = await addApplication(site, 'tinyplus', application.callback);
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open(authorizeUrl(site, 'tinyplus', client, { response_type: 'token', response_mode: 'fragment' }));
  await person.signIn(alice);
  await person.decide('approve');
  const { search, hash } = new URL(person.page.url());
  assert.equal(search, '');
  assert.match(hash, /^#token_type=Bearer&expires_in=3600&access_token=[^&]+&scope=read$/);
  await person.leave();
});

test('tinyplus: the second factor has seven digits', async () => {
  const client = await addApplication(site, 'tinyplus', application.callback);
  const bob = await site.addPerson('Bob');
  const factor = await site.ask(['user', 'totp', bob.username, '--enable', '--digits', '7']);
  const person = await browser.person(site);
  await person.open(authorizeUrl(site, 'tinyplus', client, { response_type: 'token' }));
  await person.signIn(bob);
  assert.equal(await person.asksFor(), 'second-factor');
  assert.deepEqual(await look(person.page, 'surface-tinyplus-second-factor'), []);
  await person.submit({ otp: totp(factor.secret, Date.now() / 1000, 7) });
  assert.equal(await person.asksFor(), 'consent');
  await person.leave();
});

test('tinyrebrand: an API call sends the browser on to the pages, and the code is redeemed as JSON', async () => {
  const client = await addApplication(site, 'tinyrebrand', application.callback, ['--kind', 'confidential']);
  const { alice, answer, words } = await connect('tinyrebrand', client, { scope: 'user:read links:read', state: 's' });
  assert.match(words, /Read user profile information/);
  assert.deepEqual(Object.keys(answer), ['code', 'state']);
  const { status, body } = await askSurface(site, 'tinyrebrand', '/api/oauth/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      grant_type: 'authorization_code', client_id: client.id, client_secret: client.secret, code: answer.code,
      redirect_uri: client.redirectUri,
    }),
  });
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body), ['status', 'code', 'message', 'data']);
  assert.match(body.data.access_token, /^at_[0-9a-f]{64}$/);
  assert.deepEqual(body.data.user, { id: alice.id, email: alice.email, name: alice.name });
});

test('php-endpoints: a raw redirect URI, a code without grant type, and a profile of three members', async () => {
  const client = await addApplication(site, 'php-endpoints', application.callback);
  const origin = originOf(site, 'php-endpoints');
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open(`${origin}/api/authorize.php?client_id=${client.id}&redirect_uri=${client.redirectUri}&response_type=code`);
  await person.signIn(alice);
  assert.deepEqual(await look(person.page, 'surface-php-endpoints-consent'), []);
  await person.decide('approve');
  const { code } = person.answer();
  const form = new URLSearchParams({ code, client_id: client.id, client_secret: client.secret });
  const { status, body } = await askSurface(site, 'php-endpoints', '/api/token.php', { method: 'POST', body: form });
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body), ['access_token', 'token_type', 'expires_in']);
  // A script of the application's own page asks, from another origin.
  const profile = await person.page.evaluate(async ([url, token]) => {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    return answer.json();
  }, [`${origin}/api/userinfo.php`, body.access_token]);
  assert.deepEqual(profile, { username: alice.username, email: alice.email, full_name: alice.name });
  await person.leave();
});

test('paced: four members, the same refresh token again, and both kinds of token at /api/v1/me', async () => {
  const client = await addApplication(site, 'paced', application.callback);
  const { alice, answer } = await connect('paced', client);
  const ask = async (form) => {
    const more = { client_id: client.id, client_secret: client.secret };
    const body = new URLSearchParams({ ...form, ...more });
    return askSurface(site, 'paced', '/oauth/token', { method: 'POST', body });
  };
  const first = await ask({ grant_type: 'authorization_code', code: answer.code, redirect_uri: client.redirectUri });
  assert.deepEqual(Object.keys(first.body), ['access_token', 'refresh_token', 'expires_in', 'token_type']);
  assert.deepEqual([first.body.expires_in, first.body.token_type], [7200, 'bearer']);
  const second = await ask({ grant_type: 'refresh_token', refresh_token: first.body.refresh_token });
  assert.equal(second.body.refresh_token, first.body.refresh_token);
  const personal = await site.ask(['token', 'add', '--user', alice.username, '--name', 'ci', '--dialect', 'paced']);
  for (const token of [second.body.access_token, site.keepSecret(personal.token)]) {
    const me = await askSurface(site, 'paced', '/api/v1/me', { headers: { authorization: `Bearer ${token}` } });
    assert.deepEqual(me.body, { id: alice.id, name: alice.name, email: alice.email });
  }
});

test('an application of one surface is unknown on every other', async () => {
  const client = await addApplication(site, 'paced', application.callback);
  const person = await browser.person(site);
  const response = await person.open(authorizeUrl(site, 'tinyemail', client));
  assert.equal(response.status(), 400);
  assert.match(await person.words(), /client_id/);
  await person.leave();
});
