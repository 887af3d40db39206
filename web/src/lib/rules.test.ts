// SPDX-License-Identifier: MIT
// Thresholds, scopes, verdicts, freshness: the rules that turn numbers into words.
import { describe, expect, it } from 'vitest';
import { countFresh, freshnessText, staleAfter } from './freshness';
import { levelOf, levelWord, thresholdsAt, viewTop } from './thresholds';
import { elementCount, fittingScope, orderedMetrics, queriesFor, scopesOf } from './topology';
import type { Job, MetricConfig, Topology } from './types';
import { verdictOf } from './verdict';

const METRIC: MetricConfig = {
    name: 'mem_bw',
    unit: { base: 'B/s', prefix: 'G' },
    scope: 'socket',
    aggregation: 'sum',
    timestep: 60,
    peak: 350,
    normal: 100,
    caution: 50,
    alert: 10,
    footprint: 'avg',
};
const TOPOLOGY: Topology = {
    node: [0, 1, 2, 3, 4, 5, 6, 7],
    socket: [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
    ],
    memoryDomain: [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
    ],
    core: [
        [0, 4],
        [1, 5],
        [2, 6],
        [3, 7],
    ],
};

describe('levels', () => {
    const up = { peak: 240, normal: 100, caution: 50, alert: 10, lowerIsBetter: false };
    it.each([
        [270, 'over'],
        [260, 'good'],
        [240, 'good'],
        [101, 'good'],
        [100, 'normal'],
        [50, 'caution'],
        [10, 'alert'],
        [0, 'alert'],
        [null, 'none'],
    ])('more is better: %s is %s', (value, level) => expect(levelOf(value, up)).toBe(level));
    const down = { peak: 400, normal: 200, caution: 250, alert: 300, lowerIsBetter: true };
    it.each([
        [441, 'over'],
        [401, 'alert'],
        [300, 'alert'],
        [250, 'caution'],
        [240, 'normal'],
        [0, 'normal'],
    ])('less is better: %s is %s', (value, level) => expect(levelOf(value, down)).toBe(level));
    it('says high or low by direction', () =>
        expect([levelWord('alert', false), levelWord('alert', true), levelWord('none', true)]).toEqual([
            'very low',
            'very high',
            '',
        ]));
    it('the order of the limits gives the direction when the flag is missing', () =>
        expect(thresholdsAt({ ...METRIC, caution: 200, alert: 240 }, 'node', undefined)?.lowerIsBetter).toBe(true));
    it('without thresholds there is no judgement', () => {
        expect(thresholdsAt({ ...METRIC, peak: 0, normal: 0 }, 'node', TOPOLOGY)).toBeNull();
        expect(levelOf(5, null)).toBe('none');
    });
});

describe('thresholds of parts', () => {
    it('a sum is divided among the sockets', () =>
        expect(thresholdsAt(METRIC, 'socket', TOPOLOGY)).toMatchObject({
            peak: 175,
            normal: 50,
            caution: 25,
            alert: 5,
        }));
    it('a mean holds for each part', () =>
        expect(thresholdsAt({ ...METRIC, aggregation: 'avg' }, 'socket', TOPOLOGY)).toMatchObject({ normal: 100 }));
    it('without aggregation there are none', () =>
        expect(thresholdsAt({ ...METRIC, aggregation: '' }, 'socket', TOPOLOGY)).toBeNull());
    it('without topology there are none', () => expect(thresholdsAt(METRIC, 'socket', undefined)).toBeNull());
});

it.each([
    [0, 1],
    [null, 1],
    [90, 108],
    [200, 216],
    [1, 1.08],
])('axis over data up to %s ends at %s', (data, top) =>
    expect(viewTop(data, { peak: 350, normal: 100, caution: 50, alert: 10, lowerIsBetter: false })).toBeCloseTo(top, 9),
);

describe('scopes', () => {
    it('go from the node to where the metric is measured', () => {
        expect(scopesOf(METRIC, TOPOLOGY)).toEqual(['node', 'socket']);
        expect(scopesOf({ ...METRIC, scope: 'hwthread' }, TOPOLOGY)).toEqual([
            'node',
            'socket',
            'memoryDomain',
            'core',
            'hwthread',
        ]);
        expect(scopesOf({ ...METRIC, scope: 'hwthread' }, { node: [0, 1] })).toEqual(['node', 'hwthread']);
        expect(scopesOf({ ...METRIC, scope: 'accelerator' }, TOPOLOGY)).toEqual(['node']);
    });
    it('fall back to the next coarser one', () => {
        expect(fittingScope(METRIC, TOPOLOGY, 'core')).toBe('socket');
        expect(fittingScope({ ...METRIC, scope: 'node' }, TOPOLOGY, 'hwthread')).toBe('node');
    });
    it('counts parts', () =>
        expect([elementCount(TOPOLOGY, 'core'), elementCount(TOPOLOGY, 'accelerator')]).toEqual([4, 0]));
});

