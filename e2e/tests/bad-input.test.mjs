import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { beginFlow, redeem } from '../lib/application.mjs';
import { setStage } from '../lib/stage.mjs';

let site, application, browser, client, strike;

before(async () => {
  ({ site, application, browser, client, strike } = await setStage('bad-input'));
});

after(() => strike?.());

async function signedIn(path = '/account') {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open(path);
  await person.signIn(alice);
  return person;
}

/** An error page stays at the server, has a heading and a sentence, and offers a way on. */
async function assertClearPage(person, response) {
  assert.ok(response.status() >= 400 && response.status() < 500, `status ${response.status()}`);
  assert.equal(new URL(person.page.url()).origin, site.origin);
  assert.notEqual((await person.page.locator('h1').innerText()).trim(), '');
  const ways = person.page.locator('main a[href], main button');
  const words = await person.words();
  assert.ok((await ways.count()) > 0 || /go back|try again|contact|tell/i.test(words), `no next step:\n${words}`);
}

/** Sends a form again as the page holds it, without leaving the page. Gives the status and where it leads. */
async function sendForm(person, name, value, headers = {}) {
  const form = person.page.locator('form', { has: person.page.locator(`[name="${name}"]`) }).first();
  const action = await form.evaluate((element) => element.action);
  const fields = await form.evaluate((element) => Object.fromEntries(new FormData(element)));
  const response = await person.context.request.post(action, {
    form: { ...fields, [name]: value },
    headers: { origin: site.origin, 'sec-fetch-site': 'same-origin', ...headers },
    maxRedirects: 0,
  });
  return { status: response.status(), location: response.headers().location };
}

test('an unknown application is refused on a page that names client_id', async () => {
  const person = await browser.person(site);
  const response = await person.open(beginFlow(site, { ...client, id: 'nobody' }).url);
  assert.equal(response.status(), 400);
  await assertClearPage(person, response);
  assert.match(await person.words(), /client_id/);
  await person.leave();
});

// RFC 6749 §4.1.2.1: "the authorization server SHOULD inform the resource owner of the error and MUST NOT automatically
// redirect the user-agent to the invalid redirection URI."
test('an unregistered address is refused on a page that names redirect_uri, and nothing is sent there', async () => {
  const person = await browser.person(site);
  const { origin } = new URL(application.callback);
  const near = [`${application.callback}/`, `${application.callback}?x=1`, `${origin}/`, `${origin}/Callback`];
  for (const redirectUri of [...near, 'https://evil.example/callback', 'javascript:alert(1)']) {
    const response = await person.open(beginFlow(site, { ...client, redirectUri }).url);
    assert.equal(response.status(), 400, redirectUri);
    await assertClearPage(person, response);
    assert.match(await person.words(), /redirect_uri/);
  }
  await person.leave();
});

test('markup in an address is shown as text', async () => {
  const person = await browser.person(site);
  for (const name of ['client_id', 'redirect_uri', 'scope', 'state']) {
    await person.open(beginFlow(site, client, { [name]: '"><img id="planted" src=x onerror=alert(1)>' }).url);
    assert.equal(await person.page.locator('#planted').count(), 0, name);
  }
  await person.leave();
});

test('a broken cookie is a signed-out browser, not an error', async () => {
  const person = await signedIn();
  const cookies = await person.context.cookies();
  for (const value of ['broken', '', 'x'.repeat(3000), cookies[0].value.slice(0, -2)]) {
    await person.context.clearCookies();
    await person.context.addCookies(cookies.map((cookie) => ({ ...cookie, value })));
    const response = await person.open('/account');
    assert.ok(response.status() < 400, `status ${response.status()}`);
    assert.equal(await person.asksFor(), 'sign-in');
  }
  await person.leave();
});

test('a sign-in page whose browser forgot it says so and offers a way on', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open(beginFlow(site, client).url);
  await person.context.clearCookies();
  await assertClearPage(person, await person.signIn(alice));
  await person.leave();
});

test('a consent page of a session that ended gives no code', async () => {
  const person = await signedIn(beginFlow(site, client).url);
  assert.equal(await person.asksFor(), 'consent');
  const consent = person.page;
  person.page = await person.newTab();
  await person.open('/logout');
  await person.decide('sign-out');
  person.page = consent;
  const response = await person.decide('approve');
  assert.equal(new URL(person.page.url()).origin, site.origin);
  if ((await person.asksFor()) !== 'sign-in') await assertClearPage(person, response);
  await person.leave();
});

test('a consent page gives no code to somebody else at the same browser', async () => {
  const flow = beginFlow(site, client);
  const [person, bob] = [await signedIn(flow.url), await site.addPerson('Bob')];
  const consent = person.page;
  person.page = await person.newTab();
  await person.open('/logout');
  await person.decide('sign-out');
  await person.open('/account');
  await person.signIn(bob);
  person.page = consent;
  await person.decide('approve');
  assert.notEqual(await person.asksFor(), 'application');
  await person.leave();
});

test('an answer that is sent twice does no harm', async () => {
  const flow = beginFlow(site, client);
  const person = await signedIn(flow.url);
  const [first, second] = [await sendForm(person, 'decision', 'approve'), await sendForm(person, 'decision', 'approve')];
  const code = new URL(first.location).searchParams.get('code');
  assert.ok(code);
  assert.equal((await redeem(site, client, flow, code)).status, 200);
  assert.ok(second.status < 500, `status ${second.status}`);
  if (second.location) assert.equal(new URL(second.location).searchParams.get('state'), flow.state);
  await person.leave();
});

test('forms without their token, or from another site, are refused', async () => {
  const person = await signedIn(beginFlow(site, client).url);
  assert.equal(await person.asksFor(), 'consent');
  await person.field('csrf').first().waitFor({ state: 'attached' });
  const forged = await sendForm(person, 'csrf', 'forged');
  assert.ok(forged.status >= 400 && forged.status < 500, `a forged token: ${forged.status}`);
  const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  const foreign = await sendForm(person, 'decision', 'approve', headers);
  assert.ok(foreign.status >= 400 && foreign.status < 500, `another site: ${foreign.status}`);
  await person.open('/account');
  assert.equal(await person.asksFor(), 'nothing', 'the session is still there');
  await person.leave();
});

test('oversized and undecodable forms are refused', async () => {
  const person = await browser.person(site);
  await person.open('/account');
  const large = await sendForm(person, 'password', 'x'.repeat(200_000));
  assert.ok(large.status >= 400 && large.status < 500, `status ${large.status}`);
  const action = await person.page.locator('form').first().evaluate((element) => element.action);
  const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: site.origin };
  const garbled = await person.context.request.post(action, { data: 'username=%ff%fe&&&=%', headers, maxRedirects: 0 });
  assert.ok(garbled.status() >= 400 && garbled.status() < 500, `status ${garbled.status()}`);
  await person.leave();
});

test('an address that does not exist is a page with a way on', async () => {
  const person = await browser.person(site);
  const response = await person.open('/nowhere');
  assert.equal(response.status(), 404);
  await assertClearPage(person, response);
  await person.leave();
});
