// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import {
    bandOf,
    dropBefore,
    joinSeries,
    nearestIndex,
    newest,
    statistics,
    statisticsOfAll,
    thin,
    toTable,
    type Series,
} from './series';

function series(from: number, step: number, data: (number | null)[]): Series {
    return { label: 'a', from, step, data };
}

describe('statistics', () => {
    it('leaves holes out', () => expect(statistics([null, 1, null, 3])).toEqual({ min: 1, avg: 2, max: 3 }));
    it('of nothing is nothing', () => expect(statistics([null])).toEqual({ min: null, avg: null, max: null }));
    it('weighs samples, not series', () =>
        expect(statisticsOfAll([series(0, 1, [1, 1, 1]), series(0, 1, [5])])).toEqual({ min: 1, avg: 2, max: 5 }));
});

describe('joining', () => {
    it.each<[string, Series, Series, number, Series]>([
        [
            'appends and replaces the overlap',
            series(0, 10, [1, 2, 3]),
            series(20, 10, [9, 4]),
            0,
            series(0, 10, [1, 2, 9, 4]),
        ],
        [
            'a younger null does not erase a sample',
            series(0, 10, [1, 2]),
            series(10, 10, [null, 3]),
            0,
            series(0, 10, [1, 2, 3]),
        ],
        ['fills a gap with holes', series(0, 10, [1]), series(30, 10, [4]), 0, series(0, 10, [1, null, null, 4])],
        [
            'drops what moved out of the range',
            series(0, 10, [1, 2, 3]),
            series(30, 10, [4]),
            20,
            series(20, 10, [3, 4]),
        ],
        ['an empty answer only moves the front', series(0, 10, [1, 2]), series(0, 10, []), 10, series(10, 10, [2])],
        ['another step stands alone', series(0, 10, [1]), series(20, 5, [4]), 0, series(20, 5, [4])],
        ['another phase stands alone', series(0, 10, [1]), series(25, 10, [4]), 0, series(25, 10, [4])],
        ['an answer from before stands alone', series(50, 10, [1]), series(0, 10, [4]), 0, series(0, 10, [4])],
        ['an absurd gap stands alone', series(0, 1, [1]), series(1e9, 1, [4]), 0, series(1e9, 1, [4])],
    ])('%s', (_, old, young, keep, expected) => expect(joinSeries(old, young, keep)).toEqual(expected));
    it('keeps the old series as it was', () => {
        const old = series(0, 10, [1]);
        joinSeries(old, series(0, 10, [2]), 0);
        expect(old.data).toEqual([1]);
    });
    it('drops everything when all is too old', () => expect(dropBefore(series(0, 10, [1, 2]), 1000).data).toEqual([]));
});

describe('one table', () => {
    it('aligns series of one step', () => {
        const table = toTable([series(0, 10, [1, 2]), series(10, 10, [5, null, 7])]);
        expect(table).toEqual({
            times: [0, 10, 20, 30],
            columns: [
                [1, 2, null, null],
                [null, 5, null, 7],
            ],
        });
    });
    it('holds samples of a coarser series over their step', () =>
        expect(toTable([series(0, 10, [1, 2, 3, 4]), series(0, 20, [8, 9])]).columns[1]).toEqual([8, 8, 9, 9]));
    it('of nothing has no times', () => expect(toTable([series(0, 10, [])])).toEqual({ times: [], columns: [[]] }));
});

it('the band leaves holes out', () =>
    expect(
        bandOf(
            [
                [1, null],
                [3, null],
            ],
            2,
        ),
    ).toEqual({ min: [1, null], mean: [2, null], max: [3, null] }));

it('the newest sample is the last that is there', () => {
    expect(newest(series(100, 10, [1, 2, null]))).toEqual({ time: 110, value: 2 });
    expect(newest(series(100, 10, [null]))).toBeNull();
});

describe('thinning', () => {
    it('leaves short series alone', () => expect(thin(series(0, 1, [1, 2]), 2)).toEqual([1, 2]));
    it('averages runs at fixed times', () => {
        expect(thin(series(0, 1, [1, 3, 5, 7]), 2)).toEqual([2, 6]);
        expect(thin(series(1, 1, [3, 5, 7, 9]), 2)).toEqual([3, 6, 9]);
    });
    it('keeps holes', () => expect(thin(series(0, 1, [null, null, 5, null]), 2)).toEqual([null, 5]));
});

it.each([
    [[], 5, -1],
    [[10], 5, 0],
    [[0, 10, 20], 14, 1],
    [[0, 10, 20], 16, 2],
    [[0, 10, 20], 99, 2],
    [[0, 10, 20], -9, 0],
])('nearest in %o to %s is %s', (times, time, index) => expect(nearestIndex(times, time)).toBe(index));
