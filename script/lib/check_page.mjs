// SPDX-License-Identifier: MIT
// Opens pages in Debian's Chromium and says, as JSON, how many plots each shows and how many have something drawn.
//   node check_page.mjs URL ...
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const profile = mkdtempSync(join(tmpdir(), 'cc-chromium-'));

// A plot has something drawn when its canvas holds saturated pixels; a sparkline when its path has several points.
function countDrawn() {
  let drawn = 0;
  const canvases = [...document.querySelectorAll('canvas')].filter((c) => c.width > 0 && c.height > 0);
  for (const canvas of canvases) {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let coloured = 0;
    for (let i = 0; i < data.length; i += 4) {
      const [r, g, b, a] = [data[i], data[i + 1], data[i + 2], data[i + 3]];
      if (a > 80 && Math.max(r, g, b) - Math.min(r, g, b) > 40) coloured++;
    }
    if (coloured > 10) drawn++;
  }
  const sparklines = [...document.querySelectorAll('svg path.line')].map((p) => p.getAttribute('d') ?? '');
  drawn += sparklines.filter((d) => d.length > 20).length;
  return { plots: canvases.length + sparklines.length, drawn };
}

const browser = await chromium.launchPersistentContext(profile, { executablePath: '/usr/bin/chromium', args: flags,
  viewport: { width: 1440, height: 900 } });
try {
  const results = [];
  for (const url of process.argv.slice(2)) {
    const page = await browser.newPage();
    const errors = [];
    page.on('pageerror', (e) => errors.push(String(e)));
    page.on('console', (m) => { if (m.type() === 'error') errors.push(m.text()); });
    await page.goto(url, { waitUntil: 'load' });
    let result = { plots: 0, drawn: 0 };
    for (let i = 0; i < 40 && !(result.drawn > 0); i++) {
      await page.waitForTimeout(250);
      result = await page.evaluate(countDrawn);
    }
    results.push({ url: new URL(url).pathname, ...result, errors });
    await page.close();
  }
  console.log(JSON.stringify(results));
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
