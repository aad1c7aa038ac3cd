import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { beginFlow, introspect, redeem, userinfo } from '../lib/application.mjs';
import { look } from '../lib/look.mjs';
import { signedInAt } from '../lib/person.mjs';
import { setStage } from '../lib/stage.mjs';

const NEW_APPLICATION = '/developer/applications/new';
const NEW_TOKEN = '/developer/tokens/new';
let site, application, browser, strike;

before(async () => {
  ({ site, application, browser, strike } = await setStage('developer'));
});

after(() => strike?.());

/** A person who has signed in and opened a page of developers. */
const at = (path, who, options) => signedInAt(browser, site, path, who, options);

/** The client ID and, where the page shows one, the secret. */
async function credentials(person) {
  const id = await person.page.locator('#client-id').innerText();
  const shown = person.page.locator('#secret');
  const secret = (await shown.count()) ? site.keepSecret(await shown.innerText()) : null;
  return { id, secret };
}

/** Registers an application and gives what it needs to know. */
async function register(person, name = 'Importer', redirectUri = application.callback) {
  await person.open(NEW_APPLICATION);
  await person.act('create', { name, redirect_uris: redirectUri });
  assert.equal(await person.complaint(), '');
  return { ...(await credentials(person)), name, redirectUri, path: new URL(person.page.url()).pathname };
}

/** Does the server take this secret? */
async function isSecretGood(client, secret) {
  return (await introspect(site, { ...client, secret }, 'no token')).status === 200;
}

test('nobody sees anything of developers without signing in, and everybody gets back there', async () => {
  const alice = await site.addPerson();
  for (const path of ['/developer', NEW_APPLICATION, NEW_TOKEN]) await (await at(path, alice)).leave();
});

test('an application is registered, its secret is shown once and works in a code flow', async () => {
  const alice = await site.addPerson();
  const person = await at('/developer', alice);
  assert.match(await person.words(), /no application yet/i);
  const client = await register(person);
  assert.match(client.secret, /^gcs_[a-z2-7]{52}$/);
  assert.ok(!person.page.url().includes(client.secret));
  await person.page.reload();
  assert.ok(!(await person.page.content()).includes(client.secret), 'the secret is gone after a reload');
  await person.open('/developer');
  assert.ok(!(await person.page.content()).includes(client.secret));
  assert.match(await person.words(), /Importer/);
  assert.equal(await person.page.locator(`a[href$="${client.path}"]`).count(), 1, 'there is one application, not two');
  const flow = beginFlow(site, client, { scope: 'profile' });
  await person.open(flow.url);
  assert.equal(await person.asksFor(), 'consent');
  assert.match(await person.words(), /Importer/);
  await person.decide('approve');
  const tokens = await redeem(site, client, flow, person.answer().code);
  assert.equal(tokens.status, 200);
  assert.equal((await userinfo(site, tokens.body.access_token)).body.name, alice.name);
  await person.open(client.path);
  assert.match(await person.words(), /1 person/, 'one person is connected');
  await person.leave();
});

const LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="3" fill="#b4233c"/></svg>';

test('whoever is asked sees the logo, and reads that nobody checked the application', async () => {
  const asked = [];
  let isThere = true;
  const serveLogo = (person) => person.page.route('https://logo.example/**', (route) => {
    asked.push(route.request().headers());
    return isThere ? route.fulfill({ contentType: 'image/svg+xml', body: LOGO }) : route.abort();
  });
  const developer = await at(NEW_APPLICATION, await site.addPerson());
  await serveLogo(developer);
  const values = { name: 'Importer', redirect_uris: application.callback, logo_uri: 'https://logo.example/logo.svg' };
  await developer.act('create', values);
  const client = { ...(await credentials(developer)), redirectUri: application.callback };
  const logo = (person) => person.page.getByRole('img', { name: 'Logo of Importer' });
  assert.ok(await logo(developer).evaluate((image) => image.decode().then(() => image.naturalWidth > 0)));
  assert.deepEqual(await look(developer.page, 'developer-application-logo'), []);
  await developer.leave();

  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await serveLogo(person);
  asked.length = 0;
  await person.open(beginFlow(site, client, { scope: 'profile' }).url);
  assert.equal(asked.length, 0, 'who is not signed in is not told to a stranger');
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'consent');
  assert.match(await person.words(), /Importer was registered by its developer\. Nobody at .+ has checked it\./);
  assert.ok(await logo(person).evaluate((image) => image.decode().then(() => image.naturalWidth > 0)));
  assert.ok(asked.length > 0 && asked.every((headers) => !('referer' in headers)));
  assert.deepEqual(await look(person.page, 'consent-unchecked'), []);
  isThere = false;
  await person.open(beginFlow(site, client, { scope: 'profile', state: 'again' }).url);
  await logo(person).waitFor({ state: 'detached' });
  await person.leave();
});

