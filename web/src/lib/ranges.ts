// SPDX-License-Identifier: MIT
// Time ranges: presets that move with the clock, and fixed ones from the URL.
import { parseTime } from './format';

export interface Preset {
    key: string;
    label: string;
    short: string;
    seconds: number;
}

export const PRESETS: Preset[] = [
    { key: '5m', label: '5 min', short: '5m', seconds: 300 },
    { key: '15m', label: '15 min', short: '15m', seconds: 900 },
    { key: '1h', label: '1 hour', short: '1h', seconds: 3600 },
    { key: '4h', label: '4 hours', short: '4h', seconds: 14400 },
    { key: '24h', label: '24 hours', short: '24h', seconds: 86400 },
    { key: '7d', label: '7 days', short: '7d', seconds: 7 * 86400 },
];

/** A preset (moves with now) or a fixed span in Unix seconds. */
export type Range = { preset: Preset } | { from: number; to: number };

export const DEFAULT_PRESET: Preset = PRESETS[2] as Preset;

/** The shortest preset that holds a few hundred samples: five minutes at 1 s, an hour at 10 s, four hours at 60 s. */
export function presetFor(timestep: number): Preset {
    return PRESETS.find((p) => p.seconds >= timestep * 240) ?? DEFAULT_PRESET;
}

/** `range=1h`, or `from=` and `to=` as RFC 3339 or Unix seconds. Nonsense gives the fallback. */
export function rangeFromQuery(query: URLSearchParams, fallback: Preset = DEFAULT_PRESET): Range {
    const from = parseTime(query.get('from') ?? '');
    const to = parseTime(query.get('to') ?? '');
    if (from !== null && to !== null && to > from) return { from, to };
    const key = query.get('range');
    return { preset: PRESETS.find((p) => p.key === key) ?? fallback };
}

/** The part of a query that names a range: pages react to a change of it, not of the filters beside it. */
export function rangeKey(query: URLSearchParams): string {
    return new URLSearchParams(
        ['range', 'from', 'to'].flatMap((k) => (query.has(k) ? [[k, query.get(k) ?? '']] : [])),
    ).toString();
}

export function rangeToQuery(range: Range): Record<string, string> {
    if ('preset' in range) return { range: range.preset.key, from: '', to: '' };
    return { range: '', from: String(range.from), to: String(range.to) };
}

export function isLive(range: Range): boolean {
    return 'preset' in range;
}

/** The span at a moment; the end of a moving one is the moment itself. */
export function spanOf(range: Range, now: number): { from: number; to: number } {
    return 'preset' in range ? { from: Math.floor(now) - range.preset.seconds, to: Math.floor(now) + 1 } : range;
}

/**
 * The step to ask the store for, so that a span gives about `points` samples: a multiple of the native step (the store refuses
 * others). The native step itself when that is enough.
 */
export function resolutionFor(spanSeconds: number, timestep: number, points: number): number {
    if (timestep <= 0) return 0;
    const steps = Math.ceil(spanSeconds / timestep / points);
    return steps <= 1 ? timestep : steps * timestep;
}
