// SPDX-License-Identifier: MIT
// Takes pictures of pages:  node dev/pictures.mjs <base url> <folder> <name>=<path>[@<width>x<height>][+dark][+full] ...
import { join } from 'node:path';
import { startBrowser } from './browser.mjs';

const [base, folder, ...shots] = process.argv.slice(2);
const browser = await startBrowser();
for (const shot of shots) {
    const [name, rest] = [shot.slice(0, shot.indexOf('=')), shot.slice(shot.indexOf('=') + 1)];
    const flags = rest.split('+').slice(1);
    const [path, size = '1440x900'] = rest.split('+')[0].split('@');
    const [width, height] = size.split('x').map(Number);
    const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: flags.includes('dark') ? 'dark' : 'light',
    });
    const page = await context.newPage();
    page.on('console', (m) => ['error', 'warning'].includes(m.type()) && console.log(`${name}: ${m.text()}`));
    page.on('pageerror', (e) => console.log(`${name}: ${e}`));
    await page.goto(new URL(path, base).href, { waitUntil: 'load' });
    await page.waitForTimeout(2500);
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: flags.includes('full') });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) console.log(`${name}: ${wide} px wider than the screen`);
    await context.close();
}
await browser.close();
