// SPDX-License-Identifier: MIT
// The smaller helpers of the pages: routes, ranges, polling, axis labels, small plots, CSV, live views.
import { describe, expect, it } from 'vitest';
import { timeLabels, valueLabels } from './axis';
import { toCsv } from './csv';
import { defaultMetrics, metricNames } from './jobmetrics.svelte';
import { intervalOf } from './live';
import { nextDelay } from './poll';
import { presetFor, PRESETS, rangeFromQuery, rangeKey, rangeToQuery, resolutionFor, spanOf } from './ranges';
import { nodePath, parseRoute } from './router.svelte';
import { bandPath, linePath, markY } from './sparkline';
import type { Cluster } from './types';

describe('routes', () => {
    it.each([
        ['/', { page: 'overview' }],
        ['/jobs', { page: 'jobs' }],
        ['/jobs/12', { page: 'job', id: '12' }],
        ['/jobs/x', { page: 'unknown', path: '/jobs/x' }],
        ['/clusters/a%20b', { page: 'cluster', cluster: 'a b' }],
        ['/clusters/a/nodes/n1', { page: 'node', cluster: 'a', host: 'n1' }],
        ['/clusters/a/nodes', { page: 'unknown', path: '/clusters/a/nodes' }],
        ['/clusters/%zz', { page: 'cluster', cluster: '%zz' }],
        ['/assets/x.js', { page: 'unknown', path: '/assets/x.js' }],
    ])('%s', (path, route) => expect(parseRoute(path)).toEqual(route));
    it('names survive the way there and back', () =>
        expect(parseRoute(nodePath('a/b', 'n?1'))).toEqual({ page: 'node', cluster: 'a/b', host: 'n?1' }));
});

describe('ranges', () => {
    const read = (text: string): ReturnType<typeof rangeFromQuery> => rangeFromQuery(new URLSearchParams(text));
    it('presets move with the clock', () =>
        expect(spanOf(read('range=15m'), 10000.7)).toEqual({ from: 9100, to: 10001 }));
    // Spec web-ui.md 15.3: links with from and to never worked upstream; both notations are read.
    it('test_wu_15_from_and_to', () => {
        expect(read('from=1700000000&to=1700003600')).toEqual({ from: 1700000000, to: 1700003600 });
        expect(read('from=2023-11-14T22:13:20Z&to=2023-11-14T23:13:20Z')).toEqual({ from: 1700000000, to: 1700003600 });
    });
    it.each(['from=9&to=5', 'from=x&to=y', 'range=forever', ''])('nonsense "%s" gives the default', (text) =>
        expect(read(text)).toEqual({ preset: PRESETS[2] }),
    );
    it('writes one notation and clears the other', () =>
        expect(rangeToQuery({ from: 5, to: 9 })).toEqual({ range: '', from: '5', to: '9' }));
    it.each([
        [1, '5m'],
        [10, '1h'],
        [60, '4h'],
        [3600, '1h'],
    ])('at %s s the page opens with %s', (timestep, key) => expect(presetFor(timestep).key).toBe(key));
    it('its key ignores everything else', () =>
        expect(rangeKey(new URLSearchParams('host=a&range=1h&metric=b'))).toBe('range=1h'));
    it.each([
        [3600, 60, 600, 60],
        [86400, 60, 600, 180],
        [86400, 1, 600, 144],
        [60, 0, 600, 0],
    ])('span %s at %s s in %s points reads every %s s', (span, step, points, expected) =>
        expect(resolutionFor(span, step, points)).toBe(expected),
    );
});

describe('live views', () => {
    const wanted = [{ key: 'a', label: 'a', timestep: 2, query: { metric: 'm', host: 'h' } }];
    it('load as often as the plot gains a sample', () => {
        expect(intervalOf({ cluster: 'c', range: { preset: PRESETS[0]! }, points: 600 }, wanted)).toBe(2);
        expect(intervalOf({ cluster: 'c', range: { preset: PRESETS[4]! }, points: 600 }, wanted)).toBe(60);
    });
    it('do not reload a fixed range', () =>
        expect(intervalOf({ cluster: 'c', range: { from: 1, to: 2 }, points: 600 }, wanted)).toBe(0));
    it.each([
        [5, 0, 5],
        [5, 1, 5],
        [5, 2, 10],
        [1, 1, 2],
        [5, 9, 30],
        [60, 3, 60],
    ])('every %s s after %s failures: next in %s s', (interval, failures, delay) =>
        expect(nextDelay(interval, failures)).toBe(delay),
    );
});

