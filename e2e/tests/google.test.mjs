import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { beginFlow, redeem, userinfo } from '../lib/application.mjs';
import { startGoogle } from '../lib/google.mjs';
import { look } from '../lib/look.mjs';
import { setStage } from '../lib/stage.mjs';

let google, site, browser, client, strike;

before(async () => {
  google = await startGoogle();
  ({ site, browser, client, strike } = await setStage('google', google.settings));
});

after(async () => {
  await strike?.();
  await google?.stop();
});

const button = (person) => person.page.getByRole('link', { name: 'Sign in with Google' });

/** Presses the button, and is this person at Google. */
async function signInWithGoogle(person, sub, email) {
  await person.press(button(person));
  assert.equal(new URL(person.page.url()).origin, google.issuer);
  await person.field('sub').fill(sub);
  await person.field('email').fill(email);
  await person.press(person.button('choice', 'continue'));
}

test('the button signs somebody new in, and the application gets its code', async () => {
  const person = await browser.person(site);
  const flow = beginFlow(site, client);
  await person.open(flow.url);
  await signInWithGoogle(person, 'greta', 'greta@example.com');
  assert.equal(await person.asksFor(), 'consent');
  await person.decide('approve');
  const answer = person.answer();
  assert.equal(answer.state, flow.state);
  const tokens = await redeem(site, client, flow, answer.code);
  assert.equal((await userinfo(site, tokens.body.access_token)).body.name, 'Greta Google');
  const { query, referer } = google.requests.at(-1);
  assert.equal(query.get('scope'), 'openid email profile');
  assert.ok(!(referer ?? '').includes('errand'), 'the sealed errand stays here');
  await person.leave();
});

test('the second factor of a linked account is still asked for', async () => {
  const person = await browser.person(site);
  const words = ['user', 'add', '--email', 'carol.google@example.com', '--email-verified', '--name', 'Carol', '--username', 'carolg'];
  await site.ask([...words, '--password-stdin'], site.keepSecret('violet-harbour-carolg-42'));
  const carol = await site.giveSecondFactor({ username: 'carolg' });
  await person.open('/account');
  await signInWithGoogle(person, 'carol', 'carol.google@example.com');
  assert.equal(await person.asksFor(), 'second-factor');
  const linked = async () => (await site.ask(['user', 'show', 'carolg'])).linked.map((own) => own.subject);
  assert.deepEqual(await linked(), [], 'nothing is linked before the second factor is right');
  await person.confirm(carol);
  assert.deepEqual(await linked(), ['carol']);
  assert.equal(await person.asksFor(), 'nothing');
  assert.equal(new URL(person.page.url()).pathname, '/account');
  await person.leave();
});

test('who has Google alone sets a first password, and can then take the link away', async () => {
  const person = await browser.person(site);
  await person.open('/account');
  await signInWithGoogle(person, 'gina', 'gina@example.com');
  assert.match(await person.words(), /Google[^]*only way to sign in to your account/);
  assert.equal(await person.button('action', 'unlink').count(), 0, 'the last way in stays');
  assert.deepEqual(await look(person.page, 'account-linked-only'), []);
  await person.open('/account/password');
  assert.equal(await person.field('current_password').count(), 0);
  assert.deepEqual(await look(person.page, 'account-password-first'), []);
  const gina = { username: 'gina@example.com', password: site.keepSecret('violet-harbour-gina-42') };
  await person.act('first-password', { new_password: gina.password });
  assert.match(await person.words(), /Your password is set/);
  // From now on it is the password that confirms who she is.
  await person.open('/account');
  assert.deepEqual(await look(person.page, 'account-linked'), []);
  await person.act('unlink');
  assert.equal(await person.asksFor(), 'sign-in');
  assert.equal(await button(person).count(), 0, 'Google would not be enough');
  await person.submit({ password: gina.password });
  assert.equal(new URL(person.page.url()).pathname, '/account', 'what she asked for was done after the confirmation');
  assert.match(await person.words(), /no longer opens this one/);
  assert.deepEqual((await site.ask(['user', 'show', gina.username])).linked, []);
  await person.leave();
});

test('the word of Google is not enough to change how one signs in, where there is a password', async () => {
  const person = await browser.person(site);
  const words = ['user', 'add', '--email', 'dora.google@example.com', '--email-verified', '--name', 'Dora', '--username', 'dorag'];
  const dora = { username: 'dorag', password: site.keepSecret('violet-harbour-dorag-42') };
  await site.ask([...words, '--password-stdin'], dora.password);
  await person.open('/account/second-factor');
  await signInWithGoogle(person, 'dora', 'dora.google@example.com');
  await person.act('enrol-totp');
  assert.equal(await person.asksFor(), 'sign-in');
  assert.equal(await button(person).count(), 0);
  // Somebody goes there all the same.
  await person.open(`/login/google?errand=${await person.field('csrf').first().inputValue()}`);
  await person.field('sub').fill('dora');
  await person.field('email').fill('dora.google@example.com');
  await person.press(person.button('choice', 'continue'));
  assert.equal(await person.asksFor(), 'sign-in');
  assert.match(await person.complaint(), /has a password/);
  assert.deepEqual(await look(person.page, 'sign-in-password-needed'), []);
  await person.submit({ password: dora.password });
  assert.equal(new URL(person.page.url()).pathname, '/account/second-factor');
  assert.deepEqual(await look(person.page, 'confirmed'), []);
  await person.press(person.page.getByRole('button', { name: 'Continue' }));
  assert.equal(await person.field('otp').count(), 1, 'the key is shown, and its first code asked for');
  await person.leave();
});

test('who refuses at Google is back at the sign-in page, and can still sign in with a password', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  const flow = beginFlow(site, client);
  await person.open(flow.url);
  await person.press(button(person));
  await person.press(person.button('choice', 'cancel'));
  assert.equal(await person.asksFor(), 'sign-in');
  assert.match(await person.complaint(), /did not let Google/);
  assert.deepEqual(await look(person.page, 'sign-in-google-denied'), []);
  await person.signIn(alice);
  assert.equal(await person.asksFor(), 'consent');
  await person.decide('approve');
  assert.equal(person.answer().state, flow.state);
  await person.leave();
});

test('an account with an unverified address is not linked, and the page says what to do', async () => {
  const [alice, person] = [await site.addPerson(), await browser.person(site)];
  await person.open('/account');
  await signInWithGoogle(person, 'alice', alice.email);
  assert.equal(await person.asksFor(), 'sign-in');
  assert.match(await person.complaint(), /password/);
  await person.leave();
});

test('the page with the button looks right, without scripts too', async () => {
  const person = await browser.person(site);
  await person.open(beginFlow(site, client).url);
  assert.deepEqual(await look(person.page, 'sign-in-google'), []);
  await person.leave();
  const plain = await browser.person(site, { javaScriptEnabled: false });
  await plain.open('/account');
  await signInWithGoogle(plain, 'plain', 'plain@example.com');
  assert.equal(await plain.asksFor(), 'nothing');
  await plain.leave();
});
