// Takes the pictures of docs/pictures from the pages of the demo:
//
//   GRANTRY_BIN=target/debug/grantry node e2e/pictures.mjs     (after `npm ci` in e2e; `e2e/run` does that)
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startDemo } from './lib/demo.mjs';
import { startBrowser } from './lib/person.mjs';

const FOLDER = join(import.meta.dirname, '../docs/pictures');
const VIEW = { width: 1200, height: 860 };

const [demo, browser] = await Promise.all([startDemo(), startBrowser()]);
try {
  await mkdir(FOLDER, { recursive: true });
  const { issuer, sample_site: site, users } = demo.document;
  const person = await browser.person({ origin: issuer }, { viewport: VIEW, deviceScaleFactor: 1 });
  const { page } = person;
  const take = async (name, { fullPage = false } = {}) => {
    await page.screenshot({ path: join(FOLDER, `${name}.png`), fullPage });
    console.log(`docs/pictures/${name}.png`);
  };
  await page.goto(site);
  await page.getByRole('button', { name: 'Connect' }).click();
  await person.signIn(users[0]);
  await page.setViewportSize({ width: 760, height: 980 });
  await take('consent', { fullPage: true });
  await page.setViewportSize(VIEW);
  await person.decide('approve');
  await take('sample-site');
  await page.goto(`${issuer}/account/applications`);
  await take('account');
  await page.goto(`${issuer}/developer/applications/new`);
  await page.locator('[name="name"]').fill('Link importer');
  await page.locator('[name="redirect_uris"]').fill('https://importer.example/callback');
  await person.act('create');
  await take('developer');
  await person.leave();
} finally {
  await Promise.all([demo.stop(), browser.stop()]);
}
