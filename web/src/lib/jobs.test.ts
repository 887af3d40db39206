// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import {
    applySearch,
    chipsOf,
    filterFromQuery,
    filterToQuery,
    filterToRequest,
    stateTone,
    timeSpan,
    toggleSort,
} from './jobs';

const NONE = filterFromQuery(new URLSearchParams());

describe('filters in the URL', () => {
    it.each([
        '',
        'state=running&state=failed&user=alice',
        'cluster=a&name=x+%26+y%25&time=last24h&sort=duration&order=asc&items=25&page=3',
        'time=1700000000-1700003600',
    ])('"%s" survives', (text) =>
        expect(filterToQuery(filterFromQuery(new URLSearchParams(text))).toString()).toBe(text),
    );
    it.each([
        ['state=nonsense&page=-3&items=7&sort=color&order=up&time=never', ''],
        ['page=abc', ''],
        ['page=2.7', 'page=2'],
    ])('"%s" is repaired to "%s"', (text, repaired) =>
        expect(filterToQuery(filterFromQuery(new URLSearchParams(text))).toString()).toBe(repaired),
    );
});

describe('requests', () => {
    it('carry everything the backend needs', () => {
        const request = filterToRequest({ ...NONE, states: ['failed'], host: 'n1', time: 'last1h' }, 10000);
        expect(request.toString()).toBe(
            'state=failed&host=n1&start-time=6400-96400&sort=startTime&order=desc&items-per-page=50&page=1&with-metadata=true',
        );
    });
    it.each([
        ['', null],
        ['5-9', { from: 5, to: 9 }],
        ['x-y', null],
    ])('time "%s" spans %o', (time, span) => expect(timeSpan(time, 0)).toEqual(span));
});

describe('the search field', () => {
    it('understands keys and takes the rest as name', () =>
        expect(applySearch({ ...NONE, page: 4 }, ' user:alice  state:failed big lammps host:n01 ')).toMatchObject({
            user: 'alice',
            states: ['failed'],
            host: 'n01',
            name: 'big lammps',
            page: 1,
        }));
    it('keeps unknown keys and states as part of the name', () =>
        expect(applySearch(NONE, 'foo:bar state:odd').name).toBe('foo:bar state:odd'));
    it('does not add a state twice', () =>
        expect(applySearch({ ...NONE, states: ['failed'] }, 'state:failed').states).toEqual(['failed']));
    it('empty text changes nothing', () => expect(applySearch(NONE, '   ')).toEqual(NONE));
});

describe('chips', () => {
    it('stand for one filter each and say what remains', () => {
        const chips = chipsOf({ ...NONE, states: ['running', 'failed'], user: 'alice', time: 'last1h', page: 3 });
        expect(chips.map((c) => c.label)).toEqual([
            'state: running',
            'state: failed',
            'user: alice',
            'started: last hour',
        ]);
        expect(chips[0]?.without).toMatchObject({ states: ['failed'], user: 'alice', page: 1 });
        expect(chips[2]?.without.user).toBe('');
    });
});

it('a column head turns its order round, another one starts with the largest', () => {
    expect(toggleSort(NONE, 'startTime')).toMatchObject({ sort: 'startTime', order: 'asc', page: 1 });
    expect(toggleSort({ ...NONE, order: 'asc' }, 'duration')).toMatchObject({ sort: 'duration', order: 'desc' });
});

it.each([
    ['running', 'run'],
    ['completed', 'done'],
    ['failed', 'bad'],
    ['out_of_memory', 'bad'],
    ['cancelled', 'wait'],
    ['pending', 'wait'],
])('%s has tone %s', (state, tone) => expect(stateTone(state)).toBe(tone));
