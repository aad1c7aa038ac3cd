// A person at a browser. Knows only the field and button names that the pages promise, never their looks, and watches
// what no page may do: break its own content policy, forget a protective header, or send a code with a referrer.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { stepWithTime, totp } from './totp.mjs';

const FLAGS = [
  '--disable-background-networking', '--disable-component-update', '--disable-quic', '--disable-sync', '--no-first-run',
];
const PATIENCE_MS = 10_000;

/** Starts the browser. Its profile is new and goes away with it. */
export async function startBrowser() {
  const home = await mkdtemp(join(tmpdir(), 'grantry-chromium-'));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
    chromiumSandbox: process.getuid?.() !== 0, // Chromium's sandbox refuses to run as root
    env: { ...process.env, HOME: home },
  });
  return {
    person: async (site, options) => Person.sitDown(browser, site, options),
    stop: async () => {
      await browser.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** A person who signed in where a page asked for it, and got there. */
export async function signedInAt(browser, site, path, who, options) {
  const person = await browser.person(site, options);
  await person.open(path);
  await person.signIn(who);
  const asked = new URL(path, site.origin).pathname;
  assert.equal(new URL(person.page.url()).pathname, asked, 'signing in leads back to the page that was asked for');
  return person;
}

class Person {
  #site;
  #faults = [];

  static async sitDown(browser, site, options = {}) {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const person = new Person();
    person.#site = site;
    person.context = context;
    person.page = await person.newTab();
    return person;
  }

  /** Leaves. Fails if a page did on the way what no page may do. */
  async leave() {
    await this.context.close();
    assert.deepEqual(this.#faults, []);
  }

  /** Opens another tab of the same browser. */
  async newTab() {
    const page = await this.context.newPage();
    page.on('console', (message) => {
      if (/content security policy|refused to|violates/i.test(message.text())) this.#faults.push(message.text());
    });
    page.on('pageerror', (error) => this.#faults.push(`script error: ${error.message}`));
    page.on('response', (response) => this.#faults.push(...faultsOf(response, this.#site.origin)));
    return page;
  }

  /** Goes to an address (or a path of the site) and gives the response of the page where it ended. */
  open(address) {
    return this.page.goto(new URL(address, this.#site.origin).href);
  }

  field(name) {
    return this.page.locator(`[name="${name}"]`);
  }

  button(name, value) {
    return this.page.locator(`button[name="${name}"][value="${value}"], input[type=submit][name="${name}"][value="${value}"]`);
  }

  /** Presses a button and gives the response of the page that follows. */
  async press(button) {
    const [response] = await Promise.all([this.page.waitForNavigation(), button.first().click()]);
    return response;
  }

  /** Fills fields and submits the form that holds the last of them. */
  async submit(values) {
    for (const [name, value] of Object.entries(values)) await this.field(name).fill(value);
    const form = this.page.locator('form', { has: this.field(Object.keys(values).at(-1)) });
    return this.press(form.locator('button:not([type=button]), input[type=submit]'));
  }

  /** Fills the fields of the form that has the button `action=VALUE`, and presses it. `where` narrows the form. */
  async act(value, values = {}, where = '*') {
    const button = this.button('action', value);
    const form = this.page.locator('form', { has: button }).filter({ has: this.page.locator(where) }).first();
    for (const [name, text] of Object.entries(values)) await form.locator(`[name="${name}"]`).fill(text);
    return this.press(form.locator(button));
  }

  decide(decision) {
    return this.press(this.button('decision', decision));
  }

  signIn(who, password = who.password) {
    return this.submit({ username: who.username, password });
  }

  /** Gives the second factor as the person's authenticator app shows it now. */
  async confirm(who) {
    await stepWithTime();
    return this.submit({ otp: totp(who.secret) });
  }

  /** Which page this is: the name of the one thing that it asks for. */
  async asksFor() {
    const signs = {
      'sign-in': this.field('username'),
      'second-factor': this.field('otp'),
      consent: this.button('decision', 'approve'),
      'sign-out': this.button('decision', 'sign-out'),
    };
    for (const [name, sign] of Object.entries(signs)) {
      if (await sign.count()) return name;
    }
    return this.page.url().startsWith(this.#site.origin) ? 'nothing' : 'application';
  }

  /** What the page reports as wrong, in words. */
  async complaint() {
    return (await this.page.locator('[role=alert]').allInnerTexts()).join(' ').trim();
  }

  words() {
    return this.page.locator('body').innerText();
  }

  /** The parameters with which the browser came back to the application. */
  answer() {
    const url = new URL(this.page.url());
    assert.notEqual(url.origin, this.#site.origin, `still at the server: ${url.href}`);
    const answer = Object.fromEntries(url.searchParams);
    if (answer.code) this.#site.keepSecret(answer.code);
    return answer;
  }
}

/** What is wrong with the headers of a response that the browser got. */
function faultsOf(response, origin) {
  if (!response.url().startsWith(`${origin}/`) || response.request().resourceType() !== 'document') return [];
  const headers = response.headers();
  const [status, path] = [response.status(), new URL(response.url()).pathname];
  const faults = [];
  const need = (holds, fault) => holds || faults.push(`${path} (${status}): ${fault}`);
  if (status >= 500) faults.push(`${path}: ${status}`);
  if (status >= 300 && status < 400) {
    if (/[?&#](code|access_token)=/.test(headers.location ?? '')) {
      need(headers['referrer-policy'] === 'no-referrer', 'a redirect with a code may send a referrer');
    }
  } else if ((headers['content-type'] ?? '').startsWith('text/html')) {
    const policy = headers['content-security-policy'] ?? '';
    need(policy.includes("frame-ancestors 'none'"), 'the page may be framed');
    need(!/unsafe-inline|unsafe-eval/.test(policy) && /script-src|default-src/.test(policy), 'inline scripts may run');
    need(/no-store/.test(headers['cache-control'] ?? ''), 'the page may be cached');
    need(/^(same-origin|no-referrer)$/.test(headers['referrer-policy'] ?? ''), 'the page may leak its address');
  }
  return faults;
}
