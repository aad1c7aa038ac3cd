// Pages of other people, on origins of their own, that call two of the surfaces from a script, as those document it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from '../lib/person.mjs';
import { startSamplePages } from '../lib/sample-pages.mjs';
import { addApplication, originOf, startSurfaces } from '../lib/surfaces.mjs';

let site, pages, browser;

/** tiny+ documents no address of its own at which a page could ask, so one is added, for every origin's scripts. */
const API = '[dialect.tinyplus.endpoint.userinfo]\npath = "/api/me"\nscope = "read"\ncors = ["*"]\n';

before(async () => {
  [site, pages, browser] = await Promise.all([startSurfaces('sample-pages', API), startSamplePages(), startBrowser()]);
});

after(() => Promise.all([site?.stop(), pages?.stop(), browser?.stop()]));

/** Somebody opens a page, which sends them to the surface, and comes back; gives the person and what the page then shows. */
async function visit(page) {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open(page);
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'consent');
  await person.decide('approve');
  return { alice, person };
}

/** What the page's script has found out. */
async function found(person, name) {
  const place = person.page.locator(`#${name}`);
  await place.filter({ hasText: /./ }).waitFor();
  return place.innerText();
}

test('php-endpoints: a page hands the code to its own backend, and asks for the person itself', async () => {
  const page = `${pages.origin}/php-endpoints`;
  const client = await addApplication(site, 'php-endpoints', page);
  pages.know({ 'php-endpoints': { api: originOf(site, 'php-endpoints'), client } });
  const { alice, person } = await visit(page);
  assert.equal(await found(person, 'person'), `${alice.username}, ${alice.email}, ${alice.name}`);

  // The code in the page's address is spent now: opened again, the backend hands on what the surface says of it.
  await person.page.reload();
  assert.equal(await found(person, 'problem'), '400 invalid_code');
  await person.leave();
});

test('php-endpoints: scripts elsewhere read the answer to a bad token, and nothing of the token endpoint', async () => {
  const page = `${pages.origin}/php-endpoints`;
  const client = await addApplication(site, 'php-endpoints', page);
  const api = originOf(site, 'php-endpoints');
  pages.know({ 'php-endpoints': { api, client } });
  const { person } = await visit(page);
  await found(person, 'person');
  const refused = await person.page.evaluate(async (url) => {
    const answer = await fetch(url, { headers: { authorization: 'Bearer made-up' } });
    return [answer.status, (await answer.json()).error];
  }, `${api}/api/userinfo.php`);
  assert.deepEqual(refused, [401, 'invalid_token']);
  const blocked = await person.page.evaluate(
    (url) => fetch(url, { method: 'POST', body: new URLSearchParams({ code: 'c' }) }).then(() => 'read', () => 'blocked'),
    `${api}/api/token.php`,
  );
  assert.equal(blocked, 'blocked');
  await person.leave();
});

test('tinyplus: a page reads the token from its address, checks the state, and calls the API with the bare token', async () => {
  const page = `${pages.origin}/tinyplus`;
  const client = await addApplication(site, 'tinyplus', page);
  pages.know({ tinyplus: { api: originOf(site, 'tinyplus'), client } });
  const { alice, person } = await visit(page);
  assert.equal(await found(person, 'person'), `${alice.username}, ${alice.email}, ${alice.name}`);
  assert.equal(new URL(person.page.url()).search, '', 'the page takes the token out of its address');
  await person.leave();
});

test('tinyplus: a page refuses a token with a state that it did not make', async () => {
  pages.know({ tinyplus: { api: originOf(site, 'tinyplus'), client: { id: 'none' } } });
  const person = await browser.person(site);
  await person.open(`${pages.origin}/tinyplus?token_type=Bearer&expires_in=3600&access_token=stolen&state=other`);
  assert.equal(await found(person, 'problem'), 'This sign-in was not started here.');
  await person.leave();
});
