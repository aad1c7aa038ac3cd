// How a page looks: axe's rules, and pictures in light and dark, wide and narrow.
import { AxeBuilder } from '@axe-core/playwright';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { OUTPUT } from './site.mjs';

const WIDTHS_PX = [1280, 360];

/** Looks at the page in every scheme and width, leaves target/e2e/NAME-SCHEME-WIDTH.png, and gives what is wrong. */
export async function look(page, name) {
  await mkdir(OUTPUT, { recursive: true });
  const faults = [];
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const width of WIDTHS_PX) {
      await page.setViewportSize({ width, height: 800 });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (over > 0) faults.push(`${name}, ${width} px, ${colorScheme}: ${over} px too wide`);
      await page.screenshot({ path: join(OUTPUT, `${name}-${colorScheme}-${width}.png`), fullPage: true });
      if (colorScheme === 'dark' && width < WIDTHS_PX[0]) continue; // colours at one width, layout in one scheme
      const { violations } = await new AxeBuilder({ page }).analyze();
      for (const { id, nodes, help } of violations) {
        const where = nodes.map((node) => node.target.join(' ')).join('; ');
        faults.push(`${name}, ${width} px, ${colorScheme}: ${id}: ${help}: ${where}`);
      }
    }
  }
  return faults;
}
