// SPDX-License-Identifier: MIT
// Values move while the page is open; a store that is gone is shown, and found again.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { openPage, startBrowser } from './browser.mjs';
import { isMock, Server, waitFor } from './server.mjs';

let server;
let browser;
let node;
before(async () => {
    [server, browser] = await Promise.all([Server.start(), startBrowser()]);
    node = await server.busyNode();
});
after(async () => {
    await browser?.close();
    await server?.end();
});

const values = (page, selector) => page.locator(selector).allInnerTexts();

it('the values of a node move', async () => {
    const { page, close } = await openPage(browser, server, `/clusters/${node.cluster}/nodes/${node.host}`);
    await page.locator('figure .last').first().waitFor();
    const before = (await values(page, 'figure .last')).join();
    await waitFor(async () => (await values(page, 'figure .last')).join() !== before, 'other values', 40);
    await close();
});

it('the values of a cluster move', async () => {
    const { page, close } = await openPage(browser, server, `/clusters/${node.cluster}`);
    await page.locator('.tile svg').first().waitFor();
    const before = (await values(page, '.tile .value')).join();
    await waitFor(async () => (await values(page, '.tile .value')).join() !== before, 'other values', 40);
    await close();
});

it('pause holds the values', async () => {
    const { page, close } = await openPage(browser, server, `/clusters/${node.cluster}/nodes/${node.host}`);
    await page.locator('figure .last').first().waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.waitForLoadState('networkidle');
    const asked = [];
    page.on('request', (r) => r.url().endsWith('/api/query') && asked.push(r.url()));
    await page.waitForTimeout(5000);
    assert.deepEqual(asked, [], 'queries while paused');
    await close();
});

it('a hidden tab asks for nothing', async () => {
    const { page, close } = await openPage(browser, server, `/clusters/${node.cluster}/nodes/${node.host}`);
    await page.locator('figure .last').first().waitFor();
    await page.evaluate(() => {
        Object.defineProperty(document, 'hidden', { get: () => true, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.waitForTimeout(1500); // what was under way may end
    const asked = [];
    page.on('request', (r) => asked.push(r.url()));
    await page.waitForTimeout(6000);
    assert.deepEqual(asked, []);
    await close();
});

it('silent nodes are grey and say since when', { skip: !isMock && 'only the stand-in has silent nodes' }, async () => {
    const { page, close } = await openPage(browser, server, '/clusters/sim?range=15m');
    await page
        .locator('[data-host=s017].gone')
        .getByText(/no data since \d+ min/)
        .waitFor();
    await page.locator('[data-host=s042].gone').getByText('no data in this range').waitFor();
    await close();
});

it('a stopped store is shown on every page, with what was there before, and found again', async () => {
    const paths = [`/clusters/${node.cluster}`, `/clusters/${node.cluster}/nodes/${node.host}`, '/jobs', '/'];
    const open = await Promise.all(paths.map((path) => openPage(browser, server, path)));
    for (const { page } of open) await page.locator('svg[role=img], canvas').first().waitFor({ state: 'attached' });
    await server.pause();
    for (const { page } of open) {
        await page
            .getByRole('alert')
            .getByText(/does not answer/)
            .waitFor({ timeout: 40000 });
        assert.ok((await page.locator('svg[role=img], canvas').count()) > 0, 'the old content stays');
    }
    await server.resume();
    for (const { page } of open) {
        await page
            .getByRole('button', { name: 'Try now' })
            .click({ timeout: 2000 })
            .catch(() => undefined); // it may have found out by itself
        await page.getByRole('button', { name: 'Try now' }).waitFor({ state: 'detached', timeout: 40000 });
    }
    for (const { close } of open) await close();
});
