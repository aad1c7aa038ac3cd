// What a person reads off the page where a second factor is set up: the secret, the QR code, the recovery codes.
import jsQR from 'jsqr';
import { PNG } from 'pngjs';

const QR_PX_MIN = 100;

/** The base32 secret that the page shows for typing into an app. */
export async function shownSecret(person) {
  const words = await person.words();
  const found = words.match(/\b(?:[A-Z2-7]{4,}[ \u00a0-]?){4,}\b/);
  if (!found) throw new Error(`no secret on the page:\n${words}`);
  return found[0].replace(/[^A-Z2-7]/g, '');
}

/** What a phone reads in the QR code, as the browser paints it; null if it cannot be read. */
export async function scannedCode(person) {
  for (const image of await person.page.locator('main svg, main img').all()) {
    const box = await image.boundingBox();
    if (!box || Math.min(box.width, box.height) < QR_PX_MIN) continue;
    const { width, height, data } = PNG.sync.read(await image.screenshot());
    const code = jsQR(new Uint8ClampedArray(data), width, height, { inversionAttempts: 'dontInvert' });
    if (code) return code.data;
  }
  return null;
}

/** The recovery codes that the page lists; each stands in a list item of its own. */
export async function shownRecoveryCodes(person) {
  const items = await person.page.locator('main li').allInnerTexts();
  return items.map((text) => text.trim()).filter((text) => /^[A-Za-z0-9]{4,}(-[A-Za-z0-9]{3,})*$/.test(text));
}
