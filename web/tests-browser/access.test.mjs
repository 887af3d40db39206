// SPDX-License-Identifier: MIT
// Sign-in, the empty installation, and what a page load costs. The first two need states that only the stand-in has.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { assertQuiet, drawnSparks, openPage, startBrowser } from './browser.mjs';
import { Server, waitFor } from './server.mjs';

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser?.close());

describe('with authentication', () => {
    let server;
    before(async () => (server = await Server.start({ MOCK_TOKEN: 'right' }, true)));
    after(() => server?.end());

    it('asks for a token, refuses a wrong one, keeps the right one for the tab only', async () => {
        const { page, close } = await openPage(browser, server, '/jobs');
        const field = page.getByLabel('API token');
        await field.fill('wrong');
        await page.keyboard.press('Enter');
        await page.getByText('The token was not accepted.').waitFor();
        await field.fill('right');
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.locator('td.id').first().waitFor();
        const kept = await page.evaluate(() => ({
            tab: Object.values({ ...sessionStorage }),
            machine: JSON.stringify({ ...localStorage }),
            cookies: document.cookie,
        }));
        assert.deepEqual(kept.tab, ['right']);
        assert.ok(!kept.machine.includes('right') && kept.cookies === '');
        await page.reload();
        await page.locator('td.id').first().waitFor();
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByLabel('API token').waitFor();
        assert.equal(await page.evaluate(() => sessionStorage.length), 0);
        await close();
    });
});

describe('an empty installation', () => {
    let server;
    before(async () => (server = await Server.start({ MOCK_EMPTY: '1' }, true)));
    after(() => server?.end());

    it('says what to do next', async () => {
        const { page, seen, close } = await openPage(browser, server, '/');
        await page.getByText('Nothing is monitored yet').waitFor();
        await page.getByText('cc-run').waitFor();
        await page.getByRole('link', { name: 'Jobs' }).click();
        await page.getByText('No jobs yet.').waitFor();
        assertQuiet(seen, server);
        await close();
    });
});

describe('a page load', () => {
    let server;
    before(async () => (server = await Server.start()));
    after(() => server?.end());

    it('of the job list stays within 60 kB of code and 150 kB in all', async () => {
        const sizes = [];
        const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
        const page = await context.newPage();
        page.on('response', (r) =>
            sizes.push(
                r.body().then(
                    (b) => ({ path: new URL(r.url()).pathname, bytes: gzipSync(b).length }),
                    () => null,
                ),
            ),
        );
        await page.goto(`${server.url}/jobs`);
        await waitFor(async () => (await drawnSparks(page)) > 10, 'plots of the list');
        const all = (await Promise.all(sizes)).filter((s) => s !== null);
        const sum = (list) => list.reduce((n, s) => n + s.bytes, 0);
        const code = sum(all.filter((s) => /\.(js|css)$/.test(s.path)));
        console.log(
            `job list: ${(code / 1000).toFixed(1)} kB of code, ${(sum(all) / 1000).toFixed(1)} kB in all, compressed`,
        );
        assert.ok(code <= 60_000, `${code} bytes of code`);
        assert.ok(sum(all) <= 150_000, `${sum(all)} bytes in all`);
        await context.close();
    });

    it('carries headers that let browsers keep assets and run nothing foreign', async () => {
        const page = await fetch(`${server.url}/jobs`);
        assert.equal(page.headers.get('cache-control'), 'no-cache');
        assert.match(page.headers.get('content-security-policy') ?? '', /'self'/);
        assert.doesNotMatch(page.headers.get('content-security-policy') ?? '', /unsafe/);
        const html = await page.text();
        assert.doesNotMatch(html, /<script(?![^>]*src=)/, 'no script in the page itself');
        const asset = await fetch(server.url + /\/assets\/index-[\w-]+\.js/.exec(html)[0]);
        assert.match(asset.headers.get('cache-control') ?? '', /immutable/);
        await asset.arrayBuffer();
    });
});
