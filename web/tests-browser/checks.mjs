// SPDX-License-Identifier: MIT
// Accessibility rules that a machine can check; runs inside the page and returns one sentence per fault.
export function faultsOf(page) {
    return page.evaluate(() => {
        const faults = [];
        const visible = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden';
        const name = (e) =>
            (e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent ?? '').trim() ||
            (e.querySelector('[aria-label]')?.getAttribute('aria-label') ?? '');
        const where = (e) =>
            `${e.tagName.toLowerCase()}.${e.getAttribute('class') ?? ''} "${(e.textContent ?? '').trim().slice(0, 30)}"`;

        if (!document.documentElement.lang) faults.push('no language');
        if (document.querySelectorAll('h1').length !== 1) faults.push(`${document.querySelectorAll('h1').length} h1`);
        if (document.querySelectorAll('main').length !== 1) faults.push('not one main');
        if (!document.title.includes('ClusterCockpit')) faults.push(`title "${document.title}"`);
        const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
        for (const id of ids.filter((x, i) => ids.indexOf(x) !== i)) faults.push(`id ${id} twice`);
        for (const e of document.querySelectorAll('a[href], button, input, select, textarea, [role=button]'))
            if (visible(e) && name(e) === '') faults.push(`no name: ${where(e)}`);
        for (const e of document.querySelectorAll('svg[role=img]'))
            if (!e.getAttribute('aria-label')) faults.push('plot without text');
        for (const e of document.querySelectorAll('table'))
            if (visible(e) && !e.caption) faults.push('table without caption');
        for (const e of document.querySelectorAll('[style*="outline: none"]')) faults.push(`focus hidden: ${where(e)}`);
        let level = 0;
        for (const h of document.querySelectorAll('h1, h2, h3, h4')) {
            const next = Number(h.tagName[1]);
            if (next > level + 1 && level > 0) faults.push(`heading jumps from ${level} to ${next}: ${h.textContent}`);
            level = next;
        }

        // Contrast of text against the nearest painted ground (WCAG 2.1: 4.5 for normal text).
        const parse = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
        const light = ([r, g, b]) => {
            const part = (v) => ((v /= 255), v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
        };
        const groundOf = (e) => {
            for (let at = e; at; at = at.parentElement) {
                const c = parse(getComputedStyle(at).backgroundColor);
                if (c.length === 3 || c[3] > 0.9) return c;
            }
            return [255, 255, 255];
        };
        const poor = new Set();
        for (const e of document.querySelectorAll('main *, header *')) {
            const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== '');
            if (!text || !visible(e) || e.closest('.unseen, :disabled')) continue;
            const [a, b] = [light(parse(getComputedStyle(e).color)), light(groundOf(e))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) poor.add(`contrast ${ratio.toFixed(1)}: ${where(e)}`);
        }
        return [...faults, ...[...poor].slice(0, 5)];
    });
}

/** On a phone every control is at least 24 px high (WCAG 2.2 target size); the common ones are 44. */
export function smallTargets(page) {
    return page.evaluate(() =>
        [...document.querySelectorAll('a[href], button, select, input')]
            .filter(
                (e) =>
                    e.getClientRects().length > 0 && !e.closest('.unseen, .skip, details:not([open]) > :not(summary)'),
            )
            .filter((e) => getComputedStyle(e).display !== 'inline') // links in running text are exempt
            .filter((e) => (e.closest('label') ?? e).getBoundingClientRect().height < 24)
            .map((e) => {
                const text = (e.getAttribute('aria-label') ?? e.textContent ?? '').trim().slice(0, 30);
                return `${e.tagName.toLowerCase()} "${text}" ${e.getBoundingClientRect().height.toFixed(0)} px`;
            }),
    );
}