describe('axis labels', () => {
    it('name the day where it changes', () => {
        const labels = timeLabels([1700000000, 1700000060], 60);
        expect(labels[0]).toMatch(/^\d\d:\d\d\n2023-11-1[45]$/);
        expect(labels[1]).toMatch(/^\d\d:\d\d$/);
    });
    it('show seconds below a minute', () => expect(timeLabels([1700000000], 10)[0]).toMatch(/^\d\d:\d\d:\d\d\n/));
    it.each([
        [[0, 20, 40], 1, ['0', '20', '40']],
        [[0, 0.5, 1], 1, ['0.0', '0.5', '1.0']],
        [[0, 2.5e9], 1e-9, ['0.0', '2.5']],
        [[0, 0.25], 1, ['0.00', '0.25']],
        [[5], 1, ['5']],
    ])('%o times %s', (ticks, factor, labels) => expect(valueLabels(ticks, factor)).toEqual(labels));
});

describe('small plots', () => {
    const frame = { width: 100, height: 22, low: 0, high: 10 };
    it('draw a line from edge to edge', () => expect(linePath([0, 10], frame)).toBe('M0.0 21.0L100.0 1.0'));
    it('break at holes and keep lonely samples', () =>
        expect(linePath([5, null, 10], frame)).toBe('M0.0 11.0h1.5M100.0 1.0h1.5'));
    it('clip what is outside', () => expect(linePath([20, -5], frame)).toBe('M0.0 1.0L100.0 21.0'));
    it('of nothing are empty', () => expect(linePath([], frame)).toBe(''));
    it('a flat scale is drawn in the middle', () =>
        expect(linePath([3, 3], { ...frame, low: 3, high: 3 })).toBe('M0.0 11.0L100.0 11.0'));
    it('close the band at holes', () =>
        expect(bandPath([0, 0, null, 0, 0], [10, 10, 10, 10, 10], frame)).toBe(
            'M0.0 1.0L25.0 1.0L25.0 21.0L0.0 21.0ZM75.0 1.0L100.0 1.0L100.0 21.0L75.0 21.0Z',
        ));
    it('marks outside are left out', () =>
        expect([markY(5, frame), markY(11, frame), markY(0, frame)]).toEqual([11, null, null]));
});

// Spec web-ui.md 13: cells that look like formulas must not be run by spreadsheet programs.
it('test_wu_13_csv_formulas', () =>
    expect(
        toCsv([
            ['=1+2', 'a,b', 'say "x"', 1.5, null],
            ['-x', '@y', 'z', -3, NaN],
        ]),
    ).toBe('\'=1+2,"a,b","say ""x""",1.5,\r\n\'-x,\'@y,z,-3,\r\n'));

describe('plot columns of the job list', () => {
    const cluster = (name: string, metrics: [string, string][]): Cluster => ({
        name,
        subClusters: [],
        metricConfig: metrics.map(([m, footprint]) => ({
            name: m,
            unit: { base: '' },
            scope: 'node',
            timestep: 1,
            peak: 1,
            normal: 1,
            caution: 1,
            alert: 1,
            footprint,
        })),
    });
    it('start with footprints, each name once', () =>
        expect(
            metricNames([
                cluster('a', [
                    ['x', ''],
                    ['y', 'avg'],
                ]),
                cluster('b', [
                    ['y', 'avg'],
                    ['z', ''],
                ]),
            ]),
        ).toEqual(['y', 'x', 'z']));
    it('prefer footprints that all clusters have', () =>
        expect(
            defaultMetrics([
                cluster('a', [
                    ['load', 'avg'],
                    ['user', 'avg'],
                    ['x', ''],
                ]),
                cluster('b', [
                    ['cpu', 'avg'],
                    ['user', 'avg'],
                    ['y', ''],
                    ['z', ''],
                ]),
            ]),
        ).toEqual(['user', 'load', 'cpu', 'x']));
});