// Spec metric-store.md MS-22: a store leaves out parts without data, so one query must never name several parts.
describe('test_ms_22_one_query_per_part', () => {
    const thread: MetricConfig = { ...METRIC, name: 'flops', scope: 'hwthread' };
    it('native parts have one id each', () => {
        const list = queriesFor(thread, TOPOLOGY, 'h', 'hwthread', 60);
        expect(list).toHaveLength(8);
        expect(list[3]).toEqual({
            label: 'thread 3',
            query: { metric: 'flops', host: 'h', type: 'hwthread', 'type-ids': ['3'] },
        });
    });
    it('coarser parts are added up by the store', () =>
        expect(queriesFor(thread, TOPOLOGY, 'h', 'core', 60)[1]).toEqual({
            label: 'core 1',
            query: { metric: 'flops', host: 'h', type: 'hwthread', 'type-ids': ['1', '5'], aggreg: true },
        }));
    it('a metric of the node is asked without parts', () =>
        expect(queriesFor({ ...METRIC, scope: 'node' }, TOPOLOGY, 'h', 'node', 60)[0]?.query).toEqual({
            metric: 'mem_bw',
            host: 'h',
        }));
    it('a metric of parts is added up over them, whatever else was sent for the node', () => {
        expect(queriesFor(METRIC, TOPOLOGY, 'h', 'node', 60)[0]?.query).toEqual({
            metric: 'mem_bw',
            host: 'h',
            type: 'socket',
            'type-ids': ['0', '1'],
            aggreg: true,
        });
        expect(queriesFor({ ...METRIC, scope: 'accelerator' }, TOPOLOGY, 'h', 'node', 60)[0]?.query).toEqual({
            metric: 'mem_bw',
            host: 'h',
        });
    });
    it('a coarser resolution is passed on', () =>
        expect(queriesFor(thread, TOPOLOGY, 'h', 'node', 600)[0]?.query.resolution).toBe(600));
    it('sockets are named by index', () =>
        expect(queriesFor(METRIC, TOPOLOGY, 'h', 'socket', 60)[1]?.query['type-ids']).toEqual(['1']));
});

it('footprint metrics come first', () =>
    expect(
        orderedMetrics([
            { ...METRIC, name: 'a', footprint: '' },
            { ...METRIC, name: 'b' },
        ]).map((m) => m.name),
    ).toEqual(['b', 'a']));

describe('verdict', () => {
    const job = { numNodes: 2, numHwthreads: 16, shared: 'none' } as Job;
    const at = (avg: number): Record<string, { min: number; avg: number; max: number }> => ({
        mem_bw: { min: 0, avg, max: 500 },
    });
    it('names value, limit and rule', () =>
        expect(verdictOf(job, [METRIC], at(8), 8)).toEqual({
            judged: 1,
            remarks: [
                { metric: 'mem_bw', text: 'mem_bw: mean 8.00 GB/s is below the alert limit of 10.0 GB/s per node' },
            ],
        }));
    it('is silent within the limits', () =>
        expect(verdictOf(job, [METRIC], at(80), 8)).toEqual({ judged: 1, remarks: [] }));
    it('judges the statistic of the footprint', () => {
        const worst = {
            ...METRIC,
            name: 'mem_bw',
            footprint: 'max',
            lowerIsBetter: true,
            peak: 600,
            normal: 100,
            caution: 200,
            alert: 400,
        };
        expect(verdictOf(job, [worst], at(8), 8).remarks[0]?.text).toBe(
            'mem_bw: maximum 500 GB/s is above the alert limit of 400 GB/s per node',
        );
    });
    it('says nothing about shared nodes', () =>
        expect(verdictOf({ ...job, shared: 'multi_user' }, [METRIC], at(8), 8).judged).toBe(0));
    it('says nothing about jobs on a part of the threads', () =>
        expect(verdictOf({ ...job, numHwthreads: 4 }, [METRIC], at(8), 8).judged).toBe(0));
    it('says nothing without values', () => expect(verdictOf(job, [METRIC], {}, 8).judged).toBe(0));
});

describe('freshness', () => {
    it.each([
        [1, 15],
        [10, 30],
        [60, 180],
    ])('at %s s a value is old after %s s', (step, limit) => expect(staleAfter(step)).toBe(limit));
    it.each([
        [1000, 'live'],
        [800, 'no data since 3 min'],
        [null, 'no data yet'],
    ])('last seen at %s: %s', (seen, text) => expect(freshnessText(seen, 1000, 10)).toBe(text));
    it('counts nodes by state', () =>
        expect(
            countFresh(
                [1000, 1, null].map((lastSeen) => ({ host: 'h', subcluster: 's', lastSeen })),
                1000,
                10,
            ),
        ).toEqual({ live: 1, stale: 1, never: 1 }));
});
