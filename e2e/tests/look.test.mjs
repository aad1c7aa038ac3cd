import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { beginFlow } from '../lib/application.mjs';
import { look } from '../lib/look.mjs';
import { shownSecret } from '../lib/page-text.mjs';
import { setStage } from '../lib/stage.mjs';
import { stepWithTime, totp } from '../lib/totp.mjs';

const FAILURES = 3;
let site, browser, client, strike;

before(async () => {
  const settings = { GRANTRY_LOCKOUT__ACCOUNT_FAILURES: String(FAILURES) };
  ({ site, browser, client, strike } = await setStage('look', settings));
});

after(() => strike?.());

/** Opens a path and signs in as a new person. */
async function enter(person, path) {
  const alice = await site.addPerson();
  await person.open(path);
  await person.signIn(alice);
  return alice;
}

async function enrol(person) {
  await enter(person, '/account/second-factor');
  await person.act('enrol-totp');
}

/** Registers an application as the person at the browser, who signs in first if need be. */
async function register(person, name) {
  await person.open('/developer/applications/new');
  if ((await person.asksFor()) === 'sign-in') await person.signIn(await site.addPerson());
  await person.act('create', { name, redirect_uris: 'https://app.example/callback' });
  site.keepSecret(await person.page.locator('#secret').innerText());
}

/** Every page, and how to get there. */
const PAGES = {
  'sign-in': (person) => person.open(beginFlow(site, client).url),
  'sign-in-wrong': async (person) => {
    await person.open('/account');
    await person.signIn(await site.addPerson(), 'not the password');
  },
  'sign-in-locked': async (person) => {
    const alice = await site.addPerson();
    await person.open('/account');
    for (let failure = 0; failure <= FAILURES; failure++) await person.signIn(alice, 'not the password');
  },
  'second-factor': async (person) => {
    const carol = await site.giveSecondFactor(await site.addPerson('Carol'));
    await person.open('/account');
    await person.signIn(carol);
  },
  'second-factor-wrong': async (person) => {
    const carol = await site.giveSecondFactor(await site.addPerson('Carol'));
    await person.open('/account');
    await person.signIn(carol);
    await person.submit({ otp: '000000' });
  },
  consent: (person) => enter(person, beginFlow(site, client).url),
  'consent-more': async (person) => {
    await enter(person, beginFlow(site, client).url);
    await person.decide('approve');
    await person.open(beginFlow(site, client, { scope: 'profile links:read links:write' }).url);
  },
  'sign-out': async (person) => {
    await enter(person, '/account');
    await person.open('/logout');
  },
  'signed-out': async (person) => {
    await enter(person, '/account');
    await person.open('/logout');
    await person.decide('sign-out');
  },
  account: (person) => enter(person, '/account'),
  'account-password': (person) => enter(person, '/account/password'),
  'account-password-wrong': async (person) => {
    await enter(person, '/account/password');
    await person.act('password', { current_password: 'not the password', new_password: 'maroon-lantern-76-orchard' });
  },
  'account-second-factor': (person) => enter(person, '/account/second-factor'),
  'account-second-factor-enrol': enrol,
  'account-second-factor-codes': async (person) => {
    await enrol(person);
    await stepWithTime();
    await person.act('confirm-totp', { otp: totp(site.keepSecret(await shownSecret(person))) });
  },
  'account-sessions': async (person) => {
    const other = await browser.person(site);
    const alice = await enter(other, '/account');
    await other.leave();
    await person.open('/account/sessions');
    await person.signIn(alice);
  },
  'account-applications-none': (person) => enter(person, '/account/applications'),
  'account-applications': async (person) => {
    await enter(person, beginFlow(site, client).url);
    await person.decide('approve');
    await person.open('/account/applications');
  },
  developer: async (person) => {
    await register(person, 'Importer');
    await register(person, 'A telephone with a name that is long enough to need two lines on a narrow page');
    await person.open('/developer/tokens/new');
    await person.page.locator('[name=scope]').first().check();
    await person.act('create', { name: 'Nightly export' });
    await person.open('/developer');
  },
  'developer-none': (person) => enter(person, '/developer'),
  'developer-token-new': (person) => enter(person, '/developer/tokens/new'),
  'developer-token-wrong': async (person) => {
    await enter(person, '/developer/tokens/new');
    await person.page.locator('[name=scope]').first().check();
    await person.act('create', { name: ' ' });
  },
  'developer-token-shown': async (person) => {
    await enter(person, '/developer/tokens/new');
    await person.act('create', { name: 'Nightly export' });
    site.keepSecret(await person.page.locator('#secret').innerText());
  },
  'developer-application-new': (person) => enter(person, '/developer/applications/new'),
  'developer-application-wrong': async (person) => {
    await enter(person, '/developer/applications/new');
    await person.act('create', { name: 'Importer', redirect_uris: 'https://a.example/\nhttp://app.example/cb' });
  },
  'developer-application-shown': (person) => register(person, 'Importer'),
  'developer-application': async (person) => {
    await register(person, 'Importer');
    await person.act('add-secret');
    await person.page.reload();
  },
  'developer-application-delete': async (person) => {
    await register(person, 'Importer');
    await person.act('delete');
  },
  'error-client': (person) => person.open(beginFlow(site, { ...client, id: 'nobody' }).url),
  'error-redirect': (person) => person.open(beginFlow(site, { ...client, redirectUri: 'https://evil.example/' }).url),
  'error-stale': async (person) => {
    const alice = await site.addPerson();
    await person.open(beginFlow(site, client).url);
    await person.context.clearCookies();
    await person.signIn(alice);
  },
  'error-not-found': (person) => person.open('/nowhere'),
};

for (const [name, walkTo] of Object.entries(PAGES)) {
  test(`axe and the eye find nothing wrong: ${name}`, async () => {
    const person = await browser.person(site);
    await walkTo(person);
    assert.equal(new URL(person.page.url()).origin, site.origin);
    assert.deepEqual(await look(person.page, name), []);
    assert.match(await person.page.title(), /\S/);
    await person.leave();
  });
}