test('a page of an application has the addresses that its developer needs', async () => {
  const person = await at('/developer', await site.addPerson());
  await register(person);
  const words = await person.words();
  for (const path of ['authorize', 'token', 'userinfo', 'revoke', 'introspect']) {
    assert.ok(words.includes(`${site.origin}/oauth/${path}`), path);
  }
  await person.leave();
});

test('everything about an application works without scripts', async () => {
  const person = await at('/developer', await site.addPerson(), { javaScriptEnabled: false });
  const client = await register(person);
  assert.ok(await isSecretGood(client, client.secret));
  await person.act('save', { name: 'Renamed' });
  assert.match(await person.words(), /Renamed/);
  await person.act('delete');
  await person.act('delete');
  assert.equal(new URL(person.page.url()).pathname, '/developer');
  await person.leave();
});

test('a public application gets no secret', async () => {
  const person = await at(NEW_APPLICATION, await site.addPerson());
  await person.page.locator('[name=kind][value=public]').check();
  await person.act('create', { name: 'Phone', redirect_uris: 'com.example.phone:/callback' });
  const client = await credentials(person);
  assert.equal(client.secret, null);
  assert.equal(await person.button('action', 'add-secret').count(), 0);
  const known = await site.ask(['client', 'show', client.id]);
  assert.deepEqual([known.kind, known.pkce], ['public', 'required']);
  await person.leave();
});

test('what is changed about an application counts at once', async () => {
  const person = await at('/developer', await site.addPerson());
  const client = await register(person);
  const moved = `${application.callback}?moved=1`;
  await person.act('save', { name: 'Exporter', redirect_uris: `https://exporter.example/cb\n${moved}` });
  assert.equal(await person.complaint(), '');
  assert.match(await person.page.locator('h1').innerText(), /Exporter/);
  assert.equal((await person.open(beginFlow(site, client).url)).status(), 400, 'the old address is gone');
  await person.open(beginFlow(site, { ...client, redirectUri: moved }).url);
  assert.equal(await person.asksFor(), 'consent');
  assert.match(await person.words(), /Exporter/);
  await person.leave();
});

test('a secret is replaced without an outage', async () => {
  const person = await at('/developer', await site.addPerson());
  const client = await register(person);
  await person.act('add-secret');
  const { secret } = await credentials(person);
  assert.notEqual(secret, client.secret);
  assert.ok((await isSecretGood(client, client.secret)) && (await isSecretGood(client, secret)), 'both work');
  await person.page.reload();
  assert.ok(!(await person.page.content()).includes(secret), 'the secret is gone after a reload');
  assert.equal(await person.button('action', 'add-secret').count(), 0, 'two are the most');
  assert.equal(await person.button('action', 'retire-secret').count(), 2);
  await person.act('retire-secret');
  assert.equal(await isSecretGood(client, client.secret), false, 'the first one is dead');
  assert.equal(await isSecretGood(client, secret), true);
  assert.equal(await person.button('action', 'retire-secret').count(), 0, 'one stays');
  await person.leave();
});

test('an application is deleted after a question, and is gone everywhere', async () => {
  const person = await at('/developer', await site.addPerson());
  const client = await register(person);
  await person.act('delete');
  assert.match(await person.words(), /cannot be undone/i);
  assert.ok(await isSecretGood(client, client.secret), 'a question deletes nothing');
  await person.act('delete');
  assert.equal(new URL(person.page.url()).pathname, '/developer');
  assert.match(await person.words(), /no application yet/i);
  assert.equal(await isSecretGood(client, client.secret), false);
  assert.equal((await person.open(client.path)).status(), 404);
  assert.equal((await person.open(beginFlow(site, client).url)).status(), 400);
  await person.leave();
});

test('nobody sees or changes an application or a token of somebody else', async () => {
  const [alice, mallory] = [await site.addPerson(), await site.addPerson('Mallory')];
  const owner = await at('/developer', alice);
  const client = await register(owner);
  await owner.open(NEW_TOKEN);
  await owner.act('create', { name: 'ci' });
  const token = await credentialsOfToken(owner);
  const reference = await owner.field('token').first().getAttribute('value');
  const intruder = await at('/developer', mallory);
  assert.equal((await intruder.open(client.path)).status(), 404);
  const own = await register(intruder, 'Own');
  for (const [action, more] of [
    ['save', { name: 'Stolen', redirect_uris: 'https://evil.example/' }],
    ['delete', { confirm: 'yes' }],
    ['add-secret', {}],
    ['retire-secret', {}],
  ]) {
    assert.equal(await forge(intruder, own.path, client.path, { action, ...more }), 404, action);
  }
  assert.equal(await forge(intruder, own.path, '/developer', { action: 'revoke', token: reference }), 404);
  assert.equal((await userinfo(site, token)).status, 200);
  const known = await site.ask(['client', 'show', client.id]);
  assert.deepEqual([known.name, known.redirect_uris], ['Importer', [application.callback]]);
  assert.ok(await isSecretGood(client, client.secret));
  await Promise.all([owner.leave(), intruder.leave()]);
});

