// SPDX-License-Identifier: MIT
// How long and how many bytes until the last plot of a page is drawn, in Chromium with an empty cache:
//   node dev/measure.mjs <base url> <path> ...        prints medians of nine loads
import { startBrowser } from './browser.mjs';

const LOADS = 9;
const [base, ...paths] = process.argv.slice(2);

// Runs in the page: remembers when the number of drawn plots last changed.
function watch() {
    let count = 0;
    globalThis.lastPlot = 0;
    const look = () => {
        const now =
            document.querySelectorAll('canvas').length +
            [...document.querySelectorAll('svg path.line')].filter((p) => p.getAttribute('d')).length;
        if (now !== count) globalThis.lastPlot = performance.now();
        count = now;
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const browser = await startBrowser();
for (const path of paths) {
    const times = [];
    const sizes = [];
    for (let i = 0; i < LOADS; i++) {
        const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
        const page = await context.newPage();
        const session = await context.newCDPSession(page);
        let bytes = 0;
        await session.send('Network.enable');
        session.on('Network.loadingFinished', (e) => (bytes += e.encodedDataLength));
        await page.addInitScript(watch);
        await page.goto(base + path, { waitUntil: 'load' });
        await page.waitForTimeout(1500); // less than the first refresh of any page
        times.push(await page.evaluate(() => globalThis.lastPlot));
        sizes.push(bytes);
        await context.close();
    }
    console.log(
        `${path}: last plot after ${median(times).toFixed(0)} ms, ${(median(sizes) / 1000).toFixed(1)} kB on the wire`,
    );
}
await browser.close();
