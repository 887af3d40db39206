// SPDX-License-Identifier: MIT
// Every page: plots appear, nothing is fetched from elsewhere, nothing overflows, in light and dark, on phone and wall.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { assertNoOverflow, assertQuiet, drawnPlots, drawnSparks, openPage, startBrowser, WAIT } from './browser.mjs';
import { faultsOf, smallTargets } from './checks.mjs';
import { Server, waitFor } from './server.mjs';

let server;
let browser;
let node;
let job;
before(async () => {
    [server, browser] = await Promise.all([Server.start(), startBrowser()]);
    node = await server.busyNode();
    job = await server.finishedJob(2);
});
after(async () => {
    await browser?.close();
    await server?.end();
});

const PAGES = {
    overview: { path: () => '/', plots: drawnSparks },
    cluster: { path: () => `/clusters/${node.cluster}`, plots: drawnSparks },
    node: { path: () => `/clusters/${node.cluster}/nodes/${node.host}`, plots: drawnPlots },
    threads: { path: () => `/clusters/${node.cluster}/nodes/${node.host}?scope=hwthread`, plots: drawnPlots },
    jobs: { path: () => '/jobs', plots: drawnSparks },
    job: { path: () => `/jobs/${job.id}`, plots: drawnPlots },
};
const SCREENS = {
    laptop: { viewport: { width: 1440, height: 900 } },
    dark: { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' },
    phone: { viewport: { width: 390, height: 844 }, hasTouch: true },
    'dark phone': { viewport: { width: 390, height: 844 }, hasTouch: true, colorScheme: 'dark' },
    wall: { viewport: { width: 2560, height: 1440 } },
};

for (const [name, { path, plots }] of Object.entries(PAGES)) {
    describe(name, () => {
        for (const [screen, options] of Object.entries(SCREENS)) {
            it(`is whole on a ${screen} screen`, async () => {
                const { page, seen, close } = await openPage(browser, server, path(), options);
                await waitFor(async () => (await plots(page)) > 0, `plots of ${name}`);
                await page.waitForFunction(() => !document.body.innerText.includes('Loading …'), null, WAIT);
                await assertNoOverflow(page, `${name} on ${screen}`);
                assert.deepEqual(await faultsOf(page), [], 'accessibility');
                if (screen.includes('phone')) assert.deepEqual(await smallTargets(page), [], 'small targets');
                assertQuiet(seen, server);
                await close();
            });
        }
    });
}

it('the ground follows the wish for dark colours, and the switch overrides it', async () => {
    const { page, close } = await openPage(browser, server, '/jobs', { colorScheme: 'dark' });
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const dark = await ground();
    await page.getByRole('button', { name: /^Colours/ }).click();
    const light = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    assert.equal(await ground(), light, 'the choice is kept');
    await close();
});

it('an unknown path, cluster and job are told in a sentence', async () => {
    for (const [path, text] of [
        ['/clusters/nowhere', 'There is no cluster named'],
        ['/jobs/999999999', 'This job cannot be shown'],
    ]) {
        const { page, close } = await openPage(browser, server, path);
        await page.getByText(text).waitFor();
        await close();
    }
});

it('pages change without a reload, and back returns', async () => {
    const { page, seen, close } = await openPage(browser, server, '/');
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Jobs' }).click();
    await page.getByRole('heading', { name: 'Jobs', level: 1 }).waitFor();
    assert.equal(new URL(page.url()).pathname, '/jobs');
    assert.match(await page.title(), /^Jobs/);
    await page.goBack();
    await page.waitForFunction(() => document.title.startsWith('Overview'), null, WAIT);
    assert.equal(
        seen.requests.filter((url) => new URL(url).pathname === '/').length,
        1,
        'the document was loaded once',
    );
    await close();
});
