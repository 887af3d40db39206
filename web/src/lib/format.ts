// SPDX-License-Identifier: MIT
// Numbers, units, durations and times as people read them. Pure; time zone offsets are a parameter in the inner functions.
import type { Unit } from './types';

const PREFIX_EXPONENT: Record<string, number> = { '': 0, K: 3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
const UNKNOWN = '–';

// Percent, degrees and plain counts are never written as "1.2 k%".
function takesPrefix(base: string): boolean {
    return (
        base !== '' &&
        base !== '%' &&
        base !== 'load' &&
        base !== 'CPI' &&
        base !== 'IPC' &&
        !base.startsWith('°') &&
        !base.startsWith('deg')
    );
}

/** How all numbers of one axis or table column are written: value * factor, followed by label. */
export interface Scale {
    factor: number;
    label: string;
}

/** The scale that writes the largest of a set of values with one to three digits before the point. */
export function scaleFor(largest: number, unit: Unit): Scale {
    const own = PREFIX_EXPONENT[unit.prefix ?? ''] ?? 0;
    const base = unit.base;
    if (!takesPrefix(base)) {
        // Counts without unit ("load", packets of a counter) get a bare prefix only when they are long.
        const exponent = (base === '' || base === 'load') && Math.abs(largest) >= 1e4 ? thousands(largest) : 0;
        return { factor: 10 ** -exponent, label: (PREFIXES[exponent / 3] ?? '') + (base === 'load' ? '' : base) };
    }
    const exponent = thousands(largest * 10 ** own);
    return { factor: 10 ** (own - exponent), label: (PREFIXES[exponent / 3] ?? '') + base };
}

function thousands(value: number): number {
    const size = Math.abs(value);
    if (!(size >= 1) || !Number.isFinite(size)) return 0;
    // 999.96 would be written as "1000", so the step is taken a little early.
    return Math.min(18, Math.max(0, Math.floor(Math.log10(size * 1.0005) / 3) * 3));
}

/** Three significant digits, at most three decimals, without trailing zeros being cut: 0.12, 3.40, 71.2, 512. */
export function formatNumber(value: number | null | undefined): string {
    if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
    const size = Math.abs(value);
    if (size === 0) return '0';
    if (size >= 99.95) return value.toFixed(0);
    if (size >= 9.995) return value.toFixed(1);
    if (size >= 0.0995) return value.toFixed(2);
    if (size >= 0.0005) return value.toFixed(3);
    return value.toExponential(1);
}

export function formatScaled(value: number | null | undefined, scale: Scale): string {
    return value === null || value === undefined ? UNKNOWN : formatNumber(value * scale.factor);
}

/** "12.3 GB/s", "71.2 %", "3.40"; an en dash when there is no value. */
export function formatValue(value: number | null | undefined, unit: Unit): string {
    if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
    const scale = scaleFor(value, unit);
    const text = formatScaled(value, scale);
    return scale.label === '' ? text : `${text} ${scale.label}`;
}

/** Whole number with thin separators: 1 284 311. */
export function formatCount(value: number): string {
    return Math.round(value)
        .toString()
        .replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** "45 s", "12:05 min", "3:04:09 h", "2 d 03:04 h". */
export function formatDuration(seconds: number): string {
    if (!Number.isFinite(seconds) || seconds < 0) return UNKNOWN;
    const total = Math.floor(seconds);
    const d = Math.floor(total / 86400);
    const h = Math.floor((total % 86400) / 3600);
    const m = Math.floor((total % 3600) / 60);
    const s = total % 60;
    if (d > 0) return `${d} d ${pad(h)}:${pad(m)} h`;
    if (h > 0) return `${h}:${pad(m)}:${pad(s)} h`;
    if (m > 0) return `${m}:${pad(s)} min`;
    return `${s} s`;
}

/** Rough age for sentences: "8 s", "3 min", "5 h", "12 days". */
export function formatAge(seconds: number): string {
    if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
    if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
    if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
    return `${Math.round(seconds / 86400)} days`;
}

function pad(n: number, width = 2): string {
    return String(n).padStart(width, '0');
}

function zoneMinutes(unixSeconds: number): number {
    return -new Date(unixSeconds * 1000).getTimezoneOffset();
}

export function formatZone(minutes: number): string {
    if (minutes === 0) return 'Z';
    const size = Math.abs(minutes);
    return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

function shifted(unixSeconds: number, minutes: number): Date {
    return new Date((unixSeconds + minutes * 60) * 1000);
}

/** "2026-11-20 11:23:05+01:00": ISO 8601 with the zone that the reader's browser is set to. */
export function formatTime(unixSeconds: number | null | undefined, minutes?: number): string {
    if (unixSeconds === null || unixSeconds === undefined || !Number.isFinite(unixSeconds)) return UNKNOWN;
    const zone = minutes ?? zoneMinutes(unixSeconds);
    return `${formatTimeShort(unixSeconds, zone, true)}${formatZone(zone)}`;
}

/** Without the zone, for table columns whose head names it. */
export function formatTimeShort(unixSeconds: number, minutes?: number, withSeconds = false): string {
    const t = shifted(unixSeconds, minutes ?? zoneMinutes(unixSeconds));
    const date = `${t.getUTCFullYear()}-${pad(t.getUTCMonth() + 1)}-${pad(t.getUTCDate())}`;
    return `${date} ${formatClock(unixSeconds, minutes, withSeconds)}`;
}

export function formatClock(unixSeconds: number, minutes?: number, withSeconds = true): string {
    const t = shifted(unixSeconds, minutes ?? zoneMinutes(unixSeconds));
    const hm = `${pad(t.getUTCHours())}:${pad(t.getUTCMinutes())}`;
    return withSeconds ? `${hm}:${pad(t.getUTCSeconds())}` : hm;
}

/** Name of the reader's zone for a column head: "UTC+01:00". */
export function zoneName(unixSeconds: number): string {
    const text = formatZone(zoneMinutes(unixSeconds));
    return text === 'Z' ? 'UTC' : `UTC${text}`;
}

/** Unix seconds from RFC 3339 text, from the text of a datetime-local field, or from a number of seconds. */
export function parseTime(text: string): number | null {
    const trimmed = text.trim();
    if (/^\d{1,12}$/.test(trimmed)) return Number(trimmed);
    if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(trimmed)) return null;
    const ms = Date.parse(trimmed.replace(' ', 'T'));
    return Number.isNaN(ms) ? null : Math.floor(ms / 1000);
}

/** The value of an <input type="datetime-local">, in the reader's zone. */
export function toLocalField(unixSeconds: number): string {
    return formatTimeShort(unixSeconds, undefined, true).replace(' ', 'T');
}

/** "1 node", "3 nodes". */
export function plural(count: number, word: string): string {
    return `${formatCount(count)} ${word}${count === 1 ? '' : 's'}`;
}
