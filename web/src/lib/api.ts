// SPDX-License-Identifier: MIT
// Requests to the backend. Errors come as ApiError with a sentence for people; the state of the connection is reported to
// whoever set the listener (lib/state.svelte.ts), so that one banner can show it on every page.
import type { Cluster, Info, Job, JobMetric, JobPage, JobPlots, StoreAnswer, StoreQuery } from './types';

export type Failure = 'unreachable' | 'unauthorized' | 'refused' | 'broken';

export class ApiError extends Error {
    constructor(
        readonly kind: Failure,
        message: string,
        readonly status = 0,
    ) {
        super(message);
    }
}

type Listener = (error: ApiError | null) => void;

const TOKEN_KEY = 'cc-token';
const TIMEOUT_MS = 30_000;

let listener: Listener = () => undefined;

export function onOutcome(next: Listener): void {
    listener = next;
}

// The token is for this tab only and gone when it is closed: a shared desktop keeps no key.
export function token(): string | null {
    return sessionStorage.getItem(TOKEN_KEY);
}

export function setToken(value: string | null): void {
    if (value === null) sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, value);
}

async function request<T>(path: string, options: RequestInit = {}, signal?: AbortSignal): Promise<T> {
    const headers: Record<string, string> = { Accept: 'application/json' };
    const key = token();
    if (key !== null) headers['X-Auth-Token'] = key;
    if (options.body !== undefined) headers['Content-Type'] = 'application/json';
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    const signals = signal ? anySignal(signal, limit) : limit;
    try {
        const answer = await send(path, { ...options, headers, signal: signals });
        const value = await decode<T>(answer);
        listener(null);
        return value;
    } catch (error) {
        if (signal?.aborted) throw error; // the page that asked is gone: nobody's failure
        const failure = error instanceof ApiError ? error : new ApiError('unreachable', 'The backend does not answer.');
        listener(failure);
        throw failure;
    }
}

function anySignal(a: AbortSignal, b: AbortSignal): AbortSignal {
    const both = new AbortController();
    for (const s of [a, b]) {
        if (s.aborted) both.abort(s.reason);
        else s.addEventListener('abort', () => both.abort(s.reason), { once: true });
    }
    return both.signal;
}

async function send(path: string, options: RequestInit): Promise<Response> {
    try {
        return await fetch(path, options);
    } catch {
        throw new ApiError('unreachable', 'The backend does not answer.');
    }
}

async function decode<T>(answer: Response): Promise<T> {
    if (answer.ok) {
        try {
            return (await answer.json()) as T;
        } catch {
            throw new ApiError('broken', 'The backend sent an incomplete answer.', answer.status);
        }
    }
    const reason = await reasonOf(answer);
    if (answer.status === 401) throw new ApiError('unauthorized', reason, 401);
    if (answer.status >= 500) throw new ApiError('broken', `The backend reports a fault: ${reason}`, answer.status);
    throw new ApiError('refused', reason, answer.status);
}

async function reasonOf(answer: Response): Promise<string> {
    const text = await answer.text().catch(() => '');
    try {
        const body = JSON.parse(text) as { error?: string; status?: string };
        return body.error ?? body.status ?? `status ${answer.status}`;
    } catch {
        return text.trim().slice(0, 200) || `status ${answer.status}`;
    }
}

export function getInfo(signal?: AbortSignal): Promise<Info> {
    return request<Info>('/ui/api/info', {}, signal);
}

export async function getClusters(signal?: AbortSignal): Promise<Cluster[]> {
    return (await request<{ clusters: Cluster[] | null }>('/api/clusters/', {}, signal)).clusters ?? [];
}

export function getJobs(query: URLSearchParams, signal?: AbortSignal): Promise<JobPage> {
    return request<JobPage>(`/ui/api/jobs?${query}`, {}, signal);
}

let early: { id: string; job: Promise<Job> } | null = null;

/** Asks for a job before its page is there; the first getJob of it takes the answer. */
export function prefetchJob(id: string): void {
    early = { id, job: getJob(id) };
    early.job.catch(() => undefined);
}

export async function getJob(id: string, signal?: AbortSignal): Promise<Job> {
    if (early?.id === id) {
        const { job } = early;
        early = null;
        return job;
    }
    return (await request<{ Meta: Job }>(`/api/jobs/${encodeURIComponent(id)}`, {}, signal)).Meta;
}

/** The archived statistics of an ended job. They come with lists of jobs only, so the list is cut down to its start second. */
export async function getStatistics(job: Job, signal?: AbortSignal): Promise<Job['statistics']> {
    const request = new URLSearchParams({
        cluster: job.cluster,
        user: job.user,
        'start-time': `${job.startTime}-${job.startTime}`,
        'items-per-page': '100',
    });
    const list = (await getJobs(request, signal)).jobs ?? [];
    return list.find((other) => other.id === job.id)?.statistics ?? null;
}

export async function getJobMetrics(
    id: string,
    metrics: string[],
    scope: string,
    signal?: AbortSignal,
): Promise<JobMetric[]> {
    const query = new URLSearchParams({ scope });
    for (const name of metrics) query.append('metric', name);
    type Answer = { data: { jobMetrics: JobMetric[] | null } | null; error: { message: string } | null };
    const answer = await request<Answer>(`/api/jobs/metrics/${encodeURIComponent(id)}?${query}`, {}, signal);
    if (answer.error !== null && answer.error !== undefined) throw new ApiError('broken', answer.error.message);
    return answer.data?.jobMetrics ?? [];
}

export function getJobPlots(ids: number[], metrics: string[], points: number, signal?: AbortSignal): Promise<JobPlots> {
    return request<JobPlots>(
        '/ui/api/job-plots',
        { method: 'POST', body: JSON.stringify({ ids, metrics, points }) },
        signal,
    );
}

export interface StoreRequest {
    cluster: string;
    from: number;
    to: number;
    queries: StoreQuery[];
    'with-stats'?: boolean;
    'with-data'?: boolean;
}

export function query(body: StoreRequest, signal?: AbortSignal): Promise<StoreAnswer> {
    // Without padding the first sample belongs to "from" of the answer; with it, that would have to be guessed.
    return request<StoreAnswer>(
        '/api/query',
        { method: 'POST', body: JSON.stringify({ 'with-padding': false, ...body }) },
        signal,
    );
}
