// SPDX-License-Identifier: MIT
// Filters and order of the job list: URL <-> filter <-> request, and the one text field that understands "user:alice".
import { parseTime } from './format';

export const JOB_STATES = [
    'running',
    'completed',
    'failed',
    'cancelled',
    'timeout',
    'out_of_memory',
    'node_fail',
    'boot_fail',
    'deadline',
    'preempted',
    'suspended',
    'pending',
] as const;

export const SORT_KEYS = ['startTime', 'duration', 'numNodes', 'jobId'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export const TIME_CHOICES: { key: string; label: string; seconds: number }[] = [
    { key: 'last1h', label: 'last hour', seconds: 3600 },
    { key: 'last6h', label: 'last 6 hours', seconds: 6 * 3600 },
    { key: 'last24h', label: 'last 24 hours', seconds: 86400 },
    { key: 'last7d', label: 'last 7 days', seconds: 7 * 86400 },
    { key: 'last30d', label: 'last 30 days', seconds: 30 * 86400 },
];

export interface JobFilter {
    states: string[];
    cluster: string;
    user: string;
    project: string;
    host: string;
    name: string;
    /** "", a key of TIME_CHOICES, or "<unix>-<unix>". */
    time: string;
    sort: SortKey;
    order: 'asc' | 'desc';
    page: number;
    items: number;
}

export const PAGE_SIZES = [25, 50, 100];
export const TEXT_FIELDS = ['user', 'project', 'host', 'name'] as const;

export function filterFromQuery(query: URLSearchParams): JobFilter {
    const sort = query.get('sort') as SortKey;
    const items = Number(query.get('items'));
    return {
        states: query.getAll('state').filter((s) => (JOB_STATES as readonly string[]).includes(s)),
        cluster: query.get('cluster') ?? '',
        user: query.get('user') ?? '',
        project: query.get('project') ?? '',
        host: query.get('host') ?? '',
        name: query.get('name') ?? '',
        time: validTime(query.get('time') ?? ''),
        sort: SORT_KEYS.includes(sort) ? sort : 'startTime',
        order: query.get('order') === 'asc' ? 'asc' : 'desc',
        page: Math.max(1, Math.floor(Number(query.get('page'))) || 1),
        items: PAGE_SIZES.includes(items) ? items : 50,
    };
}

function validTime(text: string): string {
    return TIME_CHOICES.some((c) => c.key === text) || /^\d{1,12}-\d{1,12}$/.test(text) ? text : '';
}

/** Only what differs from the default appears in the URL. */
export function filterToQuery(filter: JobFilter): URLSearchParams {
    const query = new URLSearchParams();
    for (const state of filter.states) query.append('state', state);
    for (const key of ['cluster', ...TEXT_FIELDS, 'time'] as const) if (filter[key] !== '') query.set(key, filter[key]);
    if (filter.sort !== 'startTime') query.set('sort', filter.sort);
    if (filter.order !== 'desc') query.set('order', filter.order);
    if (filter.items !== 50) query.set('items', String(filter.items));
    if (filter.page !== 1) query.set('page', String(filter.page));
    return query;
}

export function filterToRequest(filter: JobFilter, now: number): URLSearchParams {
    const query = new URLSearchParams();
    for (const state of filter.states) query.append('state', state);
    for (const key of ['cluster', ...TEXT_FIELDS] as const) if (filter[key] !== '') query.set(key, filter[key]);
    const time = timeSpan(filter.time, now);
    if (time !== null) query.set('start-time', `${time.from}-${time.to}`);
    query.set('sort', filter.sort);
    query.set('order', filter.order);
    query.set('items-per-page', String(filter.items));
    query.set('page', String(filter.page));
    query.set('with-metadata', 'true');
    return query;
}

export function timeSpan(time: string, now: number): { from: number; to: number } | null {
    const choice = TIME_CHOICES.find((c) => c.key === time);
    // The end lies ahead, so that jobs that start while the page is open appear.
    if (choice) return { from: Math.floor(now) - choice.seconds, to: Math.floor(now) + 86400 };
    const [from, to] = time.split('-');
    if (from === undefined || to === undefined || time === '') return null;
    const a = parseTime(from);
    const b = parseTime(to);
    return a !== null && b !== null ? { from: a, to: b } : null;
}

export function timeLabel(time: string): string {
    return TIME_CHOICES.find((c) => c.key === time)?.label ?? time;
}

/** Words of the search field: "user:alice state:failed lammps" sets three members; what has no known key is part of the name. */
export function applySearch(filter: JobFilter, text: string): JobFilter {
    const next: JobFilter = { ...filter, states: [...filter.states], page: 1 };
    const name: string[] = [];
    for (const word of text
        .trim()
        .split(/\s+/)
        .filter((w) => w !== '')) {
        const [, key, value] = /^([a-z]+):(.+)$/.exec(word) ?? [];
        if (key === 'state' && value !== undefined && (JOB_STATES as readonly string[]).includes(value)) {
            if (!next.states.includes(value)) next.states.push(value);
        } else if (
            value !== undefined &&
            (key === 'user' || key === 'project' || key === 'host' || key === 'cluster' || key === 'name')
        ) {
            next[key] = value;
        } else {
            name.push(word);
        }
    }
    if (name.length > 0) next.name = name.join(' ');
    return next;
}

export interface Chip {
    label: string;
    without: JobFilter;
}

/** One chip per active filter, each with the filter that remains when it is taken away. */
export function chipsOf(filter: JobFilter): Chip[] {
    const first = { ...filter, page: 1 };
    const chips: Chip[] = filter.states.map((state) => ({
        label: `state: ${state}`,
        without: { ...first, states: filter.states.filter((s) => s !== state) },
    }));
    for (const key of ['cluster', ...TEXT_FIELDS] as const) {
        if (filter[key] !== '') chips.push({ label: `${key}: ${filter[key]}`, without: { ...first, [key]: '' } });
    }
    if (filter.time !== '')
        chips.push({ label: `started: ${timeLabel(filter.time)}`, without: { ...first, time: '' } });
    return chips;
}

/** A column head was pressed: the same column turns round, another one starts with the largest. */
export function toggleSort(filter: JobFilter, key: SortKey): JobFilter {
    const order = filter.sort === key && filter.order === 'desc' ? 'asc' : 'desc';
    return { ...filter, sort: key, order, page: 1 };
}

export function stateTone(state: string): 'run' | 'done' | 'bad' | 'wait' {
    if (state === 'running') return 'run';
    if (state === 'completed') return 'done';
    return state === 'pending' || state === 'suspended' || state === 'preempted' || state === 'cancelled'
        ? 'wait'
        : 'bad';
}

export function stateLabel(state: string): string {
    return state.replaceAll('_', ' ');
}
