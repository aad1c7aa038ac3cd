import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { beginFlow, redeem, userinfo } from '../lib/application.mjs';
import { setStage } from '../lib/stage.mjs';

let site, browser, client, strike;

before(async () => {
  ({ site, browser, client, strike } = await setStage('sign-in'));
});

after(() => strike?.());

test('signing in and allowing gives the application a code that becomes a token', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  const flow = beginFlow(site, client);
  await person.open(flow.url);
  assert.equal(await person.asksFor(), 'sign-in');
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'consent');
  await person.decide('approve');
  const answer = person.answer();
  assert.equal(answer.state, flow.state);
  assert.equal(answer.iss, site.origin); // RFC 9207 §2
  const tokens = await redeem(site, client, flow, answer.code);
  assert.equal(tokens.status, 200);
  const profile = await userinfo(site, tokens.body.access_token);
  assert.equal(profile.status, 200);
  assert.equal(profile.body.sub, alice.id);
  await person.leave();
});

test('Back and Forward after allowing show the pages again, and send no password again', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  const flow = beginFlow(site, client);
  await person.open(flow.url);
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'consent');
  assert.equal(new URL(person.page.url()).pathname, '/consent');
  const posted = [];
  person.page.on('request', (request) => request.method() === 'POST' && posted.push(new URL(request.url()).pathname));
  await person.page.reload();
  assert.equal(await person.asksFor(), 'consent');
  await person.decide('approve');
  assert.equal(person.answer().state, flow.state);
  await person.page.goBack();
  assert.equal(await person.asksFor(), 'consent', 'the page is there again');
  await person.page.goForward();
  assert.equal(await person.asksFor(), 'application');
  await person.page.goBack();
  await person.decide('approve');
  assert.equal(person.answer().state, flow.state);
  assert.deepEqual(posted, ['/consent', '/consent'], 'only what was pressed was sent');
  await person.leave();
});

test('an e-mail address signs in as well as a user name', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open('/account');
  await person.submit({ username: alice.email, password: alice.password });
  assert.equal(await person.asksFor(), 'nothing');
  assert.equal(new URL(person.page.url()).pathname, '/account');
  await person.leave();
});

test('a wrong password is named, and the user name stays in its field', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open(beginFlow(site, client).url);
  await person.signIn(alice, 'not the password');
  assert.equal(await person.asksFor(), 'sign-in');
  assert.notEqual(await person.complaint(), '');
  assert.equal(await person.field('username').inputValue(), alice.username);
  assert.equal(await person.field('password').inputValue(), '');
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'consent', 'the flow goes on after the mistake');
  await person.leave();
});

test('a stranger cannot tell a wrong password from an unknown name', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open('/account');
  const wrong = await person.signIn(alice, 'not the password');
  const complaint = await person.complaint();
  const unknown = await person.signIn({ username: 'nobody', password: 'not the password' });
  assert.equal(await person.complaint(), complaint);
  assert.equal(unknown.status(), wrong.status());
  await person.leave();
});

test('a person without a mouse signs in by keyboard alone', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open(beginFlow(site, client).url);
  await person.field('username').focus();
  await person.page.keyboard.type(alice.username);
  await person.page.keyboard.press('Tab');
  assert.equal(await person.page.evaluate(() => document.activeElement.name), 'password');
  await person.page.keyboard.type(alice.password);
  await Promise.all([person.page.waitForNavigation(), person.page.keyboard.press('Enter')]);
  assert.equal(await person.asksFor(), 'consent');
  await person.leave();
});

test('password managers know the fields', async () => {
  const [alice, person] = [await site.giveSecondFactor(await site.addPerson()), await browser.person(site)];
  await person.open('/account');
  const hint = (name) => person.field(name).getAttribute('autocomplete');
  assert.match(await hint('username'), /\busername\b/);
  assert.match(await hint('password'), /\bcurrent-password\b/);
  await person.signIn(alice);
  assert.equal(await hint('otp'), 'one-time-code');
  await person.leave();
});

test('what the browser held before signing in is worth nothing afterwards', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open('/account');
  const planted = await person.context.cookies();
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'nothing');
  const thief = await browser.person(site);
  await thief.context.addCookies(planted);
  await thief.open('/account');
  assert.equal(await thief.asksFor(), 'sign-in');
  await Promise.all([person.leave(), thief.leave()]);
});

test('scripts cannot read the session, and other sites cannot send it along with a form', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open('/account');
  await person.signIn(alice);
  const cookies = await person.context.cookies(site.origin);
  assert.notEqual(cookies.length, 0);
  for (const cookie of cookies) {
    assert.ok(cookie.httpOnly, `${cookie.name} is HttpOnly`);
    assert.match(cookie.sameSite, /^(Lax|Strict)$/, `${cookie.name} is SameSite`);
    assert.equal(cookie.path, '/');
  }
  await person.leave();
});

test('a disabled person is signed out at once and cannot sign in again', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open('/account');
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'nothing');
  await site.ask(['user', 'disable', alice.username]);
  await person.open('/account');
  assert.equal(await person.asksFor(), 'sign-in');
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'sign-in');
  assert.notEqual(await person.complaint(), '');
  await person.leave();
});
