// SPDX-License-Identifier: MIT
// The job list and the job page: filters in the URL, order, paging, statistics, download.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, it } from 'node:test';
import { assertQuiet, drawnPlots, openPage, startBrowser, WAIT } from './browser.mjs';
import { Server, waitFor } from './server.mjs';

let server;
let browser;
before(async () => {
    [server, browser] = await Promise.all([Server.start(), startBrowser()]);
});
after(async () => {
    await browser?.close();
    await server?.end();
});

async function states(page) {
    return [...new Set(await page.locator('td.state').allInnerTexts())];
}

it('filters are chips and live in the URL', async () => {
    const { page, close } = await openPage(browser, server, '/jobs');
    await page.locator('td.state').first().waitFor();
    await page.getByRole('button', { name: 'completed', exact: true }).click();
    await waitFor(async () => (await states(page)).join() === 'completed', 'only completed jobs');
    assert.equal(new URL(page.url()).search, '?state=completed');
    await page.reload();
    await waitFor(async () => (await states(page)).join() === 'completed', 'the same after a reload');
    await page.getByRole('button', { name: 'Remove filter state: completed' }).click();
    await waitFor(async () => (await states(page)).length > 1, 'all states');
    assert.equal(new URL(page.url()).search, '');
    await page.goBack();
    await waitFor(async () => (await states(page)).join() === 'completed', 'back brings the filter');
    await close();
});

it('the search field understands user: and keeps plain words for the name', async () => {
    const user = (await server.get('/ui/api/jobs?items-per-page=1')).jobs[0].user;
    const { page, close } = await openPage(browser, server, '/jobs');
    await page.getByRole('searchbox').fill(`user:${user}`);
    await page.keyboard.press('Enter');
    await page.getByText(`user: ${user}`).waitFor();
    await waitFor(
        async () => [...new Set(await page.locator('td.user').allInnerTexts())].join() === user,
        'jobs of that user',
    );
    await page.getByRole('searchbox').fill('surely no job has this name');
    await page.keyboard.press('Enter');
    await page.getByText('No job matches these filters.').waitFor();
    await page.getByRole('button', { name: 'Clear all' }).click();
    await page.locator('td.state').first().waitFor();
    await close();
});

it('column heads sort', async () => {
    const { page, close } = await openPage(browser, server, '/jobs');
    await page.getByRole('button', { name: 'Job', exact: true }).click();
    const ids = async () => (await page.locator('td.id').allInnerTexts()).map(Number);
    const ordered = (list, sign) => list.length > 1 && list.every((v, i) => i === 0 || sign * (list[i - 1] - v) >= 0);
    await waitFor(async () => ordered(await ids(), 1), 'largest first');
    assert.equal(await page.locator('th[aria-sort=descending]').innerText(), 'Job ▾');
    await page.getByRole('button', { name: /^Job/ }).first().click();
    await waitFor(async () => ordered(await ids(), -1), 'smallest first');
    assert.equal(await page.locator('th[aria-sort=ascending]').count(), 1);
    await close();
});

it('pages of the list follow each other', async () => {
    const { page, close } = await openPage(browser, server, '/jobs?items=25');
    await page.locator('td.id').first().waitFor();
    const total = (await server.get('/ui/api/jobs?items-per-page=1')).total;
    const next = page.getByRole('button', { name: 'Next' });
    if (total <= 25) assert.ok(await next.isDisabled());
    else {
        const first = await page.locator('td.id').allInnerTexts();
        await next.click();
        await page.getByText('26–', { exact: false }).waitFor();
        await waitFor(
            async () => !(await page.locator('td.id').allInnerTexts()).some((id) => first.includes(id)),
            'other jobs',
        );
        assert.match(page.url(), /page=2/);
    }
    await close();
});

it('25 jobs and their plots fit on a laptop', async () => {
    const { page, close } = await openPage(browser, server, '/jobs');
    await page.locator('td.id').first().waitFor();
    const height = await page.evaluate(() => {
        const rows = [...document.querySelectorAll('tbody tr')];
        return { top: rows[0].getBoundingClientRect().top, row: rows[0].getBoundingClientRect().height };
    });
    assert.ok(height.top + 25 * height.row <= 900, `25 rows end at ${height.top + 25 * height.row} px`);
    await close();
});

it('a job shows facts, plots and statistics, and gives them as CSV', async () => {
    const job = await server.finishedJob();
    const { page, seen, close } = await openPage(browser, server, `/jobs/${job.id}`);
    await page.getByRole('heading', { level: 1, name: `Job ${job.jobId}` }).waitFor();
    await waitFor(async () => (await drawnPlots(page)) > 2, 'plots');
    const facts = await page.locator('dl').innerText();
    assert.match(facts, /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)/, 'ISO times with zone');
    const rows = page.getByRole('table', { name: 'Statistics per metric' }).locator('tbody tr');
    assert.ok((await rows.count()) > 2);
    await page.getByRole('button', { name: 'Metric', exact: true }).click();
    const names = await rows.locator('th').allInnerTexts();
    assert.deepEqual(
        names,
        [...names].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })),
        'sorted by name',
    );
    const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Download CSV' }).first().click(),
    ]);
    const text = readFileSync(await download.path(), 'utf8');
    assert.match(text, /^metric,unit,min,mean,max,remark\r\n/);
    assert.equal(text.trim().split('\r\n').length, names.length + 1);
    assertQuiet(seen, server);
    await close();
});

it('a job of several nodes can be looked at node by node', async () => {
    const job = await server.finishedJob(2);
    assert.ok(job.numNodes > 1, 'there is such a job');
    const { page, close } = await openPage(browser, server, `/jobs/${job.id}`);
    await page.locator('figure canvas').first().waitFor();
    const figure = page.locator('figure').first();
    await figure.getByRole('combobox').selectOption('node');
    await figure.getByRole('button', { name: 'Table' }).click();
    await waitFor(async () => (await figure.locator('tbody tr').count()) === job.numNodes, 'a line per node');
    await page.getByRole('combobox', { name: 'Metric' }).selectOption({ index: 1 });
    await waitFor(
        async () => (await page.locator('section table').last().locator('tbody tr').count()) >= job.numNodes,
        'statistics per node',
    );
    await close();
});

it('a running job says so and its duration grows', async () => {
    const job = await server.runningJob();
    const { page, close } = await openPage(browser, server, `/jobs/${job.id}`);
    await page.getByText('still running').waitFor();
    const duration = () => page.locator('dl > div').nth(2).innerText();
    const before = await duration();
    await waitFor(async () => (await duration()) !== before, 'a longer duration');
    await close();
});

it('the plot columns can be chosen and are remembered', async () => {
    const { page, close } = await openPage(browser, server, '/jobs');
    await page.locator('th.plot').first().waitFor(WAIT);
    const before = await page.locator('th.plot').allInnerTexts();
    await page.locator('summary').click();
    await page.getByRole('checkbox', { name: before[0], exact: true }).uncheck();
    await waitFor(async () => (await page.locator('th.plot').count()) === before.length - 1, 'a column less');
    await page.reload();
    await page.locator('th.plot').first().waitFor();
    assert.deepEqual(await page.locator('th.plot').allInnerTexts(), before.slice(1));
    await close();
});
