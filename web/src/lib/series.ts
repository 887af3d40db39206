// SPDX-License-Identifier: MIT
// Equidistant series: what the store and the job archive deliver, and what plots draw. Pure functions.
import type { Sample, Statistics } from './types';

/** Sample i belongs to time from + i * step (Unix seconds). */
export interface Series {
    label: string;
    from: number;
    step: number;
    data: Sample[];
}

/** Several series on one common time axis, as the plotting library wants them. */
export interface Table {
    times: number[];
    columns: Sample[][];
}

export function statistics(data: Sample[]): Statistics {
    let min = Infinity;
    let max = -Infinity;
    let sum = 0;
    let count = 0;
    for (const value of data) {
        if (value === null) continue;
        if (value < min) min = value;
        if (value > max) max = value;
        sum += value;
        count++;
    }
    return count === 0 ? { min: null, avg: null, max: null } : { min, avg: sum / count, max };
}

/** Statistics over several series: of the whole set of samples. */
export function statisticsOfAll(list: Series[]): Statistics {
    let min: Sample = null;
    let max: Sample = null;
    let sum = 0;
    let count = 0;
    for (const { data } of list) {
        for (const value of data) {
            if (value === null) continue;
            if (min === null || value < min) min = value;
            if (max === null || value > max) max = value;
            sum += value;
            count++;
        }
    }
    return { min, avg: count === 0 ? null : sum / count, max };
}

/** The newest sample that is there, with its time. */
export function newest(series: Series): { time: number; value: number } | null {
    for (let i = series.data.length - 1; i >= 0; i--) {
        const value = series.data[i];
        if (value !== null && value !== undefined) return { time: series.from + i * series.step, value };
    }
    return null;
}

/**
 * Old samples followed by a younger answer for the same series; where both have a time, the younger answer wins unless it
 * says null. Samples before `keepFrom` are dropped. Different steps cannot be joined: then the younger answer stands alone.
 */
export function joinSeries(old: Series, young: Series, keepFrom: number): Series {
    if (young.data.length === 0) return dropBefore(old, keepFrom);
    if (old.data.length === 0 || old.step !== young.step || (young.from - old.from) % old.step !== 0) return young;
    const offset = (young.from - old.from) / old.step;
    if (offset < 0 || offset > old.data.length + 10_000) return young;
    const data = old.data.slice();
    while (data.length < offset) data.push(null);
    young.data.forEach((value, i) => {
        if (value !== null || offset + i >= data.length) data[offset + i] = value;
    });
    return dropBefore({ ...old, data }, keepFrom);
}

export function dropBefore(series: Series, time: number): Series {
    const count = Math.min(series.data.length, Math.max(0, Math.ceil((time - series.from) / series.step)));
    return count === 0
        ? series
        : { ...series, from: series.from + count * series.step, data: series.data.slice(count) };
}

/** Puts series of one step on one axis that spans them all; a hole is null. Series of other steps are put to the nearest slot. */
export function toTable(list: Series[]): Table {
    const filled = list.filter((s) => s.data.length > 0);
    if (filled.length === 0) return { times: [], columns: list.map(() => []) };
    const step = Math.min(...filled.map((s) => s.step));
    const from = Math.min(...filled.map((s) => s.from));
    const to = Math.max(...filled.map((s) => s.from + (s.data.length - 1) * s.step));
    const count = Math.floor((to - from) / step) + 1;
    const times = Array.from({ length: count }, (_, i) => from + i * step);
    return { times, columns: list.map((s) => column(s, from, step, count)) };
}

function column(series: Series, from: number, step: number, count: number): Sample[] {
    const offset = Math.round((series.from - from) / step);
    const stride = Math.max(1, Math.round(series.step / step));
    const out: Sample[] = new Array<Sample>(count).fill(null);
    series.data.forEach((value, i) => {
        // A coarser series holds its value over its own step, otherwise it would be drawn as lonely points.
        for (let k = 0; k < stride && value !== null; k++) {
            const at = offset + i * stride + k;
            if (at >= 0 && at < count) out[at] = value;
        }
    });
    return out;
}

export interface Band {
    min: Sample[];
    mean: Sample[];
    max: Sample[];
}

/** Smallest, mean and largest of the columns at each time, over those that have a value there. */
export function bandOf(columns: Sample[][], length: number): Band {
    const band: Band = { min: [], mean: [], max: [] };
    for (let i = 0; i < length; i++) {
        const here = statistics(columns.map((c) => c[i] ?? null));
        band.min.push(here.min);
        band.mean.push(here.avg);
        band.max.push(here.max);
    }
    return band;
}

/** Index of the time nearest to `time` in an ascending list; -1 for an empty one. */
export function nearestIndex(times: number[], time: number): number {
    let low = 0;
    let high = times.length - 1;
    while (high - low > 1) {
        const middle = (low + high) >> 1;
        if ((times[middle] as number) <= time) low = middle;
        else high = middle;
    }
    if (high < 0) return -1;
    return Math.abs((times[high] as number) - time) < Math.abs((times[low] as number) - time) ? high : low;
}

/** About `points` samples at most: means of equal runs, null where a run has none. Small plots need no more than their pixels. */
export function thin(series: Series, points: number): Sample[] {
    const { data, from, step } = series;
    if (data.length <= points) return data;
    const run = Math.ceil(data.length / points);
    const out: Sample[] = [];
    // Runs start at multiples of their length in absolute time, so that the drawn shape stands still while a live series grows.
    const first = (run - (Math.round(from / step) % run)) % run;
    if (first > 0) out.push(statistics(data.slice(0, first)).avg);
    for (let i = first; i < data.length; i += run) out.push(statistics(data.slice(i, i + run)).avg);
    return out;
}
