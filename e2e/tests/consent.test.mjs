import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { beginFlow, redeem } from '../lib/application.mjs';
import { setStage } from '../lib/stage.mjs';

let site, application, browser, client, strike;

before(async () => {
  ({ site, application, browser, client, strike } = await setStage('consent'));
});

after(() => strike?.());

/** A person who has signed in and stands before the consent page. */
async function beforeConsent(flow, options) {
  const [alice, person] = [await site.addPerson(), await browser.person(site, options)];
  await person.open(flow.url);
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'consent');
  return person;
}

test('the consent page says who asks, for what, and where one ends up', async () => {
  const person = await beforeConsent(beginFlow(site, client));
  const words = await person.words();
  assert.match(words, /Importer/);
  assert.match(words, /See your name/);
  assert.match(words, /Read your links/);
  assert.doesNotMatch(words, /Create and change your links/);
  assert.doesNotMatch(words, /registered by its developer/, 'the operator registered it');
  assert.ok(words.includes(new URL(application.callback).hostname), 'the host of the redirect is named');
  await person.leave();
});

test('denying tells the application so and gives it nothing', async () => {
  const flow = beginFlow(site, client);
  const person = await beforeConsent(flow);
  await person.decide('deny');
  const { error, state, iss, code } = person.answer();
  assert.deepEqual({ error, state, iss, code }, { error: 'access_denied', state: flow.state, iss: site.origin, code: undefined });
  await person.open(beginFlow(site, client).url);
  assert.equal(await person.asksFor(), 'consent', 'a refusal is not remembered as a yes');
  await person.leave();
});

test('consent is remembered', async () => {
  const person = await beforeConsent(beginFlow(site, client));
  await person.decide('approve');
  const again = beginFlow(site, client);
  await person.open(again.url);
  assert.equal(await person.asksFor(), 'application');
  assert.equal(person.answer().state, again.state);
  assert.equal((await redeem(site, client, again, person.answer().code)).status, 200);
  const less = beginFlow(site, client, { scope: 'profile' });
  await person.open(less.url);
  assert.equal(person.answer().state, less.state, 'less than was allowed needs no question');
  await person.leave();
});

test('a scope that comes later is asked for, and named', async () => {
  const person = await beforeConsent(beginFlow(site, client));
  await person.decide('approve');
  const more = beginFlow(site, client, { scope: 'profile links:read links:write' });
  await person.open(more.url);
  assert.equal(await person.asksFor(), 'consent');
  assert.match(await person.words(), /Create and change your links/);
  await person.decide('approve');
  const tokens = await redeem(site, client, more, person.answer().code);
  assert.match(tokens.body.scope ?? 'profile links:read links:write', /links:write/);
  await person.leave();
});

test('another application is another question', async () => {
  const person = await beforeConsent(beginFlow(site, client));
  await person.decide('approve');
  const other = await site.addClient('Reporter', application.callback);
  await person.open(beginFlow(site, other).url);
  assert.equal(await person.asksFor(), 'consent');
  assert.match(await person.words(), /Reporter/);
  await person.leave();
});

test('an application of the house is not asked about', async () => {
  const ours = await site.addClient('Dashboard', application.callback, 'profile links:read', ['--first-party']);
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open(beginFlow(site, ours).url);
  await person.signIn(alice);
  assert.ok(person.answer().code);
  await person.leave();
});

// OpenID Connect Core 1.0 §3.1.2.1: "none: The Authorization Server MUST NOT display any authentication or consent user
// interface pages."
test('prompt=none shows no page, whatever is missing', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  const silent = async () => {
    const flow = beginFlow(site, client, { prompt: 'none' });
    await person.open(flow.url);
    const answer = person.answer();
    assert.equal(answer.state, flow.state);
    return answer;
  };
  assert.equal((await silent()).error, 'login_required');
  await person.open(beginFlow(site, client).url);
  await person.signIn(alice);
  assert.equal((await silent()).error, 'consent_required');
  await person.open(beginFlow(site, client).url);
  await person.decide('approve');
  assert.ok((await silent()).code);
  await person.leave();
});

test('response_mode=form_post brings the code to the application in a form', async () => {
  const flow = beginFlow(site, client, { response_mode: 'form_post' });
  const person = await beforeConsent(flow);
  await person.decide('approve');
  const arrival = person.page.waitForURL(application.callback, { timeout: 3000 });
  await arrival.catch(() => person.press(person.page.locator('main button'))); // a page may leave the sending to a person
  const form = application.posts.find((posted) => posted.get('state') === flow.state);
  assert.ok(form, 'the form arrived');
  assert.equal((await redeem(site, client, flow, form.get('code'))).status, 200);
  await person.leave();
});
