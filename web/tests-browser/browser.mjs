// SPDX-License-Identifier: MIT
// A page under watch: every request, console message and failure of it is written down.
import assert from 'node:assert/strict';
import { startBrowser } from '../dev/browser.mjs';

export { startBrowser };

export const SLOW = Number(process.env.CC_TEST_SLOW ?? 1);
export const WAIT = { timeout: 15000 * SLOW };

export async function openPage(browser, server, path, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    context.setDefaultTimeout(15000 * SLOW);
    const page = await context.newPage();
    const seen = { requests: [], errors: [], failed: [] };
    page.on('request', (r) => seen.requests.push(r.url()));
    page.on('console', (m) => ['error', 'warning'].includes(m.type()) && seen.errors.push(m.text()));
    page.on('pageerror', (e) => seen.errors.push(String(e)));
    await page.goto(server.url + path, { waitUntil: 'load' });
    return { page, seen, close: () => context.close() };
}

/** The page is quiet: nothing on the console, nothing fetched from elsewhere. */
export function assertQuiet(seen, server) {
    assert.deepEqual(seen.errors, [], 'console errors');
    const foreign = seen.requests.filter((url) => !url.startsWith(`${server.url}/`) && !url.startsWith('blob:'));
    assert.deepEqual(foreign, [], 'requests to other hosts');
}

export async function assertNoOverflow(page, what) {
    const wide = await page.evaluate(() => {
        const limit = document.documentElement.clientWidth;
        const out = [...document.body.querySelectorAll('*')].filter(
            (e) => e.getBoundingClientRect().right > limit + 1 && !e.closest('.scroll, .skip'),
        );
        return {
            extra: document.documentElement.scrollWidth - limit,
            names: out.slice(0, 3).map((e) => `${e.tagName}.${e.className}`),
        };
    });
    assert.ok(wide.extra <= 0, `${what}: ${wide.extra} px wider than the screen, ${wide.names}`);
}

/** Number of canvases on which something coloured is drawn. */
export function drawnPlots(page) {
    return page.evaluate(() => {
        const coloured = (canvas) => {
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4) {
                const [r, g, b, a] = [data[i], data[i + 1], data[i + 2], data[i + 3]];
                if (a > 80 && Math.max(r, g, b) - Math.min(r, g, b) > 40) count++;
            }
            return count > 20;
        };
        return [...document.querySelectorAll('canvas')].filter((c) => c.width > 0 && coloured(c)).length;
    });
}

/** Number of small SVG plots whose line has some length. */
export function drawnSparks(page) {
    return page.evaluate(
        () =>
            [...document.querySelectorAll('svg[role=img] path.line')].filter(
                (p) => (p.getAttribute('d') ?? '').length > 20,
            ).length,
    );
}
