// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import {
    formatAge,
    formatCount,
    formatDuration,
    formatNumber,
    formatTime,
    formatValue,
    formatZone,
    parseTime,
    plural,
    scaleFor,
} from './format';

describe('numbers', () => {
    it.each([
        [0, '0'],
        [0.00012, '1.2e-4'],
        [0.0123, '0.012'],
        [0.5, '0.50'],
        [3.4, '3.40'],
        [9.996, '10.0'],
        [71.23, '71.2'],
        [99.96, '100'],
        [512.4, '512'],
        [1234.5, '1235'],
        [-5.25, '-5.25'],
        [null, '–'],
        [undefined, '–'],
        [NaN, '–'],
        [Infinity, '–'],
    ])('%s is written as %s', (value, text) => expect(formatNumber(value)).toBe(text));
});

describe('values with unit', () => {
    it.each([
        [1500, { base: 'B/s' }, '1.50 kB/s'],
        [1234, { base: 'F/s', prefix: 'G' }, '1.23 TF/s'],
        [0.5, { base: 'B', prefix: 'G' }, '500 MB'],
        [2400, { base: 'Hz', prefix: 'M' }, '2.40 GHz'],
        [999.96, { base: 'W' }, '1.00 kW'],
        [0.2, { base: 'W' }, '0.20 W'],
        [71.23, { base: '%' }, '71.2 %'],
        [1500, { base: '%' }, '1500 %'],
        [83.5, { base: '°C' }, '83.5 °C'],
        [12, { base: 'load' }, '12.0'],
        [3.4, { base: '' }, '3.40'],
        [123456, { base: '' }, '123 k'],
        [0, { base: 'B/s', prefix: 'G' }, '0 B/s'],
        [-2500, { base: 'B/s' }, '-2.50 kB/s'],
        [5, { base: 'B', prefix: '?' }, '5.00 B'],
        [null, { base: 'B/s' }, '–'],
    ])('%s %o is written as %s', (value, unit, text) => expect(formatValue(value, unit)).toBe(text));

    it('one scale for an axis follows its largest value', () => {
        expect(scaleFor(3.2e9, { base: 'B/s' })).toEqual({ factor: 1e-9, label: 'GB/s' });
        expect(scaleFor(0, { base: 'B/s' })).toEqual({ factor: 1, label: 'B/s' });
    });
});

describe('durations and ages', () => {
    it.each([
        [0, '0 s'],
        [59.9, '59 s'],
        [60, '1:00 min'],
        [3599, '59:59 min'],
        [3600, '1:00:00 h'],
        [90061, '1 d 01:01 h'],
        [-1, '–'],
        [NaN, '–'],
    ])('%s seconds last %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));
    it.each([
        [0, '0 s'],
        [-3, '0 s'],
        [89, '89 s'],
        [180, '3 min'],
        [7200, '2 h'],
        [200000, '2 days'],
    ])('%s seconds ago is %s', (seconds, text) => expect(formatAge(seconds)).toBe(text));
});

describe('times', () => {
    it.each([
        [0, 'Z'],
        [60, '+01:00'],
        [-210, '-03:30'],
        [345, '+05:45'],
    ])('zone of %s minutes is %s', (minutes, text) => expect(formatZone(minutes)).toBe(text));
    it('is ISO 8601 with the zone', () => {
        expect(formatTime(1700000000, 60)).toBe('2023-11-14 23:13:20+01:00');
        expect(formatTime(1700000000, 0)).toBe('2023-11-14 22:13:20Z');
        expect(formatTime(null)).toBe('–');
    });
    it.each([
        ['1700000000', 1700000000],
        ['2023-11-14T22:13:20Z', 1700000000],
        ['2023-11-14 23:13:20+01:00', 1700000000],
        ['', null],
        ['yesterday', null],
        ['2023-13-45T00:00:00Z', null],
        ['1e9', null],
        ['-5', null],
    ])('"%s" is read as %s', (text, value) => expect(parseTime(text)).toBe(value));
});

describe('counts', () => {
    it('are grouped and follow the number', () => {
        expect(formatCount(1284311)).toBe('1\u202f284\u202f311');
        expect([plural(1, 'node'), plural(0, 'job')]).toEqual(['1 node', '0 jobs']);
    });
});
