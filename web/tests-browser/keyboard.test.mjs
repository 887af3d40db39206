// SPDX-License-Identifier: MIT
// Everything without a mouse.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { openPage, startBrowser } from './browser.mjs';
import { Server, waitFor } from './server.mjs';

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

const focused = (page) =>
    page.evaluate(() => {
        const e = document.activeElement;
        const box = e.getBoundingClientRect();
        return {
            text: (e.getAttribute('aria-label') ?? e.textContent ?? '').trim(),
            tag: e.tagName,
            outline: getComputedStyle(e).outlineStyle,
            seen: box.width > 0 && box.bottom > 0,
        };
    });

async function tabTo(page, test, limit = 60) {
    for (let i = 0; i < limit; i++) {
        await page.keyboard.press('Tab');
        const at = await focused(page);
        assert.ok(at.tag === 'BODY' || at.outline !== 'none', `focus is visible on ${at.tag} "${at.text}"`);
        if (test(at)) return at;
    }
    throw new Error('not reached with the tab key');
}

it('the first stop skips to the content', async () => {
    const { page, close } = await openPage(browser, server, '/jobs');
    await page.locator('td.id').first().waitFor();
    await page.keyboard.press('Tab');
    const first = await focused(page);
    assert.equal(first.text, 'Skip to content');
    assert.ok(first.seen, 'it is visible when focused');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.ok(
        await page.evaluate(() => document.activeElement.closest('main') !== null),
        'the next stop is in the content',
    );
    await close();
});

it('a job is opened from the list, and a new page takes the focus', async () => {
    const { page, close } = await openPage(browser, server, '/jobs');
    await page.locator('td.id').first().waitFor();
    await tabTo(page, (at) => at.tag === 'A' && /^\d+$/.test(at.text));
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/jobs\/\d+/);
    await waitFor(() => page.evaluate(() => document.activeElement.id === 'main'), 'focus on the content');
    await close();
});

it('a column is sorted', async () => {
    const { page, close } = await openPage(browser, server, '/jobs');
    await page.locator('td.id').first().waitFor();
    await tabTo(page, (at) => at.tag === 'BUTTON' && at.text.startsWith('Duration'));
    await page.keyboard.press('Enter');
    await page.locator('th[aria-sort=descending]', { hasText: 'Duration' }).waitFor();
    await page.keyboard.press('Space');
    await page.locator('th[aria-sort=ascending]', { hasText: 'Duration' }).waitFor();
    await close();
});

it('arrow keys read values from a plot, and all plots follow', async () => {
    const { page, close } = await openPage(browser, server, `/clusters/${node.cluster}/nodes/${node.host}`);
    await page.locator('figure canvas').first().waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await tabTo(page, (at) => at.text.includes('Arrow keys read values'));
    const readout = page.locator('figure .readout');
    await page.keyboard.press('End');
    await waitFor(async () => (await readout.first().innerText()) !== '', 'a value');
    const last = await readout.first().innerText();
    assert.match(last, /\d\d:\d\d/, 'time and value');
    await page.keyboard.press('ArrowLeft');
    await waitFor(async () => (await readout.first().innerText()) !== last, 'the value before');
    assert.notEqual(await readout.nth(1).innerText(), '', 'the next plot shows the same time');
    await close();
});

it('scope, range and metric are chosen', async () => {
    const { page, close } = await openPage(browser, server, `/clusters/${node.cluster}/nodes/${node.host}`);
    await page.locator('figure canvas').first().waitFor();
    await tabTo(page, (at) => at.text === 'Socket' || at.text === 'Core' || at.text === 'Thread');
    await page.keyboard.press('Space');
    await waitFor(() => Promise.resolve(page.url().includes('scope=')), 'the scope in the URL');
    await tabTo(page, (at) => at.text === 'Last 15 min');
    await page.keyboard.press('Space');
    await waitFor(() => Promise.resolve(page.url().includes('range=15m')), 'the range in the URL');
    await page.goto(`${server.url}/clusters/${node.cluster}`);
    await page.locator('.tile svg').first().waitFor();
    await page.getByRole('combobox', { name: 'Metric' }).focus();
    await page.keyboard.press('ArrowDown');
    await waitFor(() => Promise.resolve(page.url().includes('metric=')), 'the metric in the URL');
    await close();
});

it('a custom range is typed in', async () => {
    const { page, close } = await openPage(browser, server, `/clusters/${node.cluster}/nodes/${node.host}`);
    await page.locator('figure canvas').first().waitFor();
    await page.getByRole('button', { name: 'Custom' }).press('Enter');
    const [from, to] = [page.getByLabel('From'), page.getByLabel('To')];
    const start = await from.inputValue();
    await to.fill(start);
    await page.getByRole('button', { name: 'Show' }).press('Enter');
    await page.getByText('The end must be after the start.').waitFor();
    await from.fill('2026-01-02T03:04:05');
    await page.getByRole('button', { name: 'Show' }).press('Enter');
    await waitFor(() => Promise.resolve(/from=\d+&to=\d+/.test(page.url())), 'the span in the URL');
    await page.getByRole('button', { name: 'Back to live' }).press('Enter');
    await waitFor(() => Promise.resolve(!page.url().includes('from=')), 'live again');
    await close();
});
