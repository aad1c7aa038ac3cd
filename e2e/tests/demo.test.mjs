// The demo: every page of it, every command that a page shows, and the end of an access that was taken back.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startDemo } from '../lib/demo.mjs';
import { look } from '../lib/look.mjs';
import { startBrowser } from '../lib/person.mjs';

const shell = (command) => promisify(execFile)('bash', ['-c', command.replace(/^curl /, 'curl -sS ')]);

let demo, browser;
before(async () => {
  [demo, browser] = await Promise.all([startDemo(), startBrowser()]);
});
after(() => Promise.all([demo?.stop(), browser?.stop()]));

async function connected() {
  const { issuer, sample_site: site, users } = demo.document;
  const person = await browser.person({ origin: issuer });
  await person.page.goto(site);
  await person.page.getByRole('button', { name: 'Connect' }).click();
  await person.signIn(users[0]);
  // The permission of an earlier test is remembered.
  if (await person.field('decision').count()) await person.decide('approve');
  await person.page.getByRole('heading', { name: 'Hello, Alice Doe' }).waitFor();
  return person;
}

test('the sample site shows the tokens, what travelled, and commands that do the same', async () => {
  const person = await connected();
  const { page } = person;
  const token = await page.locator('#access-token').innerText();
  assert.deepEqual(await look(page, 'demo-sample-site'), []);
  const exchanges = page.locator('details.exchange');
  assert.ok((await exchanges.count()) >= 5, 'permission, return, code, profile, introspection');
  for (const exchange of await exchanges.all()) {
    if (!(await exchange.evaluate((one) => one.open))) await exchange.locator('summary').click();
  }
  assert.match(await exchanges.locator('pre').allInnerTexts().then((all) => all.join('\n')), /grant_type=authorization_code/);
  const commands = await exchanges.locator('.command code').allInnerTexts();
  const ask = commands.find((command) => command.includes('/introspect'));
  const { stdout } = await shell(ask);
  assert.ok(ask.includes(token));
  assert.equal(JSON.parse(stdout).active, true);
  const profile = commands.find((command) => command.includes('/userinfo'));
  assert.equal(JSON.parse((await shell(profile)).stdout).name, 'Alice Doe');
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Connect' }).waitFor();
  assert.equal(JSON.parse((await shell(ask)).stdout).active, false);
  await person.leave();
});

test('each of the other surfaces leads back with commands that work as they are', async () => {
  const person = await connected();
  const { page } = person;
  const { sample_site: site, surfaces } = demo.document;
  await page.goto(`${site}/surfaces`);
  assert.deepEqual(await look(page, 'demo-surfaces'), []);
  assert.equal(surfaces.length, 5);
  for (const { dialect } of surfaces) {
    await page.goto(`${site}/surfaces`);
    await page.getByRole('link', { name: `Connect by ${dialect}` }).click();
    await page.waitForLoadState();
    if (page.url().includes('/sign-in') || (await page.locator('[name="password"]').count())) await person.signIn(demo.document.users[0]);
    if (await page.locator('[name="decision"]').count()) await person.decide('approve');
    await page.getByRole('heading', { name: `Back from ${dialect}` }).waitFor();
    const received = await page.locator('dl.rows').innerText();
    assert.match(received, /code|access_token/, dialect);
    let token;
    for (const shown of await page.locator('.command code').allInnerTexts()) {
      const { stdout } = await shell(shown.replace('TOKEN', token));
      assert.doesNotMatch(stdout, /invalid|error/i, `${dialect}: ${shown}: ${stdout}`);
      token = stdout.match(/"access_token":\s*"([^"]+)"/)?.[1] ?? token;
    }
    if (dialect !== 'tinyplus') assert.ok(token, dialect);
  }
  assert.deepEqual(await look(page, 'demo-arrived'), []);
  await person.leave();
});

test('the telephone of the demo shows a code that the sign-in page takes', async () => {
  const { issuer, sample_site: site, users } = demo.document;
  const person = await browser.person({ origin: issuer });
  const { page } = person;
  await page.goto(site);
  await page.getByRole('button', { name: 'Connect' }).click();
  await person.signIn(users[1]);
  const other = await person.newTab();
  await other.goto(`${site}/telephone`);
  assert.deepEqual(await look(other, 'demo-telephone'), []);
  const code = (await other.locator('.big-code').innerText()).trim();
  await page.locator('[name="otp"]').fill(code);
  await page.locator('[name="otp"]').press('Enter');
  await person.decide('approve');
  await page.getByRole('heading', { name: 'Hello, Bob Roe' }).waitFor();
  await person.leave();
});