/** Posts a form with the seal of a page of one's own to another address. Gives the status. */
async function forge(person, from, to, form) {
  await person.open(from);
  const csrf = await person.page.evaluate(() => document.querySelector('[name=csrf]').value);
  const response = await person.context.request.post(site.origin + to, {
    form: { csrf, ...form },
    headers: { origin: site.origin, 'sec-fetch-site': 'same-origin' },
    maxRedirects: 0,
  });
  return response.status();
}

async function credentialsOfToken(person) {
  assert.equal(await person.complaint(), '');
  return site.keepSecret(await person.page.locator('#secret').innerText());
}

test('a personal token is shown once, works, shows its last use, and is dead when it is revoked', async () => {
  const alice = await site.addPerson();
  const person = await at(NEW_TOKEN, alice);
  await person.page.locator('[name=scope][value=profile]').check();
  await person.page.locator('[name=expires]').selectOption('30d');
  await person.act('create', { name: 'Nightly export' });
  const token = await credentialsOfToken(person);
  assert.ok(!person.page.url().includes(token));
  assert.match(await person.words(), /Never used/);
  await person.page.reload();
  assert.ok(!(await person.page.content()).includes(token), 'the token is gone after a reload');
  assert.equal(await person.button('action', 'revoke').count(), 1, 'there is one token, not two');
  const answer = await userinfo(site, token);
  assert.deepEqual([answer.status, answer.body.name], [200, alice.name]);
  await person.open('/developer');
  const words = await person.words();
  assert.match(words, /Last used just now/);
  assert.match(words, /See your name/);
  const [known] = await site.ask(['token', 'list', '--user', alice.username]);
  assert.equal(known.scope, 'profile');
  await person.act('revoke');
  assert.equal((await userinfo(site, token)).status, 401);
  assert.match(await person.words(), /no token yet/i);
  await person.leave();
});

test('a token without permissions tells who its owner is, and no more', async () => {
  const alice = await site.addPerson();
  const person = await at(NEW_TOKEN, alice);
  await person.act('create', { name: 'Bare' });
  const answer = await userinfo(site, await credentialsOfToken(person));
  assert.equal(answer.body.sub, alice.id);
  assert.equal(answer.body.name, undefined);
  await person.leave();
});

test('bad input is refused beside its field, and what was typed is kept', async () => {
  const person = await at(NEW_APPLICATION, await site.addPerson());
  const good = { name: 'Importer', redirect_uris: application.callback, logo_uri: '' };
  const cases = [
    ['name', { name: ' ' }],
    ['redirect_uris', { redirect_uris: 'http://app.example/cb' }],
    ['redirect_uris', { redirect_uris: 'https://app.example/cb#part' }],
    ['redirect_uris', { redirect_uris: 'https://*.example/cb' }],
    ['redirect_uris', { redirect_uris: 'javascript:alert(1)' }],
    ['redirect_uris', { redirect_uris: '<b id="planted">x</b>' }],
    ['redirect_uris', { redirect_uris: ' \n ' }],
    ['redirect_uris', { redirect_uris: Array.from({ length: 21 }, (_, n) => `https://a.example/${n}`).join('\n') }],
    ['logo_uri', { logo_uri: 'http://app.example/logo.png' }],
    ['logo_uri', { logo_uri: 'javascript:alert(1)' }],
  ];
  for (const [field, wrong] of cases) {
    await person.open(NEW_APPLICATION);
    await person.page.evaluate(() => document.querySelectorAll('form').forEach((form) => (form.noValidate = true)));
    const response = await person.act('create', { ...good, ...wrong });
    const what = JSON.stringify(wrong);
    assert.equal(response.status(), 400, what);
    assert.notEqual(await person.complaint(), '', what);
    const input = person.field(field);
    assert.equal(await input.getAttribute('aria-invalid'), 'true', what);
    assert.equal(await input.inputValue(), wrong[field], what);
    assert.equal(await person.page.locator('#planted').count(), 0);
  }
  await person.open('/developer');
  assert.match(await person.words(), /no application yet/i);
  await person.leave();
});

test('a broken edit changes nothing and keeps what was typed', async () => {
  const person = await at('/developer', await site.addPerson());
  const client = await register(person);
  await person.act('save', { name: 'New name', redirect_uris: 'http://app.example/cb' });
  assert.match(await person.complaint(), /https/);
  assert.equal(await person.field('name').inputValue(), 'New name');
  const known = await site.ask(['client', 'show', client.id]);
  assert.deepEqual([known.name, known.redirect_uris], ['Importer', [application.callback]]);
  await person.leave();
});

test('the account and the developer pages lead to each other', async () => {
  const person = await at('/account', await site.addPerson());
  await person.page.locator('a[href="/developer"]:visible').click();
  await person.page.waitForURL('**/developer');
  await person.page.locator('nav a[href="/account"]:visible').click();
  await person.page.waitForURL('**/account');
  await person.leave();
});
